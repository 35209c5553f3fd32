//! What calls came to: acknowledged, again, given up; and what that says of the endpoint.

use super::attempts::Attempt;
use super::{Open, Sent};
use crate::command::{AckEntry, LeaseId, LeaseRef};
use crate::engine::Stop;
use crate::engine::dead_letter::Reason;
use crate::engine::outstanding::{Entry, Status};
use crate::engine::queue::{Queue, Turn};
use crate::id::hash64;
use crate::push::circuit;
use crate::push::outcome::{Answer, Fate, Health, judge};
use crate::store::StoreError;
use crate::time::{MINUTE, Millis};
use serde::{Deserialize, Serialize};

/// Upper bounds of the histogram of how long calls take, in milliseconds; one more bucket takes the
/// rest.
pub const BUCKETS_MS: [Millis; 11] = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000];
/// How long an endpoint is left alone that the deployment does not allow any more.
const REFUSED_MS: Millis = MINUTE;

/// What calls ever came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Calls that were answered with success.
    pub succeeded: u64,
    /// Calls that were answered otherwise.
    pub failed: u64,
    /// Calls that were not answered in time.
    pub timed_out: u64,
    /// Calls that were not answered: no connection, or one that was cut.
    pub cut: u64,
    /// How long they took together.
    pub duration_ms: u64,
    /// How many took up to each of [`BUCKETS_MS`], and longer.
    pub buckets: [u64; BUCKETS_MS.len() + 1],
}

impl Totals {
    fn note(&mut self, answer: &Answer) {
        let counter = match (answer.status, answer.error.as_deref()) {
            (200..300, _) => &mut self.succeeded,
            (0, Some("timeout")) => &mut self.timed_out,
            (0, _) => &mut self.cut,
            _ => &mut self.failed,
        };
        *counter += 1;
        self.duration_ms += answer.duration_ms;
        let bucket = BUCKETS_MS
            .iter()
            .position(|most| answer.duration_ms <= *most);
        self.buckets[bucket.unwrap_or(BUCKETS_MS.len())] += 1;
    }
}

impl Queue {
    /// Applies the answers to calls of earlier turns.
    pub(in crate::engine) fn settle_dispatches(
        &mut self,
        turn: &mut Turn<'_>,
    ) -> Result<(), StoreError> {
        for (number, answer) in std::mem::take(&mut self.dispatches.answers) {
            let now_ms = turn.now_ms;
            let was_made = !answer.was_not_made();
            let ledger = &mut self.dispatches.state.ledger;
            let is_known = ledger.finish(number, now_ms, was_made);
            self.meta_changed |= is_known;
            let Some(open) = self.dispatches.open.remove(&number) else {
                continue;
            };
            if was_made {
                self.settle_one(turn, open, answer)?;
            } else {
                self.put_back(turn, &open);
            }
        }
        Ok(())
    }

    /// A call that was never made counts as no delivery.
    fn put_back(&mut self, turn: &Turn<'_>, open: &Open) {
        for sent in &open.messages {
            if let Some(entry) = self.leased_by(turn, sent) {
                self.meta.totals.delivered -= 1;
                let (status, attempts) = (Status::Ready, entry.attempts - 1);
                self.outstanding.put(
                    sent.seq,
                    Entry {
                        status,
                        attempts,
                        ..entry
                    },
                );
            }
        }
    }

    fn settle_one(
        &mut self,
        turn: &mut Turn<'_>,
        open: Open,
        answer: Answer,
    ) -> Result<(), StoreError> {
        let ids: Vec<String> = open.messages.iter().map(|sent| sent.id.clone()).collect();
        let outcome = judge(&answer, &ids, turn.now_ms);
        let mut acked = 0;
        for (sent, fate) in open.messages.iter().zip(&outcome.fates) {
            if self.leased_by(turn, sent).is_none() {
                // Its lease ran out, or it is gone: somebody else decides.
                continue;
            }
            match fate {
                Fate::Ack { result } => {
                    self.ack_sent(turn, sent, result.as_deref())?;
                    acked += 1;
                }
                Fate::Retry { after_ms } => self.retry_sent(turn, sent, *after_ms)?,
                Fate::Bury => self.give_up(turn, sent.seq, Reason::Refused)?,
            }
        }
        if acked > 0 {
            self.meta.totals.acked += acked;
            self.drain.note(turn.now_ms, acked);
        }
        if open.era == self.dispatches.era {
            self.judge_endpoint(turn, open.at_ms, outcome.health, outcome.error.as_deref())?;
        }
        self.dispatches.state.totals.note(&answer);
        self.meta_changed = true;
        let attempt = Attempt {
            messages: open
                .messages
                .iter()
                .map(|sent| (sent.seq, sent.attempts))
                .collect(),
            at_ms: open.at_ms,
            duration_ms: answer.duration_ms,
            status: answer.status,
            error: outcome.error,
            answer: answer.body,
        };
        self.dispatches.attempts.add(turn.sql, attempt)
    }

    /// The message's entry, while the call's lease is the current one.
    fn leased_by(&self, turn: &Turn<'_>, sent: &Sent) -> Option<Entry> {
        let entry = self.outstanding.get(sent.seq).copied()?;
        let is_mine = match entry.status {
            Status::Leased { lease, until_ms } => lease == sent.lease && until_ms > turn.now_ms,
            Status::Ready | Status::Waiting { .. } => false,
        };
        is_mine.then_some(entry)
    }

    fn ack_sent(
        &mut self,
        turn: &mut Turn<'_>,
        sent: &Sent,
        result: Option<&str>,
    ) -> Result<(), StoreError> {
        let token = LeaseId {
            seq: sent.seq,
            lease: sent.lease,
        }
        .token(self.secret);
        let entry = AckEntry {
            lease_id: LeaseRef::from(token),
            result,
            release: false,
        };
        match self.finish(turn, &entry) {
            Err(Stop::Store(error)) => Err(error),
            // The lease was looked at just before.
            Ok(()) | Err(Stop::Fault(_)) => Ok(()),
        }
    }

    /// Again: after what the endpoint asked for, or at random within the backoff, so that what
    /// failed together does not come back together.
    fn retry_sent(
        &mut self,
        turn: &mut Turn<'_>,
        sent: &Sent,
        after_ms: Option<Millis>,
    ) -> Result<(), StoreError> {
        let Some(entry) = self.leased_by(turn, sent) else {
            return Ok(());
        };
        let terms = self.retry_terms(turn, &entry)?;
        if entry.attempts >= terms.max_attempts {
            return self.give_up(turn, sent.seq, Reason::Attempts);
        }
        if entry.expires_at_ms <= turn.now_ms {
            return self.expire_outstanding(turn, sent.seq);
        }
        let delay_ms = after_ms.unwrap_or_else(|| {
            let most_ms = terms.backoff.delay_ms(entry.attempts);
            hash64(self.secret, &sent.lease.to_le_bytes()) % (most_ms + 1)
        });
        let status = match delay_ms {
            0 => Status::Ready,
            _ => Status::Waiting {
                until_ms: turn.now_ms + delay_ms,
            },
        };
        self.outstanding.put(sent.seq, Entry { status, ..entry });
        Ok(())
    }

    fn judge_endpoint(
        &mut self,
        turn: &mut Turn<'_>,
        began_ms: Millis,
        health: Health,
        error: Option<&str>,
    ) -> Result<(), StoreError> {
        let Some(push) = self.config().push.clone() else {
            return Ok(());
        };
        let now_ms = turn.now_ms;
        let circuit = &mut self.dispatches.state.circuit;
        let is_disabled = match health {
            Health::Well => {
                circuit.succeed(now_ms, began_ms, push.concurrency);
                false
            }
            Health::Failing => circuit.fail(now_ms, began_ms, push.disable_after_ms),
            Health::Busy { for_ms } => {
                circuit.hold(now_ms + for_ms);
                false
            }
            Health::Gone => circuit.disable(now_ms, circuit::Reason::Gone),
        };
        if is_disabled {
            let reason = self.dispatches.state.circuit.reason();
            let mut event = serde_json::json!({
                "queue": self.name, "at_ms": now_ms,
                "reason": reason.map(circuit::Reason::name), "error": error,
            });
            push.target.store(&mut event);
            self.tell_disabled(turn, &push, &event)?;
            event["event"] = "endpoint_disabled".into();
            turn.out.say(&event);
        }
        Ok(())
    }

    /// The deployment does not allow the endpoint any more: looked at again from time to time.
    pub(super) fn refuse_endpoint(&mut self, turn: &mut Turn<'_>, why: &str) {
        self.dispatches.state.circuit.hold(turn.now_ms + REFUSED_MS);
        self.dispatches.wake_at_ms = Some(turn.now_ms + REFUSED_MS);
        self.meta_changed = true;
        let event = serde_json::json!({
            "event": "endpoint_refused", "queue": self.name, "at_ms": turn.now_ms, "error": why,
        });
        turn.out.say(&event);
    }
}
