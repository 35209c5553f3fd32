//! A topic whose rows are damaged goes on: readers pass over what is lost and are told of it.

use super::bench::{Bench, NAME};
use crate::damage::{put_in_place, segment_of};
use crate::random::Random;
use tidegate::command::Draft;
use tidegate::command::topic::{Read, Start, TopicCommand, TopicReply};
use tidegate::engine::topic::Topic;

const VALUES: &[(&str, &str)] = &[
    ("segments", "head"),
    ("segments", "body"),
    ("meta", "value"),
    ("idempotency", "prints"),
    ("subscriptions", "config"),
    ("subscriptions", "cursor"),
];

fn publish(bench: &mut Bench, random: &mut Random) -> u64 {
    let count = 1 + random.below(5);
    let drafts = (0..count).map(|_| {
        Ok(Draft {
            body: b"news",
            priority: 4,
            ..Draft::default()
        })
    });
    let Ok(TopicReply::Batch(done)) = bench.ask(TopicCommand::PublishBatch(drafts.collect()))
    else {
        panic!("no batch");
    };
    done.into_iter()
        .filter_map(Result::ok)
        .map(|it| it.seq)
        .max()
        .unwrap()
}

/// Messages that can be read, and how many were missed.
fn read_all(bench: &mut Bench) -> (u64, u64) {
    let (mut seq, mut found, mut missed) = (1, 0, 0);
    loop {
        let read = || Read {
            start: Start::Seq(seq),
            limit: 100,
            filter: None,
            wait_ms: 0,
        };
        let reply = (0..3).find_map(|_| {
            let replies = bench.turn(vec![TopicCommand::Read(read())]);
            if replies.is_none() {
                repair(bench);
            }
            replies
        });
        let Some(Ok(TopicReply::Read { page, last_seq, .. })) =
            reply.and_then(|mut it| it.pop()).map(|it| it.1)
        else {
            panic!("no page");
        };
        found += page.messages.len() as u64;
        missed += page.missed;
        seq = page.next_seq;
        if seq > last_seq {
            return (found, missed);
        }
    }
}

fn repair(bench: &mut Bench) {
    let now_ms = bench.now_ms;
    let database = &mut bench.database;
    let repaired = database.transact(|sql| Topic::repair(sql, [9; 16], now_ms));
    assert!(repaired.unwrap() > 0, "nothing is damaged");
    bench.reopen();
}

fn play(seed: u64) {
    println!("TIDEGATE_SEED={seed} TIDEGATE_RUNS=1");
    let mut random = Random::new(seed);
    let mut bench = Bench::new("{}");
    let patch = r#"{"target":{"queue":"orders"}}"#;
    let name = "mine";
    drop(bench.ask(TopicCommand::Subscribe { name, patch }));
    let mut last = 0;
    for _ in 0..3 + random.below(60) {
        last = publish(&mut bench, &mut random);
    }
    let (table, column) = VALUES[random.below(VALUES.len() as u64) as usize];
    let row = random.below(bench.database.count(table).max(1));
    let is_changed = bench.database.damage(table, column, row, |value| {
        let at = random.below(value.len() as u64) as usize;
        value[at] ^= 1 << random.below(8);
    });
    let now_ms = bench.now_ms;
    if Topic::open(&mut bench.database, NAME, [9; 16], now_ms).is_err() {
        repair(&mut bench);
    } else {
        bench.reopen();
    }
    let (found, missed) = read_all(&mut bench);
    if table == "segments" && is_changed {
        assert!(missed > 0, "seed {seed}: a reader is told what it missed");
        assert!(
            found < last && found + missed >= last,
            "seed {seed}: {found} and {missed} of {last}"
        );
    } else {
        assert_eq!((found, missed), (last, 0), "seed {seed}: {table}.{column}");
    }
    let next = publish(&mut bench, &mut random);
    assert!(next > last, "seed {seed}: a number was given twice");
    let (again, missed_again) = read_all(&mut bench);
    assert!(again > found && missed_again == missed, "seed {seed}");
}

#[test]
fn a_topic_with_a_damaged_row_goes_on() {
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
    for numbers in [
        &[5, 6, 7][..],
        &[1, 2, 3],
        &[4, 6],
        &[4, 5, 7],
        &[4, 4, 6],
        &[],
    ] {
        let mut bench = Bench::new("{}");
        for _ in 0..3 {
            let draft = || {
                Ok(Draft {
                    body: b"news",
                    ..Draft::default()
                })
            };
            let batch = TopicCommand::PublishBatch((0..3).map(|_| draft()).collect());
            drop(bench.ask(batch).unwrap());
        }
        put_in_place(&mut bench.database, 1, &segment_of(0, numbers));
        let now_ms = bench.now_ms;
        match Topic::open(&mut bench.database, NAME, [9; 16], now_ms) {
            Ok(_) => bench.reopen(),
            Err(_) => repair(&mut bench),
        }
        assert_eq!(read_all(&mut bench), (6, 3), "{numbers:?}");
        assert_eq!(bench.database.count("quarantine"), 1, "{numbers:?}");
    }
}
