//! The rows of a log, one a segment, by the number of its first message; and a bounded cache of
//! those that were used last.

use crate::engine::segment::{Builder, Segment};
use crate::engine::segment_cache::SegmentCache;
use crate::engine::segments::decode_row;
use crate::store::{Arg, Sql, StoreError, Value};
use crate::time::Millis;
use std::rc::Rc;

/// The lane that segments name: a log knows no priorities.
pub const LANE: u8 = 0;
/// Heads read in one step.
const HEADS_MAX: u64 = 256;

/// The stored segments.
#[derive(Debug, Default)]
pub struct Rows {
    cache: SegmentCache,
}

impl Rows {
    /// The segment that begins with `seq` or before it, the latest such; whole.
    ///
    /// # Errors
    /// Storage.
    pub fn holding(
        &mut self,
        sql: &mut dyn Sql,
        seq: u64,
    ) -> Result<Option<Rc<Segment>>, StoreError> {
        // A reader that keeps up is at the beginning of a segment, which is in memory.
        if let Some(segment) = self.cache.get(seq) {
            return Ok(Some(segment));
        }
        let rows = sql.exec("SELECT max(id) FROM segments WHERE id <= ?", &[seq.into()])?;
        let Some(id) = rows.first().and_then(|row| row.first()).map(Value::uint) else {
            return Ok(None);
        };
        if let Some(segment) = self.cache.get(id) {
            return Ok(Some(segment));
        }
        let rows = sql.exec(
            "SELECT id, head, body FROM segments WHERE id = ?",
            &[id.into()],
        )?;
        let Some(row) = rows.into_iter().next() else {
            return Ok(None);
        };
        Ok(Some(self.cache.remember(id, decode(row)?)))
    }

    /// Heads from the segment that begins with `from` on, the first few of them.
    ///
    /// # Errors
    /// Storage.
    pub fn heads(sql: &mut dyn Sql, from: u64) -> Result<Vec<Segment>, StoreError> {
        let args = [from.into(), HEADS_MAX.into()];
        let rows = sql.exec(
            "SELECT id, head FROM segments WHERE id >= ? ORDER BY id LIMIT ?",
            &args,
        )?;
        rows.into_iter().map(decode).collect()
    }

    /// As [`Rows::heads`], from the segment that holds `from` on.
    ///
    /// # Errors
    /// Storage.
    pub fn heads_holding(sql: &mut dyn Sql, from: u64) -> Result<Vec<Segment>, StoreError> {
        let rows = sql.exec("SELECT max(id) FROM segments WHERE id <= ?", &[from.into()])?;
        Self::heads(
            sql,
            rows.first()
                .and_then(|row| row.first())
                .map_or(from, Value::uint),
        )
    }

    /// Stores what `builder` holds as one row, and keeps it decoded: it is likely to be wanted
    /// soon.
    ///
    /// # Errors
    /// Storage.
    pub fn append(
        &mut self,
        sql: &mut dyn Sql,
        builder: Builder,
        at_ms: Millis,
    ) -> Result<(), StoreError> {
        let segment = builder.finish(LANE, at_ms, 0);
        let (head, body) = segment.stored();
        sql.exec(
            "INSERT INTO segments (id, head, body) VALUES (?, ?, ?)",
            &[segment.first_seq.into(), Arg::Blob(head), Arg::Blob(body)],
        )?;
        self.cache.remember(segment.first_seq, segment);
        Ok(())
    }

    /// Deletes all rows that begin before `seq`.
    ///
    /// # Errors
    /// Storage.
    pub fn delete_before(&mut self, sql: &mut dyn Sql, seq: u64) -> Result<(), StoreError> {
        sql.exec("DELETE FROM segments WHERE id < ?", &[seq.into()])?;
        self.cache.forget_before(seq);
        Ok(())
    }
}

/// As of a queue's row; and numbers have no gaps.
fn decode(row: Vec<Value>) -> Result<Segment, StoreError> {
    let segment = decode_row(LANE, row)?;
    if segment.is_contiguous() {
        return Ok(segment);
    }
    let from = segment.first_seq;
    Err(StoreError(format!(
        "the row {from} of a log is damaged: it has gaps"
    )))
}
