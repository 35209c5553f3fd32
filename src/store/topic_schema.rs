//! The tables of a topic's object. The rules of change are those of `schema.rs`.

use super::schema::QUARANTINE;
use super::{Sql, StoreError, sealing};

/// Migrations, in order; see `schema::apply`.
const MIGRATIONS: &[&[&str]] = &[
    &[
        // Single values by name: the configuration, the secret of identifiers, the state.
        "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
        // Messages published in one commit. id = first seq.
        "CREATE TABLE segments (id INTEGER PRIMARY KEY, head BLOB NOT NULL, body BLOB NOT NULL)",
        // Idempotency keys, many to a row; fingerprints apart from the answers.
        "CREATE TABLE idempotency (number INTEGER PRIMARY KEY, until_ms INTEGER NOT NULL,
        prints BLOB NOT NULL, answers BLOB NOT NULL)",
        // Durable subscriptions: what they are, and how far they have handed on.
        "CREATE TABLE subscriptions (name TEXT PRIMARY KEY, config BLOB NOT NULL,
        next_seq INTEGER NOT NULL, cursor BLOB NOT NULL) WITHOUT ROWID",
    ],
    &[QUARANTINE],
];

/// Brings the tables up to date.
///
/// # Errors
/// Whatever the database said.
pub fn migrate(sql: &mut dyn Sql) -> Result<(), StoreError> {
    let before = super::schema::apply(sql, MIGRATIONS)?;
    if before == 1 {
        sealing::topic(sql)?;
    }
    Ok(())
}
