//! Tables whose values are anything: a queue opens, answers, is repaired, and goes on.

use super::Target;
use crate::database::Database;
use tidegate::command::reply::SinceStart;
use tidegate::command::{Command, Draft, Envelope, Pull, Reply};
use tidegate::engine::outcome::Outcome;
use tidegate::engine::queue::Queue;
use tidegate::engine::repair::repair_queue;
use tidegate::store::{StoreError, seal};

const NOW_MS: u64 = 1_700_000_000_000;
const NAME: &str = "orders";
/// Values that one input changes; what is behind them is not read.
const CHANGES_MAX: usize = 16;
/// Turns tried until one is not met by damage: each repair leaves less of it.
const TRIES_MAX: usize = 8;

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

/// What is added to the number of a value whose bytes are changed in place, rather than its end.
const IN_PLACE: u8 = 128;

/// Changes of stored values: which one, of which row, from which byte on and whether its sum is made
/// right, how many bytes, the bytes.
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
    for _ in 0..TRIES_MAX {
        let opened = database.transact(|sql| Queue::open(sql, NAME, [7; 16], now_ms));
        if let Ok(queue) = opened {
            return queue;
        }
        repair(database, now_ms);
    }
    panic!("the queue does not open");
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

/// As the host does it: a turn that fails is run again after a repair.
fn ask(database: &mut Database, now_ms: u64, command: impl Fn() -> Command<'static>) -> Outcome {
    let mut last = String::new();
    for _ in 0..TRIES_MAX {
        let mut queue = open(database, now_ms);
        match turn(&mut queue, database, now_ms, command()) {
            Ok(outcome) => return outcome,
            Err(error) => last = error.0,
        }
        repair(database, now_ms);
    }
    panic!("the queue does not come back: {last}");
}

/// Whether it is a configuration that may be another version's: such a one stays.
fn is_of_a_later_version(table: &str, stored: &[u8]) -> bool {
    let payload = stored.get(seal::SEAL_BYTES..).unwrap_or_default();
    table == "meta" && serde_json::from_slice::<serde_json::Value>(payload).is_ok()
}

fn tables(mut bytes: &[u8]) {
    let mut database = filled();
    for _ in 0..CHANGES_MAX {
        let Some(([which, row, sealed, length], rest)) = bytes.split_first_chunk::<4>() else {
            break;
        };
        let (value, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        bytes = rest;
        let (table, column) = VALUES[usize::from(*which % IN_PLACE) % VALUES.len()];
        let row = u64::from(*row) % database.count(table).max(1);
        database.damage(table, column, row, |stored| {
            let from = usize::from(*sealed >> 1).min(stored.len());
            let to = match which & IN_PLACE {
                0 => stored.len(),
                _ => (from + value.len()).min(stored.len()),
            };
            stored.splice(from..to, value.iter().copied());
            if sealed & 1 == 1 && !is_of_a_later_version(table, stored) {
                // Another version byte would say that it is of a later one as well.
                if let Some(version) = stored.first_mut() {
                    *version = seal::SEALED;
                }
                seal::close(stored);
            }
        });
    }
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
    let all = (0..VALUES.len() as u8).flat_map(|which| [which, 0, 0, 3, 1, 2, 3]);
    let sealed = (0..VALUES.len() as u8).flat_map(|which| [which, 0, 41, 4, 255, 255, 255, 127]);
    let in_place = (0..VALUES.len() as u8)
        .flat_map(|which| [which + IN_PLACE, 0, 21, 3, 255, 255, 127])
        .collect();
    vec![vec![0, 0, 0, 0], all.collect(), sealed.collect(), in_place]
}
