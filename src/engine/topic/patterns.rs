//! What a topic does for subscriptions of patterns: it keeps a cursor for each, as for its own.
//!
//! It asks the directory when it registers, and is told of changes. Its first message may have been
//! accepted before it knows: the log has it, and the cursor begins there. A subscription of a pattern
//! is named `name~pattern` here, which no name of its own can be.

use super::subscription::{Config, Sent, Step, Subscription, Totals};
use super::{Topic, Turn};
use crate::command::directory::DirectoryCommand;
use crate::command::pattern::is_pattern;
use crate::command::patterns::{PatternCommand, PatternSet, PatternSubscription};
use crate::command::placement::{
    of_pattern, pattern_key, queue_object, subscription_queue, topic_callee,
};
use crate::command::topic::{Start, TopicReply};
use crate::engine::Stop;
use crate::engine::filter::Filter;
use crate::error::{ErrorCode, Fault};
use crate::store::{StoreError, meta};
use crate::time::{Millis, SECOND};
use std::collections::BTreeSet;

/// How far clocks of objects may differ: a message that a topic accepted before it knew of a
/// subscription counts as published after it, up to this much earlier.
const SKEW_MS: Millis = 5 * SECOND;
/// What is told within this time is told before the subscription's creation was answered: see
/// `engine/patterns`.
const UNANSWERED_MS: Millis = 9 * SECOND;

impl Topic {
    /// What this object has to say to the directory first.
    pub(super) fn registration(&self) -> DirectoryCommand<'_> {
        if is_pattern(&self.name) {
            DirectoryCommand::Patterns(PatternCommand::Watch {
                pattern: &self.name,
            })
        } else {
            DirectoryCommand::Join { name: &self.name }
        }
    }

    /// What became of that: whether it was understood.
    pub(super) fn registered(
        &mut self,
        turn: &mut Turn<'_>,
        ok: bool,
        body: &[u8],
    ) -> Result<bool, StoreError> {
        if is_pattern(&self.name) {
            self.state.registered |= ok;
            self.watched(turn, ok)?;
            return Ok(ok);
        }
        let set = serde_json::from_slice::<PatternSet>(body).ok();
        let Some(set) = set.filter(|_| ok) else {
            return Ok(false);
        };
        let is_understood = self.apply_patterns(turn, &set, true)?;
        self.state.registered = is_understood;
        Ok(is_understood)
    }

    /// What the directory says has changed.
    pub(super) fn told(
        &mut self,
        turn: &mut Turn<'_>,
        set: &PatternSet,
    ) -> Result<TopicReply, Stop> {
        if self.apply_patterns(turn, set, false)? {
            return Ok(TopicReply::Done);
        }
        let detail = "a filter is none that this version understands";
        Err(Fault::new(ErrorCode::Unavailable, detail).into())
    }

    /// Brings the subscriptions of patterns to what the directory says they are. `is_new`: this topic
    /// has just registered. `false`: nothing was done, as one of them is what only a later version
    /// understands; the directory says it again.
    fn apply_patterns(
        &mut self,
        turn: &mut Turn<'_>,
        set: &PatternSet,
        is_new: bool,
    ) -> Result<bool, StoreError> {
        if set.version <= self.patterns_version {
            return Ok(true);
        }
        let compiled = set.subscriptions.iter().map(|told| {
            let filter = told.filter.as_deref().map(Filter::compile).transpose();
            filter.map(|filter| (told, filter))
        });
        let Ok(compiled) = compiled.collect::<Result<Vec<_>, _>>() else {
            return Ok(false);
        };
        let mut wanted = BTreeSet::new();
        for (told, filter) in compiled {
            let key = pattern_key(&told.name, &told.pattern);
            self.apply_pattern(turn, &key, told, filter, is_new)?;
            wanted.insert(key);
        }
        let all = self.subscriptions.by_name.keys();
        let all = all.chain(self.subscriptions.aside.keys());
        let gone = all.filter(|key| of_pattern(key).is_some() && !wanted.contains(*key));
        for key in gone.cloned().collect::<Vec<_>>() {
            let sql = &mut turn.sql;
            sql.exec(
                "DELETE FROM subscriptions WHERE name = ?",
                &[key.as_str().into()],
            )?;
            self.subscriptions.aside.remove(&key);
            let it = self.subscriptions.by_name.remove(&key);
            if let Some((number, _)) = it.and_then(|it| it.call) {
                let queue = own_queue(&self.name, &key);
                self.subscriptions.orphans.push((number, queue));
            }
        }
        self.patterns_version = set.version;
        meta::write(turn.sql, "patterns", &set.version.to_le_bytes())?;
        Ok(true)
    }

    fn apply_pattern(
        &mut self,
        turn: &mut Turn<'_>,
        key: &str,
        told: &PatternSubscription,
        filter: Option<Filter>,
        is_new: bool,
    ) -> Result<(), StoreError> {
        let config = Config {
            filter: told.filter.clone(),
            target: told.target.clone(),
            paused: told.paused,
            delivery: None,
            step: Step::Ready,
            epoch: told.epoch,
        };
        let known = self.subscriptions.by_name.get(key);
        if known.is_some_and(|it| it.config == config) {
            return Ok(());
        }
        let is_same = known.is_some_and(|it| it.config.epoch == told.epoch);
        if is_same && let Some(it) = self.subscriptions.by_name.get_mut(key) {
            (it.config, it.filter) = (config, filter);
            return self.store(turn, key);
        }
        let cursor = match self.subscriptions.aside.remove(key) {
            Some(aside) => aside.cursor(),
            None => self.start(turn, begin(told, turn.now_ms, is_new))?,
        };
        if let Some(it) = self.subscriptions.by_name.get_mut(key) {
            if let Some((_, sent)) = &mut it.call {
                *sent = Sent::Stale;
            }
            (it.config, it.filter) = (config, filter);
            it.move_to(cursor);
            it.retry_at_ms = 0;
        } else {
            let totals = Totals {
                last_per_key: cursor.last_per_key,
                ..Totals::default()
            };
            let it = Subscription::new(config, filter, cursor.next, totals);
            self.subscriptions.by_name.insert(key.to_owned(), it);
        }
        self.store(turn, key)
    }
}

/// Where a topic that learns of a subscription begins.
fn begin(told: &PatternSubscription, now_ms: Millis, is_new: bool) -> Start {
    match told.start {
        Start::Latest if is_new => Start::At(told.since_ms.saturating_sub(SKEW_MS)),
        Start::Latest if told.since_ms + UNANSWERED_MS < now_ms => Start::At(told.since_ms),
        start => start,
    }
}

/// Whether a subscription stands for those who follow a pattern live.
pub(super) fn is_live(key: &str) -> bool {
    key.starts_with('~')
}

/// The queue of a subscription that has one of its own.
pub(super) fn own_queue(topic: &str, key: &str) -> String {
    match of_pattern(key) {
        Some((_, pattern)) if is_live(key) => pattern.to_owned(),
        Some((name, pattern)) => subscription_queue(pattern, name),
        None => subscription_queue(topic, key),
    }
}

/// The object that messages of a subscription go to.
pub(super) fn callee(key: &str, queue: &str) -> String {
    if is_live(key) {
        topic_callee(queue)
    } else {
        queue_object(queue)
    }
}
