//! A seeded run against a model that keeps all messages in a list, with starts at any moment and
//! with storage failing at any statement.

use super::bench::{Bench, publish};
use crate::random::Random;
use std::collections::BTreeMap;
use tidegate::command::topic::{Form, Start, TopicCommand, TopicReply};
use tidegate::error::ErrorCode;

/// One message as the model knows it.
struct Known {
    seq: u64,
    body: String,
    key: Option<String>,
    at_ms: u64,
}

struct Model {
    messages: Vec<Known>,
    first_seq: u64,
    max_messages: u64,
    max_bytes: u64,
    retention_ms: u64,
}

impl Model {
    fn next_seq(&self) -> u64 {
        self.messages.last().map_or(1, |it| it.seq + 1)
    }

    fn kept(&self) -> impl Iterator<Item = &Known> {
        self.messages.iter().filter(|it| it.seq >= self.first_seq)
    }

    fn retain(&mut self, now_ms: u64) {
        loop {
            let count = self.kept().count() as u64;
            let bytes: u64 = self.kept().map(|it| it.body.len() as u64).sum();
            let is_old = self
                .kept()
                .next()
                .is_some_and(|it| it.at_ms + self.retention_ms <= now_ms);
            if count == 0 || !(is_old || count > self.max_messages || bytes > self.max_bytes) {
                return;
            }
            self.first_seq += 1;
        }
    }

    fn config(&self) -> String {
        format!(
            r#"{{"max_messages":{},"max_bytes":{},"retention_ms":{}}}"#,
            self.max_messages, self.max_bytes, self.retention_ms
        )
    }

    fn last_per_key(&self) -> Vec<u64> {
        let mut last = BTreeMap::new();
        for message in self.kept() {
            if let Some(key) = &message.key {
                last.insert(key.clone(), message.seq);
            }
        }
        let mut seqs: Vec<u64> = last.into_values().collect();
        seqs.sort_unstable();
        seqs
    }
}

fn play(seed: u64, steps: u64, fails: bool) {
    let mut random = Random::new(seed);
    let mut model = Model {
        messages: Vec::new(),
        first_seq: 1,
        max_messages: 40 + random.below(400),
        max_bytes: 2_000 + random.below(20_000),
        retention_ms: 1_000 + random.below(60_000),
    };
    let mut bench = Bench::new(&model.config());
    for step in 0..steps {
        if fails && random.below(3) == 0 {
            bench.database.fail_at = Some(bench.database.statements + 1 + random.below(6));
        }
        match random.below(20) {
            0..=9 => publish_some(&mut bench, &mut model, &mut random),
            10 | 11 => {
                bench.now_ms += random.below(20_000);
                bench.turn(Vec::new());
            }
            12..=14 => bench.reopen(),
            15 => {
                let before = (model.max_messages, model.max_bytes);
                model.max_messages = 1 + random.below(500);
                model.max_bytes = 500 + random.below(20_000);
                let patch = model.config();
                if bench
                    .turn(vec![TopicCommand::Configure { patch: &patch }])
                    .is_none()
                {
                    (model.max_messages, model.max_bytes) = before;
                }
            }
            _ => {}
        }
        bench.database.fail_at = None;
        model.retain(bench.now_ms);
        compare(&mut bench, &model, &mut random, seed, step);
    }
    assert!(!fails || bench.failed_turns > 0, "nothing ever failed");
}

fn publish_some(bench: &mut Bench, model: &mut Model, random: &mut Random) {
    let count = if random.below(5) == 0 {
        1 + random.below(60)
    } else {
        1 + random.below(3)
    };
    let first = model.next_seq();
    let bodies: Vec<(String, Option<String>)> = (0..count)
        .map(|n| {
            let key = (random.below(3) > 0).then(|| format!("k{}", random.below(9)));
            let long = "x".repeat(random.below(80) as usize);
            (format!("{} {long}", first + n), key)
        })
        .collect();
    let commands = bodies
        .iter()
        .map(|(body, key)| publish(body, key.as_deref()))
        .collect();
    let Some(replies) = bench.turn(commands) else {
        return;
    };
    for ((body, key), (n, (_, reply))) in bodies.into_iter().zip(replies.into_iter().enumerate()) {
        let Ok(TopicReply::Accepted(accepted)) = reply else {
            panic!("{reply:?}");
        };
        assert_eq!(accepted.seq, first + n as u64, "numbers have no gaps");
        let (seq, at_ms) = (accepted.seq, bench.now_ms);
        model.messages.push(Known {
            seq,
            body,
            key,
            at_ms,
        });
    }
}

fn compare(bench: &mut Bench, model: &Model, random: &mut Random, seed: u64, step: u64) {
    let at = format!("seed {seed}, step {step}");
    let (found, _) = bench.read(Start::Earliest, None);
    let kept: Vec<(u64, String)> = model.kept().map(|it| (it.seq, it.body.clone())).collect();
    assert_eq!(found, kept, "{at}");
    match random.below(4) {
        0 => {
            let from = 1 + random.below(model.next_seq());
            let (found, missed) = bench.read(Start::Seq(from), None);
            let wanted: Vec<_> = kept.iter().filter(|it| it.0 >= from).cloned().collect();
            assert_eq!(found, wanted, "{at}, from {from}");
            assert_eq!(missed, model.first_seq.saturating_sub(from), "{at}");
        }
        1 => {
            let at_ms = bench.now_ms.saturating_sub(random.below(60_000));
            let (found, _) = bench.read(Start::At(at_ms), None);
            let wanted = model.kept().filter(|it| it.at_ms >= at_ms).count();
            assert_eq!(found.len(), wanted, "{at}, since {at_ms}");
        }
        2 => {
            let (found, _) = bench.read(Start::LastPerKey, None);
            let seqs: Vec<u64> = found.iter().map(|it| it.0).collect();
            assert_eq!(seqs, model.last_per_key(), "{at}");
        }
        _ => {
            let Ok(TopicReply::Described { description, .. }) = bench.ask(TopicCommand::Describe)
            else {
                panic!("no description");
            };
            let bytes: u64 = kept.iter().map(|it| it.1.len() as u64).sum();
            let figures = (description.messages, description.bytes);
            assert_eq!(figures, (kept.len() as u64, bytes), "{at}");
            assert_eq!(description.accepted_total, model.next_seq() - 1, "{at}");
        }
    }
}

#[test]
fn a_log_keeps_what_the_model_keeps() {
    for seed in 0..6 {
        play(seed, 250, false);
    }
}

#[test]
fn a_log_keeps_what_the_model_keeps_when_storage_fails() {
    for seed in 100..108 {
        play(seed, 250, true);
    }
}

#[test]
fn live_readers_miss_nothing_and_hear_nothing_twice() {
    for seed in 0..5 {
        let mut random = Random::new(seed);
        let mut bench = Bench::new("{}");
        let mut last = 0;
        let mut begun = Vec::new();
        for _ in 0..300 {
            match random.below(10) {
                0 if begun.len() < 20 => begun.push((bench.follow(Start::Latest, None), last + 1)),
                1 => begun.push((bench.follow(Start::Seq(1), None), 1)),
                2 => bench.reopen(),
                3 => bench.settle(),
                4 if last > 100 => {
                    bench.database.fail_at = Some(bench.database.statements + 1 + random.below(4));
                    bench.turn(Vec::new());
                    bench.database.fail_at = None;
                }
                _ => {
                    for _ in 0..random.below(200) {
                        last = bench.publish("x", None).seq;
                    }
                }
            }
        }
        bench.settle();
        assert!(begun.len() > 5 && last > 3_000);
        for (token, from) in begun {
            let wanted: Vec<u64> = (from..=last).collect();
            assert_eq!(bench.readers[&token].seqs, wanted, "seed {seed}");
            assert_eq!(bench.readers[&token].missed, 0);
        }
    }
}

#[test]
fn a_reader_that_takes_nothing_is_sent_a_bounded_number_of_pieces() {
    let mut bench = Bench::new("{}");
    let token = bench.follow(Start::Latest, None);
    for _ in 0..5_000 {
        bench.publish("x", None);
    }
    let sent = bench.readers[&token].seqs.len();
    assert!(sent <= 16, "{sent} pieces went unasked");
    bench.settle();
    let reader = &bench.readers[&token];
    assert_eq!(reader.seqs, (1..=5_000).collect::<Vec<_>>());
    assert_eq!(reader.lagged, 1, "it is told once");
}

#[test]
fn a_reader_that_retention_overtakes_is_told_how_much_it_missed() {
    let mut bench = Bench::new(r#"{"max_messages":10}"#);
    let token = bench.follow(Start::Latest, None);
    for _ in 0..100 {
        bench.publish("x", None);
    }
    bench.settle();
    let reader = &bench.readers[&token];
    assert_eq!(reader.seqs.len() as u64 + reader.missed, 100);
    assert_eq!(*reader.seqs.last().unwrap(), 100);
}

#[test]
fn a_publish_costs_one_row_and_retention_another() {
    let mut bench = Bench::new(r#"{"max_messages":500}"#);
    for _ in 0..600 {
        bench.publish("x", None);
    }
    let before = bench.database.rows_written;
    for _ in 0..1_000 {
        bench.publish("x", None);
    }
    let rows = bench.database.rows_written - before;
    assert!(rows <= 2_050, "{rows} rows for 1,000 publishes");
}

#[test]
fn an_idempotency_key_outlives_starts_and_many_others() {
    let mut bench = Bench::new("{}");
    let keyed = |body: &'static str, key: &'static str| {
        let TopicCommand::Publish { mut draft, .. } = publish(body, None) else {
            panic!("no publish");
        };
        draft.idempotency_key = Some(key);
        TopicCommand::Publish {
            draft,
            expect_seq: Some(0),
        }
    };
    let Ok(TopicReply::Accepted(first)) = bench.ask(keyed("a", "once")) else {
        panic!("refused");
    };
    for _ in 0..200 {
        bench.publish("x", None);
        bench.reopen();
    }
    let Ok(TopicReply::Accepted(again)) = bench.ask(keyed("a", "once")) else {
        panic!("refused");
    };
    assert_eq!(again, first);
    let refused = bench.ask(keyed("a", "other")).unwrap_err();
    assert_eq!(refused.code, ErrorCode::SeqMismatch);
    assert_eq!(refused.figures.last_seq, Some(201));
}

/// Clients at whose socket's end is the object: what they take is theirs to bound, and the host says
/// when they take nothing, and when others are not done yet.
#[test]
fn those_that_listen_miss_nothing_and_hear_nothing_twice() {
    for seed in 0..5 {
        let mut random = Random::new(seed);
        let mut bench = Bench::new("{}");
        let (mut last, mut begun, mut stuck) = (0, Vec::new(), None);
        for _ in 0..300 {
            match random.below(12) {
                0 if begun.len() < 20 => {
                    let token = bench.follow_as(Form::Frames, Start::Latest, None);
                    begun.push((token, last + 1));
                }
                1 => begun.push((bench.follow_as(Form::Batches, Start::Seq(1), None), 1)),
                2 if stuck.is_none() => {
                    // An object sleeps only when all of them are up to date.
                    bench.topic.hold(false);
                    bench.settle();
                    bench.reopen();
                }
                3 => bench.topic.hold(true),
                4 => bench.topic.hold(false),
                5 if !begun.is_empty() && stuck.is_none() => {
                    let token = begun[random.below(begun.len() as u64) as usize].0;
                    bench.topic.credit(token, 0);
                    stuck = Some(token);
                }
                6 => {
                    if let Some(token) = stuck.take() {
                        bench.topic.credit(token, 1);
                    }
                    bench.settle();
                }
                _ => {
                    for _ in 0..random.below(200) {
                        last = bench.publish("x", None).seq;
                    }
                }
            }
        }
        bench.topic.hold(false);
        for (token, _) in &begun {
            bench.topic.credit(*token, 1);
        }
        bench.settle();
        assert!(begun.len() > 5 && last > 3_000);
        for (token, from) in begun {
            let seqs = &bench.readers[&token].seqs;
            assert!(
                seqs.iter().copied().eq(from..=last),
                "seed {seed}: {from} to {last}"
            );
        }
    }
}

#[test]
fn what_is_published_in_the_turn_of_a_deletion_was_there_before_it() {
    let mut bench = Bench::new("{}");
    bench.publish("a", None);
    let turn = vec![TopicCommand::Delete, publish("b", None)];
    let replies = bench.turn(turn).expect("a turn");
    let accepted = replies.iter().find_map(|(_, reply)| match reply {
        Ok(TopicReply::Accepted(accepted)) => Some(accepted.seq),
        _ => None,
    });
    // One of a topic that begins anew would be gone with the storage that the deletion drops.
    assert_eq!(accepted, Some(2));
    let fault = bench.ask(TopicCommand::Describe).unwrap_err();
    assert_eq!(fault.code, ErrorCode::NotFound);
}
