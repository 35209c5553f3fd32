//! The names of all queues, in one table of the directory's object.
//!
//! A queue registers when it comes into being, again when it is configured, and is forgotten when a
//! listing finds it gone. The two may cross, so each registration has a number, and forgetting
//! spares what was registered after the listing.

use crate::command::directory::DirectoryCommand;
use crate::command::scope::covers;
use crate::limits::{LIST_QUEUES_MAX, LIST_SCAN_QUEUES_MAX};
use crate::store::{Arg, Sql, StoreError, Value};
use serde::Serialize;

/// One page of names.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Names {
    /// In order.
    pub names: Vec<String>,
    /// Where the next page begins; `None` on the last.
    pub cursor: Option<String>,
    /// Number of the last registration that this page can know of.
    pub as_of: u64,
}

/// Makes the table where there is none.
///
/// # Errors
/// Whatever the database said.
pub fn open(sql: &mut dyn Sql) -> Result<(), StoreError> {
    for statement in [
        "CREATE TABLE IF NOT EXISTS queues
            (name TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID",
        "CREATE TABLE IF NOT EXISTS registrations
            (one INTEGER PRIMARY KEY, number INTEGER NOT NULL)",
    ] {
        sql.exec(statement, &[])?;
    }
    Ok(())
}

/// Does what `command` says; names for a listing.
///
/// # Errors
/// Whatever the database said.
pub fn run(sql: &mut dyn Sql, command: &DirectoryCommand<'_>) -> Result<Option<Names>, StoreError> {
    match *command {
        DirectoryCommand::Register { name } | DirectoryCommand::Join { name } => {
            register(sql, name).map(|()| None)
        }
        DirectoryCommand::Unregister { ref names, as_of } => {
            for name in names {
                sql.exec(
                    "DELETE FROM queues WHERE name = ? AND number <= ?",
                    &[(*name).into(), as_of.into()],
                )?;
            }
            Ok(None)
        }
        DirectoryCommand::List {
            after,
            limit,
            ref seen,
        } => list(sql, after, limit, seen.as_deref()).map(Some),
        DirectoryCommand::PublishKey { .. }
        | DirectoryCommand::Keys
        | DirectoryCommand::Patterns(_) => Ok(None),
    }
}

fn register(sql: &mut dyn Sql, name: &str) -> Result<(), StoreError> {
    let number = registrations(sql)? + 1;
    sql.exec(
        "INSERT OR REPLACE INTO registrations (one, number) VALUES (1, ?)",
        &[number.into()],
    )?;
    sql.exec(
        "INSERT OR REPLACE INTO queues (name, number) VALUES (?, ?)",
        &[name.into(), number.into()],
    )?;
    Ok(())
}

fn list(
    sql: &mut dyn Sql,
    after: Option<&str>,
    limit: u32,
    seen: Option<&[&str]>,
) -> Result<Names, StoreError> {
    let limit = limit.clamp(1, LIST_QUEUES_MAX) as usize;
    let scan = if seen.is_some() {
        LIST_SCAN_QUEUES_MAX
    } else {
        limit
    };
    // No name is empty, so all names come after the empty one.
    let args = [
        Arg::from(after.unwrap_or_default()),
        Arg::from(scan as u64 + 1),
    ];
    let rows = sql.exec(
        "SELECT name FROM queues WHERE name > ? ORDER BY name LIMIT ?",
        &args,
    )?;
    let is_seen = |name: &&str| seen.is_none_or(|it| it.iter().any(|it| covers(it, name)));
    let scanned = rows.iter().take(scan).map(|row| row[0].text());
    let mut names: Vec<String> = scanned
        .filter(is_seen)
        .take(limit + 1)
        .map(str::to_owned)
        .collect();
    let cursor = if names.len() > limit || (seen.is_none() && rows.len() > limit) {
        names.truncate(limit);
        names.last().cloned()
    } else if rows.len() > scan {
        // Where looking stopped: the next page goes on from there.
        rows.get(scan - 1).map(|row| row[0].text().to_owned())
    } else {
        None
    };
    Ok(Names {
        names,
        cursor,
        as_of: registrations(sql)?,
    })
}

fn registrations(sql: &mut dyn Sql) -> Result<u64, StoreError> {
    let rows = sql.exec("SELECT number FROM registrations", &[])?;
    Ok(rows
        .first()
        .and_then(|row| row.first())
        .map_or(0, Value::uint))
}
