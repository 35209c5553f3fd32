//! Runs: outstanding messages that follow one another, in few bytes.
//!
//! What one pull leases lies side by side in a segment, under leases with consecutive numbers, and
//! differs in nothing else but the length of the bodies. So the journal and the checkpoint store
//! the first entry of a run whole, and of the others just that length.

use super::outstanding::{Entry, Status};
use super::segment::{LINE, Place};
use crate::limits::SEQ_MAX;
use serde::{Deserialize, Serialize};

/// Entries of consecutive sequence numbers.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    seq: u64,
    first: Entry,
    /// Body bytes of those after the first.
    more: Vec<u32>,
}

impl Run {
    /// All of `entries`, which ascend by sequence number, in as few runs as there can be.
    pub fn all_of(entries: impl IntoIterator<Item = (u64, Entry)>) -> Vec<Self> {
        let mut runs: Vec<Self> = Vec::new();
        for (seq, entry) in entries {
            match runs.last_mut() {
                Some(run) if run.after(run.more.len() + 1, entry.body_bytes) == (seq, entry) => {
                    run.more.push(entry.body_bytes);
                }
                _ => runs.push(Self {
                    seq,
                    first: entry,
                    more: Vec::new(),
                }),
            }
        }
        runs
    }

    /// Whether it can be: lanes that there are, and numbers that are.
    pub fn is_consistent(&self) -> bool {
        let place = self.first.place;
        let last = self.seq.checked_add(self.more.len() as u64);
        last.is_some_and(|last| last <= SEQ_MAX) && place.lane <= LINE && place.first_seq <= SEQ_MAX
    }

    /// Its entries.
    pub fn entries(&self) -> impl Iterator<Item = (u64, Entry)> {
        let lengths = std::iter::once(self.first.body_bytes).chain(self.more.iter().copied());
        lengths
            .enumerate()
            .map(|(n, body_bytes)| self.after(n, body_bytes))
    }

    /// The entry that continues the run `n` places after its first.
    fn after(&self, n: usize, body_bytes: u32) -> (u64, Entry) {
        let status = match self.first.status {
            Status::Leased { lease, until_ms } => Status::Leased {
                lease: lease.wrapping_add(n as u64),
                until_ms,
            },
            status => status,
        };
        let entry = Entry {
            place: Place {
                index: self.first.place.index.wrapping_add(n as u16),
                ..self.first.place
            },
            status,
            body_bytes,
            ..self.first
        };
        (self.seq.wrapping_add(n as u64), entry)
    }
}

/// The first and the last of consecutive `numbers`, which ascend.
pub fn spans_of(numbers: impl IntoIterator<Item = u64>) -> Vec<(u64, u64)> {
    let mut spans: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match spans.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => spans.push((number, number)),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leased(seq: u64, index: u16, lease: u64) -> (u64, Entry) {
        let entry = Entry {
            place: Place {
                lane: 4,
                first_seq: 100,
                index,
            },
            status: Status::Leased { lease, until_ms: 9 },
            attempts: 1,
            at_ms: 7,
            expires_at_ms: u64::MAX,
            line: 0,
            body_bytes: seq as u32 % 5,
            rank: 5,
        };
        (seq, entry)
    }

    /// What is stored as one run, and what is not.
    #[test]
    fn entries_come_back_as_they_were() {
        let usual: Vec<_> = (0..9)
            .map(|n| leased(103 + n, 3 + n as u16, 50 + n))
            .collect();
        let broken: [fn(&mut (u64, Entry)); 7] = [
            |it| it.0 += 1,
            |it| it.1.place.index += 1,
            |it| it.1.place.lane = 5,
            |it| it.1.place.first_seq = 99,
            |it| it.1.status = Status::Ready,
            |it| it.1.attempts = 2,
            |it| it.1.line = 1,
        ];
        let all_the_same = |entries: &[(u64, Entry)], count: usize| {
            let runs = Run::all_of(entries.iter().copied());
            let again: Vec<_> = runs.iter().flat_map(Run::entries).collect();
            assert_eq!(again, entries);
            assert_eq!(runs.len(), count);
        };
        all_the_same(&usual, 1);
        all_the_same(&[], 0);
        for change in broken {
            let mut entries = usual.clone();
            entries[8].0 += 1;
            change(&mut entries[8]);
            all_the_same(&entries, 2);
            let mut entries = usual.clone();
            change(&mut entries[0]);
            if entries[0].0 == usual[0].0 {
                all_the_same(&entries, 2);
            }
        }
        let waiting = usual.iter().map(|(seq, entry)| {
            let status = Status::Waiting { until_ms: 3 };
            (*seq, Entry { status, ..*entry })
        });
        all_the_same(&waiting.collect::<Vec<_>>(), 1);
    }

    #[test]
    fn spans_are_of_neighbours() {
        assert_eq!(spans_of([1, 2, 3, 5, 7, 8]), [(1, 3), (5, 5), (7, 8)]);
        assert_eq!(spans_of([]), []);
    }
}
