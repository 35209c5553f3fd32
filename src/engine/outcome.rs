//! What one turn brings about: replies and effects, carried out by the shell after the transaction.

use crate::command::placement::queue_object;
use crate::command::{Command, Envelope, Reply, codec};
use crate::error::Fault;
use crate::limits::EVENTS_PER_TURN_MAX;
use crate::push::request::Request;
use crate::store::StoreError;
use crate::time::Millis;

/// The result of one turn.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Answers, by the token the request came with. A request that waits gets its answer in a later
    /// turn.
    pub replies: Vec<(u32, Result<Reply, Fault>)>,
    /// `Some` when the one alarm has to be armed anew, at this instant. An alarm that is armed
    /// already for an earlier moment is left alone: a spurious wake-up is cheaper than a row.
    pub alarm_at_ms: Option<Millis>,
    /// When the next waiting request gives up. Kept in memory: requests that wait die with the
    /// object.
    pub timer_at_ms: Option<Millis>,
    /// Calls to other objects. Each comes back by `Queue::called` with its number.
    pub calls: Vec<Call>,
    /// Calls of endpoints. Each comes back by `Queue::dispatched` with its number.
    pub dispatches: Vec<Dispatch>,
    /// What whoever runs the deployment should know of, a line of JSON each.
    pub events: Vec<String>,
    /// The queue is gone: drop all storage, alarm included, and this instance with it.
    pub wipe: bool,
}

impl Outcome {
    /// Says what happened, unless this turn has said enough.
    pub fn say(&mut self, event: &serde_json::Value) {
        if self.events.len() < EVENTS_PER_TURN_MAX {
            self.events.push(event.to_string());
        }
    }
}

/// A call of an endpoint. It is made once.
#[derive(Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// To match the answer to the call.
    pub number: u32,
    /// It takes no longer than this.
    pub timeout_ms: Millis,
    /// It begins within this time, or is not made.
    pub send_within_ms: Millis,
    /// What is sent.
    pub request: Request,
}

/// A call to another object. Repeats are harmless: what is called takes each message once.
#[derive(Debug, PartialEq, Eq)]
pub struct Call {
    /// To match the answer to the call.
    pub number: u32,
    /// The object's name.
    pub object: String,
    /// The encoded envelope.
    pub command: Vec<u8>,
}

impl Call {
    /// A call of a queue.
    ///
    /// # Errors
    /// The command cannot be written, which is a defect.
    pub fn of_queue(number: u32, queue: &str, command: Command<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            number,
            object: queue_object(queue),
            command: encoded(&Envelope::between_objects(queue, command))?,
        })
    }
}

/// What one object asks of a queue, as it travels.
///
/// # Errors
/// It cannot be written, which is a defect.
pub(crate) fn encoded(envelope: &Envelope<'_>) -> Result<Vec<u8>, StoreError> {
    codec::encode(envelope).map_err(|fault| StoreError(fault.detail))
}
