//! Ends that have to be remembered: results, and every end but a plain acknowledgement.
//!
//! A message that was acknowledged without a result leaves nothing behind: a genuine identifier
//! that is nowhere else and not too old was acknowledged. All other ends are written down, 64
//! sequence numbers to a row, and can be read for `result_retention_ms`; when their rows go, and
//! what follows from it for the others, is `forgetting.rs`'s.

use crate::command::State;
use crate::store::{Arg, Sql, StoreError, Value, seal};
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Sequence numbers of one row are those that share all but this many bits. 64 results of 16 KiB
/// are 1 MiB.
const CHUNK_BITS: u32 = 6;

/// How a message ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Which message.
    pub seq: u64,
    /// `Done`, `Dead`, `Expired` or `Cancelled`.
    pub state: State,
    /// Deliveries it had.
    pub attempts: u32,
    /// When.
    pub at_ms: Millis,
    /// JSON text its consumer left.
    pub result: Option<String>,
}

/// Ends of the current turn, by row.
#[derive(Debug, Default)]
pub struct Outcomes {
    pending: BTreeMap<u64, Vec<End>>,
}

impl Outcomes {
    /// Remembers an end; written by [`Outcomes::flush`].
    pub fn add(&mut self, end: End) {
        self.pending
            .entry(end.seq >> CHUNK_BITS)
            .or_default()
            .push(end);
    }

    /// How the message ended, if that was written down.
    ///
    /// # Errors
    /// Storage.
    pub fn find(&self, sql: &mut dyn Sql, seq: u64) -> Result<Option<End>, StoreError> {
        let chunk = seq >> CHUNK_BITS;
        let pending = self
            .pending
            .get(&chunk)
            .and_then(|ends| ends.iter().rev().find(|e| e.seq == seq));
        if let Some(end) = pending {
            return Ok(Some(end.clone()));
        }
        Ok(read(sql, chunk)?.into_iter().rev().find(|e| e.seq == seq))
    }

    /// Forgets an end: the message is alive again.
    ///
    /// # Errors
    /// Storage.
    pub fn remove(
        &mut self,
        sql: &mut dyn Sql,
        seq: u64,
        until_ms: Millis,
    ) -> Result<(), StoreError> {
        let chunk = seq >> CHUNK_BITS;
        if let Some(pending) = self.pending.get_mut(&chunk) {
            pending.retain(|e| e.seq != seq);
        }
        let mut ends = read(sql, chunk)?;
        ends.retain(|e| e.seq != seq);
        write(sql, chunk, until_ms, &ends)
    }

    /// Writes what was added since the last call. `true` when anything was.
    ///
    /// # Errors
    /// Storage.
    pub fn flush(&mut self, sql: &mut dyn Sql, until_ms: Millis) -> Result<bool, StoreError> {
        let pending = std::mem::take(&mut self.pending);
        let wrote = !pending.is_empty();
        for (chunk, ends) in pending {
            let mut all = read(sql, chunk)?;
            all.extend(ends);
            write(sql, chunk, until_ms, &all)?;
        }
        Ok(wrote)
    }

    /// The highest sequence number of the rows whose time was over then; zero: there are none.
    ///
    /// # Errors
    /// Storage.
    pub fn last_over(sql: &mut dyn Sql, now_ms: Millis) -> Result<u64, StoreError> {
        let over = sql.exec(
            "SELECT max(chunk) FROM outcomes WHERE until_ms <= ?",
            &[now_ms.into()],
        )?;
        Ok(match over.first().and_then(|row| row.first()) {
            Some(Value::Int(chunk)) => Self::last_of(chunk.cast_unsigned()),
            _ => 0,
        })
    }

    /// The highest sequence number that a row may hold.
    pub(super) const fn last_of(chunk: u64) -> u64 {
        ((chunk + 1) << CHUNK_BITS) - 1
    }

    /// Drops rows whose time was over then. Returns the highest sequence number that may have been
    /// forgotten.
    ///
    /// # Errors
    /// Storage.
    pub fn prune(sql: &mut dyn Sql, now_ms: Millis) -> Result<u64, StoreError> {
        let forgotten = Self::last_over(sql, now_ms)?;
        if forgotten > 0 {
            sql.exec("DELETE FROM outcomes WHERE until_ms <= ?", &[now_ms.into()])?;
        }
        Ok(forgotten)
    }

    /// When the time of the next row is over, if there are any.
    ///
    /// # Errors
    /// Storage.
    pub fn next_over_ms(sql: &mut dyn Sql) -> Result<Option<Millis>, StoreError> {
        let next = sql.exec("SELECT min(until_ms) FROM outcomes", &[])?;
        Ok(next
            .first()
            .and_then(|row| row.first())
            .map(Value::uint)
            .filter(|at| *at > 0))
    }
}

pub(super) fn read(sql: &mut dyn Sql, chunk: u64) -> Result<Vec<End>, StoreError> {
    let rows = sql.exec("SELECT data FROM outcomes WHERE chunk = ?", &[chunk.into()])?;
    let Some(row) = rows.into_iter().next() else {
        return Ok(Vec::new());
    };
    let bytes = row
        .into_iter()
        .next()
        .map(Value::into_blob)
        .unwrap_or_default();
    seal::decode("a row of outcomes", &bytes)
}

fn write(sql: &mut dyn Sql, chunk: u64, until_ms: Millis, ends: &[End]) -> Result<(), StoreError> {
    let data = seal::encode(ends)?;
    sql.exec(
        "INSERT INTO outcomes (chunk, until_ms, data) VALUES (?, ?, ?)
         ON CONFLICT (chunk) DO UPDATE SET until_ms = excluded.until_ms, data = excluded.data",
        &[chunk.into(), until_ms.into(), Arg::Blob(&data)],
    )?;
    Ok(())
}
