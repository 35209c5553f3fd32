//! Tidegate: an event bus at the edge.
//!
//! One crate, in rings; dependencies point down only, and `tests/tidy.rs` enforces it.
//!
//! | ring | modules | what they are |
//! | --- | --- | --- |
//! | 0 | [`error`] [`id`] [`limits`] [`time`] | words every module shares |
//! | 1 | [`command`] [`store`] [`wire`] | the contract across the hop; the SQL port; bytes |
//! | 1 | [`crypto`] [`push`] | keys and signatures; the rules of calling an endpoint |
//! | 2 | [`engine`] [`protocol`] | decides; speaks. They meet in `command` and nowhere else |
//! | 3 | [`edge`] [`relay`] [`durable`] | the Worker's and the objects' shells; between them, relays |
//! | – | [`platform`] | the border to the host: memory, SQL |
//!
//! Reading order: `command/mod.rs` (what can be asked), `engine/queue.rs` (what happens),
//! `engine/segment.rs` and `engine/journal.rs` (what is stored), `durable/` (how it runs), `edge/`
//! (how it is reached).

pub mod command;
pub mod crypto;
pub mod durable;
pub mod edge;
pub mod engine;
pub mod error;
pub mod id;
pub mod limits;
pub mod platform;
pub mod protocol;
pub mod push;
pub mod relay;
pub mod store;
pub mod time;
pub mod wire;
