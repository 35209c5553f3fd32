//! A queue as the contract describes it: a list of messages, each with a state, and a few counters.
//!
//! No segments, no rows, no journal: it knows nothing of how the engine stores or finds what it
//! has, so that whatever both agree on is right for two different reasons. Owns the rules;
//! `steps.rs` turns random numbers into commands, `play.rs` plays them to both and compares. Where
//! the contract is silent the engine's doc comments are the rule, and the model says which.

mod clock;
mod compare;
mod deliver;
mod limits;
mod line;
mod play;
mod steps;

pub use play::{run, run_seed};
pub use steps::Step;

use limits::Limits;
use line::Draw;
use std::collections::{BTreeMap, HashMap, VecDeque};
use tidegate::command::State;
use tidegate::id::Id;

/// Where a message stands.
#[derive(Clone, Debug, PartialEq)]
pub enum At {
    /// In the line, without a place.
    InLine,
    /// Unconfirmed; expires then.
    Held(u64),
    /// Published with a delay, or brought back to life; deliverable then.
    Delayed(u64),
    Queued,
    /// In somebody's hands under this lease until then.
    Leased(String, u64),
    /// Given back; deliverable then.
    Waiting(u64),
    Ended(End),
}

/// How a message ended.
#[derive(Clone, Debug, PartialEq)]
pub struct End {
    pub state: State,
    pub at_ms: u64,
    pub result: Option<String>,
    /// Whether the end is written down: not for a plain acknowledgement, nor for one past its
    /// retention.
    pub noted: bool,
    /// Whether its message's age may end its memory too: retention was shortened since, or a draw
    /// remembers it.
    pub by_age: bool,
}

/// One message.
#[derive(Clone, Debug)]
pub struct Message {
    pub id: Id,
    pub at: At,
    pub body: Vec<u8>,
    pub key: Option<String>,
    pub priority: u8,
    /// The priority it is delivered by. A strict order knows none (`publish.rs`): what is published
    /// under it counts as the default until it is taken, even when the order changes meanwhile.
    pub lane: u8,
    pub at_ms: u64,
    pub attempts: u32,
    pub expires_at_ms: Option<u64>,
    /// When a message that is held may be delivered once it is confirmed.
    pub due_ms: Option<u64>,
    /// What it was published with, which holds from its admission on.
    pub wish: (Option<u64>, u64),
    /// Whether it left its lane: delivered, delayed or passed over once. Among equals those go
    /// first.
    pub taken: bool,
    /// What retention counts from.
    pub kept_from_ms: u64,
    /// Whether it was a dead letter once: it comes back under an identifier of its own.
    pub revived: bool,
}

impl Message {
    /// Whether it is part of the backlog.
    pub fn is_live(&self) -> bool {
        !matches!(self.at, At::Ended(_) | At::InLine)
    }
}

/// A pull that waits.
#[derive(Clone, Debug)]
pub struct Waiter {
    pub token: u32,
    pub batch_size: u32,
    pub lease_ms: Option<u64>,
    pub until_ms: u64,
}

/// What was answered to the first publish with an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct First {
    pub seq: u64,
    pub at_ms: u64,
    pub position: u64,
    /// Whether it has to wait for its place.
    pub waits: bool,
}

/// The queue.
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub now_ms: u64,
    pub limits: Limits,
    pub paused: bool,
    pub messages: BTreeMap<u64, Message>,
    pub next_seq: u64,
    pub purged_seq: u64,
    /// Places given out and not given back.
    pub accepted: u64,
    pub keys: HashMap<String, u64>,
    pub firsts: HashMap<String, First>,
    /// When the bucket of `publish_rate` will be as it was before any publish, in microseconds.
    pub rate_us: u64,
    pub waiters: VecDeque<Waiter>,
    pub totals: Totals,
    /// The latest due instant of a single that has come due, and which: one that is revived comes
    /// due after it, and so does one that waited for its place and would come due before.
    pub last_due: (u64, u64),
    pub draw: Option<Draw>,
    /// Dead letters that can be redriven, in order.
    pub dead: BTreeMap<u64, Message>,
    /// The least `result_retention_ms` there ever was: ends are remembered that long at least.
    pub remembered_ms: u64,
    /// The least `retention_ms` there ever was.
    pub retained_ms: u64,
}

/// Counters that only grow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    pub accepted: u64,
    pub rejected: u64,
    pub delivered: u64,
    pub acked: u64,
    pub dead: u64,
    pub expired: u64,
    pub cancelled: u64,
}

/// What can be read off a description.
#[derive(Debug, PartialEq)]
pub struct Figures {
    pub depth: u64,
    pub in_flight: u64,
    pub delayed: u64,
    pub held: u64,
    pub waiting: u64,
    pub dead: u64,
    pub backlog_bytes: u64,
    pub accepted: u64,
    pub paused: bool,
    pub oldest_at_ms: Option<u64>,
    pub totals: Totals,
}

impl Model {
    pub fn new(now_ms: u64) -> Self {
        let (remembered_ms, retained_ms) = (600_000, 345_600_000);
        Self {
            now_ms,
            next_seq: 1,
            remembered_ms,
            retained_ms,
            ..Self::default()
        }
    }

    pub fn live(&self) -> impl Iterator<Item = (u64, &Message)> {
        self.messages
            .iter()
            .filter(|(_, m)| m.is_live())
            .map(|(seq, m)| (*seq, m))
    }

    fn count(&self, is: impl Fn(&At) -> bool) -> u64 {
        self.live().filter(|(_, m)| is(&m.at)).count() as u64
    }

    pub fn depth(&self) -> u64 {
        self.live().count() as u64
    }

    pub fn bytes(&self) -> u64 {
        self.live().map(|(_, m)| m.body.len() as u64).sum()
    }

    pub fn figures(&self) -> Figures {
        Figures {
            depth: self.depth(),
            in_flight: self.count(|at| matches!(at, At::Leased(..))),
            delayed: self.count(|at| matches!(at, At::Delayed(_) | At::Waiting(_))),
            held: self.count(|at| matches!(at, At::Held(_))),
            waiting: self.line().count() as u64,
            dead: self.dead.len() as u64,
            backlog_bytes: self.bytes(),
            accepted: self.accepted,
            paused: self.paused,
            oldest_at_ms: self.live().map(|(_, m)| m.at_ms).min(),
            totals: self.totals.clone(),
        }
    }

    /// Ends a message; a place that is due goes back to the stock and to its key's share.
    pub fn end(
        &mut self,
        seq: u64,
        state: State,
        give_back: bool,
        noted: bool,
        result: Option<String>,
    ) {
        let Some(message) = self.messages.get_mut(&seq) else {
            panic!("no message {seq}")
        };
        assert!(!matches!(message.at, At::Ended(_)), "{seq} ends twice");
        let before = message.clone();
        message.at = At::Ended(End {
            state,
            at_ms: self.now_ms,
            result,
            noted,
            by_age: false,
        });
        match state {
            State::Dead => {
                self.totals.dead += 1;
                self.dead.insert(seq, before.clone());
            }
            State::Expired => self.totals.expired += 1,
            State::Cancelled => self.totals.cancelled += 1,
            _ => {}
        }
        if give_back {
            self.accepted = self.accepted.saturating_sub(1);
            // Shares are counted while there is a limit per key (`key_count.rs`).
            if self.limits.max_per_key.is_some()
                && let Some(count) = before.key.as_ref().and_then(|key| self.keys.get_mut(key))
            {
                *count = count.saturating_sub(1);
            }
        }
    }

    /// Whether a read of a message that has ended may find nothing any more: its time is over, or
    /// retention was shortened since and it is older than that; for one that retention ended it is
    /// so at once.
    pub fn may_be_forgotten(&self, seq: u64, end: &End) -> bool {
        if self.dead.contains_key(&seq) {
            return false;
        }
        let is_old = || self.messages[&seq].at_ms + self.retained_ms <= self.now_ms;
        end.at_ms + self.remembered_ms <= self.now_ms
            || end.state == State::Expired && !end.noted
            || end.by_age && is_old()
    }
}
