//! One topic: its state in memory, and the turn that takes it from one commit to the next.
//!
//! Order within a turn: retention; commands, in the order they came; then what was published goes to
//! those who wait, to live readers and to durable subscriptions; the commit. Nothing that is read
//! holds up a publish. Out of scope: sockets and calls, which the shell carries out.

mod access;
mod aside;
pub mod config;
mod follow;
mod handing;
mod last_value;
mod live;
mod log;
mod operations;
pub(super) mod own_queue;
mod pace;
mod patterns;
mod presence;
mod publish;
mod read;
mod recovery;
mod repair;
mod rows;
mod subscription;
pub(super) mod subscription_patch;
mod subscription_row;
pub(super) mod target;

use super::Stop;
use super::answers::Answers;
use super::idempotency::Idempotency;
use super::outcome::Call;
use super::quarantine;
use crate::command::reply::SinceStart;
use crate::command::topic::{Frame, TopicCommand, TopicEnvelope, TopicReply};
use crate::error::{ErrorCode, Fault};
use crate::id::Secret;
use crate::limits::{SEQ_MAX, UNJOURNALED_MESSAGES_MAX, UNJOURNALED_SEGMENTS_MAX};
use crate::push::target::Reach;
use crate::store::{Sql, StoreError, meta};
use crate::time::{HOUR, Millis, SECOND};
use config::TopicConfig;
use follow::Followers;
use last_value::LastValues;
use live::Live;
use log::Log;
use read::Waiting;
use serde::{Deserialize, Serialize};
use std::rc::Rc;
use subscription::Subscriptions;

pub(super) use subscription_row::is_subscription;

/// Rows that retention let go are deleted this many together.
const DELETE_SEGMENTS: usize = 64;

/// One topic, or the absence of one: an object whose topic was never created stores nothing.
pub struct Topic {
    name: String,
    entropy: [u8; 16],
    secret: Secret,
    /// `None` while the topic does not exist.
    config: Option<Rc<TopicConfig>>,
    log: Log,
    state: State,
    idempotency: Idempotency,
    /// Once somebody asked for it.
    last_values: Option<LastValues>,
    waiting: Vec<Waiting>,
    /// Whether there are reads that a turn did not get to.
    is_read_cut: bool,
    followers: Followers,
    subscriptions: Subscriptions,
    /// Version of what is known of patterns.
    patterns_version: u64,
    /// Of an object of a pattern: who waits until it is being fed, and since when nobody reads.
    live: Live,
    /// Whether `state` changed in a way that the segments do not say.
    state_changed: bool,
    unsaved_messages: u64,
    unsaved_segments: u64,
    /// Rows to be deleted lie there since then.
    finished_ms: Option<Millis>,
    more_work: bool,
    armed_ms: Option<Millis>,
    quarantined: quarantine::Figures,
    since: SinceStart,
    /// What pushes of subscriptions may call.
    reach: Reach,
}

/// What is stored beside the messages: as of the last time it was written. What was published since
/// is in the segments.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    now_ms: Millis,
    first_seq: u64,
    next_seq: u64,
    bytes: u64,
    /// In memory: numbers below this may have been given, and are not given again.
    reserved_seq: u64,
    registered: bool,
    idempotency_next: u64,
    idempotency_prune_at_ms: Millis,
    accepted_total: u64,
    delivered_total: u64,
    rejected: Vec<(ErrorCode, u64)>,
    /// Queues of subscriptions that were deleted, to be deleted as well: what follows the topic's
    /// name in theirs, and in older rows all of it. With the subscriptions there are, no more than
    /// `SUBSCRIPTIONS_MAX`, so that they fit a row.
    leaving: Vec<String>,
}

/// Whether a stored value is a topic's state.
pub(super) fn is_state(bytes: &[u8]) -> bool {
    postcard::from_bytes::<State>(bytes).is_ok_and(|state| {
        let numbers = [state.now_ms, state.first_seq, state.next_seq, state.bytes];
        let all = numbers
            .into_iter()
            .chain([state.reserved_seq, state.accepted_total]);
        all.chain([state.idempotency_next])
            .all(|number| number <= SEQ_MAX)
            && state.first_seq <= state.next_seq
    })
}

/// What one turn brings about.
#[derive(Debug, Default)]
pub struct TopicOutcome {
    /// Answers, by the token the request came with. A read that waits gets its answer later.
    pub replies: Vec<(u32, Result<TopicReply, Fault>)>,
    /// What live readers are sent.
    pub frames: Vec<Frame>,
    /// See `Outcome::alarm_at_ms`.
    pub alarm_at_ms: Option<Millis>,
    /// See `Outcome::timer_at_ms`.
    pub timer_at_ms: Option<Millis>,
    /// Calls to other objects. Each comes back by `Topic::called` with its number.
    pub calls: Vec<Call>,
    /// The topic is gone: drop all storage.
    pub wipe: bool,
    /// What happened, for the log: a JSON text each.
    pub events: Vec<String>,
}

/// What a turn works with.
struct Turn<'s> {
    sql: &'s mut dyn Sql,
    now_ms: Millis,
    out: TopicOutcome,
    answers: Answers,
    /// Messages that filters looked at, by what that costs.
    looks: usize,
    /// The same, for reads.
    read_looks: usize,
}

impl Topic {
    /// The latest instant it knows of; its time never runs backwards.
    pub fn now_ms(&self) -> Millis {
        self.state.now_ms
    }

    /// What pushes of its subscriptions may call.
    pub fn equip(&mut self, reach: Reach) {
        self.reach = reach;
    }

    /// Runs one turn: the requests that arrived together, by token. None at all when an alarm or a
    /// timer fired, or when only readers have something to say.
    ///
    /// # Errors
    /// Storage failed: roll the transaction back, drop this value, open the topic again.
    pub fn run(
        &mut self,
        sql: &mut dyn Sql,
        now_ms: Millis,
        mut requests: Vec<(u32, TopicEnvelope<'_>)>,
        since: SinceStart,
    ) -> Result<TopicOutcome, StoreError> {
        // A deletion comes last: what was accepted in its turn was there before it.
        requests.sort_by_key(|(_, it)| matches!(it.command, TopicCommand::Delete));
        self.since = since;
        self.state.now_ms = now_ms.max(self.state.now_ms);
        let now_ms = self.state.now_ms;
        let mut turn = Turn {
            sql,
            now_ms,
            out: TopicOutcome::default(),
            answers: Answers::default(),
            looks: 0,
            read_looks: 0,
        };
        if self.armed_ms.is_some_and(|at| at <= now_ms) {
            self.armed_ms = None;
        }
        self.more_work = false;
        self.tell_of_aside(&mut turn);
        self.settle_calls(&mut turn)?;
        self.retain(&mut turn)?;
        for (token, envelope) in requests {
            match self.execute(&mut turn, token, envelope) {
                Ok(Some(reply)) => turn.out.replies.push((token, Ok(reply))),
                Ok(None) => {}
                Err(Stop::Fault(fault)) => turn.out.replies.push((token, Err(fault))),
                Err(Stop::Store(error)) => return Err(error),
            }
        }
        self.finish_deletion(&mut turn)?;
        self.end(&mut turn);
        if turn.out.wipe {
            self.dismiss_readers(&mut turn);
        } else if self.config.is_some() {
            self.flush(&mut turn)?;
            self.retain(&mut turn)?;
            self.serve_waiting(&mut turn)?;
            self.send_frames(&mut turn)?;
            self.rest(&mut turn)?;
            self.make_calls(&mut turn)?;
            self.commit(&mut turn)?;
            self.arm(&mut turn)?;
        }
        Ok(turn.out)
    }

    /// The origins whose pages may call this topic.
    #[must_use]
    pub fn cors_origins(&self) -> &[String] {
        self.config
            .as_ref()
            .map_or(&[], |config| &config.cors_origins)
    }

    /// The caller of a waiting request has gone.
    pub fn cancel(&mut self, token: u32) {
        self.live.cancel(token);
        self.subscriptions.cancel(token);
        self.waiting.retain(|waiting| waiting.token != token);
    }

    /// Carries out one command. `None` when the answer comes in a later turn.
    fn execute(
        &mut self,
        turn: &mut Turn<'_>,
        token: u32,
        envelope: TopicEnvelope<'_>,
    ) -> Result<Option<TopicReply>, Stop> {
        let is_anonymous = envelope.anonymous.is_anonymous();
        if is_anonymous {
            self.expect_public(&envelope.command)?;
        }
        match envelope.command {
            TopicCommand::Configure { patch } => return self.configure(turn, patch).map(Some),
            TopicCommand::Preflight => return Ok(Some(TopicReply::Done)),
            // One that comes into being asks by itself.
            TopicCommand::Patterns(_) if self.config.is_none() => {
                return Ok(Some(TopicReply::Done));
            }
            TopicCommand::Publish { .. }
            | TopicCommand::PublishBatch(_)
            | TopicCommand::Follow(_) => self.create_if(turn, envelope.auto_create)?,
            TopicCommand::Subscribe { name, patch } => {
                return self.subscribe(turn, token, name, patch, envelope.auto_create);
            }
            _ => {}
        }
        if self.config.is_none() {
            return Err(self.absent().into());
        }
        let reply = match envelope.command {
            TopicCommand::Publish { draft, expect_seq } => {
                TopicReply::Accepted(self.publish(turn, &draft, expect_seq)?)
            }
            TopicCommand::PublishBatch(drafts) => self.publish_batch(turn, drafts)?,
            TopicCommand::Read(read) => {
                return self.read(turn, token, &read, is_anonymous);
            }
            TopicCommand::Follow(follow) => {
                return self.follow_or_wait(turn, token, &follow, envelope.anonymous);
            }
            TopicCommand::Describe => self.describe(turn, false)?,
            TopicCommand::Delete => {
                self.subscriptions.asking.expect_place()?;
                return Ok(self.delete(turn, token)?);
            }
            TopicCommand::Subscription { name } => return self.subscription(turn, token, name),
            TopicCommand::Subscriptions { after, limit } => {
                self.list_subscriptions(turn, after, limit)?
            }
            TopicCommand::Unsubscribe { name } => return self.unsubscribe(turn, token, name),
            TopicCommand::Seek { name, to } => self.seek(turn, name, to)?,
            TopicCommand::Patterns(set) => self.told(turn, &set)?,
            TopicCommand::Forward { source, messages } => self.gather(turn, source, &messages)?,
            TopicCommand::Quarantine { after } => {
                let page = quarantine::page(turn.sql, &mut turn.answers, after)?;
                TopicReply::Quarantined(page)
            }
            TopicCommand::DropQuarantine => {
                quarantine::drop_all(turn.sql)?;
                self.quarantined.rows = 0;
                TopicReply::Done
            }
            TopicCommand::Configure { .. }
            | TopicCommand::Subscribe { .. }
            | TopicCommand::Preflight => TopicReply::Done,
        };
        Ok(Some(reply))
    }

    fn absent(&self) -> Fault {
        let detail = format!(
            "there is no topic {:?}; PUT /v1/topics/{{topic}} creates one, and so does a publish",
            self.name
        );
        Fault::new(ErrorCode::NotFound, detail)
    }

    fn config(&self) -> Rc<TopicConfig> {
        self.config.as_ref().map_or_else(Rc::default, Rc::clone)
    }

    /// Stores what was published in this turn so far.
    fn flush(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        self.reserve(turn)?;
        let count = self.log.flush(turn.sql, turn.now_ms)?;
        self.unsaved_messages += count;
        self.unsaved_segments += u64::from(count > 0);
        Ok(())
    }

    fn retain(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let Some(config) = self.config.as_ref().map(Rc::clone) else {
            return Ok(());
        };
        self.more_work |= self.log.retain(turn.sql, turn.now_ms, &config)?;
        if self.log.finished() > 0 {
            self.finished_ms.get_or_insert(turn.now_ms);
        }
        Ok(())
    }

    /// Writes the state where the segments alone do not say it, or would say it at length.
    fn commit(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let slack_ms = self.slack_ms();
        let is_late = self
            .finished_ms
            .is_some_and(|at| at + slack_ms <= turn.now_ms);
        let prune_ms = self.state.idempotency_prune_at_ms;
        if prune_ms > 0 && prune_ms <= turn.now_ms {
            let next = self.idempotency.prune(turn.sql, turn.now_ms)?;
            self.state.idempotency_prune_at_ms = next.unwrap_or(0);
            self.state_changed = true;
        }
        let due = self.state_changed
            || is_late
            || self.log.finished() >= DELETE_SEGMENTS
            || self.unsaved_messages >= UNJOURNALED_MESSAGES_MAX
            || self.unsaved_segments >= UNJOURNALED_SEGMENTS_MAX
            || self.idempotency.is_flush_due();
        if due { self.save(turn) } else { Ok(()) }
    }

    fn save(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        self.log.delete_finished(turn.sql)?;
        let until_ms = turn.now_ms + self.config().dedup_window_ms;
        let rows = self
            .idempotency
            .flush(turn.sql, self.state.idempotency_next, until_ms)?;
        let state = &mut self.state;
        state.idempotency_next += rows;
        if rows > 0 && state.idempotency_prune_at_ms == 0 {
            state.idempotency_prune_at_ms = until_ms;
        }
        state.first_seq = self.log.first_seq;
        state.next_seq = self.log.next_seq;
        state.bytes = self.log.bytes;
        let bytes = postcard::to_allocvec(&state).map_err(|e| StoreError(e.to_string()))?;
        meta::write(turn.sql, "state", &bytes)?;
        self.state_changed = false;
        self.unsaved_messages = 0;
        self.unsaved_segments = 0;
        self.finished_ms = None;
        Ok(())
    }

    /// How long rows may lie there that nobody can read any more: many go together.
    fn slack_ms(&self) -> Millis {
        (self.config().retention_ms / 16).clamp(SECOND, HOUR)
    }

    /// Arms the alarm for the earliest moment something has to happen by itself, and says when the
    /// next waiting request gives up.
    fn arm(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let slack_ms = self.slack_ms();
        let oldest_ms = self.log.oldest_ms(turn.sql)?;
        let next_ms = [
            self.more_work.then_some(turn.now_ms),
            oldest_ms.map(|at| at + self.config().retention_ms + slack_ms),
            self.finished_ms.map(|at| at + slack_ms),
            Some(self.state.idempotency_prune_at_ms).filter(|at| *at > 0),
            self.calls_wakeup_ms(turn.now_ms),
            self.rest_wakeup_ms(),
        ];
        let next_ms = next_ms.into_iter().flatten().min();
        if let Some(next_ms) = next_ms
            && self.armed_ms.is_none_or(|armed| next_ms < armed)
        {
            self.armed_ms = Some(next_ms);
            turn.out.alarm_at_ms = Some(next_ms);
        }
        let now = self.more_work.then_some(turn.now_ms);
        let waiting = self.waiting.iter().map(|waiting| waiting.until_ms).min();
        let slice = self.slice_ms(turn.now_ms);
        let now = now.or(self.is_read_cut.then_some(turn.now_ms));
        turn.out.timer_at_ms = now.or([waiting, slice].into_iter().flatten().min());
        Ok(())
    }
}
