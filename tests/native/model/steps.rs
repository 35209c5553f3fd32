//! From random numbers to commands that make sense for the queue as it stands.

use super::deliver::Settle;
use super::limits::{Limits, Order, Wish};
use super::{At, Model};

/// One random step. What it comes to depends on the queue; shrinking its numbers makes it simpler.
#[derive(Clone, Copy, Debug, Default)]
pub struct Step {
    pub kind: u8,
    pub a: u32,
    pub b: u32,
    pub c: u32,
}

/// A command, or something that befalls the queue.
#[derive(Clone, Debug)]
pub enum Op {
    Publish(Wish),
    Batch(Vec<Wish>),
    Pull {
        batch_size: u32,
        lease_ms: Option<u64>,
        wait_ms: u64,
    },
    Settle(Vec<(u64, String, Settle)>),
    /// The same, and a pull of so many in one command.
    SettleAndPull(Vec<(u64, String, Settle)>, u32),
    Confirm(u64),
    Cancel(u64),
    Inspect(u64),
    Browse {
        after_seq: u64,
        limit: u32,
    },
    Configure(Limits),
    Purge,
    Pause(bool),
    Redrive,
    Describe,
    /// The clock moves.
    Pass(u64),
    /// The clock moves to the alarm.
    ToAlarm,
    /// The process dies between two turns.
    Crash,
    /// The n-th statement of the next turn fails.
    Fail(u64),
}

impl Step {
    /// Whether the next command goes into the same turn.
    pub fn is_joined(&self) -> bool {
        self.kind & 0x80 != 0
    }

    pub fn op(&self, model: &Model, leases: &[(u64, String)]) -> Op {
        let Self { a, b, c, .. } = *self;
        match self.kind & 0x7F {
            0..=29 => Op::Publish(self.wish(model.now_ms)),
            30..=36 => Op::Batch(
                (0..1 + a % 12)
                    .map(|n| self.nth(n).wish(model.now_ms))
                    .collect(),
            ),
            37..=54 => Op::Pull {
                batch_size: 1 + a % if b.is_multiple_of(4) { 40 } else { 6 },
                lease_ms: (b % 5 == 1).then_some(100 + u64::from(c % 2_000)),
                wait_ms: if b % 8 == 3 { u64::from(c % 3_000) } else { 0 },
            },
            55..=73 => Op::Settle(self.settle(model, leases)),
            74..=79 => Op::SettleAndPull(self.settle(model, leases), 1 + b % 9),
            80 | 81 if a.is_multiple_of(3) => {
                Op::Inspect(self.pick(model, |at| matches!(at, At::InLine)))
            }
            80 | 81 => Op::Confirm(self.pick(model, |at| matches!(at, At::Held(_)))),
            82..=84 => {
                Op::Cancel(self.pick(model, |at| !matches!(at, At::Leased(..) | At::Ended(_))))
            }
            85..=88 => Op::Inspect(self.pick(model, |_| true)),
            89 | 90 => Op::Browse {
                after_seq: u64::from(b) % model.next_seq,
                limit: 1 + c % 50,
            },
            91..=94 => Op::Configure(self.limits(model)),
            95 => {
                if a % 3 == 0 {
                    Op::Purge
                } else {
                    Op::Describe
                }
            }
            96 => Op::Pause(a % 4 == 0),
            97 => Op::Pause(false),
            98 | 99 => Op::Redrive,
            100..=109 => Op::Pass(u64::from(a % 400)),
            110..=114 => Op::ToAlarm,
            115 => Op::Pass(u64::from(a % 90_000)),
            116 => Op::Pass(u64::from(a % 40) * 60_000),
            117..=121 => Op::Crash,
            _ => Op::Fail(1 + u64::from(a % 14)),
        }
    }

    fn nth(self, n: u32) -> Self {
        let mix = |x: u32| {
            x.wrapping_mul(747_796_405)
                .wrapping_add(n.wrapping_mul(2_891_336_453))
                .rotate_left(13)
        };
        Self {
            a: mix(self.a),
            b: mix(self.b),
            c: mix(self.c),
            ..self
        }
    }

    fn wish(self, now_ms: u64) -> Wish {
        let Self { a, b, c, .. } = self;
        let rare = |n: u32, of: u32| (b / n).is_multiple_of(of);
        let bytes = if rare(1, 37) { c % 3_000 } else { c % 40 };
        Wish {
            body: format!("{now_ms} {a} {b} ")
                .chars()
                .cycle()
                .take(bytes as usize)
                .collect(),
            key: (!a.is_multiple_of(7)).then(|| format!("key {}", a / 7 % 6)),
            idempotency_key: rare(37, 5).then(|| format!("once {}", c % 17)),
            delay_ms: if rare(211, 7) {
                u64::from(c / 64 % 900)
            } else {
                0
            },
            ttl_ms: rare(1_009, 6).then_some(1 + u64::from(c / 128 % 4_000)),
            hold_ms: rare(8_191, 9).then_some(u64::from(c / 256 % 1_500)),
            priority: if rare(65_537, 2) {
                4
            } else {
                (c / 512 % 10) as u8
            },
        }
    }

    fn settle(self, model: &Model, leases: &[(u64, String)]) -> Vec<(u64, String, Settle)> {
        let current: Vec<(u64, String)> = model
            .live()
            .filter_map(|(seq, m)| {
                if let At::Leased(lease, _) = &m.at {
                    Some((seq, lease.clone()))
                } else {
                    None
                }
            })
            .collect();
        let entries = (0..1 + self.a % 8).filter_map(|n| {
            let Self { a, b, c, .. } = self.nth(n);
            let from = if b.is_multiple_of(9) || current.is_empty() {
                leases
            } else {
                &current
            };
            let (seq, lease) = from.get(a as usize % from.len().max(1))?.clone();
            let lease = if b.is_multiple_of(31) {
                lease.replace(lease.chars().last()?, "Z")
            } else {
                lease
            };
            let settle = match c % 8 {
                0..=3 => Settle::Finish {
                    result: (c / 8).is_multiple_of(3).then(|| format!(r#"{{"n":{a}}}"#)),
                    release: (c / 64).is_multiple_of(4),
                },
                4 => Settle::Retry(Some(u64::from(c / 8 % 700))),
                5 | 6 => Settle::Retry(None),
                _ => Settle::Extend(
                    (c / 8)
                        .is_multiple_of(2)
                        .then_some(100 + u64::from(c / 16 % 5_000)),
                ),
            };
            Some((seq, lease, settle))
        });
        entries.collect()
    }

    /// A message that is fit for it, most often.
    fn pick(self, model: &Model, fit: impl Fn(&At) -> bool) -> u64 {
        let fit: Vec<u64> = model
            .messages
            .iter()
            .filter(|(_, m)| fit(&m.at))
            .map(|(seq, _)| *seq)
            .collect();
        if fit.is_empty() || self.b.is_multiple_of(11) {
            return 1 + u64::from(self.a) % model.next_seq;
        }
        fit[self.a as usize % fit.len()]
    }

    /// One thing changed; with the first of a run, many.
    pub fn limits(self, model: &Model) -> Limits {
        let Self { a, b, .. } = self;
        let mut limits = model.limits.clone();
        let some = |n: u64| (b % 3 > 0).then_some(n);
        match a % 15 {
            0 => limits.max_messages = u64::from(b % 60),
            1 => limits.max_messages = 100_000,
            2 => limits.max_bytes = u64::from(b % 5_000),
            3 => limits.max_bytes = 1_000_000,
            4 => limits.max_accepted = some(model.accepted + u64::from(b % 20)),
            5 => limits.max_per_key = some(1 + u64::from(b % 9)),
            6 => {
                let overflows = ["reject", "drop_oldest", "wait", "wait", "wait"];
                limits.overflow = overflows[b as usize % 5];
                limits.max_waiting = if (b / 5).is_multiple_of(3) {
                    1 + u64::from(b % 7)
                } else {
                    100_000
                };
            }
            7 => {
                limits.opens_at_ms = some(model.now_ms + u64::from(b % 300));
                // A draw is held after the opening.
                limits.draw_at_ms = limits
                    .draw_at_ms
                    .filter(|at| limits.opens_at_ms < Some(*at));
                limits.closes_at_ms = None;
            }
            8 => {
                limits.rate = some(1 + u64::from(b % 500)).map(|n| (n, 1 + u64::from(b / 500 % 9)))
            }
            9 => limits.lease_ms = 100 + u64::from(b % 3_000),
            10 => limits.max_attempts = 1 + b % 6,
            11 => limits.backoff_ms = (u64::from(b % 300), 300 + u64::from(b % 1_000)),
            12 => limits.order = [Order::BestEffort, Order::Fifo, Order::Key][b as usize % 3],
            13 => self.rarer(model, &mut limits),
            _ => {
                let from_ms = model.now_ms.max(limits.opens_at_ms.unwrap_or(0));
                limits.draw_at_ms = some(from_ms + 1 + u64::from(b % 900));
            }
        }
        limits
    }

    fn rarer(self, model: &Model, limits: &mut Limits) {
        let b = u64::from(self.b);
        match self.b % 5 {
            0 => limits.retention_ms = 20_000 + b % 4_000_000,
            1 => limits.result_retention_ms = b % 900_000,
            // At most what answers are kept for, whatever the window was when they were given.
            2 => limits.dedup_window_ms = b % 600_000,
            3 => limits.max_message_bytes = 1 + b % 3_000,
            _ => {
                let now_ms = model.now_ms.max(limits.opens_at_ms.unwrap_or(0));
                limits.closes_at_ms = (b % 3 > 0).then_some(now_ms + 1 + b % 900);
            }
        }
    }
}
