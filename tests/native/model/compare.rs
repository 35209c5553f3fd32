//! Whether both say the same: every answer, every figure, every wake-up.

use super::deliver::Settle;
use super::limits::Wish;
use super::play::Play;
use super::steps::Op;
use super::{At, Figures, First, Message, Totals, Waiter};
use tidegate::command::reply::Acknowledged;
use tidegate::command::{Accepted, Delivery, MessageState, Reply, State};
use tidegate::error::{ErrorCode, Fault};

impl Play {
    /// What both say to one command.
    pub fn compare(&mut self, op: &Op, token: u32) {
        if let Op::Pull { .. } | Op::SettleAndPull(..) = op {
            return self.compare_asked(op, token);
        }
        let reply = self
            .bench
            .answer(token)
            .unwrap_or_else(|| panic!("no answer to {op:?}"));
        match (op, reply) {
            (Op::Publish(wish), reply) => {
                let reply = reply.map(|r| {
                    if let Reply::Accepted(a) = r {
                        a
                    } else {
                        panic!("{r:?}")
                    }
                });
                self.compare_published(wish, reply);
            }
            (Op::Batch(wishes), Ok(Reply::Batch(verdicts))) => {
                assert_eq!(wishes.len(), verdicts.len());
                wishes
                    .iter()
                    .zip(verdicts)
                    .for_each(|(wish, verdict)| self.compare_published(wish, verdict));
            }
            (Op::Settle(entries), Ok(Reply::Acknowledged(done))) => {
                self.compare_settled(entries, &done);
            }
            (Op::Confirm(seq), reply) => {
                let expected = self.model.confirm(*seq);
                self.compare_done(*seq, expected, reply.map(|_| ()));
            }
            (Op::Cancel(seq), reply) => {
                let expected = self.model.cancel(*seq);
                self.compare_done(*seq, expected, reply.map(|_| ()));
            }
            (Op::Inspect(seq), reply) => {
                let reply = reply.map(|r| {
                    if let Reply::State(s) = r {
                        s
                    } else {
                        panic!("{r:?}")
                    }
                });
                self.compare_state(*seq, reply);
            }
            (Op::Browse { after_seq, limit }, Ok(Reply::Browsed(found))) => {
                self.compare_browsed(*after_seq, *limit, &found);
            }
            (Op::Configure(limits), reply) => {
                let expected = self.model.configure(limits);
                assert_eq!(reply.map(|_| ()).map_err(|fault| fault.code), expected);
            }
            (Op::Describe, Ok(Reply::Described { description, .. })) => {
                self.compare_figures(&description)
            }
            (Op::Purge, Ok(Reply::Done)) => self.model.purge(),
            (Op::Pause(paused), Ok(Reply::Done)) => self.model.paused = *paused,
            (Op::Redrive, Ok(Reply::Moved(moved) | Reply::MovedTo { moved, .. })) => {
                assert_eq!(moved, self.model.redrive());
            }
            (op, reply) => panic!("{op:?} was answered {reply:?}"),
        }
    }

    fn compare_asked(&mut self, op: &Op, token: u32) {
        let (batch_size, lease_ms, wait_ms) = match op {
            Op::Pull {
                batch_size,
                lease_ms,
                wait_ms,
            } => (*batch_size, *lease_ms, *wait_ms),
            Op::SettleAndPull(_, batch_size) => (*batch_size, None, 0),
            _ => return,
        };
        let waiter = Waiter {
            token,
            batch_size,
            lease_ms,
            until_ms: self.model.now_ms + wait_ms,
        };
        if let Some(pulled) = self.model.ask(waiter) {
            self.compare_pulled(token, &pulled);
        }
    }

    /// What was settled by a command whose pull comes later in the turn.
    pub fn compare_settled_first(&mut self, entries: &[Entry], token: u32) {
        let replies = &self.bench.last.replies;
        let reply = replies.iter().find(|(of, _)| *of == token);
        let Some((_, Ok(Reply::Pulled { acknowledged, .. }))) = reply else {
            panic!("{entries:?} was answered {reply:?}");
        };
        let done = acknowledged.clone().expect("what was settled");
        self.compare_settled(entries, &done);
    }

    fn compare_settled(&mut self, entries: &[Entry], done: &Acknowledged) {
        let mut wrong = Vec::new();
        for (seq, lease, settle) in ordered(entries) {
            match self.model.settle(*seq, lease, settle) {
                Ok(()) => {}
                // An altered lease is of no queue at all.
                Err(_) if !self.leases.iter().any(|(_, l)| l == lease) => {
                    wrong.push((lease.clone(), ErrorCode::BadRequest));
                }
                Err(code) => wrong.push((lease.clone(), code)),
            }
        }
        let errors = done
            .errors
            .iter()
            .map(|it| (it.lease_id.clone(), it.fault.code));
        assert_eq!(errors.collect::<Vec<_>>(), wrong);
        let applied = done.acked + done.retried + done.extended;
        assert_eq!(applied as usize + wrong.len(), entries.len());
    }

    fn compare_published(&mut self, wish: &Wish, reply: Result<Accepted, Fault>) {
        let reply = reply.map_err(|fault| fault.code);
        let expected = self.model.publish(wish);
        let figures = |a: Accepted| First {
            seq: a.seq,
            at_ms: a.timestamp_ms,
            position: a.waiting.map_or(a.position, |w| w.position.unwrap_or(0)),
            waits: a.waiting.is_some(),
        };
        assert_eq!(reply.clone().map(figures), expected, "publish of {wish:?}");
        if let Ok(accepted) = reply {
            let is_new = !self.ids.contains_key(&accepted.seq);
            let id = *self.ids.entry(accepted.seq).or_insert(accepted.id);
            assert_eq!(
                (id, id.seq(), id.at_ms()),
                (accepted.id, accepted.seq, accepted.timestamp_ms)
            );
            if let Some(message) = self.model.messages.get_mut(&accepted.seq) {
                message.id = id;
            }
            let limits = &self.model.limits;
            let fits =
                self.model.depth() <= limits.max_messages && self.model.bytes() <= limits.max_bytes;
            assert!(
                !is_new
                    || expected.unwrap().waits
                    || fits
                        && limits
                            .max_accepted
                            .is_none_or(|max| self.model.accepted <= max)
            );
        }
    }

    pub fn compare_pulled(&mut self, token: u32, expected: &[u64]) {
        let Some(Ok(Reply::Pulled { messages, .. })) = self.bench.answer(token) else {
            panic!("no messages for {token}, but {expected:?}");
        };
        let seqs: Vec<u64> = messages.iter().map(|d| d.seq).collect();
        let shown = |seq: &u64| {
            self.model
                .messages
                .get(seq)
                .map(|m| (*seq, m.lane, m.taken, &m.at))
        };
        let both: Vec<_> = seqs.iter().chain(expected).map(shown).collect();
        assert_eq!(seqs, expected, "pulled: {both:?}");
        for delivery in messages {
            let message = self.model.messages.get_mut(&delivery.seq).unwrap();
            compare_delivery(message, &delivery);
            let lease = delivery.lease_id.unwrap().to_string();
            assert!(
                self.leases.iter().all(|(_, old)| *old != lease),
                "a lease was given out twice"
            );
            let At::Leased(id, _) = &mut message.at else {
                panic!("{message:?}")
            };
            id.clone_from(&lease);
            self.leases.push((delivery.seq, lease));
        }
    }

    fn compare_done(&self, seq: u64, expected: Result<(), ErrorCode>, reply: Result<(), Fault>) {
        let reply = reply.map_err(|fault| fault.code);
        let ended = self.model.messages.get(&seq).and_then(|m| {
            if let At::Ended(end) = &m.at {
                Some(end)
            } else {
                None
            }
        });
        let forgotten = ended.is_some_and(|end| self.model.may_be_forgotten(seq, end));
        assert!(
            reply == expected || forgotten && reply == Err(ErrorCode::NotFound),
            "{seq}: {reply:?}, not {expected:?}"
        );
    }

    fn compare_state(&self, seq: u64, reply: Result<MessageState, Fault>) {
        let Some(message) = self.model.messages.get(&seq) else {
            assert_eq!(
                reply.map_err(|f| f.code).err(),
                Some(ErrorCode::NotFound),
                "{seq} is unknown or purged"
            );
            return;
        };
        let expected = match &message.at {
            At::Ended(end) if reply.is_err() => {
                assert!(
                    self.model.may_be_forgotten(seq, end),
                    "{seq} was forgotten: {end:?}"
                );
                return;
            }
            At::Ended(end) => {
                // Messages past their queue's retention are forgotten with their end.
                assert!(
                    end.noted || matches!(end.state, State::Done | State::NotDrawn),
                    "{seq} is {:?}, not gone",
                    reply.unwrap().state
                );
                end.state
            }
            at => state(at),
        };
        let found = reply.unwrap();
        assert_eq!(found.state, expected, "state of {seq}");
        assert_eq!(found.id, self.ids[&seq]);
        match &message.at {
            At::Ended(end) => assert_eq!(found.result, end.result),
            At::InLine => {
                let place = self.model.place_in_line(seq);
                // Those who lost behind somebody who waits for room still count.
                let at_most = place.map(|place| place + self.model.losers_before(seq));
                assert!(
                    (place..=at_most).contains(&found.position),
                    "{seq} stands at {:?}, not {place:?}",
                    found.position
                );
            }
            _ => assert_eq!(found.attempts, Some(message.attempts), "attempts of {seq}"),
        }
        if expected == State::Queued {
            let positions = self.model.positions(seq);
            let position = found.position.unwrap();
            assert!(
                positions.contains(&position),
                "{seq} stands at {position}, not in {positions:?}"
            );
        }
    }

    fn compare_browsed(&self, after_seq: u64, limit: u32, found: &[Delivery]) {
        let expected: Vec<_> = self
            .model
            .live()
            .filter(|(seq, _)| *seq > after_seq)
            .take(limit as usize)
            .collect();
        let seqs: Vec<u64> = found.iter().map(|d| d.seq).collect();
        assert_eq!(
            seqs,
            expected.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(),
            "browsed"
        );
        for (delivery, (seq, message)) in found.iter().zip(expected) {
            compare_delivery(message, delivery);
            assert_eq!(delivery.state, Some(state(&message.at)), "state of {seq}");
            assert_eq!(delivery.lease_id, None);
        }
    }

    fn compare_figures(&mut self, found: &tidegate::command::Description) {
        let rejected = found.rejected.iter().map(|(_, _, n)| n).sum();
        if !self.rejected_exactly {
            assert!(rejected <= self.model.totals.rejected);
            self.model.totals.rejected = rejected;
            self.rejected_exactly = true;
        }
        let figures = Figures {
            depth: found.depth,
            in_flight: found.in_flight,
            delayed: found.delayed,
            held: found.held,
            waiting: found.waiting,
            dead: found.dead,
            backlog_bytes: found.backlog_bytes,
            accepted: found.accepted,
            paused: found.paused,
            oldest_at_ms: found.oldest_at_ms,
            totals: Totals {
                accepted: found.accepted_total,
                rejected,
                delivered: found.delivered_total,
                acked: found.acked_total,
                dead: found.dead_total,
                expired: found.expired_total,
                cancelled: found.cancelled_total,
            },
        };
        assert_eq!(figures, self.model.figures());
    }

    /// The alarm is set for whatever comes next by itself, and the timer for whoever waits.
    pub fn check_wakeups(&self) {
        let all = self.model.live().chain(self.model.line());
        let next_ms = all.flat_map(|(_, m)| {
            let own = match m.at {
                At::Leased(_, at) | At::Waiting(at) | At::Held(at) | At::Delayed(at) => Some(at),
                _ => None,
            };
            [
                own,
                m.expires_at_ms.filter(|_| !matches!(m.at, At::Leased(..))),
            ]
            .into_iter()
            .flatten()
            .min()
        });
        let draw = self.model.draw.iter().filter(|draw| !draw.is_over);
        let next_ms = next_ms.chain(draw.map(|draw| draw.at_ms));
        if let Some(next_ms) = next_ms.min() {
            let alarm_at_ms = self.bench.alarm_at_ms.unwrap_or(u64::MAX);
            assert!(
                alarm_at_ms <= next_ms.max(self.model.now_ms),
                "alarm at {alarm_at_ms}, due at {next_ms}"
            );
        }
        if let Some(until_ms) = self.model.waiters.iter().map(|w| w.until_ms).min() {
            assert!(self.bench.last.timer_at_ms.is_some_and(|at| at <= until_ms));
        }
    }
}

fn compare_delivery(message: &Message, delivery: &Delivery) {
    let seq = delivery.seq;
    assert_eq!(delivery.body.bytes(), message.body, "body of {seq}");
    assert_eq!(
        (&delivery.key, delivery.priority),
        (&message.key, message.priority),
        "{seq}"
    );
    assert_eq!(delivery.attempts, message.attempts, "attempts of {seq}");
    assert_eq!(delivery.timestamp_ms, message.at_ms, "acceptance of {seq}");
    assert!(
        message.revived || delivery.id == message.id,
        "identifier of {seq}"
    );
}

fn state(at: &At) -> State {
    match at {
        At::InLine => State::Waiting,
        At::Held(_) => State::Held,
        At::Delayed(_) | At::Waiting(_) => State::Delayed,
        At::Queued => State::Queued,
        At::Leased(..) => State::Leased,
        At::Ended(end) => end.state,
    }
}

/// A lease and what is done with it.
pub type Entry = (u64, String, Settle);

/// Entries as one call takes them: finished ones first, then those given back, then those
/// prolonged.
fn ordered(entries: &[Entry]) -> Vec<&Entry> {
    let mut ordered: Vec<&Entry> = entries.iter().collect();
    ordered.sort_by_key(|(_, _, settle)| match settle {
        Settle::Finish { .. } => 0,
        Settle::Retry(_) => 1,
        Settle::Extend(_) => 2,
    });
    ordered
}
