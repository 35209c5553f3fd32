//! Verdicts: an object's refusals, repeated from memory while they are valid. This is what makes a
//! refusal cost no object call and no row.
//!
//! A verdict ends by itself. In its last quarter one publish goes through as a probe, whose answer
//! renews the verdict or ends it; everybody else is still refused. Counts of refusals wait here for
//! the next command to the queue, so that the object's counters include them. Everything is
//! bounded: a verdict that finds no room is not remembered, which costs calls and nothing worse.

use crate::command::Verdict;
use crate::command::sieve::Sieve;
use crate::command::verdict::{holds, spread};
use crate::error::{ErrorCode, Fault};
use crate::limits::{VERDICT_MS_MAX, VERDICTS_MAX};
use crate::protocol::http::problem;
use crate::protocol::http::{DecidedBy, Response};
use crate::time::{Millis, SECOND};
use std::collections::HashMap;

/// Refusals by reason.
pub type Counts = Vec<(ErrorCode, u64)>;

/// How long counts wait for a command to carry them.
const REPORT_AFTER_MS: Millis = SECOND;
/// Longest spread of retries around a queue's opening: without it, everybody who was told to come
/// back at the opening comes back in the same instant.
const SPREAD_MS_MAX: Millis = SECOND;

/// What one isolate knows of queues.
#[derive(Debug, Default)]
pub struct Verdicts {
    queues: HashMap<String, Entry>,
    /// The end of the last verdict there was.
    refuses_until_ms: Millis,
    /// Entries with counts that wait.
    unreported: usize,
    /// Turns of the spread.
    turn: u32,
}

#[derive(Debug, Default)]
struct Entry {
    closed: Option<Closed>,
    origins: Vec<String>,
    origins_until_ms: Millis,
    refused: Counts,
    refused_since_ms: Millis,
}

#[derive(Debug)]
struct Closed {
    fault: Fault,
    answered: Option<Sieve>,
    /// The refusal as it is sent, but for what depends on the asker.
    response: Response,
    until_ms: Millis,
    probe_at_ms: Millis,
    probing: bool,
}

impl Verdicts {
    /// Remembers what was said, to a question asked at `sent_ms`: it holds from then on. What is
    /// over already changes nothing.
    pub fn store(&mut self, queue: &str, verdict: Verdict, sent_ms: Millis, now_ms: Millis) {
        let until_ms = sent_ms.min(now_ms) + verdict.valid_ms.min(VERDICT_MS_MAX);
        let is_overloaded = verdict.is_overloaded();
        let is_over = until_ms <= now_ms && verdict.fault.is_some();
        if is_over || (is_overloaded && self.knows_better(queue, now_ms)) {
            return;
        }
        let closed = verdict
            .fault
            .and_then(|fault| Closed::new(fault, verdict.answered, now_ms, until_ms));
        let refuses_until_ms = closed.as_ref().map_or(0, |closed| closed.until_ms);
        // Who could not even take the question in does not say whom the queue talks to.
        let origins = (!is_overloaded).then_some(verdict.cors_origins);
        if let Some(entry) = self.learn(queue, origins, until_ms, now_ms) {
            entry.closed = closed;
            self.refuses_until_ms = self.refuses_until_ms.max(refuses_until_ms);
        }
    }

    /// "Too much is waiting", for as long as its turn says.
    pub fn overloaded(&mut self) -> Verdict {
        self.turn = self.turn.wrapping_add(1);
        Verdict::overloaded(self.turn)
    }

    /// Whether a verdict is known that says more than that too much is waiting.
    fn knows_better(&self, queue: &str, now_ms: Millis) -> bool {
        let closed = self.queues.get(queue).and_then(|it| it.closed.as_ref());
        closed
            .is_some_and(|it| holds(it.until_ms, now_ms) && it.fault.code != ErrorCode::Overloaded)
    }

    /// Remembers whom a queue talks to; the answer to a preflight says nothing else.
    pub fn store_origins(&mut self, queue: &str, verdict: Verdict, now_ms: Millis) {
        let until_ms = now_ms + verdict.valid_ms.min(VERDICT_MS_MAX);
        self.learn(queue, Some(verdict.cors_origins), until_ms, now_ms);
    }

    /// Forgets what was said of a queue: it is about to be changed. Counts stay.
    pub fn forget(&mut self, queue: &str) {
        if let Some(entry) = self.queues.get_mut(queue) {
            entry.closed = None;
            entry.origins_until_ms = 0;
        }
    }

    fn learn(
        &mut self,
        queue: &str,
        origins: Option<Vec<String>>,
        until_ms: Millis,
        now_ms: Millis,
    ) -> Option<&mut Entry> {
        if !self.queues.contains_key(queue) {
            if until_ms <= now_ms || (self.queues.len() >= VERDICTS_MAX && !self.make_room(now_ms))
            {
                return None;
            }
            self.queues.insert(queue.to_owned(), Entry::default());
        }
        let entry = self.queues.get_mut(queue)?;
        if let Some(origins) = origins {
            entry.origins = origins;
            entry.origins_until_ms = until_ms;
        }
        Some(entry)
    }

    /// The refusal of one publish, with its idempotency key if it has one, counted; `None` when it
    /// has to go to the object.
    pub fn refuse(&mut self, queue: &str, key: Option<&str>, now_ms: Millis) -> Option<Response> {
        let turn = self.turn;
        let entry = self.queues.get_mut(queue)?;
        if !entry.is_new(key.into_iter()) {
            return None;
        }
        let closed = entry.closed(now_ms)?;
        let response = closed.response(now_ms, turn);
        let code = closed.fault.code;
        self.turn = turn.wrapping_add(1);
        self.count(queue, code, 1, now_ms);
        Some(response)
    }

    /// Whether a publish may be refused from memory now.
    #[must_use]
    pub fn is_closed(&self, queue: &str, now_ms: Millis) -> bool {
        let entry = self.queues.get(queue);
        let closed = entry.and_then(|entry| entry.closed.as_ref());
        closed.is_some_and(|closed| holds(closed.until_ms, now_ms))
    }

    /// Whether the next publish goes through as the probe.
    #[must_use]
    pub fn is_probe_due(&self, queue: &str, now_ms: Millis) -> bool {
        let closed = self.queues.get(queue).and_then(|it| it.closed.as_ref());
        closed.is_some_and(|closed| closed.is_probe_due(now_ms))
    }

    /// Why publishes to `queue` are refused, and until when each of them is refused in the same words
    /// and none is the probe. With `with_origin`, the answer also tells of the queue's origins.
    #[must_use]
    pub fn repeats(
        &self,
        queue: &str,
        with_origin: bool,
        now_ms: Millis,
    ) -> Option<(ErrorCode, Millis)> {
        let entry = self.queues.get(queue)?;
        let closed = entry.closed.as_ref()?;
        // Words about the time to the opening are those of the moment.
        if closed.fault.code == ErrorCode::NotOpen || closed.is_probe_due(now_ms) {
            return None;
        }
        let mut until_ms = closed.until_ms;
        if !closed.probing {
            until_ms = until_ms.min(closed.probe_at_ms);
        }
        if with_origin && now_ms < entry.origins_until_ms {
            until_ms = until_ms.min(entry.origins_until_ms);
        }
        Some((closed.fault.code, until_ms))
    }

    /// Counts refusals that were given again without asking.
    pub fn count_repeats(&mut self, queue: &str, code: ErrorCode, count: u64, now_ms: Millis) {
        self.count(queue, code, count, now_ms);
    }

    /// Until when publishes may be refused; a verdict may end before.
    #[must_use]
    pub const fn refuses_until_ms(&self) -> Millis {
        self.refuses_until_ms
    }

    /// The fault of `publishes` publishes at once, with the idempotency keys among them, counted;
    /// `None` when they have to go to the object.
    pub fn refuse_many<'k>(
        &mut self,
        queue: &str,
        publishes: u64,
        keys: impl Iterator<Item = &'k str>,
        now_ms: Millis,
    ) -> Option<Fault> {
        let turn = self.turn;
        let entry = self.queues.get_mut(queue)?;
        if !entry.is_new(keys) {
            return None;
        }
        let fault = entry.closed(now_ms)?.fault(now_ms, turn);
        self.turn = turn.wrapping_add(1);
        self.count(queue, fault.code, publishes, now_ms);
        Some(fault)
    }

    /// The queue's `cors_origins`, while they are known to hold.
    #[must_use]
    pub fn origins(&self, queue: &str, now_ms: Millis) -> Option<&[String]> {
        let entry = self
            .queues
            .get(queue)
            .filter(|entry| holds(entry.origins_until_ms, now_ms))?;
        Some(&entry.origins)
    }

    /// The counts that wait for a command to `queue`, taken.
    pub fn take_refused(&mut self, queue: &str) -> Counts {
        if self.unreported == 0 {
            return Vec::new();
        }
        let counts = self
            .queues
            .get_mut(queue)
            .map(|entry| std::mem::take(&mut entry.refused));
        let counts = counts.unwrap_or_default();
        self.unreported -= usize::from(!counts.is_empty());
        counts
    }

    /// Whether counts wait.
    #[must_use]
    pub const fn has_reports(&self) -> bool {
        self.unreported > 0
    }

    /// Takes the counts that have waited for long.
    pub fn reports(&mut self, now_ms: Millis) -> Vec<(String, Counts)> {
        if self.unreported == 0 {
            return Vec::new();
        }
        let due = |entry: &Entry| {
            !entry.refused.is_empty() && entry.refused_since_ms + REPORT_AFTER_MS <= now_ms
        };
        let take = |(queue, entry): (&String, &mut Entry)| {
            due(entry).then(|| (queue.clone(), std::mem::take(&mut entry.refused)))
        };
        let reports: Vec<_> = self.queues.iter_mut().filter_map(take).collect();
        self.unreported -= reports.len();
        reports
    }

    fn count(&mut self, queue: &str, code: ErrorCode, publishes: u64, now_ms: Millis) {
        let Some(entry) = self.queues.get_mut(queue) else {
            return;
        };
        if entry.refused.is_empty() {
            entry.refused_since_ms = now_ms;
            self.unreported += 1;
        }
        match entry.refused.iter_mut().find(|(known, _)| *known == code) {
            Some((_, count)) => *count += publishes,
            None => entry.refused.push((code, publishes)),
        }
    }

    /// Forgets what has ended and counts nothing.
    fn make_room(&mut self, now_ms: Millis) -> bool {
        self.queues
            .retain(|_, entry| entry.holds(now_ms) || !entry.refused.is_empty());
        self.queues.len() < VERDICTS_MAX
    }
}

impl Entry {
    /// Whether anything it says still holds.
    fn holds(&self, now_ms: Millis) -> bool {
        let until_ms = self.closed.as_ref().map_or(0, |closed| closed.until_ms);
        holds(self.origins_until_ms, now_ms) || holds(until_ms, now_ms)
    }

    /// Whether none of these keys can be a repeat of one that was accepted.
    fn is_new<'k>(&self, mut keys: impl Iterator<Item = &'k str>) -> bool {
        let closed = self.closed.as_ref();
        if closed.is_some_and(|it| it.fault.code == ErrorCode::Overloaded) {
            return true;
        }
        let answered = closed.and_then(|closed| closed.answered.as_ref());
        keys.all(|key| answered.is_some_and(|sieve| !sieve.may_hold(key)))
    }

    /// The verdict, if it refuses this publish. The first one past the probe's time goes through.
    fn closed(&mut self, now_ms: Millis) -> Option<&Closed> {
        // One that is over is forgotten, or a clock that went back and on again would revive it.
        self.closed.take_if(|it| !holds(it.until_ms, now_ms));
        let closed = self.closed.as_mut()?;
        if closed.is_probe_due(now_ms) {
            closed.probing = true;
            return None;
        }
        Some(closed)
    }
}

impl Closed {
    fn new(
        fault: Fault,
        answered: Option<Sieve>,
        now_ms: Millis,
        until_ms: Millis,
    ) -> Option<Self> {
        let until_ms = match fault.figures.opens_at_ms {
            Some(opens_at_ms) if fault.code == ErrorCode::NotOpen => until_ms.min(opens_at_ms),
            _ => until_ms,
        };
        let valid_ms = until_ms.checked_sub(now_ms).filter(|ms| *ms > 0)?;
        let response = problem::response(&fault, DecidedBy::Edge);
        Some(Self {
            fault,
            answered,
            response,
            until_ms,
            probe_at_ms: now_ms + valid_ms * 3 / 4,
            probing: false,
        })
    }

    const fn is_probe_due(&self, now_ms: Millis) -> bool {
        now_ms >= self.probe_at_ms && !self.probing
    }

    /// The refusal; what is told of the time to an opening is true at `now_ms`.
    fn response(&self, now_ms: Millis, turn: u32) -> Response {
        if self.fault.code == ErrorCode::NotOpen {
            problem::response(&self.fault(now_ms, turn), DecidedBy::Edge)
        } else {
            self.response.clone()
        }
    }

    fn fault(&self, now_ms: Millis, turn: u32) -> Fault {
        let fault = self.fault.clone();
        match fault.figures.opens_at_ms {
            Some(opens_at_ms) if fault.code == ErrorCode::NotOpen => fault.with(|figures| {
                let rest_ms = opens_at_ms.saturating_sub(now_ms);
                figures.retry_after_ms =
                    Some(rest_ms + spread(turn, (rest_ms / 8).min(SPREAD_MS_MAX)));
            }),
            _ => fault,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Secret, print};

    const NOW: Millis = 1_000_000;

    fn closed(code: ErrorCode, valid_ms: Millis) -> Verdict {
        Verdict {
            fault: Some(Fault::new(code, "no")),
            answered: None,
            valid_ms,
            is_repeated: false,
            cors_origins: vec!["https://a".into()],
        }
    }

    fn open() -> Verdict {
        Verdict {
            fault: None,
            answered: None,
            valid_ms: 1_000,
            is_repeated: false,
            cors_origins: Vec::new(),
        }
    }

    #[test]
    fn a_verdict_refuses_until_its_end_with_one_probe() {
        let mut verdicts = Verdicts::default();
        assert!(verdicts.refuse("q", None, NOW).is_none());
        verdicts.store("q", closed(ErrorCode::QueueFull, 400), NOW, NOW);
        assert_eq!(verdicts.refuse("q", None, NOW + 299).unwrap().status, 429);
        assert!(verdicts.refuse("q", None, NOW + 300).is_none(), "the probe");
        assert!(
            verdicts.refuse("q", None, NOW + 301).is_some(),
            "one probe only"
        );
        assert!(verdicts.refuse("other", None, NOW + 301).is_none());
        assert!(verdicts.refuse("q", None, NOW + 399).is_some());
        assert!(verdicts.refuse("q", None, NOW + 400).is_none());
        assert!(
            verdicts.refuse("q", None, NOW + 400).is_none(),
            "it is over"
        );
    }

    #[test]
    fn no_verdict_outlives_the_limit_and_an_open_one_ends_it() {
        let mut verdicts = Verdicts::default();
        verdicts.store("q", closed(ErrorCode::SoldOut, 1 << 60), NOW, NOW);
        assert!(verdicts.refuse("q", None, NOW + VERDICT_MS_MAX).is_none());
        verdicts.store("q", closed(ErrorCode::SoldOut, 1_000), NOW, NOW);
        assert!(verdicts.refuse("q", None, NOW).is_some());
        verdicts.store("q", open(), NOW + 1, NOW + 1);
        assert!(verdicts.refuse("q", None, NOW + 2).is_none());
        verdicts.store("q", closed(ErrorCode::SoldOut, 1_000), NOW, NOW);
        verdicts.store_origins("q", open(), NOW + 1);
        assert!(
            verdicts.refuse("q", None, NOW + 2).is_some(),
            "a preflight says nothing of publishes"
        );
        verdicts.store("z", closed(ErrorCode::SoldOut, 0), NOW, NOW);
        assert!(verdicts.refuse("z", None, NOW).is_none());
    }

    #[test]
    fn a_clock_that_goes_back_ends_a_verdict() {
        let mut verdicts = Verdicts::default();
        verdicts.store("q", closed(ErrorCode::SoldOut, 1_000), NOW, NOW);
        let before = NOW / 2;
        assert!(!verdicts.is_closed("q", before));
        assert!(verdicts.origins("q", before).is_none());
        assert!(verdicts.refuse("q", None, before).is_none());
        assert!(
            verdicts.refuse("q", None, NOW + 1).is_none(),
            "it does not come back with the clock"
        );
    }

    #[test]
    fn a_queue_opens_by_itself_and_retries_are_spread() {
        let mut verdicts = Verdicts::default();
        let fault =
            Fault::new(ErrorCode::NotOpen, "later").with(|f| f.opens_at_ms = Some(NOW + 800));
        let verdict = Verdict {
            fault: Some(fault),
            answered: None,
            valid_ms: 1_000,
            is_repeated: false,
            cors_origins: Vec::new(),
        };
        verdicts.store("q", verdict, NOW, NOW);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..50 {
            let after_ms = verdicts
                .refuse_many("q", 1, [].into_iter(), NOW + 100)
                .unwrap()
                .figures
                .retry_after_ms
                .unwrap();
            assert!((700..700 + 88).contains(&after_ms), "{after_ms}");
            seen.insert(after_ms);
        }
        assert!(seen.len() > 20);
        assert!(
            verdicts
                .refuse("q", None, NOW + 100)
                .unwrap()
                .header("retry-after")
                .is_some()
        );
        assert!(verdicts.refuse("q", None, NOW + 650).is_none(), "the probe");
        assert!(verdicts.refuse("q", None, NOW + 799).is_some());
        assert!(verdicts.refuse("q", None, NOW + 800).is_none());
    }

    #[test]
    fn counts_wait_for_a_command_or_a_report() {
        let mut verdicts = Verdicts::default();
        verdicts.store("q", closed(ErrorCode::SoldOut, 1_000), NOW, NOW);
        verdicts.refuse("q", None, NOW);
        verdicts.refuse_many("q", 5, [].into_iter(), NOW + 1);
        assert!(verdicts.has_reports());
        assert_eq!(verdicts.take_refused("q"), [(ErrorCode::SoldOut, 6)]);
        assert!(verdicts.take_refused("q").is_empty() && !verdicts.has_reports());
        verdicts.refuse("q", None, NOW + 10);
        assert!(verdicts.reports(NOW + 1_009).is_empty());
        assert_eq!(
            verdicts.reports(NOW + 1_010),
            [("q".to_owned(), vec![(ErrorCode::SoldOut, 1)])]
        );
        assert!(!verdicts.has_reports());
    }

    #[test]
    fn what_is_about_to_change_is_forgotten_but_for_the_counts() {
        let mut verdicts = Verdicts::default();
        verdicts.store("q", closed(ErrorCode::SoldOut, 1_000), NOW, NOW);
        assert!(verdicts.refuse("q", None, NOW).is_some());
        verdicts.forget("q");
        assert!(verdicts.refuse("q", None, NOW).is_none() && verdicts.origins("q", NOW).is_none());
        assert_eq!(verdicts.take_refused("q"), [(ErrorCode::SoldOut, 1)]);
    }

    #[test]
    fn origins_are_known_for_a_while() {
        let mut verdicts = Verdicts::default();
        assert_eq!(verdicts.origins("q", NOW), None);
        verdicts.store("q", closed(ErrorCode::SoldOut, 500), NOW, NOW);
        assert_eq!(verdicts.origins("q", NOW + 499).unwrap(), ["https://a"]);
        assert_eq!(verdicts.origins("q", NOW + 500), None);
    }

    #[test]
    fn memory_is_bounded_and_counts_are_not_forgotten() {
        let mut verdicts = Verdicts::default();
        verdicts.store("counted", closed(ErrorCode::SoldOut, 1_000), NOW, NOW);
        verdicts.refuse("counted", None, NOW);
        for i in 0..2 * VERDICTS_MAX {
            verdicts.store(
                &format!("q{i}"),
                closed(ErrorCode::SoldOut, 1_000),
                NOW,
                NOW,
            );
        }
        assert_eq!(verdicts.queues.len(), VERDICTS_MAX);
        verdicts.store(
            "late",
            closed(ErrorCode::SoldOut, 1_000),
            NOW + 1_000,
            NOW + 1_000,
        );
        assert_eq!(verdicts.queues.len(), 2);
        assert!(verdicts.refuse("late", None, NOW + 1_001).is_some());
        assert_eq!(verdicts.take_refused("counted").len(), 1);
    }

    #[test]
    fn a_publish_that_may_be_a_repeat_goes_to_the_object() {
        let secret = Secret([1, 2]);
        let mut verdicts = Verdicts::default();
        verdicts.store("q", closed(ErrorCode::SoldOut, 1_000), NOW, NOW);
        assert!(verdicts.refuse("q", Some("new"), NOW).is_none(), "no sieve");
        let verdict = Verdict {
            answered: Sieve::new(secret, [print(secret, "old").0].into_iter()),
            ..closed(ErrorCode::SoldOut, 1_000)
        };
        verdicts.store("q", verdict, NOW, NOW);
        assert!(verdicts.refuse("q", Some("old"), NOW).is_none());
        assert!(verdicts.refuse("q", Some("new"), NOW).is_some());
        let many = |verdicts: &mut Verdicts, keys: [&str; 2]| {
            verdicts
                .refuse_many("q", 2, keys.into_iter(), NOW)
                .is_some()
        };
        assert!(many(&mut verdicts, ["new", "newer"]));
        assert!(!many(&mut verdicts, ["new", "old"]));
        assert_eq!(verdicts.take_refused("q"), [(ErrorCode::SoldOut, 3)]);
    }
}
