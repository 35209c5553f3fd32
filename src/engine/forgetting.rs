//! What can no longer be read: until when an identifier that is nowhere still means `done`.
//!
//! A plain acknowledgement leaves nothing behind, so it is told from other ends by their rows
//! (`outcomes.rs`), and from messages that retention ended by its age. Both ways end: rows go, and
//! retention may be raised. What is acknowledged when one of them is about to end is written down
//! like any other end, so that it can be read for `result_retention_ms` too.
//!
//! Rows go in two steps. The first only says up to which sequence number; from then on
//! acknowledgements up to there are written down. The second, `result_retention_ms` later, deletes
//! them: whatever up to there has no row by then ended longer ago.

use super::outcomes::Outcomes;
use super::outstanding::Entry;
use super::queue::{Queue, Turn};
use super::segment::SINGLE;
use crate::id::Id;
use crate::store::StoreError;
use crate::time::{MINUTE, Millis};
use serde::{Deserialize, Serialize};

/// The small state of it, part of every journal row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgetting {
    /// Messages accepted until then may have expired, by a retention that was raised since.
    over_before_ms: Millis,
    /// Ends up to this sequence number are about to be forgotten…
    next_seq: u64,
    /// … since then. Zero: none are.
    since_ms: Millis,
}

impl Queue {
    /// Takes note that the queue's retention becomes longer: nobody can tell any more which of the
    /// messages that are older than the one until now were acknowledged.
    pub(super) fn raise_retention(&mut self, now_ms: Millis, retention_ms: Millis) {
        let old_ms = self.config().retention_ms;
        if retention_ms > old_ms {
            let over_ms = now_ms.saturating_sub(old_ms);
            let before_ms = &mut self.forgetting.over_before_ms;
            *before_ms = over_ms.max(*before_ms);
            self.meta_changed = true;
        }
    }

    /// Whether it can no longer be told how a message ended of which nothing is written.
    pub(super) fn is_forgotten(&self, id: Id, now_ms: Millis) -> bool {
        id.seq() <= self.meta.forgotten_seq
            || id.at_ms() <= self.forgetting.over_before_ms
            || id.at_ms() + self.config().retention_ms <= now_ms
    }

    /// Whether a plain acknowledgement has to be written down to be read for as long as it should.
    pub(super) fn is_soon_forgotten(
        &mut self,
        turn: &mut Turn<'_>,
        seq: u64,
        entry: &Entry,
    ) -> Result<bool, StoreError> {
        let config = self.config();
        let retained_ms = (turn.now_ms + config.result_retention_ms)
            .saturating_sub(config.retention_ms)
            .max(self.forgetting.over_before_ms);
        if seq <= self.meta.forgotten_seq.max(self.forgetting.next_seq)
            || entry.at_ms <= retained_ms
        {
            return Ok(true);
        }
        // Who was delayed, held or in the line was accepted earlier than what retention counts from.
        if entry.place.lane != SINGLE && self.line.state.cursor.appended == 0 {
            return Ok(false);
        }
        let segment = self.segments.get(turn.sql, entry.place)?;
        let item = segment.and_then(|it| it.items.get(usize::from(entry.place.index)).copied());
        Ok(item.is_none_or(|item| item.at_ms <= retained_ms))
    }

    /// Starts the wait anew: many messages have ended of which nothing is written.
    pub(super) fn put_off_forgetting(&mut self, now_ms: Millis) {
        if self.forgetting.since_ms > 0 {
            self.forgetting.since_ms = now_ms;
        }
    }

    /// Forgets ends whose time is over, when it is time to look.
    pub(super) fn forget_ends(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let now_ms = turn.now_ms;
        if !(1..=now_ms).contains(&self.meta.outcomes_prune_at_ms) {
            return Ok(());
        }
        self.meta_changed = true;
        let since_ms = self.forgetting.since_ms;
        let until_ms = since_ms + self.config().result_retention_ms;
        self.meta.outcomes_prune_at_ms = if since_ms == 0 {
            self.announce_forgetting(turn)?
        } else if until_ms > now_ms {
            until_ms
        } else {
            let forgotten = Outcomes::prune(turn.sql, since_ms)?;
            self.meta.forgotten_seq = self.meta.forgotten_seq.max(forgotten);
            self.forgetting.since_ms = 0;
            let next_ms = Outcomes::next_over_ms(turn.sql)?;
            next_ms.map_or(0, |at| at.max(now_ms) + MINUTE)
        };
        Ok(())
    }

    /// The first step. Returns when to look again; zero: there is nothing to forget.
    fn announce_forgetting(&mut self, turn: &mut Turn<'_>) -> Result<Millis, StoreError> {
        let last_seq = Outcomes::last_over(turn.sql, turn.now_ms)?;
        if last_seq == 0 {
            let next_ms = Outcomes::next_over_ms(turn.sql)?;
            return Ok(next_ms.map_or(0, |at| at + MINUTE));
        }
        self.forgetting.next_seq = last_seq;
        self.forgetting.since_ms = turn.now_ms;
        Ok(turn.now_ms + self.config().result_retention_ms)
    }
}
