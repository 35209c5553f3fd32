//! The border to the host: what JavaScript calls, what is called in JavaScript, and how bytes are
//! laid out between.
//!
//! The border is raw: functions of numbers, one buffer for input, one for output, no generated
//! bindings (`docs/decisions/0001`). An instance is either an isolate's edge (`edge.rs`) or one
//! object (`object.rs`). Decides nothing. Out of scope: what the host does with an answer
//! (`host/`).

#[cfg(target_arch = "wasm32")]
mod edge;
pub mod frame;
#[cfg(target_arch = "wasm32")]
mod memory;
#[cfg(target_arch = "wasm32")]
mod object;
pub mod rows;
pub mod slots;
#[cfg(target_arch = "wasm32")]
mod sql;
