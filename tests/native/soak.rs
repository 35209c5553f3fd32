//! Strict order over a hundred thousand messages, and what a deep backlog costs: nothing.

use crate::bench::{Bench, draft, lease, text};
use crate::random::Random;
use tidegate::command::{Ack, AckEntry, Command, Draft, Pull, Reply};
use tidegate::limits::{JOURNAL_SLOTS, OUTSTANDING_MAX, UNJOURNALED_SEGMENTS_MAX};

const MESSAGES: u64 = 100_000;

/// Publishes `count` messages whose bodies are their numbers, 1,000 a turn.
fn fill(bench: &mut Bench, count: u64, key: impl Fn(u64) -> Option<String>) {
    for from in (0..count).step_by(1_000) {
        let made: Vec<_> = (from..(from + 1_000).min(count))
            .map(|n| (n.to_string(), key(n)))
            .collect();
        let drafts = made.iter().map(|(body, key)| {
            Ok(Draft {
                key: key.as_deref(),
                ..draft(body)
            })
        });
        bench.ask(Command::PublishBatch(drafts.collect())).unwrap();
    }
}

#[test]
fn fifo_keeps_a_hundred_thousand_messages_in_line() {
    let config =
        r#"{"delivery":{"order":"fifo","max_attempts":1000,"visibility_timeout_ms":1000}}"#;
    let mut bench = Bench::new(config);
    fill(&mut bench, MESSAGES, |_| None);
    let mut random = Random::new(11);
    let (mut next, mut held, mut attempts): (u64, Option<String>, u32) = (0, None, 0);
    while next < MESSAGES {
        let mut ack = Ack::default();
        let lease_id = held.take();
        if let Some(lease_id) = lease_id.as_deref() {
            match random.below(400) {
                // Lost: its lease runs out.
                0 => bench.pass(1_000),
                1 => {
                    bench.reopen();
                    held = Some(lease_id.to_owned());
                }
                2..=9 => ack.retries.push((lease_id.into(), None)),
                10..=12 => ack.retries.push((lease_id.into(), Some(5))),
                _ => {
                    ack.acks.push(AckEntry {
                        lease_id: lease_id.into(),
                        ..AckEntry::default()
                    });
                    (next, attempts) = (next + 1, 0);
                }
            }
        }
        let pull = Command::Pull(Pull {
            batch_size: 100,
            ..Pull::default()
        });
        let tokens = bench.turn(vec![Command::Ack(ack), pull]);
        let Some(Ok(Reply::Pulled { messages, .. })) = bench.answer(tokens[1]) else {
            panic!()
        };
        assert!(messages.len() <= 1, "one message in flight");
        if let Some(delivery) = messages.first() {
            attempts += 1;
            assert_eq!(
                (text(delivery), delivery.attempts),
                (next.to_string(), attempts)
            );
            held = Some(lease(delivery));
        } else {
            bench.now_ms += 5;
        }
    }
    assert_eq!(bench.describe().depth, 0);
    assert_eq!(bench.live_segments(), 0);
}

#[test]
fn key_order_keeps_every_key_of_a_hundred_thousand_messages_in_line() {
    const KEYS: u64 = 400;
    let config = r#"{"delivery":{"order":"key","max_attempts":1000,"visibility_timeout_ms":1000}}"#;
    let mut bench = Bench::new(config);
    fill(&mut bench, MESSAGES, |n| Some((n % KEYS).to_string()));
    let mut random = Random::new(12);
    // Every key's next message, and how often it was delivered.
    let mut next: Vec<(u64, u32)> = (0..KEYS).map(|key| (key, 0)).collect();
    let mut left = MESSAGES;
    while left > 0 {
        let deliveries = bench.pull(300);
        let mut leases = Vec::new();
        for delivery in &deliveries {
            let n: u64 = text(delivery).parse().unwrap();
            let (first, attempts) = &mut next[(n % KEYS) as usize];
            *attempts += 1;
            assert_eq!(
                (n, delivery.attempts),
                (*first, *attempts),
                "key {}",
                n % KEYS
            );
            leases.push((n, lease(delivery)));
        }
        let mut ack = Ack::default();
        for (n, lease_id) in &leases {
            match random.below(100) {
                0 => {}
                1..=4 => ack.retries.push((lease_id.into(), None)),
                5..=6 => ack.retries.push((lease_id.into(), Some(3))),
                _ => {
                    ack.acks.push(AckEntry {
                        lease_id: lease_id.into(),
                        ..AckEntry::default()
                    });
                    next[(n % KEYS) as usize] = (n + KEYS, 0);
                    left -= 1;
                }
            }
        }
        bench.settle(ack).unwrap();
        match random.below(20) {
            0 => bench.reopen(),
            1 => bench.pass(1_000),
            _ => bench.now_ms += 3,
        }
    }
    assert_eq!(bench.describe().depth, 0);
    assert_eq!(bench.live_segments(), 0);
}

/// Rows written, rows read and statements run by `work`.
fn cost(bench: &mut Bench, work: impl FnOnce(&mut Bench)) -> [u64; 3] {
    let before = [
        bench.database.rows_written,
        bench.database.rows_read,
        bench.database.statements,
    ];
    work(bench);
    let after = [
        bench.database.rows_written,
        bench.database.rows_read,
        bench.database.statements,
    ];
    [0, 1, 2].map(|i| after[i] - before[i])
}

/// What a start, a publish, a pull and an acknowledgement cost at this depth.
fn costs_at(depth: u64) -> Vec<[u64; 3]> {
    let mut bench = Bench::new(r#"{"capacity":{"max_messages":9000000}}"#);
    fill(&mut bench, depth, |_| None);
    let start = cost(&mut bench, Bench::reopen);
    let mut costs = vec![start];
    costs.push(cost(&mut bench, |bench| {
        bench.put("more");
    }));
    let mut leases = Vec::new();
    costs.push(cost(&mut bench, |bench| {
        leases = bench.pull(100).iter().map(lease).collect()
    }));
    costs.push(cost(&mut bench, |bench| {
        let acks = leases
            .iter()
            .map(|lease_id| AckEntry {
                lease_id: lease_id.into(),
                ..AckEntry::default()
            })
            .collect();
        bench
            .settle(Ack {
                acks,
                ..Ack::default()
            })
            .unwrap();
    }));
    assert_eq!(bench.describe().depth, depth + 1 - 100);
    let [written, read, statements] = cost(&mut bench, Bench::reopen);
    assert!(
        written == 0 && read <= JOURNAL_SLOTS + UNJOURNALED_SEGMENTS_MAX + 16 && statements <= 24
    );
    costs
}

#[test]
fn a_deep_backlog_costs_what_a_shallow_one_does() {
    let (shallow, deep) = (costs_at(10_000), costs_at(200_000));
    // The number of journal rows since the last checkpoint differs by what was published.
    assert!(
        deep[0][1] <= JOURNAL_SLOTS + UNJOURNALED_SEGMENTS_MAX + 16,
        "a start reads {:?}",
        deep[0]
    );
    assert_eq!(deep[0][2], shallow[0][2], "statements of a start");
    assert_eq!(deep[1..], shallow[1..]);
}

#[test]
#[ignore = "takes a minute: a million messages"]
fn a_backlog_of_a_million_costs_what_a_shallow_one_does() {
    assert_eq!(costs_at(1_000_000)[1..], costs_at(10_000)[1..]);
}

#[test]
fn one_busy_key_bounds_what_is_remembered_and_holds_up_nobody_for_good() {
    let mut bench =
        Bench::new(r#"{"capacity":{"max_messages":900000},"delivery":{"order":"key"}}"#);
    bench
        .publish(Draft {
            key: Some("busy"),
            ..draft("first")
        })
        .unwrap();
    let first = bench.pull(1).remove(0);
    fill(&mut bench, 200_000, |n| {
        Some(if n == 50_000 { "free" } else { "busy" }.to_owned())
    });
    let mut found = Vec::new();
    for _ in 0..OUTSTANDING_MAX / 5_000 + 5 {
        found.append(&mut bench.pull(10));
    }
    assert_eq!(found.iter().map(text).collect::<Vec<_>>(), ["50000"]);
    // At rest: nothing is to be done until a lease ends.
    bench.turn(Vec::new());
    assert!(
        bench.alarm_at_ms.is_none_or(|at| at > bench.now_ms),
        "an idle queue keeps itself awake"
    );
    let written = cost(&mut bench, |bench| assert!(bench.pull(10).is_empty()));
    assert!(written[0] <= 1 && written[2] <= 4, "{written:?}");
    let [_, read, statements] = cost(&mut bench, Bench::reopen);
    assert!(read <= JOURNAL_SLOTS + UNJOURNALED_SEGMENTS_MAX + 16 && statements <= 24);
    bench.ack(&lease(&first)).unwrap();
    assert_eq!(text(&bench.pull(10)[0]), "0");
}

#[test]
fn a_pull_with_a_filter_rests_when_nothing_matches() {
    let mut bench = Bench::new("{}");
    fill(&mut bench, 12_000, |_| None);
    let filter = Some(r#"{"key":["wanted"]}"#);
    let pull = Pull {
        batch_size: 1,
        wait_ms: 30_000,
        filter,
        ..Pull::default()
    };
    let token = bench.turn(vec![Command::Pull(pull)])[0];
    (0..20).for_each(|_| drop(bench.turn(Vec::new())));
    assert!(
        bench.alarm_at_ms.is_none_or(|at| at > bench.now_ms),
        "the queue keeps itself awake"
    );
    assert!(
        bench.last.timer_at_ms.is_none_or(|at| at > bench.now_ms),
        "the queue keeps itself awake"
    );
    bench.now_ms += 30_000;
    bench.turn(Vec::new());
    let Some(Ok(Reply::Pulled { messages, .. })) = bench.answer(token) else {
        panic!("no answer");
    };
    assert!(messages.is_empty());
}
