//! Idempotency: the first answer again, for a publish that is repeated.
//!
//! Each key that was accepted within the window has an [`Answer`]. The latest are in memory, and
//! durable by the segment heads and journal rows that carry them; a checkpoint moves them into rows
//! of their own, thousands to a row. In memory stays a 64-bit print of each key and where its
//! answer is; a print that matches is confirmed by a second one, so that two keys are taken for one
//! with a chance of 2^-128. Bounded: at most `IDEMPOTENCY_KEYS_MAX` keys; past it the oldest row is
//! let go before its window is over.

use crate::command::sieve::Sieve;
use crate::id::{Print, Secret};
use crate::limits::IDEMPOTENCY_KEYS_MAX;
use crate::store::{Arg, Sql, StoreError, Value, scalar, seal};
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Answers in one row: 16,000 × 40 bytes stay under a third of the platform's 2 MB.
const ROW_ANSWERS: usize = 16_000;
/// Marks an answer that is in memory; the rest of the number is its index.
const IN_MEMORY: u32 = 1 << 31;

/// In an answer's position: it is one of the line, not of the backlog.
pub const WAITING: u64 = 1 << 52;

/// The first answer to a publish with an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Which key.
    pub print: Print,
    /// The message's sequence number.
    pub seq: u64,
    /// The lane its identifier names.
    pub lane: u8,
    /// When it was accepted.
    pub at_ms: Millis,
    /// Its position then, with [`WAITING`] where that was in the line.
    pub position: u64,
}

/// The keys of a queue.
#[derive(Debug, Default)]
pub struct Idempotency {
    /// First print → number of the row, or index in `recent` with [`IN_MEMORY`].
    index: HashMap<u64, u32>,
    recent: Vec<Answer>,
    /// How many of `recent` are in a journal row already.
    journaled: usize,
    /// Numbers of the rows, oldest first, once they have been read.
    rows: Option<Vec<u64>>,
    /// The row that was read last: who repeats does so again, and others with it.
    last_read: Option<(u64, Vec<Answer>)>,
    /// The sieve of all keys, until they change. The inner `None`: too many for one.
    sieve: Option<Option<Sieve>>,
}

impl Idempotency {
    /// The answers a start found in the journal and in heads.
    #[must_use]
    pub fn recovered(answers: Vec<Answer>, journaled: usize) -> Self {
        let mut this = Self {
            journaled,
            ..Self::default()
        };
        answers.into_iter().for_each(|answer| this.insert(answer));
        this
    }

    /// The first answer, when the key was accepted at `since_ms` or later.
    ///
    /// # Errors
    /// Storage.
    pub fn find(
        &mut self,
        sql: &mut dyn Sql,
        print: Print,
        since_ms: Millis,
    ) -> Result<Option<Answer>, StoreError> {
        self.load(sql)?;
        let answer = match self.index.get(&print.0) {
            None => None,
            Some(at) if at & IN_MEMORY != 0 => self.recent.get((at & !IN_MEMORY) as usize).copied(),
            Some(row) => self.find_in_row(sql, u64::from(*row), print)?,
        };
        Ok(answer.filter(|a| a.print == print && a.at_ms >= since_ms))
    }

    /// A sieve of all keys, for the edge. `None` when there are too many for one.
    ///
    /// # Errors
    /// Storage.
    pub fn sieve(
        &mut self,
        sql: &mut dyn Sql,
        secret: Secret,
    ) -> Result<Option<Sieve>, StoreError> {
        self.load(sql)?;
        let made = self
            .sieve
            .get_or_insert_with(|| Sieve::new(secret, self.index.keys().copied()));
        Ok(made.clone())
    }

    /// Remembers an answer.
    pub fn insert(&mut self, answer: Answer) {
        self.sieve = None;
        self.index
            .insert(answer.print.0, IN_MEMORY | self.recent.len() as u32);
        self.recent.push(answer);
    }

    /// Whether there are more answers that no journal row has yet than one row should carry.
    #[must_use]
    pub fn is_flush_due(&self) -> bool {
        self.recent.len() - self.journaled > ROW_ANSWERS
    }

    /// Answers that no journal row has yet.
    pub fn take_unjournaled(&mut self) -> Vec<Answer> {
        let answers = self.recent[self.journaled..].to_vec();
        self.journaled = self.recent.len();
        answers
    }

    /// Moves the answers in memory into rows, numbered from `next` on, that may go at `until_ms`.
    /// Returns how many.
    ///
    /// # Errors
    /// Storage.
    pub fn flush(
        &mut self,
        sql: &mut dyn Sql,
        next: u64,
        until_ms: Millis,
    ) -> Result<u64, StoreError> {
        let recent = std::mem::take(&mut self.recent);
        self.journaled = 0;
        let mut number = next;
        for answers in recent.chunks(ROW_ANSWERS) {
            let prints: Vec<u8> = answers
                .iter()
                .flat_map(|a| a.print.0.to_le_bytes())
                .collect();
            let data = seal::encode(answers)?;
            sql.exec(
                "INSERT INTO idempotency (number, until_ms, prints, answers) VALUES (?, ?, ?, ?)",
                &[
                    number.into(),
                    until_ms.into(),
                    Arg::Blob(&seal::seal(&prints)),
                    Arg::Blob(&data),
                ],
            )?;
            for answer in answers {
                self.index
                    .insert(answer.print.0, number as u32 & !IN_MEMORY);
            }
            if let Some(rows) = &mut self.rows {
                rows.push(number);
            }
            number += 1;
        }
        while self.index.len() > IDEMPOTENCY_KEYS_MAX
            && let Some(oldest) = self.rows.as_ref().and_then(|rows| rows.first()).copied()
        {
            self.drop_row(sql, oldest)?;
        }
        Ok(number - next)
    }

    /// Drops rows whose time is over. Returns when to look again, if any are left.
    ///
    /// # Errors
    /// Storage.
    pub fn prune(
        &mut self,
        sql: &mut dyn Sql,
        now_ms: Millis,
    ) -> Result<Option<Millis>, StoreError> {
        let over = sql.exec(
            "SELECT number FROM idempotency WHERE until_ms <= ?",
            &[now_ms.into()],
        )?;
        for row in over {
            self.drop_row(sql, row.first().map_or(0, Value::uint))?;
        }
        let next = sql.exec("SELECT min(until_ms) FROM idempotency", &[])?;
        Ok(next
            .first()
            .and_then(|row| row.first())
            .map(Value::uint)
            .filter(|at| *at > 0))
    }

    fn drop_row(&mut self, sql: &mut dyn Sql, number: u64) -> Result<(), StoreError> {
        self.last_read.take_if(|(last, _)| *last == number);
        if let Some(rows) = &mut self.rows {
            rows.retain(|n| *n != number);
            for print in prints_of(sql, number)? {
                if self.index.get(&print) == Some(&(number as u32)) {
                    self.index.remove(&print);
                }
            }
        }
        sql.exec("DELETE FROM idempotency WHERE number = ?", &[number.into()])?;
        Ok(())
    }

    /// The last answer under a print in a row: a key may come again once its window was over.
    fn find_in_row(
        &mut self,
        sql: &mut dyn Sql,
        number: u64,
        print: Print,
    ) -> Result<Option<Answer>, StoreError> {
        if self
            .last_read
            .as_ref()
            .is_none_or(|(last, _)| *last != number)
        {
            self.last_read = Some((number, answers_of(sql, number)?));
        }
        let answers = self.last_read.iter().flat_map(|(_, answers)| answers);
        Ok(answers.rev().find(|it| it.print == print).copied())
    }

    /// Reads the prints of all rows, once, when the first key is asked for.
    fn load(&mut self, sql: &mut dyn Sql) -> Result<(), StoreError> {
        if self.rows.is_some() {
            return Ok(());
        }
        let found = sql.exec("SELECT number FROM idempotency ORDER BY number", &[])?;
        let rows: Vec<u64> = found
            .iter()
            .filter_map(|row| row.first())
            .map(Value::uint)
            .collect();
        for number in &rows {
            for print in prints_of(sql, *number)? {
                // A key in memory is later than one in a row.
                self.index
                    .entry(print)
                    .and_modify(|at| {
                        if *at & IN_MEMORY == 0 {
                            *at = *number as u32
                        }
                    })
                    .or_insert(*number as u32);
            }
        }
        self.rows = Some(rows);
        Ok(())
    }
}

fn prints_of(sql: &mut dyn Sql, number: u64) -> Result<Vec<u64>, StoreError> {
    let rows = sql.exec(
        "SELECT prints FROM idempotency WHERE number = ?",
        &[number.into()],
    )?;
    let bytes = scalar(rows).map(Value::into_blob).unwrap_or_default();
    let (words, _) = seal::open("a row of idempotency keys", &bytes)?.as_chunks::<8>();
    Ok(words.iter().map(|word| u64::from_le_bytes(*word)).collect())
}

fn answers_of(sql: &mut dyn Sql, number: u64) -> Result<Vec<Answer>, StoreError> {
    let rows = sql.exec(
        "SELECT answers FROM idempotency WHERE number = ?",
        &[number.into()],
    )?;
    let bytes = scalar(rows).map(Value::into_blob).unwrap_or_default();
    seal::decode("a row of idempotency keys", &bytes)
}
