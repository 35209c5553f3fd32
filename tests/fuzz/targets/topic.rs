//! What comes to topics: commands, what a sleeping reader's socket remembers, frames of sockets.

use super::Target;
use super::command::split;
use crate::database::Database;
use tidegate::command::Draft;
use tidegate::command::reply::SinceStart;
use tidegate::command::topic::{
    Follow, Form, Read, Start, TopicCommand, TopicEnvelope, decode, encode,
};
use tidegate::durable::TopicObject;

const NOW_MS: u64 = 1_700_000_000_000;
/// Time between turns.
const TURN_MS: u64 = 700;

/// Commands to a topic, each behind its length; one turn each, and a restart after the last. Each
/// is also read as what the socket of a sleeping reader remembers.
pub const TOPIC: Target = Target {
    name: "topic",
    run: topic,
    seeds,
};

fn open(database: &mut Database, now_ms: u64) -> TopicObject {
    database
        .transact(|sql| TopicObject::open(sql, "t#0", [7; 16], now_ms))
        .expect("the topic opens")
}

fn turn(object: &mut TopicObject, database: &mut Database, now_ms: u64) -> Option<u16> {
    let turn = database
        .transact(|sql| object.run(sql, now_ms, SinceStart::default()))
        .expect("a turn runs");
    if turn.wipe {
        *database = Database::default();
        *object = open(database, now_ms);
    }
    turn.replies.first().map(|(_, response)| response.status)
}

fn topic(bytes: &[u8]) {
    let mut database = Database::default();
    let mut object = open(&mut database, NOW_MS);
    let mut now_ms = NOW_MS;
    for (token, command) in (1..).zip(split(bytes)) {
        if let Ok(envelope) = decode(command) {
            let again = encode(&envelope).expect("a command can be written");
            assert_eq!(decode(&again).as_ref(), Ok(&envelope));
        }
        object.attach(token, command);
        object.push(token, command.to_vec(), Vec::new());
        turn(&mut object, &mut database, now_ms);
        object.credit(token, 1);
        now_ms += TURN_MS;
    }
    let mut object = open(&mut database, now_ms);
    object.push(1, encoded(TopicCommand::Describe), Vec::new());
    let described = turn(&mut object, &mut database, now_ms);
    assert!(
        matches!(described, Some(200 | 404)),
        "after a restart: {described:?}"
    );
}

fn encoded(command: TopicCommand<'_>) -> Vec<u8> {
    let envelope = TopicEnvelope {
        topic: "t",
        origin: None,
        auto_create: true,
        anonymous: false.into(),
        command,
    };
    encode(&envelope).expect("a command can be written")
}

fn seeds() -> Vec<Vec<u8>> {
    [writing(), reading(), subscribing()]
        .into_iter()
        .map(|commands| commands.into_iter().flat_map(framed).collect())
        .collect()
}

fn framed(command: TopicCommand<'_>) -> Vec<u8> {
    let bytes = encoded(command);
    let length = u16::try_from(bytes.len()).expect("a seed is short");
    [&length.to_le_bytes()[..], &bytes].concat()
}

fn draft() -> Draft<'static> {
    Draft {
        body: b"hello",
        content_type: Some("text/plain"),
        key: Some("k"),
        idempotency_key: Some("once"),
        ttl_ms: Some(1_000),
        attributes: vec![("region", "eu")],
        ..Draft::default()
    }
}

fn publish(expect_seq: Option<u64>) -> TopicCommand<'static> {
    let draft = draft();
    TopicCommand::Publish { draft, expect_seq }
}

fn writing() -> Vec<TopicCommand<'static>> {
    let patch = r#"{"max_messages":2,"retention_ms":60000,"persistence":"memory"}"#;
    vec![
        TopicCommand::Configure { patch },
        publish(Some(0)),
        publish(None),
        TopicCommand::PublishBatch(vec![Ok(draft()), Ok(draft())]),
        TopicCommand::Describe,
        TopicCommand::Delete,
    ]
}

fn reading() -> Vec<TopicCommand<'static>> {
    let read = |start| {
        TopicCommand::Read(Read {
            start,
            limit: 10,
            wait_ms: 0,
            filter: Some("\"region = 'eu'\""),
        })
    };
    let follow = TopicCommand::Follow(Follow {
        start: Start::LastPerKey,
        filter: None,
        form: Form::Lines,
        member: Some("ann"),
    });
    vec![
        publish(None),
        follow,
        publish(None),
        read(Start::Earliest),
        read(Start::At(NOW_MS)),
        read(Start::Seq(1)),
    ]
}

fn subscribing() -> Vec<TopicCommand<'static>> {
    let (name, patch) = ("mail", r#"{"target":{"queue":"q"},"from":"earliest"}"#);
    let (after, limit, to) = (None, 10, Start::Seq(1));
    let calling = |patch| TopicCommand::Subscribe {
        name: "hook",
        patch,
    };
    vec![
        publish(None),
        calling(r#"{"target":{"url":"https://a.example/","secret":"whsec_AAAA"},"delivery":{}}"#),
        calling(r#"{"target":{"headers":{"a":"b"},"rate_per_second":1},"paused":true}"#),
        TopicCommand::Subscribe { name, patch },
        TopicCommand::Seek { name, to },
        TopicCommand::Subscription { name },
        TopicCommand::Subscriptions { after, limit },
        TopicCommand::Unsubscribe { name },
    ]
}
