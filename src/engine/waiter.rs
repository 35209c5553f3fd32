//! Requests that wait: pulls for messages, reads for a change of state. In memory only.
//!
//! Pulls are served first come, first served, by the turn that made messages available; nobody
//! polls. Reads that wait for an end are looked at when their message ended; reads that wait for
//! any change (the event streams), whose position changes with every delivery, at most every
//! `CHANGE_MS`.

use super::Stop;
use super::inspect::wait_is_over;
use super::puller::Puller;
use super::queue::{Queue, Turn};
use crate::command::{Accepted, Draft, Reply, Wait};
use crate::error::{ErrorCode, Fault};
use crate::id::Id;
use crate::limits::{WAIT_MS_MAX, WAITERS_MAX};
use crate::store::StoreError;
use crate::time::Millis;
use std::collections::{BTreeSet, HashSet, VecDeque};

/// How often positions are looked at for event streams.
const CHANGE_MS: Millis = 200;

/// Whether one more request may wait where so many do.
///
/// # Errors
/// `overloaded`.
pub(super) fn expect_place(waiting: usize) -> Result<(), Fault> {
    if waiting < WAITERS_MAX {
        return Ok(());
    }
    let detail = format!("{WAITERS_MAX} requests wait here already");
    Err(Fault::new(ErrorCode::Overloaded, detail).with(|f| f.retry_after_ms = Some(1_000)))
}

#[derive(Clone)]
struct Reader {
    token: u32,
    id: Id,
    wait: Wait,
    until_ms: Millis,
    /// What its publisher is told when the time is over: that it was accepted.
    accepted: Option<Accepted>,
}

impl Reader {
    fn is_stream(&self) -> bool {
        matches!(self.wait, Wait::Change { .. })
    }
}

/// All requests that wait in one queue.
#[derive(Default)]
pub(super) struct Waiters {
    pub pulls: VecDeque<Puller>,
    /// Whether there are pulls that a turn did not get to.
    pub is_cut: bool,
    readers: Vec<Reader>,
    /// Sequence numbers that became final, or left the line, since readers were last looked at.
    finished: HashSet<u64>,
    all_changed: bool,
    next_change_ms: Millis,
}

impl Waiters {
    pub fn has_pulls(&self) -> bool {
        !self.pulls.is_empty()
    }

    pub fn add_pull(&mut self, mut puller: Puller) -> Result<(), Fault> {
        self.check_room()?;
        if let Some(like) = self.pulls.iter().find(|it| it.is_like(&puller)) {
            puller.saw_as(like);
        }
        self.pulls.push_back(puller);
        Ok(())
    }

    pub fn add_reader(
        &mut self,
        token: u32,
        id: Id,
        wait: Wait,
        now_ms: Millis,
    ) -> Result<(), Fault> {
        self.check_room()?;
        let wait_ms = match wait {
            Wait::None => 0,
            Wait::Final { wait_ms }
            | Wait::Admission { wait_ms }
            | Wait::Change { wait_ms, .. } => wait_ms.min(WAIT_MS_MAX),
        };
        self.readers.push(Reader {
            token,
            id,
            wait,
            until_ms: now_ms + wait_ms,
            accepted: None,
        });
        Ok(())
    }

    /// A publisher that waits for the end of its message; the same back where nobody more can wait.
    pub fn add_publisher(
        &mut self,
        token: u32,
        accepted: Accepted,
        wait_ms: Millis,
        now_ms: Millis,
    ) -> Option<Accepted> {
        if self.check_room().is_err() {
            return Some(accepted);
        }
        self.readers.push(Reader {
            token,
            id: accepted.id,
            wait: Wait::Final { wait_ms },
            until_ms: now_ms + wait_ms,
            accepted: Some(accepted),
        });
        None
    }

    /// Whether one more may wait.
    pub fn has_room(&self) -> bool {
        self.check_room().is_ok()
    }

    fn check_room(&self) -> Result<(), Fault> {
        expect_place(self.pulls.len() + self.readers.len())
    }

    pub fn cancel(&mut self, token: u32) {
        self.pulls.retain(|p| p.token != token);
        self.readers.retain(|r| r.token != token);
    }

    /// Notes that a message became final, or that it waits no longer.
    pub fn finished(&mut self, seq: u64) {
        if !self.readers.is_empty() {
            self.finished.insert(seq);
        }
    }

    /// Notes that all messages are gone.
    pub fn purged(&mut self) {
        self.all_changed = true;
    }

    pub fn all_tokens(&mut self) -> Vec<u32> {
        let pulls = std::mem::take(&mut self.pulls).into_iter().map(|p| p.token);
        let readers = std::mem::take(&mut self.readers)
            .into_iter()
            .map(|r| r.token);
        pulls.chain(readers).collect()
    }

    /// When a turn is needed for those who wait; `more_work`: at once.
    pub fn next_timer_ms(&self, now_ms: Millis, more_work: bool) -> Option<Millis> {
        if self.pulls.is_empty() && self.readers.is_empty() {
            return None;
        }
        if more_work || self.is_cut {
            return Some(now_ms);
        }
        let streams = self
            .readers
            .iter()
            .any(|r| matches!(r.wait, Wait::Change { .. }));
        let change = streams.then_some(self.next_change_ms.max(now_ms + CHANGE_MS));
        let pulls = self.pulls.iter().map(|p| p.until_ms).min();
        let readers = self.readers.iter().map(|r| r.until_ms).min();
        [change, pulls, readers].into_iter().flatten().min()
    }
}

impl Queue {
    /// Publishes, and answers once the message is final or the time is over; at once where nobody
    /// more can wait.
    pub(super) fn publish_and_wait(
        &mut self,
        turn: &mut Turn<'_>,
        token: u32,
        draft: &Draft<'_>,
        wait_ms: Millis,
    ) -> Result<Option<Reply>, Stop> {
        let next_seq = self.meta.next_seq;
        let accepted = self.publish(turn, draft)?;
        if accepted.seq < next_seq {
            // A repeat: the first may have ended long ago, and been forgotten.
            match self.state_of(turn, accepted.id) {
                Ok(state) if state.state.is_final() => return Ok(Some(Reply::State(state))),
                Ok(_) => {}
                Err(Stop::Fault(_)) => return Ok(Some(Reply::Accepted(accepted))),
                Err(stop) => return Err(stop),
            }
        }
        let wait_ms = wait_ms.min(WAIT_MS_MAX);
        let left = self
            .waiters
            .add_publisher(token, accepted, wait_ms, turn.now_ms);
        Ok(left.map(Reply::Accepted))
    }

    /// Answers reads whose message changed as they wait for, or whose time is over.
    pub(super) fn answer_readers(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let look_at_streams = self.waiters.next_change_ms <= turn.now_ms;
        if look_at_streams {
            // At most a thousand changes of position a second, however many follow them.
            let streams = self.waiters.readers.iter().filter(|r| r.is_stream());
            let pause_ms = CHANGE_MS.max(streams.count() as Millis);
            self.waiters.next_change_ms = turn.now_ms + pause_ms;
        }
        let finished = std::mem::take(&mut self.waiters.finished);
        let all = std::mem::take(&mut self.waiters.all_changed);
        let mut answered = BTreeSet::new();
        for at in 0..self.waiters.readers.len() {
            let reader = &self.waiters.readers[at];
            let over = reader.until_ms <= turn.now_ms;
            let stream = look_at_streams && reader.is_stream();
            if !(all || over || stream || finished.contains(&reader.id.seq())) {
                continue;
            }
            let Reader {
                token,
                id,
                wait,
                accepted,
                ..
            } = reader.clone();
            let reply = match (self.state_of(turn, id), accepted) {
                (Ok(state), _) if wait_is_over(&state, wait) => Ok(Reply::State(state)),
                (Ok(state), None) if over => Ok(Reply::State(state)),
                (Ok(_), Some(accepted)) if over => Ok(Reply::Accepted(accepted)),
                (Ok(_), _) => continue,
                (Err(Stop::Fault(_)), Some(accepted)) => Ok(Reply::Accepted(accepted)),
                (Err(Stop::Fault(fault)), None) => Err(fault),
                (Err(Stop::Store(error)), _) => return Err(error),
            };
            turn.out.replies.push((token, reply));
            answered.insert(token);
        }
        self.waiters
            .readers
            .retain(|reader| !answered.contains(&reader.token));
        Ok(())
    }
}
