//! A queue whose rows are damaged goes on: what is sound comes, what is lost is said to be lost.

use crate::bench::{Bench, draft};
use crate::database::Database;
use crate::random::Random;
use std::collections::{BTreeMap, BTreeSet};
use tidegate::command::{Ack, AckEntry, Command, Draft, Pull, Reply, State, Wait};
use tidegate::engine::segment::{Builder, Head, Segment};
use tidegate::error::{ErrorCode, Fault};
use tidegate::id::Id;

/// Every stored value.
pub const VALUES: &[(&str, &str)] = &[
    ("segments", "head"),
    ("segments", "body"),
    ("segments", "head"),
    ("segments", "body"),
    ("singles", "head"),
    ("singles", "body"),
    ("dead", "head"),
    ("dead", "body"),
    ("journal", "data"),
    ("journal", "data"),
    ("checkpoint", "data"),
    ("outcomes", "data"),
    ("expiry", "data"),
    ("idempotency", "prints"),
    ("idempotency", "answers"),
    ("meta", "value"),
];

/// A segment as it is written, of messages with these numbers.
pub fn segment_of(lane: u8, numbers: &[u64]) -> Segment {
    let mut builder = Builder::default();
    for seq in numbers {
        let head = Head {
            priority: 4,
            ..Head::default()
        };
        builder.push(*seq, head, b"other");
    }
    builder.finish(lane, 0, 0)
}

/// Puts a segment in the place of the row so far from the first. All its sums are right.
pub fn put_in_place(database: &mut Database, row: u64, segment: &Segment) {
    let (head, body) = segment.stored();
    for (column, bytes) in [("head", head), ("body", body)] {
        assert!(database.damage("segments", column, row, |value| *value = bytes.to_vec()));
    }
}

/// What clients know of a queue.
#[derive(Default)]
pub struct Known {
    published: BTreeMap<Id, String>,
    /// Their numbers: one that is given twice makes two messages one.
    numbers: BTreeSet<u64>,
    acked: BTreeSet<Id>,
    cancelled: BTreeSet<Id>,
    in_hand: BTreeMap<String, Id>,
    /// Deliveries of messages that had been acknowledged.
    again: u64,
}

/// One command; when a turn fails, what the host does: a repair, and the turn again.
pub fn ask<'c>(bench: &mut Bench, command: impl Fn() -> Command<'c>) -> Result<Reply, Fault> {
    for _ in 0..3 {
        let token = bench.turn(vec![command()])[0];
        if let Some(answer) = bench.answer(token) {
            return answer;
        }
        assert!(bench.repair() > 0, "a turn failed and nothing is damaged");
        bench.reopen();
    }
    panic!("the queue does not come back");
}

impl Known {
    pub fn publish(&mut self, bench: &mut Bench, random: &mut Random) {
        let count = 1 + random.below(30);
        let bodies: Vec<String> = (0..count)
            .map(|i| format!("{} {i}", random.next()))
            .collect();
        let delays = random.below(4) == 0;
        let drafts = || {
            bodies.iter().enumerate().map(|(at, body)| {
                Ok(Draft {
                    key: Some(["a", "b", "c"][at % 3]),
                    priority: if at % 5 == 0 { 7 } else { 4 },
                    delay_ms: if delays { 500 } else { 0 },
                    idempotency_key: (at % 4 == 0).then_some(&body[..]),
                    ..draft(body)
                })
            })
        };
        match ask(bench, || Command::PublishBatch(drafts().collect())) {
            Ok(Reply::Batch(verdicts)) => {
                for (verdict, body) in verdicts.into_iter().zip(&bodies) {
                    if let Ok(accepted) = verdict {
                        let id = accepted.id;
                        assert!(self.numbers.insert(id.seq()), "{id} was given twice");
                        self.published.insert(id, body.clone());
                    }
                }
            }
            other => panic!("{other:?}"),
        }
    }

    fn pull(&mut self, bench: &mut Bench, batch_size: u32) -> usize {
        let pull = || {
            Command::Pull(Pull {
                batch_size,
                ..Pull::default()
            })
        };
        let Ok(Reply::Pulled { messages, .. }) = ask(bench, pull) else {
            panic!("no pull");
        };
        let count = messages.len();
        for message in messages {
            let body = String::from_utf8(message.body.bytes().to_vec()).unwrap();
            assert_eq!(self.published.get(&message.id), Some(&body), "another body");
            self.again += u64::from(self.acked.contains(&message.id));
            let lease = message.lease_id.unwrap().to_string();
            self.in_hand.insert(lease, message.id);
        }
        count
    }

    fn ack(&mut self, bench: &mut Bench, count: usize) {
        let leases: Vec<String> = self.in_hand.keys().take(count).cloned().collect();
        let entry = |lease| AckEntry {
            lease_id: lease,
            result: None,
            release: false,
        };
        let ack = || {
            let mut ack = Ack::default();
            ack.acks
                .extend(leases.iter().map(|lease| entry(lease.into())));
            Command::Ack(ack)
        };
        let Ok(Reply::Acknowledged(done)) = ask(bench, ack) else {
            panic!("no acknowledgement");
        };
        let failed: BTreeSet<String> = done
            .errors
            .iter()
            .map(|it| it.lease_id.to_string())
            .collect();
        for lease in leases {
            if let Some(id) = self.in_hand.remove(&lease)
                && !failed.contains(&lease)
            {
                self.acked.insert(id);
            }
        }
    }

    /// What was leased before the queue was opened again counts no more.
    pub fn forget_leases(&mut self) {
        self.again = 0;
        self.in_hand.clear();
    }

    /// Messages that nobody has acknowledged.
    pub fn not_done(&self) -> BTreeSet<Id> {
        let all = self.published.keys().copied();
        all.filter(|id| !self.acked.contains(id)).collect()
    }

    pub fn step(&mut self, bench: &mut Bench, random: &mut Random) {
        match random.below(10) {
            0..=2 => self.publish(bench, random),
            3..=5 => drop(self.pull(bench, 1 + random.below(20) as u32)),
            6 | 7 => self.ack(bench, random.below(25) as usize),
            8 => {
                let at = random.below(self.published.len().max(1) as u64) as usize;
                if let Some(id) = self.published.keys().nth(at).copied()
                    && ask(bench, || Command::Cancel { id }).is_ok()
                {
                    self.cancelled.insert(id);
                }
            }
            _ => bench.pass(random.below(900)),
        }
    }

    /// Takes and acknowledges everything there is.
    pub fn drain(&mut self, bench: &mut Bench) {
        let mut idle = 0;
        while idle < 3 {
            let pulled = self.pull(bench, 200);
            self.ack(bench, usize::MAX);
            idle = if pulled == 0 { idle + 1 } else { 0 };
            bench.now_ms += 3_000;
        }
    }

    /// No message is said to be done that nobody acknowledged.
    pub fn judge_ends(&self, bench: &mut Bench, what: &str) {
        for id in self.not_done().difference(&self.cancelled) {
            let wait = Wait::None;
            if let Ok(Reply::State(it)) = ask(bench, || Command::Inspect { id: *id, wait }) {
                assert_ne!(it.state, State::Done, "{what}: {id} was lost");
            }
        }
    }

    /// Every message ended as it says.
    pub fn judge(&self, bench: &mut Bench, what: &str, lossy: bool) {
        let mut lost = 0;
        for id in self.published.keys() {
            let wait = Wait::None;
            let known = self.acked.contains(id) || self.cancelled.contains(id);
            match ask(bench, || Command::Inspect { id: *id, wait }) {
                Ok(Reply::State(state)) => {
                    let is_lost = state.state == State::Damaged;
                    lost += u64::from(is_lost && !known);
                    assert!(known || is_lost, "{what}: {id} is {:?}", state.state);
                }
                Err(fault) => assert!(
                    known && fault.code == ErrorCode::NotFound,
                    "{what}: {fault:?}"
                ),
                other => panic!("{other:?}"),
            }
        }
        assert!(lossy || lost == 0, "{what}: {lost} messages are lost");
        let Ok(Reply::Described { description, .. }) = ask(bench, || Command::Describe) else {
            panic!("no description");
        };
        assert_eq!(
            (
                description.depth,
                description.backlog_bytes,
                description.in_flight
            ),
            (0, 0, 0),
            "{what}"
        );
        let kept = self.acked.difference(&self.cancelled).count() as u64;
        assert!(description.accepted >= kept, "{what}");
    }
}

/// Any order, a queue with it after ten steps and up to so many more, and what is known of that.
pub fn played(random: &mut Random, steps_max: u64) -> (&'static str, Bench, Known) {
    let order = ["best_effort", "key", "fifo"][random.below(3) as usize];
    let mut bench = Bench::new(&format!(
        r#"{{"delivery":{{"order":"{order}","visibility_timeout_ms":2000,"max_attempts":1000}},
            "result_retention_ms":86400000}}"#
    ));
    let mut known = Known::default();
    for _ in 0..10 + random.below(steps_max) {
        known.step(&mut bench, random);
    }
    (order, bench, known)
}

fn play(seed: u64) {
    println!("TIDEGATE_SEED={seed} TIDEGATE_RUNS=1");
    let mut random = Random::new(seed);
    let (order, mut bench, mut known) = played(&mut random, 400);
    let (table, column) = VALUES[random.below(VALUES.len() as u64) as usize];
    let rows = bench.database.count(table);
    if rows == 0 {
        return;
    }
    let row = match random.below(3) {
        0 => rows - 1,
        _ => random.below(rows),
    };
    let how = random.below(3);
    let mut changed = false;
    let deleted = table != "meta" && random.below(5) == 0;
    if deleted {
        changed = bench.database.lose(table, row);
    } else {
        bench.database.damage(table, column, row, |value| {
            let at = random.below(value.len().max(1) as u64) as usize;
            changed = !value.is_empty();
            match how {
                0 => value.truncate(at),
                1 if changed => value[at] ^= 1 << random.below(8),
                _ if changed => value[at] ^= 1 + random.below(255) as u8,
                _ => {}
            }
        });
    }
    let what = format!("seed {seed}, {order}: {table}.{column} {row} of {rows}, {how} {deleted}");
    let lossy = changed && matches!(table, "segments" | "singles" | "dead" | "meta");
    known.forget_leases();
    bench.reopen();
    let is_journal = matches!(table, "journal" | "checkpoint");
    if deleted && table != "segments" {
        // SQLite loses no row without a word, and that the last one is missing nobody could tell.
        // The queue goes on all the same.
        let mut known = Known::default();
        (0..20).for_each(|_| known.publish(&mut bench, &mut random));
        return;
    }
    if table == "meta" {
        // Its configuration or its secret are gone: it says so, and somebody has to say them again.
        let patch = r#"{"capacity":{"closes_at_ms":null}}"#;
        ask(&mut bench, || Command::Configure { patch }).unwrap();
        return known_anew(&mut bench, &mut random);
    }
    for _ in 0..random.below(60) {
        known.step(&mut bench, &mut random);
    }
    known.publish(&mut bench, &mut random);
    known.drain(&mut bench);
    known.judge(&mut bench, &what, lossy);
    assert!(
        is_journal || deleted || known.again == 0,
        "{what}: {} again",
        known.again
    );
}

/// A queue that has another secret: what it accepts from now on it keeps.
fn known_anew(bench: &mut Bench, random: &mut Random) {
    let mut known = Known::default();
    ask(bench, || Command::Purge).unwrap();
    for _ in 0..20 {
        known.publish(bench, random);
    }
    known.drain(bench);
    known.judge(bench, "a queue with another secret", false);
}

#[test]
fn a_queue_with_a_damaged_row_goes_on() {
    let setting = |name: &str, default| {
        let text = std::env::var(name).ok();
        text.and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let first = setting("TIDEGATE_SEED", 1);
    for seed in first..first + setting("TIDEGATE_RUNS", 200) {
        play(seed);
    }
}

#[test]
fn a_row_that_holds_what_its_key_does_not_say_is_damage() {
    // Of the three rows, which begin with 1, 4 and 7, the second one.
    for numbers in [&[5, 6, 7][..], &[1, 2, 3], &[4, 4, 6], &[]] {
        let mut bench = Bench::new("{}");
        for _ in 0..3 {
            let drafts = || (0..3).map(|_| Ok(draft("news"))).collect();
            ask(&mut bench, || Command::PublishBatch(drafts())).unwrap();
        }
        put_in_place(&mut bench.database, 1, &segment_of(4, numbers));
        bench.reopen();
        let mut known = Vec::new();
        while let pull @ [_, ..] = &bench.pull(10)[..] {
            known.extend(pull.iter().map(|it| it.seq));
        }
        assert_eq!(known, [1, 2, 3, 7, 8, 9], "{numbers:?}");
        assert_eq!(bench.database.count("quarantine"), 1, "{numbers:?}");
        assert_eq!(bench.describe().depth, 6, "{numbers:?}");
    }
}
