//! The contract across the hop: what the edge asks of an object, and what the object answers.
//!
//! A [`Command`] has a binary form (`codec.rs`) because it travels from the Worker to the object. A
//! [`Reply`] does not: the object that owns the state also renders the HTTP response, so that the
//! Worker can hand it through untouched. Out of scope: HTTP (`protocol`), storage (`engine`).

pub mod codec;
pub mod directory;
pub mod latency;
pub mod pattern;
pub mod patterns;
pub mod placement;
pub mod quarantined;
pub mod reply;
pub mod scope;
pub mod sieve;
pub mod topic;
pub mod verdict;

use crate::error::ErrorCode;
use crate::id::Id;
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::fmt;

pub use reply::{
    Accepted, AckError, Acknowledged, Blob, Delivery, Description, LeaseId, LeaseToken,
    MessageState, Reply, State, Waiting,
};
pub use verdict::Verdict;

/// A command with what every command needs: whose queue, from where, and what the edge has to
/// report.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Envelope<'a> {
    /// The queue's name, without its partition.
    pub queue: &'a str,
    /// The request's `Origin`, where it had one. The queue's `cors_origins` decide what is said to
    /// it.
    pub origin: Option<&'a str>,
    /// Whether a queue that was never configured comes into being by being published to.
    pub auto_create: bool,
    /// Whether the answer is wanted in the binary form of batches, where there is one.
    pub binary: bool,
    /// Whether nobody's credentials were looked at: then the queue has to be one for everybody.
    pub anonymous: bool,
    /// Publishes the edge refused by itself since its last report, by reason.
    pub refused: Vec<(ErrorCode, u64)>,
    /// What is asked.
    #[serde(borrow)]
    pub command: Command<'a>,
}

impl<'a> Envelope<'a> {
    /// What one object asks of a queue: for no client, and of one that may not be there yet.
    #[must_use]
    pub const fn between_objects(queue: &'a str, command: Command<'a>) -> Self {
        Self {
            queue,
            origin: None,
            auto_create: true,
            binary: false,
            anonymous: false,
            refused: Vec::new(),
            command,
        }
    }
}

/// What can be asked of a queue.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub enum Command<'a> {
    /// Publish one message. Its body travels beside the command when it is large ([`Draft::body`]
    /// is then empty).
    Publish(#[serde(borrow)] Draft<'a>),
    /// Publish many, each with its own verdict. A message the edge could not read is its fault
    /// already.
    PublishBatch(#[serde(borrow)] Vec<Result<Draft<'a>, crate::error::Fault>>),
    /// Publish many: the batch is the request's body, in binary form, as the client sent it.
    PublishBinary,
    /// Lease messages.
    Pull(Pull<'a>),
    /// Acknowledge, retry and extend leases.
    Ack(#[serde(borrow)] Ack<'a>),
    /// The same as the request's body, in binary form, as the client sent it.
    AckBinary,
    /// The state of one message; see [`Wait`].
    Inspect { id: Id, wait: Wait },
    /// Make a held message deliverable.
    Confirm { id: Id },
    /// Cancel a message that is waiting, held, delayed or queued.
    Cancel { id: Id },
    /// Create or change the queue. The patch is the request's JSON text, validated by the engine.
    Configure { patch: &'a str },
    /// Configuration and live figures.
    Describe,
    /// List messages without leasing them.
    Browse { after_seq: u64, limit: u32 },
    /// List the dead letters that are kept here.
    BrowseDead { after_seq: u64, limit: u32 },
    /// Delete the queue with all its messages.
    Delete,
    /// Drop all messages and start counting afresh.
    Purge,
    /// Stop deliveries.
    Pause,
    /// Go on with deliveries.
    Resume,
    /// Move dead letters back.
    Redrive,
    /// Nothing but the envelope's report.
    Report,
    /// Whether the envelope's origin may call this queue from a browser.
    Preflight,
    /// Dead letters or overflow of another queue, on their way into this one. Taken once each.
    Forward {
        source: &'a str,
        #[serde(borrow)]
        messages: Vec<Forwarded<'a>>,
    },
    /// Hand back the dead letters that came from `source` (asked by `source`, on being redriven).
    Recall(#[serde(borrow)] Recall<'a>),
    /// Begin to sign tickets with a new key.
    RotateTickets,
    /// Call the endpoint again that was disabled, or that is left alone.
    EnablePush,
    /// What became of a message's calls of the endpoint.
    Attempts { id: Id },
    /// Acknowledge first, then lease at once: a consumer's whole round in one call.
    AckPull {
        #[serde(borrow)]
        ack: Ack<'a>,
        #[serde(borrow)]
        pull: Pull<'a>,
    },
    /// A pull, with or without acknowledgements, that is the request's body, in binary form, as the
    /// client sent it.
    PullBinary,
    /// Publish one message and answer with what becomes of it, when that is known in time: a
    /// request and its reply. Its body travels as that of [`Command::Publish`].
    PublishAndWait {
        #[serde(borrow)]
        draft: Draft<'a>,
        /// 1 to 30000.
        wait_ms: Millis,
    },
    /// List rows that were damaged, after a number.
    Quarantine { after: u64 },
    /// Drop the bytes of rows that were damaged.
    DropQuarantine,
    /// Move some dead letters back.
    RedriveSome(#[serde(borrow)] Selection<'a>),
    /// [`Command::Recall`] of some.
    RecallSome(#[serde(borrow)] Recall<'a>, #[serde(borrow)] Selection<'a>),
}

impl Command<'_> {
    /// Whether messages come with it.
    #[must_use]
    pub fn publishes(&self) -> bool {
        matches!(
            self,
            Self::Publish(_)
                | Self::PublishBatch(_)
                | Self::PublishBinary
                | Self::PublishAndWait { .. }
        )
    }
}

/// The attribute that says how often a message is tried, where it brings that along.
pub const MAX_ATTEMPTS_ATTRIBUTE: &str = "tidegate-max-attempts";
/// The attribute that says how long it waits between deliveries, likewise.
pub const BACKOFF_ATTRIBUTE: &str = "tidegate-backoff";

/// One message to be published.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Draft<'a> {
    /// Opaque bytes.
    #[serde(with = "serde_bytes_borrowed", borrow)]
    pub body: &'a [u8],
    /// As given; absent means unknown bytes.
    pub content_type: Option<&'a str>,
    /// Ordering and per-key limit.
    pub key: Option<&'a str>,
    /// Makes a repeat of this publish harmless.
    pub idempotency_key: Option<&'a str>,
    /// Not deliverable before this much time has passed. Zero: at once.
    pub delay_ms: Millis,
    /// Expires after this much time. `None`: only by the queue's retention.
    pub ttl_ms: Option<Millis>,
    /// Held for confirmation for this long. `None`: deliverable without one.
    pub hold_ms: Option<Millis>,
    /// 0 to 9, higher first.
    pub priority: u8,
    /// Names and values, in the order given; names are unique.
    pub attributes: Vec<(&'a str, &'a str)>,
}

/// A message of another queue, and how that queue knows it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Forwarded<'a> {
    /// Its identifier there; what makes taking it twice impossible.
    pub id: Id,
    /// Whether it comes home from the dead letters: it has its place here already, and needs none.
    pub keeps_place: bool,
    /// The message, with the history in its attributes.
    #[serde(borrow)]
    pub draft: Draft<'a>,
}

/// Whose dead letters are asked back, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recall<'a> {
    /// The queue they came from.
    pub source: &'a str,
    /// How many at most.
    pub limit: u32,
}

/// Which dead letters are meant; by default all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection<'a> {
    /// Given up at this instant or later.
    pub from_at_ms: Option<Millis>,
    /// Given up before this instant.
    pub to_at_ms: Option<Millis>,
    /// A filter's JSON text; it sees the history, too.
    pub filter: Option<&'a str>,
    /// Of those that are kept where they died, only those with a higher number.
    pub after_seq: u64,
}

/// How many messages to lease, for how long, and how long to wait for the first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pull<'a> {
    /// 1 to 1000.
    pub batch_size: u32,
    /// `None`: the queue's own.
    pub visibility_timeout_ms: Option<Millis>,
    /// 0 to 30000; zero answers at once, with nothing if there is nothing.
    pub wait_ms: Millis,
    /// The filter's JSON text: an event pattern (an object) or a selector (a string).
    pub filter: Option<&'a str>,
}

/// A lease as the client names it: its text, or the 128 bits that the text stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaseRef<'a> {
    /// As in JSON: anything, until it is looked at.
    Text(&'a str),
    /// As in binary form.
    Raw(u128),
}

impl Default for LeaseRef<'_> {
    fn default() -> Self {
        Self::Raw(0)
    }
}

impl<'a> From<&'a str> for LeaseRef<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for LeaseRef<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl From<LeaseToken> for LeaseRef<'_> {
    fn from(token: LeaseToken) -> Self {
        Self::Raw(token.0)
    }
}

impl fmt::Display for LeaseRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Raw(bits) => Id(*bits).fmt(f),
        }
    }
}

/// One acknowledgement call.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ack<'a> {
    /// Finished messages.
    #[serde(borrow)]
    pub acks: Vec<AckEntry<'a>>,
    /// Messages given back, with the wished delay (`None`: the queue's backoff).
    #[serde(borrow)]
    pub retries: Vec<(LeaseRef<'a>, Option<Millis>)>,
    /// Leases to prolong, with the new time from now (`None`: the queue's own).
    #[serde(borrow)]
    pub extends: Vec<(LeaseRef<'a>, Option<Millis>)>,
}

/// One finished message.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AckEntry<'a> {
    /// Proof of the hold.
    #[serde(borrow)]
    pub lease_id: LeaseRef<'a>,
    /// JSON text for the publisher to read.
    pub result: Option<&'a str>,
    /// Whether the message's place goes back to the stock.
    pub release: bool,
}

/// How long a read of a message's state may take.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Wait {
    /// Answer at once.
    None,
    /// Answer when the state is final, or after this long.
    Final { wait_ms: Millis },
    /// Answer when state or position differ from these, or after this long. Event streams are made
    /// of it.
    Change {
        wait_ms: Millis,
        state: State,
        position: Option<u64>,
    },
    /// Answer when the message, which waits, waits no longer, or after this long.
    Admission { wait_ms: Millis },
}

/// `&[u8]` as one length-prefixed run of bytes rather than a sequence of numbers.
mod serde_bytes_borrowed {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'de [u8], D::Error> {
        <&[u8]>::deserialize(deserializer)
    }
}
