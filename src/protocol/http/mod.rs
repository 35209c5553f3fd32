//! The HTTP interface: reading what a client sends, and rendering what a queue answers.
//!
//! Owns the JSON shapes, the header names, the mapping of faults to problem documents (RFC 9457), and the
//! OpenAPI document. Out of scope: routes and credentials (`edge`), what a command does (`engine`).

pub mod ack;
pub mod attributes;
pub mod batch;
pub mod cloud_events;
pub mod cors;
pub mod description;
pub mod fields;
pub mod incoming;
pub mod media;
pub mod message;
pub mod metrics;
pub mod openapi;
pub mod problem;
pub mod publish;
pub mod pull;
pub mod render;
pub mod response;

pub use render::{DecidedBy, RenderContext, render};
pub use response::Response;
