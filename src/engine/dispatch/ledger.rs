//! What is under way to an endpoint and what was just sent: the two bounds that no restart loosens.
//!
//! Every call stands here from the turn that starts it until its answer is known, or until it must
//! be over. Where there is a rate, each call that may have arrived within the last second counts:
//! from its start until a second after its answer, or after the latest instant at which it may have
//! arrived. So no window of a second, looked at where the calls arrive, holds more than the rate,
//! however long they were on their way. Part of every journal row: a call is written down before it
//! is made. Out of scope: when an endpoint is called at all (`push::circuit`).

use crate::time::{Millis, SECOND};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A call under a rate that has not begun by then is not made: its messages go back into the queue.
const SEND_PACED_WITHIN_MS: Millis = 150;
/// The same without a rate, where it only must not outlive its lease.
const SEND_WITHIN_MS: Millis = 2 * SECOND;
/// A call that has begun arrives within this time of its start, or is late without it being known.
const ARRIVE_WITHIN_MS: Millis = 250;
/// Instants are whole milliseconds: a window is looked at one of them longer.
const ROUNDING_MS: Millis = 1;
/// How long a call may be under way beside its time-out: before it begins, and its answer after it.
const GRACE_MS: Millis = 5 * SECOND;

/// One call under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Call {
    number: u32,
    started_ms: Millis,
    /// It is over by then, whatever becomes of it.
    until_ms: Millis,
    /// Whether it counts towards a rate.
    is_paced: bool,
}

/// How many calls may be out at a time, and how many in a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// At a time.
    pub concurrency: u32,
    /// In any second. Below one: one call in any `1/rate` seconds.
    pub rate_per_second: Option<f64>,
}

impl Bounds {
    /// How long after its start a call may begin at the latest.
    #[must_use]
    pub fn send_within_ms(&self) -> Millis {
        match self.rate_per_second {
            Some(_) => SEND_PACED_WITHIN_MS,
            None => SEND_WITHIN_MS,
        }
    }

    /// So many calls in so long a window.
    fn pace(&self) -> Option<(u64, Millis)> {
        let rate = self.rate_per_second?;
        Some(if rate >= 1.0 {
            (rate as u64, SECOND + ROUNDING_MS)
        } else {
            (1, (1_000.0 / rate).ceil() as Millis + ROUNDING_MS)
        })
    }
}

/// The calls of one queue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    next_number: u32,
    calls: Vec<Call>,
    /// Calls that are over, by the latest instant at which they may have arrived.
    arrived: BTreeMap<Millis, u64>,
}

impl Ledger {
    /// How many are under way, as far as is known.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.calls.len()
    }

    /// Forgets what no longer counts: calls that must be over, arrivals before every window.
    /// Whether anything was.
    pub fn advance(&mut self, now_ms: Millis, bounds: &Bounds) -> bool {
        let before = (self.calls.len(), self.arrived.len());
        let mut over = Vec::new();
        self.calls.retain(|call| {
            let is_over = call.until_ms <= now_ms;
            if is_over {
                over.push(*call);
            }
            !is_over
        });
        for call in over {
            self.note_arrival(&call, now_ms);
        }
        match bounds.pace() {
            None => self.arrived.clear(),
            Some((_, window_ms)) => {
                let from = (now_ms + 1).saturating_sub(window_ms);
                self.arrived = self.arrived.split_off(&from);
            }
        }
        before != (self.calls.len(), self.arrived.len())
    }

    /// How many calls may start now.
    #[must_use]
    pub fn room(&self, now_ms: Millis, bounds: &Bounds) -> u64 {
        let free = u64::from(bounds.concurrency).saturating_sub(self.calls.len() as u64);
        match bounds.pace() {
            None => free,
            Some((count, window_ms)) => {
                let counting = self.counting(now_ms, window_ms);
                free.min(count.saturating_sub(counting))
            }
        }
    }

    /// Calls that may have arrived within the window that ends now, or are still to arrive.
    fn counting(&self, now_ms: Millis, window_ms: Millis) -> u64 {
        let from = (now_ms + 1).saturating_sub(window_ms);
        let arrived: u64 = self.arrived.range(from..).map(|(_, count)| count).sum();
        let coming = self
            .calls
            .iter()
            .filter(|call| call.is_paced && latest_arrival(call) >= from);
        arrived + coming.count() as u64
    }

    /// When there is room again without an answer coming in, if there is none now.
    #[must_use]
    pub fn room_at_ms(&self, now_ms: Millis, bounds: &Bounds) -> Option<Millis> {
        if (self.calls.len() as u64) >= u64::from(bounds.concurrency) {
            return self.calls.iter().map(|call| call.until_ms).min();
        }
        let (_, window_ms) = bounds.pace()?;
        let from = (now_ms + 1).saturating_sub(window_ms);
        let arrived = self.arrived.range(from..).map(|(at, _)| *at).next();
        let coming = self
            .calls
            .iter()
            .filter(|call| call.is_paced)
            .map(latest_arrival)
            .filter(|at| *at >= from)
            .min();
        let first = [arrived, coming].into_iter().flatten().min()?;
        Some((first + window_ms).max(now_ms + 1))
    }

    /// Starts a call that takes at most `timeout_ms`; its number.
    pub fn start(&mut self, now_ms: Millis, timeout_ms: Millis, bounds: &Bounds) -> u32 {
        self.next_number = self.next_number.wrapping_add(1);
        self.calls.push(Call {
            number: self.next_number,
            started_ms: now_ms,
            until_ms: now_ms + lease_ms(timeout_ms),
            is_paced: bounds.rate_per_second.is_some(),
        });
        self.next_number
    }

    /// A call was answered, cut or not made: then it counts no longer towards a rate. `false` where
    /// it is not known.
    pub fn finish(&mut self, number: u32, now_ms: Millis, was_made: bool) -> bool {
        let Some(at) = self.calls.iter().position(|call| call.number == number) else {
            return false;
        };
        let call = self.calls.swap_remove(at);
        if was_made {
            self.note_arrival(&call, now_ms);
        }
        true
    }

    fn note_arrival(&mut self, call: &Call, now_ms: Millis) {
        if call.is_paced {
            let at_ms = latest_arrival(call).min(now_ms);
            *self.arrived.entry(at_ms).or_default() += 1;
        }
    }
}

/// How long the messages of a call are leased.
#[must_use]
pub fn lease_ms(timeout_ms: Millis) -> Millis {
    timeout_ms + GRACE_MS
}

const _: () = assert!(SEND_PACED_WITHIN_MS < ARRIVE_WITHIN_MS);
const _: () = assert!(2 * SEND_WITHIN_MS < GRACE_MS);

fn latest_arrival(call: &Call) -> Millis {
    call.started_ms + ARRIVE_WITHIN_MS
}
