//! Plays one sequence of steps to the engine and to the model, and compares all there is to
//! compare.

use super::compare::Entry;
use super::deliver::Settle;
use super::limits::{Limits, Wish};
use super::steps::{Op, Step};
use super::{At, Message, Model};
use crate::bench::Bench;
use std::collections::BTreeMap;
use tidegate::command::{Ack, AckEntry, Command, Draft, Pull, Wait};
use tidegate::id::Id;

/// Both queues, and what their clients know.
pub struct Play {
    pub bench: Bench,
    pub model: Model,
    pub ids: BTreeMap<u64, Id>,
    /// Every lease there ever was.
    pub leases: Vec<(u64, String)>,
    fail_in: Option<u64>,
    /// Refusals are counted in memory until something else is written: a crash may forget the
    /// latest.
    pub rejected_exactly: bool,
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
        steps.push(Step {
            kind: 91,
            a: random.next() as u32,
            b: random.next() as u32,
            c: 0,
        });
    }
    if seed.is_multiple_of(2) {
        // A few places, and a line before them.
        steps.extend([(4, 1), (6, 2)].map(|(a, b)| Step {
            kind: 91,
            a,
            b,
            c: 0,
        }));
    }
    if seed.is_multiple_of(5) {
        // And a draw.
        steps.push(Step {
            kind: 91,
            a: 14,
            b: random.next() as u32 | 1,
            c: 0,
        });
    }
    for _ in 0..length {
        let [a, b, c] = [0; 3].map(|_| random.next() as u32);
        let joined = if random.below(3) == 0 { 0x80 } else { 0 };
        steps.push(Step {
            kind: random.below(125) as u8 | joined,
            a,
            b,
            c,
        });
    }
    let _named = Named(seed, length);
    run(&steps);
}

/// Prints the seed when a run panics.
struct Named(u64, usize);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "the run of TIDEGATE_SEED={} with {} steps failed",
                self.0, self.1
            );
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
        let fails_at = self
            .fail_in
            .take()
            .map(|n| self.bench.database.statements + n);
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
        let at_ms = self.model.draw.as_ref().map(|draw| draw.at_ms);
        let mut draws = self.bench.queue.draws().rev();
        let draw = draws.find(|draw| Some(draw.at_ms) == at_ms);
        let drawn = draw.and_then(|draw| draw.drawn);
        drop(draws);
        self.model
            .advance(self.bench.now_ms, drawn.map(|drawn| drawn.seed));
        let stage = |op: &Op| match op {
            Op::Publish(_) | Op::Batch(_) => 1,
            Op::Pull { .. } => 2,
            _ => 0,
        };
        for now in 0..3 {
            if now == 1 {
                self.model.admit();
            }
            for (op, token) in ops.iter().zip(&tokens) {
                match op {
                    Op::SettleAndPull(entries, _) if now == 0 => {
                        self.compare_settled_first(entries, *token);
                    }
                    Op::SettleAndPull(..) if now == 2 => self.compare(op, *token),
                    Op::SettleAndPull(..) => {}
                    _ if stage(op) == now => self.compare(op, *token),
                    _ => {}
                }
            }
        }
        for (token, pulled) in self.model.serve() {
            self.compare_pulled(token, &pulled);
        }
        self.model.admit();
        for (token, pulled) in self.model.serve() {
            self.compare_pulled(token, &pulled);
        }
        assert!(
            self.bench.last.replies.is_empty(),
            "unexpected: {:?}",
            self.bench.last.replies
        );
        self.check_wakeups();
    }

    fn command<'a>(&self, op: &'a Op) -> Command<'a> {
        let id = |seq: &u64| self.ids.get(seq).copied().unwrap_or(Id(u128::from(*seq)));
        match op {
            Op::Publish(wish) => Command::Publish(draft(wish)),
            Op::Batch(wishes) => {
                Command::PublishBatch(wishes.iter().map(|wish| Ok(draft(wish))).collect())
            }
            Op::Pull {
                batch_size,
                lease_ms,
                wait_ms,
            } => Command::Pull(Pull {
                batch_size: *batch_size,
                visibility_timeout_ms: *lease_ms,
                wait_ms: *wait_ms,
                filter: None,
            }),
            Op::Settle(entries) => Command::Ack(ack(entries)),
            Op::SettleAndPull(entries, batch_size) => Command::AckPull {
                ack: ack(entries),
                pull: Pull {
                    batch_size: *batch_size,
                    ..Pull::default()
                },
            },
            Op::Confirm(seq) => Command::Confirm { id: id(seq) },
            Op::Cancel(seq) => Command::Cancel { id: id(seq) },
            Op::Inspect(seq) => Command::Inspect {
                id: id(seq),
                wait: Wait::None,
            },
            Op::Browse { after_seq, limit } => Command::Browse {
                after_seq: *after_seq,
                limit: *limit,
            },
            Op::Configure(limits) => Command::Configure {
                patch: limits.to_json().leak(),
            },
            Op::Purge => Command::Purge,
            Op::Pause(true) => Command::Pause,
            Op::Pause(false) => Command::Resume,
            Op::Redrive => Command::Redrive,
            _ => Command::Describe,
        }
    }

    /// Figures and every live message, after each step.
    fn look(&mut self) {
        self.turn(vec![
            Op::Describe,
            Op::Browse {
                after_seq: 0,
                limit: 1_000,
            },
        ]);
    }

    fn pass(&mut self, ms: u64) {
        self.bench.now_ms += ms;
        self.log.push(format!("{}: the clock", self.bench.now_ms));
        // The engine does a bounded amount of the clock's work in a turn, and has itself woken for
        // the rest.
        if self.model.expiries_due(self.bench.now_ms) > 12 || ms.is_multiple_of(3) {
            self.settle();
        }
    }

    fn settle(&mut self) {
        let mut turns = 0;
        while turns == 0
            || self
                .bench
                .alarm_at_ms
                .is_some_and(|at| at <= self.bench.now_ms)
        {
            self.turn(Vec::new());
            turns += 1;
            assert!(turns < 1_000, "the queue does not come to rest");
        }
    }

    fn pass_to_alarm(&mut self) {
        if let Some(at_ms) = self
            .bench
            .alarm_at_ms
            .filter(|at| at - self.bench.now_ms.min(*at) < 3_600_000)
        {
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
        let room = Limits {
            max_messages: 1_000_000,
            max_bytes: 1 << 40,
            max_accepted: None,
            draw_at_ms: None,
            ..self.model.limits.clone()
        };
        self.turn(vec![Op::Pause(false), Op::Configure(room)]);
        for _ in 0..200 + self.model.depth() {
            self.look();
            self.turn(vec![Op::Pull {
                batch_size: 1_000,
                lease_ms: None,
                wait_ms: 0,
            }]);
            let finish = Settle::Finish {
                result: None,
                release: false,
            };
            let held = |m: &Message| {
                if let At::Leased(lease, _) = &m.at {
                    Some(lease.clone())
                } else {
                    None
                }
            };
            let all = self
                .model
                .live()
                .filter_map(|(seq, m)| Some((seq, held(m)?, finish.clone())));
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
        for is_reopened in [false, true] {
            let left = [
                self.bench.live_segments(),
                self.bench.database.count("singles"),
            ];
            assert_eq!(left, [0, 0], "rows stay behind, reopened: {is_reopened}");
            self.bench.reopen();
        }
    }
}

/// The directory takes the queue's name.
fn answer_calls(bench: &mut Bench) {
    for call in std::mem::take(&mut bench.last.calls) {
        bench.queue.called(call.number, true, b"");
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

fn ack(entries: &[Entry]) -> Ack<'_> {
    let mut ack = Ack::default();
    for (_, lease_id, settle) in entries {
        match settle {
            Settle::Finish { result, release } => {
                ack.acks.push(AckEntry {
                    lease_id: lease_id.into(),
                    result: result.as_deref(),
                    release: *release,
                });
            }
            Settle::Retry(delay_ms) => ack.retries.push((lease_id.into(), *delay_ms)),
            Settle::Extend(lease_ms) => ack.extends.push((lease_id.into(), *lease_ms)),
        }
    }
    ack
}
