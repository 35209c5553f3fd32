//! The segments of a queue: their rows, and the decoded ones that were used last.
//!
//! Owns the table `segments`: reading, writing, and the rows that wait to be written over. Their
//! form is `segment.rs`'s. Decides nothing.

use super::segment::{Builder, Place, SINGLE, Segment, segment_id};
use super::segment_cache::SegmentCache;
use crate::limits::{SEQ_MAX, SPARE_BYTES_MAX, SPARE_ROWS_MAX};
use crate::store::{Arg, Sql, StoreError, Value, scalar};
use crate::time::Millis;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Segments looked at to tell a position exactly.
const HEADS_MAX: u64 = 256;
/// Numbers in one statement's list: 17 characters each stay far under the platform's 2 MB.
const STATEMENT_NUMBERS: usize = 10_000;

/// The segments of a queue: rows, and the decoded ones that were used last.
#[derive(Debug, Default)]
pub struct Segments {
    cache: SegmentCache,
    spares: Spares,
}

/// Rows of segments whose last message is final, and their sizes. The next segment is written over
/// one of them, which is billed as one row; to delete it and insert another would be two.
#[derive(Debug, Default)]
struct Spares {
    rows: BTreeMap<u64, usize>,
    bytes: usize,
}

impl Spares {
    /// Keeps a row, unless there are enough already.
    fn keep(&mut self, id: u64, bytes: usize) -> bool {
        let fits = self.rows.len() < SPARE_ROWS_MAX && self.bytes + bytes <= SPARE_BYTES_MAX;
        if fits && self.rows.insert(id, bytes).is_none() {
            self.bytes += bytes;
        }
        fits
    }

    /// A row to write over: most often the one that was kept last, whose pages are at hand.
    fn take(&mut self) -> Option<u64> {
        let (id, bytes) = self.rows.pop_last()?;
        self.bytes -= bytes;
        Some(id)
    }
}

impl Segments {
    /// The segment or single at `place`, whole. `None` when there is no such row.
    ///
    /// # Errors
    /// Storage.
    pub fn get(
        &mut self,
        sql: &mut dyn Sql,
        place: Place,
    ) -> Result<Option<Rc<Segment>>, StoreError> {
        let id = place.segment_id();
        if let Some(segment) = self.cache.get(id) {
            return Ok(Some(segment));
        }
        let rows = if place.lane == SINGLE {
            sql.exec(
                "SELECT seq, head, body FROM singles WHERE seq = ?",
                &[place.first_seq.into()],
            )?
        } else {
            sql.exec(
                "SELECT id, head, body FROM segments WHERE id = ?",
                &[id.into()],
            )?
        };
        let Some(row) = rows.into_iter().next() else {
            return Ok(None);
        };
        let segment = decode_row(place.lane, row)?;
        Ok(Some(self.cache.remember(id, segment)))
    }

    /// The lane's first segment whose first sequence number is `from` or later.
    ///
    /// # Errors
    /// Storage.
    pub fn next(
        &mut self,
        sql: &mut dyn Sql,
        lane: u8,
        from: u64,
    ) -> Result<Option<Rc<Segment>>, StoreError> {
        if let Some(segment) = self.cache.get(segment_id(lane, from)) {
            return Ok(Some(segment));
        }
        let rows = sql.exec(
            "SELECT id, head, body FROM segments WHERE id >= ? AND id < ? ORDER BY id LIMIT 1",
            &[
                segment_id(lane, from).into(),
                segment_id(lane + 1, 0).into(),
            ],
        )?;
        let Some(row) = rows.into_iter().next() else {
            return Ok(None);
        };
        let id = row.first().map_or(0, Value::uint);
        if let Some(segment) = self.cache.get(id) {
            return Ok(Some(segment));
        }
        let segment = decode_row(lane, row)?;
        Ok(Some(self.cache.remember(id, segment)))
    }

    /// The lane's segment that would hold `seq`.
    ///
    /// # Errors
    /// Storage.
    pub fn holding(
        &mut self,
        sql: &mut dyn Sql,
        lane: u8,
        seq: u64,
    ) -> Result<Option<Rc<Segment>>, StoreError> {
        let rows = sql.exec(
            "SELECT id FROM segments WHERE id >= ? AND id <= ? ORDER BY id DESC LIMIT 1",
            &[segment_id(lane, 0).into(), segment_id(lane, seq).into()],
        )?;
        let Some(id) = rows.first().and_then(|row| row.first()).map(Value::uint) else {
            return Ok(None);
        };
        self.get(
            sql,
            Place {
                lane,
                first_seq: id & ((1 << 48) - 1),
                index: 0,
            },
        )
    }

    /// Heads of the lane's segments from `from` on, without their bodies, for a start.
    ///
    /// # Errors
    /// Storage.
    pub fn heads_from(sql: &mut dyn Sql, lane: u8, from: u64) -> Result<Vec<Segment>, StoreError> {
        let rows = sql.exec(
            "SELECT id, head FROM segments WHERE id >= ? AND id < ? ORDER BY id",
            &[
                segment_id(lane, from).into(),
                segment_id(lane + 1, 0).into(),
            ],
        )?;
        rows.into_iter().map(|row| decode_row(lane, row)).collect()
    }

    /// Heads of the lane's segments from `from` up to but not including `to`, the first few of
    /// them.
    ///
    /// # Errors
    /// Storage.
    pub fn heads_between(
        sql: &mut dyn Sql,
        lane: u8,
        from: u64,
        to: u64,
    ) -> Result<Vec<Segment>, StoreError> {
        let rows = sql.exec(
            "SELECT id, head FROM segments WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
            &[
                segment_id(lane, from).into(),
                segment_id(lane, to).into(),
                HEADS_MAX.into(),
            ],
        )?;
        rows.into_iter().map(|row| decode_row(lane, row)).collect()
    }

    /// Heads of the lane's first `limit` segments from `from` on.
    ///
    /// # Errors
    /// Storage.
    pub fn heads_page(
        sql: &mut dyn Sql,
        lane: u8,
        from: u64,
        limit: u64,
    ) -> Result<Vec<Segment>, StoreError> {
        let rows = sql.exec(
            "SELECT id, head FROM segments WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
            &[
                segment_id(lane, from).into(),
                segment_id(lane + 1, 0).into(),
                limit.into(),
            ],
        )?;
        rows.into_iter().map(|row| decode_row(lane, row)).collect()
    }

    /// The head of the lane's last segment that begins at or before `seq`.
    ///
    /// # Errors
    /// Storage.
    pub fn head_holding(
        sql: &mut dyn Sql,
        lane: u8,
        seq: u64,
    ) -> Result<Option<Segment>, StoreError> {
        let rows = sql.exec(
            "SELECT id, head FROM segments WHERE id >= ? AND id <= ? ORDER BY id DESC LIMIT 1",
            &[segment_id(lane, 0).into(), segment_id(lane, seq).into()],
        )?;
        rows.into_iter()
            .next()
            .map(|row| decode_row(lane, row))
            .transpose()
    }

    /// Stores what `builder` holds as one row, and keeps it decoded: it is likely to be wanted
    /// soon.
    ///
    /// # Errors
    /// Storage.
    pub fn append(
        &mut self,
        sql: &mut dyn Sql,
        lane: u8,
        builder: Builder,
        at_ms: Millis,
        ordinal: u64,
    ) -> Result<(), StoreError> {
        let segment = builder.finish(lane, at_ms, ordinal);
        let id = segment_id(lane, segment.first_seq);
        let (head, body) = segment.stored();
        let (head, body) = (Arg::Blob(head), Arg::Blob(body));
        match self.spares.take() {
            Some(spare) => sql.exec(
                "UPDATE segments SET id = ?, head = ?, body = ? WHERE id = ?",
                &[id.into(), head, body, spare.into()],
            )?,
            None => sql.exec(
                "INSERT INTO segments (id, head, body) VALUES (?, ?, ?)",
                &[id.into(), head, body],
            )?,
        };
        self.cache.remember(id, segment);
        Ok(())
    }

    /// Marks messages of a segment as gone before their turn.
    ///
    /// # Errors
    /// Storage.
    pub fn mark_gone(
        &mut self,
        sql: &mut dyn Sql,
        segment: &Segment,
        indexes: &[u16],
    ) -> Result<(), StoreError> {
        let mut gone = segment.gone.clone();
        gone.extend_from_slice(indexes);
        gone.sort_unstable();
        gone.dedup();
        let head = segment.encoded_with_gone(&gone);
        let id = segment_id(segment.lane, segment.first_seq);
        sql.exec(
            "UPDATE segments SET head = ? WHERE id = ?",
            &[Arg::Blob(&head), id.into()],
        )?;
        self.forget(id);
        Ok(())
    }

    /// Gives up rows whose last message became final: keeps them to be written over, or deletes
    /// them where enough are kept.
    ///
    /// # Errors
    /// Storage.
    pub fn retire(&mut self, sql: &mut dyn Sql, ids: &[u64]) -> Result<(), StoreError> {
        let mut surplus = Vec::new();
        for id in ids {
            let bytes = match self.cache.get(*id) {
                Some(segment) => Some(segment.row_bytes()),
                None => row_bytes(sql, *id)?,
            };
            self.forget(*id);
            if bytes.is_some_and(|bytes| !self.spares.keep(*id, bytes)) {
                surplus.push(*id);
            }
        }
        each_list(&surplus, |list| {
            sql.exec(
                "DELETE FROM segments WHERE id IN (SELECT value FROM json_each(?))",
                &[list],
            )
        })
    }

    /// Finds the rows that were kept to be written over, for a start: those of `lane` before the
    /// sequence number `to`, its cursor's, of which no message is outstanding.
    ///
    /// # Errors
    /// Storage.
    pub fn find_spares(
        &mut self,
        sql: &mut dyn Sql,
        lane: u8,
        to: u64,
        is_held: impl Fn(u64) -> bool,
    ) -> Result<(), StoreError> {
        let rows = sql.exec(
            "SELECT id, length(head) + length(body) FROM segments WHERE id >= ? AND id < ?",
            &[segment_id(lane, 0).into(), segment_id(lane, to).into()],
        )?;
        for row in rows {
            let [id, bytes] = [0, 1].map(|at| row.get(at).map_or(0, Value::uint));
            if !is_held(id) {
                self.spares.keep(id, bytes as usize);
            }
        }
        Ok(())
    }

    /// How many rows are kept to be written over.
    #[must_use]
    pub fn spare_rows(&self) -> usize {
        self.spares.rows.len()
    }

    /// Drops a decoded segment from memory.
    pub fn forget(&mut self, id: u64) {
        self.cache.forget(id);
    }
}

/// Calls `run` with JSON lists of `numbers`, each short enough for one statement.
pub(super) fn each_list<T>(
    numbers: &[u64],
    mut run: impl FnMut(Arg<'_>) -> Result<T, StoreError>,
) -> Result<(), StoreError> {
    for numbers in numbers.chunks(STATEMENT_NUMBERS) {
        let list = serde_json::to_string(numbers).map_err(|e| StoreError(e.to_string()))?;
        run(Arg::Text(&list))?;
    }
    Ok(())
}

/// The size of a row; `None` when there is none.
fn row_bytes(sql: &mut dyn Sql, id: u64) -> Result<Option<usize>, StoreError> {
    let rows = sql.exec(
        "SELECT length(head) + length(body) FROM segments WHERE id = ?",
        &[id.into()],
    )?;
    Ok(scalar(rows).map(|bytes| bytes.uint() as usize))
}

/// A row: its key, its head and, where it was asked for, its body. What a row holds begins where its
/// key says, or going from row to row would not come to an end.
///
/// # Errors
/// It cannot be read, or is another's.
pub fn decode_row(lane: u8, row: Vec<Value>) -> Result<Segment, StoreError> {
    let mut row = row.into_iter();
    let first_seq = row.next().map_or(0, |key| key.uint()) & SEQ_MAX;
    let head = row.next().map(Value::into_blob).unwrap_or_default();
    let segment = Segment::decode(lane, head, row.next().map(Value::into_blob))?;
    segment.expect_consistent(first_seq)
}
