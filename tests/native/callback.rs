//! Callbacks: that another queue is told of what is done or given up, once each.

use crate::bench::{Bench, draft, lease, text};
use crate::dead_letter::Pair;
use serde_json::{Value, json};
use tidegate::command::{AckEntry, Command, Delivery, Draft, State, codec};
use tidegate::limits::OUTBOX_MAX;

const CONFIG: &str = r#"{"delivery":{"callback_queue":"graves","max_attempts":1,
    "failure_callback_queue":"graves"}}"#;

fn event(delivery: &Delivery) -> (String, Value) {
    let attribute = |wanted: &str| {
        let found = delivery.attributes.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    assert_eq!(attribute("ce-source"), "/v1/queues/orders");
    assert_eq!(delivery.content_type.as_deref(), Some("application/json"));
    let data = serde_json::from_str(&text(delivery)).unwrap();
    (attribute("ce-type"), data)
}

fn order() -> Draft<'static> {
    Draft {
        key: Some("k"),
        attributes: vec![("colour", "red")],
        ..draft("body")
    }
}

/// Acknowledges what is pulled next, with a result.
fn finish(bench: &mut Bench, result: Option<&str>) {
    let delivery = bench.pull(1).remove(0);
    let entry = AckEntry {
        lease_id: delivery.lease_id.unwrap().into(),
        result,
        release: false,
    };
    let ack = tidegate::command::Ack {
        acks: vec![entry],
        ..Default::default()
    };
    bench.ask(Command::Ack(ack)).unwrap();
}

#[test]
fn what_is_done_is_told_with_its_result_once_whatever_crashes() {
    let mut pair = Pair::new(CONFIG, "{}");
    let accepted = pair.home.publish(order()).unwrap();
    let began = pair.home.now_ms;
    pair.home.pass(5);
    finish(&mut pair.home, Some(r#"{"b":1,"a":1.50}"#));
    // It arrives, the answer is lost in a crash, and it is sent again.
    let sent = std::mem::take(&mut pair.home.last.calls);
    assert_eq!(sent.len(), 1);
    let arrived = codec::decode(&sent[0].command).unwrap().command;
    pair.graves.ask(arrived).unwrap();
    pair.home.reopen();
    pair.home.turn(Vec::new());
    pair.run();
    let told = pair.graves.pull(9);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].key.as_deref(), Some("k"));
    let (kind, data) = event(&told[0]);
    assert_eq!(kind, "tidegate.message.done");
    let expected = json!({
        "queue": "orders", "id": accepted.id.to_string(), "seq": 1, "state": "done",
        "attempts": 1, "timestamp_ms": began, "at_ms": pair.home.now_ms, "key": "k",
        "attributes": {"colour": "red"}, "result": {"a": 1.5, "b": 1},
    });
    assert_eq!(data, expected);
    assert!(text(&told[0]).contains(r#""result":{"b":1,"a":1.50}"#));
    assert_eq!(pair.home.database.count("dead"), 0);
    // Of an event that tells of a message nobody is told, or there would be no end to it.
    let patch = r#"{"delivery":{"callback_queue":"orders"}}"#;
    pair.graves.ask(Command::Configure { patch }).unwrap();
    pair.graves.ack(&lease(&told[0])).unwrap();
    assert_eq!(pair.graves.database.count("dead"), 0);
}

#[test]
fn a_message_is_done_while_that_waits_to_be_told() {
    let mut pair = Pair::new(CONFIG, "{}");
    let accepted = pair.home.publish(order()).unwrap();
    finish(&mut pair.home, None);
    assert_eq!(pair.home.state(accepted.id).unwrap().state, State::Done);
    pair.home.reopen();
    assert_eq!(pair.home.state(accepted.id).unwrap().state, State::Done);
}

#[test]
fn what_is_given_up_is_told_each_time() {
    let mut pair = Pair::new(CONFIG, "{}");
    let accepted = pair.home.publish(order()).unwrap();
    for _ in 0..2 {
        let delivery = pair.home.pull(1).remove(0);
        pair.home.retry(&lease(&delivery)).unwrap();
        pair.run();
        let told = pair.graves.pull(9);
        assert_eq!(told.len(), 1);
        let (kind, data) = event(&told[0]);
        assert_eq!(kind, "tidegate.message.dead");
        assert_eq!(data["id"], accepted.id.to_string());
        assert_eq!(
            (&data["reason"], &data["attempts"]),
            (&json!("max_attempts"), &json!(1))
        );
        assert_eq!(pair.home.describe().dead, 1, "it is here still");
        pair.home.ask(Command::Redrive).unwrap();
        pair.home.pass(1);
    }
}

#[test]
fn nothing_is_delivered_while_too_much_waits_to_be_told() {
    let mut pair = Pair::new(CONFIG, "{}");
    for _ in 0..OUTBOX_MAX / 1_000 {
        for _ in 0..1_000 {
            pair.home.put("x");
        }
        for delivery in pair.home.pull(1_000) {
            pair.home.ack(&lease(&delivery)).unwrap();
        }
    }
    pair.home.put("late");
    assert!(pair.home.pull(1).is_empty());
    pair.home.reopen();
    pair.home.turn(Vec::new());
    pair.run();
    assert_eq!(pair.graves.describe().depth, OUTBOX_MAX);
    assert_eq!(text(&pair.home.pull(1)[0]), "late");
}
