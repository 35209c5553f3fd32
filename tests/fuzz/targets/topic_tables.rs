//! Tables of a topic whose values are anything: it opens, answers, is repaired, and goes on.

use super::Target;
use super::damage::{self, change, until_sound};
use crate::database::Database;
use tidegate::command::Draft;
use tidegate::command::reply::SinceStart;
use tidegate::command::topic::{Read, Start, TopicCommand, TopicEnvelope, TopicReply};
use tidegate::engine::topic::{Topic, TopicOutcome};
use tidegate::store::StoreError;

const NOW_MS: u64 = 1_700_000_000_000;
const NAME: &str = "orders";
/// Calls to queues that are answered, until the topic makes no more.
const CALLS_MAX: usize = 64;

/// Every stored value.
const VALUES: &[(&str, &str)] = &[
    ("segments", "head"),
    ("segments", "body"),
    ("idempotency", "prints"),
    ("idempotency", "answers"),
    ("subscriptions", "config"),
    ("subscriptions", "cursor"),
    ("meta", "value"),
];

/// See [`change`].
pub const TOPIC_TABLES: Target = Target {
    name: "topic_tables",
    run: tables,
    seeds,
};

/// A topic with something in each table.
fn filled() -> Database {
    let mut database = Database::default();
    let mut topic = open(&mut database, NOW_MS);
    let push = r#"{"target":{"url":"https://hook.example/"},"filter":"a = 'b'"}"#;
    let commands = [
        TopicCommand::Configure { patch: "{}" },
        publish("a"),
        subscribe("own", "{}"),
        subscribe("feeds", r#"{"target":{"queue":"other"},"from":"earliest"}"#),
        subscribe("hook", push),
        publish("b"),
        TopicCommand::Unsubscribe { name: "hook" },
        subscribe("hook", push),
        publish("c"),
    ];
    for (at, command) in commands.into_iter().enumerate() {
        turn(&mut topic, &mut database, NOW_MS + at as u64, command).expect("a turn runs");
    }
    assert!(VALUES.iter().all(|(table, _)| database.count(table) > 0));
    database
}

const fn subscribe(name: &'static str, patch: &'static str) -> TopicCommand<'static> {
    TopicCommand::Subscribe { name, patch }
}

fn publish(key: &str) -> TopicCommand<'_> {
    TopicCommand::Publish {
        draft: Draft {
            body: b"hello",
            key: Some(key),
            idempotency_key: Some(key),
            ..Draft::default()
        },
        expect_seq: None,
    }
}

fn open(database: &mut Database, now_ms: u64) -> Topic {
    let attempt = |it: &mut Database| it.transact(|sql| Topic::open(sql, NAME, [7; 16], now_ms));
    until_sound(database, attempt, |it| repair(it, now_ms))
}

fn repair(database: &mut Database, now_ms: u64) {
    database
        .transact(|sql| Topic::repair(sql, [7; 16], now_ms))
        .expect("a repair runs");
}

/// A turn, and then those that it takes until nothing is left to be called: every queue says that it
/// did as it was told.
fn turn(
    topic: &mut Topic,
    database: &mut Database,
    now_ms: u64,
    command: TopicCommand<'_>,
) -> Result<TopicOutcome, StoreError> {
    let envelope = TopicEnvelope {
        topic: NAME,
        origin: None,
        auto_create: true,
        anonymous: false.into(),
        command,
    };
    let mut requests = vec![(1, envelope)];
    let mut all = TopicOutcome::default();
    for _ in 0..CALLS_MAX {
        let asked = std::mem::take(&mut requests);
        let mut done =
            database.transact(|sql| topic.run(sql, now_ms, asked, SinceStart::default()))?;
        all.replies.append(&mut done.replies);
        if done.calls.is_empty() {
            break;
        }
        for call in done.calls {
            topic.called(call.number, true, b"{}");
        }
    }
    Ok(all)
}

fn ask(
    database: &mut Database,
    now_ms: u64,
    command: impl Fn() -> TopicCommand<'static>,
) -> TopicOutcome {
    let attempt = |it: &mut Database| turn(&mut open(it, now_ms), it, now_ms, command());
    until_sound(database, attempt, |it| repair(it, now_ms))
}

fn tables(bytes: &[u8]) {
    let mut database = filled();
    change(&mut database, VALUES, bytes);
    let now_ms = NOW_MS + 60_000;
    let patch = r#"{"retention_ms":null}"#;
    ask(&mut database, now_ms, || TopicCommand::Configure { patch });
    ask(&mut database, now_ms + 1, || TopicCommand::Describe);
    ask(&mut database, now_ms + 2, || read(Start::Earliest));
    ask(&mut database, now_ms + 3, || read(Start::LastPerKey));
    let list = || TopicCommand::Subscriptions {
        after: None,
        limit: 100,
    };
    ask(&mut database, now_ms + 4, list);
    ask(&mut database, now_ms + 5, || TopicCommand::Unsubscribe {
        name: "own",
    });
    ask(&mut database, now_ms + 6, || subscribe("new", "{}"));
    // Idempotency keys are let go, messages too.
    let late_ms = now_ms + 400_000_000_000;
    let done = ask(&mut database, late_ms, || publish("new"));
    let seq = match done.replies.first() {
        Some((_, Ok(TopicReply::Accepted(it)))) => it.seq,
        _ => panic!("a repaired topic takes messages: {:?}", done.replies),
    };
    let done = ask(&mut database, late_ms + 1, || read(Start::Seq(seq)));
    let Some((_, Ok(TopicReply::Read { page, .. }))) = done.replies.first() else {
        panic!("a repaired topic is read: {:?}", done.replies);
    };
    assert_eq!(page.messages.len(), 1, "and has what was published since");
}

const fn read(start: Start) -> TopicCommand<'static> {
    TopicCommand::Read(Read {
        start,
        limit: 1_000,
        wait_ms: 0,
        filter: None,
    })
}

fn seeds() -> Vec<Vec<u8>> {
    damage::seeds(VALUES.len())
}
