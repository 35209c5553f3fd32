//! Pulling: choosing the next messages and leasing them.
//!
//! The next message is either the first ready one of the outstanding, or the first of a lane that
//! nobody has taken yet, whichever goes before in the queue's order. Messages that must not be
//! delivered now (their key is busy, a filter does not match) are passed over: they become
//! outstanding, so that they keep their place and the lane goes on.

use super::Stop;
use super::config::Order;
use super::dead_letter::id_in;
use super::filter::{Filter, Subject};
use super::outstanding::{Entry, Seen, Status};
use super::puller::Puller;
use super::queue::{Queue, Turn};
use super::segment::{Head, Item, LANES, Place, SINGLE, Segment};
use crate::command::{Ack, Acknowledged, Delivery, LeaseId, Pull, Reply, State};
use crate::id::Id;
use crate::limits::{OUTSTANDING_MAX, PULL_BYTES_MAX, PULL_MESSAGES_MAX};
use crate::store::StoreError;
use crate::time::Millis;
use std::rc::Rc;

/// What a pull wants, checked.
pub(super) struct Want {
    pub batch_size: u32,
    pub visibility_timeout_ms: Option<Millis>,
    pub filter: Option<Filter>,
    /// Of what is ready, this is not for it.
    pub seen: Seen,
}

/// What there was for a pull.
pub(super) struct Leased {
    pub messages: Vec<Delivery>,
    /// There may be more, or some at all, that this turn did not get to.
    pub is_cut: bool,
}

impl Leased {
    pub fn nothing(is_cut: bool) -> Self {
        Self {
            messages: Vec::new(),
            is_cut,
        }
    }

    /// Whether there was nothing for it, as far as can be told.
    pub fn is_dry(&self) -> bool {
        self.messages.is_empty() && !self.is_cut
    }
}

/// Of a body, so much is looked at for the price of an empty one.
const LOOK_BYTES: usize = 4_096;

/// What a look at a message costs: one, and more where the filter reads a large body.
pub(super) fn look_cost(filter: Option<&Filter>, item: &Item) -> usize {
    let reads = filter.is_some_and(Filter::needs_body);
    1 + if reads {
        item.body_bytes as usize / LOOK_BYTES
    } else {
        0
    }
}

/// The next message, and where it comes from.
enum Next {
    Ready(u64),
    Fresh(u8),
}

/// The next message.
struct Found {
    seq: u64,
    entry: Entry,
    segment: Rc<Segment>,
    /// Nobody has taken it from its lane yet.
    is_fresh: bool,
}

impl Queue {
    pub(super) fn pull(
        &mut self,
        turn: &mut Turn<'_>,
        token: u32,
        pull: &Pull<'_>,
    ) -> Result<Option<Reply>, Stop> {
        let filter = pull.filter.map(Filter::compile).transpose()?;
        let mut want = Want {
            batch_size: pull.batch_size.clamp(1, PULL_MESSAGES_MAX),
            visibility_timeout_ms: pull.visibility_timeout_ms,
            filter,
            seen: Seen::default(),
        };
        let settled = turn.settled.iter().position(|(of, _)| *of == token);
        let acknowledged = settled.map(|at| turn.settled.swap_remove(at).1);
        // Those who wait already go first.
        let leased = if self.waiters.has_pulls() || !turn.answers.has_room() {
            Leased::nothing(true)
        } else {
            let leased = self.lease_for_answer(turn, &mut want)?;
            // It has seen what it passed over.
            self.outstanding.take_came();
            leased
        };
        // One that does not wait gets nothing where nobody more can.
        let may_wait = pull.wait_ms > 0 || (leased.is_cut && self.waiters.has_room());
        if leased.messages.is_empty() && may_wait {
            let puller = Puller::new(token, want, turn.now_ms, pull, acknowledged);
            self.waiters.add_pull(puller)?;
            return Ok(None);
        }
        Ok(Some(Reply::Pulled {
            messages: leased.messages,
            depth: self.depth(),
            acknowledged,
        }))
    }

    /// Leases what there is for `want`, to be handed out by this turn.
    pub(super) fn lease_for_answer(
        &mut self,
        turn: &mut Turn<'_>,
        want: &mut Want,
    ) -> Result<Leased, StoreError> {
        let leased = self.lease(turn, want)?;
        turn.answers.add_all(&leased.messages);
        Ok(leased)
    }

    /// Acknowledges what came with a pull, in the turn's order: before anything is published or
    /// leased. Whether the pull is still to be made; a request that cannot be carried out as a
    /// whole is answered, and changes nothing.
    pub(super) fn settle(
        &mut self,
        turn: &mut Turn<'_>,
        token: u32,
        ack: &Ack<'_>,
        pull: &Pull<'_>,
    ) -> Result<bool, StoreError> {
        match self.try_settle(turn, ack, pull) {
            Ok(done) => turn.settled.push((token, done)),
            Err(Stop::Fault(fault)) => {
                turn.out.replies.push((token, Err(fault)));
                return Ok(false);
            }
            Err(Stop::Store(error)) => return Err(error),
        }
        Ok(true)
    }

    fn try_settle(
        &mut self,
        turn: &mut Turn<'_>,
        ack: &Ack<'_>,
        pull: &Pull<'_>,
    ) -> Result<Acknowledged, Stop> {
        if self.config.is_none() {
            return Err(self.absent().into());
        }
        // What cannot be pulled must be known before anything is acknowledged.
        pull.filter.map(Filter::compile).transpose()?;
        self.acknowledge(turn, ack)
    }

    /// Leases what there is for `want`, up to its size.
    pub(super) fn lease(
        &mut self,
        turn: &mut Turn<'_>,
        want: &mut Want,
    ) -> Result<Leased, StoreError> {
        let mut leased = Leased::nothing(false);
        if self.meta.paused || self.is_held_up() {
            return Ok(leased);
        }
        let messages = &mut leased.messages;
        let lease_ms = want
            .visibility_timeout_ms
            .unwrap_or(self.config().delivery.visibility_timeout_ms);
        let until_ms = turn.now_ms + lease_ms;
        let mut bytes = 0;
        while messages.len() < want.batch_size as usize {
            if turn.looks_left == 0 && want.filter.is_some() {
                leased.is_cut = true;
                break;
            }
            let Some(next) = self.next(turn, &mut want.seen)? else {
                break;
            };
            let found = match next {
                Next::Ready(seq) => self.found_ready(turn, seq)?,
                Next::Fresh(lane) => self.found_fresh(turn, lane)?,
            };
            let Some(found) = found else { continue };
            let item = found.segment.items[usize::from(found.entry.place.index)];
            if found.entry.expires_at_ms <= turn.now_ms {
                self.take_found(&found, found.entry);
                self.expire_outstanding(turn, found.seq)?;
                if turn.looks_left == 0 {
                    leased.is_cut = true;
                    break;
                }
                turn.looks_left -= 1;
                continue;
            }
            let is_free = found.is_fresh || self.outstanding.is_deliverable(found.seq);
            if !is_free || !self.matches(&found.segment, &item, want.filter.as_ref())? {
                self.take_found(&found, found.entry);
                if is_free {
                    want.seen.add((found.entry.rank, found.seq));
                }
                if turn.looks_left == 0 {
                    leased.is_cut = true;
                    break;
                }
                let looks = look_cost(want.filter.as_ref(), &item);
                turn.looks_left = turn.looks_left.saturating_sub(looks);
                continue;
            }
            if bytes + item.body_bytes as usize > PULL_BYTES_MAX && !messages.is_empty() {
                leased.is_cut = true;
                break;
            }
            messages.push(self.lease_one(&found, until_ms, &item)?);
            bytes += messages.last().map_or(0, |it| it.answer_bytes(bytes));
        }
        Ok(leased)
    }

    /// One of the outstanding messages.
    fn found_ready(&mut self, turn: &mut Turn<'_>, seq: u64) -> Result<Option<Found>, StoreError> {
        let Some(entry) = self.outstanding.get(seq).copied() else {
            return Ok(None);
        };
        let Some(segment) = self.segments.get(turn.sql, entry.place)? else {
            return Err(StoreError(format!("the row of message {seq} is missing")));
        };
        Ok(Some(Found {
            seq,
            entry,
            segment,
            is_fresh: false,
        }))
    }

    /// The lane's next message. One that stands in a line becomes outstanding at once, since the
    /// line decides whether it may be delivered.
    fn found_fresh(&mut self, turn: &mut Turn<'_>, lane: u8) -> Result<Option<Found>, StoreError> {
        let Some((segment, index)) = self.fresh_segment(turn, lane)? else {
            return Ok(None);
        };
        let item = segment.items[usize::from(index)];
        let entry = Entry {
            place: Place {
                lane,
                first_seq: segment.first_seq,
                index,
            },
            status: Status::Ready,
            attempts: 0,
            at_ms: segment.at_ms,
            expires_at_ms: item.expires_at_ms,
            line: self.line_of(&segment, &item),
            body_bytes: item.body_bytes,
            rank: self.rank(lane),
        };
        let mut found = Found {
            seq: item.seq,
            entry,
            segment,
            is_fresh: true,
        };
        if entry.line != 0 {
            self.take_found(&found, entry);
            found.is_fresh = false;
        }
        Ok(Some(found))
    }

    /// Makes a message outstanding that is not yet, as `entry` has it.
    fn take_found(&mut self, found: &Found, entry: Entry) {
        if found.is_fresh {
            self.outstanding.put(found.seq, entry);
            self.pass(&found.segment, entry.place.index);
        }
    }

    fn lease_one(
        &mut self,
        found: &Found,
        until_ms: Millis,
        item: &Item,
    ) -> Result<Delivery, StoreError> {
        let lease = self.meta.next_lease;
        self.meta.next_lease += 1;
        self.meta.totals.delivered += 1;
        if found.entry.attempts == 0 {
            let waited_ms = self.meta.now_ms.saturating_sub(found.entry.at_ms);
            self.latencies.delivery.note(waited_ms);
        }
        let entry = Entry {
            status: Status::Leased { lease, until_ms },
            attempts: found.entry.attempts + 1,
            ..found.entry
        };
        if found.is_fresh {
            self.take_found(found, entry);
        } else {
            self.outstanding.put(found.seq, entry);
        }
        let mut delivery = self.delivery(&found.segment, item, entry.attempts)?;
        let seq = found.seq;
        delivery.lease_id = Some(LeaseId { seq, lease }.token(self.secret));
        Ok(delivery)
    }

    /// The identifier of a message. One that died here and came back is stored elsewhere now; it
    /// keeps the name it had.
    pub(super) fn id_of(&self, segment: &Segment, item: &Item, head: &Head<'_>) -> Id {
        let again = match segment.lane {
            SINGLE => id_in(&self.name, &head.attributes),
            _ => None,
        };
        again.unwrap_or_else(|| Id::mint(self.secret, item.at_ms, item.seq, segment.lane))
    }

    /// A message as it is handed over or listed, without a lease.
    pub(super) fn delivery(
        &self,
        segment: &Segment,
        item: &Item,
        attempts: u32,
    ) -> Result<Delivery, StoreError> {
        let head = segment.head(item)?;
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Ok(Delivery {
            id: self.id_of(segment, item, &head),
            seq: item.seq,
            lease_id: None,
            attempts,
            timestamp_ms: item.at_ms,
            state: None::<State>,
            body: segment.body(item),
            content_type: owned(head.content_type),
            key: owned(head.key),
            priority: item.priority,
            attributes: head
                .attributes
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect(),
        })
    }

    /// Whether a filter lets a message pass; without one all do.
    pub(super) fn matches(
        &self,
        segment: &Segment,
        item: &Item,
        filter: Option<&Filter>,
    ) -> Result<bool, StoreError> {
        let Some(filter) = filter else {
            return Ok(true);
        };
        let head = segment.head(item)?;
        let attributes: Vec<(String, String)> = head
            .attributes
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        let body = filter.needs_body().then(|| segment.body(item));
        Ok(filter.matches(&Subject {
            attributes: &attributes,
            body: body.as_ref().map_or(&[], |body| body.bytes()),
            content_type: head.content_type,
            key: head.key,
        }))
    }

    /// Where the next message comes from, among ready ones that were not seen and the lanes.
    fn next(&mut self, turn: &mut Turn<'_>, seen: &mut Seen) -> Result<Option<Next>, StoreError> {
        let ready = self.outstanding.first_ready(seen);
        let order = self.order();
        let blocked = order == Order::Fifo && self.outstanding.busy() > 0;
        if blocked || self.outstanding.len() >= OUTSTANDING_MAX {
            return Ok(ready.map(|(_, seq)| Next::Ready(seq)));
        }
        let fresh = if order == Order::BestEffort {
            (0..LANES as u8)
                .rev()
                .find(|lane| self.meta.lanes[usize::from(*lane)].fresh() > 0)
                .map(|lane| (self.rank(lane), lane))
        } else {
            self.earliest_lane(turn)?
        };
        let Some((rank, lane)) = fresh else {
            return Ok(ready.map(|(_, seq)| Next::Ready(seq)));
        };
        let Some(ready) = ready else {
            return Ok(Some(Next::Fresh(lane)));
        };
        // Where ranks are equal the earlier one goes first; what was taken once came before what
        // was not, except under a strict order, where a delayed message may be later than the
        // lane's.
        let ready_first = if order == Order::BestEffort || ready.0 != rank {
            ready.0 <= rank
        } else {
            let head = self.fresh_segment(turn, lane)?;
            head.is_none_or(|(segment, index)| ready.1 < segment.items[usize::from(index)].seq)
        };
        Ok(Some(if ready_first {
            Next::Ready(ready.1)
        } else {
            Next::Fresh(lane)
        }))
    }

    /// The lane whose next message was accepted first.
    fn earliest_lane(&mut self, turn: &mut Turn<'_>) -> Result<Option<(u8, u8)>, StoreError> {
        let mut best: Option<(u64, u8)> = None;
        for lane in 0..LANES as u8 {
            if self.meta.lanes[usize::from(lane)].fresh() == 0 {
                continue;
            }
            if let Some((segment, index)) = self.fresh_segment(turn, lane)? {
                let seq = segment.items[usize::from(index)].seq;
                if best.is_none_or(|(other, _)| seq < other) {
                    best = Some((seq, lane));
                }
            }
        }
        Ok(best.map(|(_, lane)| (0, lane)))
    }

    /// The segment and index of the lane's next message that is not gone; passes those that are.
    pub(super) fn fresh_segment(
        &mut self,
        turn: &mut Turn<'_>,
        lane: u8,
    ) -> Result<Option<(Rc<Segment>, u16)>, StoreError> {
        loop {
            let cursor = *self.cursor(lane);
            if cursor.appended <= cursor.taken {
                return Ok(None);
            }
            let Some(segment) = self.segments.next(turn.sql, lane, cursor.from)? else {
                return Err(StoreError(format!(
                    "lane {lane} counts {} messages and has none",
                    cursor.appended - cursor.taken
                )));
            };
            let cursor = self.cursor_mut(lane);
            if segment.first_seq != cursor.from {
                cursor.from = segment.first_seq;
                cursor.index = 0;
            }
            cursor.oldest_ms = segment.at_ms;
            let index = cursor.index;
            if segment.ordinal + u64::from(index) != cursor.taken {
                return Err(StoreError(format!("a segment of lane {lane} is missing")));
            }
            if !segment.is_gone(index) {
                return Ok(Some((segment, index)));
            }
            self.pass(&segment, index);
        }
    }

    /// Moves the lane's cursor past the message at `index`.
    pub(super) fn pass(&mut self, segment: &Segment, index: u16) {
        self.meta_changed = true;
        let lane = self.cursor_mut(segment.lane);
        if segment.is_gone(index) {
            lane.gone = lane.gone.saturating_sub(1);
        }
        lane.taken += 1;
        lane.index = index + 1;
        if usize::from(lane.index) >= segment.items.len() {
            // Most often the next segment's very first, which finds it in memory.
            lane.from = segment
                .items
                .last()
                .map_or(segment.first_seq, |item| item.seq)
                + 1;
            lane.index = 0;
            let id = super::segment::segment_id(segment.lane, segment.first_seq);
            if !self.outstanding.holds_segment(id) {
                self.finished_segments.push(id);
            }
        }
    }

    /// The line a message stands in: its key's, or the one line of a strict order.
    pub(super) fn line_of(&self, segment: &Segment, item: &Item) -> u64 {
        match self.order() {
            Order::BestEffort => 0,
            Order::Fifo => 1,
            Order::Key => segment.key_hash(item, self.secret),
        }
    }
}
