//! What an object answers, before a protocol renders it.

use super::LeaseRef;
use super::latency::Latencies;
use super::quarantined::Quarantined;
use crate::error::{ErrorCode, Fault};
use crate::id::{Id, Secret, hash64};
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::rc::Rc;

/// The answer to one command. `Err` of [`Fault`] stands beside it, not inside.
#[derive(Debug)]
pub enum Reply {
    /// A message was accepted.
    Accepted(Accepted),
    /// Verdicts of a batch, in input order.
    Batch(Vec<Result<Accepted, Fault>>),
    /// Leased messages (maybe none) and the backlog that is left.
    Pulled {
        messages: Vec<Delivery>,
        depth: u64,
        /// What the acknowledgements did that came with the pull.
        acknowledged: Option<Acknowledged>,
    },
    /// What an acknowledgement did.
    Acknowledged(Acknowledged),
    /// One message's state.
    State(MessageState),
    /// A queue's configuration and figures; `created` when this call made the queue.
    Described {
        description: Box<Description>,
        created: bool,
    },
    /// Messages, without leases, in order of `seq`.
    Browsed(Vec<Delivery>),
    /// Nothing to say: it is done.
    Done,
    /// How many dead letters were moved back.
    Moved(u64),
    /// Rows that were damaged.
    Quarantined(Vec<Quarantined>),
    /// The next key of tickets, and when it begins to sign.
    Rotated {
        /// Its name in the key set.
        kid: String,
        /// When it begins.
        from_ms: Millis,
    },
    /// What became of a message's calls of the endpoint, the oldest first.
    Attempts(Vec<AttemptFigures>),
    /// Dead letters handed back to the queue they came from.
    Recalled(Vec<Delivery>),
    /// How many of a selection were moved back, and the number after which the next call goes on.
    MovedTo { moved: u64, after_seq: u64 },
}

/// A message's place in the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Unique in its queue.
    pub id: Id,
    /// Offset that only grows.
    pub seq: u64,
    /// When it was accepted.
    pub timestamp_ms: Millis,
    /// 1 is next. Zero where there is none: a message that is held, delayed or waiting.
    pub position: u64,
    /// Its place in the line, where it has to wait for one in the queue.
    pub waiting: Option<Waiting>,
    /// Proof of the place that anyone can verify, where the queue gives one.
    pub ticket: Option<String>,
}

/// A message's place in the line of those that wait for a place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// 1 is next.
    pub position: Option<u64>,
    /// How long until it is admitted, at the pace of late; `None` where that is not known.
    pub estimated_wait_ms: Option<Millis>,
    /// When a draw decides; there is no position then.
    pub draw_at_ms: Option<Millis>,
}

/// What everybody may know of a draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrawFigures {
    /// When it is held.
    pub at_ms: Millis,
    /// SHA-256 of the seed, known from the beginning.
    pub commitment: [u8; 32],
    /// What is known once it is over.
    pub drawn: Option<Drawn>,
}

/// The outcome of a draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// What ranks are made of.
    pub seed: [u8; 32],
    /// How many took part.
    pub participants: u64,
    /// How many of them won.
    pub drawn: u64,
    /// Ranks up to this one won. `None`: none did.
    pub threshold: Option<[u8; 32]>,
}

/// Shared bytes: a range of a decoded segment, so that a delivery copies no body.
#[derive(Clone, Debug)]
pub struct Blob {
    data: Rc<Vec<u8>>,
    start: usize,
    end: usize,
}

impl Blob {
    /// The range `start..end` of `data`, cut to what is there.
    #[must_use]
    pub fn new(data: Rc<Vec<u8>>, start: usize, end: usize) -> Self {
        let end = end.min(data.len());
        Self {
            start: start.min(end),
            end,
            data,
        }
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.data[self.start..self.end]
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        let end = bytes.len();
        Self {
            data: Rc::new(bytes),
            start: 0,
            end,
        }
    }
}

/// One message as it is handed over or listed.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Unique in its queue.
    pub id: Id,
    /// Offset that only grows.
    pub seq: u64,
    /// Proof of the hold; `None` in a listing.
    pub lease_id: Option<LeaseToken>,
    /// Deliveries so far, this one included.
    pub attempts: u32,
    /// When it was accepted.
    pub timestamp_ms: Millis,
    /// Where it stands; in a listing only (a delivery is leased by its nature).
    pub state: Option<State>,
    /// Opaque bytes.
    pub body: Blob,
    /// As published.
    pub content_type: Option<String>,
    /// As published.
    pub key: Option<String>,
    /// 0 to 9.
    pub priority: u8,
    /// As published; a dead letter carries its history here.
    pub attributes: Vec<(String, String)>,
}

/// Bytes of an answer in which nobody looks for what JSON writes as six bytes each.
const UNSEEN_BYTES_MAX: usize = 1 << 20;

impl Delivery {
    /// About how many bytes it takes in an answer that has `so_far`: what its publisher gave, and
    /// what JSON makes of control characters. Those are looked for in large answers only.
    #[must_use]
    pub fn answer_bytes(&self, so_far: usize) -> usize {
        let body = self.body.bytes();
        let texts = self.content_type.iter().chain(&self.key);
        let attributes = self.attributes.iter();
        let bytes = body.len()
            + texts.map(String::len).sum::<usize>()
            + attributes.map(|(n, v)| n.len() + v.len()).sum::<usize>();
        // What is no text is written as base64.
        if so_far + bytes <= UNSEEN_BYTES_MAX || std::str::from_utf8(body).is_err() {
            return bytes;
        }
        let is_long = |byte: &&u8| **byte < 0x20 && !matches!(byte, b'\n' | b'\r' | b'\t');
        bytes + 5 * body.iter().filter(is_long).count()
    }
}

/// A [`LeaseId`] as clients get it. Its text is that of a ULID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseToken(pub u128);

impl fmt::Display for LeaseToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Id(self.0).fmt(f)
    }
}

/// Proof of an exclusive hold: which message, which handing-over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseId {
    /// The message.
    pub seq: u64,
    /// Number of the handing-over, unique in the queue.
    pub lease: u64,
}

impl LeaseId {
    /// 48 bits of `seq`, 48 of `lease`, 32 of check.
    #[must_use]
    pub fn token(self, secret: Secret) -> LeaseToken {
        LeaseToken(self.stem() | u128::from(self.check(secret)))
    }

    /// `None` when it is not a lease that this queue gave out.
    #[must_use]
    pub fn read(lease: LeaseRef<'_>, secret: Secret) -> Option<Self> {
        let value = match lease {
            LeaseRef::Text(text) => Id::parse(text)?.0,
            LeaseRef::Raw(bits) => bits,
        };
        let lease = Self {
            seq: (value >> 80) as u64,
            lease: (value >> 32) as u64 & 0xFFFF_FFFF_FFFF,
        };
        (lease.check(secret) == value as u32).then_some(lease)
    }

    fn stem(self) -> u128 {
        u128::from(self.seq) << 80 | u128::from(self.lease & 0xFFFF_FFFF_FFFF) << 32
    }

    fn check(self, secret: Secret) -> u32 {
        hash64(secret, &self.stem().to_le_bytes()) as u32
    }
}

/// What an acknowledgement did.
#[derive(Clone, Debug, Default)]
pub struct Acknowledged {
    /// Messages finished.
    pub acked: u64,
    /// Messages given back.
    pub retried: u64,
    /// Leases prolonged.
    pub extended: u64,
    /// Entries that were refused, with why.
    pub errors: Vec<AckError>,
}

/// One entry of an acknowledgement that was refused.
#[derive(Clone, Debug)]
pub struct AckError {
    /// Its place among all entries: acks first, then retries, then extends.
    pub index: usize,
    /// As the client wrote it.
    pub lease_id: String,
    /// Why.
    pub fault: Fault,
}

/// The states of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Taken its place, waiting for its publisher's confirmation.
    Held,
    /// Deliverable, or next in its key's line.
    Queued,
    /// Not deliverable yet: published with a delay, or waiting for a retry.
    Delayed,
    /// In a consumer's hands.
    Leased,
    /// Acknowledged.
    Done,
    /// Given up after its attempts, and in the dead letters.
    Dead,
    /// Past its time to live, its hold or the queue's retention, or dropped to make room.
    Expired,
    /// Cancelled by its publisher.
    Cancelled,
    /// In the line: accepted, and without a place yet.
    Waiting,
    /// Took part in a draw, and others were drawn.
    NotDrawn,
    /// Lost with a row that was damaged; see `engine/quarantine.rs`.
    Damaged,
}

impl State {
    /// Its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Queued => "queued",
            Self::Delayed => "delayed",
            Self::Leased => "leased",
            Self::Done => "done",
            Self::Dead => "dead",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Waiting => "waiting",
            Self::NotDrawn => "not-drawn",
            Self::Damaged => "damaged",
        }
    }

    /// Whether the message will never change again by itself.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Done
                | Self::Dead
                | Self::Expired
                | Self::Cancelled
                | Self::NotDrawn
                | Self::Damaged
        )
    }
}

/// What is known of one message.
#[derive(Clone, Debug)]
pub struct MessageState {
    /// Unique in its queue.
    pub id: Id,
    /// Offset that only grows.
    pub seq: u64,
    /// Where it stands.
    pub state: State,
    /// When it was accepted.
    pub timestamp_ms: Millis,
    /// Deliveries so far; `None` once the queue has forgotten how many there were.
    pub attempts: Option<u32>,
    /// Place in the queue while `Queued`, in the line while `Waiting`; 1 is next.
    pub position: Option<u64>,
    /// How long until it is admitted, while `Waiting` and as far as it is known.
    pub estimated_wait_ms: Option<Millis>,
    /// When the draw is held that it takes part in.
    pub draw_at_ms: Option<Millis>,
    /// JSON text its consumer left.
    pub result: Option<String>,
    /// Where its publisher goes on from the waiting page, where the queue says so.
    pub redirect_url: Option<String>,
    /// Proof of its place, where the queue gives one and the message has a place.
    pub ticket: Option<String>,
}

/// A queue's configuration and live figures.
#[derive(Clone, Debug, Default)]
pub struct Description {
    /// The configuration as a JSON object: every field, defaults filled in.
    pub config: serde_json::Map<String, serde_json::Value>,
    /// Whether deliveries are stopped.
    pub paused: bool,
    /// Backlog: every message that is not final (queued, delayed, held and in flight).
    pub depth: u64,
    /// Leased messages.
    pub in_flight: u64,
    /// Messages not deliverable yet, retries that wait included.
    pub delayed: u64,
    /// Messages waiting for confirmation.
    pub held: u64,
    /// Messages that wait for a place; not part of the backlog.
    pub waiting: u64,
    /// The latest draw, if there was one or is one to come.
    pub draw: Option<DrawFigures>,
    /// Dead letters kept in this queue.
    pub dead: u64,
    /// Body bytes of the backlog.
    pub backlog_bytes: u64,
    /// When the oldest message of the backlog was accepted.
    pub oldest_at_ms: Option<Millis>,
    /// Places given out and not given back: what `max_accepted` bounds. A purge starts it afresh.
    pub accepted: u64,
    /// Messages ever accepted.
    pub accepted_total: u64,
    /// Publishes ever refused, by reason and by whether the edge decided.
    pub rejected: Vec<(ErrorCode, bool, u64)>,
    /// Deliveries ever made.
    pub delivered_total: u64,
    /// Messages ever acknowledged.
    pub acked_total: u64,
    /// Messages that ever became dead letters.
    pub dead_total: u64,
    /// Messages that ever expired.
    pub expired_total: u64,
    /// Messages ever cancelled.
    pub cancelled_total: u64,
    /// The endpoint that messages are pushed to, where there is one.
    pub endpoint: Option<EndpointFigures>,
    /// Rows that were damaged, and whose bytes are kept.
    pub quarantined: u64,
    /// Rows that were ever damaged.
    pub quarantined_total: u64,
    /// Since this object last started: requests, rows written, rows read, commits, bytes of its
    /// Wasm memory.
    pub since_start: SinceStart,
    /// How long things took since this object last started.
    pub latencies: Latencies,
}

/// How things stand with an endpoint.
#[derive(Clone, Debug, Default)]
pub struct EndpointFigures {
    /// `active`, `open`, `half_open` or `disabled`.
    pub state: &'static str,
    /// When it became that, where that is known.
    pub since_ms: Option<Millis>,
    /// Why it is disabled.
    pub reason: Option<&'static str>,
    /// Failed calls since the last that succeeded.
    pub failures: u32,
    /// When it is called again, where it is left alone until then.
    pub next_ms: Option<Millis>,
    /// Calls that are not answered yet.
    pub under_way: u64,
    /// Calls ever answered with success.
    pub succeeded: u64,
    /// Calls ever answered otherwise.
    pub failed: u64,
    /// Calls ever not answered in time.
    pub timed_out: u64,
    /// Calls ever not answered for another reason.
    pub cut: u64,
    /// How long calls took together.
    pub duration_ms: Millis,
    /// How many took up to so long, and longer than the one before; `None`: any longer.
    pub durations: Vec<(Option<Millis>, u64)>,
}

/// One call of an endpoint with a message.
#[derive(Clone, Debug)]
pub struct AttemptFigures {
    /// Which of the message's deliveries it was.
    pub number: u32,
    /// When it began.
    pub at_ms: Millis,
    /// How long it took.
    pub duration_ms: Millis,
    /// Of the answer; zero: there was none.
    pub status: u16,
    /// Why it failed, where it did.
    pub error: Option<String>,
    /// The first bytes of the answer.
    pub answer: Vec<u8>,
}

/// Work done by an object since it last started.
#[derive(Clone, Copy, Debug, Default)]
pub struct SinceStart {
    /// Commands received.
    pub object_requests_total: u64,
    /// Rows written, alarms included, as the platform bills them.
    pub rows_written_total: u64,
    /// Rows read, as the platform bills them.
    pub rows_read_total: u64,
    /// Transactions that wrote.
    pub commits_total: u64,
    /// Bytes of the object's Wasm memory.
    pub wasm_memory_bytes: u64,
}
