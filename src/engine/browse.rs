//! Listing messages without leasing them, and the figures of a queue.

use super::Stop;
use super::dead_letter::first_dead;
use super::outstanding::Status;
use super::queue::{Queue, Turn};
use super::segment::{LANES, Place, SINGLE, Segment};
use crate::command::{Delivery, Description, Reply, State};
use crate::limits::{BROWSE_MESSAGES_MAX, PULL_BYTES_MAX, SEQ_MAX};
use crate::store::{StoreError, Value};
use crate::time::Millis;

/// A message to be listed, and where it is.
struct Listed {
    seq: u64,
    place: Place,
    state: State,
    attempts: u32,
    body_bytes: usize,
}

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
        turn.answers.expect_room()?;
        let limit = limit.clamp(1, BROWSE_MESSAGES_MAX) as usize;
        let after_seq = after_seq.min(SEQ_MAX);
        let mut listed = self.list_outstanding(after_seq, limit);
        listed.append(&mut self.list_singles(turn, after_seq, limit)?);
        for lane in 0..LANES as u8 {
            listed.append(&mut self.list_lane(turn, lane, after_seq, limit)?);
        }
        listed.sort_unstable_by_key(|it| it.seq);
        listed.truncate(fitting(listed.iter().take(limit).map(|it| it.body_bytes)));
        let mut found = Vec::with_capacity(listed.len());
        for it in listed {
            let Some(segment) = self.segments.get(turn.sql, it.place)? else {
                continue;
            };
            let item = segment.items[usize::from(it.place.index)];
            found.push(Delivery {
                state: Some(it.state),
                ..self.delivery(&segment, &item, it.attempts)?
            });
        }
        turn.answers.add_all(&found);
        Ok(Reply::Browsed(found))
    }

    /// Dead letters that are kept here, by sequence number; cut as [`Queue::browse`] does.
    pub(super) fn browse_dead(
        &mut self,
        turn: &mut Turn<'_>,
        after_seq: u64,
        limit: u32,
    ) -> Result<Reply, Stop> {
        turn.answers.expect_room()?;
        let bounds = (limit.clamp(1, BROWSE_MESSAGES_MAX) as usize, PULL_BYTES_MAX);
        let rows = first_dead(turn, "", after_seq.min(SEQ_MAX), bounds)?;
        let mut found = Vec::with_capacity(rows.len());
        for mut row in rows {
            let body = row.pop().map(Value::into_blob).unwrap_or_default();
            let head = row.pop().map(Value::into_blob).unwrap_or_default();
            let segment = Segment::decode(SINGLE, head, Some(body))?;
            let Some(item) = segment.items.first() else {
                continue;
            };
            let attempts = segment.head(item)?.attempts;
            found.push(Delivery {
                state: Some(State::Dead),
                ..self.delivery(&segment, item, attempts)?
            });
        }
        turn.answers.add_all(&found);
        Ok(Reply::Browsed(found))
    }

    fn list_outstanding(&self, after: u64, limit: usize) -> Vec<Listed> {
        let entries = self.outstanding.from(after + 1).take(limit);
        let listed = entries.map(|(seq, entry)| Listed {
            seq,
            place: entry.place,
            state: match entry.status {
                Status::Ready => State::Queued,
                Status::Leased { .. } => State::Leased,
                Status::Waiting { .. } => State::Delayed,
            },
            attempts: entry.attempts,
            body_bytes: entry.body_bytes as usize,
        });
        listed.collect()
    }

    fn list_singles(
        &mut self,
        turn: &mut Turn<'_>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        if self.meta.delayed + self.meta.held == 0 {
            return Ok(Vec::new());
        }
        self.delete_singles(turn)?;
        let rows = turn.sql.exec(
            "SELECT seq, held, length(body) FROM singles WHERE seq > ? ORDER BY seq LIMIT ?",
            &[after.into(), (limit as u64).into()],
        )?;
        let mut listed = Vec::with_capacity(rows.len());
        for row in rows {
            let [seq, held, body_bytes] = [0, 1, 2].map(|i| row.get(i).map_or(0, Value::uint));
            if self.outstanding.get(seq).is_none() {
                listed.push(Listed {
                    seq,
                    place: Place::single(seq),
                    state: if held == 1 {
                        State::Held
                    } else {
                        State::Delayed
                    },
                    attempts: 0,
                    body_bytes: body_bytes as usize,
                });
            }
        }
        Ok(listed)
    }

    fn list_lane(
        &mut self,
        turn: &mut Turn<'_>,
        lane: u8,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        let (mut listed, mut bytes) = (Vec::new(), 0);
        let cursor = self.meta.lanes[usize::from(lane)];
        if cursor.fresh() == 0 {
            return Ok(listed);
        }
        let mut from = cursor.from;
        if after >= from
            && let Some(segment) = self.segments.holding(turn.sql, lane, after)?
        {
            from = from.max(segment.first_seq);
        }
        while listed.len() < limit && bytes <= PULL_BYTES_MAX {
            let Some(segment) = self.segments.next(turn.sql, lane, from)? else {
                break;
            };
            from = segment.first_seq + 1;
            for (index, item) in (0..).zip(&segment.items) {
                if item.seq > after
                    && listed.len() < limit
                    && self.is_ahead(&segment, index)
                    && !segment.is_gone(index)
                {
                    bytes += item.body_bytes as usize;
                    listed.push(Listed {
                        seq: item.seq,
                        place: Place {
                            lane,
                            first_seq: segment.first_seq,
                            index,
                        },
                        state: State::Queued,
                        attempts: 0,
                        body_bytes: item.body_bytes as usize,
                    });
                }
            }
        }
        Ok(listed)
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

/// How many bodies of these lengths fit one answer; the first always does.
fn fitting(lengths: impl Iterator<Item = usize>) -> usize {
    let mut bytes = 0;
    let fits = lengths.take_while(|length| {
        bytes += length;
        bytes <= PULL_BYTES_MAX
    });
    fits.count().max(1)
}
