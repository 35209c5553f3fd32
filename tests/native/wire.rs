//! What edges, relays and objects of different versions say to each other while a deployment is
//! rolled out: each form is pinned in `tests/wire/`, and one that is not known is refused by name.
//!
//! A pinned form is never changed: whoever changes a form raises its version. `UPDATE=1 cargo test
//! --test native wire` writes the file of a new version, and commands behind those that were there.

use std::path::Path;
use tidegate::command::directory::{self, DirectoryCommand};
use tidegate::command::patterns::PatternCommand;
use tidegate::command::topic::{self, Follow, Form, Read, Start, TopicCommand, TopicEnvelope};
use tidegate::command::{
    Ack, AckEntry, Command, Draft, Envelope, Forwarded, LeaseRef, Pull, Recall, Selection, State,
    Wait, codec,
};
use tidegate::error::{ErrorCode, Fault};
use tidegate::id::Id;

const ID: Id = Id(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);

fn draft() -> Draft<'static> {
    Draft {
        body: b"body",
        content_type: Some("text/plain"),
        key: Some("k"),
        idempotency_key: Some("i"),
        delay_ms: 1_000,
        ttl_ms: Some(2_000),
        hold_ms: Some(3_000),
        priority: 9,
        attributes: vec![("a", "b")],
    }
}

fn ack() -> Ack<'static> {
    Ack {
        acks: vec![AckEntry {
            lease_id: LeaseRef::Text("lease"),
            result: Some("{}"),
            release: true,
        }],
        retries: vec![(LeaseRef::Raw(7), Some(5))],
        extends: vec![(LeaseRef::Raw(8), None)],
    }
}

fn pull() -> Pull<'static> {
    Pull {
        batch_size: 10,
        visibility_timeout_ms: Some(30_000),
        wait_ms: 1_000,
        filter: Some("{}"),
    }
}

fn recall() -> Recall<'static> {
    Recall {
        source: "other",
        limit: 5,
    }
}

fn selection() -> Selection<'static> {
    Selection {
        from_at_ms: Some(3),
        to_at_ms: Some(4),
        filter: Some("{}"),
        after_seq: 2,
    }
}

fn forwarded() -> Vec<Forwarded<'static>> {
    vec![Forwarded {
        id: ID,
        keeps_place: true,
        draft: draft(),
    }]
}

/// One of each command of a queue, in the order of their kinds.
fn queue_commands() -> Vec<Command<'static>> {
    let fault = Fault::new(ErrorCode::BadRequest, "no");
    vec![
        Command::Publish(draft()),
        Command::PublishBatch(vec![Ok(draft()), Err(fault)]),
        Command::PublishBinary,
        Command::Pull(pull()),
        Command::Ack(ack()),
        Command::AckBinary,
        Command::Inspect {
            id: ID,
            wait: Wait::Change {
                wait_ms: 5,
                state: State::Queued,
                position: Some(3),
            },
        },
        Command::Confirm { id: ID },
        Command::Cancel { id: ID },
        Command::Configure { patch: "{}" },
        Command::Describe,
        Command::Browse {
            after_seq: 1,
            limit: 2,
        },
        Command::BrowseDead {
            after_seq: 1,
            limit: 2,
        },
        Command::Delete,
        Command::Purge,
        Command::Pause,
        Command::Resume,
        Command::Redrive,
        Command::Report,
        Command::Preflight,
        Command::Forward {
            source: "other",
            messages: forwarded(),
        },
        Command::Recall(recall()),
        Command::RotateTickets,
        Command::EnablePush,
        Command::Attempts { id: ID },
        Command::AckPull {
            ack: ack(),
            pull: pull(),
        },
        Command::PullBinary,
        Command::PublishAndWait {
            draft: draft(),
            wait_ms: 9,
        },
        Command::Quarantine { after: 4 },
        Command::DropQuarantine,
        Command::RedriveSome(selection()),
        Command::RecallSome(recall(), selection()),
    ]
}

fn topic_commands() -> Vec<TopicCommand<'static>> {
    let start = Start::Seq(7);
    vec![
        TopicCommand::Publish {
            draft: draft(),
            expect_seq: Some(3),
        },
        TopicCommand::PublishBatch(vec![Ok(draft())]),
        TopicCommand::Read(Read {
            start,
            limit: 10,
            wait_ms: 5,
            filter: Some("{}"),
        }),
        TopicCommand::Follow(Follow {
            start: Start::LastPerKey,
            filter: None,
            form: Form::Batches,
            member: Some("me"),
        }),
        TopicCommand::Configure { patch: "{}" },
        TopicCommand::Describe,
        TopicCommand::Delete,
        TopicCommand::Preflight,
        TopicCommand::Subscribe {
            name: "s",
            patch: "{}",
        },
        TopicCommand::Subscription { name: "s" },
        TopicCommand::Subscriptions {
            after: Some("r"),
            limit: 9,
        },
        TopicCommand::Unsubscribe { name: "s" },
        TopicCommand::Seek {
            name: "s",
            to: start,
        },
        TopicCommand::Forward {
            source: "other",
            messages: forwarded(),
        },
        TopicCommand::Quarantine { after: 4 },
        TopicCommand::DropQuarantine,
    ]
}

fn directory_commands() -> Vec<DirectoryCommand<'static>> {
    let (pattern, name) = ("a/+", "s");
    let patterns = [
        PatternCommand::Put {
            pattern,
            name,
            patch: "{}",
        },
        PatternCommand::Topics {
            pattern,
            name,
            after: None,
        },
        PatternCommand::List {
            pattern,
            after: Some("r"),
            limit: 4,
        },
        PatternCommand::Delete { pattern, name },
        PatternCommand::Seek {
            pattern,
            name,
            to: Start::Earliest,
        },
        PatternCommand::Watch { pattern },
        PatternCommand::Unwatch { pattern },
    ];
    let mut commands = vec![
        DirectoryCommand::Register { name: "q" },
        DirectoryCommand::Unregister {
            names: vec!["q"],
            as_of: 8,
        },
        DirectoryCommand::List {
            after: Some("p"),
            limit: 3,
            seen: Some(vec!["q*"]),
        },
        DirectoryCommand::PublishKey {
            kid: "k",
            x: "x",
            until_ms: 6,
        },
        DirectoryCommand::Keys,
        DirectoryCommand::Join { name: "t" },
    ];
    commands.extend(patterns.map(DirectoryCommand::Patterns));
    commands
}

fn of_queue(command: Command<'_>) -> Vec<u8> {
    let envelope = Envelope {
        queue: "q",
        origin: Some("https://example.com"),
        auto_create: true,
        binary: false,
        anonymous: true,
        refused: vec![(ErrorCode::QueueFull, 5)],
        command,
    };
    codec::encode(&envelope).unwrap()
}

fn of_topic(command: TopicCommand<'_>) -> Vec<u8> {
    let envelope = TopicEnvelope {
        topic: "t",
        origin: None,
        auto_create: true,
        anonymous: true.into(),
        command,
    };
    topic::encode(&envelope).unwrap()
}

/// The bytes of all commands of a kind, a line each.
fn forms(kind: &str) -> Vec<Vec<u8>> {
    match kind {
        "queue" => queue_commands().into_iter().map(of_queue).collect(),
        "topic" => topic_commands().into_iter().map(of_topic).collect(),
        _ => directory_commands()
            .iter()
            .map(|it| it.encode().unwrap())
            .collect(),
    }
}

/// The code of the fault with which an object answers these bytes, if it does not take them.
fn refused(kind: &str, bytes: &[u8]) -> Option<ErrorCode> {
    let fault = match kind {
        "queue" => codec::decode(bytes).err(),
        "topic" => topic::decode(bytes).err(),
        _ => directory::decode(bytes).err(),
    };
    fault.map(|it| it.code)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn what_versions_say_to_each_other_is_as_it_was_pinned() {
    for kind in ["queue", "topic", "directory"] {
        let forms = forms(kind);
        let file = format!("tests/wire/{kind}-{}.txt", forms[0][0]);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&file);
        let now: String = forms.iter().map(|it| hex(it) + "\n").collect();
        let pinned = std::fs::read_to_string(&path).unwrap_or_default();
        for (at, (now, pinned)) in now.lines().zip(pinned.lines()).enumerate() {
            assert_eq!(
                now, pinned,
                "{kind} command {at}: another form needs another version"
            );
        }
        if std::env::var("UPDATE").is_ok() && now.starts_with(&pinned) {
            std::fs::write(&path, &now).unwrap();
        } else {
            let counts = (now.lines().count(), pinned.lines().count());
            assert_eq!(counts.0, counts.1, "{file}: UPDATE=1 writes what is new");
        }
        for bytes in &forms {
            assert_eq!(refused(kind, bytes), None, "{kind}: {bytes:?}");
        }
    }
}

#[test]
fn a_command_of_another_version_is_one_to_be_tried_again() {
    for kind in ["queue", "topic", "directory"] {
        for bytes in forms(kind) {
            let own = bytes[0];
            for version in (0..=u8::MAX).filter(|it| *it != own) {
                let mut other = bytes.clone();
                other[0] = version;
                let code = refused(kind, &other);
                assert_eq!(code, Some(ErrorCode::Unavailable), "{kind} {version}");
            }
        }
    }
}

#[test]
fn so_is_one_that_this_version_cannot_read() {
    for kind in ["queue", "topic", "directory"] {
        for bytes in forms(kind) {
            for length in 0..bytes.len() {
                let code = refused(kind, &bytes[..length]);
                assert_eq!(
                    code,
                    Some(ErrorCode::Unavailable),
                    "{kind} {bytes:?} {length}"
                );
            }
        }
    }
    let unknown = [forms("directory")[0][0], 99];
    assert_eq!(refused("directory", &unknown), Some(ErrorCode::Unavailable));
}
