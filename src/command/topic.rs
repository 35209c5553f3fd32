//! What can be asked of a topic's object, and what it answers before a protocol renders it.
//!
//! A topic is a log: messages are appended, read from an offset, and let go by retention. Shares
//! [`Draft`], [`Accepted`] and [`Delivery`] with queues. Out of scope: HTTP, storage.

use super::codec;
use super::patterns::PatternSet;
use super::quarantined::Quarantined;
use super::reply::SinceStart;
use super::{Accepted, Delivery, Draft, Forwarded};
use crate::error::{ErrorCode, Fault};
use crate::id::{Secret, hash64};
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::rc::Rc;

/// Attributes that say where a message in a queue, or at a pattern's object, comes from: the topic,
/// its number there, its identifier there.
pub const TOPIC: &str = "tidegate-topic";
/// See [`TOPIC`].
pub const TOPIC_SEQ: &str = "tidegate-topic-seq";
/// See [`TOPIC`].
pub const TOPIC_ID: &str = "tidegate-topic-id";

/// Version of the binary form, its first byte. See `codec.rs` for why it is there.
const VERSION: u8 = 2;

/// Whether a caller has no credentials; and the network it comes from then, where that matters.
/// Written as the truth value that stood here before: zero, or one where the network is not told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anonymous(u64);

impl Anonymous {
    /// Somebody without credentials, of this network: an address, or the first half of one.
    #[must_use]
    pub fn of_network(network: &str) -> Self {
        // Nobody is kept from finding out which network it is: it has a fixed length, no more.
        Self(hash64(Secret([0, 0]), network.as_bytes()).max(2))
    }

    /// Whether it has none.
    #[must_use]
    pub const fn is_anonymous(self) -> bool {
        self.0 > 0
    }

    /// Whether both are known to come from the same network, without credentials.
    #[must_use]
    pub const fn is_near(self, other: Self) -> bool {
        self.0 > 1 && self.0 == other.0
    }
}

impl From<bool> for Anonymous {
    fn from(is_anonymous: bool) -> Self {
        Self(is_anonymous.into())
    }
}

/// A command with what every command needs.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct TopicEnvelope<'a> {
    /// The topic's name, without its partition.
    pub topic: &'a str,
    /// The request's `Origin`, where it had one.
    pub origin: Option<&'a str>,
    /// Whether a topic that was never configured comes into being by being published to.
    pub auto_create: bool,
    /// Whether it comes from somebody without credentials, for what the topic has opened to all.
    pub anonymous: Anonymous,
    /// What is asked.
    #[serde(borrow)]
    pub command: TopicCommand<'a>,
}

/// What can be asked of a topic.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub enum TopicCommand<'a> {
    /// Append one message. Its body travels beside the command when it is large.
    Publish {
        #[serde(borrow)]
        draft: Draft<'a>,
        /// Only when this is the last message's number; zero: none was ever published.
        expect_seq: Option<u64>,
    },
    /// Append many, each with its own verdict.
    PublishBatch(#[serde(borrow)] Vec<Result<Draft<'a>, Fault>>),
    /// Read from an offset.
    Read(Read<'a>),
    /// Be sent what is published from an offset on; the call is the opening of a socket.
    Follow(Follow<'a>),
    /// Create or change the topic. The patch is the request's JSON text.
    Configure { patch: &'a str },
    /// Configuration and live figures.
    Describe,
    /// Delete the topic with all its messages and subscriptions.
    Delete,
    /// Whether the envelope's origin may call this topic from a browser.
    Preflight,
    /// Create or change a durable subscription.
    Subscribe { name: &'a str, patch: &'a str },
    /// One durable subscription.
    Subscription { name: &'a str },
    /// The durable subscriptions by name, from the one after `after`.
    Subscriptions { after: Option<&'a str>, limit: u32 },
    /// Delete a durable subscription, with what it has not handed on.
    Unsubscribe { name: &'a str },
    /// Have a durable subscription go on from elsewhere.
    Seek { name: &'a str, to: Start },
    /// What the directory has to say of patterns that stand for this topic.
    Patterns(PatternSet),
    /// Take messages of topics that this pattern stands for.
    Forward {
        source: &'a str,
        #[serde(borrow)]
        messages: Vec<Forwarded<'a>>,
    },
    /// As `Command::Quarantine`.
    Quarantine { after: u64 },
    /// As `Command::DropQuarantine`.
    DropQuarantine,
}

impl TopicCommand<'_> {
    /// Whether messages come with it.
    #[must_use]
    pub fn publishes(&self) -> bool {
        matches!(self, Self::Publish { .. } | Self::PublishBatch(_))
    }
}

/// Where reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Start {
    /// With the oldest message there is.
    Earliest,
    /// With the next one to be published.
    Latest,
    /// With this number, or the next that is there.
    Seq(u64),
    /// With the first that was accepted at this instant or later.
    At(Millis),
    /// With the last message of each key, then with what is published.
    LastPerKey,
}

/// A read of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read<'a> {
    /// Where it begins.
    pub start: Start,
    /// 1 to 1000.
    pub limit: u32,
    /// 0 to 30000; zero answers at once, with nothing if there is nothing.
    pub wait_ms: Millis,
    /// The filter's JSON text.
    pub filter: Option<&'a str>,
}

/// A live reader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Follow<'a> {
    /// Where it begins.
    pub start: Start,
    /// The filter's JSON text.
    pub filter: Option<&'a str>,
    /// How what it is sent is written.
    pub form: Form,
    /// Shown to the others that are here, and told of them.
    pub member: Option<&'a str>,
}

/// How messages are written for a live reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Form {
    /// As Server-Sent Events.
    Events,
    /// As lines of JSON, a WebSocket frame each.
    Lines,
    /// As [`Form::Lines`], to the client itself and not to a Worker.
    Frames,
    /// As [`Form::Frames`], but that lines which are there together share a frame.
    Batches,
}

impl Form {
    /// Whether the reader's socket is the client's own: it says nothing of what it took.
    #[must_use]
    pub const fn is_direct(self) -> bool {
        matches!(self, Self::Frames | Self::Batches)
    }
}

/// The answer to one command. `Err` of [`Fault`] stands beside it.
#[derive(Debug)]
pub enum TopicReply {
    /// A message was accepted.
    Accepted(Accepted),
    /// Verdicts of a batch, in input order.
    Batch(Vec<Result<Accepted, Fault>>),
    /// What was read.
    Read {
        page: Page,
        first_seq: u64,
        last_seq: u64,
    },
    /// The caller follows from here on.
    Following,
    /// Configuration and figures; `created` when this call made the topic.
    Described {
        description: Box<TopicDescription>,
        created: bool,
    },
    /// A durable subscription; `created` when this call made it.
    Subscription {
        subscription: Box<SubscriptionState>,
        created: bool,
    },
    /// A page of durable subscriptions, and whether there are more.
    Subscriptions {
        subscriptions: Vec<SubscriptionState>,
        more: bool,
    },
    /// So many messages of other topics are here.
    Moved(usize),
    /// Rows that were damaged.
    Quarantined(Vec<Quarantined>),
    /// Nothing to say: it is done.
    Done,
}

/// Messages that were read one after another, and where reading goes on.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// In order of `seq`.
    pub messages: Vec<Delivery>,
    /// The number to go on with.
    pub next_seq: u64,
    /// How many messages the reader asked for that retention had let go already.
    pub missed: u64,
}

/// What a live reader is sent.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Those it is for: they know the same and want it in the same form.
    pub tokens: Vec<u32>,
    /// How it is written.
    pub form: Form,
    /// The number the reader knows to be the next.
    pub from_seq: u64,
    /// What is new.
    pub news: News,
    /// What has to be known of the reader after this, should the object start anew; nothing where
    /// that is what was known before.
    pub memory: Vec<u8>,
}

/// What there is to tell a live reader.
#[derive(Clone, Debug)]
pub enum News {
    /// Messages, and how far behind the reader was when it is told that it lags.
    Messages {
        page: Rc<Page>,
        lagged: Option<u64>,
        /// It is the first piece that this reader is sent.
        begins: bool,
    },
    /// Who came (`true`) and who went.
    Presence(Rc<[(String, bool)]>),
    /// Who is here, told to one who came, and to all where much has changed.
    Here(Rc<[String]>),
    /// The topic was deleted.
    Gone,
    /// It is no longer open to readers without credentials.
    Closed(Fault),
}

/// A topic's configuration and live figures.
#[derive(Clone, Debug, Default)]
pub struct TopicDescription {
    /// The configuration as a JSON object: every field, defaults filled in.
    pub config: serde_json::Map<String, serde_json::Value>,
    /// Messages that can be read.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The oldest one's number; one more than `last_seq` where there is none.
    pub first_seq: u64,
    /// The last number given.
    pub last_seq: u64,
    /// When the oldest one was accepted.
    pub oldest_at_ms: Option<Millis>,
    /// Messages ever accepted.
    pub accepted_total: u64,
    /// Messages ever handed to readers and subscriptions, as far as was stored.
    pub delivered_total: u64,
    /// Publishes ever refused, by reason, as far as was stored.
    pub rejected: Vec<(ErrorCode, u64)>,
    /// Live readers.
    pub readers: u64,
    /// Who is here.
    pub members: Vec<String>,
    /// Durable subscriptions.
    pub subscriptions: u64,
    /// Rows that were damaged, and whose bytes are kept.
    pub quarantined: u64,
    /// Rows that were ever damaged.
    pub quarantined_total: u64,
    /// Messages that the one furthest behind has still to be handed.
    pub lag_max: u64,
    /// Work since the object last started.
    pub since_start: SinceStart,
}

/// A durable subscription, and how far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubscriptionState {
    /// Unique in its topic, or for its pattern.
    pub name: String,
    /// The pattern it is of, where it is not this topic's own.
    pub pattern: Option<String>,
    /// The filter's JSON text.
    pub filter: Option<String>,
    /// The queue its messages go to; `None`: they are pulled from the subscription itself.
    pub target: Option<String>,
    /// What its own queue calls, without what is secret.
    pub push: Option<serde_json::Value>,
    /// How things stand with what is called, as far as its queue was asked.
    pub endpoint: Option<serde_json::Value>,
    /// Whether it hands nothing on.
    pub paused: bool,
    /// The next number it looks at.
    pub next_seq: u64,
    /// Numbers it has not looked at yet.
    pub lag: u64,
    /// Messages it was too late for.
    pub missed_total: u64,
    /// Messages it has handed on.
    pub delivered_total: u64,
    /// When the next message it looks at was accepted.
    pub oldest_at_ms: Option<Millis>,
    /// Whether its target does not take what it is handed, and it tries again.
    pub retrying: bool,
}

/// The bytes of `envelope`.
///
/// # Errors
/// `internal` when it cannot be written, which is a defect.
pub fn encode(envelope: &TopicEnvelope<'_>) -> Result<Vec<u8>, Fault> {
    codec::write(VERSION, envelope)
}

/// Reads an envelope; it borrows from `bytes`.
///
/// # Errors
/// `unavailable` for another version, and for bytes that are no command of this one.
pub fn decode(bytes: &[u8]) -> Result<TopicEnvelope<'_>, Fault> {
    codec::read(VERSION, "topic", bytes)
}
