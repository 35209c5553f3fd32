//! What a run counted, in tenths of a second and in all.

use super::settings::{MS, SECOND, Us};
use std::collections::BTreeMap;

pub const BUCKET_US: Us = 100 * MS;
const BUCKETS_A_SECOND: usize = (SECOND / BUCKET_US) as usize;

/// What became of a call to the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A place was given out, or had been given before.
    Accepted,
    /// Nobody in it got a place.
    Refused,
    /// It brought nothing but counts of refusals.
    Report,
    /// It found the line full.
    Shed,
    /// A buyer confirms or cancels, or the shop changes the stock.
    Other,
}

impl Cause {
    pub const COUNT: usize = 5;
    /// What refusing costs the object.
    pub const REFUSING: [Self; 3] = [Self::Refused, Self::Report, Self::Shed];
    pub const ALL: [Self; Self::COUNT] = [
        Self::Accepted,
        Self::Refused,
        Self::Report,
        Self::Shed,
        Self::Other,
    ];
}

/// A tenth of a second.
#[derive(Clone, Copy, Default)]
pub struct Bucket {
    /// Requests of buyers.
    pub asked: u64,
    /// Refusals by isolates, by relays and by the object.
    pub refused_by_edge: u64,
    pub refused_by_relay: u64,
    pub refused_by_object: u64,
    /// Calls that reached the object, by cause.
    pub calls: [u64; Cause::COUNT],
    /// Places given out, at the end of the bucket.
    pub taken: u64,
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
    pub relay_crashes: u64,
    /// The most calls that one relay took in a second, by tier: locations', regions'.
    pub relay_load: [u64; 2],
}

impl Figures {
    pub fn bucket(&mut self, now_us: Us) -> &mut Bucket {
        let at = (now_us / BUCKET_US) as usize;
        if at >= self.buckets.len() {
            let last = self.buckets.last().copied().unwrap_or_default();
            let empty = Bucket {
                taken: last.taken,
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

    /// The most calls of these kinds in any second.
    pub fn most_calls(&self, causes: &[Cause]) -> u64 {
        self.most_a_second(|b| causes.iter().map(|c| b.calls[*c as usize]).sum())
    }

    pub fn sum(&self, of: impl Fn(&Bucket) -> u64) -> u64 {
        self.buckets.iter().map(of).sum()
    }
}
