//! Tables of a topic whose values are anything: it opens, answers, is repaired, and goes on.

use super::Target;
use crate::database::Database;
use tidegate::command::Draft;
use tidegate::command::reply::SinceStart;
use tidegate::command::topic::{Read, Start, TopicCommand, TopicEnvelope, TopicReply};
use tidegate::engine::topic::{Topic, TopicOutcome};
use tidegate::store::{StoreError, seal};

const NOW_MS: u64 = 1_700_000_000_000;
const NAME: &str = "orders";
/// Values that one input changes; what is behind them is not read.
const CHANGES_MAX: usize = 16;
/// Turns tried until one is not met by damage: each repair leaves less of it.
const TRIES_MAX: usize = 8;
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

/// Changes of stored values: which one, of which row, from which byte on, whether its sum is made right
/// and what follows is cut off, how many bytes, the bytes.
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
    let mut last = String::new();
    for _ in 0..TRIES_MAX {
        match database.transact(|sql| Topic::open(sql, NAME, [7; 16], now_ms)) {
            Ok(topic) => return topic,
            Err(error) => last = error.0,
        }
        repair(database, now_ms);
    }
    panic!("the topic does not open: {last}");
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

/// As the host does it: a turn that fails is run again after a repair.
fn ask(
    database: &mut Database,
    now_ms: u64,
    command: impl Fn() -> TopicCommand<'static>,
) -> TopicOutcome {
    let mut last = String::new();
    for _ in 0..TRIES_MAX {
        let mut topic = open(database, now_ms);
        match turn(&mut topic, database, now_ms, command()) {
            Ok(outcome) => return outcome,
            Err(error) => last = error.0,
        }
        repair(database, now_ms);
    }
    panic!("the topic does not come back: {last}");
}

/// Whether it is a configuration that may be another version's: such a one stays.
fn is_of_a_later_version(table: &str, stored: &[u8]) -> bool {
    let payload = stored.get(seal::SEAL_BYTES..).unwrap_or_default();
    table == "meta" && serde_json::from_slice::<serde_json::Value>(payload).is_ok()
}

fn tables(mut bytes: &[u8]) {
    let mut database = filled();
    for _ in 0..CHANGES_MAX {
        let Some(([which, row, at, flags, length], rest)) = bytes.split_first_chunk::<5>() else {
            break;
        };
        let (value, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        bytes = rest;
        let (table, column) = VALUES[usize::from(*which) % VALUES.len()];
        let row = u64::from(*row) % database.count(table).max(1);
        database.damage(table, column, row, |stored| {
            let at = usize::from(*at).min(stored.len());
            let end = match flags & 2 {
                0 => (at + value.len()).min(stored.len()),
                _ => stored.len(),
            };
            stored.splice(at..end, value.iter().copied());
            if flags & 1 == 1 && !is_of_a_later_version(table, stored) {
                // Another version byte would say that it is of a later one as well.
                if let Some(version) = stored.first_mut() {
                    *version = seal::SEALED;
                }
                seal::close(stored);
            }
        });
    }
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
    let which = 0..VALUES.len() as u8;
    let spoilt = which.clone().flat_map(|it| [it, 0, 0, 2, 2, 1, 2]);
    let cut = which.clone().flat_map(|it| [it, 0, 20, 3, 0]);
    let changed = which.flat_map(|it| [it, 1, 10, 1, 3, 255, 255, 127]);
    vec![
        vec![0; 5],
        spoilt.collect(),
        cut.collect(),
        changed.collect(),
    ]
}
