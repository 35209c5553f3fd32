//! Limits that take many of something to reach, and what is answered one beyond them. Those that one
//! request reaches are in `tests/conformance/limits.test.mjs`.

use crate::bench::{Bench, draft};
use crate::database::Database;
use crate::push;
use crate::topic::bench::{Bench as TopicBench, publish};
use crate::topic::handing::NO_PATTERNS;
use serde_json::Value;
use tidegate::command::directory::DirectoryCommand;
use tidegate::command::patterns::PatternCommand;
use tidegate::command::topic::{Anonymous, Follow, Form, Read, Start, TopicCommand, TopicReply};
use tidegate::command::{Command, Draft, Pull, Reply};
use tidegate::durable::DirectoryObject;
use tidegate::engine::topic::Topic;
use tidegate::error::{ErrorCode, Fault};
use tidegate::limits::{
    ATTEMPT_ANSWER_BYTES_MAX, IDEMPOTENCY_KEYS_MAX, LAST_PER_KEY_MESSAGES_MAX,
    MEMORY_TOPIC_BYTES_MAX, MEMORY_TOPIC_MESSAGES_MAX, PATTERN_IDLE_MS, PATTERN_SUBSCRIPTIONS_MAX,
    PATTERN_TOPICS_MAX, PUSH_ANSWER_BYTES_MAX, READ_SCAN_MESSAGES_MAX, READERS_MAX,
    READERS_OF_NETWORK_MAX, SUBSCRIPTIONS_MAX, WAITERS_MAX,
};
use tidegate::push::outcome::Answer;

/// Messages of one batch.
const BATCH: usize = 1_000;
const MIB: usize = 1 << 20;

fn code<T>(answer: Result<T, Fault>) -> Option<ErrorCode> {
    answer.err().map(|fault| fault.code)
}

/// Appends so many small messages, the first of them with a key of its own.
fn fill(bench: &mut TopicBench, count: u64) {
    let mut left = count as usize;
    while left > 0 {
        let here = left.min(BATCH);
        let drafts = (0..here).map(|_| Ok(draft("x"))).collect();
        bench.ask(TopicCommand::PublishBatch(drafts)).unwrap();
        left -= here;
    }
}

fn read(bench: &mut TopicBench, start: Start, wait_ms: u64, filter: Option<&str>) -> Vec<u64> {
    let read = Read {
        start,
        limit: 1,
        wait_ms,
        filter,
    };
    match bench.ask(TopicCommand::Read(read)).unwrap() {
        TopicReply::Read { page, .. } => {
            let seqs = page.messages.iter().map(|it| it.seq);
            seqs.chain([page.next_seq]).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn requests_that_wait_are_bounded() {
    let pull = || {
        let wait_ms = 30_000;
        Command::Pull(Pull {
            wait_ms,
            ..Pull::default()
        })
    };
    let mut bench = Bench::new("{}");
    bench.turn((0..WAITERS_MAX).map(|_| pull()).collect());
    assert!(bench.last.replies.is_empty(), "all wait");
    assert_eq!(code(bench.ask(pull())), Some(ErrorCode::Overloaded));

    let mut bench = TopicBench::new("{}");
    let read = || {
        TopicCommand::Read(Read {
            start: Start::Latest,
            limit: 1,
            wait_ms: 30_000,
            filter: None,
        })
    };
    let replies = bench.turn((0..WAITERS_MAX).map(|_| read()).collect());
    assert!(replies.unwrap().is_empty(), "all wait");
    assert_eq!(code(bench.ask(read())), Some(ErrorCode::Overloaded));
}

#[test]
fn requests_that_wait_for_a_subscriptions_queue_are_bounded() {
    let (name, patch) = ("s", "{}");
    let put = || TopicCommand::Subscribe { name, patch };
    let mut bench = TopicBench::new("{}");
    let replies = bench.turn((0..WAITERS_MAX).map(|_| put()).collect());
    assert!(replies.unwrap().is_empty(), "all wait");
    assert_eq!(code(bench.ask(put())), Some(ErrorCode::Overloaded));
    // Who has gone leaves a place.
    bench.topic.cancel(bench.next_token - 2);
    assert!(bench.turn(vec![put()]).unwrap().is_empty(), "there was one");
    // Its queue has gone and come, and calls an endpoint: that is asked for.
    let patch = r#"{"target":{"url":"https://example.com/"}}"#;
    bench.topic.cancel(bench.next_token - 1);
    bench.turn(vec![TopicCommand::Subscribe { name, patch }]);
    for _ in 0..8 {
        for call in std::mem::take(&mut bench.calls) {
            bench.topic.called(call.number, true, NO_PATTERNS);
        }
        bench.turn(Vec::new());
    }
    let look = || TopicCommand::Subscription { name };
    let replies = bench.turn((0..WAITERS_MAX).map(|_| look()).collect());
    assert!(replies.unwrap().is_empty(), "all wait");
    for command in [look(), TopicCommand::Unsubscribe { name }] {
        assert_eq!(code(bench.ask(command)), Some(ErrorCode::Overloaded));
    }
}

#[test]
fn those_who_look_at_what_a_pattern_calls_are_bounded() {
    let mut database = Database::default();
    let mut directory = DirectoryObject::open(&mut database).unwrap();
    let (pattern, name, patch) = ("a/#", "s", r#"{"target":{"url":"https://example.com/"}}"#);
    let put = PatternCommand::Put {
        pattern,
        name,
        patch,
    };
    directory.push(1, DirectoryCommand::Patterns(put).encode().unwrap());
    for _ in 0..4 {
        let turn = database.transact(|sql| directory.run(sql, 1)).unwrap();
        for call in turn.calls {
            directory.called(call.number, true, b"");
        }
    }
    let look = PatternCommand::Topics {
        pattern,
        name,
        after: None,
    };
    let look = DirectoryCommand::Patterns(look).encode().unwrap();
    let mut run = |looks: usize| -> Vec<u16> {
        (0..looks).for_each(|_| directory.push(2, look.clone()));
        let turn = database.transact(|sql| directory.run(sql, 1)).unwrap();
        turn.replies.iter().map(|(_, it)| it.status).collect()
    };
    assert_eq!(run(WAITERS_MAX), [0; 0], "all wait");
    assert_eq!(run(1), [503]);
}

#[test]
fn live_readers_are_bounded() {
    let follow = || {
        TopicCommand::Follow(Follow {
            start: Start::Latest,
            filter: None,
            form: Form::Lines,
            member: None,
        })
    };
    let mut bench = TopicBench::new("{}");
    let replies = bench.turn((0..READERS_MAX).map(|_| follow()).collect());
    assert!(replies.unwrap().iter().all(|(_, reply)| reply.is_ok()));
    assert_eq!(code(bench.ask(follow())), Some(ErrorCode::Overloaded));
}

#[test]
fn subscriptions_of_a_topic_are_bounded() {
    let mut bench = TopicBench::new("{}");
    let names: Vec<_> = (0..=SUBSCRIPTIONS_MAX).map(|n| n.to_string()).collect();
    let mut commands = names
        .iter()
        .map(|name| TopicCommand::Subscribe { name, patch: "{}" });
    let last = commands.next_back().unwrap();
    let replies = bench.turn(commands.collect()).unwrap();
    assert!(replies.iter().all(|(_, reply)| reply.is_ok()));
    assert_eq!(code(bench.ask(last)), Some(ErrorCode::Overloaded));
    let (name, patch) = ("0", r#"{"paused":true}"#);
    // Its queue is not there yet: a change is answered once it is, and not refused.
    let change = vec![TopicCommand::Subscribe { name, patch }];
    let replies = bench.turn(change).unwrap();
    assert!(replies.iter().all(|(_, reply)| reply.is_ok()));
}

#[test]
fn subscriptions_of_patterns_are_bounded() {
    let mut database = Database::default();
    let mut directory = DirectoryObject::open(&mut database).unwrap();
    let mut statuses = Vec::new();
    for number in 0..=PATTERN_SUBSCRIPTIONS_MAX as u32 {
        let name = number.to_string();
        let put = PatternCommand::Put {
            pattern: "a/#",
            name: &name,
            patch: r#"{"target":{"queue":"q"}}"#,
        };
        directory.push(number, DirectoryCommand::Patterns(put).encode().unwrap());
        let turn = database.transact(|sql| directory.run(sql, 1)).unwrap();
        statuses.extend(turn.replies.iter().map(|(token, it)| (*token, it.status)));
        for call in turn.calls {
            directory.called(call.number, true, b"");
        }
    }
    let beyond = PATTERN_SUBSCRIPTIONS_MAX as u32;
    assert!(
        statuses
            .iter()
            .all(|it| it.1 == if it.0 < beyond { 201 } else { 503 })
    );
    assert!(statuses.contains(&(beyond, 503)));
}

#[test]
fn a_read_looks_at_a_bounded_number_of_messages() {
    let mut bench = TopicBench::new("{}");
    let max = READ_SCAN_MESSAGES_MAX as u64;
    fill(&mut bench, max);
    bench.publish("y", Some("wanted"));
    let filter = Some(r#"{"key":["wanted"]}"#);
    assert_eq!(
        read(&mut bench, Start::Seq(2), 0, filter),
        [max + 1, max + 2]
    );
    let on = read(&mut bench, Start::Seq(1), 0, filter);
    assert_eq!(on.len(), 1, "nothing but where to read on");
    assert_eq!(
        read(&mut bench, Start::Seq(on[0]), 0, filter),
        [max + 1, max + 2]
    );
}

#[test]
fn the_last_of_a_key_is_looked_for_among_a_bounded_number_of_messages() {
    let mut bench = TopicBench::new("{}");
    bench.publish("x", Some("k"));
    fill(&mut bench, LAST_PER_KEY_MESSAGES_MAX - 1);
    assert_eq!(read(&mut bench, Start::LastPerKey, 0, None)[0], 1);
    bench.publish("x", None);
    let seqs = read(&mut bench, Start::LastPerKey, 0, None);
    assert!(!seqs.contains(&1), "{seqs:?}");
}

#[test]
fn a_topic_in_memory_keeps_no_more_than_fits_there() {
    let mut bench = TopicBench::new(r#"{"persistence":"memory"}"#);
    fill(&mut bench, MEMORY_TOPIC_MESSAGES_MAX);
    assert_eq!(read(&mut bench, Start::Earliest, 0, None)[0], 1);
    bench.publish("x", None);
    assert!(read(&mut bench, Start::Earliest, 0, None)[0] > 1);

    let mut bench = TopicBench::new(r#"{"persistence":"memory","max_message_bytes":1048576}"#);
    let body = "x".repeat(MIB);
    let most = MEMORY_TOPIC_BYTES_MAX / MIB as u64;
    (0..most).for_each(|_| drop(bench.ask(publish(&body, None)).unwrap()));
    assert_eq!(read(&mut bench, Start::Earliest, 0, None)[0], 1);
    bench.publish("x", None);
    assert!(read(&mut bench, Start::Earliest, 0, None)[0] > 1);
}

#[test]
fn idempotency_keys_are_bounded_and_the_oldest_go() {
    let mut bench = Bench::new(r#"{"capacity":{"max_messages":10000000}}"#);
    let once = |bench: &mut Bench, key: &str| {
        let idempotency_key = Some(key);
        let accepted = bench.publish(Draft {
            idempotency_key,
            ..draft("x")
        });
        accepted.unwrap().id
    };
    let first = once(&mut bench, "first");
    assert_eq!(once(&mut bench, "first"), first);
    for from in (0..=IDEMPOTENCY_KEYS_MAX).step_by(BATCH) {
        let keys: Vec<String> = (from..from + BATCH).map(|n| n.to_string()).collect();
        let drafts = keys.iter().map(|key| {
            Ok(Draft {
                idempotency_key: Some(key),
                ..draft("")
            })
        });
        bench.ask(Command::PublishBatch(drafts.collect())).unwrap();
    }
    let newest = IDEMPOTENCY_KEYS_MAX.to_string();
    let before = bench.describe().accepted;
    once(&mut bench, &newest);
    assert_eq!(bench.describe().accepted, before, "the newest is known");
    assert_ne!(once(&mut bench, "first"), first, "the oldest is not");
}

#[test]
fn topics_of_a_pattern_are_told_a_page_at_a_time() {
    let mut database = Database::default();
    let mut directory = DirectoryObject::open(&mut database).unwrap();
    let mut ask = |command: DirectoryCommand<'_>| {
        directory.push(1, command.encode().unwrap());
        let turn = database.transact(|sql| directory.run(sql, 1)).unwrap();
        for call in turn.calls {
            directory.called(call.number, true, b"");
        }
        turn.replies.into_iter().next()
    };
    let (pattern, name) = ("a/#", "s");
    let patch = r#"{"target":{"queue":"q"}}"#;
    let put = PatternCommand::Put {
        pattern,
        name,
        patch,
    };
    ask(DirectoryCommand::Patterns(put));
    for number in 0..=PATTERN_TOPICS_MAX {
        let name = format!("a/{number:04}");
        ask(DirectoryCommand::Join { name: &name });
    }
    let mut page = |after| {
        let topics = PatternCommand::Topics {
            pattern,
            name,
            after,
        };
        let (_, answer) = ask(DirectoryCommand::Patterns(topics)).unwrap();
        let page: Value = serde_json::from_slice(&answer.body).unwrap();
        let count = page["names"].as_array().unwrap().len();
        (count, page["cursor"].as_str().map(str::to_owned))
    };
    let (count, cursor) = page(None);
    assert_eq!(count, PATTERN_TOPICS_MAX);
    assert_eq!(page(cursor.as_deref()), (1, None));
}

#[test]
fn what_feeds_a_pattern_ends_when_nobody_has_read_it_for_a_while() {
    let mut bench = TopicBench::new("{}");
    bench.database = Database::default();
    bench.calls.clear();
    bench.topic = Topic::open(&mut bench.database, "a/#", [7; 16], bench.now_ms).unwrap();
    let follow = Follow {
        start: Start::Latest,
        filter: None,
        form: Form::Lines,
        member: None,
    };
    assert!(
        bench
            .turn(vec![TopicCommand::Follow(follow)])
            .unwrap()
            .is_empty()
    );
    assert_eq!(bench.calls.len(), 1, "the directory is told");
    while let Some(call) = bench.calls.pop() {
        bench.topic.called(call.number, true, b"");
        bench.turn(Vec::new());
    }
    let reader = *bench.readers.keys().next().expect("a reader");
    bench.now_ms += 2 * PATTERN_IDLE_MS;
    bench.turn(Vec::new());
    assert!(bench.calls.is_empty(), "somebody reads");
    bench.topic.detach(reader);
    bench.turn(Vec::new());
    bench.now_ms += PATTERN_IDLE_MS - 1;
    bench.turn(Vec::new());
    assert!(bench.calls.is_empty(), "one who was cut off may come back");
    bench.now_ms += 1;
    bench.turn(Vec::new());
    assert_eq!(bench.calls.len(), 1, "the directory is told");
}

#[test]
fn readers_without_a_token_are_bounded_by_where_they_come_from() {
    let mut bench = TopicBench::new(r#"{"access": {"subscribe": "public"}}"#);
    let follow = |bench: &mut TopicBench| {
        bench.ask(TopicCommand::Follow(Follow {
            start: Start::Latest,
            filter: None,
            form: Form::Frames,
            member: None,
        }))
    };
    let near = Anonymous::of_network("198.51.100.7");
    bench.anonymous = near;
    for _ in 0..READERS_OF_NETWORK_MAX {
        follow(&mut bench).unwrap();
    }
    assert_eq!(code(follow(&mut bench)), Some(ErrorCode::RateLimited));
    // Their sockets remember where they come from.
    bench.settle();
    bench.reopen();
    assert_eq!(code(follow(&mut bench)), Some(ErrorCode::RateLimited));
    for other in [
        Anonymous::of_network("198.51.100.8"),
        true.into(),
        false.into(),
    ] {
        bench.anonymous = other;
        follow(&mut bench).unwrap();
    }
    bench.anonymous = near;
    let first = *bench.readers.keys().next().unwrap();
    bench.readers.remove(&first);
    bench.topic.detach(first);
    follow(&mut bench).unwrap();
    assert_eq!(code(follow(&mut bench)), Some(ErrorCode::RateLimited));
}

#[test]
fn of_an_answer_to_a_push_a_bounded_part_is_read_and_a_smaller_one_kept() {
    let body = vec![b'x'; PUSH_ANSWER_BYTES_MAX + 1];
    let head = "500\n5\n";
    let whole = Answer::parse(head, &body[1..]);
    assert_eq!(
        (whole.body.len(), whole.is_cut),
        (PUSH_ANSWER_BYTES_MAX, false)
    );
    let cut = Answer::parse(head, &body);
    assert_eq!((cut.body.len(), cut.is_cut), (PUSH_ANSWER_BYTES_MAX, true));

    let mut bench = push::queue("", "");
    let id = bench.put("hello").id;
    let call = push::calls(&mut bench).remove(0);
    bench.queue.dispatched(call.number, head, &body);
    bench.turn(Vec::new());
    let Ok(Reply::Attempts(attempts)) = bench.ask(Command::Attempts { id }) else {
        panic!("no attempts");
    };
    assert_eq!(attempts[0].answer.len(), ATTEMPT_ANSWER_BYTES_MAX);
}
