//! How long things took since an object last started, counted in steps. In memory only: counters
//! that begin anew are what Prometheus expects of a restart.

use crate::time::{MINUTE, Millis, SECOND};

/// How many steps there are.
pub const LATENCY_STEPS: usize = 12;
/// What each step holds: no longer than this. From a few milliseconds, which a commit takes, to
/// the minutes of a consumer that is behind.
pub const LATENCY_STEPS_MS: [Millis; LATENCY_STEPS] = [
    5,
    10,
    25,
    50,
    100,
    250,
    500,
    SECOND,
    5 * SECOND,
    MINUTE / 2,
    5 * MINUTE,
    60 * MINUTE,
];

/// How many took at most how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// By the first step that holds them; the last is all that took longer than any.
    pub counts: [u64; LATENCY_STEPS + 1],
    /// All of them together.
    pub sum_ms: Millis,
}

impl Histogram {
    /// Counts one.
    pub fn note(&mut self, took_ms: Millis) {
        let step = LATENCY_STEPS_MS.partition_point(|bound| *bound < took_ms);
        if let Some(count) = self.counts.get_mut(step) {
            *count += 1;
        }
        self.sum_ms = self.sum_ms.saturating_add(took_ms);
    }
}

/// What a queue measures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latencies {
    /// From a message's acceptance to its first delivery.
    pub delivery: Histogram,
    /// From a message's acceptance to its acknowledgement.
    pub ack: Histogram,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_holds_what_took_no_longer() {
        let mut it = Histogram::default();
        for took_ms in [0, 5, 6, MINUTE / 2, Millis::MAX] {
            it.note(took_ms);
        }
        let last = LATENCY_STEPS_MS.partition_point(|bound| *bound < MINUTE / 2);
        assert_eq!((it.counts[0], it.counts[1], it.counts[last]), (2, 1, 1));
        assert_eq!(it.counts[LATENCY_STEPS], 1);
        assert_eq!(it.counts.iter().sum::<u64>(), 5);
        assert_eq!(it.sum_ms, Millis::MAX);
    }
}
