//! Tables whose values are anything: a queue opens, answers, is repaired, and goes on.

use super::Target;
use super::damage::{self, change, until_sound};
use crate::database::Database;
use tidegate::command::reply::SinceStart;
use tidegate::command::{Command, Draft, Envelope, Pull, Reply};
use tidegate::engine::outcome::Outcome;
use tidegate::engine::queue::Queue;
use tidegate::engine::repair::repair_queue;
use tidegate::store::StoreError;

const NOW_MS: u64 = 1_700_000_000_000;
const NAME: &str = "orders";
/// Every stored value.
const VALUES: &[(&str, &str)] = &[
    ("segments", "head"),
    ("segments", "body"),
    ("singles", "head"),
    ("singles", "body"),
    ("dead", "head"),
    ("dead", "body"),
    ("journal", "data"),
    ("checkpoint", "data"),
    ("outcomes", "data"),
    ("expiry", "data"),
    ("idempotency", "prints"),
    ("idempotency", "answers"),
    ("meta", "value"),
];

/// See [`change`].
pub const TABLES: Target = Target {
    name: "tables",
    run: tables,
    seeds,
};

/// A queue with something in most tables.
fn filled() -> Database {
    let mut database = Database::default();
    let mut queue = open(&mut database, NOW_MS);
    let patch = r#"{"delivery":{"max_attempts":1}}"#;
    let mut commands = vec![Command::Configure { patch }];
    for (at, key) in ["a", "b", "c"].into_iter().enumerate() {
        commands.push(Command::Publish(Draft {
            body: b"hello",
            key: Some(key),
            idempotency_key: Some(key),
            ttl_ms: Some(100_000),
            delay_ms: if at == 1 { 50_000 } else { 0 },
            priority: 4,
            ..Draft::default()
        }));
    }
    commands.push(pull());
    for (at, command) in commands.into_iter().enumerate() {
        turn(&mut queue, &mut database, NOW_MS + at as u64, command).expect("a turn runs");
    }
    turn(&mut queue, &mut database, NOW_MS + 40_000, pull()).expect("a turn runs");
    database
}

fn open(database: &mut Database, now_ms: u64) -> Queue {
    let attempt = |it: &mut Database| it.transact(|sql| Queue::open(sql, NAME, [7; 16], now_ms));
    until_sound(database, attempt, |it| repair(it, now_ms))
}

fn repair(database: &mut Database, now_ms: u64) {
    database
        .transact(|sql| repair_queue(sql, NAME, [7; 16], now_ms))
        .expect("a repair runs");
}

const fn pull() -> Command<'static> {
    Command::Pull(Pull {
        batch_size: 10,
        visibility_timeout_ms: None,
        wait_ms: 0,
        filter: None,
    })
}

fn turn(
    queue: &mut Queue,
    database: &mut Database,
    now_ms: u64,
    command: Command<'_>,
) -> Result<Outcome, StoreError> {
    let envelope = Envelope::between_objects(NAME, command);
    database.transact(|sql| queue.run(sql, now_ms, vec![(1, envelope)], SinceStart::default()))
}

fn ask(database: &mut Database, now_ms: u64, command: impl Fn() -> Command<'static>) -> Outcome {
    let attempt = |it: &mut Database| turn(&mut open(it, now_ms), it, now_ms, command());
    until_sound(database, attempt, |it| repair(it, now_ms))
}

fn tables(bytes: &[u8]) {
    let mut database = filled();
    change(&mut database, VALUES, bytes);
    let patch = r#"{"capacity":{"closes_at_ms":null}}"#;
    let now_ms = NOW_MS + 60_000;
    ask(&mut database, now_ms, || Command::Configure { patch });
    ask(&mut database, now_ms + 1, || Command::Describe);
    ask(&mut database, now_ms + 2, pull);
    ask(&mut database, now_ms + 1_000_000, || Command::Purge);
    let publish = || {
        Command::Publish(Draft {
            body: b"new",
            priority: 4,
            ..Draft::default()
        })
    };
    let done = ask(&mut database, now_ms + 1_000_001, publish);
    let is_taken = matches!(done.replies.first(), Some((_, Ok(Reply::Accepted(_)))));
    assert!(
        is_taken,
        "a repaired queue takes messages: {:?}",
        done.replies
    );
}

fn seeds() -> Vec<Vec<u8>> {
    damage::seeds(VALUES.len())
}
