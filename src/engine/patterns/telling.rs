//! Who is owed news, and the calls that bring them.

use super::{CALLS_MAX, Patterns, Turn, backoff_ms};
use crate::command::pattern::matches;
use crate::command::placement::topic_callee;
use crate::command::topic::{Anonymous, TopicCommand, TopicEnvelope, encode};
use crate::engine::outcome::Call;
use crate::store::{Arg, Sql, StoreError, Value};
use crate::time::Millis;
use std::collections::BTreeMap;

/// Rows looked at in one step.
const ROWS_MAX: u64 = 1_000;
/// Rows read when somebody may be told.
const NEXT_MAX: u64 = 4 * CALLS_MAX as u64;

/// The calls to topics.
#[derive(Debug, Default)]
pub(super) struct Telling {
    /// Calls under way: whom, and of which version.
    open: BTreeMap<u32, (String, u64)>,
    /// Topics that did not answer: how often, and when they are tried again.
    troubled: BTreeMap<String, (u32, Millis)>,
    /// Whether anybody may be owed anything.
    is_busy: bool,
    /// After which topic the next look begins.
    after: String,
}

impl Telling {
    /// One that looks for what an earlier instance left.
    pub fn open() -> Self {
        Self {
            is_busy: true,
            ..Self::default()
        }
    }

    pub const fn is_busy(&self) -> bool {
        self.is_busy
    }

    pub fn retry_at_ms(&self) -> Option<Millis> {
        self.troubled.values().map(|(_, at)| *at).min()
    }

    pub fn owe(&mut self, sql: &mut dyn Sql, topic: &str, version: u64) -> Result<(), StoreError> {
        self.is_busy = true;
        sql.exec(
            "INSERT INTO owed (topic, since, latest) VALUES (?, ?, ?)
             ON CONFLICT (topic) DO UPDATE SET latest = excluded.latest",
            &[topic.into(), version.into(), version.into()],
        )?;
        Ok(())
    }

    /// Whether any topic that `pattern` stands for has not heard of this version.
    pub fn owes(
        &mut self,
        sql: &mut dyn Sql,
        pattern: &str,
        version: u64,
    ) -> Result<bool, StoreError> {
        if !self.is_busy {
            return Ok(false);
        }
        let mut after = String::new();
        loop {
            let args = [Arg::from(after.as_str()), version.into(), ROWS_MAX.into()];
            let rows = sql.exec(
                "SELECT topic FROM owed WHERE topic > ? AND since <= ? ORDER BY topic LIMIT ?",
                &args,
            )?;
            if rows.iter().any(|row| matches(pattern, row[0].text())) {
                return Ok(true);
            }
            match rows.last() {
                Some(row) if rows.len() as u64 == ROWS_MAX => row[0].text().clone_into(&mut after),
                _ => return Ok(false),
            }
        }
    }

    /// The answer to a call; whether it was one to a topic.
    pub fn settle(
        &mut self,
        sql: &mut dyn Sql,
        now_ms: Millis,
        number: u32,
        ok: bool,
    ) -> Result<bool, StoreError> {
        let Some((topic, version)) = self.open.remove(&number) else {
            return Ok(false);
        };
        if ok {
            self.troubled.remove(&topic);
            let args = [Arg::from(topic.as_str()), version.into()];
            sql.exec("DELETE FROM owed WHERE topic = ? AND latest <= ?", &args)?;
            // What came while it was being told, it has not heard of.
            sql.exec(
                "UPDATE owed SET since = ? WHERE topic = ?",
                &[(version + 1).into(), topic.as_str().into()],
            )?;
        } else {
            let (failures, at_ms) = self.troubled.entry(topic).or_default();
            *failures += 1;
            *at_ms = now_ms + backoff_ms(*failures);
        }
        Ok(true)
    }

    /// The next topics to be told, as many as there may be calls.
    fn next(&mut self, sql: &mut dyn Sql, now_ms: Millis) -> Result<Vec<String>, StoreError> {
        let mut found = Vec::new();
        let mut looks = 2;
        while looks > 0 && self.open.len() + found.len() < CALLS_MAX {
            let args = [Arg::from(self.after.as_str()), NEXT_MAX.into()];
            let rows = sql.exec(
                "SELECT topic FROM owed WHERE topic > ? ORDER BY topic LIMIT ?",
                &args,
            )?;
            if rows.is_empty() {
                self.is_busy &= !self.after.is_empty();
                self.after.clear();
                looks -= 1;
                continue;
            }
            for topic in rows.iter().map(|row| row.first().map_or("", Value::text)) {
                if self.open.len() + found.len() >= CALLS_MAX {
                    break;
                }
                topic.clone_into(&mut self.after);
                let waits = self.troubled.get(topic).is_some_and(|(_, at)| *at > now_ms);
                let is_told = self.open.values().any(|(told, _)| told == topic);
                if !waits && !is_told && !found.iter().any(|it| it == topic) {
                    found.push(topic.to_owned());
                }
            }
        }
        Ok(found)
    }
}

impl Patterns {
    /// Tells topics what they are owed, a few at a time.
    pub(super) fn tell(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        if !self.telling.is_busy {
            return Ok(());
        }
        for topic in self.telling.next(turn.sql, turn.now_ms)? {
            let set = self.set_for(turn.sql, &topic)?;
            let version = set.version;
            let envelope = TopicEnvelope {
                topic: &topic,
                origin: None,
                auto_create: false,
                anonymous: Anonymous::default(),
                command: TopicCommand::Patterns(set),
            };
            let command = encode(&envelope).map_err(|fault| StoreError(fault.detail))?;
            let number = self.number();
            turn.out.calls.push(Call {
                number,
                object: topic_callee(&topic),
                command,
            });
            self.telling.open.insert(number, (topic, version));
        }
        Ok(())
    }
}
