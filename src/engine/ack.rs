//! Acknowledging: finishing, giving back and prolonging, each under the fence of its lease.
//!
//! An entry is applied when its lease is the message's current one and has not run out; otherwise
//! it is an error of that entry alone, and nothing of the message changes.

use super::Stop;
use super::dead_letter::Reason;
use super::outcomes::End;
use super::outstanding::{Entry, Status};
use super::queue::{Queue, Turn};
use crate::command::{Ack, AckEntry, AckError, Acknowledged, LeaseId, LeaseRef, State};
use crate::error::{ErrorCode, Fault};
use crate::time::Millis;

impl Queue {
    pub(super) fn acknowledge(
        &mut self,
        turn: &mut Turn<'_>,
        ack: &Ack<'_>,
    ) -> Result<Acknowledged, Stop> {
        let mut done = Acknowledged::default();
        for (index, entry) in ack.acks.iter().enumerate() {
            match self.finish(turn, entry) {
                Ok(()) => done.acked += 1,
                Err(stop) => refuse(&mut done, index, entry.lease_id, stop)?,
            }
        }
        let retries = ack.acks.len();
        for (index, (lease_id, delay_ms)) in ack.retries.iter().enumerate() {
            match self.retry(turn, *lease_id, *delay_ms) {
                Ok(()) => done.retried += 1,
                Err(stop) => refuse(&mut done, retries + index, *lease_id, stop)?,
            }
        }
        let extends = retries + ack.retries.len();
        for (index, (lease_id, timeout_ms)) in ack.extends.iter().enumerate() {
            match self.extend(turn, *lease_id, *timeout_ms) {
                Ok(()) => done.extended += 1,
                Err(stop) => refuse(&mut done, extends + index, *lease_id, stop)?,
            }
        }
        if done.acked > 0 {
            self.meta.totals.acked += done.acked;
            self.drain.note(turn.now_ms, done.acked);
        }
        Ok(done)
    }

    pub(super) fn finish(&mut self, turn: &mut Turn<'_>, ack: &AckEntry<'_>) -> Result<(), Stop> {
        let (seq, entry) = self.leased(ack.lease_id, turn.now_ms)?;
        if ack.release {
            let segment = self.segments.get(turn.sql, entry.place)?;
            let key = match &segment {
                Some(s) => s
                    .head(&s.items[usize::from(entry.place.index)])?
                    .key
                    .map(str::to_owned),
                None => None,
            };
            self.give_back(turn, key.as_deref())?;
        }
        if ack.result.is_some() || self.is_soon_forgotten(turn, seq, &entry)? {
            self.outcomes.add(End {
                seq,
                state: State::Done,
                attempts: entry.attempts,
                at_ms: turn.now_ms,
                result: ack.result.map(str::to_owned),
            });
        }
        self.tell_done(turn, seq, &entry, ack.result)?;
        let took_ms = turn.now_ms.saturating_sub(entry.at_ms);
        self.latencies.ack.note(took_ms);
        self.remove_outstanding(seq);
        self.waiters.finished(seq);
        Ok(())
    }

    fn retry(
        &mut self,
        turn: &mut Turn<'_>,
        lease_id: LeaseRef<'_>,
        delay_ms: Option<Millis>,
    ) -> Result<(), Stop> {
        let (seq, entry) = self.leased(lease_id, turn.now_ms)?;
        let terms = self.retry_terms(turn, &entry)?;
        if entry.attempts >= terms.max_attempts {
            self.give_up(turn, seq, Reason::Attempts)?;
            return Ok(());
        }
        if entry.expires_at_ms <= turn.now_ms {
            self.expire_outstanding(turn, seq)?;
            return Ok(());
        }
        let delay_ms = delay_ms.unwrap_or_else(|| terms.backoff.delay_ms(entry.attempts));
        let status = match delay_ms {
            0 => Status::Ready,
            _ => Status::Waiting {
                until_ms: turn.now_ms + delay_ms,
            },
        };
        self.outstanding.put(seq, Entry { status, ..entry });
        Ok(())
    }

    fn extend(
        &mut self,
        turn: &mut Turn<'_>,
        lease_id: LeaseRef<'_>,
        timeout_ms: Option<Millis>,
    ) -> Result<(), Stop> {
        let (seq, entry) = self.leased(lease_id, turn.now_ms)?;
        let Status::Leased { lease, .. } = entry.status else {
            return Ok(());
        };
        let timeout_ms = timeout_ms.unwrap_or(self.config().delivery.visibility_timeout_ms);
        let status = Status::Leased {
            lease,
            until_ms: turn.now_ms + timeout_ms,
        };
        self.outstanding.put(seq, Entry { status, ..entry });
        Ok(())
    }

    /// The message this lease is the current hold of.
    fn leased(&self, lease_id: LeaseRef<'_>, now_ms: Millis) -> Result<(u64, Entry), Fault> {
        let lease_id = LeaseId::read(lease_id, self.secret)
            .ok_or_else(|| Fault::bad("lease_id", "this is not a lease of this queue"))?;
        let expired = || {
            Fault::new(
                ErrorCode::LeaseExpired,
                "the lease has run out or was used already; the message may have been delivered again",
            )
        };
        let entry = self
            .outstanding
            .get(lease_id.seq)
            .copied()
            .ok_or_else(expired)?;
        match entry.status {
            Status::Leased { lease, until_ms } if lease == lease_id.lease && until_ms > now_ms => {
                Ok((lease_id.seq, entry))
            }
            _ => Err(expired()),
        }
    }
}

fn refuse(
    done: &mut Acknowledged,
    index: usize,
    lease_id: LeaseRef<'_>,
    stop: Stop,
) -> Result<(), Stop> {
    match stop {
        Stop::Fault(fault) => {
            let lease_id = lease_id.to_string();
            done.errors.push(AckError {
                index,
                lease_id,
                fault,
            });
            Ok(())
        }
        stop @ Stop::Store(_) => Err(stop),
    }
}
