//! The rows of patterns: a row for each subscription, and one for each topic that has to be told
//! something still. The names of topics are in the directory's own table.

use super::Key;
use super::steps::Step;
use crate::command::pattern::{matches, prefix};
use crate::command::topic::Start;
use crate::engine::filter::Filter;
use crate::engine::topic::target::{Target, own_queue_patch};
use crate::error::Fault;
use crate::store::{Arg, Sql, StoreError, Value, scalar, seal};
use crate::time::Millis;
use serde::{Deserialize, Serialize};

/// Names looked at in one step.
const NAMES_MAX: u64 = 1_000;
/// Comes after every character of a name.
const AFTER_NAMES: char = '\u{7f}';

/// What is stored of a subscription. As JSON: fields may be added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Row {
    pub filter: Option<String>,
    pub target: Option<String>,
    pub delivery: Option<String>,
    /// What its own queue calls: what [`PushConfig::stored`] wrote.
    ///
    /// [`PushConfig::stored`]: crate::push::config::PushConfig::stored
    pub push: Option<serde_json::Value>,
    pub paused: bool,
    /// Paused until its queue is empty.
    pub held: bool,
    pub start: Start,
    pub since_ms: Millis,
    pub epoch: u64,
    /// Where it goes with the next hold, and when it was told to.
    pub goal: (Start, Millis),
    /// What has to be done, the present one first.
    pub steps: Vec<Step>,
    /// The version that the present step tells topics, once it has begun to.
    pub version: u64,
    /// Up to which name topics have been found that it has to tell; `None`: all.
    pub walked: Option<String>,
    /// Topics are told of it.
    pub visible: bool,
    /// It goes when its steps are done.
    pub leaving: bool,
}

impl Row {
    /// Nothing is left to be done but this, whatever round it was in.
    pub fn begin_anew(&mut self, step: Step) {
        self.steps = vec![step];
        self.version = 0;
        self.walked = None;
    }

    /// Topics would be told a filter that they refuse, again and again.
    fn expect_known(&self) -> Result<(), StoreError> {
        let known = self.filter.as_deref().map(Filter::compile).transpose();
        known
            .and_then(|_| self.target().map(drop))
            .map_err(|fault| StoreError(fault.detail))
    }

    /// Where its messages go.
    ///
    /// # Errors
    /// What was stored of it cannot be.
    pub fn target(&self) -> Result<Target, Fault> {
        let push = self.push.as_ref().map(Target::read_push).transpose()?;
        Ok(Target {
            queue: self.target.clone(),
            push: push.flatten(),
        })
    }

    /// What its own queue is configured with.
    ///
    /// # Errors
    /// As [`Self::target`].
    pub fn own_queue_patch(&self) -> Result<String, Fault> {
        let push = self.target()?.push;
        let delivery = self.delivery.as_deref();
        Ok(own_queue_patch(delivery, push.as_deref(), self.paused))
    }
}

impl Default for Row {
    fn default() -> Self {
        Self {
            filter: None,
            target: None,
            delivery: None,
            push: None,
            paused: false,
            held: false,
            start: Start::Latest,
            since_ms: 0,
            epoch: 0,
            goal: (Start::Latest, 0),
            steps: Vec::new(),
            version: 0,
            walked: None,
            visible: false,
            leaving: false,
        }
    }
}

pub(super) fn migrate(sql: &mut dyn Sql) -> Result<(), StoreError> {
    for statement in [
        "CREATE TABLE IF NOT EXISTS patterns
            (pattern TEXT NOT NULL, name TEXT NOT NULL, subscription BLOB NOT NULL,
            PRIMARY KEY (pattern, name)) WITHOUT ROWID",
        // Topics that are owed news: of which version first, and of which last.
        "CREATE TABLE IF NOT EXISTS owed
            (topic TEXT PRIMARY KEY, since INTEGER NOT NULL, latest INTEGER NOT NULL)
            WITHOUT ROWID",
    ] {
        sql.exec(statement, &[])?;
    }
    Ok(())
}

pub(super) fn read(sql: &mut dyn Sql) -> Result<Stored, StoreError> {
    let rows = sql.exec("SELECT pattern, name, subscription FROM patterns", &[])?;
    let mut found = Stored::default();
    for mut row in rows {
        let sealed = row.pop().map(Value::into_blob).unwrap_or_default();
        let text = |at: usize| row.get(at).map_or("", Value::text).to_owned();
        let key = (text(0), text(1));
        let what = "a subscription of a pattern";
        let it = seal::open(what, &sealed)
            .and_then(|json| serde_json::from_slice(json).map_err(|e| StoreError(e.to_string())))
            .and_then(|it: Row| it.expect_known().map(|()| it));
        match it {
            Ok(it) => found.sound.push((key, it)),
            Err(error) => found.damaged.push((key, error.0)),
        }
    }
    Ok(found)
}

/// What is stored of subscriptions.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub sound: Vec<(Key, Row)>,
    /// Those that cannot be read, and why. Their rows stay until another takes their place.
    pub damaged: Vec<(Key, String)>,
}

pub(super) fn write(sql: &mut dyn Sql, key: &Key, row: &Row) -> Result<(), StoreError> {
    let json = serde_json::to_vec(row).map_err(|e| StoreError(e.to_string()))?;
    let sealed = seal::seal(&json);
    sql.exec(
        "INSERT OR REPLACE INTO patterns (pattern, name, subscription) VALUES (?, ?, ?)",
        &[
            key.0.as_str().into(),
            key.1.as_str().into(),
            Arg::Blob(&sealed),
        ],
    )?;
    Ok(())
}

pub(super) fn delete(sql: &mut dyn Sql, key: &Key) -> Result<(), StoreError> {
    let args = [key.0.as_str(), key.1.as_str()].map(Arg::from);
    sql.exec("DELETE FROM patterns WHERE pattern = ? AND name = ?", &args)?;
    Ok(())
}

/// The number of the last registration or change: they count together.
pub(super) fn version(sql: &mut dyn Sql) -> Result<u64, StoreError> {
    let rows = sql.exec("SELECT number FROM registrations", &[])?;
    Ok(scalar(rows).map_or(0, |value| value.uint()))
}

/// A number after all others, and not before the clock: topics listen to what is newer than all they
/// were told, also by a directory that was lost since, or that a backup from before has replaced.
pub(super) fn next_version(sql: &mut dyn Sql, now_ms: Millis) -> Result<u64, StoreError> {
    let next = (version(sql)? + 1).max(now_ms);
    sql.exec(
        "INSERT OR REPLACE INTO registrations (one, number) VALUES (1, ?)",
        &[next.into()],
    )?;
    Ok(next)
}

/// Topics that `pattern` stands for, after the name `after`, up to `limit` of them; and where to go
/// on, if there may be more.
pub(super) fn names(
    sql: &mut dyn Sql,
    pattern: &str,
    after: &str,
    limit: usize,
) -> Result<(Vec<String>, Option<String>), StoreError> {
    let first = prefix(pattern);
    let end = format!("{first}{AFTER_NAMES}");
    let args = [
        Arg::from(after),
        Arg::from(first),
        Arg::from(end.as_str()),
        Arg::from(NAMES_MAX),
    ];
    let rows = sql.exec(
        "SELECT name FROM queues WHERE name > ? AND name >= ? AND name < ? ORDER BY name LIMIT ?",
        &args,
    )?;
    let is_page_full = rows.len() as u64 == NAMES_MAX;
    let all = rows.iter().map(|row| row[0].text());
    let mut last = rows.last().map(|row| row[0].text().to_owned());
    let mut names: Vec<String> = all
        .filter(|name| matches(pattern, name))
        .take(limit + 1)
        .map(str::to_owned)
        .collect();
    let is_over = names.len() > limit;
    if is_over {
        names.truncate(limit);
        last = names.last().cloned();
    }
    Ok((names, last.filter(|_| is_over || is_page_full)))
}
