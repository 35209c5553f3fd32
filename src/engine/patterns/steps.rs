//! What has to be done for a subscription of a pattern, one step after another: calls to its queue,
//! and rounds in which all topics are told.

use super::rows::{self, Row};
use super::{CALLS_MAX, Key, Patterns, Turn, backoff_ms};
use crate::command::Command;
use crate::command::placement::subscription_queue;
use crate::engine::outcome::Call;
use crate::store::StoreError;
use serde::{Deserialize, Serialize};

/// One thing that has to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Step {
    /// Delete its queue.
    Delete,
    /// Make its queue, or change it.
    Configure,
    /// Empty its queue.
    Purge,
    /// Tell topics to go elsewhere, and to hand nothing on from there yet.
    Hold,
    /// Tell topics what it is.
    Tell,
    /// Tell topics that it is no more.
    Leave,
}

impl Patterns {
    /// Takes every subscription as far as it gets without waiting.
    pub(super) fn advance(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let keys: Vec<Key> = self.entries.keys().cloned().collect();
        for key in keys {
            while self.take_step(turn, &key)? {}
        }
        Ok(())
    }

    /// Whether a step was completed, or the subscription went.
    fn take_step(&mut self, turn: &mut Turn<'_>, key: &Key) -> Result<bool, StoreError> {
        let Some(entry) = self.entries.get(key) else {
            return Ok(false);
        };
        let Some(step) = entry.row.steps.first().copied() else {
            if entry.row.leaving {
                rows::delete(turn.sql, key)?;
                self.entries.remove(key);
            }
            return Ok(false);
        };
        match step {
            Step::Delete | Step::Configure | Step::Purge => {
                self.call_queue(turn, key, step)?;
                Ok(false)
            }
            Step::Hold | Step::Tell | Step::Leave => self.tell_round(turn, key, step),
        }
    }

    fn call_queue(&mut self, turn: &mut Turn<'_>, key: &Key, step: Step) -> Result<(), StoreError> {
        let open = self.entries.values().filter(|it| it.call.is_some()).count();
        let Some(entry) = self.entries.get(key) else {
            return Ok(());
        };
        let is_idle = entry.call.is_none() && entry.retry_at_ms <= turn.now_ms;
        if !is_idle || open >= CALLS_MAX {
            return Ok(());
        }
        let patch = entry.row.own_queue_patch();
        let patch = patch.map_err(|fault| StoreError(fault.detail))?;
        let command = match step {
            Step::Delete => Command::Delete,
            Step::Purge => Command::Purge,
            _ => Command::Configure { patch: &patch },
        };
        let number = self.number();
        turn.out.calls.push(ask(number, key, command)?);
        if let Some(entry) = self.entries.get_mut(key) {
            entry.call = Some(number);
        }
        Ok(())
    }

    /// A round in which all topics are told; whether it is over.
    fn tell_round(
        &mut self,
        turn: &mut Turn<'_>,
        key: &Key,
        step: Step,
    ) -> Result<bool, StoreError> {
        let Some(entry) = self.entries.get_mut(key) else {
            return Ok(false);
        };
        let row = &mut entry.row;
        let before = row.clone();
        if row.version == 0 {
            row.version = rows::next_version(turn.sql, turn.now_ms)?;
            row.walked = Some(String::new());
            row.held = step == Step::Hold;
            row.visible = step != Step::Leave;
            if row.held {
                row.epoch += 1;
                (row.start, row.since_ms) = row.goal;
            }
        }
        if let Some(after) = row.walked.take() {
            let (names, next) = rows::names(turn.sql, &key.0, &after, usize::MAX - 1)?;
            for name in &names {
                self.telling.owe(turn.sql, name, row.version)?;
            }
            row.walked = next;
            self.more_work |= row.walked.is_some();
        }
        let is_over = row.walked.is_none() && !self.telling.owes(turn.sql, &key.0, row.version)?;
        if is_over {
            row.steps.remove(0);
            row.version = 0;
        }
        if *row != before {
            rows::write(turn.sql, key, row)?;
        }
        Ok(is_over)
    }

    /// Applies the answers to calls of earlier turns.
    pub(super) fn settle(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        for (number, ok, body) in std::mem::take(&mut self.answers) {
            if self.looked(turn, number, ok, &body)? {
                continue;
            }
            if self.telling.settle(turn.sql, turn.now_ms, number, ok)? {
                continue;
            }
            let mut all = self.entries.iter_mut();
            let Some((key, entry)) = all.find(|(_, it)| it.call == Some(number)) else {
                continue;
            };
            entry.call = None;
            if ok {
                entry.failures = 0;
                complete(&mut entry.row);
                rows::write(turn.sql, key, &entry.row)?;
            } else {
                entry.failures += 1;
                entry.retry_at_ms = turn.now_ms + backoff_ms(entry.failures);
            }
        }
        Ok(())
    }
}

/// A call of a subscription's queue.
pub(super) fn ask(number: u32, key: &Key, command: Command<'_>) -> Result<Call, StoreError> {
    Call::of_queue(number, &subscription_queue(&key.0, &key.1), command)
}

fn complete(row: &mut Row) {
    if !row.steps.is_empty() {
        row.steps.remove(0);
    }
}
