//! What an operator does with a queue: create, change, purge, pause, delete.

use super::Stop;
use super::config::Config;
use super::idempotency::Idempotency;
use super::journal::{Journal, Meta};
use super::queue::{Queue, Turn};
use super::recovery::secret_of;
use crate::command::Reply;
use crate::command::placement::is_subscription_queue;
use crate::error::{ErrorCode, Fault};
use crate::store::schema::{clear, migrate};
use crate::store::{StoreError, meta};
use std::rc::Rc;

impl Queue {
    /// What leaves a queue by itself goes to another one.
    fn check_queues(&self, config: &Config) -> Result<(), Fault> {
        let delivery = &config.delivery;
        let events = config.push.as_ref().and_then(|it| it.events_queue.as_ref());
        for (field, name, why) in [
            (
                "delivery.dead_letter_queue",
                delivery.dead_letter_queue.as_ref(),
                "a queue cannot be its own dead-letter queue; leave it null to keep dead letters here",
            ),
            (
                "delivery.callback_queue",
                delivery.callback_queue.as_ref(),
                "a queue cannot be told of its own messages",
            ),
            (
                "delivery.failure_callback_queue",
                delivery.failure_callback_queue.as_ref(),
                "a queue cannot be told of its own messages",
            ),
            (
                "push.events_queue",
                events,
                "push.events_queue: a queue cannot tell itself of its endpoint",
            ),
        ] {
            if name.is_some_and(|it| *it == self.name) {
                return Err(Fault::bad(field, why));
            }
        }
        Ok(())
    }

    /// Creates the queue, or changes its configuration. From this turn's commit on the new one
    /// holds.
    pub(super) fn configure(&mut self, turn: &mut Turn<'_>, patch: &str) -> Result<Reply, Stop> {
        let config = self.config().patched(patch)?;
        self.check_queues(&config)?;
        self.check_draw(&config, turn.now_ms)?;
        if let Some(push) = &config.push {
            push.target.check(&self.reach).map_err(|why| {
                let field = format!("push.{}", push.target.field());
                Fault::bad(field.as_str(), format!("{field}: {why}"))
            })?;
        }
        let created = self.config.is_none();
        if created {
            self.create(turn, config)?;
            self.plan_draw(turn, &self.config())?;
        } else {
            self.raise_retention(turn.now_ms, config.retention_ms);
            let reordered = config.delivery.order != self.order();
            if config.capacity.max_per_key.is_some() != self.config().capacity.max_per_key.is_some()
            {
                // It counts from when it is set: what was given back in between was not counted.
                self.key_counts = Default::default();
                turn.sql.exec("DELETE FROM keys", &[])?;
            }
            self.store_config(turn, &config)?;
            let old = self.config.replace(Rc::new(config));
            self.reconfigure_push(turn.now_ms, old.as_ref().and_then(|it| it.push.as_ref()));
            if reordered {
                self.reorder(turn)?;
            }
            // Should the directory not know it any more, it is told so again.
            self.meta.registered = is_subscription_queue(&self.name);
            self.meta_changed = true;
            self.plan_draw(turn, &self.config())?;
            self.admit(turn)?;
        }
        self.ready_tickets(turn)?;
        self.describe(turn, created)
    }

    /// Creates the queue with the defaults, where it does not exist and may come into being.
    pub(super) fn create_if(&mut self, turn: &mut Turn<'_>, allowed: bool) -> Result<(), Stop> {
        if self.config.is_some() {
            return Ok(());
        }
        if !allowed {
            return Err(self.absent().into());
        }
        self.create(turn, Config::default())?;
        Ok(())
    }

    fn create(&mut self, turn: &mut Turn<'_>, config: Config) -> Result<(), StoreError> {
        migrate(turn.sql)?;
        self.secret = secret_of(&self.entropy);
        let secret = self.entropy;
        meta::write(turn.sql, "secret", &secret)?;
        self.store_config(turn, &config)?;
        self.config = Some(Rc::new(config));
        self.meta = Meta {
            next_seq: 1,
            next_lease: 1,
            now_ms: turn.now_ms,
            // A subscription's queue is its topic's to list.
            registered: is_subscription_queue(&self.name),
            ..Meta::default()
        };
        self.meta_changed = true;
        Ok(())
    }

    fn store_config(&self, turn: &mut Turn<'_>, config: &Config) -> Result<(), StoreError> {
        let text =
            serde_json::to_string(&config.stored()).map_err(|e| StoreError(e.to_string()))?;
        meta::write(turn.sql, "config", text.as_bytes())
    }

    /// Puts the outstanding messages in the order that holds from now on.
    fn reorder(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let places: Vec<_> = self
            .outstanding
            .from(0)
            .map(|(seq, entry)| (seq, entry.place))
            .collect();
        let mut lines = Vec::with_capacity(places.len());
        for (_, place) in places {
            let line = match self.segments.get(turn.sql, place)? {
                Some(segment) => {
                    let item = segment.items[usize::from(place.index)];
                    (self.line_of(&segment, &item), self.rank(item.priority))
                }
                None => (0, 0),
            };
            lines.push(line);
        }
        let mut lines = lines.into_iter();
        self.outstanding.rebuild(|_, entry| {
            if let Some((line, rank)) = lines.next() {
                entry.line = line;
                entry.rank = rank;
            }
        });
        Ok(())
    }

    pub(super) fn set_paused(&mut self, paused: bool) -> Reply {
        self.meta_changed |= self.meta.paused != paused;
        self.meta.paused = paused;
        Reply::Done
    }

    /// Drops all messages, in flight and dead ones included, and gives all places back.
    pub(super) fn purge(&mut self, turn: &mut Turn<'_>) -> Result<Reply, Stop> {
        clear(turn.sql)?;
        let old = std::mem::take(&mut self.meta);
        self.meta = Meta {
            number: old.number,
            now_ms: old.now_ms,
            next_seq: old.next_seq,
            next_lease: old.next_lease,
            paused: old.paused,
            registered: old.registered,
            purged_seq: old.next_seq - 1,
            idempotency_next: old.idempotency_next,
            rate_us: old.rate_us,
            totals: old.totals,
            ..Meta::default()
        };
        self.waiters.purged();
        self.outbox.forget_sent();
        // Those who took part in a draw that is under way have gone.
        self.draws.begin_anew();
        self.dispatches.forget_attempts();
        self.outstanding.clear();
        self.line = Default::default();
        self.line.begin_turn();
        self.segments = Default::default();
        self.journal = Journal::anew();
        self.idempotency = Idempotency::default();
        self.outcomes = Default::default();
        self.forgetting = Default::default();
        self.key_counts = Default::default();
        self.builders = Default::default();
        self.finished_segments.clear();
        self.finished_singles.clear();
        self.next_single_ms = None;
        self.next_expiry_ms = None;
        self.meta_changed = true;
        Ok(Reply::Done)
    }

    /// Deletes the queue: the shell drops all storage. Whoever waits is told.
    pub(super) fn delete(&mut self, turn: &mut Turn<'_>) -> Reply {
        for token in self.waiters.all_tokens() {
            let fault = Fault::new(
                ErrorCode::NotFound,
                "the queue was deleted while this request waited",
            );
            turn.out.replies.push((token, Err(fault)));
        }
        turn.out.wipe = true;
        self.config = None;
        Reply::Done
    }
}
