//! What happens by itself: leases run out, retries and delays come due, messages expire, memories
//! fade.
//!
//! Every turn begins here, so that commands meet the queue as it is now; the alarm starts a turn
//! when nothing else does. Bounded: what one turn does not finish, the next one does at once.

use super::dead_letter::Reason;
use super::outcomes::End;
use super::outstanding::{Entry, Status};
use super::queue::{Queue, Turn};
use super::recovery::first;
use super::segment::{LANES, LINE, Place, SINGLE, Segment};
use crate::command::State;
use crate::limits::{OUTSTANDING_MAX, TIMERS_PER_TURN_MAX};
use crate::store::{StoreError, Value, seal};
use crate::time::{MINUTE, Millis};

impl Queue {
    pub(super) fn advance_clock(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        self.more_work = false;
        self.run_timers(turn)?;
        if self.next_single_ms.is_some_and(|at| at <= turn.now_ms) {
            self.take_due_singles(turn)?;
        }
        // Who takes part in a draw does not change while it is under way.
        let settled = self.draws.is_running();
        if !settled && self.next_expiry_ms.is_some_and(|at| at <= turn.now_ms) {
            self.expire_due(turn)?;
        }
        self.expire_retained(turn)?;
        self.prune(turn)?;
        if !settled {
            self.expire_line(turn)?;
        }
        self.run_draw(turn)?;
        self.admit(turn)?;
        Ok(())
    }

    /// When something has to happen by itself next, for the alarm.
    pub(super) fn next_wakeup_ms(&self, now_ms: Millis) -> Option<Millis> {
        if self.more_work {
            return Some(now_ms);
        }
        let retention_ms = self.config().retention_ms;
        let oldest_ms = self
            .meta
            .lanes
            .iter()
            .chain([self.cursor(LINE)])
            .filter(|lane| lane.fresh() > 0)
            .map(|lane| lane.oldest_ms)
            .min();
        let room = self.outstanding.len() < OUTSTANDING_MAX;
        let pruned = [
            self.meta.outcomes_prune_at_ms,
            self.meta.idempotency_prune_at_ms,
        ];
        [
            self.outstanding.first_timer().map(|(at, _)| at),
            self.next_single_ms.filter(|_| room),
            self.next_expiry_ms,
            self.draws.due_ms(),
            oldest_ms.map(|at| at + retention_ms),
            self.outstanding
                .ages()
                .next()
                .map(|(at, _)| at + retention_ms),
            pruned.into_iter().filter(|at| *at > 0).min(),
            self.dispatches.alarm_ms(now_ms),
            self.outbox.wakeup_ms(
                self.meta.dead_leaving > 0,
                !self.meta.registered || self.has_unpublished_key(),
            ),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn run_timers(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        for _ in 0..TIMERS_PER_TURN_MAX {
            let Some((at_ms, seq)) = self.outstanding.first_timer() else {
                return Ok(());
            };
            if at_ms > turn.now_ms {
                return Ok(());
            }
            let Some(entry) = self.outstanding.get(seq).copied() else {
                return Ok(());
            };
            let leased = matches!(entry.status, Status::Leased { .. });
            let max_attempts = self.retry_terms(turn, &entry)?.max_attempts;
            if leased && entry.attempts >= max_attempts {
                self.give_up(turn, seq, Reason::LeaseExpired)?;
            } else if entry.expires_at_ms <= turn.now_ms {
                self.expire_outstanding(turn, seq)?;
            } else {
                self.outstanding.put(
                    seq,
                    Entry {
                        status: Status::Ready,
                        ..entry
                    },
                );
            }
        }
        self.more_work = true;
        Ok(())
    }

    /// Takes delayed messages whose time has come, and ends holds that ran out.
    fn take_due_singles(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let (due_ms, seq) = self.meta.singles_taken;
        let room = OUTSTANDING_MAX.saturating_sub(self.outstanding.len());
        let limit = TIMERS_PER_TURN_MAX.min(room.max(1));
        let rows = turn.sql.exec(
            "SELECT seq, due_ms, held FROM singles
             WHERE due_ms >= ? AND due_ms <= ? AND (due_ms > ? OR seq > ?) ORDER BY due_ms, seq LIMIT ?",
            &[due_ms.into(), turn.now_ms.into(), due_ms.into(), seq.into(), (limit as u64).into()],
        )?;
        let full = rows.len() >= limit;
        for row in rows {
            let [seq, due_ms, held] = [0, 1, 2].map(|i| row.get(i).map_or(0, Value::uint));
            if held == 0 && self.outstanding.len() >= OUTSTANDING_MAX {
                break;
            }
            self.meta.singles_taken = (due_ms, seq);
            self.meta_changed = true;
            if held == 0 {
                self.take_single(turn, seq, due_ms)?;
            } else {
                self.end_single(turn, seq, State::Expired, true)?;
            }
        }
        self.next_single_ms = self.first_single_ms(turn.sql)?;
        self.more_work |= full && room > limit;
        Ok(())
    }

    /// Makes a delayed message outstanding.
    pub(super) fn take_single(
        &mut self,
        turn: &mut Turn<'_>,
        seq: u64,
        due_ms: Millis,
    ) -> Result<(), StoreError> {
        let place = Place::single(seq);
        let Some(segment) = self.segments.get(turn.sql, place)? else {
            return Ok(());
        };
        let Some(item) = segment.items.first() else {
            return Ok(());
        };
        self.meta.delayed = self.meta.delayed.saturating_sub(1);
        self.meta.parked_bytes = self
            .meta
            .parked_bytes
            .saturating_sub(u64::from(item.body_bytes));
        let entry = Entry {
            place,
            status: Status::Ready,
            attempts: 0,
            at_ms: due_ms,
            expires_at_ms: item.expires_at_ms,
            line: self.line_of(&segment, item),
            body_bytes: item.body_bytes,
            rank: self.rank(item.priority),
        };
        self.outstanding.put(seq, entry);
        Ok(())
    }

    /// Ends a single that is not outstanding: held or delayed. Gives its place back where that is
    /// due: a held one's always, since it was never confirmed.
    pub(super) fn end_single(
        &mut self,
        turn: &mut Turn<'_>,
        seq: u64,
        state: State,
        give_back: bool,
    ) -> Result<(), StoreError> {
        let rows = turn
            .sql
            .exec("SELECT held FROM singles WHERE seq = ?", &[seq.into()])?;
        let held = rows
            .first()
            .and_then(|row| row.first())
            .map_or(0, Value::uint)
            == 1;
        let place = Place::single(seq);
        let Some(segment) = self.segments.get(turn.sql, place)? else {
            return Ok(());
        };
        let Some(item) = segment.items.first() else {
            return Ok(());
        };
        if held {
            self.meta.held = self.meta.held.saturating_sub(1);
        } else {
            self.meta.delayed = self.meta.delayed.saturating_sub(1);
        }
        self.meta.bytes = self.meta.bytes.saturating_sub(u64::from(item.body_bytes));
        self.meta.parked_bytes = self
            .meta
            .parked_bytes
            .saturating_sub(u64::from(item.body_bytes));
        if give_back || held {
            let key = segment.head(item)?.key.map(str::to_owned);
            self.give_back(turn, key.as_deref())?;
        }
        self.finished_singles.push(seq);
        self.end(turn, seq, state, 0, None);
        Ok(())
    }

    /// Gives a place back to the stock, and to its key's share.
    pub(super) fn give_back(
        &mut self,
        turn: &mut Turn<'_>,
        key: Option<&str>,
    ) -> Result<(), StoreError> {
        self.meta.accepted = self.meta.accepted.saturating_sub(1);
        self.meta_changed = true;
        match key {
            Some(key) if self.config().capacity.max_per_key.is_some() => {
                self.key_counts.change(turn.sql, key, true)
            }
            _ => Ok(()),
        }
    }

    /// Writes down how a message ended, counts it, and tells who waits for it.
    pub(super) fn end(
        &mut self,
        turn: &Turn<'_>,
        seq: u64,
        state: State,
        attempts: u32,
        result: Option<String>,
    ) {
        match state {
            State::Expired => self.meta.totals.expired += 1,
            State::Cancelled => self.meta.totals.cancelled += 1,
            State::Dead => self.meta.totals.dead += 1,
            _ => {}
        }
        self.meta_changed = true;
        self.outcomes.add(End {
            seq,
            state,
            attempts,
            at_ms: turn.now_ms,
            result,
        });
        self.waiters.finished(seq);
    }

    /// Expires an outstanding message.
    pub(super) fn expire_outstanding(
        &mut self,
        turn: &mut Turn<'_>,
        seq: u64,
    ) -> Result<(), StoreError> {
        if let Some(entry) = self.remove_outstanding(seq) {
            self.end(turn, seq, State::Expired, entry.attempts, None);
        }
        Ok(())
    }

    /// Takes a message that became final out of the outstanding ones; its row goes with the commit.
    pub(super) fn remove_outstanding(&mut self, seq: u64) -> Option<Entry> {
        let (entry, last) = self.outstanding.remove(seq)?;
        self.meta.bytes = self.meta.bytes.saturating_sub(u64::from(entry.body_bytes));
        if entry.place.lane == SINGLE {
            self.finished_singles.push(seq);
        } else if last
            && self.meta.lanes[usize::from(entry.place.lane)].from > entry.place.first_seq
        {
            self.finished_segments.push(entry.place.segment_id());
        }
        Some(entry)
    }

    /// Expires messages whose own time to live is over. A leased one lives until its lease ends.
    fn expire_due(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let rows = turn.sql.exec(
            "SELECT at_ms, first_seq, data FROM expiry WHERE at_ms <= ? ORDER BY at_ms LIMIT 16",
            &[turn.now_ms.into()],
        )?;
        self.more_work |= rows.len() == 16;
        for mut row in rows {
            let data = row.pop().map(Value::into_blob).unwrap_or_default();
            let members: Vec<(u8, u64)> = seal::decode("an expiry row", &data)?;
            let mut fresh: Vec<(u8, u64)> = Vec::new();
            self.expire_waiting(turn, &members)?;
            for (lane, seq) in members {
                match self.outstanding.get(seq).copied() {
                    Some(Entry {
                        status: Status::Leased { .. },
                        ..
                    }) => {}
                    // One that came back from the dead letters has no expiry any more, but its row
                    // still stands.
                    Some(entry) if entry.expires_at_ms > turn.now_ms => {}
                    Some(_) => self.expire_outstanding(turn, seq)?,
                    None if lane == SINGLE => {
                        if self.single_expires(turn, seq)? {
                            self.end_single(turn, seq, State::Expired, false)?;
                        }
                    }
                    None => fresh.push((lane, seq)),
                }
            }
            self.end_fresh(turn, &fresh, State::Expired)?;
            let [at_ms, first_seq] = [0, 1].map(|i| row.get(i).map_or(0, Value::uint));
            turn.sql.exec(
                "DELETE FROM expiry WHERE at_ms = ? AND first_seq = ?",
                &[at_ms.into(), first_seq.into()],
            )?;
            self.meta_changed = true;
        }
        self.next_expiry_ms = first(turn.sql, "SELECT min(at_ms) FROM expiry")?;
        Ok(())
    }

    /// Expires those of `members` that wait in the line.
    fn expire_waiting(
        &mut self,
        turn: &mut Turn<'_>,
        members: &[(u8, u64)],
    ) -> Result<(), StoreError> {
        if self.line.is_empty() {
            return Ok(());
        }
        let from = self.cursor(LINE).from;
        let waiting: Vec<(u8, u64)> = members
            .iter()
            .filter(|(_, seq)| *seq >= from)
            .map(|(_, seq)| (LINE, *seq))
            .collect();
        self.end_fresh(turn, &waiting, State::Expired)?;
        Ok(())
    }

    fn single_expires(&mut self, turn: &mut Turn<'_>, seq: u64) -> Result<bool, StoreError> {
        if self.finished_singles.contains(&seq) {
            return Ok(false);
        }
        let place = Place::single(seq);
        let segment = self.segments.get(turn.sql, place)?;
        let item = segment.as_ref().and_then(|segment| segment.items.first());
        Ok(item.is_some_and(|item| item.expires_at_ms <= turn.now_ms))
    }

    /// Ends messages that nobody has taken yet, where they are still ahead of their lane's cursor.
    /// Returns how many.
    pub(super) fn end_fresh(
        &mut self,
        turn: &mut Turn<'_>,
        messages: &[(u8, u64)],
        state: State,
    ) -> Result<u64, StoreError> {
        let mut ended = 0;
        let mut rest = messages;
        while let Some((lane, seq)) = rest.first().copied() {
            let Some(segment) = self.segments.holding(turn.sql, lane, seq)? else {
                rest = &rest[1..];
                continue;
            };
            let last = segment.items.last().map_or(seq, |item| item.seq);
            let here = rest
                .iter()
                .take_while(|(l, s)| *l == lane && *s <= last)
                .count()
                .max(1);
            let (group, later) = rest.split_at(here);
            rest = later;
            let mut indexes = Vec::new();
            for (_, seq) in group {
                let Some(index) = segment.index_of(*seq) else {
                    continue;
                };
                let has_lost = lane == LINE && self.has_lost(&segment, index);
                if self.is_ahead(&segment, index) && !segment.is_gone(index) && !has_lost {
                    indexes.push(index);
                    self.cursor_mut(lane).gone += 1;
                    if lane == LINE {
                        self.line.note_hole(segment.ordinal + u64::from(index));
                        self.leave_line(turn, &segment, index, state)?;
                        continue;
                    }
                    self.meta.bytes = self
                        .meta
                        .bytes
                        .saturating_sub(u64::from(segment.items[usize::from(index)].body_bytes));
                    self.end(turn, *seq, state, 0, None);
                }
            }
            if !indexes.is_empty() {
                self.segments.mark_gone(turn.sql, &segment, &indexes)?;
                ended += indexes.len() as u64;
            }
            if self.cursor(lane).fresh() == 0 {
                // Nothing but gone messages is left: pass them, so that their rows go.
                self.fresh_segment(turn, lane)?;
            }
        }
        Ok(ended)
    }

    /// Whether a message of a segment is still ahead of its lane's cursor.
    pub(super) fn is_ahead(&self, segment: &Segment, index: u16) -> bool {
        let lane = self.cursor(segment.lane);
        (segment.first_seq, index)
            >= (
                lane.from,
                if segment.first_seq == lane.from {
                    lane.index
                } else {
                    0
                },
            )
    }

    /// Expires messages that are older than the queue's retention.
    fn expire_retained(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let Some(before_ms) = turn.now_ms.checked_sub(self.config().retention_ms) else {
            return Ok(());
        };
        let old: Vec<u64> = self
            .outstanding
            .ages()
            .take_while(|(at_ms, _)| *at_ms <= before_ms)
            .take(TIMERS_PER_TURN_MAX)
            .map(|(_, seq)| seq)
            .collect();
        for seq in old {
            self.remove_outstanding(seq);
            self.meta.totals.expired += 1;
            self.waiters.finished(seq);
        }
        for lane in 0..LANES as u8 {
            for _ in 0..16 {
                let cursor = self.meta.lanes[usize::from(lane)];
                if cursor.fresh() == 0 || cursor.oldest_ms > before_ms {
                    break;
                }
                let Some((segment, index)) = self.fresh_segment(turn, lane)? else {
                    break;
                };
                if segment.at_ms > before_ms {
                    break;
                }
                for index in index..segment.items.len() as u16 {
                    self.pass(&segment, index);
                    if !segment.is_gone(index) {
                        self.meta.bytes = self.meta.bytes.saturating_sub(u64::from(
                            segment.items[usize::from(index)].body_bytes,
                        ));
                        self.meta.totals.expired += 1;
                        self.waiters.finished(segment.items[usize::from(index)].seq);
                    }
                }
            }
        }
        Ok(())
    }

    /// Expires messages that have waited for longer than the queue's retention: the first in line.
    fn expire_line(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let Some(before_ms) = turn.now_ms.checked_sub(self.config().retention_ms) else {
            return Ok(());
        };
        for _ in 0..TIMERS_PER_TURN_MAX {
            let cursor = *self.cursor(LINE);
            if cursor.fresh() == 0 || cursor.oldest_ms > before_ms {
                return Ok(());
            }
            let Some((segment, index)) = self.fresh_segment(turn, LINE)? else {
                return Ok(());
            };
            if segment.at_ms > before_ms {
                return Ok(());
            }
            self.pass(&segment, index);
            if self.has_lost(&segment, index) {
                self.line.state.losers -= 1;
            } else {
                self.leave_line(turn, &segment, index, State::Expired)?;
            }
        }
        self.more_work = true;
        Ok(())
    }

    /// Forgets ends and idempotency keys whose time is over.
    fn prune(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        self.forget_ends(turn)?;
        if (1..=turn.now_ms).contains(&self.meta.idempotency_prune_at_ms) {
            let next_ms = self.idempotency.prune(turn.sql, turn.now_ms)?;
            self.meta.idempotency_prune_at_ms =
                next_ms.map_or(0, |at| at.max(turn.now_ms) + MINUTE);
            self.meta_changed = true;
        }
        Ok(())
    }
}
