//! A subscription whose row is sound and says what this version refuses stands aside, and nothing
//! else is concerned.

use super::bench::{Bench, NAME};
use tidegate::command::codec::decode;
use tidegate::command::patterns::{PatternSet, PatternSubscription};
use tidegate::command::topic::{Start, TopicCommand, TopicReply};
use tidegate::command::{Command, Envelope};
use tidegate::error::ErrorCode;
use tidegate::store::seal;

const FILTER: &str = r#"{"attributes":{"a":[{"exists":false}]}}"#;
/// What a later version may know.
const LATER: &str = r#"{"attributes":{"a":[{"exosts":false}]}}"#;

fn subscribe<'a>(name: &'a str, patch: &'a str) -> TopicCommand<'a> {
    TopicCommand::Subscribe { name, patch }
}

/// As another version would have written it, or this one.
fn rewrite(bench: &mut Bench, from: &str, to: &str) {
    let change = |stored: &mut Vec<u8>| {
        let at = stored
            .windows(from.len())
            .position(|it| it == from.as_bytes());
        let at = at.expect("the filter is there");
        stored[at..at + from.len()].copy_from_slice(to.as_bytes());
        seal::close(stored);
    };
    assert!(bench.database.damage("subscriptions", "config", 0, change));
    bench.reopen();
}

/// Bodies that were handed to a queue since, by calls that are answered.
fn handed(bench: &mut Bench) -> Vec<String> {
    let mut bodies = Vec::new();
    for _ in 0..20 {
        bench.turn(Vec::new());
        for call in std::mem::take(&mut bench.calls) {
            let mut moved = 0;
            if let Ok(Envelope {
                command: Command::Forward { messages, .. },
                ..
            }) = decode(&call.command)
            {
                moved = messages.len();
                let body = |it: &[u8]| String::from_utf8_lossy(it).into_owned();
                bodies.extend(messages.iter().map(|it| body(it.draft.body)));
            }
            let answer = format!("{{\"moved\":{moved}}}");
            bench.topic.called(call.number, true, answer.as_bytes());
        }
    }
    bodies
}

fn with_one_aside(patch: &str) -> Bench {
    let mut bench = Bench::new("{}");
    let filter = format!("{{\"filter\":{FILTER}{patch}}}");
    bench.turn(vec![subscribe("mine", &filter)]);
    handed(&mut bench);
    bench.publish("before", None);
    assert_eq!(handed(&mut bench), ["before"]);
    rewrite(&mut bench, FILTER, LATER);
    bench.publish("meanwhile", None);
    assert!(handed(&mut bench).is_empty());
    bench
}

#[test]
fn it_stands_aside_and_the_log_is_told_once() {
    let mut bench = with_one_aside(r#","target":{"queue":"orders"}"#);
    bench.publish("and", None);
    let [event] = &bench.events[..] else {
        panic!("{:?}", bench.events)
    };
    for part in ["subscription_damaged", NAME, "mine", "exosts"] {
        assert!(event.contains(part), "{part}: {event}");
    }
    let all = bench.ask(TopicCommand::Subscriptions {
        after: None,
        limit: 9,
    });
    let Ok(TopicReply::Subscriptions { subscriptions, .. }) = all else {
        panic!("{all:?}")
    };
    assert!(subscriptions.is_empty());
    let (found, missed) = bench.read(Start::Earliest, None);
    assert_eq!((found.len(), missed), (3, 0), "readers have everything");
}

#[test]
fn a_version_that_understands_it_goes_on_where_it_was() {
    let mut bench = with_one_aside(r#","target":{"queue":"orders"}"#);
    rewrite(&mut bench, LATER, FILTER);
    assert_eq!(handed(&mut bench), ["meanwhile"]);
}

#[test]
fn made_again_it_goes_on_where_it_was_with_what_its_queue_has() {
    for patch in [r#","target":{"queue":"orders"}"#, ""] {
        let mut bench = with_one_aside(patch);
        let again = format!("{{\"filter\":null{patch}}}");
        bench.turn(vec![subscribe("mine", &again)]);
        let first = bench.calls.first().map(|call| {
            let envelope = decode(&call.command).unwrap();
            matches!(envelope.command, Command::Delete)
        });
        assert_ne!(first, Some(true), "its queue is not emptied");
        assert_eq!(handed(&mut bench), ["meanwhile"], "{patch}");
    }
    let mut bench = with_one_aside(r#","target":{"queue":"orders"}"#);
    let elsewhere = r#"{"target":{"queue":"orders"},"from":"earliest"}"#;
    bench.turn(vec![subscribe("mine", elsewhere)]);
    assert_eq!(handed(&mut bench), ["before", "meanwhile"]);
}

#[test]
fn it_can_be_deleted_with_the_queue_it_may_have() {
    for is_all in [false, true] {
        let mut bench = with_one_aside("");
        let delete = match is_all {
            true => TopicCommand::Delete,
            false => TopicCommand::Unsubscribe { name: "mine" },
        };
        bench.turn(vec![delete]);
        let own = format!("{NAME}~mine#0");
        assert!(bench.calls.iter().any(|it| it.object == own), "{is_all}");
        assert_eq!(bench.database.count("subscriptions"), 0);
    }
}

#[test]
fn a_pattern_whose_filter_is_refused_is_not_taken_and_changes_nothing() {
    let mut bench = Bench::new("{}");
    let told = |filter: &str, version| {
        TopicCommand::Patterns(PatternSet {
            version,
            subscriptions: vec![PatternSubscription {
                pattern: "#".into(),
                name: "all".into(),
                filter: Some(filter.into()),
                target: Some("orders".into()),
                paused: false,
                start: Start::Latest,
                since_ms: bench_time(),
                epoch: 1,
            }],
        })
    };
    let refused = bench.ask(told(LATER, 7)).unwrap_err();
    assert_eq!(refused.code, ErrorCode::Unavailable);
    assert_eq!(
        (bench.failed_turns, bench.database.count("subscriptions")),
        (0, 0)
    );
    bench.publish("goes on", None);
    assert!(
        bench.ask(told(FILTER, 7)).is_ok(),
        "said again, it is taken"
    );
    assert_eq!(bench.database.count("subscriptions"), 1);
}

const fn bench_time() -> u64 {
    1_700_000_000_000
}
