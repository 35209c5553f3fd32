//! Time: times to live, retention, windows, and what comes due while something else happens.

use crate::bench::{Bench, draft, lease, text};
use tidegate::command::{Command, Draft, Reply, State};
use tidegate::error::ErrorCode;

fn bodies(bench: &mut Bench, n: u32) -> Vec<String> {
    bench.pull(n).iter().map(text).collect()
}

#[test]
fn a_time_to_live_frees_the_backlog_but_not_what_is_in_hand() {
    let mut bench =
        Bench::new(r#"{"delivery":{"visibility_timeout_ms":5000},"capacity":{"max_accepted":9}}"#);
    let mortal = |body| Draft {
        ttl_ms: Some(1_000),
        ..draft(body)
    };
    let ids: Vec<_> = ["held back", "in hand", "late"]
        .map(|b| bench.publish(mortal(b)).unwrap().id)
        .into();
    bench.put("immortal");
    bench
        .publish(Draft {
            delay_ms: 2_000,
            ..mortal("never due")
        })
        .unwrap();
    let deliveries = bench.pull(2);
    bench.retry(&lease(&deliveries[0])).unwrap();
    bench.reopen();
    bench.pass(1_000);
    let description = bench.describe();
    assert_eq!(
        (description.depth, description.backlog_bytes),
        (2, ("in hand".len() + "immortal".len()) as u64)
    );
    assert_eq!(
        (description.expired_total, description.accepted),
        (3, 5),
        "a place is given out for good"
    );
    let states: Vec<State> = ids
        .iter()
        .map(|id| bench.state(*id).unwrap().state)
        .collect();
    assert_eq!(states, [State::Expired, State::Leased, State::Expired]);
    bench.pass(4_000);
    assert_eq!(
        bench.state(ids[1]).unwrap().state,
        State::Expired,
        "not delivered again"
    );
    assert_eq!(bodies(&mut bench, 9), ["immortal"]);
}

#[test]
fn many_expiries_are_worked_off_by_turns_that_follow_at_once() {
    let mut bench = Bench::new("{}");
    for n in 0..100 {
        bench
            .publish(Draft {
                ttl_ms: Some(1_000 + n),
                ..draft("x")
            })
            .unwrap();
    }
    bench.now_ms += 5_000;
    bench.pass(0);
    assert_eq!(bench.describe().depth, 0);
    assert_eq!(bench.database.count("expiry"), 0);
    assert_eq!(bench.live_segments(), 0);
}

#[test]
fn retention_counts_from_acceptance_or_from_the_end_of_a_delay() {
    let mut bench = Bench::new(r#"{"retention_ms":10000}"#);
    bench
        .publish(Draft {
            delay_ms: 9_000,
            ..draft("delayed")
        })
        .unwrap();
    bench.put("taken");
    let id = bench.put("fresh").id;
    let taken = bench.pull(1).remove(0);
    bench.retry(&lease(&taken)).unwrap();
    bench.pass(9_999);
    assert_eq!(bench.describe().depth, 3);
    bench.pass(1);
    assert_eq!(
        bench.browse().iter().map(text).collect::<Vec<_>>(),
        ["delayed"]
    );
    assert_eq!(bench.state(id).unwrap_err().code, ErrorCode::NotFound);
    bench.pass(9_000);
    assert_eq!(
        (bench.describe().depth, bench.describe().backlog_bytes),
        (0, 0)
    );
    assert_eq!(
        (bench.live_segments(), bench.database.count("singles")),
        (0, 0)
    );
}

#[test]
fn what_has_expired_stays_so_when_retention_is_raised() {
    let mut bench = Bench::new(r#"{"retention_ms":10000}"#);
    let expired = bench.put("expired").id;
    bench.pass(9_000);
    let done = bench.put("done").id;
    bench.pass(1_000);
    let next = bench.pull(1).remove(0);
    let patch = r#"{"retention_ms":86400000}"#;
    bench.ask(Command::Configure { patch }).unwrap();
    bench.ack(&lease(&next)).unwrap();
    for _ in 0..2 {
        assert_eq!(bench.state(expired).unwrap_err().code, ErrorCode::NotFound);
        assert_eq!(bench.state(done).unwrap().state, State::Done);
        bench.reopen();
    }
    bench.pass(60_000);
    assert_eq!(bench.state(expired).unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(bench.state(done).unwrap().state, State::Done);
}

#[test]
fn an_acknowledgement_stays_when_older_ends_beside_it_are_forgotten() {
    let mut bench = Bench::new(r#"{"delivery":{"visibility_timeout_ms":3600000}}"#);
    let before = bench.put("acknowledged before the look").id;
    let cancelled = bench.put("cancelled").id;
    let after = bench.put("acknowledged after it").id;
    bench.ask(Command::Cancel { id: cancelled }).unwrap();
    let leased = bench.pull(2);
    bench.pass(650_000);
    bench.ack(&lease(&leased[0])).unwrap();
    bench.pass(20_000);
    bench.ack(&lease(&leased[1])).unwrap();
    let acked_ms = bench.now_ms;
    for _ in 0..58 {
        bench.pass(10_000);
        bench.reopen();
        let state = bench.state(cancelled).unwrap_err().code;
        assert_eq!(state, ErrorCode::NotFound);
        assert_eq!(bench.state(before).unwrap().state, State::Done);
        assert_eq!(bench.state(after).unwrap().state, State::Done);
    }
    bench.now_ms = acked_ms + 599_999;
    bench.turn(Vec::new());
    assert_eq!(bench.state(after).unwrap().state, State::Done);
    for _ in 0..60 {
        bench.pass(60_000);
    }
    assert_eq!(bench.database.count("outcomes"), 0, "rows go in the end");
    assert_eq!(bench.state(after).unwrap_err().code, ErrorCode::NotFound);
}

#[test]
fn who_is_acknowledged_shortly_before_retention_ends_can_be_read() {
    let mut bench = Bench::new(r#"{"retention_ms":10000,"result_retention_ms":8000}"#);
    let (early, late) = (bench.put("early").id, bench.put("late").id);
    let both = bench.pull(2);
    bench.pass(1_000);
    bench.ack(&lease(&both[0])).unwrap();
    assert_eq!(bench.database.count("outcomes"), 0, "its age says it all");
    bench.pass(5_000);
    bench.ack(&lease(&both[1])).unwrap();
    bench.pass(7_999);
    assert_eq!(bench.state(early).unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(bench.state(late).unwrap().state, State::Done);
    bench.pass(1);
    assert_eq!(bench.state(late).unwrap_err().code, ErrorCode::NotFound);
}

#[test]
fn a_repeat_within_the_window_is_the_first_answer_even_when_the_queue_is_full() {
    let mut bench = Bench::new(r#"{"capacity":{"max_messages":1},"dedup_window_ms":60000}"#);
    let once = || Draft {
        idempotency_key: Some("once"),
        ..draft("x")
    };
    let first = bench.publish(once()).unwrap();
    bench.reopen();
    assert_eq!(bench.publish(once()).unwrap(), first);
    // Past a checkpoint, which moves the answers.
    for _ in 0..200 {
        bench.ask(Command::Pause).unwrap();
        bench.ask(Command::Resume).unwrap();
    }
    bench.reopen();
    assert_eq!(bench.publish(once()).unwrap(), first);
    bench.pass(59_999);
    assert_eq!(bench.publish(once()).unwrap(), first);
    bench.pass(1);
    assert_eq!(
        bench.publish(once()).unwrap_err().code,
        ErrorCode::QueueFull,
        "the window is over"
    );
}

#[test]
fn purge_starts_afresh_and_keeps_no_answer() {
    let mut bench = Bench::new(r#"{"capacity":{"max_per_key":1}}"#);
    let once = || Draft {
        idempotency_key: Some("once"),
        key: Some("k"),
        ..draft("x")
    };
    let first = bench.publish(once()).unwrap();
    bench.pull(1);
    bench.ask(Command::Purge).unwrap();
    bench.reopen();
    assert_eq!(bench.state(first.id).unwrap_err().code, ErrorCode::NotFound);
    let second = bench.publish(once()).unwrap();
    assert!(second.seq > first.seq, "sequence numbers only grow");
    let description = bench.describe();
    assert_eq!(
        (
            description.depth,
            description.in_flight,
            description.accepted
        ),
        (1, 0, 1)
    );
}

#[test]
fn a_delay_that_is_over_goes_in_line_where_the_order_is_strict() {
    for order in ["fifo", "key"] {
        let mut bench = Bench::new(&format!(r#"{{"delivery":{{"order":"{order}"}}}}"#));
        let keyed = |body| Draft {
            key: Some("k"),
            ..draft(body)
        };
        bench.publish(keyed("1")).unwrap();
        bench
            .publish(Draft {
                delay_ms: 100,
                ..keyed("2")
            })
            .unwrap();
        bench.publish(keyed("3")).unwrap();
        bench.pass(100);
        for expected in ["1", "2", "3"] {
            let delivery = bench.pull(9);
            assert_eq!(
                delivery.iter().map(text).collect::<Vec<_>>(),
                [expected],
                "{order}"
            );
            bench.ack(&lease(&delivery[0])).unwrap();
        }
    }
}

#[test]
fn what_was_in_flight_when_the_order_became_strict_is_finished_first() {
    for order in ["fifo", "key"] {
        let mut bench = Bench::new("{}");
        for n in 0..4 {
            bench
                .publish(Draft {
                    key: Some("k"),
                    ..draft(&n.to_string())
                })
                .unwrap();
        }
        let deliveries = bench.pull(3);
        let patch = format!(r#"{{"delivery":{{"order":"{order}"}}}}"#);
        bench.ask(Command::Configure { patch: &patch }).unwrap();
        for n in [2, 0, 1] {
            assert!(bench.pull(9).is_empty(), "{order}");
            bench.ack(&lease(&deliveries[n])).unwrap();
        }
        assert_eq!(bodies(&mut bench, 9), ["3"]);
    }
}

#[test]
fn the_oldest_message_is_one_that_is_still_there() {
    let mut bench = Bench::new("{}");
    bench
        .publish(Draft {
            hold_ms: Some(100),
            ..draft("x")
        })
        .unwrap();
    bench.now_ms += 50;
    bench
        .publish(Draft {
            delay_ms: 900,
            ..draft("y")
        })
        .unwrap();
    let accepted = bench.now_ms;
    bench.now_ms += 60;
    assert_eq!(bench.describe().oldest_at_ms, Some(accepted));
}

#[test]
fn time_that_runs_backwards_stands_still() {
    let mut bench = Bench::new("{}");
    let first = bench.put("1");
    bench.now_ms -= 10_000;
    bench.reopen();
    let second = bench.put("2");
    assert_eq!(second.timestamp_ms, first.timestamp_ms);
    assert!(second.id > first.id);
    assert!(matches!(
        bench.ask(Command::Describe),
        Ok(Reply::Described { .. })
    ));
}

#[test]
fn a_lease_that_ran_out_is_out_even_before_its_turn_to_be_cleared_away() {
    let mut bench = Bench::new("{}");
    for _ in 0..3 {
        let drafts = (0..1_000).map(|_| Ok(draft("x"))).collect();
        bench.ask(Command::PublishBatch(drafts)).unwrap();
    }
    let leases: Vec<String> = (0..3)
        .flat_map(|_| bench.pull(1_000))
        .map(|d| lease(&d))
        .collect();
    // More leases run out at once than one turn clears away.
    bench.now_ms += 30_000;
    assert_eq!(bench.ack(&leases[2_999]), Err(ErrorCode::LeaseExpired));
}
