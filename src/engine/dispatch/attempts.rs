//! The log of attempts: what each call of an endpoint came to, for whoever looks for the reason.
//!
//! Bounded: a ring of `ATTEMPT_ROWS_MAX` rows of some `ATTEMPT_ROW_BYTES` each, the oldest of which
//! is written over. A turn that learns of calls writes one row, however many they were: the row
//! that is being filled is written again until it is full. A start begins a new one.

use crate::limits::{ATTEMPT_ANSWER_BYTES_MAX, ATTEMPT_ROW_BYTES, ATTEMPT_ROWS_MAX};
use crate::store::{Arg, Sql, StoreError, Value, seal};
use crate::time::Millis;
use serde::{Deserialize, Serialize};

/// What an attempt takes beside its texts, at most.
const ATTEMPT_BYTES: usize = 48;

/// One call and what it came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The messages that went with it: sequence number, and which attempt it was of each.
    pub messages: Vec<(u64, u32)>,
    /// When it began.
    pub at_ms: Millis,
    /// How long it took.
    pub duration_ms: Millis,
    /// Of the answer; zero: there was none.
    pub status: u16,
    /// Why it failed, where it did.
    pub error: Option<String>,
    /// The first bytes of the answer.
    pub answer: Vec<u8>,
}

impl Attempt {
    fn bytes(&self) -> usize {
        let error = self.error.as_ref().map_or(0, String::len);
        ATTEMPT_BYTES + self.messages.len() * 8 + error + self.answer.len()
    }
}

/// The writer of the log.
#[derive(Debug, Default)]
pub struct Attempts {
    /// Number of the row that is being filled; `None`: not known since the start.
    number: Option<u64>,
    /// What it holds.
    row: Vec<Attempt>,
    bytes: usize,
    has_changed: bool,
}

impl Attempts {
    /// Adds an attempt; written by [`Attempts::flush`].
    ///
    /// # Errors
    /// Storage.
    pub fn add(&mut self, sql: &mut dyn Sql, mut attempt: Attempt) -> Result<(), StoreError> {
        attempt.answer.truncate(ATTEMPT_ANSWER_BYTES_MAX);
        let bytes = attempt.bytes();
        if self.bytes > 0 && self.bytes + bytes > ATTEMPT_ROW_BYTES {
            self.flush(sql)?;
            self.row.clear();
            self.bytes = 0;
            self.number = self.number.map(|number| number + 1);
        }
        self.bytes += bytes;
        self.row.push(attempt);
        self.has_changed = true;
        Ok(())
    }

    /// Writes what was added since the last call.
    ///
    /// # Errors
    /// Storage.
    pub fn flush(&mut self, sql: &mut dyn Sql) -> Result<(), StoreError> {
        if !std::mem::take(&mut self.has_changed) {
            return Ok(());
        }
        let number = match self.number {
            Some(number) => number,
            None => next_number(sql)?,
        };
        self.number = Some(number);
        let data = seal::encode(&self.row)?;
        let seqs = || self.row.iter().flat_map(|it| it.messages.iter());
        let first = seqs().map(|(seq, _)| *seq).min().unwrap_or_default();
        let last = seqs().map(|(seq, _)| *seq).max().unwrap_or_default();
        sql.exec(
            "INSERT INTO attempts (slot, number, first_seq, last_seq, data) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (slot) DO UPDATE SET number = excluded.number,
             first_seq = excluded.first_seq, last_seq = excluded.last_seq, data = excluded.data",
            &[
                (number % ATTEMPT_ROWS_MAX).into(),
                number.into(),
                first.into(),
                last.into(),
                Arg::Blob(&data),
            ],
        )?;
        Ok(())
    }

    /// The attempts of a message that are remembered, the oldest first, each with its number.
    ///
    /// # Errors
    /// Storage, or a damaged row.
    pub fn of(&mut self, sql: &mut dyn Sql, seq: u64) -> Result<Vec<(u32, Attempt)>, StoreError> {
        self.flush(sql)?;
        let rows = sql.exec(
            "SELECT data FROM attempts WHERE first_seq <= ? AND last_seq >= ? ORDER BY number",
            &[seq.into(), seq.into()],
        )?;
        let mut found = Vec::new();
        for row in rows {
            let data = row.into_iter().next().map(Value::into_blob);
            for attempt in decode(&data.unwrap_or_default())? {
                let mine = attempt.messages.iter().find(|(it, _)| *it == seq);
                if let Some((_, number)) = mine {
                    found.push((*number, attempt));
                }
            }
        }
        Ok(found)
    }
}

fn next_number(sql: &mut dyn Sql) -> Result<u64, StoreError> {
    let rows = sql.exec("SELECT max(number) FROM attempts", &[])?;
    let last = rows.first().and_then(|row| row.first());
    Ok(last.map_or(0, Value::uint) + 1)
}

/// Reads a row.
///
/// # Errors
/// When the bytes are not one, which means that it is damaged.
pub fn decode(data: &[u8]) -> Result<Vec<Attempt>, StoreError> {
    seal::decode("a row of attempts", data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_survives_its_bytes_and_no_part_of_it_passes_for_one() {
        let row = vec![Attempt {
            messages: vec![(7, 2), (9, 1)],
            at_ms: 1_700_000_000_000,
            duration_ms: 12,
            status: 503,
            error: Some("busy".to_owned()),
            answer: b"later".to_vec(),
        }];
        let data = seal::encode(&row).unwrap();
        assert_eq!(decode(&data).unwrap(), row);
        for end in 0..data.len() {
            assert!(decode(&data[..end]).is_err(), "{end}");
        }
    }
}
