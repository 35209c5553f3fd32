//! One queue: its state in memory, and the turn that takes it from one commit to the next.
//!
//! Order within a turn: the clock's work (`clock.rs`); commands that free or ask (acks, reads,
//! operations); publishes; pulls; waiting pulls and reads; calls to other queues; the commit.
//! Requests of one turn arrived together, so any order between them is right, and this one accepts
//! most and delivers soonest.

use super::Stop;
use super::access::{Access, Who};
use super::answers::Answers;
use super::config::{Config, Order};
use super::dispatch::Dispatches;
use super::draw::Draws;
use super::forgetting::Forgetting;
use super::idempotency::Idempotency;
use super::journal::{Journal, Meta, SmallState};
use super::key_count::KeyCounts;
use super::line::Line;
use super::outbox::Outbox;
use super::outcome::Outcome;
use super::outcomes::Outcomes;
use super::outstanding::Outstanding;
use super::publish::{Builders, FORWARD_WINDOW_MS};
use super::quarantine;
use super::segment::{SINGLE, segment_id};
use super::segments::{Segments, each_list};
use super::tickets::Tickets;
use super::waiter::Waiters;
use crate::command::latency::Latencies;
use crate::command::placement::is_subscription_queue;
use crate::command::reply::{DrawFigures, SinceStart};
use crate::command::sieve::Sieve;
use crate::command::{Acknowledged, Command, Envelope, Reply, Selection};
use crate::error::{ErrorCode, Fault};
use crate::id::Secret;
use crate::limits::{
    ALARM_AHEAD_MS_MAX, PASSED_OVER_PER_TURN_MAX, UNJOURNALED_MESSAGES_MAX,
    UNJOURNALED_SEGMENTS_MAX,
};
use crate::push::target::Reach;
use crate::store::{Sql, StoreError};
use crate::time::{MINUTE, Millis};
use std::collections::HashMap;
use std::rc::Rc;

/// One queue, or the absence of one: an object whose queue was never created stores nothing.
pub struct Queue {
    pub(super) name: String,
    pub(super) entropy: [u8; 16],
    pub(super) secret: Secret,
    /// `None` while the queue does not exist.
    pub(super) config: Option<Rc<Config>>,
    pub(super) meta: Meta,
    pub(super) outstanding: Outstanding,
    pub(super) line: Line,
    pub(super) draws: Draws,
    pub(super) segments: Segments,
    pub(super) journal: Journal,
    pub(super) idempotency: Idempotency,
    pub(super) outcomes: Outcomes,
    pub(super) forgetting: Forgetting,
    pub(super) key_counts: KeyCounts,
    pub(super) builders: Builders,
    pub(super) waiters: Waiters,
    pub(super) outbox: Outbox,
    pub(super) tickets: Tickets,
    pub(super) dispatches: Dispatches,
    /// What the deployment lets pushes call.
    pub(super) reach: Reach,
    /// Rows to give up with this commit: segments and singles whose last message became final.
    pub(super) finished_segments: Vec<u64>,
    pub(super) finished_singles: Vec<u64>,
    /// Whether `meta` changed in a way that the segments of this commit do not say.
    pub(super) meta_changed: bool,
    pub(super) unjournaled_messages: u64,
    pub(super) unjournaled_segments: u64,
    /// Earliest due instants of what lies in rows; `None`: nothing there.
    pub(super) next_single_ms: Option<Millis>,
    pub(super) next_expiry_ms: Option<Millis>,
    /// When there is more of the clock's work than one turn does.
    pub(super) more_work: bool,
    pub(super) armed_ms: Option<Millis>,
    /// What was damaged and taken out of service, as of the start or the last look.
    pub(super) quarantined: quarantine::Figures,
    pub(super) drain: Drain,
    pub(super) since: SinceStart,
    pub(super) latencies: Latencies,
    /// Theoretical arrival times by key, while `publish_rate` is per key. In memory only.
    pub(super) key_rates: HashMap<u64, u64>,
}

/// What a turn works with.
pub(super) struct Turn<'s> {
    pub sql: &'s mut dyn Sql,
    pub now_ms: Millis,
    pub out: Outcome,
    /// What acknowledgements did whose pull, by its token, is still to come.
    pub settled: Vec<(u32, Acknowledged)>,
    /// Messages that may still be passed over.
    pub looks_left: usize,
    /// No outstanding message before this one can be dropped to make room.
    pub dropped_to: u64,
    pub answers: Answers,
}

impl<'s> Turn<'s> {
    pub fn new(sql: &'s mut dyn Sql, now_ms: Millis) -> Self {
        Self {
            sql,
            now_ms,
            out: Outcome::default(),
            settled: Vec::new(),
            looks_left: PASSED_OVER_PER_TURN_MAX,
            dropped_to: 0,
            answers: Answers::default(),
        }
    }
}

/// How fast messages are acknowledged, as a decaying average.
#[derive(Debug, Default)]
pub(super) struct Drain {
    per_ms: f64,
    at_ms: Millis,
}

impl Drain {
    /// The time after which an observation counts 1/e.
    const TAU_MS: f64 = 5_000.0;

    pub fn note(&mut self, now_ms: Millis, messages: u64) {
        self.per_ms = self.per_ms(now_ms) + messages as f64 / Self::TAU_MS;
        self.at_ms = now_ms;
    }

    /// Messages a millisecond, as of now.
    pub fn per_ms(&self, now_ms: Millis) -> f64 {
        let age = now_ms.saturating_sub(self.at_ms) as f64;
        self.per_ms * (-age / Self::TAU_MS).exp()
    }
}

impl Queue {
    /// The latest instant it knows of; its time never runs backwards.
    pub fn now_ms(&self) -> Millis {
        self.meta.now_ms
    }

    /// Runs one turn: the requests that arrived together, by token. None at all when an alarm or a
    /// timer fired.
    ///
    /// # Errors
    /// Storage failed: roll the transaction back, drop this value, open the queue again.
    pub fn run(
        &mut self,
        sql: &mut dyn Sql,
        now_ms: Millis,
        requests: Vec<(u32, Envelope<'_>)>,
        since: SinceStart,
    ) -> Result<Outcome, StoreError> {
        self.since = since;
        self.meta.now_ms = now_ms.max(self.meta.now_ms);
        let mut turn = Turn::new(sql, self.meta.now_ms);
        if self.armed_ms.is_some_and(|at| at <= turn.now_ms) {
            self.armed_ms = None;
        }
        self.line.begin_turn();
        self.settle_calls(&mut turn)?;
        if self.config.is_some() {
            self.settle_dispatches(&mut turn)?;
            self.advance_clock(&mut turn)?;
        }
        self.take_requests(&mut turn, requests)?;
        if self.config.is_some() && !turn.out.wipe {
            self.serve_pulls(&mut turn)?;
            while self.admit(&mut turn)? {
                self.serve_pulls(&mut turn)?;
            }
            self.dispatch(&mut turn)?;
            self.make_calls(&mut turn)?;
            self.commit(&mut turn)?;
            self.answer_readers(&mut turn)?;
            self.arm(&mut turn);
        }
        Ok(turn.out)
    }

    /// The origins whose pages may call this queue.
    #[must_use]
    pub fn cors_origins(&self) -> &[String] {
        self.config.as_ref().map_or(&[], |c| &c.cors_origins)
    }

    /// What everybody may do: publish, at a rate for each address; `None` where nothing.
    #[must_use]
    pub fn public(&self) -> Option<&Access> {
        let access = self.config.as_ref().map(|config| &config.access);
        access.filter(|access| access.publish == Who::Public)
    }

    /// The idempotency keys this queue remembers, for a verdict. `None` when there are too many.
    ///
    /// # Errors
    /// Storage.
    pub fn sieve(&mut self, sql: &mut dyn Sql) -> Result<Option<Sieve>, StoreError> {
        self.idempotency.sieve(sql, self.secret)
    }

    /// What everybody may know of the draws that are remembered, the latest last.
    pub fn draws(&self) -> impl DoubleEndedIterator<Item = DrawFigures> {
        self.draws.figures()
    }

    /// How many rows of segments are kept to be written over.
    #[must_use]
    pub fn spare_rows(&self) -> u64 {
        self.segments.spare_rows() as u64
    }

    /// The caller of a waiting request has gone.
    pub fn cancel(&mut self, token: u32) {
        self.waiters.cancel(token);
    }

    fn take_requests(
        &mut self,
        turn: &mut Turn<'_>,
        requests: Vec<(u32, Envelope<'_>)>,
    ) -> Result<(), StoreError> {
        let mut later: [Vec<(u32, Envelope<'_>)>; 3] = Default::default();
        for (token, envelope) in requests {
            for (code, n) in &envelope.refused {
                self.meta.totals.reject(*code, true, *n);
            }
            match envelope.command {
                Command::Publish(_)
                | Command::PublishAndWait { .. }
                | Command::PublishBatch(_)
                | Command::Forward { .. } => later[0].push((token, envelope)),
                Command::Pull(_) => later[1].push((token, envelope)),
                Command::AckPull { ref ack, ref pull } => {
                    if self.settle(turn, token, ack, pull)? {
                        later[1].push((token, envelope));
                    }
                }
                Command::Delete => later[2].push((token, envelope)),
                _ => self.take(turn, token, envelope)?,
            }
        }
        if self.config.is_some() {
            self.admit(turn)?;
        }
        self.count_keys_of(turn, &later[0])?;
        for (stage, requests) in later.into_iter().enumerate() {
            for (token, envelope) in requests {
                self.take(turn, token, envelope)?;
            }
            if stage == 0 {
                self.flush_builders(turn)?;
            }
        }
        Ok(())
    }

    fn take(
        &mut self,
        turn: &mut Turn<'_>,
        token: u32,
        envelope: Envelope<'_>,
    ) -> Result<(), StoreError> {
        match self.execute(turn, token, envelope) {
            Ok(Some(reply)) => turn.out.replies.push((token, Ok(reply))),
            Ok(None) => {}
            Err(Stop::Fault(fault)) => turn.out.replies.push((token, Err(fault))),
            Err(Stop::Store(error)) => return Err(error),
        }
        Ok(())
    }

    /// Carries out one command. `None` when the answer comes in a later turn.
    fn execute(
        &mut self,
        turn: &mut Turn<'_>,
        token: u32,
        envelope: Envelope<'_>,
    ) -> Result<Option<Reply>, Stop> {
        let creates = envelope.auto_create;
        match envelope.command {
            Command::Configure { patch } => return self.configure(turn, patch).map(Some),
            Command::Report | Command::Preflight => return Ok(Some(Reply::Done)),
            Command::Forward { source, messages } => {
                self.create_if(turn, true)?;
                return self.take_forwarded(turn, source, &messages).map(Some);
            }
            Command::Publish(_) | Command::PublishAndWait { .. } | Command::PublishBatch(_) => {
                self.create_if(turn, creates)?;
            }
            _ => {}
        }
        if self.config.is_none() {
            return self.answer_absent(&envelope.command).map(Some);
        }
        let reply = match envelope.command {
            Command::Publish(draft) => Reply::Accepted(self.publish(turn, &draft)?),
            Command::PublishAndWait { draft, wait_ms } => {
                return self.publish_and_wait(turn, token, &draft, wait_ms);
            }
            Command::PublishBatch(drafts) => self.publish_batch(turn, drafts)?,
            Command::Pull(pull) | Command::AckPull { pull, .. } => {
                return self.pull(turn, token, &pull);
            }
            Command::Ack(ack) => Reply::Acknowledged(self.acknowledge(turn, &ack)?),
            Command::Inspect { id, wait } => return self.inspect(turn, token, id, wait),
            Command::Confirm { id } => self.confirm(turn, id)?,
            Command::Cancel { id } => self.cancel_message(turn, id)?,
            Command::Describe => self.describe(turn, false)?,
            Command::Browse { after_seq, limit } => self.browse(turn, after_seq, limit)?,
            Command::BrowseDead { after_seq, limit } => self.browse_dead(turn, after_seq, limit)?,
            Command::Delete => self.delete(turn),
            Command::Purge => self.purge(turn)?,
            Command::Pause => self.set_paused(true),
            Command::Resume => self.set_paused(false),
            Command::RotateTickets => self.rotate_tickets(turn)?,
            Command::EnablePush => self.enable_endpoint(turn)?,
            Command::Attempts { id } => self.attempts_of(turn, id)?,
            Command::Quarantine { after } => {
                Reply::Quarantined(quarantine::page(turn.sql, &mut turn.answers, after)?)
            }
            Command::DropQuarantine => {
                quarantine::drop_all(turn.sql)?;
                self.quarantined.rows = 0;
                Reply::Done
            }
            Command::Redrive => return self.redrive(turn, token, Selection::default()),
            Command::RedriveSome(selection) => return self.redrive(turn, token, selection),
            Command::Recall(recall) => self.recall(turn, &recall, &Selection::default())?,
            Command::RecallSome(recall, selection) => self.recall(turn, &recall, &selection)?,
            Command::Configure { .. }
            | Command::Report
            | Command::Preflight
            | Command::Forward { .. } => Reply::Done,
            Command::PublishBinary | Command::AckBinary | Command::PullBinary => {
                let detail = "a binary batch came without having been read";
                return Err(Fault::new(ErrorCode::Internal, detail).into());
            }
        };
        Ok(Some(reply))
    }

    /// The answer of a queue that does not exist.
    fn answer_absent(&self, command: &Command<'_>) -> Result<Reply, Stop> {
        match command {
            // A topic says so until it knows that a subscription's queue is gone.
            Command::Delete if is_subscription_queue(&self.name) => Ok(Reply::Done),
            // No dead letter came here yet: the first would have made this queue.
            Command::Recall(_) | Command::RecallSome(..) => Ok(Reply::Moved(0)),
            _ => Err(self.absent().into()),
        }
    }

    pub(super) fn absent(&self) -> Fault {
        if let Some((_, subscription)) = self.name.rsplit_once('~') {
            let detail = format!("there is no subscription {subscription:?} to pull from");
            return Fault::new(ErrorCode::NotFound, detail);
        }
        Fault::new(
            ErrorCode::NotFound,
            format!(
                "there is no queue {:?}; PUT /v1/queues/{{queue}} creates one, and so does a publish",
                self.name
            ),
        )
    }

    /// The configuration; a queue that does not exist has the default one.
    pub(super) fn config(&self) -> Rc<Config> {
        self.config
            .as_ref()
            .map_or_else(|| Rc::new(Config::default()), Rc::clone)
    }

    pub(super) fn order(&self) -> Order {
        self.config
            .as_ref()
            .map_or(Order::BestEffort, |c| c.delivery.order)
    }

    /// Messages that are not final: queued, delayed, held and in flight.
    pub(super) fn depth(&self) -> u64 {
        let fresh: u64 = self.meta.lanes.iter().map(|lane| lane.fresh()).sum();
        fresh + self.meta.delayed + self.meta.held + self.outstanding.len() as u64
    }

    /// Writes what this turn changed. A turn that changed nothing but counters of refusals writes
    /// nothing.
    pub(super) fn commit(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        self.flush_builders(turn)?;
        let until_ms = turn.now_ms + self.config().result_retention_ms;
        if self.outcomes.flush(turn.sql, until_ms)? {
            let prune = &mut self.meta.outcomes_prune_at_ms;
            if *prune == 0 {
                // Rows that end soon after one another go together.
                *prune = until_ms + MINUTE;
            }
            self.meta_changed = true;
        }
        self.key_counts.flush(turn.sql)?;
        self.dispatches.attempts.flush(turn.sql)?;
        let finished = std::mem::take(&mut self.finished_segments);
        self.segments.retire(turn.sql, &finished)?;
        self.delete_singles(turn)?;
        let due = self.meta_changed
            || self.outstanding.has_changed()
            || self.unjournaled_messages >= UNJOURNALED_MESSAGES_MAX
            || self.unjournaled_segments >= UNJOURNALED_SEGMENTS_MAX;
        if !due {
            return Ok(());
        }
        self.meta.number += 1;
        self.meta_changed = false;
        self.unjournaled_messages = 0;
        self.unjournaled_segments = 0;
        let due = self.idempotency.is_flush_due()
            || self
                .journal
                .is_checkpoint_due(self.meta.number, &self.outstanding);
        if due {
            self.store_answers(turn)?;
        }
        let small = SmallState {
            meta: &self.meta,
            line: &self.line.state,
            forgetting: &self.forgetting,
            dispatches: &self.dispatches.state,
        };
        if due {
            self.journal
                .checkpoint(turn.sql, small, &mut self.outstanding)
        } else {
            let answers = self.idempotency.take_unjournaled();
            self.journal
                .write(turn.sql, small, &mut self.outstanding, answers)
        }
    }

    fn store_answers(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let until_ms = turn.now_ms + self.dedup_window_ms().max(FORWARD_WINDOW_MS);
        let rows = self
            .idempotency
            .flush(turn.sql, self.meta.idempotency_next, until_ms)?;
        self.meta.idempotency_next += rows;
        if rows > 0 && self.meta.idempotency_prune_at_ms == 0 {
            self.meta.idempotency_prune_at_ms = until_ms;
        }
        Ok(())
    }

    pub(super) fn delete_singles(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let seqs = std::mem::take(&mut self.finished_singles);
        each_list(&seqs, |list| {
            turn.sql.exec(
                "DELETE FROM singles WHERE seq IN (SELECT value FROM json_each(?))",
                &[list],
            )
        })?;
        for seq in seqs {
            self.segments.forget(segment_id(SINGLE, seq));
        }
        Ok(())
    }

    /// Arms the alarm for the earliest moment something has to happen by itself, when none is armed
    /// for then or before; and says when the next waiting request gives up.
    fn arm(&mut self, turn: &mut Turn<'_>) {
        let next_ms = self.next_wakeup_ms(turn.now_ms);
        // A configured instant may be further away than the platform's clock goes.
        let next_ms = next_ms.map(|at| at.min(turn.now_ms + ALARM_AHEAD_MS_MAX));
        if let Some(next_ms) = next_ms
            && self.armed_ms.is_none_or(|armed| next_ms < armed)
        {
            self.armed_ms = Some(next_ms);
            turn.out.alarm_at_ms = Some(next_ms);
        }
        let waiters_ms = self.waiters.next_timer_ms(turn.now_ms, self.more_work);
        turn.out.timer_at_ms = [waiters_ms, self.dispatches.timer_ms()]
            .into_iter()
            .flatten()
            .min();
    }
}
