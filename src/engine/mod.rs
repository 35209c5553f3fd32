//! The engine: what happens to messages. Pure: `(Sql, now, entropy, commands) → replies and
//! effects`.
//!
//! It knows no protocol, no clock and no platform. A turn (`queue.rs`) takes the commands that
//! arrived together, changes memory and storage, and ends in one commit. When storage fails, the
//! turn fails as a whole and the queue must be opened again: memory is a cache of what is stored.

pub mod access;
pub mod config;
pub mod directory;
pub mod filter;
pub mod idempotency;
pub mod journal;
pub mod key_set;
pub mod outcome;
pub mod outcomes;
pub mod outstanding;
pub mod patterns;
pub mod queue;
pub mod segment;
pub mod segments;
pub mod topic;

mod ack;
mod admission;
mod answers;
mod backoff;
mod browse;
mod clock;
mod dead_letter;
pub mod dispatch;
pub mod draw;
mod forgetting;
mod holes;
mod inspect;
mod journal_old;
mod key_count;
mod line;
mod notice;
mod operations;
mod outbox;
mod publish;
mod pull;
mod puller;
pub mod quarantine;
mod recovery;
mod redrive;
pub mod repair;
mod retry;
mod run;
mod segment_cache;
mod seq_map;
mod tickets;
mod waiter;

use crate::error::Fault;
use crate::store::StoreError;

/// Why a command stopped: a fault is its answer; a storage error ends the turn.
#[derive(Debug)]
pub(crate) enum Stop {
    Fault(Fault),
    Store(StoreError),
}

impl Stop {
    /// What is answered to whom a command had left waiting.
    pub(crate) fn answer<T>(done: Result<T, Self>) -> Result<Result<T, Fault>, StoreError> {
        match done {
            Ok(reply) => Ok(Ok(reply)),
            Err(Self::Fault(fault)) => Ok(Err(fault)),
            Err(Self::Store(error)) => Err(error),
        }
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
