//! Listing messages without leasing them, and the figures of a queue.

use super::Stop;
use super::outstanding::Status;
use super::queue::{Queue, Turn};
use super::segment::{LANES, Place, SINGLE, Segment};
use crate::command::{Delivery, Description, Reply, State};
use crate::limits::{BROWSE_MESSAGES_MAX, PULL_BYTES_MAX, SEQ_MAX};
use crate::store::{StoreError, Value};
use crate::time::Millis;

impl Queue {
    /// Messages after `after_seq` that are not final, by sequence number. Cut where their bodies
    /// grow too large for one answer; the first always fits. No source is read much further than
    /// that.
    pub(super) fn browse(
        &mut self,
        turn: &mut Turn<'_>,
        after_seq: u64,
        limit: u32,
    ) -> Result<Reply, Stop> {
        let limit = limit.clamp(1, BROWSE_MESSAGES_MAX) as usize;
        let after_seq = after_seq.min(SEQ_MAX);
        let mut found = self.browse_outstanding(turn, after_seq, limit)?;
        found.append(&mut self.browse_singles(turn, after_seq, limit)?);
        for lane in 0..LANES as u8 {
            found.append(&mut self.browse_lane(turn, lane, after_seq, limit)?);
        }
        found.sort_unstable_by_key(|delivery| delivery.seq);
        found.truncate(limit);
        Ok(Reply::Browsed(fitting(found)))
    }

    /// Dead letters that are kept here, by sequence number; cut as [`Queue::browse`] does.
    pub(super) fn browse_dead(
        &mut self,
        turn: &mut Turn<'_>,
        after_seq: u64,
        limit: u32,
    ) -> Result<Reply, Stop> {
        let limit = u64::from(limit.clamp(1, BROWSE_MESSAGES_MAX));
        let rows = turn.sql.exec(
            "SELECT head, body FROM dead WHERE target = '' AND seq > ? ORDER BY seq LIMIT ?",
            &[after_seq.min(SEQ_MAX).into(), limit.into()],
        )?;
        let mut found = Vec::with_capacity(rows.len());
        for mut row in rows {
            let body = row.pop().map(Value::into_blob).unwrap_or_default();
            let head = row.pop().map(Value::into_blob).unwrap_or_default();
            let segment = Segment::decode(SINGLE, head, Some(body))?;
            let Some(item) = segment.items.first() else {
                continue;
            };
            let attempts = segment.head(item)?.attempts;
            let delivery = self.delivery(&segment, item, attempts)?;
            found.push(Delivery {
                state: Some(State::Dead),
                ..delivery
            });
        }
        Ok(Reply::Browsed(fitting(found)))
    }

    fn browse_outstanding(
        &mut self,
        turn: &mut Turn<'_>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        let entries: Vec<_> = self
            .outstanding
            .from(after + 1)
            .take(limit)
            .map(|(_, entry)| *entry)
            .collect();
        let (mut found, mut bytes) = (Vec::new(), 0);
        for entry in entries {
            if bytes > PULL_BYTES_MAX {
                break;
            }
            bytes += entry.body_bytes as usize;
            let Some(segment) = self.segments.get(turn.sql, entry.place)? else {
                continue;
            };
            let item = segment.items[usize::from(entry.place.index)];
            let state = match entry.status {
                Status::Ready => State::Queued,
                Status::Leased { .. } => State::Leased,
                Status::Waiting { .. } => State::Delayed,
            };
            let delivery = self.delivery(&segment, &item, entry.attempts)?;
            found.push(Delivery {
                state: Some(state),
                ..delivery
            });
        }
        Ok(found)
    }

    fn browse_singles(
        &mut self,
        turn: &mut Turn<'_>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        if self.meta.delayed + self.meta.held == 0 {
            return Ok(Vec::new());
        }
        self.delete_singles(turn)?;
        let rows = turn.sql.exec(
            "SELECT seq, held FROM singles WHERE seq > ? ORDER BY seq LIMIT ?",
            &[after.into(), (limit as u64).into()],
        )?;
        let (mut found, mut bytes) = (Vec::new(), 0);
        for row in rows {
            let [seq, held] = [0, 1].map(|i| row.get(i).map_or(0, Value::uint));
            if self.outstanding.get(seq).is_some() {
                continue;
            }
            if bytes > PULL_BYTES_MAX {
                break;
            }
            let place = Place::single(seq);
            let Some(segment) = self.segments.get(turn.sql, place)? else {
                continue;
            };
            let Some(item) = segment.items.first() else {
                continue;
            };
            bytes += item.body_bytes as usize;
            let state = if held == 1 {
                State::Held
            } else {
                State::Delayed
            };
            found.push(Delivery {
                state: Some(state),
                ..self.delivery(&segment, item, 0)?
            });
        }
        Ok(found)
    }

    fn browse_lane(
        &mut self,
        turn: &mut Turn<'_>,
        lane: u8,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        let (mut found, mut bytes) = (Vec::new(), 0);
        let cursor = self.meta.lanes[usize::from(lane)];
        if cursor.fresh() == 0 {
            return Ok(found);
        }
        let mut from = cursor.from;
        if after >= from
            && let Some(segment) = self.segments.holding(turn.sql, lane, after)?
        {
            from = from.max(segment.first_seq);
        }
        while found.len() < limit && bytes <= PULL_BYTES_MAX {
            let Some(segment) = self.segments.next(turn.sql, lane, from)? else {
                break;
            };
            from = segment.first_seq + 1;
            for (index, item) in segment.items.iter().enumerate() {
                let index = index as u16;
                if item.seq > after
                    && found.len() < limit
                    && self.is_ahead(&segment, index)
                    && !segment.is_gone(index)
                {
                    bytes += item.body_bytes as usize;
                    let delivery = self.delivery(&segment, item, 0)?;
                    found.push(Delivery {
                        state: Some(State::Queued),
                        ..delivery
                    });
                }
            }
        }
        Ok(found)
    }

    /// Configuration and figures.
    pub(super) fn describe(&mut self, turn: &mut Turn<'_>, created: bool) -> Result<Reply, Stop> {
        let totals = self.meta.totals.clone();
        let draw = self.draws().next_back();
        let description = Description {
            config: self.config().to_json(),
            paused: self.meta.paused,
            depth: self.depth(),
            in_flight: self.outstanding.leased() as u64,
            delayed: self.meta.delayed + self.outstanding.waiting() as u64,
            held: self.meta.held,
            waiting: self.line.waiting(),
            draw,
            dead: self.meta.dead_kept + self.meta.dead_leaving,
            backlog_bytes: self.meta.bytes,
            oldest_at_ms: self.oldest_ms(turn)?,
            accepted: self.meta.accepted,
            accepted_total: totals.accepted,
            rejected: totals.rejected,
            delivered_total: totals.delivered,
            acked_total: totals.acked,
            dead_total: totals.dead,
            expired_total: totals.expired,
            cancelled_total: totals.cancelled,
            endpoint: self.endpoint_figures(turn),
            quarantined: self.quarantined.rows,
            quarantined_total: self.quarantined.total,
            since_start: self.since,
            latencies: self.latencies,
        };
        Ok(Reply::Described {
            description: Box::new(description),
            created,
        })
    }

    /// Acceptance of the oldest message of the backlog.
    fn oldest_ms(&mut self, turn: &mut Turn<'_>) -> Result<Option<Millis>, StoreError> {
        let mut oldest: Option<Millis> = None;
        let mut note = |at_ms| oldest = Some(oldest.map_or(at_ms, |at: Millis| at.min(at_ms)));
        if let Some((_, entry)) = self
            .outstanding
            .from(0)
            .next()
            .map(|(seq, entry)| (seq, *entry))
            && let Some(segment) = self.segments.get(turn.sql, entry.place)?
        {
            note(segment.items[usize::from(entry.place.index)].at_ms);
        }
        for lane in 0..LANES as u8 {
            if let Some((segment, index)) = self.fresh_segment(turn, lane)? {
                note(segment.items[usize::from(index)].at_ms);
            }
        }
        if self.meta.delayed + self.meta.held > 0 {
            // Those that ended in this very turn still have their rows.
            self.delete_singles(turn)?;
            let rows = turn
                .sql
                .exec("SELECT head FROM singles ORDER BY seq LIMIT 1", &[])?;
            if let Some(row) = rows.into_iter().next() {
                let head = row
                    .into_iter()
                    .next()
                    .map(Value::into_blob)
                    .unwrap_or_default();
                note(Segment::decode(SINGLE, head, None)?.at_ms);
            }
        }
        Ok(oldest)
    }
}

/// As many of `found` as fit one answer; the first always does.
fn fitting(mut found: Vec<Delivery>) -> Vec<Delivery> {
    let mut bytes = 0;
    let fits = found.iter().take_while(|delivery| {
        bytes += delivery.body.bytes().len();
        bytes <= PULL_BYTES_MAX
    });
    let fits = fits.count().max(1);
    found.truncate(fits);
    found
}
