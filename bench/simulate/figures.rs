//! What a run counted, in tenths of a second and in all.

use super::settings::{MS, SECOND, Us};
use std::collections::BTreeMap;

pub const BUCKET_US: Us = 100 * MS;
const BUCKETS_A_SECOND: usize = (SECOND / BUCKET_US) as usize;
/// A queue counts as sold out from here on: every answer of before has arrived.
pub const SETTLED_US: Us = 2 * SECOND;

/// Why a call to the object is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The isolate knows no reason to refuse.
    Cold,
    /// It knows one, and asks whether it still holds.
    Probe,
    /// The publish has a key and may be a repeat.
    Keyed,
    /// Counts of refusals that nothing else carried.
    Report,
    /// A buyer confirms or cancels, or the shop changes the stock.
    Other,
}

impl Cause {
    pub const ALL: [(Self, &str); 5] = [
        (Self::Cold, "cold"),
        (Self::Probe, "probes"),
        (Self::Keyed, "keyed"),
        (Self::Report, "reports"),
        (Self::Other, "other"),
    ];
}

/// A tenth of a second.
#[derive(Clone, Copy, Default)]
pub struct Bucket {
    /// Requests of buyers.
    pub asked: u64,
    pub refused_by_edge: u64,
    /// Calls that reached the object, by cause.
    pub calls: [u64; Cause::ALL.len()],
    /// Calls that it took into a turn.
    pub handled: u64,
    /// Places given out, at the end of the bucket.
    pub taken: u64,
    /// Whether it had been sold out for a while.
    pub settled: bool,
}

/// Durations; each is kept to within a twentieth.
#[derive(Default)]
pub struct Durations {
    counts: BTreeMap<u32, u64>,
    all: u64,
}

impl Durations {
    const STEPS_AN_OCTAVE: f64 = 16.0;

    pub fn note(&mut self, us: Us) {
        let step = ((us as f64 + 1.0).log2() * Self::STEPS_AN_OCTAVE) as u32;
        *self.counts.entry(step).or_default() += 1;
        self.all += 1;
    }

    /// The duration in milliseconds that this share of all does not exceed.
    pub fn quantile_ms(&self, share: f64) -> f64 {
        let mut left = (self.all as f64 * share).ceil() as u64;
        for (step, count) in &self.counts {
            if left <= *count {
                let us = (f64::from(*step) / Self::STEPS_AN_OCTAVE).exp2() - 1.0;
                return us / MS as f64;
            }
            left -= count;
        }
        0.0
    }
}

/// Everything a run counted.
#[derive(Default)]
pub struct Figures {
    pub buckets: Vec<Bucket>,
    /// Answers to requests for a place, by kind.
    pub answers: BTreeMap<&'static str, u64>,
    /// From a request to its answer, as the edge sees it.
    pub admitted: Durations,
    pub refused: Durations,
    pub sold_out_us: Option<Us>,
    pub delivered_twice: u64,
    pub repeated: u64,
    pub isolates: u32,
    pub crashes: u64,
}

impl Figures {
    pub fn bucket(&mut self, now_us: Us) -> &mut Bucket {
        let at = (now_us / BUCKET_US) as usize;
        if at >= self.buckets.len() {
            let last = self.buckets.last().copied().unwrap_or_default();
            let empty = Bucket {
                taken: last.taken,
                settled: last.settled,
                ..Bucket::default()
            };
            self.buckets.resize(at + 1, empty);
        }
        &mut self.buckets[at]
    }

    pub fn count(&mut self, answer: &'static str) {
        *self.answers.entry(answer).or_default() += 1;
    }

    pub fn answers(&self, answer: &str) -> u64 {
        self.answers.get(answer).copied().unwrap_or(0)
    }

    /// The most of something in any second.
    pub fn most_a_second(&self, of: impl Fn(&Bucket) -> u64) -> u64 {
        let windows = self.buckets.windows(BUCKETS_A_SECOND);
        windows
            .map(|it| it.iter().map(&of).sum())
            .max()
            .unwrap_or(0)
    }

    /// The most calls in any second throughout which the queue was sold out, of these causes.
    pub fn most_while_sold_out(&self, causes: &[Cause]) -> u64 {
        let windows = self.buckets.windows(BUCKETS_A_SECOND);
        let settled = windows.filter(|it| it.iter().all(|bucket| bucket.settled));
        let sum = |it: &[Bucket]| {
            it.iter()
                .map(|b| causes.iter().map(|c| b.calls[*c as usize]).sum::<u64>())
                .sum()
        };
        settled.map(sum).max().unwrap_or(0)
    }

    pub fn sum(&self, of: impl Fn(&Bucket) -> u64) -> u64 {
        self.buckets.iter().map(of).sum()
    }
}
