//! A model of verdicts that isolates share: in a cache of their location, or through a relay of
//! their region. Not part of the product: it shows what sharing would bring.

use super::settings::{MS, Us};
use tidegate::command::Verdict;

/// How long somebody who asks for all is waited for.
const ASKING_US: Us = 500 * MS;
/// Relays: the platform has about as many regions that objects can be placed in.
pub const REGIONS: usize = 9;

/// A verdict with when it was received.
#[derive(Clone)]
pub struct Known {
    pub verdict: Verdict,
    pub since_us: Us,
}

impl Known {
    fn until_us(&self) -> Us {
        self.since_us + self.verdict.valid_ms * MS
    }

    /// As told to somebody at `now_us`: it ends when the original ends.
    fn told(&self, now_us: Us) -> Option<Verdict> {
        let valid_ms = self.until_us().saturating_sub(now_us) / MS;
        (valid_ms > 0).then(|| Verdict {
            valid_ms,
            ..self.verdict.clone()
        })
    }
}

/// What to do with a publish that an isolate cannot refuse by itself.
pub enum Advice {
    /// Refuse it, and those after it, for as long as this verdict says.
    Refuse(Verdict),
    /// Let it through; who does so in time renews the verdict for all.
    Renew,
    /// Let it through: nothing is known.
    Pass,
}

/// One cache entry, and the mark of somebody who is renewing it.
#[derive(Default)]
pub struct Shared {
    known: Option<Known>,
    asking_until_us: Us,
}

impl Shared {
    pub fn advice(&self, now_us: Us) -> Advice {
        let Some(known) = &self.known else {
            return Advice::Pass;
        };
        let Some(verdict) = known.told(now_us) else {
            return Advice::Pass;
        };
        let fresh_us = known.verdict.valid_ms * MS * 3 / 4;
        if now_us < known.since_us + fresh_us || now_us < self.asking_until_us {
            Advice::Refuse(verdict)
        } else {
            Advice::Renew
        }
    }

    pub fn mark(&mut self, now_us: Us) {
        self.asking_until_us = now_us + ASKING_US;
    }

    pub fn put(&mut self, known: Known) {
        if self
            .known
            .as_ref()
            .is_none_or(|it| it.until_us() < known.until_us())
        {
            self.known = Some(known);
            self.asking_until_us = 0;
        }
    }
}
