//! Leases, acknowledgement, retries, dead letters, order: rule by rule.

use crate::bench::{Bench, draft, lease, text};
use tidegate::command::{Ack, AckEntry, Command, Draft, Pull, Reply, State, Wait};
use tidegate::error::ErrorCode;

fn bodies(bench: &mut Bench, n: u32) -> Vec<String> {
    bench.pull(n).iter().map(text).collect()
}

#[test]
fn what_is_published_is_delivered_in_order_and_gone_after_its_ack() {
    let mut bench = Bench::new("{}");
    for n in 0..5 {
        let accepted = bench.put(&n.to_string());
        assert_eq!((accepted.seq, accepted.position), (n + 1, n + 1));
    }
    let deliveries = bench.pull(10);
    assert_eq!(
        deliveries.iter().map(text).collect::<Vec<_>>(),
        ["0", "1", "2", "3", "4"]
    );
    assert!(bench.pull(10).is_empty());
    for delivery in &deliveries {
        assert_eq!(delivery.attempts, 1);
        bench.ack(&lease(delivery)).unwrap();
        assert_eq!(bench.ack(&lease(delivery)), Err(ErrorCode::LeaseExpired));
    }
    assert_eq!(bench.describe().depth, 0);
    assert_eq!(bench.live_segments(), 0);
    assert_eq!(bench.state(deliveries[0].id).unwrap().state, State::Done);
}

#[test]
fn everything_survives_a_crash() {
    let mut bench = Bench::new("{}");
    let ids: Vec<_> = (0..3).map(|n| bench.put(&n.to_string()).id).collect();
    bench.reopen();
    let first = bench.pull(1).remove(0);
    bench.reopen();
    assert_eq!(bench.state(ids[0]).unwrap().state, State::Leased);
    assert_eq!(bodies(&mut bench, 10), ["1", "2"]);
    bench.reopen();
    assert!(bench.pull(10).is_empty(), "nothing becomes visible early");
    bench.ack(&lease(&first)).unwrap();
    bench.reopen();
    assert_eq!(bench.state(ids[0]).unwrap().state, State::Done);
    let description = bench.describe();
    assert_eq!(
        (
            description.depth,
            description.in_flight,
            description.acked_total
        ),
        (2, 2, 1)
    );
    bench.pass(30_000);
    bench.reopen();
    let again = bench.pull(10);
    assert_eq!(again.iter().map(|d| d.attempts).collect::<Vec<_>>(), [2, 2]);
}

#[test]
fn an_expired_lease_cannot_ack_and_the_message_dies_after_its_attempts() {
    let mut bench = Bench::new(r#"{"delivery":{"max_attempts":3,"visibility_timeout_ms":1000}}"#);
    let id = bench.put("x").id;
    for attempt in 1..=3 {
        let delivery = bench.pull(1).remove(0);
        assert_eq!(delivery.attempts, attempt);
        bench.now_ms += 1_000;
        assert_eq!(bench.ack(&lease(&delivery)), Err(ErrorCode::LeaseExpired));
    }
    assert_eq!(bench.state(id).unwrap().state, State::Dead);
    let description = bench.describe();
    assert_eq!(
        (description.depth, description.dead, description.dead_total),
        (0, 1, 1)
    );
    bench.reopen();
    assert!(matches!(bench.ask(Command::Redrive), Ok(Reply::Moved(1))));
    bench.pass(10);
    let delivery = bench.pull(1).remove(0);
    assert_eq!((delivery.attempts, delivery.id.seq()), (1, id.seq()));
    let reason = delivery
        .attributes
        .iter()
        .find(|(name, _)| name == "tidegate-dead-attempts");
    assert_eq!(reason.map(|(_, value)| value.as_str()), Some("3"));
}

#[test]
fn retries_wait_for_their_backoff() {
    let mut bench = Bench::new(r#"{"delivery":{"backoff":{"initial_ms":100,"multiplier":3}}}"#);
    bench.put("x");
    for delay in [100, 300, 900] {
        let delivery = bench.pull(1).remove(0);
        bench.retry(&lease(&delivery)).unwrap();
        bench.pass(delay - 1);
        assert!(bench.pull(1).is_empty());
        bench.pass(1);
    }
    assert_eq!(bench.pull(1).len(), 1);
}

#[test]
fn higher_priorities_go_first_and_delays_wait() {
    let mut bench = Bench::new("{}");
    for (body, priority) in [("low", 0), ("high", 9), ("middle", 4)] {
        bench
            .publish(Draft {
                priority,
                ..draft(body)
            })
            .unwrap();
    }
    let late = bench
        .publish(Draft {
            delay_ms: 500,
            ..draft("late")
        })
        .unwrap();
    assert_eq!(bench.state(late.id).unwrap().state, State::Delayed);
    assert_eq!(bodies(&mut bench, 10), ["high", "middle", "low"]);
    bench.reopen();
    bench.pass(500);
    assert_eq!(bodies(&mut bench, 10), ["late"]);
    assert_eq!(bench.describe().delayed, 0);
}

#[test]
fn a_waiting_pull_is_woken_in_turn_and_times_out() {
    let mut bench = Bench::new("{}");
    let wait = |batch_size| {
        Command::Pull(Pull {
            batch_size,
            wait_ms: 5_000,
            ..Pull::default()
        })
    };
    let tokens = bench.turn(vec![wait(1), wait(1), wait(1)]);
    assert!(bench.last.replies.is_empty());
    assert_eq!(bench.last.timer_at_ms, Some(bench.now_ms + 5_000));
    bench.turn(vec![
        Command::Publish(draft("a")),
        Command::Publish(draft("b")),
    ]);
    for (token, body) in [(tokens[0], "a"), (tokens[1], "b")] {
        let Some(Ok(Reply::Pulled { messages, .. })) = bench.answer(token) else {
            panic!("{body}")
        };
        assert_eq!(text(&messages[0]), body);
    }
    bench.now_ms += 5_000;
    bench.turn(Vec::new());
    let Some(Ok(Reply::Pulled { messages, .. })) = bench.answer(tokens[2]) else {
        panic!("no answer");
    };
    assert!(messages.is_empty());
}

#[test]
fn an_alarm_wakes_a_waiting_pull_when_a_lease_runs_out() {
    let mut bench = Bench::new(r#"{"delivery":{"visibility_timeout_ms":1000}}"#);
    bench.put("x");
    bench.pull(1);
    let wait = Command::Pull(Pull {
        batch_size: 1,
        wait_ms: 30_000,
        ..Pull::default()
    });
    let token = bench.turn(vec![wait])[0];
    bench.now_ms = bench.alarm_at_ms.unwrap();
    bench.turn(Vec::new());
    let Some(Ok(Reply::Pulled { messages, .. })) = bench.answer(token) else {
        panic!("no answer");
    };
    assert_eq!(messages.len(), 1);
}

#[test]
fn a_result_reaches_who_waits_for_it() {
    let mut bench = Bench::new("{}");
    let id = bench.put("x").id;
    let token = bench.turn(vec![Command::Inspect {
        id,
        wait: Wait::Final { wait_ms: 10_000 },
    }])[0];
    let delivery = bench.pull(1).remove(0);
    let lease_id = lease(&delivery);
    let acks = vec![AckEntry {
        lease_id: (&lease_id).into(),
        result: Some(r#"{"ok":true}"#),
        release: false,
    }];
    bench.turn(vec![Command::Ack(Ack {
        acks,
        ..Ack::default()
    })]);
    let Some(Ok(Reply::State(state))) = bench.answer(token) else {
        panic!()
    };
    assert_eq!(
        (state.state, state.result.as_deref()),
        (State::Done, Some(r#"{"ok":true}"#))
    );
    bench.reopen();
    assert_eq!(
        bench.state(id).unwrap().result.as_deref(),
        Some(r#"{"ok":true}"#)
    );
    bench.pass(12 * 60_000);
    assert_eq!(
        bench.state(id).unwrap_err().code,
        ErrorCode::NotFound,
        "forgotten after its retention"
    );
}

#[test]
fn key_order_keeps_each_key_in_line() {
    let mut bench = Bench::new(r#"{"delivery":{"order":"key"}}"#);
    for (key, body) in [
        ("a", "a1"),
        ("a", "a2"),
        ("b", "b1"),
        ("a", "a3"),
        ("b", "b2"),
    ] {
        bench
            .publish(Draft {
                key: Some(key),
                ..draft(body)
            })
            .unwrap();
    }
    let first = bench.pull(10);
    assert_eq!(first.iter().map(text).collect::<Vec<_>>(), ["a1", "b1"]);
    bench.retry(&lease(&first[0])).unwrap();
    bench.ack(&lease(&first[1])).unwrap();
    bench.reopen();
    assert_eq!(bodies(&mut bench, 10), ["a1", "b2"]);
}

#[test]
fn fifo_has_one_message_in_flight() {
    let mut bench = Bench::new(r#"{"delivery":{"order":"fifo"}}"#);
    for n in 0..3 {
        bench
            .publish(Draft {
                priority: n,
                ..draft(&n.to_string())
            })
            .unwrap();
    }
    let first = bench.pull(10);
    assert_eq!(first.len(), 1);
    assert!(bench.pull(10).is_empty());
    bench.retry(&lease(&first[0])).unwrap();
    let again = bench.pull(10).remove(0);
    assert_eq!((text(&again), again.attempts), ("0".into(), 2));
    bench.ack(&lease(&again)).unwrap();
    assert_eq!(bodies(&mut bench, 1), ["1"]);
}

#[test]
fn a_batch_of_a_thousand_costs_few_rows() {
    let mut bench = Bench::new("{}");
    let before = bench.database.rows_written;
    for _ in 0..10 {
        let drafts = (0..100).map(|_| Ok(draft("0123456789"))).collect();
        bench.ask(Command::PublishBatch(drafts)).unwrap();
    }
    for _ in 0..10 {
        let leases: Vec<String> = bench.pull(100).iter().map(lease).collect();
        let acks = leases
            .iter()
            .map(|id| AckEntry {
                lease_id: id.into(),
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
    let rows = bench.database.rows_written - before;
    assert!(rows <= 45, "{rows} rows");
    assert_eq!(bench.live_segments(), 0);
}

#[test]
fn a_confirmed_message_is_delivered_once() {
    let mut bench = Bench::new("{}");
    let held = Draft {
        hold_ms: Some(1_000),
        ..draft("x")
    };
    let id = bench.publish(held).unwrap().id;
    bench.ask(Command::Confirm { id }).unwrap();
    assert_eq!(bench.pull(10).len(), 1);
    bench.pass(2_000);
    assert!(bench.pull(10).is_empty());
    let description = bench.describe();
    assert_eq!((description.depth, description.delayed), (1, 0));
}

#[test]
fn the_edge_learns_which_idempotency_keys_were_answered() {
    let mut bench = Bench::new(r#"{"capacity":{"max_accepted":1}}"#);
    let keyed = |key| Draft {
        idempotency_key: Some(key),
        ..draft("x")
    };
    let first = bench.publish(keyed("a")).unwrap();
    let fault = bench.publish(keyed("b")).unwrap_err();
    assert_eq!(fault.code, ErrorCode::SoldOut);
    for _ in 0..2 {
        let sieve = bench.queue.sieve(&mut bench.database).unwrap().unwrap();
        assert!(sieve.may_hold("a") && !sieve.may_hold("b"));
        assert_eq!(bench.publish(keyed("a")).unwrap(), first);
        bench.reopen();
    }
}

#[test]
fn a_listing_of_large_messages_is_cut_and_goes_on_where_it_ended() {
    let mut bench = Bench::new("{}");
    let large = "x".repeat(250_000);
    for n in 0..90 {
        let priority = (n % 10) as u8;
        let delay_ms = if n % 3 == 0 { 60_000 } else { 0 };
        let draft = Draft {
            priority,
            delay_ms,
            ..draft(&large)
        };
        bench.publish(draft).unwrap();
    }
    bench.pull(10);
    let (mut after_seq, mut listed, mut pages) = (0, Vec::new(), 0);
    while let Ok(Reply::Browsed(found)) = bench.ask(Command::Browse {
        after_seq,
        limit: 1_000,
    }) {
        let Some(last) = found.last() else { break };
        assert!(found.len() <= 25, "no page holds more than six megabytes");
        after_seq = last.seq;
        listed.extend(found.iter().map(|delivery| delivery.seq));
        pages += 1;
    }
    assert_eq!(listed, (1..=90).collect::<Vec<u64>>());
    assert_eq!(pages, 4);
}

#[test]
fn a_pull_acknowledges_first() {
    let mut bench = Bench::new("{}");
    for body in ["a", "b", "c"] {
        bench.put(body);
    }
    let first = bench.pull(1).remove(0);
    let lease = first.lease_id.unwrap();
    let round = |filter| Command::AckPull {
        ack: Ack {
            acks: vec![AckEntry {
                lease_id: lease.into(),
                ..AckEntry::default()
            }],
            ..Ack::default()
        },
        pull: Pull {
            batch_size: 1,
            filter,
            ..Pull::default()
        },
    };
    // What cannot be pulled acknowledges nothing.
    let fault = bench.ask(round(Some("\"region =\""))).unwrap_err();
    assert_eq!(fault.code, ErrorCode::BadRequest);
    let Ok(Reply::Pulled {
        messages,
        depth,
        acknowledged,
    }) = bench.ask(round(None))
    else {
        panic!("no messages");
    };
    assert_eq!((messages[0].seq, depth), (2, 2));
    assert_eq!(acknowledged.map(|it| it.acked), Some(1));
    // The lease is used up; the pull goes on all the same.
    let Ok(Reply::Pulled {
        messages,
        acknowledged,
        ..
    }) = bench.ask(round(None))
    else {
        panic!("no messages");
    };
    assert_eq!(messages[0].seq, 3);
    assert_eq!(
        acknowledged.unwrap().errors[0].fault.code,
        ErrorCode::LeaseExpired
    );
}
