//! Pulls that wait: who they are, and what each has seen.
//!
//! Served first come, first served, by the turn that made messages available; nobody polls. What a
//! turn hands out and looks at is bounded for all of them together: those it does not get to go
//! first in the next one. A filter looks at each message once: where a pull has come is kept until
//! something becomes ready before it.

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
        self.want.seen = self.want.seen.max(like.want.seen);
    }

    /// Something became ready: what was seen ends before it.
    fn saw_before(&mut self, (rank, seq): (u8, u64)) {
        self.want.seen = self.want.seen.min(Some((rank, seq.saturating_sub(1))));
    }

    /// Whether it is answered with nothing.
    fn is_over(&self, leased: &Leased, now_ms: Millis) -> bool {
        self.until_ms <= now_ms || (self.is_brief && !leased.is_cut)
    }
}

impl Queue {
    /// Gives what is deliverable to waiting pulls, in the order they came, and ends those whose
    /// time is over.
    pub(super) fn serve_pulls(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        self.waiters.is_cut = false;
        if !self.waiters.has_pulls() {
            return Ok(());
        }
        let mut pulls = std::mem::take(&mut self.waiters.pulls);
        // Those that were looked for in vain, and those that this turn does not get to.
        let (mut left, mut next) = (VecDeque::new(), VecDeque::new());
        if let Some(came) = self.outstanding.take_came() {
            pulls.iter_mut().for_each(|it| it.saw_before(came));
        }
        let mut is_dry = false;
        while let Some(mut puller) = pulls.pop_front() {
            let leased = if is_dry && puller.filter.is_none() {
                Leased::nothing(false)
            } else if turn.answers.has_room() {
                self.lease_for_answer(turn, &mut puller.want)?
            } else {
                Leased::nothing(true)
            };
            if let Some(came) = self.outstanding.take_came() {
                let others = pulls.iter_mut().chain(&mut left).chain(&mut next);
                others.for_each(|it| it.saw_before(came));
            }
            // Without a filter, nothing for one means nothing for the others.
            is_dry |= leased.is_dry() && puller.filter.is_none();
            if leased.messages.is_empty() && !puller.is_over(&leased, turn.now_ms) {
                if leased.is_cut { &mut next } else { &mut left }.push_back(puller);
                continue;
            }
            let reply = Reply::Pulled {
                acknowledged: puller.acknowledged,
                messages: leased.messages,
                depth: self.depth(),
            };
            turn.out.replies.push((puller.token, Ok(reply)));
        }
        self.waiters.is_cut = !next.is_empty();
        next.append(&mut left);
        self.waiters.pulls = next;
        Ok(())
    }
}
