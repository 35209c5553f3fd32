//! Admission: whether there is room, decided exactly, in one place.
//!
//! Every count here is the queue's own, in memory, as of the last message that was accepted in this
//! very turn. Says why not, when to come back, and for how long the edge may say so by itself.

use super::Stop;
use super::config::{Capacity, PublishRate};
use super::queue::{Queue, Turn};
use crate::command::Draft;
use crate::error::{ErrorCode, Fault};
use crate::id::hash64;
use crate::limits::{KEY_RATES_MAX, VERDICT_MS_MAX};
use crate::time::{Millis, SECOND};
use std::collections::HashMap;

/// Places that should come free while one verdict is valid.
const PLACES_PER_VERDICT: f64 = 10.0;
/// Shortest verdict: below it, asking costs less than remembering.
const VERDICT_MS_MIN: Millis = 10;
/// Verdict of a full queue that nobody has drained lately.
const VERDICT_MS_STILL: Millis = 250;

impl Capacity {
    /// Whether a message of this size finds no room at any time. Where nothing at all may be there,
    /// whoever waits does so until that changes.
    pub(super) fn never_fits(&self, body_bytes: u64) -> bool {
        self.max_bytes > 0 && body_bytes > self.max_bytes
    }

    /// How long the edge may repeat that the line is full.
    pub(super) fn verdict_ms(&self) -> Millis {
        VERDICT_MS_STILL
    }
}

/// Why a message does not fit, where an overflow policy may help.
pub(super) enum Over {
    Backlog,
    Accepted,
}

impl Queue {
    /// Rules that no overflow policy can bend: times, key, size.
    pub(super) fn check_draft(&self, draft: &Draft<'_>, now_ms: Millis) -> Result<(), Fault> {
        let config = self.config();
        let capacity = &config.capacity;
        if draft.body.len() as u64 > config.max_message_bytes {
            let detail = format!(
                "the body has {} bytes; this queue takes {}",
                draft.body.len(),
                config.max_message_bytes
            );
            let limit = config.max_message_bytes;
            return Err(
                Fault::new(ErrorCode::MessageTooLarge, detail).with(|f| f.limit = Some(limit))
            );
        }
        let per_key = capacity.publish_rate.is_some_and(|r| r.per_key);
        if (capacity.max_per_key.is_some() || per_key) && draft.key.is_none() {
            return Err(Fault::bad(
                "Tidegate-Key",
                "this queue has a limit per key, so a publish needs a key",
            ));
        }
        if let Some(opens_at_ms) = capacity.opens_at_ms.filter(|at| *at > now_ms) {
            let left = opens_at_ms - now_ms;
            return Err(
                Fault::new(ErrorCode::NotOpen, "the queue is not open yet").with(|f| {
                    f.opens_at_ms = Some(opens_at_ms);
                    f.retry_after_ms = Some(left);
                    f.verdict_ms = Some(left.min(VERDICT_MS_MAX));
                }),
            );
        }
        if capacity.closes_at_ms.is_some_and(|at| at <= now_ms) {
            return Err(
                Fault::new(ErrorCode::Closed, "the queue has closed for good")
                    .with(|f| f.verdict_ms = Some(VERDICT_MS_MAX)),
            );
        }
        Ok(())
    }

    /// Whether a message of this size fits the backlog and the stock.
    pub(super) fn overflow_of(&self, capacity: &Capacity, body_bytes: u64) -> Option<Over> {
        if capacity
            .max_accepted
            .is_some_and(|max| self.meta.accepted >= max)
        {
            return Some(Over::Accepted);
        }
        let full = self.depth() >= capacity.max_messages
            || self.meta.bytes + body_bytes > capacity.max_bytes;
        full.then_some(Over::Backlog)
    }

    /// The refusal of a message that does not fit.
    pub(super) fn refusal(&self, over: &Over, capacity: &Capacity, now_ms: Millis) -> Fault {
        let redirect = capacity
            .redirect_url
            .clone()
            .filter(|_| capacity.overflow == super::config::Overflow::Redirect);
        match over {
            Over::Accepted => Fault::new(
                ErrorCode::SoldOut,
                "come back if places are given back: cancelled, released, or held and not confirmed",
            )
            .with(|f| {
                f.limit = capacity.max_accepted;
                f.redirect_url = redirect;
                f.verdict_ms = Some(VERDICT_MS_MAX);
            }),
            Over::Backlog => {
                let depth = self.depth();
                let by_count = depth >= capacity.max_messages;
                let rate = self.drain.per_ms(now_ms);
                let known = rate > 1e-6;
                let estimated_ms = (1.0 / rate.max(1e-6)).ceil() as Millis;
                let detail = if by_count {
                    format!("the backlog has {depth} messages, which is all it may have")
                } else {
                    format!(
                        "the backlog has {} bytes of {}; this message does not fit",
                        self.meta.bytes, capacity.max_bytes
                    )
                };
                // A smaller message may still fit where the bytes are the limit: that verdict is
                // for this one alone.
                let for_all = by_count || self.meta.bytes >= capacity.max_bytes;
                let verdict_ms = if known {
                    ((PLACES_PER_VERDICT / rate) as Millis).clamp(VERDICT_MS_MIN, VERDICT_MS_MAX)
                } else {
                    VERDICT_MS_STILL
                };
                Fault::new(ErrorCode::QueueFull, detail).with(|f| {
                    f.depth = Some(if by_count { depth } else { self.meta.bytes });
                    f.limit = Some(if by_count {
                        capacity.max_messages
                    } else {
                        capacity.max_bytes
                    });
                    f.estimated_wait_ms = known.then_some(estimated_ms);
                    f.retry_after_ms = Some(capacity.retry_after_ms);
                    f.redirect_url = redirect;
                    f.verdict_ms = for_all.then_some(verdict_ms);
                })
            }
        }
    }

    /// Refuses a key that has had its share.
    pub(super) fn check_key(&mut self, turn: &mut Turn<'_>, draft: &Draft<'_>) -> Result<(), Stop> {
        let (Some(limit), Some(key)) = (self.config().capacity.max_per_key, draft.key) else {
            return Ok(());
        };
        if self.key_counts.get(turn.sql, key)? < limit {
            return Ok(());
        }
        let detail = format!("this key has {limit} accepted messages, which is all it may have");
        Err(Fault::new(ErrorCode::KeyLimit, detail)
            .with(|f| f.limit = Some(limit))
            .into())
    }

    /// Takes a token from the publish rate's bucket (the generic cell rate algorithm, in
    /// microseconds).
    pub(super) fn take_token(&mut self, draft: &Draft<'_>, now_ms: Millis) -> Result<(), Fault> {
        let Some(rate) = self.config().capacity.publish_rate else {
            return Ok(());
        };
        let now_us = now_ms * 1_000;
        if !rate.per_key {
            return match advance(&rate, self.meta.rate_us, now_us) {
                Ok(next) => {
                    self.meta.rate_us = next;
                    Ok(())
                }
                Err(wait_ms) => Err(rate_limited(wait_ms)
                    .with(|f| f.verdict_ms = Some(wait_ms.min(VERDICT_MS_MAX)))),
            };
        }
        let line = hash64(self.secret, draft.key.unwrap_or_default().as_bytes());
        let at = self.key_rates.get(&line).copied().unwrap_or(0);
        let next = advance(&rate, at, now_us).map_err(rate_limited)?;
        self.key_rates.insert(line, next);
        if self.key_rates.len() > KEY_RATES_MAX {
            forget_some(&mut self.key_rates, now_us);
        }
        Ok(())
    }
}

/// Forgets keys whose rate is free again, and where that is not enough, those for which it is so
/// soonest: a quarter, so that the next look is far away.
fn forget_some(rates: &mut HashMap<u64, u64>, now_us: u64) {
    let kept = KEY_RATES_MAX * 3 / 4;
    rates.retain(|_, at| *at > now_us);
    if rates.len() > kept {
        let mut ends: Vec<u64> = rates.values().copied().collect();
        let mut over = ends.len() - kept;
        let (_, last, _) = ends.select_nth_unstable(over - 1);
        let last = *last;
        rates.retain(|_, at| {
            let goes = *at <= last && over > 0;
            over -= usize::from(goes);
            !goes
        });
    }
}

/// The bucket after one more token, or how long until there is one, in milliseconds.
pub(super) fn advance(rate: &PublishRate, at_us: u64, now_us: u64) -> Result<u64, Millis> {
    let interval = (1_000_000.0 / rate.per_second) as u64;
    let tolerance = interval.saturating_mul(rate.burst - 1);
    let at_us = at_us.max(now_us);
    if at_us - now_us > tolerance {
        return Err((at_us - now_us - tolerance).div_ceil(1_000).max(1));
    }
    Ok(at_us + interval)
}

fn rate_limited(wait_ms: Millis) -> Fault {
    Fault::new(
        ErrorCode::RateLimited,
        "more publishes than the queue's publish_rate allows",
    )
    .with(|f| f.retry_after_ms = Some(wait_ms.min(3_600 * SECOND)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_whose_rate_is_free_soonest_are_forgotten_first() {
        let count = KEY_RATES_MAX as u64 + 1;
        let mut rates: HashMap<u64, u64> = (0..count).map(|key| (key, 1_000 + key)).collect();
        forget_some(&mut rates, 5_000);
        let kept = KEY_RATES_MAX as u64 * 3 / 4;
        assert_eq!(rates.len() as u64, kept);
        assert!((count - kept..count).all(|key| rates.contains_key(&key)));
        forget_some(&mut rates, 1_000 + count);
        assert!(rates.is_empty(), "all are free");
    }
}
