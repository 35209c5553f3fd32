//! Who waits for a place, and who gets it.

use super::{At, End, Message, Model};
use sha2::{Digest, Sha256};
use tidegate::command::State;

/// A draw: to come, or over.
#[derive(Clone, Debug)]
pub struct Draw {
    pub at_ms: u64,
    /// The first who takes part.
    pub from_seq: u64,
    pub is_over: bool,
}

impl Model {
    /// Those who wait, the first in line first.
    pub fn line(&self) -> impl Iterator<Item = (u64, &Message)> {
        let waits = self.messages.iter().filter(|(_, m)| m.at == At::InLine);
        waits.map(|(seq, m)| (*seq, m))
    }

    /// The place of one who waits; 1 is next. None where a draw decides.
    pub fn place_in_line(&self, seq: u64) -> Option<u64> {
        let ahead = self.line().take_while(|(other, _)| *other <= seq);
        (!self.is_held_back(seq)).then(|| ahead.count() as u64)
    }

    /// What the next who joins is told; zero where a draw decides.
    pub fn place_of_next(&self) -> u64 {
        let last = self.line().count() as u64 + 1;
        if self.is_held_back(self.next_seq) {
            0
        } else {
            last
        }
    }

    /// How many before it were not drawn.
    pub fn losers_before(&self, seq: u64) -> u64 {
        let lost = |m: &Message| matches!(&m.at, At::Ended(end) if end.state == State::NotDrawn);
        self.messages.range(..seq).filter(|(_, m)| lost(m)).count() as u64
    }

    /// Whether a draw to come decides.
    fn is_held_back(&self, seq: u64) -> bool {
        let draw = self.draw.as_ref().filter(|draw| !draw.is_over);
        draw.is_some_and(|draw| seq >= draw.from_seq)
    }

    /// Brings the draw in line with the configuration.
    pub fn plan_draw(&mut self) {
        let pending = self.draw.as_ref().is_some_and(|draw| !draw.is_over);
        match (&mut self.draw, self.limits.draw_at_ms) {
            (Some(draw), Some(at_ms)) if draw.at_ms == at_ms => {}
            (Some(draw), Some(at_ms)) if pending => draw.at_ms = at_ms,
            (draw, None) if pending => *draw = None,
            (_, None) => {}
            (draw, Some(at_ms)) => {
                *draw = Some(Draw {
                    at_ms,
                    from_seq: self.next_seq,
                    is_over: false,
                });
            }
        }
    }

    /// Holds the draw that is due: as many as there is room for win, by the hashes of their
    /// identifiers.
    pub fn hold_draw(&mut self, seed: Option<[u8; 32]>) {
        let Some(from_seq) = self
            .draw
            .as_ref()
            .filter(|draw| !draw.is_over && draw.at_ms <= self.now_ms)
            .map(|draw| draw.from_seq)
        else {
            return;
        };
        let seed = seed.expect("the seed is known after the draw");
        let rank = |m: &Message| -> [u8; 32] {
            let text = [&seed[..], m.id.to_string().as_bytes()].concat();
            Sha256::digest(text).into()
        };
        let earlier = self.line().filter(|(seq, _)| *seq < from_seq).count() as u64;
        let stock = self.limits.max_accepted.unwrap_or(u64::MAX);
        let places = stock
            .saturating_sub(self.accepted)
            .min(self.limits.max_messages.saturating_sub(self.depth()))
            .saturating_sub(earlier);
        let mut bytes = self.limits.max_bytes.saturating_sub(self.bytes());
        let mut all: Vec<_> = self
            .line()
            .filter(|(seq, _)| *seq >= from_seq)
            .map(|(seq, m)| (rank(m), seq, m.body.len() as u64))
            .collect();
        all.sort_unstable();
        let winners = all.iter().take(places as usize).take_while(|(_, _, size)| {
            let fits = *size <= bytes;
            bytes = bytes.saturating_sub(*size);
            fits
        });
        let winners = winners.count();
        for (_, seq, _) in all.drain(winners..) {
            let end = End {
                state: State::NotDrawn,
                at_ms: self.now_ms,
                result: None,
                noted: false,
                by_age: true,
            };
            self.messages.get_mut(&seq).unwrap().at = At::Ended(end);
        }
        self.draw.as_mut().unwrap().is_over = true;
    }

    /// Admits the first in line for whom there is room, in order.
    pub fn admit(&mut self) {
        let first = |model: &Self| {
            let mut line = model.line();
            line.next().map(|(seq, m)| (seq, m.body.len() as u64))
        };
        while let Some((seq, bytes)) = first(self) {
            if self.is_backlog_full(0) || self.is_sold_out() || self.is_held_back(seq) {
                break;
            }
            // A retention that was shortened in this very turn counts from now on.
            if self.messages[&seq].at_ms + self.limits.retention_ms <= self.now_ms {
                self.leave_line(seq, State::Expired);
                continue;
            }
            if self.limits.max_bytes > 0 && bytes > self.limits.max_bytes {
                self.leave_line(seq, State::Dead);
                continue;
            }
            if self.is_backlog_full(bytes) {
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
