//! A queue that is opened anew after every turn, and repaired after some, says the same, word for
//! word, as one that never is.
//!
//! What is in memory only may differ and is left out: the latest refusals, rates of draining, and
//! so the advice when to come back.

use crate::bench::{Bench, draft};
use crate::random::Random;
use tidegate::command::{Accepted, Ack, AckEntry, Command, Draft, Pull, Reply, Wait};
use tidegate::error::Fault;
use tidegate::id::Id;

/// What clients know, and what they do next.
struct Script {
    random: Random,
    leases: Vec<String>,
    ids: Vec<Id>,
    order: &'static str,
}

/// One turn's commands, owned.
enum Act {
    Publish(u64, bool),
    Pull(u32),
    Settle(Vec<(u64, String)>),
    Confirm(Id),
    Cancel(Id),
    Inspect(Id),
    Configure(String),
    Redrive,
    Purge,
    Describe,
    Browse(u64),
}

impl Script {
    fn acts(&mut self) -> Vec<Act> {
        (0..1 + self.random.below(3)).map(|_| self.act()).collect()
    }

    fn act(&mut self) -> Act {
        let Self {
            random,
            leases,
            ids,
            order,
        } = self;
        let n = random.next();
        let id = |random: &mut Random| {
            ids.get(random.below(ids.len().max(1) as u64) as usize)
                .copied()
        };
        match random.below(60) {
            0..=13 => Act::Publish(n, random.below(3) == 0),
            14..=27 => Act::Pull(1 + random.below(40) as u32),
            28..=43 => {
                let count = (1 + random.below(40)) as usize;
                let from = leases.len().saturating_sub(count);
                Act::Settle(
                    leases
                        .drain(from..)
                        .map(|lease| (random.below(12), lease))
                        .collect(),
                )
            }
            44..=46 => id(random).map_or(Act::Describe, Act::Confirm),
            47..=49 => id(random).map_or(Act::Describe, Act::Cancel),
            50..=53 => id(random).map_or(Act::Describe, Act::Inspect),
            54 => Act::Configure(format!(
                r#"{{"delivery":{{"order":"{order}","max_attempts":{}}},"capacity":{{"max_per_key":{}}}}}"#,
                1 + n % 5,
                if n % 3 == 0 {
                    "null".to_owned()
                } else {
                    (2_000 + n % 99).to_string()
                },
            )),
            55 => Act::Redrive,
            56 if n % 20 == 0 => Act::Purge,
            57 | 58 => Act::Browse(n % 20_000),
            _ => Act::Describe,
        }
    }
}

fn drafts(n: u64, is_long: bool) -> Vec<(String, String, u64)> {
    let count = if is_long { 1 + n % 300 } else { 1 + n % 7 };
    (0..count)
        .map(|i| {
            (
                format!("body {n} {i}"),
                format!("key {}", (n + i) % 23),
                n.rotate_left(i as u32),
            )
        })
        .collect()
}

fn command<'a>(act: &'a Act, drafts: &'a [(String, String, u64)]) -> Command<'a> {
    match act {
        Act::Publish(..) => Command::PublishBatch(drafts.iter().map(|d| Ok(made(d))).collect()),
        Act::Pull(batch_size) => Command::Pull(Pull {
            batch_size: *batch_size,
            ..Pull::default()
        }),
        Act::Settle(leases) => {
            let mut ack = Ack::default();
            for (how, lease_id) in leases {
                match how {
                    0 => ack.extends.push((lease_id.into(), Some(5_000))),
                    1 | 2 => ack.retries.push((lease_id.into(), None)),
                    3 => ack.retries.push((lease_id.into(), Some(300))),
                    n => ack.acks.push(AckEntry {
                        lease_id: lease_id.into(),
                        result: (*n > 9).then_some("7"),
                        release: *n == 4,
                    }),
                }
            }
            Command::Ack(ack)
        }
        Act::Confirm(id) => Command::Confirm { id: *id },
        Act::Cancel(id) => Command::Cancel { id: *id },
        Act::Inspect(id) => Command::Inspect {
            id: *id,
            wait: Wait::None,
        },
        Act::Configure(patch) => Command::Configure { patch },
        Act::Redrive => Command::Redrive,
        Act::Purge => Command::Purge,
        Act::Describe => Command::Describe,
        Act::Browse(after_seq) => Command::Browse {
            after_seq: *after_seq,
            limit: 100,
        },
    }
}

fn made((body, key, n): &(String, String, u64)) -> Draft<'_> {
    Draft {
        key: Some(key),
        idempotency_key: n.is_multiple_of(4).then_some(&key[..]),
        delay_ms: if n.is_multiple_of(9) { n % 900 } else { 0 },
        hold_ms: n.is_multiple_of(13).then_some(n % 2_000),
        ttl_ms: n.is_multiple_of(11).then_some(1 + n % 5_000),
        priority: (n % 10) as u8,
        ..draft(body)
    }
}

/// A place without the pace of admission.
fn accepted(mut accepted: Accepted) -> Accepted {
    if let Some(place) = &mut accepted.waiting {
        place.estimated_wait_ms = None;
    }
    accepted
}

/// An answer without what is in memory only.
fn words(reply: &Result<Reply, Fault>) -> String {
    match reply {
        Err(fault) => format!("{:?}", fault.code),
        Ok(Reply::Batch(verdicts)) => {
            let verdicts: Vec<_> = verdicts
                .iter()
                .map(|v| v.as_ref().map(|a| accepted(a.clone())).map_err(|f| f.code))
                .collect();
            format!("{verdicts:?}")
        }
        Ok(
            Reply::Pulled {
                messages: found, ..
            }
            | Reply::Browsed(found),
        ) => {
            let line = |d: &tidegate::command::Delivery| {
                format!(
                    "{} {:?} {} {} {:?} {:?}\n",
                    d.id,
                    d.lease_id,
                    d.attempts,
                    d.timestamp_ms,
                    d.state,
                    d.body.bytes()
                )
            };
            found.iter().map(line).collect()
        }
        Ok(Reply::Acknowledged(done)) => {
            let errors: Vec<_> = done
                .errors
                .iter()
                .map(|error| (&error.lease_id, error.fault.code))
                .collect();
            format!(
                "{} {} {} {errors:?}",
                done.acked, done.retried, done.extended
            )
        }
        Ok(Reply::State(state)) => {
            let mut state = state.clone();
            state.estimated_wait_ms = None;
            format!("{state:?}")
        }
        Ok(Reply::Described { description, .. }) => {
            let mut description = description.clone();
            description.rejected.clear();
            // Counted since the start, as they say.
            description.latencies = Default::default();
            format!("{description:?}")
        }
        Ok(other) => format!("{other:?}"),
    }
}

/// A backlog that no start can read through.
fn fill_both(steady: &mut Bench, shaken: &mut Bench) {
    for n in 0..12 {
        let bodies: Vec<String> = (0..1_000).map(|i| format!("backlog {n} {i}")).collect();
        for bench in [&mut *steady, &mut *shaken] {
            let drafts = bodies.iter().map(|body| {
                Ok(Draft {
                    key: Some("backlog"),
                    ..draft(body)
                })
            });
            bench.ask(Command::PublishBatch(drafts.collect())).unwrap();
        }
        shaken.reopen();
    }
}

fn same_words_with_crashes(order: &'static str, seed: u64, turns: u64) {
    same_words_with(order, "reject", 40_000, seed, turns);
}

fn same_words_with(order: &'static str, overflow: &'static str, stock: u64, seed: u64, turns: u64) {
    let config = format!(
        r#"{{"delivery":{{"order":"{order}","visibility_timeout_ms":2000,"backoff":{{"initial_ms":50}}}},
            "capacity":{{"max_accepted":{stock},"max_per_key":2000,"overflow":"{overflow}"}},"dedup_window_ms":3000}}"#
    );
    let mut steady = Bench::new(&config);
    let mut shaken = Bench::new(&config);
    let mut script = Script {
        random: Random::new(seed),
        leases: Vec::new(),
        ids: Vec::new(),
        order,
    };
    fill_both(&mut steady, &mut shaken);
    for turn in 0..turns {
        let acts = script.acts();
        let bodies = acts.iter().map(|act| match act {
            Act::Publish(n, is_long) => drafts(*n, *is_long),
            _ => Vec::new(),
        });
        let bodies: Vec<_> = bodies.collect();
        let commands = || {
            acts.iter()
                .zip(&bodies)
                .map(|(act, drafts)| command(act, drafts))
                .collect()
        };
        let tokens = steady.turn(commands());
        assert_eq!(tokens, shaken.turn(commands()));
        if turn % 5 == 0 {
            assert_eq!(
                shaken.repair(),
                0,
                "turn {turn} of {order}: nothing is damaged"
            );
        }
        shaken.reopen();
        for token in tokens {
            let (left, right) = (steady.answer(token).unwrap(), shaken.answer(token).unwrap());
            assert_eq!(
                words(&left),
                words(&right),
                "turn {turn} of {order}, seed {seed}"
            );
            match left {
                Ok(Reply::Pulled { messages, .. }) => script.leases.extend(
                    messages
                        .into_iter()
                        .filter_map(|d| d.lease_id.map(|it| it.to_string())),
                ),
                Ok(Reply::Batch(verdicts)) => script
                    .ids
                    .extend(verdicts.into_iter().flatten().map(|a| a.id)),
                _ => {}
            }
        }
        let ms = script.random.below(120);
        for bench in [&mut steady, &mut shaken] {
            bench.now_ms += ms;
        }
    }
    assert!(
        overflow != "wait" || steady.describe().waiting > 0,
        "nobody waits"
    );
    assert!(
        steady.database.count("checkpoint") > 0,
        "the ring never came round"
    );
}

#[test]
fn crashes_change_no_word_in_best_effort_order() {
    same_words_with_crashes("best_effort", 1, 700);
    same_words_with_crashes("best_effort", 2, 700);
}

#[test]
fn crashes_change_no_word_in_key_order() {
    same_words_with_crashes("key", 3, 700);
}

#[test]
fn crashes_change_no_word_in_fifo_order() {
    same_words_with_crashes("fifo", 4, 700);
}

#[test]
fn crashes_change_no_word_before_a_line() {
    same_words_with("best_effort", "wait", 2_300, 5, 500);
    same_words_with("key", "wait", 2_500, 6, 500);
}
