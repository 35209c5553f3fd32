//! Pushing: the pure rules of calling an endpoint with messages. Configuration, request, answer.
//!
//! Knows no queue and no storage: what is called with what (`request`), whether it may be called at
//! all (`target`, `endpoint`), what an answer means (`outcome`), and when an endpoint that fails is left alone
//! (`circuit`). Time is an argument. The engine (`engine/dispatch/`) decides which messages go when.

pub mod circuit;
pub mod cloud_queue;
pub mod config;
pub mod endpoint;
pub mod outcome;
pub mod request;
pub mod signature;
pub mod target;
