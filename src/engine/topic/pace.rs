//! How fast a topic hands messages on: publishers go first.
//!
//! Handing on costs a turn of the queue's object, which may share its thread with this one, and a
//! commit of the cursor here. While messages are being published, it is done a call at a time and
//! with a rest between, so that a publish waits for little else than its own commit; what gathers
//! meanwhile goes together. Without publishers there is no rest.

use crate::time::{Millis, SECOND};

/// Calls under way at a time.
const CALLS_MAX: usize = 8;
/// So few subscriptions that are behind are called at once: in the turn of the publish.
const FEW_MAX: usize = 16;
/// Calls under way at a time while messages are being published.
const PACED_CALLS_MAX: usize = 2;
/// Meanwhile a call begins at most so often, and the less often the more subscriptions there are to
/// call for: a millisecond more for each `SUBSCRIPTIONS_PER_MS` of them.
const PACE_MS_MIN: Millis = 4;
const PACE_MS_MAX: Millis = 16;
const SUBSCRIPTIONS_PER_MS: usize = 64;
/// From so many messages on that the slowest of them lags, it is the least pace: what retention lets
/// go must not be what a busy publisher kept from its subscriptions.
const LAG_MAX: u64 = 1_000;
/// What was published in a turn is handed on in one after it.
const FIRST_CALL_MS: Millis = 1;
/// This long after the last publish nobody is counted on to publish.
const PUBLISHED_MS: Millis = SECOND;
/// Subscriptions looked at in one turn; the rest follow.
const LOOKS_MAX: usize = 256;
/// The same while messages are being published.
const PACED_LOOKS_MAX: usize = 16;

/// When the next message may be handed on.
#[derive(Debug, Default)]
pub(super) struct Pace {
    published_ms: Millis,
    next_ms: Millis,
    /// Whether it waits for the turn after that of a publish: once, or publishers could hold up
    /// subscriptions for good.
    gives_way: bool,
}

/// What there is to hand on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backlog {
    /// Subscriptions that are behind.
    pub subscriptions: usize,
    /// Messages that the last of them lags.
    pub lag: u64,
}

/// What may be done in one turn.
pub(super) struct Slice {
    pub calls: usize,
    pub looks: usize,
}

impl Pace {
    /// A message was published in this turn.
    pub const fn published(&mut self, now_ms: Millis) {
        self.published_ms = now_ms;
        if !self.gives_way && self.next_ms <= now_ms {
            self.next_ms = now_ms + FIRST_CALL_MS;
            self.gives_way = true;
        }
    }

    pub const fn is_on(&self, now_ms: Millis) -> bool {
        self.published_ms + PUBLISHED_MS > now_ms
    }

    /// What may be done now, with so many calls under way; `None`: nothing.
    pub fn slice(&mut self, now_ms: Millis, backlog: Backlog, open: usize) -> Option<Slice> {
        if !self.is_on(now_ms) {
            let calls = CALLS_MAX.saturating_sub(open);
            let looks = LOOKS_MAX;
            return (calls > 0).then_some(Slice { calls, looks });
        }
        if backlog.subscriptions <= FEW_MAX {
            let calls = FEW_MAX.saturating_sub(open);
            let looks = FEW_MAX;
            return (calls > 0).then_some(Slice { calls, looks });
        }
        if now_ms < self.next_ms || open >= PACED_CALLS_MAX {
            return None;
        }
        self.next_ms = now_ms + pace_ms(backlog);
        self.gives_way = false;
        let (calls, looks) = (1, PACED_LOOKS_MAX);
        Some(Slice { calls, looks })
    }

    /// When the next slice is, should there be something to do; `None`: at once, or when one of so
    /// many calls under way is answered.
    pub const fn next_ms(&self, now_ms: Millis, open: usize) -> Option<Millis> {
        if self.is_on(now_ms) && open < PACED_CALLS_MAX {
            Some(self.next_ms)
        } else {
            None
        }
    }
}

fn pace_ms(backlog: Backlog) -> Millis {
    if backlog.lag >= LAG_MAX {
        return PACE_MS_MIN;
    }
    let pace_ms = (backlog.subscriptions / SUBSCRIPTIONS_PER_MS) as Millis;
    pace_ms.clamp(PACE_MS_MIN, PACE_MS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = 1_700_000_000_000;
    const SOME: Backlog = Backlog {
        subscriptions: 1_000,
        lag: 1,
    };

    /// Calls that begin in a second of turns each millisecond, of which some publish.
    fn calls_in_a_second(backlog: Backlog, publishes: impl Fn(Millis) -> bool) -> usize {
        let mut pace = Pace::default();
        pace.published(NOW);
        let begun = (NOW..NOW + SECOND).map(|now_ms| {
            if publishes(now_ms) {
                pace.published(now_ms);
            }
            pace.slice(now_ms, backlog, 0).map_or(0, |it| it.calls)
        });
        begun.sum()
    }

    #[test]
    fn the_turn_of_a_publish_hands_nothing_on() {
        let mut pace = Pace::default();
        pace.published(NOW);
        assert!(pace.slice(NOW, SOME, 0).is_none());
        assert!(pace.slice(NOW + FIRST_CALL_MS, SOME, 0).is_some());
    }

    #[test]
    fn a_few_are_called_in_the_turn_of_the_publish() {
        let mut pace = Pace::default();
        pace.published(NOW);
        let few = Backlog {
            subscriptions: FEW_MAX,
            lag: 1,
        };
        let calls = pace.slice(NOW, few, 0).map(|it| it.calls);
        assert_eq!(calls, Some(FEW_MAX));
        assert!(pace.slice(NOW, few, FEW_MAX).is_none());
    }

    #[test]
    fn publishers_slow_it_down_and_never_stop_it() {
        let many = calls_in_a_second(SOME, |_| true);
        assert!((50..=70).contains(&many), "{many}");
        let few = Backlog {
            subscriptions: 100,
            lag: 1,
        };
        let often = calls_in_a_second(few, |_| true);
        assert!((200..=250).contains(&often), "{often}");
        let late = Backlog {
            lag: LAG_MAX,
            ..SOME
        };
        assert_eq!(calls_in_a_second(late, |_| true), often);
    }

    #[test]
    fn nobody_publishes_and_nothing_rests() {
        let mut pace = Pace::default();
        pace.published(NOW);
        let now_ms = NOW + PUBLISHED_MS;
        assert_eq!(pace.slice(now_ms, SOME, 1).map(|it| it.calls), Some(7));
        assert!(pace.slice(now_ms, SOME, CALLS_MAX).is_none());
        assert_eq!(pace.next_ms(now_ms, 0), None);
    }

    #[test]
    fn few_calls_are_under_way_beside_a_publisher() {
        let mut pace = Pace::default();
        pace.published(NOW);
        assert!(pace.slice(NOW + 50, SOME, PACED_CALLS_MAX).is_none());
        assert_eq!(pace.next_ms(NOW, PACED_CALLS_MAX), None);
        assert!(pace.next_ms(NOW, PACED_CALLS_MAX - 1).is_some());
        assert!(pace.slice(NOW + 50, SOME, PACED_CALLS_MAX - 1).is_some());
    }
}
