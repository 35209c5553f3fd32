//! The line before a full queue: who waits, who gets in, and what they are told meanwhile.

use crate::bench::{Bench, draft, lease};
use tidegate::command::{Ack, AckEntry, Command, Draft, Pull, Reply, State, Wait};
use tidegate::error::ErrorCode;
use tidegate::id::Id;

const ONE_PLACE: &str = r#"{"capacity":{"max_accepted":1,"overflow":"wait"}}"#;

fn configure(bench: &mut Bench, patch: &str) {
    bench.ask(Command::Configure { patch }).unwrap();
}

fn position(bench: &mut Bench, id: Id) -> Option<u64> {
    let state = bench.state(id).unwrap();
    assert_eq!(state.state, State::Waiting);
    state.position
}

fn release(lease_id: &str) -> Command<'static> {
    let lease_id: &'static str = lease_id.to_owned().leak();
    Command::Ack(Ack {
        acks: vec![AckEntry {
            lease_id: tidegate::command::LeaseRef::Text(lease_id),
            release: true,
            ..AckEntry::default()
        }],
        ..Ack::default()
    })
}

#[test]
fn a_place_that_comes_back_admits_the_next_in_the_same_turn() {
    let mut bench = Bench::new(ONE_PLACE);
    bench.put("first");
    let [second, third] = ["second", "third"].map(|body| bench.put(body));
    assert_eq!(second.waiting.unwrap().position, Some(1));
    assert_eq!(third.waiting.unwrap().position, Some(2));
    let leases: Vec<String> = bench.pull(10).iter().map(lease).collect();
    assert_eq!(leases.len(), 1, "who waits is not delivered");
    bench.reopen();
    // A waiting pull gets what the release of the same turn admits.
    let pull = Command::Pull(Pull {
        batch_size: 10,
        wait_ms: 1_000,
        ..Pull::default()
    });
    let token = bench.turn(vec![pull, release(&leases[0])])[0];
    let Some(Ok(Reply::Pulled { messages, .. })) = bench.answer(token) else {
        panic!("not delivered")
    };
    assert_eq!((messages[0].seq, messages[0].id), (second.seq, second.id));
    assert_eq!(messages[0].timestamp_ms, second.timestamp_ms);
    assert_eq!(position(&mut bench, third.id), Some(1));
    let figures = bench.describe();
    assert_eq!((figures.waiting, figures.accepted), (1, 1));
}

#[test]
fn whoever_leaves_lets_those_behind_move_up() {
    let mut bench = Bench::new(ONE_PLACE);
    bench.put("first");
    let ids: Vec<Id> = (0..200).map(|n| bench.put(&n.to_string()).id).collect();
    for id in ids.iter().step_by(2) {
        bench.ask(Command::Cancel { id: *id }).unwrap();
    }
    assert_eq!(bench.state(ids[0]).unwrap().state, State::Cancelled);
    for reopened in [false, true] {
        for (at, id) in ids.iter().enumerate().filter(|(at, _)| at % 2 == 1) {
            assert_eq!(
                position(&mut bench, *id),
                Some(at as u64 / 2 + 1),
                "{reopened}"
            );
        }
        bench.reopen();
    }
    configure(&mut bench, r#"{"capacity":{"max_accepted":null}}"#);
    let seqs: Vec<u64> = bench.pull(1_000).iter().map(|d| d.seq).collect();
    assert_eq!(seqs.len(), 101);
    assert!(seqs.is_sorted(), "{seqs:?}");
}

#[test]
fn a_full_line_refuses_as_a_full_queue_does() {
    for (limit, code) in [
        (r#""max_accepted":1"#, ErrorCode::SoldOut),
        (r#""max_messages":1"#, ErrorCode::QueueFull),
    ] {
        let mut bench = Bench::new(&format!(
            r#"{{"capacity":{{{limit},"overflow":"wait","max_waiting":2}}}}"#
        ));
        bench.turn((0..5).map(|_| Command::Publish(draft("x"))).collect());
        let accepted = bench.last.replies.iter().filter(|(_, r)| r.is_ok()).count();
        assert_eq!(accepted, 3);
        let fault = bench.publish(draft("x")).unwrap_err();
        assert_eq!(fault.code, code);
        assert!(fault.figures.verdict_ms.is_some(), "the edge may repeat it");
        // With the line closed, those in it stay, and nobody overtakes them.
        configure(&mut bench, r#"{"capacity":{"overflow":"reject"}}"#);
        assert_eq!(bench.describe().waiting, 2);
        configure(
            &mut bench,
            r#"{"capacity":{"max_accepted":2,"max_messages":2}}"#,
        );
        assert_eq!(bench.describe().waiting, 1);
        assert!(bench.publish(draft("late")).is_err());
        configure(
            &mut bench,
            r#"{"capacity":{"max_accepted":4,"max_messages":4}}"#,
        );
        assert!(bench.publish(draft("late")).unwrap().waiting.is_none());
    }
}

#[test]
fn a_hold_begins_when_the_message_is_admitted() {
    let mut bench = Bench::new(ONE_PLACE);
    let first = bench.put("first");
    let held = bench
        .publish(Draft {
            hold_ms: Some(1_000),
            ..draft("held")
        })
        .unwrap();
    bench.pass(5_000);
    assert_eq!(position(&mut bench, held.id), Some(1));
    bench.ask(Command::Cancel { id: first.id }).unwrap();
    assert_eq!(bench.state(held.id).unwrap().state, State::Held);
    bench.pass(999);
    assert_eq!(bench.state(held.id).unwrap().state, State::Held);
    bench.pass(2);
    assert_eq!(bench.state(held.id).unwrap().state, State::Expired);
    assert_eq!(bench.describe().accepted, 0);
}

#[test]
fn a_share_of_a_key_is_taken_by_waiting_and_given_back_by_leaving() {
    let mut bench =
        Bench::new(r#"{"capacity":{"max_accepted":0,"max_per_key":1,"overflow":"wait"}}"#);
    let mine = || Draft {
        key: Some("me"),
        ..draft("x")
    };
    let first = bench.publish(mine()).unwrap();
    let code = bench.publish(mine()).unwrap_err().code;
    assert_eq!(code, ErrorCode::KeyLimit);
    bench.ask(Command::Cancel { id: first.id }).unwrap();
    assert!(bench.publish(mine()).unwrap().waiting.is_some());
}

#[test]
fn a_repeat_is_told_the_first_place() {
    let mut bench = Bench::new(ONE_PLACE);
    let first = bench.put("first");
    let once = || Draft {
        idempotency_key: Some("once"),
        ..draft("x")
    };
    bench.put("before");
    let waits = bench.publish(once()).unwrap();
    assert_eq!(waits.waiting.unwrap().position, Some(2));
    bench.ask(Command::Cancel { id: first.id }).unwrap();
    bench.reopen();
    let again = bench.publish(once()).unwrap();
    assert_eq!((again.id, again.waiting), (waits.id, waits.waiting));
    assert_eq!(bench.describe().waiting, 1);
}

#[test]
fn a_read_is_answered_when_the_message_waits_no_longer() {
    let mut bench = Bench::new(ONE_PLACE);
    let first = bench.put("first");
    let second = bench.put("second");
    let wait = Wait::Final { wait_ms: 30_000 };
    let id = second.id;
    let token = bench.turn(vec![Command::Inspect { id, wait }])[0];
    assert!(bench.answer(token).is_none());
    bench.turn(vec![Command::Cancel { id: first.id }]);
    let Some(Ok(Reply::State(state))) = bench.answer(token) else {
        panic!("no answer")
    };
    assert_eq!((state.state, state.position), (State::Queued, Some(1)));
}

#[test]
fn many_are_admitted_in_steps_and_a_place_is_told_among_a_hundred_thousand() {
    let mut bench =
        Bench::new(r#"{"capacity":{"max_accepted":0,"overflow":"wait","max_waiting":1000000}}"#);
    let mut last = None;
    for _ in 0..100 {
        let drafts = (0..1_000).map(|_| Ok(draft("x"))).collect();
        let Reply::Batch(verdicts) = bench.ask(Command::PublishBatch(drafts)).unwrap() else {
            panic!()
        };
        last = verdicts.into_iter().last();
    }
    let last = last.unwrap().unwrap().id;
    bench.reopen();
    let read = bench.database.rows_read;
    for _ in 0..100 {
        assert_eq!(position(&mut bench, last), Some(100_000));
    }
    assert!(bench.database.rows_read - read < 10);
    configure(&mut bench, r#"{"capacity":{"max_accepted":95000}}"#);
    assert_eq!(bench.describe().waiting, 80_000, "ten thousand a turn");
    for _ in 0..20 {
        bench.turn(Vec::new());
    }
    let figures = bench.describe();
    assert_eq!((figures.waiting, figures.accepted), (5_000, 95_000));
    assert_eq!(position(&mut bench, last), Some(5_000));
    let estimate = bench.state(last).unwrap().estimated_wait_ms;
    assert!(estimate.is_some_and(|ms| ms > 0), "{estimate:?}");
}

#[test]
fn who_never_fits_any_more_is_a_dead_letter_and_holds_up_nobody() {
    let mut bench = Bench::new(
        r#"{"capacity":{"max_messages":1,"max_per_key":9,"overflow":"wait"},
            "delivery":{"max_attempts":1}}"#,
    );
    let put = |bench: &mut Bench, body: &str| {
        let draft = Draft {
            key: Some("me"),
            ..draft(body)
        };
        bench.publish(draft).unwrap()
    };
    put(&mut bench, "first");
    let large = put(&mut bench, "much too large for what comes");
    let small = put(&mut bench, "small");
    configure(&mut bench, r#"{"capacity":{"max_bytes":10}}"#);
    let lease_id = lease(&bench.pull(1)[0]);
    bench.ack(&lease_id).unwrap();
    assert_eq!(bench.state(small.id).unwrap().state, State::Queued);
    assert_eq!(bench.state(large.id).unwrap().state, State::Dead);
    let figures = bench.describe();
    assert_eq!((figures.waiting, figures.dead, figures.depth), (0, 1, 1));
    bench.reopen();
    assert_eq!(bench.pull(9).len(), 1);
}

#[test]
fn of_many_who_never_fit_a_bounded_number_is_buried_in_a_turn() {
    let mut bench =
        Bench::new(r#"{"capacity":{"max_messages":1,"max_waiting":100000,"overflow":"wait"}}"#);
    bench.put("first");
    for _ in 0..3 {
        let drafts = (0..1_000).map(|_| Ok(draft("too large for what comes")));
        bench.ask(Command::PublishBatch(drafts.collect())).unwrap();
    }
    // Nothing may be there: who waits does so until that changes.
    let lease_id = lease(&bench.pull(1)[0]);
    configure(&mut bench, r#"{"capacity":{"max_bytes":0}}"#);
    bench.ack(&lease_id).unwrap();
    assert_eq!(
        (bench.describe().waiting, bench.describe().dead),
        (3_000, 0)
    );
    configure(&mut bench, r#"{"capacity":{"max_bytes":10}}"#);
    let (mut dead, mut most) = (bench.describe().dead, 0);
    for _ in 0..20 {
        bench.turn(Vec::new());
        let now = bench.describe().dead;
        most = most.max(now - dead);
        dead = now;
    }
    assert_eq!((dead, bench.describe().waiting), (3_000, 0));
    assert!(most <= 1_100, "{most} in two turns");
}

#[test]
fn what_may_be_there_is_not_lowered_while_some_wait_for_a_draw() {
    let mut bench = Bench::new(
        r#"{"capacity":{"admission":"draw","draw_at_ms":1700000060000,"max_accepted":5}}"#,
    );
    let lower = r#"{"capacity":{"max_bytes":10}}"#;
    bench.put("somewhat larger than that");
    let refused = bench.ask(Command::Configure { patch: lower }).unwrap_err();
    assert_eq!(refused.code, ErrorCode::BadRequest);
    bench.pass(60_001);
    configure(&mut bench, lower);
}
