//! A request and its reply: publishes that wait for what becomes of their message.

use crate::bench::{Bench, draft, lease};
use tidegate::command::{Ack, AckEntry, Command, Draft, Reply, State};
use tidegate::error::ErrorCode;

/// Publishes with a wish to wait; the token it will be answered under.
fn ask(bench: &mut Bench, draft: Draft<'_>, wait_ms: u64) -> u32 {
    bench.turn(vec![Command::PublishAndWait { draft, wait_ms }])[0]
}

fn finish(bench: &mut Bench, result: Option<&'static str>) {
    let delivery = bench.pull(1).remove(0);
    let lease_id = lease(&delivery);
    let entry = AckEntry {
        lease_id: (&lease_id).into(),
        result,
        release: false,
    };
    bench.turn(vec![Command::Ack(Ack {
        acks: vec![entry],
        ..Ack::default()
    })]);
}

/// The final state that was answered, and the result.
fn ended(bench: &mut Bench, token: u32) -> (State, Option<String>) {
    match bench.answer(token) {
        Some(Ok(Reply::State(state))) => (state.state, state.result),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_result_is_the_answer() {
    let mut bench = Bench::new("{}");
    let token = ask(&mut bench, draft("2"), 5_000);
    assert!(bench.answer(token).is_none(), "nothing is known yet");
    finish(&mut bench, Some("4"));
    let expected = (State::Done, Some("4".to_owned()));
    assert_eq!(ended(&mut bench, token), expected);
}

#[test]
fn who_waited_in_vain_is_told_that_it_was_accepted() {
    let mut bench = Bench::new("{}");
    let token = ask(&mut bench, draft("2"), 5_000);
    let timer_at_ms = bench.last.timer_at_ms.unwrap();
    assert_eq!(timer_at_ms, bench.now_ms + 5_000);
    bench.now_ms = timer_at_ms;
    bench.turn(Vec::new());
    let Some(Ok(Reply::Accepted(accepted))) = bench.answer(token) else {
        panic!("no answer");
    };
    assert_eq!(accepted.seq, 1);
    assert_eq!(bench.state(accepted.id).unwrap().state, State::Queued);
}

#[test]
fn a_repeat_waits_for_the_same_message() {
    let mut bench = Bench::new("{}");
    let once = |body| Draft {
        idempotency_key: Some("k"),
        ..draft(body)
    };
    let first = ask(&mut bench, once("a"), 5_000);
    let second = ask(&mut bench, once("b"), 5_000);
    finish(&mut bench, Some("1"));
    assert_eq!(ended(&mut bench, first), ended(&mut bench, second));
    // It has ended: there is nothing to wait for.
    let late = ask(&mut bench, once("c"), 5_000);
    assert_eq!(ended(&mut bench, late).1.as_deref(), Some("1"));
    assert_eq!(bench.describe().accepted_total, 1);
}

#[test]
fn what_is_refused_or_purged_is_answered_at_once() {
    let mut bench = Bench::new(r#"{"capacity": {"max_messages": 1}}"#);
    let token = ask(&mut bench, draft("a"), 5_000);
    let refused = ask(&mut bench, draft("b"), 5_000);
    let fault = bench.answer(refused).unwrap().unwrap_err();
    assert_eq!(fault.code, ErrorCode::QueueFull);
    bench.turn(vec![Command::Purge]);
    assert!(matches!(bench.answer(token), Some(Ok(Reply::Accepted(_)))));
}

#[test]
fn a_dead_letter_is_an_answer_too() {
    let mut bench = Bench::new(r#"{"delivery": {"max_attempts": 1}}"#);
    let token = ask(&mut bench, draft("a"), 60_000);
    let delivery = bench.pull(1).remove(0);
    bench.turn(vec![Command::Ack(Ack {
        retries: vec![((&lease(&delivery)).into(), None)],
        ..Ack::default()
    })]);
    assert_eq!(ended(&mut bench, token).0, State::Dead);
}
