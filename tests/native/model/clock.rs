//! What happens by itself, at the beginning of every turn, and what operators and publishers may do
//! to a message that exists.

use super::{At, Model};
use tidegate::command::State;
use tidegate::error::ErrorCode;

impl Model {
    /// Brings the queue to `now_ms`: leases and retries first, then delays and holds, then messages
    /// past their time to live, then those past the queue's retention.
    pub fn advance(&mut self, now_ms: u64, seed: Option<[u8; 32]>) {
        self.now_ms = self.now_ms.max(now_ms);
        let now_ms = self.now_ms;
        for seq in self
            .seqs(|at| matches!(at, At::Leased(_, until) | At::Waiting(until) if *until <= now_ms))
        {
            let max_attempts = self.limits.max_attempts;
            let message = self.messages.get_mut(&seq).unwrap();
            if matches!(message.at, At::Leased(..)) && message.attempts >= max_attempts {
                self.end(seq, State::Dead, false, true, None);
            } else {
                message.at = At::Queued;
            }
        }
        let mut due = Vec::new();
        for (seq, message) in self.live() {
            if let At::Delayed(at) | At::Held(at) = message.at
                && at <= now_ms
            {
                due.push((at, seq));
            }
        }
        due.sort_unstable();
        for (due_ms, seq) in due {
            self.last_due = (due_ms, seq);
            let message = self.messages.get_mut(&seq).unwrap();
            if matches!(message.at, At::Held(_)) {
                self.end(seq, State::Expired, true, true, None);
            } else {
                (message.at, message.taken, message.kept_from_ms) = (At::Queued, true, due_ms);
            }
        }
        self.expire();
        self.hold_draw(seed);
        self.admit();
    }

    fn expire(&mut self) {
        let now_ms = self.now_ms;
        for seq in self.seqs(|at| !matches!(at, At::Leased(..))) {
            let message = &self.messages[&seq];
            if message.expires_at_ms.is_some_and(|at| at <= now_ms) {
                // A held message that ends unconfirmed gives its place back, whatever ended it.
                let held = matches!(message.at, At::Held(_));
                self.end(seq, State::Expired, held, true, None);
            }
        }
        let retention_ms = self.limits.retention_ms;
        let is_over = |m: &super::Message| {
            m.at_ms + retention_ms <= now_ms || m.expires_at_ms.is_some_and(|at| at <= now_ms)
        };
        let over: Vec<u64> = self
            .line()
            .filter(|(_, m)| is_over(m))
            .map(|(seq, _)| seq)
            .collect();
        over.into_iter()
            .for_each(|seq| self.leave_line(seq, State::Expired));
        for seq in self.seqs(|at| matches!(at, At::Queued | At::Waiting(_))) {
            if self.messages[&seq].kept_from_ms + retention_ms <= now_ms {
                self.end(seq, State::Expired, false, false, None);
            }
        }
    }

    fn seqs(&self, is: impl Fn(&At) -> bool) -> Vec<u64> {
        self.live()
            .filter(|(_, m)| is(&m.at))
            .map(|(seq, _)| seq)
            .collect()
    }

    /// How many different instants of expiry have come; the engine works off sixteen a turn.
    pub fn expiries_due(&self, now_ms: u64) -> usize {
        let due = self
            .messages
            .values()
            .filter_map(|m| m.expires_at_ms)
            .filter(|at| *at <= now_ms);
        due.count()
    }

    pub fn confirm(&mut self, seq: u64) -> Result<(), ErrorCode> {
        let now_ms = self.now_ms;
        let message = self.known(seq)?;
        if !matches!(message.at, At::Held(_)) {
            return Err(ErrorCode::WrongState);
        }
        match message.due_ms.filter(|at| *at > now_ms) {
            Some(due_ms) => message.at = At::Delayed(due_ms),
            None => (message.at, message.taken, message.kept_from_ms) = (At::Queued, true, now_ms),
        }
        Ok(())
    }

    pub fn cancel(&mut self, seq: u64) -> Result<(), ErrorCode> {
        match self.known(seq)?.at {
            At::Leased(..) | At::Ended(_) => return Err(ErrorCode::WrongState),
            At::InLine => {
                self.leave_line(seq, State::Cancelled);
                return Ok(());
            }
            _ => {}
        }
        self.end(seq, State::Cancelled, true, true, None);
        Ok(())
    }

    fn known(&mut self, seq: u64) -> Result<&mut super::Message, ErrorCode> {
        self.messages.get_mut(&seq).ok_or(ErrorCode::NotFound)
    }

    /// Drops everything and starts counting afresh; identifiers and totals go on.
    pub fn purge(&mut self) {
        self.messages.clear();
        self.dead.clear();
        self.keys.clear();
        self.firsts.clear();
        self.accepted = 0;
        self.last_due = (0, 0);
        self.purged_seq = self.next_seq - 1;
    }

    /// Brings dead letters back, in order, as far as there is room. They are deliverable at once,
    /// which means: with the clock's work of a later turn.
    pub fn redrive(&mut self) -> u64 {
        let mut moved = 0;
        let all: Vec<u64> = self.dead.keys().copied().collect();
        for seq in all {
            let dead = &self.dead[&seq];
            let (bytes, max_bytes) = (dead.body.len() as u64, self.limits.max_bytes);
            if max_bytes > 0 && bytes > max_bytes {
                continue;
            }
            let bytes = self.bytes() + bytes;
            if self.depth() >= self.limits.max_messages || bytes > max_bytes {
                break;
            }
            // One that died in the line was never given a place.
            if dead.at == At::InLine {
                if self.is_sold_out() || self.line().next().is_some() {
                    continue;
                }
                self.accepted += 1;
                if let Some(key) = dead
                    .key
                    .clone()
                    .filter(|_| self.limits.max_per_key.is_some())
                {
                    *self.keys.entry(key).or_default() += 1;
                }
            }
            let due_ms = self.now_ms.max(self.last_due.0 + 1);
            let dead = self.dead.remove(&seq).unwrap();
            let at = At::Delayed(due_ms);
            let (attempts, expires_at_ms, due_ms) = (0, None, None);
            let message = super::Message {
                at,
                attempts,
                expires_at_ms,
                due_ms,
                taken: false,
                revived: true,
                ..dead
            };
            self.messages.insert(seq, message);
            moved += 1;
        }
        moved
    }
}
