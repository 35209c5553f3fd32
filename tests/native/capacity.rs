//! Capacity: exactly as many as the configuration says, whatever else happens in the same turn.

use crate::bench::{Bench, draft, lease, text};
use tidegate::command::{Accepted, Ack, AckEntry, Command, Draft, Reply, State};
use tidegate::engine::idempotency::{Answer, Idempotency};
use tidegate::error::{ErrorCode, Fault};
use tidegate::limits::IDEMPOTENCY_KEYS_MAX;

fn code(answer: Result<Accepted, Fault>) -> Result<u64, ErrorCode> {
    answer.map(|a| a.seq).map_err(|f| f.code)
}

fn configure(bench: &mut Bench, patch: &str) {
    bench.ask(Command::Configure { patch }).unwrap();
}

fn keyed<'a>(key: &'a str, body: &'a str) -> Draft<'a> {
    Draft {
        key: Some(key),
        ..draft(body)
    }
}

fn release(bench: &mut Bench, lease_id: &str) {
    let acks = vec![AckEntry {
        lease_id: lease_id.into(),
        release: true,
        ..AckEntry::default()
    }];
    bench
        .settle(Ack {
            acks,
            ..Ack::default()
        })
        .unwrap();
}

#[test]
fn a_flash_sale_in_one_turn_accepts_exactly_its_stock() {
    let mut bench = Bench::new(r#"{"capacity":{"max_accepted":7}}"#);
    bench.turn((0..100).map(|_| Command::Publish(draft("x"))).collect());
    let accepted = bench
        .last
        .replies
        .iter()
        .filter(|(_, reply)| reply.is_ok())
        .count();
    assert_eq!(accepted, 7);
    let leases: Vec<String> = bench.pull(10).iter().map(lease).collect();
    release(&mut bench, &leases[0]);
    bench.ack(&leases[1]).unwrap();
    bench.reopen();
    assert!(
        bench.publish(draft("again")).is_ok(),
        "a released place is free"
    );
    let fault = bench.publish(draft("more")).unwrap_err();
    assert_eq!(
        (fault.code, fault.figures.limit),
        (ErrorCode::SoldOut, Some(7))
    );
    configure(&mut bench, r#"{"capacity":{"max_accepted":8}}"#);
    assert!(bench.publish(draft("raised")).is_ok());
    assert_eq!(code(bench.publish(draft("more"))), Err(ErrorCode::SoldOut));
    bench.ask(Command::Purge).unwrap();
    assert_eq!(bench.describe().accepted, 0);
    assert!(bench.publish(draft("afresh")).is_ok());
}

#[test]
fn a_full_queue_says_what_is_full_and_when_to_come_back() {
    let mut bench =
        Bench::new(r#"{"capacity":{"max_messages":2,"max_bytes":10,"retry_after_ms":700}}"#);
    bench.put("12345");
    let fault = bench.publish(draft("123456")).unwrap_err();
    assert_eq!(
        (fault.figures.depth, fault.figures.limit),
        (Some(5), Some(10))
    );
    assert_eq!(
        fault.figures.verdict_ms, None,
        "a smaller message may still fit"
    );
    bench.put("12345");
    let fault = bench.publish(draft("")).unwrap_err();
    assert_eq!(
        (fault.figures.depth, fault.figures.limit),
        (Some(2), Some(2))
    );
    assert_eq!(fault.figures.retry_after_ms, Some(700));
    assert!(fault.figures.verdict_ms.is_some());
    let delivery = bench.pull(1).remove(0);
    assert_eq!(
        code(bench.publish(draft(""))),
        Err(ErrorCode::QueueFull),
        "in flight still counts"
    );
    bench.ack(&lease(&delivery)).unwrap();
    assert!(bench.publish(draft("")).is_ok());
    assert!(
        bench
            .publish(draft(""))
            .unwrap_err()
            .figures
            .estimated_wait_ms
            .is_some()
    );
}

#[test]
fn redirect_sends_the_refused_on() {
    let mut bench = Bench::new(
        r#"{"capacity":{"max_messages":1,"max_accepted":2,"overflow":"redirect","redirect_url":"https://w.example/"}}"#,
    );
    let url = |fault: Fault| fault.figures.redirect_url;
    let first = bench.put("x");
    assert_eq!(
        url(bench.publish(draft("y")).unwrap_err()).as_deref(),
        Some("https://w.example/")
    );
    bench.ask(Command::Cancel { id: first.id }).unwrap();
    for _ in 0..2 {
        bench.put("z");
        let delivery = bench.pull(1).remove(0);
        bench.ack(&lease(&delivery)).unwrap();
    }
    let fault = bench.publish(draft("y")).unwrap_err();
    assert_eq!(
        (fault.code, url(fault).as_deref()),
        (ErrorCode::SoldOut, Some("https://w.example/"))
    );
    configure(&mut bench, r#"{"capacity":{"overflow":"reject"}}"#);
    assert_eq!(url(bench.publish(draft("y")).unwrap_err()), None);
}

#[test]
fn drop_oldest_drops_the_oldest_queued_and_nothing_else() {
    let mut bench = Bench::new(r#"{"capacity":{"max_messages":3,"overflow":"drop_oldest"}}"#);
    let first = bench.put("leased");
    bench.pull(1);
    let second = bench
        .publish(Draft {
            priority: 9,
            ..draft("high")
        })
        .unwrap();
    bench.put("low");
    bench.put("newest");
    assert_eq!(bench.state(first.id).unwrap().state, State::Leased);
    assert_eq!(bench.state(second.id).unwrap().state, State::Expired);
    let description = bench.describe();
    assert_eq!(
        (
            description.depth,
            description.accepted,
            description.expired_total
        ),
        (3, 4, 1)
    );
    bench.reopen();
    assert_eq!(
        bench.pull(9).iter().map(text).collect::<Vec<_>>(),
        ["low", "newest"]
    );
    assert_eq!(
        code(bench.publish(draft("x"))),
        Err(ErrorCode::QueueFull),
        "nothing queued is left"
    );
}

#[test]
fn drop_oldest_drops_nothing_for_a_message_that_is_refused_all_the_same() {
    let config = r#"{"capacity":{"max_bytes":20,"max_per_key":1,"overflow":"drop_oldest"}}"#;
    let mut bench = Bench::new(config);
    bench.publish(keyed("a", "0123456789")).unwrap();
    bench
        .publish(Draft {
            delay_ms: 9_000,
            ..keyed("b", "0123456789")
        })
        .unwrap();
    for (draft, refused) in [
        (keyed("c", "0123456789012345678901"), ErrorCode::QueueFull),
        (keyed("c", "01234567890"), ErrorCode::QueueFull),
        (keyed("a", "0"), ErrorCode::KeyLimit),
    ] {
        assert_eq!(code(bench.publish(draft)), Err(refused));
        assert_eq!(bench.describe().depth, 2);
    }
    bench.publish(keyed("c", "0123456789")).unwrap();
    assert_eq!(bench.describe().depth, 2);
}

#[test]
fn a_key_has_its_share_and_no_more() {
    let mut bench = Bench::new(r#"{"capacity":{"max_per_key":2}}"#);
    assert_eq!(code(bench.publish(draft("x"))), Err(ErrorCode::BadRequest));
    let first = bench.publish(keyed("a", "1")).unwrap();
    bench.publish(keyed("a", "2")).unwrap();
    bench.publish(keyed("b", "3")).unwrap();
    bench.reopen();
    let fault = bench.publish(keyed("a", "4")).unwrap_err();
    assert_eq!(
        (fault.code, fault.figures.limit),
        (ErrorCode::KeyLimit, Some(2))
    );
    bench.ask(Command::Cancel { id: first.id }).unwrap();
    bench.publish(keyed("a", "5")).unwrap();
    assert_eq!(
        code(bench.publish(keyed("a", "6"))),
        Err(ErrorCode::KeyLimit)
    );
    for delivery in bench.pull(9) {
        bench.ack(&lease(&delivery)).unwrap();
    }
    assert_eq!(
        code(bench.publish(keyed("a", "7"))),
        Err(ErrorCode::KeyLimit),
        "done is not given back"
    );
}

#[test]
fn a_place_given_back_in_a_turn_is_free_in_that_turn() {
    let mut bench = Bench::new(r#"{"capacity":{"max_per_key":1,"max_accepted":1}}"#);
    let first = bench.publish(keyed("a", "1")).unwrap();
    let cancel = Command::Cancel { id: first.id };
    let tokens = bench.turn(vec![Command::Publish(keyed("a", "2")), cancel]);
    assert!(matches!(
        bench.answer(tokens[0]),
        Some(Ok(Reply::Accepted(_)))
    ));
    bench.reopen();
    assert_eq!(
        code(bench.publish(keyed("a", "3"))),
        Err(ErrorCode::SoldOut)
    );
}

#[test]
fn a_hold_that_ends_unconfirmed_gives_its_place_back_whatever_ended_it() {
    let mut bench =
        Bench::new(r#"{"capacity":{"max_per_key":1,"max_accepted":1,"max_messages":1}}"#);
    let held = |ttl_ms| Draft {
        hold_ms: Some(1_000),
        ttl_ms,
        ..keyed("a", "1")
    };
    for (ttl_ms, after_ms) in [(None, 1_000), (Some(400), 400)] {
        let id = bench.publish(held(ttl_ms)).unwrap().id;
        bench.pass(after_ms - 1);
        assert_eq!(
            code(bench.publish(keyed("a", "2"))),
            Err(ErrorCode::SoldOut)
        );
        bench.pass(1);
        assert_eq!(bench.describe().accepted, 0);
        assert_eq!(bench.state(id).unwrap().state, State::Expired);
    }
    let id = bench.publish(held(None)).unwrap().id;
    bench.ask(Command::Confirm { id }).unwrap();
    bench.pass(5_000);
    assert_eq!((bench.describe().accepted, bench.pull(1).len()), (1, 1));
}

#[test]
fn a_sale_has_its_hours() {
    let mut bench = Bench::new("{}");
    let (opens, closes) = (bench.now_ms + 500, bench.now_ms + 2_000);
    configure(
        &mut bench,
        &format!(r#"{{"capacity":{{"opens_at_ms":{opens},"closes_at_ms":{closes}}}}}"#),
    );
    let fault = bench.publish(draft("early")).unwrap_err();
    let figures = (
        fault.figures.opens_at_ms,
        fault.figures.retry_after_ms,
        fault.figures.verdict_ms,
    );
    assert_eq!(
        (fault.code, figures),
        (ErrorCode::NotOpen, (Some(opens), Some(500), Some(500)))
    );
    bench.now_ms = opens;
    bench.put("first");
    bench.now_ms = closes - 1;
    bench.put("last");
    bench.now_ms = closes;
    assert_eq!(code(bench.publish(draft("late"))), Err(ErrorCode::Closed));
    assert_eq!(bench.pull(9).len(), 2, "what was accepted is delivered");
}

#[test]
fn a_publish_rate_lets_its_burst_through_and_then_one_at_a_time() {
    for per in ["queue", "key"] {
        let rate = format!(
            r#"{{"capacity":{{"publish_rate":{{"per_second":10,"burst":3,"per":"{per}"}}}}}}"#
        );
        let mut bench = Bench::new(&rate);
        let publish = |bench: &mut Bench, key| bench.publish(keyed(key, "x"));
        for _ in 0..3 {
            publish(&mut bench, "a").unwrap();
        }
        let fault = publish(&mut bench, "a").unwrap_err();
        assert_eq!(
            (fault.code, fault.figures.retry_after_ms),
            (ErrorCode::RateLimited, Some(100))
        );
        assert_eq!(publish(&mut bench, "b").is_ok(), per == "key");
        bench.now_ms += 99;
        assert!(publish(&mut bench, "a").is_err());
        bench.now_ms += 1;
        if per == "queue" {
            bench.reopen();
        }
        publish(&mut bench, "a").unwrap();
        assert!(publish(&mut bench, "a").is_err());
    }
}

#[test]
fn lowering_a_limit_holds_at_once_and_takes_nothing_away() {
    let mut bench = Bench::new("{}");
    for _ in 0..5 {
        bench.put("x");
    }
    configure(&mut bench, r#"{"capacity":{"max_messages":3}}"#);
    assert_eq!(code(bench.publish(draft("y"))), Err(ErrorCode::QueueFull));
    assert_eq!(bench.pull(9).len(), 5);
}

#[test]
fn dropping_the_oldest_writes_no_row_for_each() {
    let mut bench = Bench::new(r#"{"capacity":{"max_messages":500,"overflow":"drop_oldest"}}"#);
    let batch = || Command::PublishBatch((0..500).map(|_| Ok(draft("x"))).collect());
    bench.ask(batch()).unwrap();
    for count in [500, 1_000] {
        let before = bench.database.rows_written;
        for _ in 0..count / 500 {
            bench.ask(batch()).unwrap();
        }
        let rows = bench.database.rows_written - before;
        assert!(rows <= count / 40, "{rows} rows for {count} messages");
    }
    let figures = bench.describe();
    assert_eq!((figures.depth, figures.expired_total), (500, 1_500));
    // And within one turn, where they are not written yet.
    bench.turn(vec![batch(), batch(), batch()]);
    let seqs: Vec<u64> = bench.pull(1_000).iter().map(|it| it.seq).collect();
    assert_eq!(seqs, (3_001..=3_500).collect::<Vec<_>>(), "the newest");
}

#[test]
fn what_was_given_back_while_there_was_no_limit_per_key_does_not_count_later() {
    let mut bench = Bench::new(r#"{"capacity":{"max_per_key":1}}"#);
    let mine = || Draft {
        key: Some("me"),
        ..draft("x")
    };
    bench.publish(mine()).unwrap();
    configure(&mut bench, r#"{"capacity":{"max_per_key":null}}"#);
    let id = bench.browse()[0].id;
    bench.ask(Command::Cancel { id }).unwrap();
    configure(&mut bench, r#"{"capacity":{"max_per_key":1}}"#);
    bench.publish(mine()).unwrap();
    let refused = bench.publish(mine()).unwrap_err();
    assert_eq!(refused.code, ErrorCode::KeyLimit);
    // Another number is the same limit: what was counted still counts.
    configure(&mut bench, r#"{"capacity":{"max_per_key":2}}"#);
    bench.publish(mine()).unwrap();
    assert!(bench.publish(mine()).is_err());
}

/// The platform's alarms end in the year 2262, and a configured instant does not.
#[test]
fn an_instant_that_never_comes_is_no_alarm_that_cannot_be() {
    let far = r#"{"capacity":{"admission":"draw","draw_at_ms":9007199254740991}}"#;
    let mut bench = Bench::new(far);
    for call in std::mem::take(&mut bench.last.calls) {
        bench.queue.called(call.number, true, b"");
    }
    bench.turn(Vec::new());
    bench.pass(60_000);
    bench.turn(Vec::new());
    let alarm = bench.alarm_at_ms.expect("the draw is to come");
    let year_ms = 366 * 86_400_000;
    assert!(
        alarm > bench.now_ms && alarm <= bench.now_ms + year_ms,
        "{alarm}"
    );
}

#[test]
fn idempotency_keys_are_bounded_however_few_there_are_in_a_row() {
    let mut database = Bench::new("{}").database;
    let mut keys = Idempotency::default();
    let answer = |n: u64| Answer {
        print: (n, n),
        seq: n,
        lane: 0,
        at_ms: 1,
        position: 1,
    };
    assert_eq!(keys.find(&mut database, (0, 0), 0).unwrap(), None);
    let (mut rows, mut made) = (1, 0_u64);
    for _ in 0..200 {
        (made..made + 10).for_each(|n| keys.insert(answer(n)));
        made += 10;
        rows += keys.flush(&mut database, rows, 9).unwrap();
    }
    // One row is read for all that is in it.
    let before = database.statements;
    for n in (50..60).chain(50..60) {
        assert_eq!(
            keys.find(&mut database, (n, n), 0).unwrap(),
            Some(answer(n))
        );
    }
    assert_eq!(database.statements - before, 1);
    (made..made + IDEMPOTENCY_KEYS_MAX as u64).for_each(|n| keys.insert(answer(n)));
    rows += keys.flush(&mut database, rows, 9).unwrap();
    assert_eq!(database.count("idempotency"), rows - 1 - 200);
    assert_eq!(keys.find(&mut database, (55, 55), 0).unwrap(), None);
    assert!(keys.find(&mut database, (made, made), 0).unwrap().is_some());
}
