//! Plays one sequence of steps to the engine and to the model, and compares all there is to compare.

use super::deliver::Settle;
use super::limits::Wish;
use super::steps::{Op, Step};
use super::{At, Figures, First, Message, Model, Totals, Waiter};
use crate::bench::Bench;
use std::collections::BTreeMap;
use tidegate::command::{Accepted, Ack, AckEntry, Command, Delivery, Draft, MessageState, Pull, Reply, State, Wait};
use tidegate::error::{ErrorCode, Fault};
use tidegate::id::Id;

/// Both queues, and what their clients know.
pub struct Play {
    pub bench: Bench,
    pub model: Model,
    ids: BTreeMap<u64, Id>,
    /// Every lease there ever was.
    leases: Vec<(u64, String)>,
    fail_in: Option<u64>,
    /// Refusals are counted in memory until something else is written: a crash may forget the latest.
    rejected_exactly: bool,
    /// What was done, for the report of a failure.
    log: Vec<String>,
}

/// Plays `steps` from a fresh queue and then empties it.
pub fn run(steps: &[Step]) {
    let mut play = Play::new();
    let mut turn = Vec::new();
    for step in steps {
        match step.op(&play.model, &play.leases) {
            Op::Pass(ms) => play.pass(ms),
            Op::ToAlarm => play.pass_to_alarm(),
            Op::Crash => play.crash(),
            Op::Fail(n) => play.fail_in = Some(n),
            op => {
                turn.push(op);
                if !step.is_joined() {
                    play.turn(std::mem::take(&mut turn));
                    play.look();
                }
            }
        }
    }
    play.turn(turn);
    play.finish();
}

/// Plays what the generator makes of `seed`; says which seed it was when it fails.
pub fn run_seed(seed: u64, length: usize) {
    let mut random = crate::random::Random::new(seed);
    let mut steps: Vec<Step> = Vec::new();
    // Most runs begin with a configuration of their own.
    for _ in 0..random.below(6) {
        steps.push(Step { kind: 91, a: random.next() as u32, b: random.next() as u32, c: 0 });
    }
    for _ in 0..length {
        let [a, b, c] = [0; 3].map(|_| random.next() as u32);
        let joined = if random.below(3) == 0 { 0x80 } else { 0 };
        steps.push(Step { kind: random.below(125) as u8 | joined, a, b, c });
    }
    let _named = Named(seed, length);
    run(&steps);
}

/// Prints the seed when a run panics.
struct Named(u64, usize);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the run of TIDEGATE_SEED={} with {} steps failed", self.0, self.1);
        }
    }
}

impl Drop for Play {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let from = self.log.len().saturating_sub(40);
            self.log[from..].iter().for_each(|line| eprintln!("{line}"));
        }
    }
}

impl Play {
    fn new() -> Self {
        let mut bench = Bench::new("{}");
        answer_calls(&mut bench);
        let model = Model::new(bench.now_ms);
        Self {
            bench,
            model,
            ids: BTreeMap::new(),
            leases: Vec::new(),
            fail_in: None,
            rejected_exactly: true,
            log: Vec::new(),
        }
    }

    /// One turn in both. A turn that fails changes nothing.
    fn turn(&mut self, ops: Vec<Op>) {
        self.log.push(format!("{}: {ops:?}", self.bench.now_ms));
        let fails_at = self.fail_in.take().map(|n| self.bench.database.statements + n);
        self.bench.database.fail_at = fails_at;
        let alarm_at_ms = self.bench.alarm_at_ms;
        let commands: Vec<Command<'_>> = ops.iter().map(|op| self.command(op)).collect();
        let tokens = self.bench.turn(commands);
        self.bench.database.fail_at = None;
        if fails_at.is_some_and(|at| self.bench.database.statements >= at) {
            self.log.push("   failed".into());
            // The platform tries an alarm again whose turn failed.
            self.bench.alarm_at_ms = alarm_at_ms;
            self.forget();
            return;
        }
        answer_calls(&mut self.bench);
        self.model.advance(self.bench.now_ms);
        let stage = |op: &Op| match op {
            Op::Publish(_) | Op::Batch(_) => 1,
            Op::Pull { .. } => 2,
            _ => 0,
        };
        for now in 0..3 {
            for (op, token) in ops.iter().zip(&tokens).filter(|(op, _)| stage(op) == now) {
                self.compare(op, *token);
            }
        }
        for (token, pulled) in self.model.serve() {
            self.compare_pulled(token, &pulled);
        }
        assert!(self.bench.last.replies.is_empty(), "unexpected: {:?}", self.bench.last.replies);
        self.check_wakeups();
    }

    fn command<'a>(&self, op: &'a Op) -> Command<'a> {
        let id = |seq: &u64| self.ids.get(seq).copied().unwrap_or(Id(u128::from(*seq)));
        match op {
            Op::Publish(wish) => Command::Publish(draft(wish)),
            Op::Batch(wishes) => Command::PublishBatch(wishes.iter().map(|wish| Ok(draft(wish))).collect()),
            Op::Pull { batch_size, lease_ms, wait_ms } => Command::Pull(Pull {
                batch_size: *batch_size,
                visibility_timeout_ms: *lease_ms,
                wait_ms: *wait_ms,
                filter: None,
            }),
            Op::Settle(entries) => Command::Ack(ack(entries)),
            Op::Confirm(seq) => Command::Confirm { id: id(seq) },
            Op::Cancel(seq) => Command::Cancel { id: id(seq) },
            Op::Inspect(seq) => Command::Inspect { id: id(seq), wait: Wait::None },
            Op::Browse { after_seq, limit } => Command::Browse { after_seq: *after_seq, limit: *limit },
            Op::Configure(limits) => Command::Configure { patch: limits.to_json().leak() },
            Op::Purge => Command::Purge,
            Op::Pause(true) => Command::Pause,
            Op::Pause(false) => Command::Resume,
            Op::Redrive => Command::Redrive,
            _ => Command::Describe,
        }
    }

    /// What both say to one command.
    fn compare(&mut self, op: &Op, token: u32) {
        if let Op::Pull { batch_size, lease_ms, wait_ms } = op {
            let until_ms = self.model.now_ms + wait_ms;
            let waiter = Waiter { token, batch_size: *batch_size, lease_ms: *lease_ms, until_ms };
            if let Some(pulled) = self.model.ask(waiter) {
                self.compare_pulled(token, &pulled);
            }
            return;
        }
        let reply = self.bench.answer(token).unwrap_or_else(|| panic!("no answer to {op:?}"));
        match (op, reply) {
            (Op::Publish(wish), reply) => {
                let reply = reply.map(|r| if let Reply::Accepted(a) = r { a } else { panic!("{r:?}") });
                self.compare_published(wish, reply);
            }
            (Op::Batch(wishes), Ok(Reply::Batch(verdicts))) => {
                assert_eq!(wishes.len(), verdicts.len());
                wishes.iter().zip(verdicts).for_each(|(wish, verdict)| self.compare_published(wish, verdict));
            }
            (Op::Settle(entries), Ok(Reply::Acknowledged(done))) => {
                let ordered = ordered(entries);
                let mut wrong = Vec::new();
                for (seq, lease, settle) in ordered {
                    match self.model.settle(*seq, lease, settle) {
                        Ok(()) => {}
                        // Most altered leases are of no queue at all; some by chance of the same text.
                        Err(_) if !self.leases.iter().any(|(_, l)| l == lease) => {
                            wrong.push((lease.clone(), ErrorCode::BadRequest));
                        }
                        Err(code) => wrong.push((lease.clone(), code)),
                    }
                }
                let errors: Vec<_> = done.errors.iter().map(|(l, f)| (l.clone(), f.code)).collect();
                assert_eq!(errors, wrong);
                let applied = done.acked + done.retried + done.extended;
                assert_eq!(applied as usize + wrong.len(), entries.len());
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
                let reply = reply.map(|r| if let Reply::State(s) = r { s } else { panic!("{r:?}") });
                self.compare_state(*seq, reply);
            }
            (Op::Browse { after_seq, limit }, Ok(Reply::Browsed(found))) => {
                self.compare_browsed(*after_seq, *limit, &found);
            }
            (Op::Configure(limits), Ok(Reply::Described { .. })) => {
                self.model.configure(limits);
            }
            (Op::Describe, Ok(Reply::Described { description, .. })) => self.compare_figures(&description),
            (Op::Purge, Ok(Reply::Done)) => self.model.purge(),
            (Op::Pause(paused), Ok(Reply::Done)) => self.model.paused = *paused,
            (Op::Redrive, Ok(Reply::Moved(moved))) => assert_eq!(moved, self.model.redrive()),
            (op, reply) => panic!("{op:?} was answered {reply:?}"),
        }
    }

    fn compare_published(&mut self, wish: &Wish, reply: Result<Accepted, Fault>) {
        let reply = reply.map_err(|fault| fault.code);
        let expected = self.model.publish(wish);
        let figures = |a: Accepted| First { seq: a.seq, at_ms: a.timestamp_ms, position: a.position };
        assert_eq!(reply.map(figures), expected, "publish of {wish:?}");
        if let Ok(accepted) = reply {
            let is_new = !self.ids.contains_key(&accepted.seq);
            let id = *self.ids.entry(accepted.seq).or_insert(accepted.id);
            assert_eq!((id, id.seq(), id.at_ms()), (accepted.id, accepted.seq, accepted.timestamp_ms));
            if let Some(message) = self.model.messages.get_mut(&accepted.seq) {
                message.id = id;
            }
            let limits = &self.model.limits;
            let fits = self.model.depth() <= limits.max_messages && self.model.bytes() <= limits.max_bytes;
            assert!(!is_new || fits && limits.max_accepted.is_none_or(|max| self.model.accepted <= max));
        }
    }

    fn compare_pulled(&mut self, token: u32, expected: &[u64]) {
        let Some(Ok(Reply::Pulled { messages, .. })) = self.bench.answer(token) else {
            panic!("no messages for {token}, but {expected:?}");
        };
        let seqs: Vec<u64> = messages.iter().map(|d| d.seq).collect();
        let shown = |seq: &u64| self.model.messages.get(seq).map(|m| (*seq, m.lane, m.taken, &m.at));
        let both: Vec<_> = seqs.iter().chain(expected).map(shown).collect();
        assert_eq!(seqs, expected, "pulled: {both:?}");
        for delivery in messages {
            let message = self.model.messages.get_mut(&delivery.seq).unwrap();
            compare_delivery(message, &delivery);
            let lease = delivery.lease_id.unwrap();
            assert!(self.leases.iter().all(|(_, old)| *old != lease), "a lease was given out twice");
            let At::Leased(id, _) = &mut message.at else { panic!("{message:?}") };
            id.clone_from(&lease);
            self.leases.push((delivery.seq, lease));
        }
    }

    fn compare_done(&self, seq: u64, expected: Result<(), ErrorCode>, reply: Result<(), Fault>) {
        let reply = reply.map_err(|fault| fault.code);
        let ended = self.model.messages.get(&seq).and_then(|m| if let At::Ended(end) = &m.at { Some(end) } else { None });
        let forgotten = ended.is_some_and(|end| self.model.may_be_forgotten(seq, end));
        assert!(reply == expected || forgotten && reply == Err(ErrorCode::NotFound), "{seq}: {reply:?}, not {expected:?}");
    }

    fn compare_state(&self, seq: u64, reply: Result<MessageState, Fault>) {
        let Some(message) = self.model.messages.get(&seq) else {
            assert_eq!(reply.map_err(|f| f.code).err(), Some(ErrorCode::NotFound), "{seq} is unknown or purged");
            return;
        };
        let expected = match &message.at {
            At::Ended(end) if reply.is_err() => {
                assert!(self.model.may_be_forgotten(seq, end), "{seq} was forgotten: {end:?}");
                return;
            }
            At::Ended(end) => {
                // Messages past their queue's retention are forgotten with their end.
                assert!(end.noted || end.state == State::Done, "{seq} is {:?}, not gone", reply.unwrap().state);
                end.state
            }
            at => state(at),
        };
        let found = reply.unwrap();
        assert_eq!(found.state, expected, "state of {seq}");
        assert_eq!(found.id, self.ids[&seq]);
        match &message.at {
            At::Ended(end) => assert_eq!(found.result, end.result),
            _ => assert_eq!(found.attempts, Some(message.attempts), "attempts of {seq}"),
        }
        if expected == State::Queued {
            let positions = self.model.positions(seq);
            let position = found.position.unwrap();
            assert!(positions.contains(&position), "{seq} stands at {position}, not in {positions:?}");
        }
    }

    fn compare_browsed(&self, after_seq: u64, limit: u32, found: &[Delivery]) {
        let expected: Vec<_> = self.model.live().filter(|(seq, _)| *seq > after_seq).take(limit as usize).collect();
        let seqs: Vec<u64> = found.iter().map(|d| d.seq).collect();
        assert_eq!(seqs, expected.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), "browsed");
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

    /// Figures and every live message, after each step.
    fn look(&mut self) {
        self.turn(vec![Op::Describe, Op::Browse { after_seq: 0, limit: 1_000 }]);
    }

    /// The alarm is set for whatever comes next by itself, and the timer for whoever waits.
    fn check_wakeups(&self) {
        let next_ms = self.model.live().flat_map(|(_, m)| {
            let own = match m.at {
                At::Leased(_, at) | At::Waiting(at) | At::Held(at) | At::Delayed(at) => Some(at),
                _ => None,
            };
            [own, m.expires_at_ms.filter(|_| !matches!(m.at, At::Leased(..)))].into_iter().flatten().min()
        });
        if let Some(next_ms) = next_ms.min() {
            let alarm_at_ms = self.bench.alarm_at_ms.unwrap_or(u64::MAX);
            assert!(alarm_at_ms <= next_ms.max(self.model.now_ms), "alarm at {alarm_at_ms}, due at {next_ms}");
        }
        if let Some(until_ms) = self.model.waiters.iter().map(|w| w.until_ms).min() {
            assert!(self.bench.last.timer_at_ms.is_some_and(|at| at <= until_ms));
        }
    }

    fn pass(&mut self, ms: u64) {
        self.bench.now_ms += ms;
        self.log.push(format!("{}: the clock", self.bench.now_ms));
        // The engine does a bounded amount of the clock's work in a turn, and has itself woken for the rest.
        if self.model.expiries_due(self.bench.now_ms) > 12 || ms % 3 == 0 {
            self.settle();
        }
    }

    fn settle(&mut self) {
        let mut turns = 0;
        while turns == 0 || self.bench.alarm_at_ms.is_some_and(|at| at <= self.bench.now_ms) {
            self.turn(Vec::new());
            turns += 1;
            assert!(turns < 1_000, "the queue does not come to rest");
        }
    }

    fn pass_to_alarm(&mut self) {
        if let Some(at_ms) = self.bench.alarm_at_ms.filter(|at| at - self.bench.now_ms.min(*at) < 3_600_000) {
            self.bench.now_ms = self.bench.now_ms.max(at_ms);
            self.turn(Vec::new());
        }
    }

    fn crash(&mut self) {
        self.log.push("   crash".into());
        self.bench.reopen();
        self.forget();
    }

    /// What is in memory only: requests that wait, and the latest refusals.
    fn forget(&mut self) {
        self.model.waiters.clear();
        self.rejected_exactly = false;
    }

    /// Nothing was lost: every live message comes out, and nothing is left behind.
    fn finish(&mut self) {
        self.fail_in = None;
        self.crash();
        self.turn(vec![Op::Pause(false)]);
        for _ in 0..200 + self.model.depth() {
            self.look();
            self.turn(vec![Op::Pull { batch_size: 1_000, lease_ms: None, wait_ms: 0 }]);
            let finish = Settle::Finish { result: None, release: false };
            let held = |m: &Message| if let At::Leased(lease, _) = &m.at { Some(lease.clone()) } else { None };
            let all = self.model.live().filter_map(|(seq, m)| Some((seq, held(m)?, finish.clone())));
            let all = Op::Settle(all.collect());
            self.turn(vec![all]);
            if self.model.depth() == 0 {
                break;
            }
            self.pass_to_alarm();
            self.settle();
        }
        assert_eq!(self.model.depth(), 0, "something never comes out");
        self.look();
        for table in ["segments", "singles"] {
            assert_eq!(self.bench.database.count(table), 0, "rows of {table} stay behind");
        }
    }
}

/// The directory takes the queue's name.
fn answer_calls(bench: &mut Bench) {
    for call in std::mem::take(&mut bench.last.calls) {
        bench.queue.called(call.number, true, b"");
    }
}

fn compare_delivery(message: &Message, delivery: &Delivery) {
    let seq = delivery.seq;
    assert_eq!(delivery.body.bytes(), message.body, "body of {seq}");
    assert_eq!((&delivery.key, delivery.priority), (&message.key, message.priority), "{seq}");
    assert_eq!(delivery.attempts, message.attempts, "attempts of {seq}");
    assert_eq!(delivery.timestamp_ms, message.at_ms, "acceptance of {seq}");
    assert!(message.revived || delivery.id == message.id, "identifier of {seq}");
}

fn state(at: &At) -> State {
    match at {
        At::Held(_) => State::Held,
        At::Delayed(_) | At::Waiting(_) => State::Delayed,
        At::Queued => State::Queued,
        At::Leased(..) => State::Leased,
        At::Ended(end) => end.state,
    }
}

fn draft(wish: &Wish) -> Draft<'_> {
    Draft {
        body: wish.body.as_bytes(),
        key: wish.key.as_deref(),
        idempotency_key: wish.idempotency_key.as_deref(),
        delay_ms: wish.delay_ms,
        ttl_ms: wish.ttl_ms,
        hold_ms: wish.hold_ms,
        priority: wish.priority,
        ..Draft::default()
    }
}

type Entry = (u64, String, Settle);

/// Entries as one call takes them: finished ones first, then those given back, then those prolonged.
fn ordered(entries: &[Entry]) -> Vec<&Entry> {
    let mut ordered: Vec<&Entry> = entries.iter().collect();
    ordered.sort_by_key(|(_, _, settle)| match settle {
        Settle::Finish { .. } => 0,
        Settle::Retry(_) => 1,
        Settle::Extend(_) => 2,
    });
    ordered
}

fn ack(entries: &[Entry]) -> Ack<'_> {
    let mut ack = Ack::default();
    for (_, lease_id, settle) in entries {
        match settle {
            Settle::Finish { result, release } => {
                ack.acks.push(AckEntry { lease_id, result: result.as_deref(), release: *release });
            }
            Settle::Retry(delay_ms) => ack.retries.push((lease_id, *delay_ms)),
            Settle::Extend(lease_ms) => ack.extends.push((lease_id, *lease_ms)),
        }
    }
    ack
}
