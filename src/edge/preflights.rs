//! Preflights of browsers (the Fetch standard, 3.2), which come without credentials: whom a page of
//! another site may talk to, only the queue or topic knows.
//!
//! Asking makes its object, and with it files or a bill, whatever name was made up. So at most
//! `PREFLIGHTS_PER_SECOND_MAX` are asked a second, beside those that are known to talk to anyone.

use crate::limits::{PREFLIGHTS_KNOWN_MAX, PREFLIGHTS_PER_SECOND_MAX};
use crate::time::{Millis, SECOND};
use std::collections::HashSet;

/// What one isolate knows.
#[derive(Debug, Default)]
pub struct Preflights {
    /// Objects' names with their kind.
    welcoming: HashSet<(bool, String)>,
    /// The second in which was asked, and how often.
    asked: (Millis, u32),
}

impl Preflights {
    /// Whether a queue, or a topic, is asked.
    pub fn may_ask(&mut self, is_topic: bool, name: &str, now_ms: Millis) -> bool {
        if self.welcoming.contains(&(is_topic, name.to_owned())) {
            return true;
        }
        let second = now_ms / SECOND;
        if self.asked.0 != second {
            self.asked = (second, 0);
        }
        self.asked.1 += 1;
        self.asked.1 <= PREFLIGHTS_PER_SECOND_MAX
    }

    /// What it said: whether it talks to pages of any other site.
    pub fn learn(&mut self, is_topic: bool, name: &str, is_welcoming: bool) {
        let key = (is_topic, name.to_owned());
        if !is_welcoming {
            self.welcoming.remove(&key);
        } else if self.welcoming.len() < PREFLIGHTS_KNOWN_MAX || self.welcoming.contains(&key) {
            self.welcoming.insert(key);
        } else {
            self.welcoming.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Preflights;
    use crate::limits::{PREFLIGHTS_KNOWN_MAX, PREFLIGHTS_PER_SECOND_MAX};

    const NOW: u64 = 1_000_000;

    /// How many of a thousand made-up names are asked within a second.
    fn asked(preflights: &mut Preflights, now_ms: u64) -> usize {
        let names = (0..1_000).map(|n| format!("made-up-{n}"));
        names
            .filter(|name| preflights.may_ask(name.ends_with('7'), name, now_ms))
            .count()
    }

    #[test]
    fn made_up_names_are_asked_a_few_times_a_second() {
        let mut preflights = Preflights::default();
        let most = PREFLIGHTS_PER_SECOND_MAX as usize;
        assert_eq!(asked(&mut preflights, NOW), most);
        assert_eq!(asked(&mut preflights, NOW + 999), 0);
        assert_eq!(asked(&mut preflights, NOW + 1_000), most);
    }

    #[test]
    fn who_talks_to_anyone_is_asked_whatever_is_made_up() {
        let mut preflights = Preflights::default();
        preflights.learn(false, "shop", true);
        asked(&mut preflights, NOW);
        assert!(preflights.may_ask(false, "shop", NOW));
        assert!(!preflights.may_ask(true, "shop", NOW), "a topic is another");
        preflights.learn(false, "shop", false);
        assert!(!preflights.may_ask(false, "shop", NOW));
    }

    #[test]
    fn memory_is_bounded() {
        let mut preflights = Preflights::default();
        for n in 0..3 * PREFLIGHTS_KNOWN_MAX {
            preflights.learn(n % 2 == 0, &format!("q{n}"), true);
        }
        assert!(preflights.welcoming.len() <= PREFLIGHTS_KNOWN_MAX);
    }
}
