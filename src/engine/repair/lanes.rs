//! A lane, counted from its rows.

use super::recount::Recount;
use crate::engine::journal::Lane;
use crate::engine::outstanding::{Entry, Status};
use crate::engine::queue::Queue;
use crate::engine::segment::{Builder, Head, LINE, Place, Segment, segment_id};
use crate::engine::segments::Segments;
use crate::limits::{OUTSTANDING_MAX, SEGMENT_MESSAGES_MAX};
use crate::store::{Arg, Sql, StoreError};
use crate::time::Millis;

/// Rows of heads read at a time.
const PAGE_ROWS: u64 = 16;

/// What is known of a lane so far.
struct Walk {
    /// As it is counted.
    lane: Lane,
    /// As it was written down.
    was: Lane,
    /// Whether a row with messages ahead of the cursor has been seen.
    is_ahead: bool,
    /// The number after the last row's last message.
    end: u64,
    losers: u64,
}

impl Queue {
    /// Counts what is ahead of a lane's cursor, and checks what is outstanding behind it. What is
    /// missing between two rows is made up by a row of messages that are gone, so that places in
    /// line stay right.
    pub(super) fn recount_lane(
        &mut self,
        sql: &mut dyn Sql,
        lane: u8,
        found: &mut Recount<'_>,
    ) -> Result<(), StoreError> {
        let was = *self.cursor(lane);
        let mut walk = Walk {
            lane: Lane {
                appended: was.taken,
                gone: 0,
                ..was
            },
            was,
            is_ahead: false,
            end: was.from,
            losers: 0,
        };
        let mut from = 0;
        loop {
            let segments = Segments::heads_page(sql, lane, from, PAGE_ROWS)?;
            let Some(last) = segments.last() else { break };
            from = last.first_seq + 1;
            for segment in &segments {
                self.recount_segment(sql, segment, &mut walk, found)?;
            }
        }
        let lost = walk.was.appended.saturating_sub(walk.lane.appended);
        if lost > 0 {
            found.lose(sql, lane, walk.end.max(was.from), self.meta.next_seq, lost)?;
        }
        *self.cursor_mut(lane) = walk.lane;
        if lane == LINE {
            self.line.state.losers = walk.losers;
        }
        Ok(())
    }

    fn recount_segment(
        &mut self,
        sql: &mut dyn Sql,
        segment: &Segment,
        walk: &mut Walk,
        found: &mut Recount<'_>,
    ) -> Result<(), StoreError> {
        let (lane, was) = (segment.lane, walk.was);
        let length = segment.items.len() as u16;
        let ahead = match segment.first_seq {
            first if first > was.from => 0,
            first if first == was.from => was.index.min(length),
            _ => length,
        };
        (0..ahead).for_each(|index| self.check_taken(segment, index, found));
        if segment.first_seq >= was.from {
            let ordinal = segment.ordinal + u64::from(ahead);
            if !walk.is_ahead {
                walk.is_ahead = true;
                let lost = ordinal.saturating_sub(was.taken);
                if lost > 0 {
                    found.lose(sql, lane, was.from, segment.first_seq, lost)?;
                }
                walk.lane.from = segment.first_seq;
                walk.lane.index = ahead;
                walk.lane.taken = ordinal;
            } else if ordinal > walk.lane.appended {
                let lost = ordinal - walk.lane.appended;
                found.lose(sql, lane, walk.end, segment.first_seq, lost)?;
                make_up(sql, segment, walk, lost)?;
            }
            walk.lane.appended = segment.ordinal + u64::from(length);
            self.count_fresh(segment, ahead, walk);
        }
        walk.end = segment.items.last().map_or(walk.end, |item| item.seq + 1);
        Ok(())
    }

    fn count_fresh(&mut self, segment: &Segment, from: u16, walk: &mut Walk) {
        for index in from..segment.items.len() as u16 {
            let item = &segment.items[usize::from(index)];
            // A message whose lease is known and whose taking is not: it was never taken.
            self.outstanding.remove(item.seq);
            if segment.is_gone(index) {
                walk.lane.gone += 1;
            } else if segment.lane != LINE {
                self.meta.bytes += u64::from(item.body_bytes);
            } else if self.has_lost(segment, index) {
                walk.losers += 1;
            }
        }
    }

    /// A message behind its lane's cursor: outstanding, or final. Where rows of the journal are
    /// missing and nothing says that it is final, it is delivered again.
    fn check_taken(&mut self, segment: &Segment, index: u16, found: &mut Recount<'_>) {
        let item = &segment.items[usize::from(index)];
        let place = Place {
            lane: segment.lane,
            first_seq: segment.first_seq,
            index,
        };
        if let Some(entry) = self.outstanding.get(item.seq) {
            if entry.place == place {
                found.sound.insert(item.seq);
            }
            return;
        }
        let is_final = found.is_whole
            || segment.lane == LINE
            || segment.is_gone(index)
            || found.is_final(item.seq)
            || item.seq <= self.meta.purged_seq;
        if is_final || self.outstanding.len() >= OUTSTANDING_MAX {
            return;
        }
        let entry = Entry {
            place,
            status: Status::Ready,
            attempts: 0,
            at_ms: item.at_ms,
            expires_at_ms: item.expires_at_ms,
            line: self.line_of(segment, item),
            body_bytes: item.body_bytes,
            rank: self.rank(item.priority),
        };
        self.outstanding.put(item.seq, entry);
        found.sound.insert(item.seq);
    }
}

/// Stores rows of messages that are gone in place of those that are missing before `segment`.
fn make_up(
    sql: &mut dyn Sql,
    segment: &Segment,
    walk: &mut Walk,
    lost: u64,
) -> Result<(), StoreError> {
    // Every message had a number of its own between those of the rows around it.
    let mut left = lost.min(segment.first_seq - walk.end);
    while left > 0 {
        let count = left.min(SEGMENT_MESSAGES_MAX as u64);
        let (id, head) = gone_row(
            segment.lane,
            walk.end,
            count,
            walk.lane.appended,
            segment.at_ms,
        );
        sql.exec(
            "INSERT OR IGNORE INTO segments (id, head, body) VALUES (?, ?, ?)",
            &[id.into(), Arg::Blob(&head), Arg::Blob(&[])],
        )?;
        walk.end += count;
        walk.lane.appended += count;
        walk.lane.gone += count;
        left -= count;
    }
    Ok(())
}

/// A row of so many messages that are gone: its identifier and its head. It has no body.
pub fn gone_row(
    lane: u8,
    first_seq: u64,
    count: u64,
    ordinal: u64,
    at_ms: Millis,
) -> (u64, Vec<u8>) {
    let mut builder = Builder::default();
    (first_seq..first_seq + count).for_each(|seq| builder.push(seq, Head::default(), &[]));
    let segment = builder.finish(lane, at_ms, ordinal);
    let all: Vec<u16> = (0..segment.items.len() as u16).collect();
    (segment_id(lane, first_seq), segment.encoded_with_gone(&all))
}
