//! The state of one message, found by its identifier.

use super::Stop;
use super::config::Order;
use super::outstanding::Status;
use super::quarantine;
use super::queue::{Queue, Turn};
use super::segment::{LANES, LINE, Place, Segment};
use super::segments::Segments;
use crate::command::{MessageState, Reply, State, Wait};
use crate::error::{ErrorCode, Fault};
use crate::id::Id;
use crate::limits::OUTSTANDING_MAX;
use crate::store::{Arg, StoreError};

/// The due instant of a single that is outstanding without having come due: before every cursor.
const TAKEN: Arg<'static> = Arg::Int(-1);

impl Queue {
    pub(super) fn inspect(
        &mut self,
        turn: &mut Turn<'_>,
        token: u32,
        id: Id,
        wait: Wait,
    ) -> Result<Option<Reply>, Stop> {
        let state = self.state_of(turn, id)?;
        if wait_is_over(&state, wait) {
            return Ok(Some(Reply::State(state)));
        }
        let wait = match (state.state, wait) {
            (State::Waiting, Wait::Final { wait_ms }) => Wait::Admission { wait_ms },
            _ => wait,
        };
        self.waiters.add_reader(token, id, wait, turn.now_ms)?;
        Ok(None)
    }

    /// What is known of the message.
    pub(super) fn state_of(&mut self, turn: &mut Turn<'_>, id: Id) -> Result<MessageState, Stop> {
        let redirect_url = self.config().capacity.redirect_url.clone();
        Ok(MessageState {
            redirect_url,
            ..self.known_state(turn, id)?
        })
    }

    fn known_state(&mut self, turn: &mut Turn<'_>, id: Id) -> Result<MessageState, Stop> {
        let seq = id.seq();
        let known =
            id.is_genuine(self.secret) && seq > self.meta.purged_seq && seq < self.meta.next_seq;
        if known && let Some(ordinal) = self.place_in_line(turn, seq)? {
            return self.state_in_line(turn, id, ordinal).map_err(Stop::Store);
        }
        if known && let Some((state, attempts, position)) = self.live_state(turn, id)? {
            return Ok(MessageState {
                attempts: Some(attempts),
                position,
                ticket: self.ticket_of_place(turn, id)?,
                ..message(id, state)
            });
        }
        let ended = if known {
            self.final_state(turn, id)?
        } else {
            None
        };
        ended.ok_or_else(|| {
            let detail = "this queue knows no message with this id (any more)";
            Fault::new(ErrorCode::NotFound, detail).into()
        })
    }

    /// The state of a message with this ordinal in the line.
    fn state_in_line(
        &mut self,
        turn: &mut Turn<'_>,
        id: Id,
        ordinal: u64,
    ) -> Result<MessageState, StoreError> {
        if self.draws.has_lost(id) {
            return Ok(message(id, State::NotDrawn));
        }
        let place = if self.draws.takes_part(id.seq()) {
            self.waiting_at(id.seq(), 0)
        } else {
            let position = self.position_at(turn, ordinal)?;
            self.waiting_at(id.seq(), position)
        };
        Ok(MessageState {
            position: place.position,
            estimated_wait_ms: place.estimated_wait_ms,
            draw_at_ms: place.draw_at_ms,
            ..message(id, State::Waiting)
        })
    }

    /// State, deliveries and position of a message of the backlog.
    fn live_state(
        &mut self,
        turn: &mut Turn<'_>,
        id: Id,
    ) -> Result<Option<(State, u32, Option<u64>)>, StoreError> {
        let (seq, lane) = (id.seq(), id.lane());
        if let Some(entry) = self.outstanding.get(seq) {
            return Ok(Some(match entry.status {
                Status::Leased { .. } => (State::Leased, entry.attempts, None),
                Status::Waiting { .. } => (State::Delayed, entry.attempts, None),
                Status::Ready => {
                    let again = self.outstanding.queued_before(entry.rank, seq);
                    let position = again + self.fresh_before(entry.rank) + 1;
                    (State::Queued, entry.attempts, Some(position))
                }
            }));
        }
        if let Some((held, attempts)) = self.single(turn, seq)? {
            let state = if held { State::Held } else { State::Delayed };
            return Ok(Some((state, attempts, None)));
        }
        if usize::from(lane) < LANES
            && seq >= self.meta.lanes[usize::from(lane)].from
            && let Some(segment) = self.segments.holding(turn.sql, lane, seq)?
            && let Some(index) = segment.index_of(seq)
            && self.is_ahead(&segment, index)
            && !segment.is_gone(index)
        {
            let position = self.position_in(turn, &segment, index)?;
            return Ok(Some((State::Queued, 0, Some(position))));
        }
        Ok(None)
    }

    /// How a message ended that is not in the backlog, while that is remembered. One that nothing
    /// is written of was acknowledged; see `outcomes.rs`.
    fn final_state(
        &mut self,
        turn: &mut Turn<'_>,
        id: Id,
    ) -> Result<Option<MessageState>, StoreError> {
        let seq = id.seq();
        let config = self.config();
        let end = self.outcomes.find(turn.sql, seq)?;
        let is_over = end
            .as_ref()
            .is_some_and(|end| end.at_ms + config.result_retention_ms <= turn.now_ms);
        if let Some(end) = end.filter(|_| !is_over) {
            return Ok(Some(MessageState {
                attempts: Some(end.attempts),
                result: end.result,
                ..message(id, end.state)
            }));
        }
        let statement = "SELECT 1 FROM dead WHERE seq = ?";
        if !turn.sql.exec(statement, &[seq.into()])?.is_empty() {
            return Ok(Some(message(id, State::Dead)));
        }
        if self.quarantined.total > 0 && quarantine::covers(turn.sql, id.lane(), seq)? {
            return Ok(Some(message(id, State::Damaged)));
        }
        let is_forgotten = is_over || self.is_forgotten(id, turn.now_ms);
        let has_lost = self.draws.has_lost(id);
        let state = if has_lost {
            State::NotDrawn
        } else {
            State::Done
        };
        Ok((!is_forgotten).then(|| message(id, state)))
    }

    /// Whether there is a single that nobody has taken, whether it is held, and its earlier
    /// deliveries.
    fn single(&mut self, turn: &mut Turn<'_>, seq: u64) -> Result<Option<(bool, u32)>, StoreError> {
        if self.finished_singles.contains(&seq) {
            return Ok(None);
        }
        let rows = turn
            .sql
            .exec("SELECT held FROM singles WHERE seq = ?", &[seq.into()])?;
        Ok(rows
            .first()
            .and_then(|row| row.first())
            .map(|held| (held.int() == 1, 0)))
    }

    /// Fresh messages that go before every message of this rank.
    fn fresh_before(&self, rank: u8) -> u64 {
        let lanes = self.meta.lanes.iter().enumerate();
        lanes
            .filter(|(lane, _)| self.rank(*lane as u8) < rank)
            .map(|(_, lane)| lane.fresh())
            .sum()
    }

    /// The place in line of a message that nobody has taken; 1 is next.
    fn position_in(
        &mut self,
        turn: &mut Turn<'_>,
        segment: &Segment,
        index: u16,
    ) -> Result<u64, StoreError> {
        let rank = self.rank(segment.lane);
        let lane = self.meta.lanes[usize::from(segment.lane)];
        let ahead = (segment.ordinal + u64::from(index)).saturating_sub(lane.taken);
        let gone = match lane.gone {
            0 => 0,
            _ => self.gone_before(turn, segment, index)?,
        };
        let better = match self.order() {
            Order::BestEffort => self.fresh_before(rank),
            Order::Fifo | Order::Key => 0,
        };
        let queued = self.outstanding.queued_to_rank(rank);
        Ok(queued + better + ahead.saturating_sub(gone) + 1)
    }

    /// Messages between the lane's cursor and this one that are gone already. Looks at a bounded
    /// number of segments; behind more than that, a position is an upper bound.
    fn gone_before(
        &self,
        turn: &mut Turn<'_>,
        segment: &Segment,
        index: u16,
    ) -> Result<u64, StoreError> {
        let lane = &self.meta.lanes[usize::from(segment.lane)];
        let to = segment.first_seq;
        let between = Segments::heads_between(turn.sql, segment.lane, lane.from, to)?;
        let mut gone = 0;
        for (part, end) in between
            .iter()
            .map(|part| (part, u16::MAX))
            .chain([(segment, index)])
        {
            let first = if part.first_seq == lane.from {
                lane.index
            } else {
                0
            };
            gone += part
                .gone
                .iter()
                .filter(|i| (first..end).contains(i))
                .count() as u64;
        }
        Ok(gone)
    }

    /// Makes a held message deliverable.
    pub(super) fn confirm(&mut self, turn: &mut Turn<'_>, id: Id) -> Result<Reply, Stop> {
        let state = self.state_of(turn, id)?;
        if state.state != State::Held {
            return Err(wrong_state(&state, "only a held message can be confirmed").into());
        }
        let place = Place::single(id.seq());
        let segment = self.segments.get(turn.sql, place)?;
        let due_ms = match &segment {
            Some(s) => s
                .items
                .first()
                .map(|item| s.head(item))
                .transpose()?
                .and_then(|head| head.due_ms),
            None => None,
        };
        let due_ms = due_ms.filter(|at| *at > turn.now_ms);
        if due_ms.is_none() && self.outstanding.len() >= OUTSTANDING_MAX {
            let detail = "too many messages are outstanding";
            return Err(Fault::new(ErrorCode::Overloaded, detail).into());
        }
        turn.sql.exec(
            "UPDATE singles SET held = 0, due_ms = ? WHERE seq = ?",
            &[due_ms.map_or(TAKEN, Arg::from), id.seq().into()],
        )?;
        self.meta.held = self.meta.held.saturating_sub(1);
        self.meta.delayed += 1;
        self.meta_changed = true;
        match due_ms {
            Some(at) => self.next_single_ms = Some(self.next_single_ms.map_or(at, |n| n.min(at))),
            None => self.take_single(turn, id.seq(), turn.now_ms)?,
        }
        Ok(Reply::State(self.state_of(turn, id)?))
    }

    /// Cancels a message that is held, delayed or queued, and gives its place back.
    pub(super) fn cancel_message(&mut self, turn: &mut Turn<'_>, id: Id) -> Result<Reply, Stop> {
        let state = self.state_of(turn, id)?;
        let seq = id.seq();
        if state.state == State::Leased || state.state.is_final() {
            return Err(wrong_state(
                &state,
                "only a waiting, held, delayed or queued message can be cancelled",
            )
            .into());
        }
        if state.state == State::Waiting {
            if self.draws.is_running() {
                return Err(self.drawing_now().into());
            }
            self.end_fresh(turn, &[(LINE, seq)], State::Cancelled)?;
        } else if let Some(entry) = self.outstanding.get(seq).copied() {
            self.give_back_place_of(turn, entry.place)?;
            self.remove_outstanding(seq);
            self.end(turn, seq, State::Cancelled, entry.attempts, None);
        } else if self.single(turn, seq)?.is_some() {
            self.end_single(turn, seq, State::Cancelled, true)?;
            self.next_single_ms = self.first_single_ms(turn.sql)?;
        } else if let Some(segment) = self.segments.holding(turn.sql, id.lane(), seq)? {
            let index = segment.index_of(seq).unwrap_or(0);
            self.give_back_place_of(
                turn,
                Place {
                    lane: id.lane(),
                    first_seq: segment.first_seq,
                    index,
                },
            )?;
            self.end_fresh(turn, &[(id.lane(), seq)], State::Cancelled)?;
        }
        Ok(Reply::Done)
    }

    fn give_back_place_of(&mut self, turn: &mut Turn<'_>, place: Place) -> Result<(), StoreError> {
        let key = match self.segments.get(turn.sql, place)? {
            Some(s) => s
                .head(&s.items[usize::from(place.index)])?
                .key
                .map(str::to_owned),
            None => None,
        };
        self.give_back(turn, key.as_deref())
    }

    /// Drops the oldest queued message that is written. `false` when there is none.
    pub(super) fn drop_oldest(&mut self, turn: &mut Turn<'_>) -> Result<bool, StoreError> {
        let again = self
            .outstanding
            .from(turn.dropped_to)
            .find(|(_, e)| e.status == Status::Ready)
            .map(|(seq, _)| seq);
        turn.dropped_to = again.unwrap_or(u64::MAX);
        let mut oldest: Option<(u64, u8)> = None;
        for lane in 0..LANES as u8 {
            let fresh = self.meta.lanes[usize::from(lane)].fresh();
            if fresh <= self.builders.len_of(lane) {
                continue;
            }
            if let Some((segment, index)) = self.fresh_segment(turn, lane)? {
                let seq = segment.items[usize::from(index)].seq;
                if oldest.is_none_or(|(other, _)| seq < other) {
                    oldest = Some((seq, lane));
                }
            }
        }
        if let Some(seq) = again.filter(|seq| oldest.is_none_or(|(other, _)| *seq < other)) {
            self.expire_outstanding(turn, seq)?;
            return Ok(true);
        }
        let Some((seq, lane)) = oldest else {
            return Ok(false);
        };
        if let Some((segment, index)) = self.fresh_segment(turn, lane)? {
            self.meta.bytes = self
                .meta
                .bytes
                .saturating_sub(u64::from(segment.items[usize::from(index)].body_bytes));
            self.pass(&segment, index);
            self.end(turn, seq, State::Expired, 0, None);
        }
        Ok(true)
    }
}

/// Whether a read that may wait has its answer.
pub(super) fn wait_is_over(state: &MessageState, wait: Wait) -> bool {
    match wait {
        Wait::None => true,
        Wait::Final { wait_ms } => wait_ms == 0 || state.state.is_final(),
        Wait::Admission { wait_ms } => wait_ms == 0 || state.state != State::Waiting,
        Wait::Change {
            wait_ms,
            state: known,
            position,
        } => {
            wait_ms == 0
                || state.state.is_final()
                || state.state != known
                || state.position != position
        }
    }
}

/// A state of which nothing more is known.
fn message(id: Id, state: State) -> MessageState {
    MessageState {
        id,
        seq: id.seq(),
        state,
        timestamp_ms: id.at_ms(),
        attempts: None,
        position: None,
        estimated_wait_ms: None,
        draw_at_ms: None,
        result: None,
        ticket: None,
        redirect_url: None,
    }
}

fn wrong_state(state: &MessageState, detail: &str) -> Fault {
    Fault::new(
        ErrorCode::WrongState,
        format!("the message is {}; {detail}", state.state.name()),
    )
}
