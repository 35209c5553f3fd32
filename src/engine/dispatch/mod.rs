//! Dispatching: messages on their way to the endpoint that the queue pushes to.
//!
//! Reserve, call, settle, reclaim. A turn leases messages exactly as a pull does, writes down that a
//! call is under way, and asks the host for the call once it has committed. The answer comes in with
//! a later turn and counts under the fence of the leases. What is lost in between is reclaimed by
//! the clock: leases run out, and with them the call's place among those under way. Owns what is
//! under way (`ledger.rs`), when it may be more (there, and `push::circuit`), and what the calls
//! came to (`attempts.rs`). Out of scope: what is sent, and what an answer means (`push`).

pub(super) mod attempts;
mod figures;
mod ledger;
mod prepare;
mod settle;

use super::dead_letter::Reason;
use super::outcome::Dispatch;
use super::outstanding::Seen;
use super::pull::Want;
use super::queue::{Queue, Turn};
use crate::command::Reply;
use crate::error::{ErrorCode, Fault};
use crate::push::circuit::Circuit;
use crate::push::config::PushConfig;
use crate::push::outcome::Answer;
use crate::store::StoreError;
use crate::time::{Millis, SECOND};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::rc::Rc;

pub use attempts::{Attempt, Attempts};
pub use ledger::Ledger;
use ledger::{Bounds, lease_ms};
pub use settle::Totals;

/// A wait up to this long goes by a timer of the object that is awake, with the alarm for an object
/// that is not: arming it for each would cost a row.
const TIMER_MS_MAX: Millis = 10 * SECOND;

/// What a restart must not forget: part of every journal row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DispatchState {
    /// What is under way and what was just sent.
    pub ledger: Ledger,
    /// The endpoint's health.
    pub circuit: Circuit,
    /// What calls ever came to.
    pub totals: Totals,
}

/// One message of a call under way.
#[derive(Clone, Debug)]
struct Sent {
    seq: u64,
    lease: u64,
    attempts: u32,
    id: String,
}

/// A call under way that this instance made.
#[derive(Debug)]
struct Open {
    at_ms: Millis,
    messages: Vec<Sent>,
    /// Which endpoint was called: its answer says nothing of one that was set or enabled since.
    era: u64,
}

/// The calls of a queue.
#[derive(Debug, Default)]
pub(super) struct Dispatches {
    pub state: DispatchState,
    pub attempts: Attempts,
    open: HashMap<u32, Open>,
    answers: Vec<(u32, Answer)>,
    /// How often the endpoint was set or enabled since this instance started.
    era: u64,
    /// Since when messages wait to become a batch.
    batch_since_ms: Option<Millis>,
    /// When there is more to do although nothing else happens.
    wake_at_ms: Option<Millis>,
}

impl Dispatches {
    /// As a start finds them: whatever is under way was called by another instance.
    pub fn recovered(state: DispatchState) -> Self {
        Self {
            state,
            ..Self::default()
        }
    }

    /// The log of attempts is gone.
    pub fn forget_attempts(&mut self) {
        self.attempts = Attempts::default();
        self.batch_since_ms = None;
    }

    /// When a turn is due for calls that may be made then.
    pub fn timer_ms(&self) -> Option<Millis> {
        self.wake_at_ms
    }

    /// The same for the alarm, which only has to see to it where the object sleeps.
    pub fn alarm_ms(&self, now_ms: Millis) -> Option<Millis> {
        self.wake_at_ms.map(|at| {
            let is_soon = at <= now_ms + TIMER_MS_MAX;
            if is_soon { now_ms + TIMER_MS_MAX } else { at }
        })
    }
}

impl Queue {
    /// What became of a call of an endpoint; it counts from the next turn on.
    pub fn dispatched(&mut self, number: u32, head: &str, body: &[u8]) {
        self.dispatches
            .answers
            .push((number, Answer::parse(head, body)));
    }

    /// Starts the calls that may start now.
    pub(super) fn dispatch(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        self.dispatches.wake_at_ms = None;
        let Some(push) = self.config().push.clone() else {
            return Ok(());
        };
        let mut bounds = bounds(&push);
        let now_ms = turn.now_ms;
        if self.dispatches.state.ledger.advance(now_ms, &bounds) {
            self.meta_changed = true;
        }
        if self.meta.paused {
            return Ok(());
        }
        let circuit = self.dispatches.state.circuit;
        if let Some(limit) = circuit.limit(now_ms) {
            bounds.concurrency = bounds.concurrency.min(limit);
        }
        if bounds.concurrency == 0 {
            // Nothing is gained by waking up for an endpoint that nothing waits for.
            let wakes = self.deliverable() > 0;
            self.dispatches.wake_at_ms = circuit.next_ms(now_ms).filter(|_| wakes);
            return Ok(());
        }
        while self.deliverable() > 0 {
            if self.dispatches.state.ledger.room(now_ms, &bounds) == 0 {
                self.dispatches.wake_at_ms =
                    self.dispatches.state.ledger.room_at_ms(now_ms, &bounds);
                return Ok(());
            }
            if self.waits_for_batch(&push, now_ms) || !self.dispatch_one(turn, &push, &bounds)? {
                return Ok(());
            }
        }
        self.dispatches.batch_since_ms = None;
        Ok(())
    }

    /// Leases messages for a call and starts it; `false` when there are none.
    fn dispatch_one(
        &mut self,
        turn: &mut Turn<'_>,
        push: &Rc<PushConfig>,
        bounds: &Bounds,
    ) -> Result<bool, StoreError> {
        if let Err(why) = push.target.check(&self.reach) {
            self.refuse_endpoint(turn, &why);
            return Ok(false);
        }
        if !turn.answers.has_room() {
            self.dispatches.wake_at_ms = Some(turn.now_ms);
            return Ok(false);
        }
        let mut want = Want {
            batch_size: push.batch_size,
            visibility_timeout_ms: Some(lease_ms(push.timeout_ms)),
            filter: None,
            seen: Seen::default(),
        };
        let first_lease = self.meta.next_lease;
        let leased = self.lease_for_answer(turn, &mut want)?;
        if leased.messages.is_empty() {
            // Keys that are busy: the next turn goes on behind them.
            self.dispatches.wake_at_ms = leased.is_cut.then_some(turn.now_ms);
            return Ok(false);
        }
        let leased: Vec<_> = leased.messages.into_iter().zip(first_lease..).collect();
        let prepared = prepare::prepare(push, &self.name, &leased, turn.now_ms);
        for seq in prepared.too_large {
            self.give_up(turn, seq, Reason::TooLarge)?;
        }
        let Some(request) = prepared.request else {
            // The next ones in a turn of their own: there may be many of these.
            self.dispatches.wake_at_ms = Some(turn.now_ms);
            return Ok(false);
        };
        let ledger = &mut self.dispatches.state.ledger;
        let number = ledger.start(turn.now_ms, push.timeout_ms, bounds);
        let open = Open {
            at_ms: turn.now_ms,
            messages: prepared.sent,
            era: self.dispatches.era,
        };
        self.dispatches.open.insert(number, open);
        turn.out.dispatches.push(Dispatch {
            number,
            timeout_ms: push.timeout_ms,
            send_within_ms: bounds.send_within_ms(),
            request,
        });
        Ok(true)
    }

    /// Messages that may be deliverable: those whose key is busy are counted too.
    fn deliverable(&self) -> u64 {
        let fresh: u64 = self.meta.lanes.iter().map(|lane| lane.fresh()).sum();
        fresh + self.outstanding.queued() as u64
    }

    /// Whether those that are there wait for others to go along with.
    fn waits_for_batch(&mut self, push: &PushConfig, now_ms: Millis) -> bool {
        let there = self.deliverable();
        let since_ms = &mut self.dispatches.batch_since_ms;
        if push.batch_wait_ms == 0 || there >= u64::from(push.batch_size) {
            *since_ms = None;
            return false;
        }
        let due_ms = since_ms
            .get_or_insert(now_ms)
            .saturating_add(push.batch_wait_ms);
        if due_ms <= now_ms {
            *since_ms = None;
            return false;
        }
        self.dispatches.wake_at_ms = Some(due_ms);
        true
    }

    /// The configuration changed: an endpoint that is another one starts with a clean slate.
    pub(super) fn reconfigure_push(&mut self, now_ms: Millis, old: Option<&Rc<PushConfig>>) {
        if old != self.config().push.as_ref() {
            self.enable_push(now_ms);
        }
    }

    /// Calls the endpoint again because somebody says so.
    pub(super) fn enable_endpoint(&mut self, turn: &Turn<'_>) -> Result<Reply, Fault> {
        if self.config().push.is_none() {
            let detail = "the queue pushes to no endpoint; its configuration's push names one";
            return Err(Fault::new(ErrorCode::NotFound, detail));
        }
        self.enable_push(turn.now_ms);
        Ok(Reply::Done)
    }

    /// Forgets that the endpoint failed.
    fn enable_push(&mut self, now_ms: Millis) {
        self.dispatches.era += 1;
        self.dispatches.state.circuit.enable(now_ms);
        self.meta_changed = true;
    }
}

fn bounds(push: &PushConfig) -> Bounds {
    Bounds {
        concurrency: push.concurrency,
        rate_per_second: push.rate_per_second,
    }
}
