//! What an operator does with a topic: create, change, look at, delete.

use super::config::TopicConfig;
use super::live;
use super::log::Log;
use super::{State, Topic, Turn};
use crate::command::pattern::is_pattern;
use crate::command::topic::{TopicDescription, TopicReply};
use crate::engine::Stop;
use crate::engine::recovery::secret_of;
use crate::error::{ErrorCode, Fault};
use crate::store::topic_schema::migrate;
use crate::store::{StoreError, meta};
use std::rc::Rc;

impl Topic {
    /// Creates the topic, or changes its configuration.
    pub(super) fn configure(
        &mut self,
        turn: &mut Turn<'_>,
        patch: &str,
    ) -> Result<TopicReply, Stop> {
        let config = self.config().patched(patch)?;
        let created = self.config.is_none();
        if created {
            self.create(turn, config)?;
        } else {
            if config.persistence != self.config().persistence {
                let detail = "persistence is chosen when a topic is created, and stays";
                return Err(Fault::bad("persistence", detail).into());
            }
            store_config(turn, &config)?;
            self.config = Some(Rc::new(config));
            // What the new bounds let go must stay gone, should they be widened again.
            self.flush(turn)?;
            self.retain(turn)?;
            // Should the directory not know it any more, it is told so again.
            self.state.registered = false;
            self.state_changed = true;
            self.dismiss_anonymous(turn);
        }
        self.describe(turn, created)
    }

    /// Creates the topic with the defaults, where it does not exist and may come into being.
    pub(super) fn create_if(&mut self, turn: &mut Turn<'_>, allowed: bool) -> Result<(), Stop> {
        if self.config.is_some() {
            return Ok(());
        }
        if !allowed {
            return Err(self.absent().into());
        }
        let config = if is_pattern(&self.name) {
            live::config()
        } else {
            TopicConfig::default()
        };
        self.create(turn, config)?;
        Ok(())
    }

    fn create(&mut self, turn: &mut Turn<'_>, config: TopicConfig) -> Result<(), StoreError> {
        migrate(turn.sql)?;
        self.secret = secret_of(&self.entropy);
        let secret = self.entropy;
        meta::write(turn.sql, "secret", &secret)?;
        store_config(turn, &config)?;
        let first_seq = self.first_seq(turn.now_ms);
        self.log = Log::new(config.persistence, first_seq, first_seq, 0);
        self.config = Some(Rc::new(config));
        self.patterns_version = 0;
        self.state = State {
            now_ms: turn.now_ms,
            reserved_seq: first_seq,
            ..State::default()
        };
        self.state_changed = true;
        Ok(())
    }

    pub(super) fn describe(
        &mut self,
        turn: &mut Turn<'_>,
        created: bool,
    ) -> Result<TopicReply, Stop> {
        self.flush(turn)?;
        let next_seq = self.log.next_seq;
        let description = TopicDescription {
            config: self.config().to_json(),
            messages: self.log.len(),
            bytes: self.log.bytes,
            first_seq: self.log.first_seq,
            last_seq: next_seq - 1,
            oldest_at_ms: self.log.oldest_ms(turn.sql)?,
            accepted_total: self.state.accepted_total,
            delivered_total: self.state.delivered_total,
            rejected: self.state.rejected.clone(),
            readers: self.followers.len() as u64,
            members: self.followers.members(),
            subscriptions: self.subscriptions.len() as u64,
            quarantined: self.quarantined.rows,
            quarantined_total: self.quarantined.total,
            lag_max: self.subscriptions.lag_max(next_seq),
            since_start: self.since,
        };
        Ok(TopicReply::Described {
            description: Box::new(description),
            created,
        })
    }

    /// Deletes the topic: the shell drops all storage. Whoever waits is told. Queues that call
    /// endpoints for it go first.
    pub(super) fn delete(
        &mut self,
        turn: &mut Turn<'_>,
        token: u32,
    ) -> Result<Option<TopicReply>, StoreError> {
        if self.delete_pushing(turn, token)? {
            return Ok(None);
        }
        for waiting in std::mem::take(&mut self.waiting) {
            let detail = "the topic was deleted while this request waited";
            let fault = Fault::new(ErrorCode::NotFound, detail);
            turn.out.replies.push((waiting.token, Err(fault)));
        }
        self.delete_queues(turn)?;
        turn.out.wipe = true;
        self.config = None;
        Ok(Some(TopicReply::Done))
    }
}

fn store_config(turn: &mut Turn<'_>, config: &TopicConfig) -> Result<(), StoreError> {
    let text = serde_json::to_string(&config.to_json()).map_err(|e| StoreError(e.to_string()))?;
    meta::write(turn.sql, "config", text.as_bytes())
}
