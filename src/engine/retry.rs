//! How often a message is tried, and how long it waits in between: the queue's own terms, but for a
//! message that was published with others.
//!
//! What a message brings stands among its attributes, under names that no client can set, so that
//! it goes where the message goes.

use super::backoff::Backoff;
use super::outstanding::Entry;
use super::queue::{Queue, Turn};
use crate::command::{BACKOFF_ATTRIBUTE, MAX_ATTEMPTS_ATTRIBUTE};
use crate::store::StoreError;
use crate::time::Millis;

/// What holds for one message.
pub(super) struct Terms {
    pub max_attempts: u32,
    pub backoff: Backoff,
}

impl Queue {
    /// The terms of an outstanding message.
    pub(super) fn retry_terms(
        &mut self,
        turn: &mut Turn<'_>,
        entry: &Entry,
    ) -> Result<Terms, StoreError> {
        let delivery = &self.config().delivery;
        let mut terms = Terms {
            max_attempts: delivery.max_attempts,
            backoff: delivery.backoff,
        };
        let Some(segment) = self.segments.get(turn.sql, entry.place)? else {
            return Ok(terms);
        };
        let head = segment.head(&segment.items[usize::from(entry.place.index)])?;
        for (name, value) in &head.attributes {
            match *name {
                MAX_ATTEMPTS_ATTRIBUTE => {
                    terms.max_attempts = value.parse().unwrap_or(terms.max_attempts);
                }
                BACKOFF_ATTRIBUTE => terms.backoff = backoff(value, terms.backoff),
                _ => {}
            }
        }
        Ok(terms)
    }
}

/// `initial_ms=…, max_ms=…, multiplier=…` as it was checked when it came in; what is not named is
/// the queue's.
fn backoff(text: &str, queue: Backoff) -> Backoff {
    let mut backoff = queue;
    for member in text.split(',') {
        let (name, value) = member.trim().split_once('=').unwrap_or((member, ""));
        let ms = || value.parse::<Millis>().ok();
        match name {
            "initial_ms" => backoff.initial_ms = ms().unwrap_or(backoff.initial_ms),
            "max_ms" => backoff.max_ms = ms().unwrap_or(backoff.max_ms),
            "multiplier" => backoff.multiplier = value.parse().unwrap_or(backoff.multiplier),
            _ => {}
        }
    }
    // One that begins above the queue's bound has a bound of its own.
    backoff.max_ms = backoff.max_ms.max(backoff.initial_ms);
    backoff
}
