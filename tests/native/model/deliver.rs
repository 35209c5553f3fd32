//! Who gets what, in which order, and what a consumer may do with it.
//!
//! `best_effort`: higher priorities first; among equals those that were taken from their lane
//! before (a retry, a delay that is over), then the others, each by sequence number (`pull.rs`).
//! `fifo`: strictly by sequence number, and nothing while a message is in flight or waits for its
//! retry. `key`: by sequence number; a message whose key has one in flight, waiting or earlier in
//! line is passed over.

use super::limits::Order;
use super::{At, Model, Waiter};
use tidegate::command::State;
use tidegate::error::ErrorCode;

/// What a consumer does with a lease.
#[derive(Clone, Debug)]
pub enum Settle {
    Finish {
        result: Option<String>,
        release: bool,
    },
    Retry(Option<u64>),
    Extend(Option<u64>),
}

impl Model {
    /// The next messages for a pull of this size, leased until then under leases still to be
    /// learned.
    pub fn pull(&mut self, batch_size: u32, lease_ms: Option<u64>) -> Vec<u64> {
        let until_ms = self.now_ms + lease_ms.unwrap_or(self.limits.lease_ms);
        let mut pulled = Vec::new();
        while !self.paused && pulled.len() < batch_size as usize {
            let Some(seq) = self.next() else { break };
            let message = self.messages.get_mut(&seq).unwrap();
            message.at = At::Leased(String::new(), until_ms);
            message.attempts += 1;
            message.taken = true;
            self.totals.delivered += 1;
            pulled.push(seq);
        }
        pulled
    }

    fn next(&mut self) -> Option<u64> {
        let queued = self.live().filter(|(_, m)| m.at == At::Queued);
        match self.limits.order {
            Order::BestEffort => queued
                .min_by_key(|(seq, m)| (9 - m.lane, !m.taken, *seq))
                .map(|(seq, _)| seq),
            Order::Fifo => {
                let busy = self
                    .live()
                    .any(|(_, m)| matches!(m.at, At::Leased(..) | At::Waiting(_)));
                queued.map(|(seq, _)| seq).next().filter(|_| !busy)
            }
            Order::Key => {
                let found = queued
                    .map(|(seq, _)| seq)
                    .find(|seq| self.is_first_of_its_key(*seq));
                // On its way to that message, or to the end, the queue takes what it passes over.
                let end = found.unwrap_or(u64::MAX);
                for (_, message) in self.messages.range_mut(..=end) {
                    message.taken |= message.at == At::Queued;
                }
                found
            }
        }
    }

    fn is_first_of_its_key(&self, seq: u64) -> bool {
        let key = &self.messages[&seq].key;
        let blocks = |other: u64, at: &At| match at {
            At::Leased(..) | At::Waiting(_) => true,
            At::Queued => other < seq,
            _ => false,
        };
        key.is_none()
            || !self
                .live()
                .any(|(other, m)| m.key == *key && blocks(other, &m.at))
    }

    /// What a pull is answered: messages now, or nothing, or `None` when it waits.
    pub fn ask(&mut self, waiter: Waiter) -> Option<Vec<u64>> {
        let first = self.waiters.is_empty();
        let pulled = if first {
            self.pull(waiter.batch_size, waiter.lease_ms)
        } else {
            Vec::new()
        };
        // Those who wait go first; one that does not is served after them, in the same turn.
        if pulled.is_empty() && (!first || waiter.until_ms > self.now_ms) {
            self.waiters.push_back(waiter);
            return None;
        }
        Some(pulled)
    }

    /// Serves those who wait, first come, first served; those whose time is over get nothing.
    pub fn serve(&mut self) -> Vec<(u32, Vec<u64>)> {
        let mut served = Vec::new();
        for waiter in std::mem::take(&mut self.waiters) {
            let pulled = self.pull(waiter.batch_size, waiter.lease_ms);
            if pulled.is_empty() && waiter.until_ms > self.now_ms {
                self.waiters.push_back(waiter);
            } else {
                served.push((waiter.token, pulled));
            }
        }
        served
    }

    pub fn settle(&mut self, seq: u64, lease_id: &str, settle: &Settle) -> Result<(), ErrorCode> {
        let now_ms = self.now_ms;
        let limits = self.limits.clone();
        let message = self.messages.get_mut(&seq).ok_or(ErrorCode::LeaseExpired)?;
        match &message.at {
            At::Leased(lease, until) if lease == lease_id && *until > now_ms => {}
            _ => return Err(ErrorCode::LeaseExpired),
        }
        match settle {
            Settle::Finish { result, release } => {
                self.totals.acked += 1;
                let noted = result.is_some();
                self.end(seq, State::Done, *release, noted, result.clone());
            }
            Settle::Extend(lease_ms) => {
                let until_ms = now_ms + lease_ms.unwrap_or(limits.lease_ms);
                message.at = At::Leased(lease_id.to_owned(), until_ms);
            }
            Settle::Retry(_) if message.attempts >= limits.max_attempts => {
                self.end(seq, State::Dead, false, true, None);
            }
            Settle::Retry(_) if message.expires_at_ms.is_some_and(|at| at <= now_ms) => {
                self.end(seq, State::Expired, false, true, None);
            }
            Settle::Retry(delay_ms) => {
                message.at = match delay_ms.unwrap_or(limits.backoff_after(message.attempts)) {
                    0 => At::Queued,
                    delay_ms => At::Waiting(now_ms + delay_ms),
                };
            }
        }
        Ok(())
    }

    /// The place in line of the next message of this priority.
    pub fn position_of_next(&self, priority: u8) -> u64 {
        let strict = self.limits.order != Order::BestEffort;
        let ahead = |m: &super::Message| m.at == At::Queued && (strict || m.lane >= priority);
        self.live().filter(|(_, m)| ahead(m)).count() as u64 + 1
    }

    /// The positions a queued message may be said to have: exactly one behind what goes before it.
    /// A strict order that was not always one has its messages in several lanes, and says no more
    /// than that it is in line.
    pub fn positions(&self, seq: u64) -> std::ops::RangeInclusive<u64> {
        if self.limits.order != Order::BestEffort {
            return 1..=self.count(|at| *at == At::Queued);
        }
        let rank = |seq: u64, m: &super::Message| (9 - m.lane, !m.taken, seq);
        let this = rank(seq, &self.messages[&seq]);
        let before = self
            .live()
            .filter(|(other, m)| m.at == At::Queued && rank(*other, m) < this);
        let before = before.count() as u64;
        before + 1..=before + 1
    }

    pub fn oldest_queued(&self) -> Option<u64> {
        self.live()
            .find(|(_, m)| m.at == At::Queued)
            .map(|(seq, _)| seq)
    }
}
