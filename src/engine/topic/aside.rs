//! Subscriptions that stand aside: their rows are sound, and say what this version refuses, as those
//! of a later one may. The topic goes on without them. Their rows stay, and so does what they were
//! handed; they go on where they were, with a version that understands them or when they are made
//! again.

use super::read::Cursor;
use super::{Topic, Turn};
use crate::limits::EVENTS_PER_TURN_MAX;
use crate::store::StoreError;

/// What is known of one.
#[derive(Debug)]
pub(super) struct Aside {
    /// The number it had come to.
    next: u64,
    /// Why it stands aside, as long as nobody was told.
    why: Option<String>,
}

impl Aside {
    pub fn new(next: u64, StoreError(why): StoreError) -> Self {
        let why = Some(why);
        Self { next, why }
    }

    /// Where it goes on.
    pub const fn cursor(&self) -> Cursor {
        Cursor {
            next: self.next,
            last_per_key: false,
        }
    }
}

impl Topic {
    /// Has the log say once which they are.
    pub(super) fn tell_of_aside(&mut self, turn: &mut Turn<'_>) {
        let untold = self.subscriptions.aside.iter_mut();
        let untold = untold.filter_map(|(name, it)| Some((name, it.why.take()?)));
        for (name, why) in untold.take(EVENTS_PER_TURN_MAX) {
            let event = serde_json::json!({
                "event": "subscription_damaged", "at_ms": turn.now_ms, "topic": self.name,
                "subscription": name, "error": why,
            });
            turn.out.events.push(event.to_string());
        }
    }
}
