//! When an endpoint that fails is left alone, and how it is tried again.
//!
//! Closed: called as its configuration says, and slowly at first after a failure. Open: not called
//! for a while, longer each time. Half open: that while is over, and one call at a time shows how
//! things stand. Disabled: not called until somebody says so; for an endpoint that is gone, or that
//! failed for as long as its configuration bears. Small and storable; time is an argument.

use crate::time::{Millis, SECOND};
use serde::{Deserialize, Serialize};

/// Failures one after another that open the circuit: at random, one in three, they are one in 60,000.
const FAILURES_MAX: u32 = 10;
/// Probes one after another that fail before it is left alone for longer: of an endpoint that fails
/// one call in three, one round in 27.
const PROBES_MAX: u32 = 3;
/// How long it stays open at first, and at most.
const OPEN_MS_MIN: Millis = SECOND;
/// See [`OPEN_MS_MIN`].
const OPEN_MS_MAX: Millis = 60 * SECOND;

/// Why an endpoint is not called any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// It answered `410`.
    Gone,
    /// It failed for longer than `disable_after_ms`.
    Failing,
}

impl Reason {
    /// Its name in JSON and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Failing => "failing",
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    #[default]
    Closed,
    Open {
        until_ms: Millis,
    },
    Disabled(Reason),
}

/// What is known of an endpoint's health.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Circuit {
    state: State,
    /// When it became what it is; zero: from the beginning.
    since_ms: Millis,
    /// Failures since the last success.
    failures: u32,
    /// When the first of them was.
    failing_since_ms: Millis,
    /// How often it was opened since the last success.
    opened: u32,
    /// Probes that failed since it became half open; a restart counts them anew.
    #[serde(skip)]
    probes: u32,
    /// When the latest call that succeeded began; a restart forgets it.
    #[serde(skip)]
    answered_ms: Millis,
    /// Calls at a time while it is being trusted again; zero: as many as may be.
    trust: u32,
    /// Not called before: it asked for that.
    held_until_ms: Millis,
}

impl Circuit {
    /// How many calls may be under way at a time; `None`: as many as the configuration says.
    #[must_use]
    pub fn limit(&self, now_ms: Millis) -> Option<u32> {
        match self.state {
            State::Disabled(_) => Some(0),
            _ if now_ms < self.held_until_ms => Some(0),
            State::Open { until_ms } => Some((now_ms >= until_ms).into()),
            State::Closed => (self.trust > 0).then_some(self.trust),
        }
    }

    /// When an endpoint that is not called now is called again; `None`: it is, or it never is.
    #[must_use]
    pub fn next_ms(&self, now_ms: Millis) -> Option<Millis> {
        let open_ms = match self.state {
            State::Disabled(_) => return None,
            State::Open { until_ms } => until_ms,
            State::Closed => 0,
        };
        Some(open_ms.max(self.held_until_ms)).filter(|at| *at > now_ms)
    }

    /// `active`, `open`, `half_open` or `disabled`.
    #[must_use]
    pub fn name(&self, now_ms: Millis) -> &'static str {
        match self.state {
            State::Disabled(_) => "disabled",
            State::Open { until_ms } if now_ms < until_ms => "open",
            State::Open { .. } => "half_open",
            State::Closed => "active",
        }
    }

    /// Why it is disabled.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        match self.state {
            State::Disabled(reason) => Some(reason),
            _ => None,
        }
    }

    /// When it became what it is, where that is known.
    #[must_use]
    pub fn since_ms(&self) -> Option<Millis> {
        (self.since_ms > 0).then_some(self.since_ms)
    }

    /// Failures since the last success.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// A call that began at `began_ms` succeeded; up to `concurrency` of them are under way at a time.
    pub fn succeed(&mut self, now_ms: Millis, began_ms: Millis, concurrency: u32) {
        match self.state {
            State::Disabled(_) => return,
            // One that was called before: the next ones will show.
            State::Open { until_ms } if now_ms < until_ms => return,
            State::Open { .. } => {
                self.become_(State::Closed, now_ms);
                self.trust = 1;
            }
            State::Closed => {}
        }
        self.answered_ms = self.answered_ms.max(began_ms);
        self.failures = 0;
        self.opened = 0;
        self.probes = 0;
        self.failing_since_ms = 0;
        if self.trust > 0 {
            // One more for each success: twice as many each round.
            self.trust += 1;
            if self.trust >= concurrency {
                self.trust = 0;
            }
        }
    }

    /// A call that began at `began_ms` failed. `disable_after_ms`: how long it may do so; zero: for
    /// ever. Whether that disabled the endpoint.
    pub fn fail(&mut self, now_ms: Millis, began_ms: Millis, disable_after_ms: Millis) -> bool {
        // One that hung, while others that began later were answered: it says nothing new, and many of
        // them run out together.
        if began_ms < self.answered_ms {
            return false;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failing_since_ms == 0 {
            self.failing_since_ms = now_ms;
        }
        if matches!(self.state, State::Disabled(_)) {
            return false;
        }
        let failing_ms = now_ms.saturating_sub(self.failing_since_ms);
        if disable_after_ms > 0 && failing_ms >= disable_after_ms {
            return self.disable(now_ms, Reason::Failing);
        }
        let opens = match self.state {
            State::Open { until_ms } => {
                self.probes += u32::from(began_ms >= until_ms);
                self.probes >= PROBES_MAX
            }
            _ => self.failures >= FAILURES_MAX,
        };
        if opens {
            self.probes = 0;
            let open_ms = (OPEN_MS_MIN << self.opened.min(16)).min(OPEN_MS_MAX);
            self.opened += 1;
            let until_ms = now_ms + open_ms;
            if matches!(self.state, State::Open { .. }) {
                self.state = State::Open { until_ms };
            } else {
                self.become_(State::Open { until_ms }, now_ms);
            }
        }
        false
    }

    /// The endpoint asks not to be called before then.
    pub fn hold(&mut self, until_ms: Millis) {
        self.held_until_ms = self.held_until_ms.max(until_ms);
    }

    /// Calls it no more; whether that is new.
    pub fn disable(&mut self, now_ms: Millis, reason: Reason) -> bool {
        let is_new = !matches!(self.state, State::Disabled(_));
        if is_new {
            self.become_(State::Disabled(reason), now_ms);
        }
        is_new
    }

    /// Calls it again as if nothing had been; slowly at first.
    pub fn enable(&mut self, now_ms: Millis) {
        *self = Self {
            since_ms: now_ms,
            trust: 1,
            ..Self::default()
        };
    }

    fn become_(&mut self, state: State, now_ms: Millis) {
        self.state = state;
        self.since_ms = now_ms;
        self.trust = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(now_ms: Millis) -> Circuit {
        let mut circuit = Circuit::default();
        for _ in 0..FAILURES_MAX {
            assert_eq!(circuit.limit(now_ms), None);
            circuit.fail(now_ms, now_ms, 0);
        }
        circuit
    }

    #[test]
    fn failures_in_a_row_open_it_and_one_call_closes_it_slowly() {
        let mut circuit = opened(1_000);
        assert_eq!(
            (circuit.name(1_000), circuit.limit(1_999)),
            ("open", Some(0))
        );
        assert_eq!(circuit.next_ms(1_000), Some(2_000));
        assert_eq!(
            (circuit.name(2_000), circuit.limit(2_000)),
            ("half_open", Some(1))
        );
        circuit.succeed(2_000, 2_000, 8);
        assert_eq!(
            (circuit.name(2_000), circuit.limit(2_000)),
            ("active", Some(2))
        );
        for _ in 0..6 {
            circuit.succeed(2_001, 2_001, 8);
        }
        assert_eq!(circuit.limit(2_001), None);
    }

    #[test]
    fn it_stays_open_longer_each_time_up_to_a_bound() {
        let mut circuit = opened(0);
        let mut at = 0;
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let next = circuit.next_ms(at).unwrap();
            pauses.push((next - at) / SECOND);
            at = next;
            for _ in 0..PROBES_MAX {
                assert_eq!(circuit.name(at), "half_open");
                circuit.fail(at, at, 0);
            }
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn what_was_called_before_it_opened_changes_nothing() {
        let mut circuit = opened(0);
        let before = circuit;
        circuit.succeed(500, 500, 8);
        assert_eq!(circuit, before);
        circuit.fail(500, 500, 0);
        assert_eq!(circuit.next_ms(500), before.next_ms(500));
    }

    #[test]
    fn calls_that_hung_count_for_nothing_once_a_later_one_was_answered() {
        let mut circuit = Circuit::default();
        circuit.succeed(1_500, 1_490, 8);
        for _ in 0..FAILURES_MAX * 2 {
            assert!(!circuit.fail(2_000, 1_000, 1));
        }
        assert_eq!((circuit.name(2_000), circuit.failures()), ("active", 0));
        for _ in 0..FAILURES_MAX {
            circuit.fail(2_500, 1_490, 0);
        }
        assert_eq!(circuit.name(2_500), "open");
    }

    #[test]
    fn a_call_from_before_it_opened_is_no_probe() {
        let mut circuit = opened(1_000);
        for _ in 0..PROBES_MAX * 2 {
            circuit.fail(2_100, 1_999, 0);
        }
        assert_eq!(circuit.name(2_100), "half_open");
        for _ in 0..PROBES_MAX {
            circuit.fail(2_200, 2_000, 0);
        }
        assert_eq!(circuit.next_ms(2_200), Some(4_200));
    }

    #[test]
    fn a_time_of_failure_disables_it_until_it_is_enabled() {
        let mut circuit = Circuit::default();
        assert!(!circuit.fail(1_000, 1_000, 5_000));
        assert!(circuit.fail(6_000, 6_000, 5_000));
        assert!(!circuit.fail(7_000, 7_000, 5_000));
        assert_eq!(
            (circuit.name(7_000), circuit.limit(9_999)),
            ("disabled", Some(0))
        );
        assert_eq!(
            (circuit.reason(), circuit.next_ms(0)),
            (Some(Reason::Failing), None)
        );
        circuit.succeed(7_000, 7_000, 8);
        assert_eq!(circuit.name(7_000), "disabled");
        circuit.enable(8_000);
        assert_eq!(
            (circuit.name(8_000), circuit.limit(8_000)),
            ("active", Some(1))
        );
    }

    #[test]
    fn it_is_not_called_before_the_time_it_asked_for() {
        let mut circuit = Circuit::default();
        circuit.hold(5_000);
        assert_eq!(
            (circuit.limit(4_999), circuit.next_ms(0)),
            (Some(0), Some(5_000))
        );
        assert_eq!(circuit.limit(5_000), None);
    }
}
