//! A subscription whose row is sound and says what this version refuses stands aside, and nothing
//! else is concerned.

use super::bench::{Bench, NAME};
use tidegate::command::codec::decode;
use tidegate::command::patterns::{PatternSet, PatternSubscription};
use tidegate::command::topic::{Start, TopicCommand, TopicReply};
use tidegate::command::{Command, Envelope};
use tidegate::engine::topic::Topic;
use tidegate::error::ErrorCode;
use tidegate::limits::SUBSCRIPTIONS_MAX;
use tidegate::store::seal;

const FILTER: &str = r#"{"attributes":{"a":[{"exists":false}]}}"#;
/// What a later version may know.
const LATER: &str = r#"{"attributes":{"a":[{"exosts":false}]}}"#;

/// When a topic of the bench begins.
const NOW_MS: u64 = 1_700_000_000_000;

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

/// Its one subscription has handed on what was published before, and stands aside from then on.
fn set_aside(mut bench: Bench) -> Bench {
    bench.publish("before", None);
    assert_eq!(handed(&mut bench), ["before"]);
    rewrite(&mut bench, FILTER, LATER);
    bench.publish("meanwhile", None);
    assert!(handed(&mut bench).is_empty());
    bench
}

fn with_one_aside(patch: &str) -> Bench {
    let mut bench = Bench::new("{}");
    let filter = format!("{{\"filter\":{FILTER}{patch}}}");
    bench.turn(vec![subscribe("mine", &filter)]);
    handed(&mut bench);
    set_aside(bench)
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

/// What the directory says of one subscription of the pattern `#`, or of none.
fn set(filter: Option<&str>, version: u64) -> PatternSet {
    let subscription = |filter: &str| PatternSubscription {
        pattern: "#".into(),
        name: "all".into(),
        filter: Some(filter.into()),
        target: Some("orders".into()),
        paused: false,
        start: Start::Latest,
        since_ms: NOW_MS,
        epoch: 1,
    };
    PatternSet {
        version,
        subscriptions: filter.map(subscription).into_iter().collect(),
    }
}

fn told(filter: &str, version: u64) -> TopicCommand<'static> {
    TopicCommand::Patterns(set(Some(filter), version))
}

#[test]
fn a_pattern_whose_filter_is_refused_is_not_taken_and_changes_nothing() {
    let mut bench = Bench::new("{}");
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

#[test]
fn a_topic_that_refuses_a_pattern_registers_once_it_understands_it() {
    let mut bench = Bench::new("{}");
    bench.publish("a", None);
    for (filter, is_taken) in [(LATER, false), (LATER, false), (FILTER, true)] {
        let call = bench.calls.iter().find(|it| it.object.starts_with('#'));
        let number = call.expect("it asks again").number;
        bench.calls.clear();
        let answer = serde_json::to_vec(&set(Some(filter), 7)).unwrap();
        bench.topic.called(number, true, &answer);
        bench.turn(Vec::new());
        assert_eq!(bench.database.count("subscriptions"), u64::from(is_taken));
        assert_eq!(bench.failed_turns, 0);
        // Messages are taken meanwhile, and a retry is due by an alarm.
        bench.publish("b", None);
        if !is_taken {
            let at = bench.alarm_at_ms.expect("nothing would wake it");
            bench.now_ms = bench.now_ms.max(at);
            bench.turn(Vec::new());
        }
    }
    bench.reopen();
    bench.turn(Vec::new());
    assert!(
        bench.calls.iter().all(|it| !it.object.starts_with('#')),
        "it is registered"
    );
}

/// One of a pattern, which has handed on what was published before it stood aside.
fn with_a_patterns_aside() -> Bench {
    let mut bench = Bench::new("{}");
    bench.ask(told(FILTER, 7)).unwrap();
    set_aside(bench)
}

#[test]
fn one_of_a_pattern_goes_on_where_it_was_when_the_directory_tells_of_it() {
    let mut bench = with_a_patterns_aside();
    bench
        .ask(told(r#"{"attributes":{"b":[{"exists":false}]}}"#, 8))
        .unwrap();
    assert_eq!(handed(&mut bench), ["meanwhile"]);
    bench.publish("after", None);
    assert_eq!(handed(&mut bench), ["after"]);
}

#[test]
fn one_of_a_pattern_that_is_gone_is_gone() {
    let mut bench = with_a_patterns_aside();
    bench.ask(TopicCommand::Patterns(set(None, 8))).unwrap();
    assert_eq!(bench.database.count("subscriptions"), 0);
    let Ok(TopicReply::Described { description, .. }) = bench.ask(TopicCommand::Describe) else {
        panic!("no description")
    };
    assert_eq!(description.subscriptions, 0);
}

#[test]
fn a_filter_that_is_no_json_is_damage() {
    let mut bench = Bench::new("{}");
    let filter = format!("{{\"filter\":{FILTER},\"target\":{{\"queue\":\"orders\"}}}}");
    bench.turn(vec![subscribe("mine", &filter)]);
    let change = |stored: &mut Vec<u8>| {
        let at = stored.windows(2).position(|it| it == br#"{""#);
        stored[at.unwrap()] = b'!';
        seal::close(stored);
    };
    assert!(bench.database.damage("subscriptions", "config", 0, change));
    let opened = Topic::open(&mut bench.database, NAME, [9; 16], NOW_MS);
    assert!(opened.is_err(), "no version wrote that");
    assert_eq!(
        Topic::repair(&mut bench.database, [9; 16], NOW_MS).unwrap(),
        1
    );
    bench.reopen();
    assert_eq!(bench.database.count("quarantine"), 1);
    assert_eq!(bench.database.count("subscriptions"), 0);
}

#[test]
fn those_that_stand_aside_count() {
    let mut bench = Bench::new("{}");
    let filter = format!("{{\"filter\":{FILTER},\"target\":{{\"queue\":\"orders\"}}}}");
    let names: Vec<String> = (0..SUBSCRIPTIONS_MAX).map(|n| format!("s{n:05}")).collect();
    bench.turn(names.iter().map(|it| subscribe(it, &filter)).collect());
    rewrite(&mut bench, FILTER, LATER);
    let more = bench.ask(subscribe("more", &filter)).unwrap_err();
    assert_eq!(more.code, ErrorCode::Overloaded);
    assert!(
        bench.ask(subscribe(&names[0], &filter)).is_ok(),
        "it has its place"
    );
}
