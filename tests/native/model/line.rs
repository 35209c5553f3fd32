//! Who waits for a place, and who gets it.

use super::{At, Message, Model};
use tidegate::command::State;

impl Model {
    /// Those who wait, the first in line first.
    pub fn line(&self) -> impl Iterator<Item = (u64, &Message)> {
        let waits = self.messages.iter().filter(|(_, m)| m.at == At::InLine);
        waits.map(|(seq, m)| (*seq, m))
    }

    /// The place of one who waits; 1 is next.
    pub fn place_in_line(&self, seq: u64) -> u64 {
        self.line().take_while(|(other, _)| *other <= seq).count() as u64
    }

    /// Admits the first in line for whom there is room, in order.
    pub fn admit(&mut self) {
        let first = |model: &Self| {
            let mut line = model.line();
            line.next().map(|(seq, m)| (seq, m.body.len() as u64))
        };
        while let Some((seq, bytes)) = first(self) {
            if self.is_backlog_full(bytes) || self.is_sold_out() {
                break;
            }
            let (hold_ms, delay_ms) = self.messages[&seq].wish;
            self.accepted += 1;
            self.totals.accepted += 1;
            let mut at = self.placed(hold_ms, delay_ms);
            if let At::Held(due_ms) | At::Delayed(due_ms) = &mut at
                && (*due_ms, seq) <= self.last_due
            {
                *due_ms = self.last_due.0 + 1;
            }
            let now_ms = self.now_ms;
            let message = self.messages.get_mut(&seq).unwrap();
            message.due_ms = (delay_ms > 0).then_some(now_ms + delay_ms);
            (message.at, message.kept_from_ms) = (at, now_ms);
        }
    }

    /// Takes a message out of the line. It has no place to give back, but its key's share.
    pub fn leave_line(&mut self, seq: u64, state: State) {
        self.accepted += 1;
        self.end(seq, state, true, true, None);
    }

    pub fn is_sold_out(&self) -> bool {
        self.limits
            .max_accepted
            .is_some_and(|max| self.accepted >= max)
    }

    /// Where a message stands that gets its place now.
    pub fn placed(&self, hold_ms: Option<u64>, delay_ms: u64) -> At {
        match (hold_ms, delay_ms) {
            (Some(hold_ms), _) => At::Held(self.now_ms + hold_ms),
            (None, 0) => At::Queued,
            (None, delay_ms) => At::Delayed(self.now_ms + delay_ms),
        }
    }
}
