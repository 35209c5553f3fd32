//! The step that seals what was stored before there were seals (`seal.rs`).
//!
//! It runs once, in the transaction of the first turn after the code changed. Segments and journal
//! rows are left as they are: their version bytes tell the old form, and a backlog of ten million
//! messages would take too long. What is sealed here is small, and its old form had no version.

use super::{Arg, Sql, StoreError, Value, seal};

/// Reads values with the key of their row behind; writes them back.
type Column = (&'static str, &'static str);

const META: Column = (
    "SELECT value, name FROM meta WHERE name <> 'schema'",
    "UPDATE meta SET value = ? WHERE name = ?",
);
const PRINTS: Column = (
    "SELECT prints, number FROM idempotency",
    "UPDATE idempotency SET prints = ? WHERE number = ?",
);
const ANSWERS: Column = (
    "SELECT answers, number FROM idempotency",
    "UPDATE idempotency SET answers = ? WHERE number = ?",
);
const QUEUE: &[Column] = &[
    META,
    PRINTS,
    ANSWERS,
    (
        "SELECT data, chunk FROM outcomes",
        "UPDATE outcomes SET data = ? WHERE chunk = ?",
    ),
    (
        "SELECT data, at_ms, first_seq FROM expiry",
        "UPDATE expiry SET data = ? WHERE at_ms = ? AND first_seq = ?",
    ),
];
const TOPIC: &[Column] = &[
    META,
    PRINTS,
    ANSWERS,
    (
        "SELECT config, name FROM subscriptions",
        "UPDATE subscriptions SET config = ? WHERE name = ?",
    ),
    (
        "SELECT cursor, name FROM subscriptions",
        "UPDATE subscriptions SET cursor = ? WHERE name = ?",
    ),
];

/// Seals a queue's rows.
///
/// # Errors
/// Whatever the database said.
pub fn queue(sql: &mut dyn Sql) -> Result<(), StoreError> {
    QUEUE.iter().try_for_each(|column| each(sql, column))
}

/// Seals a topic's rows.
///
/// # Errors
/// Whatever the database said.
pub fn topic(sql: &mut dyn Sql) -> Result<(), StoreError> {
    TOPIC.iter().try_for_each(|column| each(sql, column))
}

fn each(sql: &mut dyn Sql, (select, update): &Column) -> Result<(), StoreError> {
    for row in sql.exec(select, &[])? {
        let mut row = row.into_iter();
        let value = row.next().map(Value::into_blob).unwrap_or_default();
        let sealed = seal::seal(&value);
        let keys: Vec<Value> = row.collect();
        let mut args = vec![Arg::Blob(&sealed)];
        args.extend(keys.iter().map(Value::as_arg));
        sql.exec(update, &args)?;
    }
    Ok(())
}
