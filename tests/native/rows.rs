//! What everything costs, in rows written: the bill. An alarm that is armed counts as a row.

use crate::bench::{Bench, draft, lease};
use tidegate::command::{Ack, AckEntry, Command, Draft};
use tidegate::error::ErrorCode;
use tidegate::limits::{SPARE_BYTES_MAX, SPARE_ROWS_MAX};

/// Rows written by `work`, alarms included.
fn rows(bench: &mut Bench, work: impl FnOnce(&mut Bench)) -> u64 {
    let before = bench.database.rows_written + bench.alarms_armed;
    work(bench);
    bench.database.rows_written + bench.alarms_armed - before
}

/// A queue that has been in use: its name is known, and the first alarm is armed.
fn used(config: &str) -> Bench {
    let mut bench = Bench::new(config);
    for call in std::mem::take(&mut bench.last.calls) {
        bench.queue.called(call.number, true, b"");
    }
    let first = bench.put("first");
    assert_eq!(bench.pull(1)[0].seq, first.seq);
    bench
}

fn settle_all(bench: &mut Bench, leases: &[String]) {
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
}

#[test]
fn a_thousand_messages_by_the_hundred_cost_thirty_rows() {
    let mut bench = used("{}");
    let rows = rows(&mut bench, |bench| {
        for _ in 0..10 {
            let drafts = (0..100).map(|_| Ok(draft("0123456789"))).collect();
            bench.ask(Command::PublishBatch(drafts)).unwrap();
        }
        for _ in 0..10 {
            let leases: Vec<String> = bench.pull(100).iter().map(lease).collect();
            assert_eq!(leases.len(), 100);
            settle_all(bench, &leases);
        }
    });
    // Ten segments, ten journal rows for pulls, ten for acknowledgements; the segments' rows stay,
    // to be written over.
    assert_eq!(rows, 30);
}

/// Publishes by the hundred, `count` times, then pulls and acknowledges all of it likewise.
fn flow(bench: &mut Bench, count: usize) {
    for _ in 0..count {
        let drafts = (0..100).map(|_| Ok(draft("0123456789"))).collect();
        bench.ask(Command::PublishBatch(drafts)).unwrap();
    }
    for _ in 0..count {
        let leases: Vec<String> = bench.pull(100).iter().map(lease).collect();
        assert_eq!(leases.len(), 100);
        settle_all(bench, &leases);
    }
}

#[test]
fn rows_of_finished_segments_are_written_over_also_after_a_start() {
    let mut bench = used("{}");
    flow(&mut bench, 20);
    let kept = bench.database.count("segments");
    for n in 0..40 {
        let rows = rows(&mut bench, |bench| flow(bench, 5));
        // The eighth has a checkpoint.
        assert!(rows <= 15 + 1, "{rows} rows");
        assert_eq!(bench.database.count("segments"), kept);
        if n % 2 == 0 {
            bench.reopen();
            assert_eq!(bench.live_segments(), 1, "the first message's");
        }
    }
}

#[test]
fn rows_to_write_over_are_bounded_in_number_and_in_bytes() {
    let mut bench = used(r#"{"capacity":{"max_messages":200000}}"#);
    flow(&mut bench, SPARE_ROWS_MAX + 50);
    assert_eq!(bench.queue.spare_rows(), SPARE_ROWS_MAX as u64);
    assert_eq!(bench.live_segments(), 1);
    let mut bench = used(r#"{"max_message_bytes":1000000}"#);
    let body = "x".repeat(1_000_000);
    for _ in 0..20 {
        bench.put(&body);
    }
    let leases: Vec<String> = (0..20).map(|_| lease(&bench.pull(1)[0])).collect();
    settle_all(&mut bench, &leases);
    assert_eq!(bench.queue.spare_rows(), SPARE_BYTES_MAX as u64 / 1_000_100);
    assert_eq!(bench.live_segments(), 1);
}

#[test]
fn a_thousand_publishes_by_sixteen_cost_a_row_a_turn() {
    let mut bench = used("{}");
    let rows = rows(&mut bench, |bench| {
        for _ in 0..63 {
            bench.turn((0..16).map(|_| Command::Publish(draft("x"))).collect());
        }
    });
    assert!(rows <= 63 + 2, "{rows} rows");
}

#[test]
fn refusals_cost_nothing() {
    for config in [
        r#"{"capacity":{"max_messages":1}}"#,
        r#"{"capacity":{"max_accepted":1}}"#,
        r#"{"capacity":{"max_bytes":5}}"#,
        r#"{"max_message_bytes":5}"#,
        r#"{"capacity":{"max_per_key":1}}"#,
    ] {
        let mut bench = Bench::new(config);
        let publish = |bench: &mut Bench| {
            bench.publish(Draft {
                key: Some("k"),
                ..draft("12345")
            })
        };
        publish(&mut bench).unwrap();
        let long = if config.contains("bytes") {
            "123456"
        } else {
            "12345"
        };
        let rows = rows(&mut bench, |bench| {
            for _ in 0..100 {
                let one = || {
                    Command::Publish(Draft {
                        key: Some("k"),
                        ..draft(long)
                    })
                };
                bench.turn((0..20).map(|_| one()).collect());
                assert_eq!(
                    bench
                        .last
                        .replies
                        .iter()
                        .filter(|(_, reply)| reply.is_err())
                        .count(),
                    20
                );
            }
        });
        assert_eq!(rows, 0, "{config}");
    }
}

#[test]
fn ten_thousand_refusals_cost_nothing_and_are_counted() {
    let mut bench = Bench::new(r#"{"capacity":{"max_messages":0}}"#);
    let rows = rows(&mut bench, |bench| {
        for _ in 0..100 {
            bench.turn((0..100).map(|_| Command::Publish(draft("x"))).collect());
        }
    });
    assert_eq!(rows, 0);
    assert_eq!(
        bench.describe().rejected,
        [(ErrorCode::QueueFull, false, 10_000)]
    );
}

#[test]
fn each_feature_costs_its_rows_and_no_more() {
    // In order: publish, pull, acknowledgement.
    let plain = Draft {
        key: Some("k"),
        ..draft("x")
    };
    let delayed = Draft {
        delay_ms: 100,
        ..plain.clone()
    };
    let held = Draft {
        hold_ms: Some(60_000),
        ..plain.clone()
    };
    let mortal = Draft {
        ttl_ms: Some(100),
        ..plain.clone()
    };
    let once = Draft {
        idempotency_key: Some("once"),
        ..plain.clone()
    };
    let limited = r#"{"capacity":{"max_per_key":9}}"#;
    for (name, config, draft, expected) in [
        ("plain", "{}", &plain, [1, 1, 1]),
        // A row and a journal row.
        ("delayed", "{}", &delayed, [2, 1, 2]),
        ("held", "{}", &held, [2, 1, 2]),
        // The expiry row is shared by all that expire together.
        ("mortal", "{}", &mortal, [2, 1, 1]),
        ("once", "{}", &once, [1, 1, 1]),
        // The key's count.
        ("limited", limited, &plain, [2, 1, 1]),
    ] {
        let mut bench = Bench::new(config);
        for call in std::mem::take(&mut bench.last.calls) {
            bench.queue.called(call.number, true, b"");
        }
        bench.turn(Vec::new());
        let before = bench.database.rows_written;
        let id = bench.publish(draft.clone()).unwrap().id;
        let published = bench.database.rows_written - before;
        match name {
            "delayed" => bench.now_ms += 100,
            "held" => drop(bench.ask(Command::Confirm { id }).unwrap()),
            _ => {}
        }
        let ready = bench.database.rows_written - before - published;
        let leases: Vec<String> = bench.pull(10).iter().map(lease).collect();
        assert_eq!(leases.len(), 1, "{name}");
        let pulled = bench.database.rows_written - before - published - ready;
        settle_all(&mut bench, &leases);
        let acked = bench.database.rows_written - before - published - ready - pulled;
        assert_eq!([published, pulled, acked], expected, "{name}");
        // A confirmation is two changes: the row, and the journal's.
        assert_eq!(
            ready,
            if name == "held" { 2 } else { 0 },
            "{name}, to make it deliverable"
        );
    }
}

#[test]
fn a_repeat_of_an_idempotency_key_costs_nothing() {
    let mut bench = used("{}");
    let once = || Draft {
        idempotency_key: Some("once"),
        ..draft("x")
    };
    let first = bench.publish(once()).unwrap();
    let rows = rows(&mut bench, |bench| {
        for _ in 0..50 {
            assert_eq!(bench.publish(once()).unwrap(), first);
        }
    });
    assert_eq!(rows, 0);
}

#[test]
fn looking_costs_nothing() {
    let mut bench = used("{}");
    let id = bench.put("x").id;
    let rows = rows(&mut bench, |bench| {
        bench.describe();
        bench.browse();
        bench.state(id).unwrap();
        bench.turn(Vec::new());
    });
    assert_eq!(rows, 0);
}

#[test]
fn a_place_in_line_by_the_hundred_costs_a_twentieth_of_a_row_admitted() {
    let mut bench = used(r#"{"capacity":{"max_accepted":1,"overflow":"wait"}}"#);
    let rows = rows(&mut bench, |bench| {
        for _ in 0..10 {
            let drafts = (0..100).map(|_| Ok(draft("0123456789"))).collect();
            bench.ask(Command::PublishBatch(drafts)).unwrap();
        }
        let patch = r#"{"capacity":{"max_accepted":501}}"#;
        bench.ask(Command::Configure { patch }).unwrap();
        let patch = r#"{"capacity":{"max_accepted":1001}}"#;
        bench.ask(Command::Configure { patch }).unwrap();
    });
    assert_eq!(bench.describe().waiting, 0);
    // Ten rows of the line in; two segments, two journal rows and two of the configuration.
    assert!(rows <= 18, "{rows} rows");
}
