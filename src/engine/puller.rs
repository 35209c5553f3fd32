//! Pulls that wait: who they are, and what each has seen.
//!
//! Served first come, first served, by the turn that made messages available; nobody polls. What a
//! turn hands out and looks at is bounded for all of them together: those it does not get to go
//! first in the next one. A filter looks at each message once: where a pull has come is kept until
//! something becomes ready before it.

use super::outstanding::Came;
use super::pull::{Leased, Want};
use super::queue::{Queue, Turn};
use crate::command::{Acknowledged, Pull, Reply};
use crate::limits::PULL_LOOK_MS_MAX;
use crate::store::StoreError;
use crate::time::Millis;
use std::collections::VecDeque;
use std::rc::Rc;

/// A pull that waits.
pub(super) struct Puller {
    pub token: u32,
    pub until_ms: Millis,
    want: Want,
    /// It waits only until everything there is was looked at.
    is_brief: bool,
    /// What came with it, and is done.
    acknowledged: Option<Acknowledged>,
    filter: Option<Rc<str>>,
}

impl Puller {
    pub fn new(
        token: u32,
        want: Want,
        now_ms: Millis,
        pull: &Pull<'_>,
        acknowledged: Option<Acknowledged>,
    ) -> Self {
        let is_brief = pull.wait_ms == 0;
        let wait_ms = if is_brief {
            PULL_LOOK_MS_MAX
        } else {
            pull.wait_ms
        };
        Self {
            token,
            until_ms: now_ms + wait_ms,
            want,
            is_brief,
            acknowledged,
            filter: pull.filter.map(Rc::from),
        }
    }

    /// Whether both look for the same.
    pub fn is_like(&self, other: &Self) -> bool {
        self.filter.is_some() && self.filter == other.filter
    }

    /// What one like it has seen is not for it either.
    pub fn saw_as(&mut self, like: &Self) {
        self.want.seen.join(&like.want.seen);
    }

    /// Whether it is answered with nothing.
    fn is_over(&self, leased: &Leased, now_ms: Millis) -> bool {
        self.until_ms <= now_ms || (self.is_brief && !leased.is_cut)
    }
}

impl Queue {
    /// Tells waiting pulls what became deliverable, and who calls.
    pub(super) fn tell_came(&mut self) -> Came {
        let came = self.outstanding.take_came();
        if !came.is_empty() {
            let pulls = self.waiters.pulls.iter_mut();
            pulls.for_each(|it| it.want.seen.note(&came));
        }
        came
    }

    /// Gives what is deliverable to waiting pulls, in the order they came, and ends those whose
    /// time is over.
    pub(super) fn serve_pulls(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        self.waiters.is_cut = false;
        if !self.waiters.has_pulls() {
            return Ok(());
        }
        self.tell_came();
        let mut pulls = std::mem::take(&mut self.waiters.pulls);
        // Those that were looked for in vain; those that this turn does not get to, and those that
        // it does not get through with.
        let (mut left, mut next, mut cut) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        let mut is_dry = false;
        while let Some(mut puller) = pulls.pop_front() {
            let is_served = turn.looks_left > 0 && turn.answers.has_room();
            let leased = if is_dry && puller.filter.is_none() {
                Leased::nothing(false)
            } else if turn.answers.has_room() {
                self.lease_for_answer(turn, &mut puller.want)?
            } else {
                Leased::nothing(true)
            };
            let came = self.outstanding.take_came();
            if !came.is_empty() {
                let others = pulls.iter_mut().chain(&mut left).chain(&mut next);
                others
                    .chain(&mut cut)
                    .for_each(|it| it.want.seen.note(&came));
            }
            // Without a filter, nothing for one means nothing for the others.
            is_dry |= leased.is_dry() && puller.filter.is_none();
            if leased.messages.is_empty() && !puller.is_over(&leased, turn.now_ms) {
                match (leased.is_cut, is_served) {
                    (false, _) => left.push_back(puller),
                    (true, false) => next.push_back(puller),
                    (true, true) => cut.push_back(puller),
                }
                continue;
            }
            let reply = Reply::Pulled {
                acknowledged: puller.acknowledged,
                messages: leased.messages,
                depth: self.depth(),
            };
            turn.out.replies.push((puller.token, Ok(reply)));
        }
        next.append(&mut cut);
        self.waiters.is_cut = !next.is_empty();
        next.append(&mut left);
        self.waiters.pulls = next;
        Ok(())
    }
}
