//! What a relay was told last, for as long as that holds.

use crate::command::Verdict;
use crate::command::verdict::holds;
use crate::limits::VERDICT_MS_MAX;
use crate::time::Millis;

/// The last verdict.
#[derive(Debug, Default)]
pub struct Memory {
    known: Option<Known>,
}

#[derive(Debug)]
struct Known {
    verdict: Verdict,
    until_ms: Millis,
    probe_at_ms: Millis,
    probing: bool,
}

impl Memory {
    /// Remembers a verdict that holds until `until_ms`. That too much is waiting says less than
    /// another verdict that still holds.
    pub fn learn(&mut self, verdict: &Verdict, until_ms: Millis, now_ms: Millis) {
        let until_ms = until_ms.min(now_ms + VERDICT_MS_MAX);
        let until_ms = match verdict.fault.as_ref().and_then(|it| it.figures.opens_at_ms) {
            Some(opens_at_ms) => until_ms.min(opens_at_ms),
            None => until_ms,
        };
        let known = self
            .known
            .as_ref()
            .filter(|known| holds(known.until_ms, now_ms));
        let is_better = |known: &Known| !known.verdict.is_overloaded();
        if until_ms <= now_ms || (verdict.is_overloaded() && known.is_some_and(is_better)) {
            return;
        }
        self.known = Some(Known {
            verdict: verdict.clone(),
            until_ms,
            probe_at_ms: now_ms + (until_ms - now_ms) * 3 / 4,
            probing: false,
        });
    }

    /// The queue takes messages again.
    pub fn forget(&mut self) {
        self.known = None;
    }

    /// Whether a publish with this idempotency key, if it has one, is refused.
    pub fn refuses(&self, key: Option<&str>, now_ms: Millis) -> bool {
        let known = self
            .known
            .as_ref()
            .filter(|known| holds(known.until_ms, now_ms));
        known.is_some_and(|known| known.verdict.refuses(key))
    }

    /// Whether it is time to ask whether the verdict still holds; once for each.
    pub fn probes(&mut self, now_ms: Millis) -> bool {
        match &mut self.known {
            Some(known) if now_ms >= known.probe_at_ms && !known.probing => {
                known.probing = true;
                true
            }
            _ => false,
        }
    }

    /// What it holds, and until when.
    pub fn known(&self) -> Option<(&Verdict, Millis)> {
        let known = self.known.as_ref()?;
        Some((&known.verdict, known.until_ms))
    }
}
