//! The objects' shells: decode what arrived, have it decided, render what is answered.
//!
//! A shell collects the requests of a turn, runs them as one, and hands back a [`Turn`]: finished
//! responses and effects. It is as pure as the engine (the database is a port, the clock an
//! argument). What carries the effects out is the host (`host/object.js`), what lies between is
//! `platform`.

pub mod directory;
pub mod queue;
mod share;
pub mod topic;

use crate::engine::outcome::{Call, Dispatch};
use crate::protocol::http::Response;
use crate::time::Millis;

pub use crate::push::target::Reach;
pub use directory::DirectoryObject;
pub use queue::QueueObject;
pub use topic::TopicObject;

/// What one turn asks of the host, after its transaction.
#[derive(Debug, Default)]
pub struct Turn {
    /// Finished responses, by the token the request came with.
    pub replies: Vec<(u32, Response)>,
    /// See `engine::outcome::Outcome::alarm_at_ms`.
    pub alarm_at_ms: Option<Millis>,
    /// See `engine::outcome::Outcome::timer_at_ms`.
    pub timer_at_ms: Option<Millis>,
    /// Calls to other objects.
    pub calls: Vec<Call>,
    /// What goes to live readers.
    pub pushes: Vec<Push>,
    /// Calls of endpoints.
    pub dispatches: Vec<Dispatch>,
    /// What whoever runs the deployment should know of, a line of JSON each.
    pub events: Vec<String>,
    /// Drop all storage, the alarm, and this instance.
    pub wipe: bool,
}

/// What several live readers are sent alike.
#[derive(Debug)]
pub struct Push {
    /// Their sockets.
    pub tokens: Vec<u32>,
    /// What each is sent.
    pub text: Vec<u8>,
    /// What each socket remembers from now on; empty: what it did.
    pub memory: Vec<u8>,
    /// Close the sockets afterwards.
    pub is_last: bool,
    /// How the text is handed over.
    pub how: How,
}

/// How a piece is handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// As one frame, to a Worker that says when it has taken it.
    Piece,
    /// To the client itself, a frame a line.
    Frames,
    /// To the client itself, as one frame.
    Batch,
}

/// One request as it arrived: the command, and a message's body where it travelled beside the
/// command.
#[derive(Debug)]
struct Arrival {
    token: u32,
    command: Vec<u8>,
    body: Vec<u8>,
}
