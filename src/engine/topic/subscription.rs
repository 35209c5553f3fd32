//! Durable subscriptions: cursors that outlive everything, each with a queue it feeds.
//!
//! A subscription hands what its filter lets through to a queue: one that was named, or one of its
//! own, which is pulled and acknowledged by the subscription's name. The queue takes each message
//! once (`Command::Forward`), and the cursor moves when it has, so that nothing is lost or doubled
//! whatever fails in between. At most one call of a subscription is under way at a time; what is
//! published meanwhile goes with the next one. Leases, retries and dead letters are the queue's.

use super::aside::Aside;
use super::own_queue::Asking;
use super::pace::Pace;
use super::patterns::is_live;
use super::read::Cursor;
use super::subscription_patch::Patch;
use super::target::{Target, own_queue_patch};
use super::{Topic, Turn};
use crate::command::placement::{of_pattern, subscription_queue};
use crate::command::topic::{Start, SubscriptionState, TopicReply};
use crate::engine::Stop;
use crate::engine::filter::Filter;
use crate::engine::repair;
use crate::engine::waiter::expect_place;
use crate::error::{ErrorCode, Fault};
use crate::push::config::PushConfig;
use crate::store::{Sql, StoreError, Value};
use crate::time::{MINUTE, Millis, SECOND};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::rc::Rc;

/// What is stored of a subscription beside its cursor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Config {
    pub filter: Option<String>,
    /// `None`: a queue of its own.
    pub target: Option<String>,
    pub paused: bool,
    /// JSON text, for a queue of its own.
    pub delivery: Option<String>,
    /// What has to be done before anything is handed on.
    pub step: Step,
    /// How often it went elsewhere: what is handed on again is not a repeat.
    pub epoch: u64,
}

/// What a subscription's own queue has to be told first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Step {
    /// One of this name may be there still.
    Delete,
    Configure,
    /// What it was handed counts no more.
    Purge,
    Ready,
}

impl Step {
    /// What follows once it is done.
    pub const fn next(self) -> Self {
        match self {
            Self::Delete => Self::Configure,
            Self::Configure | Self::Purge | Self::Ready => Self::Ready,
        }
    }

    /// This, with `wanted` to be done as well: a queue that is made anew is empty and as it should
    /// be.
    pub fn with(self, wanted: Self) -> Self {
        match self {
            Self::Ready => wanted,
            _ if self == wanted => wanted,
            _ => Self::Delete,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Totals {
    pub last_per_key: bool,
    pub missed: u64,
    pub delivered: u64,
}

#[derive(Debug)]
pub(super) struct Subscription {
    pub config: Config,
    pub filter: Option<Filter>,
    pub next: u64,
    pub totals: Totals,
    /// The number of the call under way, and what it brings.
    pub call: Option<(u32, Sent)>,
    pub retry_at_ms: Millis,
    pub failures: u32,
    /// What its own queue calls.
    pub push: Option<Rc<PushConfig>>,
    /// Who is answered when its queue is ready, and whether that created the subscription.
    pub asked: Vec<(u32, bool)>,
}

#[derive(Debug)]
pub(super) enum Sent {
    Step,
    /// What no longer counts.
    Stale,
    /// Numbers of the messages, and where the cursor is when all of them have arrived.
    Messages {
        seqs: Vec<u64>,
        next: Cursor,
        missed: u64,
    },
}

/// The durable subscriptions of a topic, and the calls of the topic's object.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    pub by_name: BTreeMap<String, Subscription>,
    /// See `aside.rs`.
    pub aside: BTreeMap<String, Aside>,
    pub answers: Vec<(u32, bool, Vec<u8>)>,
    pub last_number: u32,
    pub calls_open: usize,
    pub pace: Pace,
    /// The last one that was looked at.
    pub last_looked: String,
    pub registering: Option<u32>,
    /// The queue being deleted, by the number of the call.
    pub leaving: Option<(u32, String)>,
    pub asking: Asking,
    /// Calls to queues whose subscription was deleted meanwhile: the queue is deleted after them.
    pub orphans: Vec<(u32, String)>,
    pub own_retry_at_ms: Millis,
    pub own_failures: u32,
    pub lost_at_ms: Millis,
    /// When an object that started anew goes on with what waits for the pace.
    pub resume_at_ms: Millis,
}

impl Subscriptions {
    /// The caller of a waiting request has gone.
    pub fn cancel(&mut self, token: u32) {
        self.asking.cancel(token);
        for it in self.by_name.values_mut() {
            it.asked.retain(|(asked, _)| *asked != token);
        }
    }

    /// Reads the rows.
    pub fn recover(&mut self, sql: &mut dyn Sql) -> Result<(), StoreError> {
        let rows = sql.exec(
            "SELECT name, config, next_seq, cursor FROM subscriptions",
            &[],
        )?;
        for mut row in rows {
            let totals = row.pop().map(Value::into_blob).unwrap_or_default();
            let next = row.pop().map_or(0, |value| value.uint());
            let config = row.pop().map(Value::into_blob).unwrap_or_default();
            let name = row
                .pop()
                .map_or(String::new(), |value| value.text().to_owned());
            match Subscription::read(&config, next, &totals) {
                Ok(it) => {
                    self.by_name.insert(name, it);
                }
                Err(error) if repair::is_subscription_damaged(&config, &totals) => {
                    return Err(error);
                }
                Err(error) => {
                    self.aside.insert(name, Aside::new(next, error));
                }
            }
        }
        Ok(())
    }

    /// How many there are, those that stand aside included.
    pub fn len(&self) -> usize {
        self.by_name.len() + self.aside.len()
    }

    /// How far behind the last of them is.
    pub fn lag_max(&self, next_seq: u64) -> u64 {
        let lags = self
            .by_name
            .values()
            .map(|it| next_seq.saturating_sub(it.next));
        lags.max().unwrap_or(0)
    }

    pub fn number(&mut self) -> u32 {
        self.last_number = self.last_number.wrapping_add(1);
        self.last_number
    }

    pub fn own_failed(&mut self, now_ms: Millis) {
        self.own_failures = (self.own_failures + 1).min(8);
        self.own_retry_at_ms = now_ms + backoff_ms(self.own_failures);
    }
}

impl Subscription {
    pub fn new(config: Config, filter: Option<Filter>, next: u64, totals: Totals) -> Self {
        Self {
            config,
            filter,
            next,
            totals,
            call: None,
            retry_at_ms: 0,
            failures: 0,
            push: None,
            asked: Vec::new(),
        }
    }

    /// Whether there is something to do for it.
    pub fn is_due(&self, next_seq: u64) -> bool {
        self.config.step != Step::Ready || (!self.config.paused && self.next < next_seq)
    }

    pub fn failed(&mut self, now_ms: Millis) {
        self.failures = (self.failures + 1).min(8);
        self.retry_at_ms = now_ms + backoff_ms(self.failures);
    }

    /// Has its own queue told something before anything more is handed on. A call that tells it
    /// what held before counts for nothing.
    fn step(&mut self, step: Step) {
        if let Some((_, sent @ Sent::Step)) = &mut self.call {
            *sent = Sent::Stale;
        }
        self.config.step = self.config.step.with(step);
        self.retry_at_ms = 0;
    }

    /// Whether its own queue pushes, or may do so still since it has not heard otherwise.
    pub fn may_call(&self) -> bool {
        self.push.is_some() || self.config.step != Step::Ready
    }

    /// What its own queue is configured with.
    pub fn own_queue_patch(&self) -> String {
        let (delivery, push) = (self.config.delivery.as_deref(), self.push.as_deref());
        own_queue_patch(delivery, push, self.config.paused)
    }

    fn target(&self) -> Target {
        Target {
            queue: self.config.target.clone(),
            push: self.push.clone(),
        }
    }

    pub const fn cursor(&self) -> Cursor {
        Cursor {
            next: self.next,
            last_per_key: self.totals.last_per_key,
        }
    }

    /// The first `moved` of the messages with these numbers have arrived.
    pub fn arrived(
        &mut self,
        seqs: &[u64],
        moved: usize,
        next: Cursor,
        missed: u64,
        now_ms: Millis,
    ) {
        match seqs.get(moved) {
            None => {
                self.failures = 0;
                self.retry_at_ms = 0;
                self.move_to(next);
            }
            Some(seq) => {
                // Its queue is full or out of reach.
                self.next = *seq;
                self.failed(now_ms);
            }
        }
        if moved > 0 {
            self.totals.missed += missed;
            self.totals.delivered += moved as u64;
        }
    }

    pub fn move_to(&mut self, cursor: Cursor) {
        self.next = cursor.next;
        self.totals.last_per_key = cursor.last_per_key;
    }
}

fn backoff_ms(failures: u32) -> Millis {
    (SECOND << failures).min(5 * MINUTE)
}

impl Topic {
    /// Creates or changes a subscription. One with a queue of its own is answered when that queue
    /// is there.
    pub(super) fn subscribe(
        &mut self,
        turn: &mut Turn<'_>,
        token: u32,
        name: &str,
        patch: &str,
        auto_create: bool,
    ) -> Result<Option<TopicReply>, Stop> {
        let patch = Patch::read(patch)?;
        if self.subscriptions.by_name.contains_key(name) {
            return self.change(turn, token, name, patch);
        }
        let (target, compiled) = self.checked(&patch)?;
        self.create_if(turn, auto_create)?;
        self.expect_room(name)?;
        let aside = self.subscriptions.aside.get(name).map(Aside::cursor);
        let cursor = match (patch.from, aside) {
            (None, Some(cursor)) => cursor,
            (from, _) => self.start(turn, from.unwrap_or(Start::Latest))?,
        };
        let is_ready = target.queue.is_some();
        let step = match (is_ready, aside) {
            (true, _) => Step::Ready,
            // Its queue has what it was handed.
            (false, Some(_)) => Step::Configure,
            (false, None) => Step::Delete,
        };
        let config = Config {
            filter: patch.filter.flatten(),
            target: target.queue,
            paused: patch.paused.unwrap_or(false),
            delivery: patch.delivery.flatten(),
            step,
            // One that had this name counted from an earlier instant.
            epoch: turn.now_ms,
        };
        let totals = Totals {
            last_per_key: cursor.last_per_key,
            ..Totals::default()
        };
        let mut subscription = Subscription::new(config, compiled, cursor.next, totals);
        subscription.push = target.push;
        subscription.asked = (!is_ready).then_some((token, true)).into_iter().collect();
        self.subscriptions
            .by_name
            .insert(name.to_owned(), subscription);
        self.subscriptions.aside.remove(name);
        if !is_ready {
            // It deletes the queue of one that had its name by itself.
            self.stays(turn, &subscription_queue(&self.name, name));
        }
        self.store(turn, name)?;
        if is_ready {
            self.state_of(turn, name, true).map(Some)
        } else {
            Ok(None)
        }
    }

    /// What a new subscription is made of; a topic comes into being for none that is refused.
    fn checked(&self, patch: &Patch) -> Result<(Target, Option<Filter>), Fault> {
        let target = Target::new(patch.target.as_ref(), &self.reach)?;
        patch.check_delivery(target.queue.as_deref())?;
        let filter = patch.filter.as_ref().and_then(Option::as_deref);
        Ok((target, filter.map(Filter::compile).transpose()?))
    }

    fn change(
        &mut self,
        turn: &mut Turn<'_>,
        token: u32,
        name: &str,
        patch: Patch,
    ) -> Result<Option<TopicReply>, Stop> {
        let filter = patch.filter.as_ref().and_then(Option::as_deref);
        let compiled = filter.map(Filter::compile).transpose()?;
        let Some(it) = self.subscriptions.by_name.get_mut(name) else {
            return Err(no_subscription(name).into());
        };
        expect_place(it.asked.len())?;
        let target = it.target().patched(patch.target.as_ref(), &self.reach)?;
        patch.check_delivery(target.queue.as_deref())?;
        let before = it.own_queue_patch();
        if let Some(filter) = patch.filter {
            it.config.filter = filter;
            it.filter = compiled;
        }
        it.config.paused = patch.paused.unwrap_or(it.config.paused);
        it.config.delivery = patch.delivery.unwrap_or_else(|| it.config.delivery.take());
        it.push = target.push;
        let is_own = target.queue.is_none();
        if is_own && it.own_queue_patch() != before {
            it.step(Step::Configure);
        }
        // What was asked before may not have come to the queue either.
        let waits = is_own && it.config.step != Step::Ready;
        if waits {
            it.retry_at_ms = 0;
            it.asked.push((token, false));
        }
        self.store(turn, name)?;
        if waits {
            return Ok(None);
        }
        self.state_of(turn, name, false).map(Some)
    }

    pub(super) fn list_subscriptions(
        &mut self,
        turn: &mut Turn<'_>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<TopicReply, Stop> {
        self.flush(turn)?;
        let after = after.unwrap_or_default();
        let names = self
            .subscriptions
            .by_name
            .keys()
            .filter(|name| name.as_str() > after && !is_live(name));
        let names: Vec<String> = names.take(limit as usize + 1).cloned().collect();
        let more = names.len() > limit as usize;
        let mut subscriptions = Vec::new();
        for name in names.iter().take(limit as usize) {
            subscriptions.push(self.describe_subscription(turn, name)?);
        }
        Ok(TopicReply::Subscriptions {
            subscriptions,
            more,
        })
    }

    /// Has a subscription go on from elsewhere; what its own queue still holds is dropped first.
    pub(super) fn seek(
        &mut self,
        turn: &mut Turn<'_>,
        name: &str,
        to: Start,
    ) -> Result<TopicReply, Stop> {
        let cursor = self.start(turn, to)?;
        let Some(subscription) = self.subscriptions.by_name.get_mut(name) else {
            return Err(no_subscription(name).into());
        };
        if let Some((_, sent)) = &mut subscription.call {
            // It has to have arrived before its queue is emptied, but moves nothing any more.
            *sent = Sent::Stale;
        }
        subscription.move_to(cursor);
        subscription.retry_at_ms = 0;
        let epoch = subscription.config.epoch.wrapping_add(1);
        subscription.config.epoch = epoch;
        if subscription.config.target.is_none() {
            subscription.step(Step::Purge);
        }
        self.store(turn, name)?;
        Ok(TopicReply::Done)
    }

    pub(super) fn state_of(
        &mut self,
        turn: &mut Turn<'_>,
        name: &str,
        created: bool,
    ) -> Result<TopicReply, Stop> {
        let subscription = Box::new(self.describe_subscription(turn, name)?);
        Ok(TopicReply::Subscription {
            subscription,
            created,
        })
    }

    fn describe_subscription(
        &mut self,
        turn: &mut Turn<'_>,
        name: &str,
    ) -> Result<SubscriptionState, Stop> {
        let Some(it) = self.subscriptions.by_name.get(name) else {
            return Err(no_subscription(name).into());
        };
        let (name, pattern) = match of_pattern(name) {
            Some((name, pattern)) => (name, Some(pattern.to_owned())),
            None => (name, None),
        };
        let mut state = SubscriptionState {
            name: name.to_owned(),
            pattern,
            filter: it.config.filter.clone(),
            target: it.config.target.clone(),
            push: it.push.as_ref().map(|push| push.shown()),
            endpoint: None,
            paused: it.config.paused,
            next_seq: it.next,
            lag: self.log.next_seq.saturating_sub(it.next),
            missed_total: it.totals.missed,
            delivered_total: it.totals.delivered,
            oldest_at_ms: None,
            retrying: it.failures > 0,
        };
        let seq = state.next_seq.max(self.log.first_seq);
        state.oldest_at_ms = self.accepted_ms(turn, seq)?;
        Ok(state)
    }
}

pub(super) fn no_subscription(name: &str) -> Fault {
    let name: String = name.chars().take(128).collect();
    Fault::new(
        ErrorCode::NotFound,
        format!("there is no subscription {name:?} of this topic"),
    )
}
