//! Opening a topic: from rows to memory. Reads the state and the heads of segments after it.

use super::config::{Persistence, TopicConfig};
use super::log::Log;
use super::own_queue::shorten;
use super::{State, Topic};
use crate::engine::idempotency::{Answer, Idempotency};
use crate::engine::quarantine;
use crate::engine::recovery::read_identity;
use crate::engine::segment::Segment;
use crate::id::Secret;
use crate::store::topic_schema::migrate;
use crate::store::{Sql, StoreError, meta};
use crate::time::Millis;
use std::rc::Rc;

impl Topic {
    /// Opens the topic that lives in this database. A topic that was never created is opened as
    /// absent, and nothing is written. `entropy` makes the secret of one that comes into being.
    ///
    /// # Errors
    /// Storage, or rows that are damaged or of a later version.
    pub fn open(
        sql: &mut dyn Sql,
        name: &str,
        entropy: [u8; 16],
        now_ms: Millis,
    ) -> Result<Self, StoreError> {
        let mut topic = Self::absent_topic(name, entropy, now_ms);
        let read = |text: &str| TopicConfig::default().patched(text);
        let Some((secret, config)) = read_identity(sql, migrate, read)? else {
            return Ok(topic);
        };
        topic.secret = secret;
        let state = meta::read(sql, "state")?.unwrap_or_default();
        topic.state = postcard::from_bytes(&state)
            .map_err(|e| StoreError(format!("the state of the topic is damaged: {e}")))?;
        topic.state.leaving.iter_mut().for_each(shorten);
        topic.config = Some(Rc::new(config));
        topic.recover_log(sql)?;
        topic.subscriptions.recover(sql)?;
        let version = meta::read(sql, "patterns")?.unwrap_or_default();
        topic.patterns_version = version
            .try_into()
            .map(u64::from_le_bytes)
            .unwrap_or_default();
        topic.quarantined = quarantine::figures(sql)?;
        topic.state.now_ms = topic.state.now_ms.max(now_ms);
        Ok(topic)
    }

    pub(super) fn absent_topic(name: &str, entropy: [u8; 16], now_ms: Millis) -> Self {
        Self {
            name: name.to_owned(),
            entropy,
            secret: Secret::default(),
            config: None,
            log: Log::new(Persistence::Durable, 1, 1, 0),
            state: State {
                now_ms,
                ..State::default()
            },
            idempotency: Idempotency::default(),
            last_values: None,
            waiting: Vec::new(),
            followers: Default::default(),
            subscriptions: Default::default(),
            patterns_version: 0,
            live: Default::default(),
            state_changed: false,
            unsaved_messages: 0,
            unsaved_segments: 0,
            finished_ms: None,
            more_work: false,
            is_read_cut: false,
            armed_ms: None,
            quarantined: Default::default(),
            since: Default::default(),
            reach: Default::default(),
        }
    }

    fn recover_log(&mut self, sql: &mut dyn Sql) -> Result<(), StoreError> {
        let state = &self.state;
        let persistence = self.config().persistence;
        if persistence == Persistence::Memory {
            // What was there is gone, and its numbers with it.
            self.log = Log::new(persistence, state.reserved_seq, state.reserved_seq, 0);
            return Ok(());
        }
        self.log = Log::new(persistence, state.first_seq, state.next_seq, state.bytes);
        let mut answers = Vec::new();
        let (mut messages, mut segments, mut at_ms) = (0, 0, 0);
        self.log.recover(sql, |segment| {
            messages += segment.items.len() as u64;
            segments += 1;
            at_ms = segment.at_ms;
            collect_answers(segment, &mut answers)
        })?;
        self.unsaved_messages = messages;
        self.unsaved_segments = segments;
        self.state.accepted_total += messages;
        self.state.now_ms = self.state.now_ms.max(at_ms);
        self.idempotency = Idempotency::recovered(answers, 0);
        Ok(())
    }
}

fn collect_answers(segment: &Segment, answers: &mut Vec<Answer>) -> Result<(), StoreError> {
    for item in &segment.items {
        if let Some((a, b, position)) = segment.head(item)?.answer {
            answers.push(Answer {
                print: (a, b),
                seq: item.seq,
                lane: segment.lane,
                at_ms: segment.at_ms,
                position,
            });
        }
    }
    Ok(())
}
