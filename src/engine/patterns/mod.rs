//! Subscriptions of patterns: they live in the topics' directory, and topics are told of them.
//!
//! What concerns topics changes in steps (`steps.rs`), each with a version of its own. A step owes
//! all topics that its pattern stands for the news of it (`telling.rs`); a row for each of them is
//! gone when it has answered. So a start knows what is to be done, and nothing that is told twice or
//! out of order harms: a topic is told all that it has to know, as of a version. A new topic asks by
//! itself, when it registers. Out of scope: cursors and messages, which are the topics'.

mod looking;
mod rows;
mod steps;
mod telling;

use super::Stop;
use super::filter::Filter;
use super::outcome::Call;
use super::topic::subscription_patch::Patch;
use super::topic::target::Target;
use super::waiter::expect_place;
use crate::command::pattern::matches;
use crate::command::patterns::{
    PatternCommand, PatternReply, PatternSet, PatternState, PatternSubscription,
};
use crate::command::topic::Start;
use crate::error::{ErrorCode, Fault};
use crate::limits::{EVENTS_PER_TURN_MAX, PATTERN_STEPS_MAX, PATTERN_SUBSCRIPTIONS_MAX};
use crate::push::target::Reach;
use crate::store::{Sql, StoreError};
use crate::time::{Millis, SECOND};
use looking::Look;
use rows::Row;
use std::collections::BTreeMap;
use steps::Step;
use telling::Telling;

/// How long a request waits until all topics know.
const WAIT_MS: Millis = 10 * SECOND;
/// After this time an object that started anew looks what there is to be done still.
const LOST_MS: Millis = 30 * SECOND;
/// Calls under way at a time; the rest follow as these are answered.
const CALLS_MAX: usize = 16;

/// Pattern, and name.
type Key = (String, String);

/// A subscription and what happens to it just now.
#[derive(Debug)]
struct Entry {
    row: Row,
    /// The number of the call for its present step.
    call: Option<u32>,
    retry_at_ms: Millis,
    failures: u32,
}

#[derive(Debug)]
struct Waiting {
    token: u32,
    key: Key,
    until_ms: Millis,
    /// Answered with the subscription, and whether that is new; `None`: with nothing.
    created: Option<bool>,
}

/// All subscriptions of patterns.
#[derive(Debug, Default)]
pub struct Patterns {
    entries: BTreeMap<Key, Entry>,
    telling: Telling,
    waiting: Vec<Waiting>,
    answers: Vec<(u32, bool, Vec<u8>)>,
    looks: Vec<Look>,
    last_number: u32,
    armed_ms: Option<Millis>,
    more_work: bool,
    /// Subscriptions that could not be read at the start, to be told of once.
    damaged: Vec<(Key, String)>,
    /// What pushes of subscriptions may call.
    reach: Box<Reach>,
}

/// What a turn brings about.
#[derive(Debug, Default)]
pub struct PatternOutcome {
    /// Answers, by the token the request came with.
    pub replies: Vec<(u32, Result<PatternReply, Fault>)>,
    /// Calls to topics and queues. Each comes back by [`Patterns::called`] with its number.
    pub calls: Vec<Call>,
    /// See `Outcome::alarm_at_ms`.
    pub alarm_at_ms: Option<Millis>,
    /// See `Outcome::timer_at_ms`.
    pub timer_at_ms: Option<Millis>,
    /// What happened, for the log: a JSON text each.
    pub events: Vec<String>,
}

/// What a turn works with.
struct Turn<'s> {
    sql: &'s mut dyn Sql,
    now_ms: Millis,
    out: PatternOutcome,
}

impl Patterns {
    /// Reads what is stored; makes the tables where there are none.
    ///
    /// # Errors
    /// Whatever the database said, or rows that are damaged.
    pub fn open(sql: &mut dyn Sql) -> Result<Self, StoreError> {
        rows::migrate(sql)?;
        let stored = rows::read(sql)?;
        let entries = stored.sound.into_iter().map(|(key, row)| {
            let entry = Entry {
                row,
                call: None,
                retry_at_ms: 0,
                failures: 0,
            };
            (key, entry)
        });
        Ok(Self {
            entries: entries.collect(),
            damaged: stored.damaged,
            telling: Telling::open(),
            ..Self::default()
        })
    }

    /// What pushes of subscriptions may call.
    pub fn equip(&mut self, reach: Reach) {
        *self.reach = reach;
    }

    /// The answer to a call of an earlier turn, for the next one.
    pub fn called(&mut self, number: u32, ok: bool, body: &[u8]) {
        self.answers.push((number, ok, body.to_vec()));
    }

    /// The caller of a waiting request has gone.
    pub fn cancel(&mut self, token: u32) {
        self.waiting.retain(|it| it.token != token);
        self.looks.retain(|it| it.token != token);
    }

    /// All that the topic `name` has to know.
    ///
    /// # Errors
    /// Whatever the database said.
    pub fn set_for(&self, sql: &mut dyn Sql, name: &str) -> Result<PatternSet, StoreError> {
        let known = self
            .entries
            .iter()
            .filter(|((pattern, _), entry)| entry.row.visible && matches(pattern, name));
        let subscriptions = known.map(|((pattern, name), Entry { row, .. })| PatternSubscription {
            pattern: pattern.clone(),
            name: name.clone(),
            filter: row.filter.clone(),
            target: row.target.clone(),
            paused: row.paused || row.held,
            start: row.start,
            since_ms: row.since_ms,
            epoch: row.epoch,
        });
        Ok(PatternSet {
            version: rows::version(sql)?,
            subscriptions: subscriptions.collect(),
        })
    }

    /// Runs a turn with the requests that arrived together.
    ///
    /// # Errors
    /// Storage failed: roll back, and open the directory anew.
    pub fn run(
        &mut self,
        sql: &mut dyn Sql,
        now_ms: Millis,
        requests: Vec<(u32, PatternCommand<'_>)>,
    ) -> Result<PatternOutcome, StoreError> {
        let mut turn = Turn {
            sql,
            now_ms,
            out: PatternOutcome::default(),
        };
        if self.armed_ms.is_some_and(|at| at <= now_ms) {
            self.armed_ms = None;
        }
        self.more_work = false;
        for ((pattern, name), why) in self.damaged.drain(..).take(EVENTS_PER_TURN_MAX) {
            let event = serde_json::json!({
                "event": "subscription_damaged", "at_ms": now_ms, "pattern": pattern,
                "subscription": name, "error": why,
            });
            turn.out.events.push(event.to_string());
        }
        self.settle(&mut turn)?;
        for (token, command) in requests {
            match self.execute(&mut turn, token, &command) {
                Ok(Some(reply)) => turn.out.replies.push((token, Ok(reply))),
                Ok(None) => {}
                Err(Stop::Fault(fault)) => turn.out.replies.push((token, Err(fault))),
                Err(Stop::Store(error)) => return Err(error),
            }
        }
        self.advance(&mut turn)?;
        self.tell(&mut turn)?;
        self.answer_waiting(&mut turn);
        self.arm(&mut turn);
        Ok(turn.out)
    }

    fn execute(
        &mut self,
        turn: &mut Turn<'_>,
        token: u32,
        command: &PatternCommand<'_>,
    ) -> Result<Option<PatternReply>, Stop> {
        match *command {
            PatternCommand::Put {
                pattern,
                name,
                patch,
            } => {
                let created = self.put(turn, pattern, name, patch)?;
                self.wait(
                    turn,
                    token,
                    (pattern.to_owned(), name.to_owned()),
                    Some(created),
                );
                Ok(None)
            }
            PatternCommand::Delete { pattern, name } => {
                let key = (pattern.to_owned(), name.to_owned());
                let entry = self.alive(&key)?;
                entry.row.leaving = true;
                if entry.row.target.is_none() {
                    // First, so that it calls nobody while topics are told.
                    entry.row.steps.push(Step::Delete);
                }
                entry.row.steps.push(Step::Leave);
                rows::write(turn.sql, &key, &entry.row)?;
                self.wait(turn, token, key, None);
                Ok(None)
            }
            PatternCommand::Seek { pattern, name, to } => {
                let key = (pattern.to_owned(), name.to_owned());
                self.seek(turn, &key, to)?;
                self.wait(turn, token, key, None);
                Ok(None)
            }
            PatternCommand::Watch { pattern } => {
                let key = (pattern.to_owned(), String::new());
                expect_place(self.waiting.len())?;
                self.watch(turn, &key)?;
                self.wait(turn, token, key, None);
                Ok(None)
            }
            PatternCommand::Unwatch { pattern } => {
                let key = (pattern.to_owned(), String::new());
                if let Some(entry) = self.entries.get_mut(&key) {
                    entry.row.leaving = true;
                    entry.row.begin_anew(Step::Leave);
                    rows::write(turn.sql, &key, &entry.row)?;
                }
                Ok(Some(PatternReply::Done))
            }
            PatternCommand::Topics {
                pattern,
                name,
                after,
            } => self.look(turn, token, (pattern, name), after),
            PatternCommand::List {
                pattern,
                after,
                limit,
            } => Ok(Some(self.list(pattern, after, limit))),
        }
    }

    /// Creates a subscription or changes one; whether it is new.
    fn put(
        &mut self,
        turn: &mut Turn<'_>,
        pattern: &str,
        name: &str,
        patch: &str,
    ) -> Result<bool, Stop> {
        let key = (pattern.to_owned(), name.to_owned());
        let patch = Patch::read(patch)?;
        if let Some(Some(filter)) = &patch.filter {
            Filter::compile(filter)?;
        }
        if let Some(Start::Seq(_)) = patch.from {
            let detail = "each topic counts for itself; begin at earliest, latest or from_at_ms";
            return Err(Fault::bad("from", detail).into());
        }
        if self.entries.contains_key(&key) {
            self.change(turn, &key, patch)?;
            return Ok(false);
        }
        self.expect_room()?;
        let target = Target::new(patch.target.as_ref(), &self.reach)?;
        patch.check_delivery(target.queue.as_deref())?;
        let steps = match target.queue {
            // One of its name may be there still.
            None => vec![Step::Delete, Step::Configure, Step::Tell],
            Some(_) => vec![Step::Tell],
        };
        let row = Row {
            filter: patch.filter.flatten(),
            push: target.push.map(|push| push.stored()),
            target: target.queue,
            delivery: patch.delivery.flatten(),
            paused: patch.paused.unwrap_or(false),
            start: patch.from.unwrap_or(Start::Latest),
            since_ms: turn.now_ms,
            epoch: turn.now_ms,
            steps,
            ..Row::default()
        };
        self.insert(turn, key, row)?;
        Ok(true)
    }

    fn expect_room(&self) -> Result<(), Fault> {
        if self.entries.len() < PATTERN_SUBSCRIPTIONS_MAX {
            return Ok(());
        }
        let limit = PATTERN_SUBSCRIPTIONS_MAX;
        let detail = format!("there are {limit} subscriptions of patterns already");
        let fault = Fault::new(ErrorCode::Overloaded, detail);
        Err(fault.with(|figures| figures.limit = Some(limit as u64)))
    }

    fn insert(&mut self, turn: &mut Turn<'_>, key: Key, row: Row) -> Result<(), StoreError> {
        rows::write(turn.sql, &key, &row)?;
        let entry = Entry {
            row,
            call: None,
            retry_at_ms: 0,
            failures: 0,
        };
        self.entries.insert(key, entry);
        Ok(())
    }

    fn change(&mut self, turn: &mut Turn<'_>, key: &Key, patch: Patch) -> Result<(), Stop> {
        let mut row = self.alive(key)?.row.clone();
        let old = row.target()?;
        let target = old.patched(patch.target.as_ref(), &self.reach)?;
        patch.check_delivery(target.queue.as_deref())?;
        let before = row.own_queue_patch()?;
        row.push = target.push.map(|push| push.stored());
        if let Some(filter) = patch.filter {
            row.filter = filter;
        }
        row.paused = patch.paused.unwrap_or(row.paused);
        row.delivery = patch.delivery.unwrap_or_else(|| row.delivery.take());
        if target.queue.is_none() && row.own_queue_patch()? != before {
            row.steps.push(Step::Configure);
        }
        row.steps.push(Step::Tell);
        let entry = self.alive(key)?;
        entry.row = row;
        rows::write(turn.sql, key, &entry.row)?;
        Ok(())
    }

    fn seek(&mut self, turn: &mut Turn<'_>, key: &Key, to: Start) -> Result<(), Stop> {
        if let Start::Seq(_) = to {
            let detail = "each topic counts for itself; say at_ms, earliest or latest";
            return Err(Fault::bad("seq", detail).into());
        }
        let entry = self.alive(key)?;
        let row = &mut entry.row;
        row.goal = (to, turn.now_ms);
        row.steps.push(Step::Hold);
        if row.target.is_none() {
            // What its queue holds is dropped once nothing more comes.
            row.steps.push(Step::Purge);
        }
        row.steps.push(Step::Tell);
        rows::write(turn.sql, key, &entry.row)?;
        Ok(())
    }

    /// Has topics hand what is published to the pattern's own object.
    fn watch(&mut self, turn: &mut Turn<'_>, key: &Key) -> Result<(), Stop> {
        if let Some(entry) = self.entries.get_mut(key) {
            if entry.row.leaving {
                entry.row.leaving = false;
                entry.row.epoch += 1;
                entry.row.since_ms = turn.now_ms;
                entry.row.begin_anew(Step::Tell);
                rows::write(turn.sql, key, &entry.row)?;
            }
            return Ok(());
        }
        self.expect_room()?;
        let row = Row {
            since_ms: turn.now_ms,
            epoch: turn.now_ms,
            steps: vec![Step::Tell],
            ..Row::default()
        };
        self.insert(turn, key.clone(), row)?;
        Ok(())
    }

    /// A subscription that is not being deleted and has not too much to do.
    fn alive(&mut self, key: &Key) -> Result<&mut Entry, Fault> {
        let name: String = key.1.chars().take(128).collect();
        match self.entries.get_mut(key) {
            None => {
                let detail = format!("there is no subscription {name:?} of this pattern");
                Err(Fault::new(ErrorCode::NotFound, detail))
            }
            Some(entry) if entry.row.leaving || entry.row.steps.len() > PATTERN_STEPS_MAX => {
                let detail = "not all topics know yet what became of it before; try again";
                let fault = Fault::new(ErrorCode::Unavailable, detail);
                Err(fault.with(|figures| figures.retry_after_ms = Some(SECOND)))
            }
            Some(entry) => Ok(entry),
        }
    }

    fn list(&self, pattern: &str, after: Option<&str>, limit: u32) -> PatternReply {
        let after = after.unwrap_or_default();
        let of_it = self.entries.iter().filter(|((of, name), entry)| {
            of == pattern && name.as_str() > after && !entry.row.leaving
        });
        let mut states: Vec<PatternState> = of_it
            .take(limit as usize + 1)
            .map(|(key, entry)| state_of(key, entry))
            .collect();
        let more = states.len() > limit as usize;
        states.truncate(limit as usize);
        PatternReply::Subscriptions { states, more }
    }

    fn wait(&mut self, turn: &Turn<'_>, token: u32, key: Key, created: Option<bool>) {
        let until_ms = turn.now_ms + WAIT_MS;
        self.waiting.push(Waiting {
            token,
            key,
            until_ms,
            created,
        });
    }

    /// Answers who waited until all topics know, or long enough.
    fn answer_waiting(&mut self, turn: &mut Turn<'_>) {
        let (entries, now_ms) = (&self.entries, turn.now_ms);
        self.waiting.retain(|it| {
            let reply = match entries.get(&it.key) {
                None => PatternReply::Done,
                Some(entry) if entry.row.steps.is_empty() || it.until_ms <= now_ms => {
                    match it.created {
                        None => PatternReply::Done,
                        Some(created) => PatternReply::Subscription {
                            state: state_of(&it.key, entry),
                            created,
                        },
                    }
                }
                Some(_) => return true,
            };
            turn.out.replies.push((it.token, Ok(reply)));
            false
        });
    }

    fn arm(&mut self, turn: &mut Turn<'_>) {
        let is_busy = self.telling.is_busy() || self.entries.values().any(Entry::is_busy);
        let soon = self.more_work.then_some(turn.now_ms);
        // Should this object start anew meanwhile, nothing but its alarm wakes it.
        let retries = self.entries.values().filter_map(Entry::retry_at_ms);
        let retry = retries.chain(self.telling.retry_at_ms()).min();
        let next_ms = if is_busy {
            let lost = turn.now_ms + LOST_MS;
            let next = soon.or(retry).unwrap_or(lost);
            Some(next.clamp(turn.now_ms, lost))
        } else {
            None
        };
        if let Some(next_ms) = next_ms
            && self.armed_ms.is_none_or(|armed| next_ms < armed)
        {
            self.armed_ms = Some(next_ms);
            turn.out.alarm_at_ms = Some(next_ms);
        }
        turn.out.timer_at_ms = soon.or(self.waiting.iter().map(|it| it.until_ms).min());
    }

    fn number(&mut self) -> u32 {
        self.last_number = self.last_number.wrapping_add(1);
        self.last_number
    }
}

impl Entry {
    fn is_busy(&self) -> bool {
        !self.row.steps.is_empty() || self.row.leaving
    }

    /// When its step is tried again, where that failed.
    fn retry_at_ms(&self) -> Option<Millis> {
        let waits = self.is_busy() && self.call.is_none() && self.failures > 0;
        waits.then_some(self.retry_at_ms)
    }
}

fn state_of(key: &Key, entry: &Entry) -> PatternState {
    PatternState {
        pattern: key.0.clone(),
        name: key.1.clone(),
        filter: entry.row.filter.clone(),
        target: entry.row.target.clone(),
        push: entry
            .row
            .target()
            .ok()
            .and_then(|it| it.push)
            .map(|push| push.shown()),
        endpoint: None,
        paused: entry.row.paused,
        settled: entry.row.steps.is_empty(),
    }
}

fn backoff_ms(failures: u32) -> Millis {
    SECOND << failures.min(8)
}
