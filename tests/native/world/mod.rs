//! A world of objects and a bad network: two queues (one is the other's dead-letter queue), a topic
//! that is handed on to the first, their directories, a queue that pushes to an endpoint, and
//! clients. Some publish to the first queue through isolates at the edge, which remember refusals,
//! and through relays.
//!
//! Everything is as in production but for the host: encoded commands, turns in transactions,
//! rendered answers. The seed decides what clients do and what goes wrong: requests and answers lost,
//! doubled, late and out of order; instances that go before or after a commit; storage that fails in
//! the middle of a turn; isolates and relays that go; an endpoint that fails, is late or answers
//! twice; alarms late or twice; clocks set back and forward; callers whose commands have a version
//! that the object does not know. `judge.rs` says what must hold all the same.

mod edges;
mod endpoint;
mod judge;
mod node;
mod play;

use crate::random::Random;
use edges::{Hop, Isolate, apart};
use endpoint::{Calls, Ring, Rung};
use judge::{Judge, Settle};
use node::{Done, Fault, Node};
use serde_json::Value;
use std::collections::HashMap;
use tidegate::engine::outcome::Call;

/// Numbers of nodes.
const ORDERS: usize = 0;
const GRAVES: usize = 1;
const NEWS: usize = 2;
const BELLS: usize = 5;
const LEASE_MS: u64 = 2_000;
/// Turns in which the world may come to rest at the end.
const REST_MAX: usize = 4_000;

/// Who waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    Client(usize),
    /// A client's publish through an isolate, which asked at `sent_ms`; with others, if it goes
    /// through a relay.
    Edge {
        at: usize,
        edge: usize,
        life: u32,
        sent_ms: u64,
        is_shared: bool,
    },
    /// Publishes that a relay asks for together.
    Relay {
        relay: usize,
        life: u32,
        number: u32,
    },
    Object {
        node: usize,
        instance: u32,
        number: u32,
    },
}

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    /// What the object says to isolates and relays with it.
    pub verdict: Option<String>,
}

impl Answer {
    /// That of a caller who hears nothing.
    const NONE: Self = Self {
        status: 0,
        body: Vec::new(),
        verdict: None,
    };

    fn document(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

#[derive(Clone, Debug)]
enum Packet {
    Ask {
        to: usize,
        from: From,
        /// One, but for a relay's.
        commands: Vec<Vec<u8>>,
    },
    /// The same to a relay.
    Gather {
        relay: usize,
        from: From,
        commands: Vec<Vec<u8>>,
    },
    Answer {
        from: From,
        answer: Answer,
    },
    Ring(Ring),
    Rung(Rung),
}

/// What a client asked.
#[derive(Clone, Debug)]
enum Op {
    Publish { body: String, once: bool },
    Pull,
    Settle(Vec<(String, Settle)>),
    Other,
}

/// A request of a client, kept so that it can be repeated.
struct Asked {
    to: usize,
    op: Op,
    command: Vec<u8>,
    /// The head of a publish that goes through an isolate.
    head: Option<String>,
    /// How often it may be repeated for want of an answer.
    repeats_left: u32,
}

struct World {
    seed: u64,
    random: Random,
    nodes: Vec<Node>,
    net: Vec<Packet>,
    asked: Vec<Asked>,
    /// Publishes through isolates, by their bodies.
    by_body: HashMap<String, usize>,
    isolates: Vec<Isolate>,
    hops: Vec<Hop>,
    /// Whose publishes were in a relay's call.
    shared: HashMap<(usize, u32, u32), Vec<Option<usize>>>,
    calls: Calls,
    /// Leases that clients know of, by node.
    held: Vec<(usize, String)>,
    now_ms: u64,
    published: usize,
    max_accepted: u64,
    max_messages: u64,
    judge: Judge,
    /// Whether nothing goes wrong any more.
    is_calm: bool,
}

impl World {
    fn violated(&mut self, what: String) {
        self.judge.violations.push(what);
    }

    fn node_of(&self, call: &Call) -> usize {
        let found = self.nodes.iter().position(|it| it.name == call.object);
        found.unwrap_or_else(|| panic!("nobody is {}", call.object))
    }

    fn fault(&mut self) -> Fault {
        match self.random.below(if self.is_calm { 1 } else { 24 }) {
            1 => Fault::Storage(self.random.below(30)),
            2 => Fault::Crash,
            _ => Fault::None,
        }
    }

    /// A turn of a node, with what is judged about it.
    fn turn(&mut self, node: usize, asked: Vec<(From, Vec<Vec<u8>>)>, fault: Fault) -> bool {
        let room = self.room_for(node, &asked);
        let done = self.nodes[node].turn(asked, self.now_ms, fault);
        let done = match done {
            Ok(done) => done,
            Err(unanswered) => {
                self.calls_rolled_back();
                self.leave_unanswered(unanswered);
                return false;
            }
        };
        self.judge.clocks[node] = self.nodes[node].now_ms;
        self.judge_answers(node, &done, room);
        if node == BELLS {
            let instance = self.nodes[node].instance;
            self.judge_calls(instance, self.nodes[node].now_ms, &done.dispatches);
        }
        self.tell(node, done);
        true
    }

    /// Whether a publish that is alone in its turn has to be let in.
    fn room_for(&mut self, node: usize, asked: &[(From, Vec<Vec<u8>>)]) -> Option<bool> {
        let clients: Vec<_> = asked.iter().flat_map(|it| self.clients_of(it.0)).collect();
        let mut clients = clients.into_iter().flatten();
        let (Some(at), None) = (clients.next(), clients.next()) else {
            return None;
        };
        let is_alone = asked.len() == 1;
        if node != ORDERS || !is_alone || !matches!(self.asked[at].op, Op::Publish { .. }) {
            return None;
        }
        let it = self.describe(node)?;
        let number = |name: &str| it[name].as_u64().unwrap();
        Some(number("depth") < self.max_messages && number("accepted") < self.max_accepted)
    }

    fn judge_answers(&mut self, node: usize, done: &Done, room: Option<bool>) {
        // As a turn does it: acknowledgements, then publishes, then pulls.
        for rank in 0..3 {
            for (from, answer) in &done.answers {
                let answers = match from {
                    From::Relay { .. } => apart(answer),
                    _ => vec![answer.clone()],
                };
                for (at, answer) in self.clients_of(*from).into_iter().zip(answers) {
                    if let Some(at) = at {
                        self.judge_answer(node, at, &answer, rank, room);
                    }
                }
            }
        }
        if node == ORDERS && self.judge.accepted_at(ORDERS) as u64 > self.max_accepted {
            self.violated(format!("more were let in than {}", self.max_accepted));
        }
    }

    fn judge_answer(
        &mut self,
        node: usize,
        at: usize,
        answer: &Answer,
        rank: u8,
        room: Option<bool>,
    ) {
        let now_ms = self.nodes[node].now_ms;
        let is_good = (200..300).contains(&answer.status);
        match (rank, self.asked[at].op.clone()) {
            (0, Op::Settle(entries)) if is_good => {
                self.judge.settled(now_ms, &entries, &answer.document());
            }
            (1, Op::Publish { body, once }) if is_good => {
                self.judge.published(node, &body, once, &answer.document());
            }
            (1, Op::Publish { body, once }) if answer.verdict.is_some() => {
                if room == Some(true) {
                    self.violated(format!("{body} was refused while there was room"));
                }
                self.judge.refused(&body, once, self.now_ms);
            }
            (2, Op::Pull) if is_good => {
                let document = answer.document();
                self.judge.pulled(node, now_ms, LEASE_MS, &document);
            }
            _ => {}
        }
    }

    /// Puts answers and calls on their way.
    fn tell(&mut self, node: usize, done: Done) {
        if !done.is_told {
            let lost = self.nodes[node].evict();
            let lost = lost.into_iter().chain(done.answers.iter().map(|it| it.0));
            return self.leave_unanswered(lost.collect());
        }
        let answers = done.answers.into_iter();
        self.net
            .extend(answers.map(|(from, answer)| Packet::Answer { from, answer }));
        let instance = self.nodes[node].instance;
        for call in done.calls {
            let to = self.node_of(&call);
            let number = call.number;
            let from = From::Object {
                node,
                instance,
                number,
            };
            let commands = vec![call.command];
            self.net.push(Packet::Ask { to, from, commands });
        }
        self.ring(instance, done.dispatches);
    }

    fn leave_unanswered(&mut self, unanswered: Vec<From>) {
        let answer = Answer::NONE;
        self.net.extend(unanswered.into_iter().map(|from| {
            let answer = answer.clone();
            Packet::Answer { from, answer }
        }));
    }

    /// Something happens to one packet; which one is not said by when it was sent.
    fn carry(&mut self) {
        let at = self.random.below(self.net.len() as u64) as usize;
        let packet = self.net.swap_remove(at);
        let fate = self.random.below(if self.is_calm { 1 } else { 12 });
        match (packet, fate) {
            (packet @ (Packet::Ask { .. } | Packet::Gather { .. }), 1) => {
                self.net.push(packet.clone());
                self.arrive(packet);
            }
            (
                Packet::Ask { from, .. }
                | Packet::Gather { from, .. }
                | Packet::Answer { from, .. },
                2,
            ) => {
                self.arrive(Packet::Answer {
                    from,
                    answer: Answer::NONE,
                });
            }
            (
                Packet::Ask {
                    to,
                    from,
                    mut commands,
                },
                3,
            ) => {
                // Written by code of another version.
                let version = &mut commands[0][0];
                *version = version.wrapping_add(1 + self.random.below(254) as u8);
                self.arrive(Packet::Ask { to, from, commands });
            }
            (packet, _) => self.arrive(packet),
        }
    }

    fn arrive(&mut self, packet: Packet) {
        match packet {
            Packet::Ring(ring) => self.rings(&ring),
            Packet::Rung(rung) => self.rung(rung),
            Packet::Gather {
                relay,
                from,
                commands,
            } => self.gather(relay, from, commands),
            Packet::Answer {
                from: from @ From::Edge { .. },
                answer,
            } => self.edge_heard(from, &answer),
            Packet::Answer {
                from: from @ From::Relay { .. },
                answer,
            } => self.relay_heard(from, &answer),
            Packet::Answer {
                from: From::Client(at),
                answer,
            } => self.heard(at, &answer),
            Packet::Answer {
                from:
                    From::Object {
                        node,
                        instance,
                        number,
                    },
                answer,
            } => {
                if self.nodes[node].instance != instance {
                    return;
                }
                let ok = (200..300).contains(&answer.status);
                self.nodes[node].called(number, ok, &answer.body);
                let fault = self.fault();
                self.turn(node, Vec::new(), fault);
            }
            Packet::Ask { to, from, commands } => {
                let mut asked = vec![(from, commands)];
                while self.random.below(4) == 0
                    && let Some(at) = self
                        .net
                        .iter()
                        .position(|it| matches!(it, Packet::Ask { to: other, .. } if *other == to))
                {
                    if let Packet::Ask { from, commands, .. } = self.net.swap_remove(at) {
                        asked.push((from, commands));
                    }
                }
                let fault = self.fault();
                self.turn(to, asked, fault);
            }
        }
    }

    /// Fires what alarms are due.
    fn alarms(&mut self) {
        self.relay_timers();
        for node in 0..self.nodes.len() {
            let Some(at_ms) = self.nodes[node].alarm_at_ms.filter(|at| *at <= self.now_ms) else {
                continue;
            };
            if !self.is_calm && self.random.below(4) == 0 {
                continue;
            }
            self.nodes[node].alarm_at_ms = None;
            let times = 1 + u64::from(!self.is_calm && self.random.below(8) == 0);
            for _ in 0..times {
                let fault = self.fault();
                let is_done = self.turn(node, Vec::new(), fault);
                // The platform fires an alarm again whose handler did not end.
                if !is_done || fault == Fault::Crash {
                    let again = self.now_ms.max(at_ms) + 1;
                    self.nodes[node].alarm_at_ms.get_or_insert(again);
                }
            }
        }
    }
}

fn setting(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn a_world_with_a_bad_network_keeps_its_promises() {
    let first = setting("TIDEGATE_SEED", 1);
    let steps = setting("TIDEGATE_STEPS", 400);
    let mut deliveries = 0;
    for seed in first..first + setting("TIDEGATE_RUNS", 200) {
        println!("TIDEGATE_SEED={seed} TIDEGATE_RUNS=1");
        deliveries += World::new(seed).run(steps);
    }
    println!("{deliveries} deliveries");
}
