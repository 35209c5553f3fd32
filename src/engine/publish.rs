//! Publishing: from a draft to a place in the queue.
//!
//! A message goes to the segment of its priority's lane that this commit is filling, or, when it is
//! delayed or held, into a row of its own. It is accepted in memory at once, so that the next draft
//! of the same turn meets the exact counts, and durable with the commit that the answer waits for.

use super::Stop;
use super::admission::Over;
use super::config::{Capacity, Order, Overflow};
use super::dead_letter;
use super::idempotency::{Answer, WAITING};
use super::queue::{Queue, Turn};
use super::segment::{Builder, Head, LANES, LINE, SINGLE, Terms};
use crate::command::{Accepted, Command, Draft, Envelope, Forwarded, Reply, State};
use crate::error::{ErrorCode, Fault};
use crate::id::{Id, Print, print};
use crate::limits::{OUTBOX_MAX, PRIORITY_DEFAULT, PRIORITY_MAX, SEQ_MAX};
use crate::store::{Arg, StoreError, seal};
use crate::time::{MINUTE, Millis, SECOND};

/// Messages in one expiry row: about six bytes each.
const ROW_EXPIRIES: usize = 100_000;
/// How long a message of another queue is recognised when it comes again.
pub(super) const FORWARD_WINDOW_MS: Millis = 10 * MINUTE;

/// Segments that this commit is filling, one a lane, and expiries that will share a row.
#[derive(Debug, Default)]
pub(super) struct Builders {
    lanes: [Builder; LANES],
    pub line: Builder,
    pub expiries: Vec<(Millis, u8, u64)>,
}

impl Builders {
    /// How many messages of a lane are not written yet.
    pub fn len_of(&self, lane: u8) -> u64 {
        self.lanes[usize::from(lane)].len()
    }

    fn of(&mut self, lane: u8) -> &mut Builder {
        match lane {
            LINE => &mut self.line,
            _ => &mut self.lanes[usize::from(lane)],
        }
    }
}

/// Which way a publish goes.
enum Course {
    Queue,
    Line,
    Aside,
}

/// A message that gets a place, just published or after it has waited.
pub(super) struct Arrival {
    pub seq: u64,
    /// When it was accepted.
    pub at_ms: Millis,
    pub terms: Terms,
}

/// What is stored of a draft that was accepted now.
pub(super) fn head_of<'a>(
    draft: &Draft<'a>,
    now_ms: Millis,
    answer: Option<(u64, u64, u64)>,
) -> Head<'a> {
    Head {
        offset: 0,
        body_bytes: 0,
        priority: draft.priority.min(PRIORITY_MAX),
        expires_at_ms: draft.ttl_ms.map(|ttl| now_ms + ttl),
        due_ms: None,
        answer,
        attempts: 0,
        content_type: draft.content_type,
        key: draft.key,
        attributes: draft.attributes.clone(),
    }
}

impl Queue {
    pub(super) fn publish(
        &mut self,
        turn: &mut Turn<'_>,
        draft: &Draft<'_>,
    ) -> Result<Accepted, Stop> {
        let print = match draft.idempotency_key {
            Some(key) if self.dedup_window_ms() > 0 => Some(print(self.secret, key)),
            _ => None,
        };
        let next_seq = self.meta.next_seq;
        let mut published = self.publish_once(turn, draft, print);
        match &mut published {
            Ok(accepted) => {
                let is_repeat = accepted.seq < next_seq;
                accepted.ticket = self.ticket_of_publish(turn, accepted, draft.key, is_repeat)?;
            }
            Err(Stop::Fault(fault)) => self.meta.totals.reject(fault.code, false, 1),
            Err(Stop::Store(_)) => {}
        }
        published
    }

    pub(super) fn publish_batch(
        &mut self,
        turn: &mut Turn<'_>,
        drafts: Vec<Result<Draft<'_>, Fault>>,
    ) -> Result<Reply, Stop> {
        let mut verdicts = Vec::with_capacity(drafts.len());
        for draft in drafts {
            match draft
                .map_err(Stop::Fault)
                .and_then(|draft| self.publish(turn, &draft))
            {
                Ok(accepted) => verdicts.push(Ok(accepted)),
                Err(Stop::Fault(fault)) => verdicts.push(Err(fault)),
                Err(stop) => return Err(stop),
            }
        }
        Ok(Reply::Batch(verdicts))
    }

    /// Publishes, unless the print was accepted within the window: then it gives the first answer
    /// again.
    pub(super) fn publish_once(
        &mut self,
        turn: &mut Turn<'_>,
        draft: &Draft<'_>,
        print: Option<Print>,
    ) -> Result<Accepted, Stop> {
        if let Some(print) = print {
            let since_ms = (turn.now_ms + 1).saturating_sub(self.dedup_window_ms());
            if let Some(first) = self.idempotency.find(turn.sql, print, since_ms)? {
                return Ok(self.repeat(&first));
            }
        }
        self.check_draft(draft, turn.now_ms)?;
        let config = self.config();
        let body_bytes = draft.body.len() as u64;
        let course = self.course(&config.capacity, body_bytes, turn.now_ms)?;
        // Only a message that is accepted may push another one out.
        self.check_key(turn, draft)?;
        self.take_token(draft, turn.now_ms)?;
        if matches!(course, Course::Aside) {
            return self.publish_aside(turn, draft, print);
        }
        if config.capacity.max_per_key.is_some()
            && let Some(key) = draft.key
        {
            self.key_counts.change(turn.sql, key, false)?;
        }
        if matches!(course, Course::Line) {
            return self.join(turn, draft, print);
        }
        self.make_room(turn, &config.capacity, body_bytes)?;
        self.accept(turn, draft, print)
    }

    /// Which way a message of this size goes, as things stand.
    fn course(
        &self,
        capacity: &Capacity,
        body_bytes: u64,
        now_ms: Millis,
    ) -> Result<Course, Fault> {
        let draws = self.draws.is_unfinished();
        if draws && self.draws.is_running() && capacity.overflow != Overflow::Wait {
            return Err(self.drawing_now());
        }
        if draws {
            self.check_line(capacity, body_bytes, now_ms)?;
            return Ok(Course::Line);
        }
        let over = self.overflow_of(capacity, body_bytes);
        let is_first = self.line.is_empty();
        if over.is_none() && is_first {
            return Ok(Course::Queue);
        }
        match (capacity.overflow, over) {
            (Overflow::Wait, _) => {
                self.check_line(capacity, body_bytes, now_ms)?;
                Ok(Course::Line)
            }
            (Overflow::DeadLetter, _) => Ok(Course::Aside),
            (Overflow::DropOldest, Some(Over::Backlog))
                if is_first && self.can_make_room(capacity, body_bytes) =>
            {
                Ok(Course::Queue)
            }
            (_, Some(over)) => Err(self.refusal(&over, capacity, now_ms)),
            (_, None) => Err(self.line_closed(capacity)),
        }
    }

    pub(super) fn repeat(&self, first: &Answer) -> Accepted {
        let id = Id::mint(self.secret, first.at_ms, first.seq, first.lane);
        let waits = first.position & WAITING != 0;
        let position = first.position & !WAITING;
        Accepted {
            id,
            seq: first.seq,
            timestamp_ms: first.at_ms,
            position: if waits { 0 } else { position },
            waiting: waits.then(|| self.waiting_at(first.seq, position)),
            ticket: None,
        }
    }

    /// The lane of a message of this priority. A strict order knows none: all share a lane.
    pub(super) fn lane_of(&self, priority: u8) -> u8 {
        match self.order() {
            Order::BestEffort => priority.min(PRIORITY_MAX),
            Order::Fifo | Order::Key => PRIORITY_DEFAULT,
        }
    }

    /// Gives the draft a place. Every rule has been checked.
    fn accept(
        &mut self,
        turn: &mut Turn<'_>,
        draft: &Draft<'_>,
        print: Option<Print>,
    ) -> Result<Accepted, Stop> {
        let mut terms = self.terms_of(draft);
        if !self.line.is_empty() {
            // One that comes home from the dead letters: lanes are for those who wait.
            terms.lane = SINGLE;
        }
        let (seq, now_ms) = (self.next_seq()?, turn.now_ms);
        let position = match terms.lane {
            SINGLE => 0,
            lane => self.position_of_next(lane),
        };
        let head = head_of(draft, now_ms, print.map(|(a, b)| (a, b, position)));
        if let Some(at_ms) = head.expires_at_ms {
            self.builders.expiries.push((at_ms, terms.lane, seq));
        }
        let arrival = Arrival {
            seq,
            at_ms: now_ms,
            terms,
        };
        self.place(turn, &arrival, head, draft.body)?;
        Ok(self.answer(print, seq, terms.lane, now_ms, position))
    }

    /// The answer of a publish, remembered where it has an idempotency key.
    pub(super) fn answer(
        &mut self,
        print: Option<Print>,
        seq: u64,
        lane: u8,
        at_ms: Millis,
        position: u64,
    ) -> Accepted {
        let answer = Answer {
            print: print.unwrap_or_default(),
            seq,
            lane,
            at_ms,
            position,
        };
        if print.is_some() {
            self.idempotency.insert(answer);
        }
        self.repeat(&answer)
    }

    /// Puts a message into its lane, or into a row of its own, and counts its place.
    pub(super) fn place(
        &mut self,
        turn: &mut Turn<'_>,
        arrival: &Arrival,
        head: Head<'_>,
        body: &[u8],
    ) -> Result<(), StoreError> {
        let (lane, now_ms) = (arrival.terms.lane, turn.now_ms);
        if lane == SINGLE {
            self.insert_single(turn, arrival, head, body)?;
        } else {
            if self.builders.of(lane).is_full_for(&head, body) {
                self.flush_lane(turn, lane)?;
            }
            let builder = self.builders.of(lane);
            builder.push(arrival.seq, head, body);
            if arrival.at_ms != now_ms {
                builder.note_accepted(arrival.at_ms);
            }
            let cursor = self.cursor_mut(lane);
            if cursor.fresh() == 0 {
                cursor.oldest_ms = now_ms;
            }
            cursor.appended += 1;
            self.unjournaled_messages += 1;
        }
        self.meta.bytes += body.len() as u64;
        self.meta.accepted += 1;
        self.meta.totals.accepted += 1;
        Ok(())
    }

    fn insert_single(
        &mut self,
        turn: &mut Turn<'_>,
        arrival: &Arrival,
        mut head: Head<'_>,
        body: &[u8],
    ) -> Result<(), StoreError> {
        let Arrival { seq, at_ms, terms } = *arrival;
        let held = terms.hold_ms.is_some();
        let mut due_ms = turn.now_ms + terms.hold_ms.unwrap_or(terms.delay_ms);
        if (due_ms, seq) <= self.meta.singles_taken {
            // It waited, and later ones have come due at this very instant.
            due_ms = self.meta.singles_taken.0 + 1;
        }
        head.due_ms = (terms.delay_ms > 0).then_some(turn.now_ms + terms.delay_ms);
        self.insert_single_row(turn, seq, at_ms, head, body, due_ms, held)?;
        if held {
            self.meta.held += 1;
        } else {
            self.meta.delayed += 1;
        }
        self.meta.parked_bytes += body.len() as u64;
        self.next_single_ms = Some(self.next_single_ms.map_or(due_ms, |at| at.min(due_ms)));
        self.meta_changed = true;
        Ok(())
    }

    #[allow(clippy::too_many_arguments)]
    pub(super) fn insert_single_row(
        &mut self,
        turn: &mut Turn<'_>,
        seq: u64,
        at_ms: Millis,
        head: Head<'_>,
        body: &[u8],
        due_ms: Millis,
        held: bool,
    ) -> Result<(), StoreError> {
        let mut builder = Builder::default();
        builder.push(seq, head, body);
        let single = builder.finish(SINGLE, at_ms, 0);
        let (head, body) = single.stored();
        turn.sql.exec(
            "INSERT INTO singles (seq, due_ms, held, head, body) VALUES (?, ?, ?, ?, ?)",
            &[
                seq.into(),
                due_ms.into(),
                u64::from(held).into(),
                Arg::Blob(head),
                Arg::Blob(body),
            ],
        )?;
        Ok(())
    }

    /// Accepts a message over the bound into the dead-letter queue: it goes out with the next
    /// calls.
    fn publish_aside(
        &mut self,
        turn: &mut Turn<'_>,
        draft: &Draft<'_>,
        print: Option<Print>,
    ) -> Result<Accepted, Stop> {
        let config = self.config();
        let Some(target) = &config.delivery.dead_letter_queue else {
            return Err(self.absent().into());
        };
        if self.meta.dead_leaving >= OUTBOX_MAX {
            let detail = "too much is on its way to the dead-letter queue";
            let fault = Fault::new(ErrorCode::Overloaded, detail);
            return Err(fault.with(|f| f.retry_after_ms = Some(SECOND)).into());
        }
        let (seq, now_ms) = (self.next_seq()?, turn.now_ms);
        let id = Id::mint(self.secret, now_ms, seq, SINGLE);
        let head = head_of(draft, now_ms, None);
        self.bury(
            turn,
            seq,
            id,
            head,
            draft.body,
            target,
            dead_letter::OVERFLOW,
        )?;
        self.end(turn, seq, State::Dead, 0, None);
        self.meta.totals.accepted += 1;
        Ok(self.answer(print, seq, SINGLE, now_ms, 0))
    }

    /// Whether a message of this size would fit if all queued ones were dropped.
    fn can_make_room(&self, capacity: &Capacity, body_bytes: u64) -> bool {
        let messages = self.outstanding.busy() as u64 + self.meta.delayed + self.meta.held;
        let bytes = self.outstanding.busy_bytes() + self.meta.parked_bytes + body_bytes;
        messages < capacity.max_messages && bytes <= capacity.max_bytes
    }

    /// Drops the oldest queued messages until this one fits.
    fn make_room(
        &mut self,
        turn: &mut Turn<'_>,
        capacity: &Capacity,
        body_bytes: u64,
    ) -> Result<(), Stop> {
        while let Some(over) = self.overflow_of(capacity, body_bytes) {
            if self.drop_oldest(turn)? {
                continue;
            }
            // What this very turn published comes last.
            self.flush_builders(turn)?;
            if !self.drop_oldest(turn)? {
                return Err(self.refusal(&over, capacity, turn.now_ms).into());
            }
        }
        Ok(())
    }

    /// The place in line of a message that is appended to this lane now; 1 is next.
    fn position_of_next(&self, lane: u8) -> u64 {
        let strict = self.order() != Order::BestEffort;
        let ahead: u64 = self
            .meta
            .lanes
            .iter()
            .enumerate()
            .filter(|(other, _)| strict || *other >= usize::from(lane))
            .map(|(_, lane)| lane.fresh())
            .sum();
        self.outstanding.queued_to_rank(self.rank(lane)) + ahead + 1
    }

    /// What a message sorts by before its sequence number.
    pub(super) fn rank(&self, priority: u8) -> u8 {
        if self.order() == Order::BestEffort {
            PRIORITY_MAX - priority.min(PRIORITY_MAX)
        } else {
            0
        }
    }

    pub(super) fn next_seq(&mut self) -> Result<u64, Fault> {
        let seq = self.meta.next_seq;
        if seq > SEQ_MAX {
            return Err(Fault::new(
                ErrorCode::Unavailable,
                "the queue has used up its sequence numbers",
            ));
        }
        self.meta.next_seq += 1;
        Ok(seq)
    }

    /// How long clients' idempotency keys are remembered. Zero: not at all.
    pub(super) fn dedup_window_ms(&self) -> Millis {
        self.config().dedup_window_ms
    }

    /// Writes the segments this commit has filled so far.
    pub(super) fn flush_builders(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        for lane in (0..LANES as u8).chain([LINE]) {
            self.flush_lane(turn, lane)?;
        }
        let mut expiries = std::mem::take(&mut self.builders.expiries);
        expiries.sort_unstable();
        let groups = expiries.chunk_by(|a, b| a.0 == b.0);
        for group in groups.flat_map(|group| group.chunks(ROW_EXPIRIES)) {
            let members: Vec<(u8, u64)> =
                group.iter().map(|(_, lane, seq)| (*lane, *seq)).collect();
            let (at_ms, _, first_seq) = group[0];
            let data = seal::encode(&members)?;
            turn.sql.exec(
                "INSERT INTO expiry (at_ms, first_seq, data) VALUES (?, ?, ?)",
                &[at_ms.into(), first_seq.into(), Arg::Blob(&data)],
            )?;
            self.next_expiry_ms = Some(self.next_expiry_ms.map_or(at_ms, |at| at.min(at_ms)));
        }
        Ok(())
    }

    pub(super) fn flush_lane(&mut self, turn: &mut Turn<'_>, lane: u8) -> Result<(), StoreError> {
        let builder = self.builders.of(lane);
        if builder.is_empty() {
            return Ok(());
        }
        let builder = std::mem::take(builder);
        let ordinal = self.cursor(lane).appended - builder.len();
        self.unjournaled_segments += 1;
        self.segments
            .append(turn.sql, lane, builder, turn.now_ms, ordinal)
    }

    /// Reads the counts of all keys that this turn's publishes name, at once.
    pub(super) fn count_keys_of(
        &mut self,
        turn: &mut Turn<'_>,
        requests: &[(u32, Envelope<'_>)],
    ) -> Result<(), StoreError> {
        if self.config().capacity.max_per_key.is_none() {
            return Ok(());
        }
        let mut keys = Vec::new();
        for (_, envelope) in requests {
            match &envelope.command {
                Command::Publish(draft) | Command::PublishAndWait { draft, .. } => {
                    keys.extend(draft.key);
                }
                Command::PublishBatch(drafts) => {
                    keys.extend(drafts.iter().flatten().filter_map(|d| d.key))
                }
                _ => {}
            }
        }
        self.key_counts.load(turn.sql, &keys)
    }

    /// Takes messages of another queue, each once; stops at the first there is no room for.
    pub(super) fn take_forwarded(
        &mut self,
        turn: &mut Turn<'_>,
        source: &str,
        messages: &[Forwarded<'_>],
    ) -> Result<Reply, Stop> {
        let mut taken = 0;
        for message in messages {
            // A control character cannot stand in a client's key: these prints are a space of their
            // own.
            let print = print(self.secret, &format!("\u{1}{source}\u{1}{}", message.id));
            let since_ms = turn
                .now_ms
                .saturating_sub(self.dedup_window_ms().max(FORWARD_WINDOW_MS));
            if self.idempotency.find(turn.sql, print, since_ms)?.is_none() {
                if self
                    .config()
                    .capacity
                    .never_fits(message.draft.body.len() as u64)
                {
                    self.bury_forwarded(turn, message, print)?;
                } else if self.has_room_for(message) {
                    self.place_forwarded(turn, message, print)?;
                } else {
                    break;
                }
            }
            taken += 1;
        }
        Ok(Reply::Moved(taken))
    }

    fn has_room_for(&self, message: &Forwarded<'_>) -> bool {
        if self.draws.is_unfinished() {
            // Sequence numbers from the draw's first on are those of participants.
            return false;
        }
        match self.overflow_of(&self.config().capacity, message.draft.body.len() as u64) {
            // Nobody overtakes those who wait, but for one that has its place already.
            None => message.keeps_place || self.line.is_empty(),
            Some(Over::Accepted) => message.keeps_place && !self.is_backlog_full_for(message),
            Some(Over::Backlog) => false,
        }
    }

    fn is_backlog_full_for(&self, message: &Forwarded<'_>) -> bool {
        let unbounded = Capacity {
            max_accepted: None,
            ..self.config().capacity.clone()
        };
        self.overflow_of(&unbounded, message.draft.body.len() as u64)
            .is_some()
    }

    /// What never fits is kept here as a dead letter: it would hold up whatever comes behind it for
    /// ever. A dead letter of another queue stays one, with its history.
    fn bury_forwarded(
        &mut self,
        turn: &mut Turn<'_>,
        message: &Forwarded<'_>,
        print: Print,
    ) -> Result<(), Stop> {
        let (seq, now_ms, draft) = (self.next_seq()?, turn.now_ms, &message.draft);
        let head = head_of(draft, now_ms, None);
        if dead_letter::has_history(&draft.attributes) {
            self.write_dead(turn, seq, now_ms, "", head, draft.body)?;
        } else {
            let id = Id::mint(self.secret, now_ms, seq, SINGLE);
            // One that comes home has its place.
            let reason = match message.keeps_place {
                true => dead_letter::Reason::TooLarge,
                false => dead_letter::Reason::NeverFits,
            };
            self.bury(turn, seq, id, head, draft.body, "", reason.name())?;
        }
        self.end(turn, seq, State::Dead, 0, None);
        self.meta.totals.accepted += 1;
        self.answer(Some(print), seq, SINGLE, now_ms, 0);
        Ok(())
    }

    fn place_forwarded(
        &mut self,
        turn: &mut Turn<'_>,
        message: &Forwarded<'_>,
        print: Print,
    ) -> Result<(), Stop> {
        let draft = Draft {
            idempotency_key: None,
            ..message.draft.clone()
        };
        self.accept(turn, &draft, Some(print))?;
        // What says so is not in the segment that a start would read.
        self.meta_changed = true;
        self.meta.has_letters |= dead_letter::has_history(&draft.attributes);
        if message.keeps_place {
            self.meta.accepted = self.meta.accepted.saturating_sub(1);
        } else if let Some(key) = draft.key
            && self.config().capacity.max_per_key.is_some()
        {
            self.key_counts.change(turn.sql, key, false)?;
        }
        Ok(())
    }
}
