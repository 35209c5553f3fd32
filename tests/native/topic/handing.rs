//! Durable subscriptions and a queue that is now full, now deaf, now quick, now gone before it could
//! answer; with starts of the topic at any moment. What the queue has is what was published, once
//! and in order.

use super::bench::Bench;
use crate::bench::{Bench as QueueBench, lease};
use crate::random::Random;
use tidegate::command::topic::{Start, TopicCommand, TopicReply};
use tidegate::command::{Command, Reply, codec};

/// What the directory answers a topic that no pattern stands for.
pub const NO_PATTERNS: &[u8] = br#"{"version":1,"subscriptions":[]}"#;

/// Carries out a call to the queue; whether its answer arrives is for the caller to say.
pub fn deliver(queue: &mut QueueBench, command: &[u8]) -> (bool, Vec<u8>) {
    let envelope = codec::decode(command).unwrap();
    match queue.ask(envelope.command) {
        Ok(Reply::Moved(moved)) => (true, format!("{{\"moved\":{moved}}}").into_bytes()),
        Ok(_) => (true, Vec::new()),
        Err(_) => (false, Vec::new()),
    }
}

fn run_calls(bench: &mut Bench, queue: &mut QueueBench, random: &mut Random) {
    for call in std::mem::take(&mut bench.calls) {
        if call.object.starts_with('#') {
            bench.topic.called(call.number, true, NO_PATTERNS);
            continue;
        }
        match random.below(6) {
            0 => bench.topic.called(call.number, false, b""),
            1 => {
                deliver(queue, &call.command);
                bench.topic.called(call.number, false, b"");
            }
            2 => {
                // The topic's object is gone before the answer comes.
                deliver(queue, &call.command);
                bench.reopen();
                return;
            }
            _ => {
                let (ok, body) = deliver(queue, &call.command);
                bench.topic.called(call.number, ok, &body);
            }
        }
    }
}

/// Lets alarms, retries and calls happen until the subscription is up to date.
fn drain(bench: &mut Bench, queue: &mut QueueBench, random: &mut Random, name: &str) {
    for _ in 0..2_000 {
        run_calls(bench, queue, random);
        bench.turn(Vec::new());
        if bench.calls.is_empty() {
            let Ok(TopicReply::Subscription { subscription, .. }) =
                bench.ask(TopicCommand::Subscription { name })
            else {
                panic!("no subscription");
            };
            if subscription.lag == 0 {
                return;
            }
            // A retry is due by an alarm, or it would never be.
            let at = bench.alarm_at_ms.expect("nothing would wake it");
            bench.now_ms = bench.now_ms.max(at);
        }
        queue.now_ms = bench.now_ms;
    }
    panic!("it never arrives");
}

#[test]
fn a_queue_gets_each_message_once_and_in_order() {
    for seed in 0..30 {
        let mut random = Random::new(seed);
        let mut bench = Bench::new("{}");
        let mut queue = QueueBench::named("sink", r#"{"capacity":{"max_messages":150}}"#);
        queue.now_ms = bench.now_ms;
        let patch = r#"{"target":{"queue":"sink"}}"#;
        bench
            .ask(TopicCommand::Subscribe { name: "s", patch })
            .unwrap();
        let (mut published, mut got) = (0, Vec::new());
        for _ in 0..60 {
            for _ in 0..random.below(40) {
                bench.publish(&published.to_string(), None);
                published += 1;
            }
            run_calls(&mut bench, &mut queue, &mut random);
            if random.below(3) == 0 {
                got.extend(take_all(&mut queue));
            }
        }
        for _ in 0..published {
            if got.len() == published {
                break;
            }
            queue
                .ask(Command::Configure {
                    patch: r#"{"capacity":{"max_messages":100000}}"#,
                })
                .unwrap();
            drain(&mut bench, &mut queue, &mut random, "s");
            got.extend(take_all(&mut queue));
        }
        let wanted: Vec<String> = (0..published).map(|n| n.to_string()).collect();
        assert_eq!(got, wanted, "seed {seed}");
    }
}

/// Pulls and acknowledges everything there is.
fn take_all(queue: &mut QueueBench) -> Vec<String> {
    let mut bodies = Vec::new();
    loop {
        let messages = queue.pull(100);
        if messages.is_empty() {
            return bodies;
        }
        for message in &messages {
            bodies.push(String::from_utf8(message.body.bytes().to_vec()).unwrap());
        }
        for message in &messages {
            queue.ack(&lease(message)).unwrap();
        }
    }
}

/// A topic with so many subscriptions, each of which feeds a queue.
fn subscribed(count: usize) -> Bench {
    let mut bench = Bench::new("{}");
    for n in 0..count {
        let (name, patch) = (
            format!("s{n}"),
            format!(r#"{{"target":{{"queue":"q{n}"}}}}"#),
        );
        let command = TopicCommand::Subscribe {
            name: &name,
            patch: &patch,
        };
        bench.ask(command).unwrap();
    }
    bench
}

#[test]
fn a_thousand_subscriptions_are_handed_on_a_few_calls_at_a_time() {
    let mut bench = subscribed(1_000);
    bench.publish("x", None);
    let of_queues = bench.calls.iter().filter(|it| !it.object.starts_with('#'));
    assert_eq!(of_queues.count(), 0, "a publisher's turn hands nothing on");
    let published_ms = bench.now_ms;
    let mut reached = 0;
    for _ in 0..200 {
        bench.now_ms += 16;
        let calls = std::mem::take(&mut bench.calls);
        let soon = bench.now_ms < published_ms + 1_000;
        let calls_max = if soon { 2 } else { 9 };
        assert!(calls.len() <= calls_max, "{} calls at a time", calls.len());
        for call in &calls {
            let is_queue = !call.object.starts_with('#');
            reached += u64::from(is_queue);
            let moved: &[u8] = b"{\"moved\":1}";
            let answer = if is_queue { moved } else { NO_PATTERNS };
            bench.topic.called(call.number, true, answer);
        }
        bench.turn(Vec::new());
    }
    assert_eq!(reached, 1_000);
    let Ok(TopicReply::Described { description, .. }) = bench.ask(TopicCommand::Describe) else {
        panic!("no description");
    };
    assert_eq!((description.subscriptions, description.lag_max), (1_000, 0));
}

#[test]
fn while_calls_are_under_way_no_turn_is_asked_for_in_vain() {
    let mut bench = subscribed(100);
    for call in std::mem::take(&mut bench.calls) {
        bench.topic.called(call.number, true, NO_PATTERNS);
    }
    bench.turn(Vec::new());
    bench.publish("x", None);
    let first_ms = bench.timer_at_ms.unwrap();
    assert!(first_ms > bench.now_ms);
    let mut turns = 0;
    while let Some(at) = bench.timer_at_ms {
        assert!(at > bench.now_ms, "a turn asked for at once");
        bench.now_ms = at;
        bench.turn(Vec::new());
        turns += 1;
    }
    // Two calls are under way, and their answers bring the next turns.
    assert_eq!((turns, bench.calls.len()), (2, 2));
    assert!(
        bench.alarm_at_ms.unwrap() <= bench.now_ms + 2_000,
        "it died and nobody wakes it"
    );
}

#[test]
fn a_seek_hands_on_again_what_was_handed_on_before() {
    let mut random = Random::new(1);
    let mut bench = Bench::new("{}");
    let mut queue = QueueBench::named("sink", "{}");
    queue.now_ms = bench.now_ms;
    let patch = r#"{"target":{"queue":"sink"}}"#;
    bench
        .ask(TopicCommand::Subscribe { name: "s", patch })
        .unwrap();
    for n in 0..5 {
        bench.publish(&n.to_string(), None);
    }
    drain(&mut bench, &mut queue, &mut random, "s");
    assert_eq!(take_all(&mut queue).len(), 5);
    let to = Start::Seq(4);
    bench.ask(TopicCommand::Seek { name: "s", to }).unwrap();
    drain(&mut bench, &mut queue, &mut random, "s");
    assert_eq!(take_all(&mut queue), ["3", "4"]);
}
