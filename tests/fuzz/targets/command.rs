//! What comes to the objects: commands, in the middle of a deployment also of other versions.

use super::Target;
use crate::database::Database;
use tidegate::command::directory::{self, DirectoryCommand};
use tidegate::command::reply::SinceStart;
use tidegate::command::{
    Ack, AckEntry, Command, Draft, Envelope, Forwarded, LeaseRef, Pull, Recall, Selection, Wait,
    codec,
};
use tidegate::durable::{DirectoryObject, QueueObject};
use tidegate::id::Id;

const NOW_MS: u64 = 1_700_000_000_000;
/// Time between turns: longer than some leases, shorter than others.
const TURN_MS: u64 = 700;
/// Commands of one input: what is behind them is not read.
const COMMANDS_MAX: usize = 32;
/// Bytes before a command: its length.
const LENGTH_BYTES: usize = 2;

/// Commands to a queue, each behind its length; one turn each, and a restart after the last.
pub const COMMAND: Target = Target {
    name: "command",
    run: command,
    seeds: command_seeds,
};

/// A command to the directory.
pub const DIRECTORY: Target = Target {
    name: "directory",
    run: directory_command,
    seeds: directory_seeds,
};

/// Opens the queue that is stored in `database`.
fn open(database: &mut Database, now_ms: u64) -> QueueObject {
    database
        .transact(|sql| QueueObject::open(sql, "q#0", [7; 16], now_ms))
        .expect("the queue opens")
}

/// Runs one turn with one command; the status it was answered with, if it was. A queue that was
/// deleted begins anew.
fn turn(
    object: &mut QueueObject,
    database: &mut Database,
    now_ms: u64,
    command: &[u8],
) -> Option<u16> {
    object.push(1, command.to_vec(), Vec::new());
    let turn = database
        .transact(|sql| object.run(sql, now_ms, SinceStart::default()))
        .expect("a turn runs");
    if turn.wipe {
        *database = Database::default();
        *object = open(database, now_ms);
    }
    turn.replies.first().map(|(_, response)| response.status)
}

/// The bytes of a command, as an edge would send it.
pub fn encoded(command: Command<'_>) -> Vec<u8> {
    let envelope = Envelope::between_objects("q", command);
    codec::encode(&envelope).expect("a command can be written")
}

fn command(bytes: &[u8]) {
    let mut database = Database::default();
    let mut object = open(&mut database, NOW_MS);
    let mut now_ms = NOW_MS;
    for command in split(bytes) {
        if let Ok(envelope) = codec::decode(command) {
            let again = codec::encode(&envelope).expect("a command can be written");
            let read = codec::decode(&again).expect("what was written can be read");
            assert_eq!(read, envelope);
        }
        turn(&mut object, &mut database, now_ms, command);
        now_ms += TURN_MS;
    }
    let mut object = open(&mut database, now_ms);
    let described = turn(
        &mut object,
        &mut database,
        now_ms,
        &encoded(Command::Describe),
    );
    assert!(
        matches!(described, Some(200 | 404)),
        "after a restart: {described:?}"
    );
}

/// Commands, each behind its length.
pub fn split(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut commands = Vec::new();
    while commands.len() < COMMANDS_MAX
        && let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_BYTES>()
    {
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        commands.push(&rest[..length]);
        bytes = &rest[length..];
    }
    commands
}

fn directory_command(bytes: &[u8]) {
    if let Ok(command) = directory::decode(bytes) {
        let again = command.encode().expect("a command can be written");
        assert_eq!(directory::decode(&again).as_ref(), Ok(&command));
    }
    let mut database = Database::default();
    let mut object = DirectoryObject::open(&mut database).expect("the directory opens");
    object.push(1, bytes.to_vec());
    object.run(&mut database, NOW_MS).expect("a turn runs");
}

fn command_seeds() -> Vec<Vec<u8>> {
    [
        publishing(),
        configuring(),
        holding(),
        forwarding(),
        looking(),
    ]
    .into_iter()
    .map(|commands| commands.into_iter().flat_map(framed).collect())
    .collect()
}

/// A draft with everything but a delay or a hold.
fn full() -> Draft<'static> {
    Draft {
        body: b"hello",
        content_type: Some("text/plain"),
        key: Some("k"),
        idempotency_key: Some("once"),
        ttl_ms: Some(1_000),
        priority: 9,
        attributes: vec![("region", "eu")],
        ..Draft::default()
    }
}

fn held() -> Draft<'static> {
    Draft {
        hold_ms: Some(500),
        delay_ms: 100,
        ..full()
    }
}

fn pull(filter: Option<&'static str>) -> Command<'static> {
    Command::Pull(Pull {
        batch_size: 10,
        visibility_timeout_ms: Some(500),
        wait_ms: 0,
        filter,
    })
}

const SOME_ID: Id = Id(1 << 80);

fn publishing() -> Vec<Command<'static>> {
    let ack = Ack {
        acks: vec![AckEntry {
            lease_id: LeaseRef::Text("01ARZ3NDEKTSV4RRFFQ69G5FAV"),
            result: Some("{}"),
            release: true,
        }],
        retries: vec![(LeaseRef::Text("x"), Some(5))],
        extends: vec![(LeaseRef::Text("y"), None)],
    };
    let ack_pull = Command::AckPull {
        ack: Ack {
            extends: vec![(LeaseRef::Raw(7), Some(100))],
            ..Ack::default()
        },
        pull: Pull::default(),
    };
    vec![
        Command::Publish(full()),
        pull(None),
        Command::Ack(ack),
        ack_pull,
    ]
}

fn configuring() -> Vec<Command<'static>> {
    let patch = r#"{"capacity":{"max_accepted":3,"max_per_key":1},"delivery":{"order":"key"}}"#;
    vec![
        Command::Configure { patch },
        Command::PublishBatch(vec![Ok(full()), Ok(held())]),
        pull(Some("\"region = 'eu'\"")),
        Command::Purge,
    ]
}

fn holding() -> Vec<Command<'static>> {
    let (id, wait) = (SOME_ID, Wait::Final { wait_ms: 0 });
    vec![
        Command::Publish(held()),
        Command::Confirm { id },
        Command::Cancel { id },
        Command::Inspect { id, wait },
    ]
}

fn forwarding() -> Vec<Command<'static>> {
    let (source, limit) = ("other", 5);
    let messages = vec![Forwarded {
        id: SOME_ID,
        keeps_place: false,
        draft: full(),
    }];
    let selection = Selection {
        from_at_ms: Some(3),
        to_at_ms: None,
        filter: Some("\"region = 'eu'\""),
        after_seq: 2,
    };
    vec![
        Command::Forward { source, messages },
        Command::Redrive,
        Command::Recall(Recall { source, limit }),
        Command::RedriveSome(selection),
        Command::RecallSome(Recall { source, limit }, selection),
    ]
}

fn looking() -> Vec<Command<'static>> {
    let (after_seq, limit) = (0, 9);
    vec![
        Command::Pause,
        Command::EnablePush,
        Command::Attempts { id: SOME_ID },
        Command::Browse { after_seq, limit },
        Command::BrowseDead { after_seq, limit },
        Command::Resume,
        Command::Delete,
    ]
}

fn framed(command: Command<'_>) -> Vec<u8> {
    let bytes = encoded(command);
    let length = u16::try_from(bytes.len()).expect("a seed is short");
    [&length.to_le_bytes()[..], &bytes].concat()
}

fn directory_seeds() -> Vec<Vec<u8>> {
    [
        DirectoryCommand::Register { name: "eu/orders" },
        DirectoryCommand::Unregister {
            names: vec!["a", "b"],
            as_of: 3,
        },
        DirectoryCommand::List {
            after: Some("a"),
            limit: 10,
            seen: Some(vec!["a/#"]),
        },
    ]
    .iter()
    .map(|command| command.encode().expect("a command can be written"))
    .collect()
}
