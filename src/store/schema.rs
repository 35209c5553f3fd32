//! The tables of a queue's object, and how they change.
//!
//! To change a stored form: append a migration, never edit one that has shipped; raise the version
//! byte of the form; keep the reader of the old version; add a test that opens yesterday's bytes.
//! Each migration runs once, in the transaction of the first turn after the code changed.

use super::{Sql, StoreError, meta, seal, sealing};

/// What was damaged and taken out of service: where it stood, why, what was lost with it (messages
/// of that lane from a number up to another), and the bytes, until somebody drops them.
pub(super) const QUARANTINE: &str = "CREATE TABLE quarantine (number INTEGER PRIMARY KEY,
        at_ms INTEGER NOT NULL, source TEXT NOT NULL, place TEXT NOT NULL, why TEXT NOT NULL,
        messages INTEGER NOT NULL, lane INTEGER NOT NULL, from_seq INTEGER NOT NULL,
        to_seq INTEGER NOT NULL, head BLOB, body BLOB, dropped INTEGER NOT NULL)";

/// Migrations, in order. The number of those applied stands in `meta` under `schema`.
const MIGRATIONS: &[&[&str]] = &[&[
    // Single values by name: the configuration, the secret of identifiers.
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    // Messages published in one commit into one lane. id = lane << 48 | first seq.
    "CREATE TABLE segments (id INTEGER PRIMARY KEY, head BLOB NOT NULL, body BLOB NOT NULL)",
    // Messages that are delayed (due: deliverable from) or held (due: expires), a row each.
    "CREATE TABLE singles (seq INTEGER PRIMARY KEY, due_ms INTEGER NOT NULL, held INTEGER NOT NULL,
        head BLOB NOT NULL, body BLOB NOT NULL)",
    "CREATE INDEX singles_due ON singles (due_ms)",
    // What changed in each commit, in a ring of slots, and the state before the oldest of them.
    "CREATE TABLE journal (slot INTEGER PRIMARY KEY, number INTEGER NOT NULL, data BLOB NOT NULL)",
    "CREATE TABLE checkpoint (page INTEGER PRIMARY KEY, data BLOB NOT NULL)",
    // Ends that have to be remembered, 64 sequence numbers to a row.
    "CREATE TABLE outcomes (chunk INTEGER PRIMARY KEY, until_ms INTEGER NOT NULL,
        data BLOB NOT NULL)",
    // Dead letters and overflow. target: the queue they are on their way to, or '' for those kept
    // here.
    "CREATE TABLE dead (seq INTEGER PRIMARY KEY, target TEXT NOT NULL,
        head BLOB NOT NULL, body BLOB NOT NULL)",
    "CREATE INDEX dead_target ON dead (target)",
    // Messages with a time to live of their own: those of one commit that expire together share a
    // row.
    "CREATE TABLE expiry (at_ms INTEGER, first_seq INTEGER, data BLOB NOT NULL,
        PRIMARY KEY (at_ms, first_seq)) WITHOUT ROWID",
    // Places taken by each key, while there is a limit per key.
    "CREATE TABLE keys (key TEXT PRIMARY KEY, accepted INTEGER NOT NULL) WITHOUT ROWID",
    // Idempotency keys, many to a row; fingerprints apart from the answers.
    "CREATE TABLE idempotency (number INTEGER PRIMARY KEY, until_ms INTEGER NOT NULL,
        prints BLOB NOT NULL, answers BLOB NOT NULL)",
], &[
    // What calls of an endpoint came to, in a ring of slots.
    "CREATE TABLE attempts (slot INTEGER PRIMARY KEY, number INTEGER NOT NULL,
        first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, data BLOB NOT NULL)",
], &[QUARANTINE]];
/// The number of migrations from which on all values are sealed.
const SEALED_SINCE: usize = 3;

/// Brings the tables up to date.
///
/// # Errors
/// Whatever the database said.
pub fn migrate(sql: &mut dyn Sql) -> Result<(), StoreError> {
    let before = apply(sql, MIGRATIONS)?;
    if (1..SEALED_SINCE).contains(&before) {
        sealing::queue(sql)?;
    }
    Ok(())
}

/// Applies what of `migrations` was not applied yet; how many were.
///
/// # Errors
/// Whatever the database said, or tables of a later version.
pub(super) fn apply(
    sql: &mut dyn Sql,
    migrations: &[&[&'static str]],
) -> Result<usize, StoreError> {
    let (applied, written) = if has_table(sql, "meta")? {
        version(sql, migrations.len())?
    } else {
        (0, 0)
    };
    for migration in migrations.iter().skip(applied) {
        for statement in *migration {
            sql.exec(statement, &[])?;
        }
    }
    if written < migrations.len() {
        meta::write(sql, "schema", migrations.len().to_string().as_bytes())?;
    }
    Ok(applied)
}

fn has_table(sql: &mut dyn Sql, name: &'static str) -> Result<bool, StoreError> {
    let found = sql.exec("SELECT 1 FROM sqlite_master WHERE name = ?", &[name.into()])?;
    Ok(!found.is_empty())
}

/// How many migrations were applied, and how many of them were written down. The number has been
/// sealed for as long as values are; where it is damaged, they are all there.
fn version(sql: &mut dyn Sql, known: usize) -> Result<(usize, usize), StoreError> {
    let rows = sql.exec("SELECT value FROM meta WHERE name = 'schema'", &[])?;
    let bytes = super::scalar(rows).map(super::Value::into_blob);
    let bytes = bytes.unwrap_or_default();
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<usize>().ok();
    let applied = match seal::open("schema", &bytes) {
        Ok(text) if number(text).is_some() => number(text),
        _ if has_table(sql, "quarantine")? => return Ok((known, 0)),
        _ => number(&bytes),
    };
    match applied {
        Some(n) if n <= known => Ok((n, n)),
        _ => Err(StoreError(
            "the tables are of a later version than this code".into(),
        )),
    }
}

/// Drops the contents of every table but `meta` and `quarantine`.
///
/// # Errors
/// Whatever the database said.
pub fn clear(sql: &mut dyn Sql) -> Result<(), StoreError> {
    for statement in [
        "DELETE FROM segments",
        "DELETE FROM singles",
        "DELETE FROM outcomes",
        "DELETE FROM dead",
        "DELETE FROM expiry",
        "DELETE FROM keys",
        "DELETE FROM idempotency",
        "DELETE FROM checkpoint",
        "DELETE FROM journal",
        "DELETE FROM attempts",
    ] {
        sql.exec(statement, &[])?;
    }
    Ok(())
}
