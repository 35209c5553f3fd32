//! The line: messages that wait for a place.
//!
//! Where `capacity.overflow` is `wait`, a publish that finds no room is accepted into the line. It
//! is stored as a segment is, in a lane of its own, with its own sequence number; when its turn
//! comes it goes the way of every message, as if it were published then. While anybody waits,
//! every new publish joins the end, so that sequence numbers are in the order of admission and
//! lanes stay ascending: nothing else of the engine knows of the line.
//!
//! Owns the cursor of the line and the places in it that were given up. Invariants: nobody is
//! admitted without room, and nobody waits while there is room for the first in line, but for what
//! one turn leaves to the next. Out of scope: who gets in by lot, see `draw.rs`.

use super::Stop;
use super::config::{Capacity, Overflow};
use super::dead_letter::Reason;
use super::holes::Holes;
use super::idempotency::WAITING;
use super::journal::Lane;
use super::publish::{Arrival, head_of};
use super::queue::{Drain, Queue, Turn};
use super::segment::{LINE, SINGLE, Segment, Terms};
use super::segments::Segments;
use crate::command::{Accepted, Draft, State, Waiting};
use crate::error::{ErrorCode, Fault};
use crate::id::{Id, Print};
use crate::limits::{ADMITTED_BYTES_PER_TURN_MAX, ADMITTED_PER_TURN_MAX};
use crate::store::StoreError;
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Rows whose extent is remembered, so that reads of a place need no statement.
const SPANS_MAX: usize = 4_096;
/// Rows of heads read at a time, where all of the line has to be looked through.
pub(super) const PAGE_ROWS: u64 = 16;
/// What a row of its own counts towards the bytes of a turn, at least.
const ROW_COST_BYTES: usize = 16_384;
/// Slowest pace of admission that an estimate is made of: one in 1,000 seconds.
const PACE_MIN: f64 = 1e-6;

/// What of the line the journal keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineState {
    /// Who was admitted or has left, as for every lane.
    pub cursor: Lane,
    /// Those ahead of the cursor that a draw has passed over: out of the line, though their rows
    /// still stand.
    pub losers: u64,
}

/// What becomes of the first in line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is admitted when there is room.
    Next,
    /// A draw will decide.
    Waits,
    /// A draw has decided against it.
    Lost,
    /// Its time is over.
    Over,
    /// It is larger than all messages together may be by now.
    NeverFits,
}

/// The extent of a row of the line.
#[derive(Clone, Copy, Debug)]
struct Span {
    messages: u64,
    /// How many messages ever joined before its first.
    ordinal: u64,
}

/// The line of a queue.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub state: LineState,
    /// What may still be admitted in this turn.
    messages_left: usize,
    bytes_left: usize,
    /// First sequence number of rows → their extent.
    spans: BTreeMap<u64, Span>,
    /// `None`: not read since the start.
    holes: Option<Holes>,
    pace: Drain,
}

impl Line {
    pub fn recovered(state: LineState) -> Self {
        Self {
            state,
            ..Self::default()
        }
    }

    /// Whether nobody is in it.
    pub fn is_empty(&self) -> bool {
        self.state.cursor.fresh() == 0
    }

    /// How many wait.
    pub fn waiting(&self) -> u64 {
        self.state.cursor.fresh().saturating_sub(self.state.losers)
    }

    pub fn begin_turn(&mut self) {
        self.messages_left = ADMITTED_PER_TURN_MAX;
        self.bytes_left = ADMITTED_BYTES_PER_TURN_MAX;
    }

    /// Notes that the message with this ordinal has left before its turn.
    pub fn note_hole(&mut self, ordinal: u64) {
        if let Some(holes) = &mut self.holes {
            holes.insert(ordinal);
        }
    }
}

impl Queue {
    /// The cursor of a lane, or of the line.
    pub(super) fn cursor(&self, lane: u8) -> &Lane {
        match lane {
            LINE => &self.line.state.cursor,
            _ => &self.meta.lanes[usize::from(lane)],
        }
    }

    /// See [`Queue::cursor`].
    pub(super) fn cursor_mut(&mut self, lane: u8) -> &mut Lane {
        match lane {
            LINE => &mut self.line.state.cursor,
            _ => &mut self.meta.lanes[usize::from(lane)],
        }
    }

    /// Refuses what cannot join the line: it is full, or the message would never fit.
    pub(super) fn check_line(
        &self,
        capacity: &Capacity,
        body_bytes: u64,
        now_ms: Millis,
    ) -> Result<(), Fault> {
        let waiting = self.line.waiting();
        if waiting < capacity.max_waiting && body_bytes <= capacity.max_bytes {
            return Ok(());
        }
        if let Some(over) = self.overflow_of(capacity, body_bytes) {
            let is_full = waiting >= capacity.max_waiting;
            let fault = self.refusal(&over, capacity, now_ms);
            return Err(fault.with(|f| {
                f.verdict_ms = f.verdict_ms.or(is_full.then_some(capacity.verdict_ms()));
            }));
        }
        let detail = format!("{waiting} messages wait for a place, which is all that may");
        Err(Fault::new(ErrorCode::QueueFull, detail).with(|f| {
            f.depth = Some(waiting);
            f.limit = Some(capacity.max_waiting);
            f.retry_after_ms = Some(capacity.retry_after_ms);
            f.verdict_ms = Some(capacity.verdict_ms());
        }))
    }

    /// The refusal of a message that would overtake those who wait, where the line is closed.
    pub(super) fn line_closed(&self, capacity: &Capacity) -> Fault {
        let waiting = self.line.waiting();
        let detail = format!("{waiting} messages wait for a place and nobody may overtake them");
        let redirects = capacity.overflow == Overflow::Redirect;
        Fault::new(ErrorCode::QueueFull, detail).with(|f| {
            f.depth = Some(waiting);
            f.retry_after_ms = Some(capacity.retry_after_ms);
            f.redirect_url = capacity.redirect_url.clone().filter(|_| redirects);
        })
    }

    /// Accepts a message into the line. Every rule has been checked.
    pub(super) fn join(
        &mut self,
        turn: &mut Turn<'_>,
        draft: &Draft<'_>,
        print: Option<Print>,
    ) -> Result<Accepted, Stop> {
        let terms = self.terms_of(draft);
        let (seq, now_ms) = (self.next_seq()?, turn.now_ms);
        let position = WAITING | self.position_of_last(seq);
        let head = head_of(draft, now_ms, print.map(|(a, b)| (a, b, position)));
        let builder = &self.builders.line;
        // A row's sequence numbers have no gaps: a place is found without reading its head.
        if !builder.is_empty() && builder.next_seq() != seq
            || builder.is_full_for(&head, draft.body)
        {
            self.flush_lane(turn, LINE)?;
        }
        if let Some(at_ms) = head.expires_at_ms {
            self.builders.expiries.push((at_ms, terms.lane, seq));
        }
        self.builders.line.push(seq, head, draft.body);
        self.builders.line.note_terms(terms);
        let cursor = &mut self.line.state.cursor;
        if cursor.fresh() == 0 {
            cursor.oldest_ms = now_ms;
        }
        cursor.appended += 1;
        self.unjournaled_messages += 1;
        Ok(self.answer(print, seq, terms.lane, now_ms, position))
    }

    /// The place of a message that joins now. Zero where a draw decides.
    fn position_of_last(&self, seq: u64) -> u64 {
        if self.draws.takes_part(seq) {
            return 0;
        }
        self.line.waiting() + 1
    }

    /// What a message at this position is told; zero: a draw decides.
    pub(super) fn waiting_at(&self, seq: u64, position: u64) -> Waiting {
        if position == 0 {
            return Waiting {
                position: None,
                estimated_wait_ms: None,
                draw_at_ms: self.draws.at_ms_of(seq),
            };
        }
        let pace = self.line.pace.per_ms(self.meta.now_ms);
        let estimated_ms = (position as f64 / pace.max(PACE_MIN)).ceil() as Millis;
        Waiting {
            position: Some(position),
            estimated_wait_ms: (pace > PACE_MIN).then_some(estimated_ms),
            draw_at_ms: None,
        }
    }

    /// Admits the first in line for whom there is room. `true` when anybody was.
    pub(super) fn admit(&mut self, turn: &mut Turn<'_>) -> Result<bool, StoreError> {
        if self.line.is_empty() {
            self.tidy_line(turn)?;
            return Ok(false);
        }
        let config = self.config();
        let mut admitted = 0;
        // Those who are out of it can be passed without room.
        while self.line.state.losers > 0 || self.overflow_of(&config.capacity, 0).is_none() {
            if self.line.messages_left == 0 || self.line.bytes_left == 0 {
                self.more_work = true;
                break;
            }
            let Some((segment, index)) = self.fresh_segment(turn, LINE)? else {
                break;
            };
            let item = segment.items[usize::from(index)];
            let fate = self.fate_of(&segment, index, turn.now_ms);
            let has_room = || {
                let body_bytes = u64::from(item.body_bytes);
                self.overflow_of(&config.capacity, body_bytes).is_none()
            };
            if fate == Fate::Waits || fate == Fate::Next && !has_room() {
                break;
            }
            self.line.messages_left -= 1;
            self.pass(&segment, index);
            match fate {
                Fate::Waits => {}
                Fate::Lost => self.line.state.losers -= 1,
                Fate::Over => self.leave_line(turn, &segment, index, State::Expired)?,
                Fate::NeverFits => {
                    // Each is a row of its own.
                    let cost = ROW_COST_BYTES.max(item.body_bytes as usize);
                    self.line.bytes_left = self.line.bytes_left.saturating_sub(cost);
                    self.bury_waiting(turn, &segment, index)?;
                }
                Fate::Next => {
                    let bytes_left = &mut self.line.bytes_left;
                    *bytes_left = bytes_left.saturating_sub(item.body_bytes as usize);
                    self.enter(turn, &segment, index)?;
                    admitted += 1;
                }
            }
        }
        self.tidy_line(turn)?;
        if let Some(holes) = &mut self.line.holes {
            holes.forget_before(self.line.state.cursor.taken);
        }
        if admitted > 0 {
            self.line.pace.note(turn.now_ms, admitted);
            self.flush_builders(turn)?;
        }
        Ok(admitted > 0)
    }

    /// What becomes of the first in line.
    fn fate_of(&self, segment: &Segment, index: u16, now_ms: Millis) -> Fate {
        let item = &segment.items[usize::from(index)];
        if self.draws.holds_back(item.seq) {
            return Fate::Waits;
        }
        if self.has_lost(segment, index) {
            return Fate::Lost;
        }
        let retention_ms = self.config().retention_ms;
        if item.expires_at_ms <= now_ms || item.at_ms + retention_ms <= now_ms {
            return Fate::Over;
        }
        if self.config().capacity.never_fits(item.body_bytes.into()) {
            return Fate::NeverFits;
        }
        Fate::Next
    }

    /// Whether a draw has decided against this message of the line.
    pub(super) fn has_lost(&self, segment: &Segment, index: u16) -> bool {
        let item = &segment.items[usize::from(index)];
        let lane = segment.terms(index).lane;
        let id = Id::mint(self.secret, item.at_ms, item.seq, lane);
        self.draws.has_lost(id) && !self.draws.was_over(item.seq, item.expires_at_ms)
    }

    /// Passes the places that were given up where nothing else is left, so that their rows go.
    fn tidy_line(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        if self.line.is_empty() && self.line.state.cursor.gone > 0 {
            self.fresh_segment(turn, LINE)?;
        }
        if self.line.is_empty() {
            self.line.spans.clear();
        }
        Ok(())
    }

    /// Gives a place to a message of the line.
    fn enter(
        &mut self,
        turn: &mut Turn<'_>,
        segment: &Segment,
        index: u16,
    ) -> Result<(), StoreError> {
        let item = segment.items[usize::from(index)];
        let mut head = segment.head(&item)?;
        // The answer of its publish is that it waits.
        head.answer = None;
        let arrival = Arrival {
            seq: item.seq,
            at_ms: item.at_ms,
            terms: segment.terms(index),
        };
        self.place(turn, &arrival, head, segment.body(&item).bytes())?;
        self.waiters.finished(item.seq);
        Ok(())
    }

    /// Notes that a message has left the line without a place: its key's share is free again.
    pub(super) fn leave_line(
        &mut self,
        turn: &mut Turn<'_>,
        segment: &Segment,
        index: u16,
        state: State,
    ) -> Result<(), StoreError> {
        let item = segment.items[usize::from(index)];
        if self.config().capacity.max_per_key.is_some()
            && let Some(key) = segment.head(&item)?.key
        {
            self.key_counts.change(turn.sql, key, true)?;
        }
        self.end(turn, item.seq, state, 0, None);
        Ok(())
    }

    /// What never fits is kept as a dead letter: whoever stands behind it would wait for ever.
    fn bury_waiting(
        &mut self,
        turn: &mut Turn<'_>,
        segment: &Segment,
        index: u16,
    ) -> Result<(), StoreError> {
        let item = segment.items[usize::from(index)];
        let id = Id::mint(self.secret, item.at_ms, item.seq, segment.terms(index).lane);
        let (head, body) = (segment.head(&item)?, segment.body(&item));
        let reason = Reason::NeverFits.name();
        self.bury(turn, item.seq, id, head, body.bytes(), "", reason)?;
        self.leave_line(turn, segment, index, State::Dead)
    }

    /// The ordinal of a message, where it is in the line.
    pub(super) fn place_in_line(
        &mut self,
        turn: &mut Turn<'_>,
        seq: u64,
    ) -> Result<Option<u64>, StoreError> {
        let cursor = self.line.state.cursor;
        if cursor.fresh() == 0 || seq < cursor.from {
            return Ok(None);
        }
        let Some((first_seq, span)) = self.span_of(turn, seq)? else {
            return Ok(None);
        };
        let at = span.ordinal + (seq - first_seq);
        if seq >= first_seq + span.messages || at < cursor.taken {
            return Ok(None);
        }
        let is_hole = cursor.gone > 0 && self.holes(turn)?.contains(at);
        Ok((!is_hole).then_some(at))
    }

    /// The position of the message with this ordinal; 1 is next.
    pub(super) fn position_at(
        &mut self,
        turn: &mut Turn<'_>,
        ordinal: u64,
    ) -> Result<u64, StoreError> {
        let cursor = self.line.state.cursor;
        let gone = match cursor.gone {
            0 => 0,
            _ => self.holes(turn)?.count(cursor.taken, ordinal),
        };
        Ok(ordinal - cursor.taken - gone + 1)
    }

    /// The last row that begins at or before `seq`: its first sequence number, and its extent.
    fn span_of(
        &mut self,
        turn: &mut Turn<'_>,
        seq: u64,
    ) -> Result<Option<(u64, Span)>, StoreError> {
        let known = self.line.spans.range(..=seq).next_back();
        if let Some((first_seq, span)) =
            known.filter(|(first_seq, span)| seq < *first_seq + span.messages)
        {
            return Ok(Some((*first_seq, *span)));
        }
        let Some(row) = Segments::head_holding(turn.sql, LINE, seq)? else {
            return Ok(None);
        };
        if self.line.spans.len() >= SPANS_MAX {
            self.line.spans.clear();
        }
        let span = Span {
            messages: row.items.len() as u64,
            ordinal: row.ordinal,
        };
        self.line.spans.insert(row.first_seq, span);
        Ok(Some((row.first_seq, span)))
    }

    /// The places that were given up, read from the rows the first time anybody asks.
    fn holes(&mut self, turn: &mut Turn<'_>) -> Result<&Holes, StoreError> {
        if self.line.holes.is_none() {
            let mut holes = Holes::default();
            let mut from = self.line.state.cursor.from;
            loop {
                let rows = Segments::heads_page(turn.sql, LINE, from, PAGE_ROWS)?;
                for row in &rows {
                    let gone = row.gone.iter();
                    gone.for_each(|index| holes.insert(row.ordinal + u64::from(*index)));
                    from = row.first_seq + 1;
                }
                if (rows.len() as u64) < PAGE_ROWS {
                    break;
                }
            }
            self.line.holes = Some(holes);
        }
        Ok(self.line.holes.get_or_insert_default())
    }

    /// Where a message goes, and when.
    pub(super) fn terms_of(&self, draft: &Draft<'_>) -> Terms {
        let single = draft.hold_ms.is_some() || draft.delay_ms > 0;
        Terms {
            lane: if single {
                SINGLE
            } else {
                self.lane_of(draft.priority)
            },
            hold_ms: draft.hold_ms,
            delay_ms: draft.delay_ms,
        }
    }
}
