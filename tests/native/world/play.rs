//! What clients and the operator do, what time does, and how a world comes to rest.

use super::endpoint::{CONCURRENCY, Calls, TIMEOUT_MS};
use super::judge::{Judge, Settle};
use super::node::{Fault, Kind, Node};
use super::{
    Answer, Asked, BELLS, From, GRAVES, LEASE_MS, NEWS, ORDERS, Op, Packet, REST_MAX, World, edges,
};
use crate::random::Random;
use serde_json::Value;
use std::collections::HashMap;
use tidegate::command::placement::{DIRECTORY, TOPIC_DIRECTORY};
use tidegate::command::topic::{self, TopicCommand, TopicEnvelope};
use tidegate::command::{Ack, AckEntry, Command, Draft, Envelope, Pull, codec};

const NODES: [(&str, Kind); 6] = [
    ("orders#0", Kind::Queue),
    ("graves#0", Kind::Queue),
    ("/news#0", Kind::Topic),
    (DIRECTORY, Kind::Directory),
    (TOPIC_DIRECTORY, Kind::Directory),
    ("bells#0", Kind::Queue),
];
/// It is at rest when nothing happened in so many rounds of so much time: twenty minutes, longer
/// than any call waits before it is made again.
const QUIET_MAX: u32 = 60;
const QUIET_MS: u64 = 20_000;
/// Steps between two looks at the figures.
const COUNT_EVERY: u64 = 4;
const GRAVES_MAX: u64 = 10;
const LIFTED: &str = r#"{"capacity":{"max_messages":1000000,"max_accepted":null}}"#;

fn ask_queue(name: &str, command: Command<'_>) -> Vec<u8> {
    let envelope = Envelope::between_objects(name, command);
    codec::encode(&envelope).unwrap()
}

fn ask_topic(command: TopicCommand<'_>) -> Vec<u8> {
    let envelope = TopicEnvelope {
        topic: "news",
        origin: None,
        auto_create: true,
        anonymous: false.into(),
        command,
    };
    topic::encode(&envelope).unwrap()
}

fn ask(node: usize, command: Command<'_>) -> Vec<u8> {
    let name = match node {
        ORDERS => "orders",
        GRAVES => "graves",
        _ => "bells",
    };
    ask_queue(name, command)
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let (max_messages, max_accepted) = (10 + random.below(60), 20 + random.below(200));
        let mut world = Self {
            seed,
            random,
            nodes: NODES.map(|(name, kind)| Node::new(name, kind)).into(),
            net: Vec::new(),
            asked: Vec::new(),
            by_body: HashMap::new(),
            isolates: edges::isolates(),
            hops: edges::hops(),
            shared: HashMap::new(),
            calls: Calls::default(),
            held: Vec::new(),
            now_ms: 1_700_000_000_000,
            published: 0,
            max_accepted,
            max_messages,
            judge: Judge::new(NODES.len(), ORDERS),
            is_calm: true,
        };
        let orders = format!(
            r#"{{"delivery":{{"order":"key","max_attempts":3,"visibility_timeout_ms":{LEASE_MS},
                "dead_letter_queue":"graves"}},
                "capacity":{{"max_messages":{max_messages},"max_accepted":{max_accepted}}}}}"#
        );
        let graves = format!(
            r#"{{"delivery":{{"max_attempts":1000,"visibility_timeout_ms":{LEASE_MS}}},
                "capacity":{{"max_messages":{GRAVES_MAX}}}}}"#
        );
        let bells = format!(
            r#"{{"delivery":{{"max_attempts":1000}},"push":{{"url":"http://127.0.0.1:9/",
                "format":"raw","timeout_ms":{TIMEOUT_MS},"concurrency":{CONCURRENCY}}}}}"#
        );
        let subscription = r#"{"target":{"queue":"orders"}}"#;
        for (node, command) in [
            (ORDERS, ask(ORDERS, Command::Configure { patch: &orders })),
            (GRAVES, ask(GRAVES, Command::Configure { patch: &graves })),
            (BELLS, ask(BELLS, Command::Configure { patch: &bells })),
            (NEWS, ask_topic(TopicCommand::Configure { patch: "{}" })),
            (
                NEWS,
                ask_topic(TopicCommand::Subscribe {
                    name: "mine",
                    patch: subscription,
                }),
            ),
        ] {
            assert!(world.ask_now(node, command).is_some(), "{node} is not made");
        }
        world.is_calm = false;
        world
    }

    pub(super) fn run(mut self, steps: u64) -> usize {
        for step in 0..steps {
            self.step();
            if step % COUNT_EVERY == 0 {
                self.count();
            }
            self.check();
        }
        self.rest();
        self.judge.finish();
        self.check();
        self.judge.deliveries
    }

    /// No queue has more than it may have.
    fn count(&mut self) {
        for (node, max) in [(ORDERS, self.max_messages), (GRAVES, GRAVES_MAX)] {
            let Some(it) = self.describe(node) else {
                continue;
            };
            let (depth, accepted) = (it["depth"].as_u64(), it["accepted"].as_u64());
            if depth > Some(max) || node == ORDERS && accepted > Some(self.max_accepted) {
                self.violated(format!(
                    "{node} has {depth:?} of {max}, {accepted:?} accepted"
                ));
            }
        }
    }

    fn check(&self) {
        let found = self.judge.violations.join("\n");
        assert!(found.is_empty(), "seed {}:\n{found}", self.seed);
    }

    fn step(&mut self) {
        match self.random.below(16) {
            0..=3 => self.publish(),
            4 | 5 => {
                let node = if self.random.below(4) == 0 {
                    GRAVES
                } else {
                    ORDERS
                };
                let batch_size = 1 + self.random.below(6) as u32;
                self.pull(node, batch_size);
            }
            6 | 7 => self.settle(),
            8 => self.time(),
            9 => {
                let node = self.random.below(self.nodes.len() as u64) as usize;
                let gone = self.nodes[node].evict();
                self.leave_unanswered(gone);
            }
            10 if self.random.below(4) == 0 => self.forget_some(),
            10 if self.random.below(8) == 0 => {
                self.send(ORDERS, Op::Other, ask(ORDERS, Command::Redrive), 0);
            }
            _ => {}
        }
        for _ in 0..self.random.below(4) {
            if !self.net.is_empty() {
                self.carry();
            }
        }
        self.alarms();
    }

    fn time(&mut self) {
        match self.random.below(12) {
            0 => {
                self.now_ms -= self.random.below(30_000);
                self.clock_went_back();
            }
            1 => self.now_ms += self.random.below(30_000),
            _ => self.now_ms += self.random.below(1_500),
        }
    }

    fn send(&mut self, to: usize, op: Op, command: Vec<u8>, repeats_left: u32) {
        let from = From::Client(self.asked.len());
        self.net.push(Packet::Ask {
            to,
            from,
            commands: vec![command.clone()],
        });
        self.asked.push(Asked {
            to,
            op,
            command,
            head: None,
            repeats_left,
        });
    }

    fn publish(&mut self) {
        let body = format!("m{}", self.published);
        self.published += 1;
        let (key, once) = (
            format!("k{}", self.random.below(4)),
            self.random.below(5) > 0,
        );
        let draft = Draft {
            body: body.as_bytes(),
            key: (self.random.below(3) > 0).then_some(&key),
            idempotency_key: once.then_some(&body),
            priority: 4,
            ..Draft::default()
        };
        let op = Op::Publish {
            body: body.clone(),
            once,
        };
        let repeats_left = if once { 5 } else { 0 };
        let (to, command) = match self.random.below(8) {
            0 | 1 => {
                let expect_seq = None;
                (NEWS, ask_topic(TopicCommand::Publish { draft, expect_seq }))
            }
            2 => (ORDERS, ask(ORDERS, Command::Publish(draft))),
            3 => (BELLS, ask(BELLS, Command::Publish(draft))),
            _ => {
                let head = edges::head_of(&body, draft.key, once);
                return self.send_by_edge(body, op, head, repeats_left);
            }
        };
        self.send(to, op, command, repeats_left);
    }

    fn send_by_edge(&mut self, body: String, op: Op, head: String, repeats_left: u32) {
        let at = self.asked.len();
        self.by_body.insert(body, at);
        self.asked.push(Asked {
            to: ORDERS,
            op,
            command: Vec::new(),
            head: Some(head),
            repeats_left,
        });
        self.enter(at);
    }

    fn pull(&mut self, node: usize, batch_size: u32) {
        let pull = Pull {
            batch_size,
            ..Pull::default()
        };
        self.send(node, Op::Pull, ask(node, Command::Pull(pull)), 0);
    }

    fn settle(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let at = self.random.below(self.held.len() as u64) as usize;
        let node = self.held[at].0;
        let is_ack = self.random.below(5) > 1;
        let how = if is_ack { Settle::Ack } else { Settle::Retry };
        let count = 1 + self.random.below(4) as usize;
        let mut entries = Vec::new();
        self.held.retain(|(of, lease)| {
            let is_taken = *of == node && entries.len() < count;
            if is_taken {
                entries.push((lease.clone(), how));
            }
            !is_taken
        });
        self.send_settle(node, entries);
    }

    fn send_settle(&mut self, node: usize, entries: Vec<(String, Settle)>) {
        let mut ack = Ack::default();
        for (lease, how) in &entries {
            let lease_id = lease.into();
            match how {
                Settle::Ack => ack.acks.push(AckEntry {
                    lease_id,
                    ..AckEntry::default()
                }),
                Settle::Retry => ack.retries.push((lease_id, Some(0))),
            }
        }
        let command = ask(node, Command::Ack(ack));
        self.send(node, Op::Settle(entries), command, 1);
    }

    /// What a client makes of an answer, or of none.
    pub(super) fn heard(&mut self, at: usize, answer: &Answer) {
        let asked = &mut self.asked[at];
        match answer.status {
            0 | 500.. if asked.repeats_left > 0 => {
                asked.repeats_left -= 1;
                if asked.head.is_some() {
                    return self.enter(at);
                }
                let (to, from) = (asked.to, From::Client(at));
                let commands = vec![asked.command.clone()];
                self.net.push(Packet::Ask { to, from, commands });
            }
            200 if matches!(asked.op, Op::Pull) => {
                let (node, document) = (asked.to, answer.document());
                for it in document["messages"].as_array().unwrap() {
                    let lease = it["lease_id"].as_str().unwrap().to_owned();
                    self.held.push((node, lease));
                }
            }
            _ => {}
        }
    }

    /// Asks beside the network, and gives the answer.
    fn ask_now(&mut self, node: usize, command: Vec<u8>) -> Option<Value> {
        let from = From::Client(usize::MAX);
        let now_ms = self.now_ms;
        let asked = vec![(from, vec![command])];
        let mut done = self.nodes[node].turn(asked, now_ms, Fault::None).ok()?;
        self.judge.clocks[node] = self.nodes[node].now_ms;
        let at = done.answers.iter().position(|it| it.0 == from)?;
        let answer = done.answers.swap_remove(at).1;
        self.tell(node, done);
        (200..300)
            .contains(&answer.status)
            .then(|| answer.document())
    }

    pub(super) fn describe(&mut self, node: usize) -> Option<Value> {
        self.ask_now(node, ask(node, Command::Describe))
    }

    /// Nothing goes wrong any more: whatever was accepted is handed out and done.
    fn rest(&mut self) {
        self.is_calm = true;
        (self.max_messages, self.max_accepted) = (1_000_000, u64::MAX);
        for node in [ORDERS, GRAVES] {
            let command = ask(node, Command::Configure { patch: LIFTED });
            assert!(self.ask_now(node, command).is_some());
        }
        let mut idle = 0;
        for _ in 0..REST_MAX {
            let before = self.judge.deliveries;
            for node in [ORDERS, GRAVES] {
                self.pull(node, 100);
            }
            while !self.net.is_empty() {
                self.carry();
            }
            let held = std::mem::take(&mut self.held);
            for node in [ORDERS, GRAVES] {
                let mine = held.iter().filter(|it| it.0 == node);
                let entries: Vec<_> = mine.map(|it| (it.1.clone(), Settle::Ack)).collect();
                if !entries.is_empty() {
                    self.send_settle(node, entries);
                }
            }
            while !self.net.is_empty() {
                self.carry();
            }
            let is_quiet = self.judge.deliveries == before && self.net.is_empty();
            idle = if is_quiet { idle + 1 } else { 0 };
            if idle == QUIET_MAX {
                return;
            }
            self.now_ms += if is_quiet { QUIET_MS } else { LEASE_MS };
            self.alarms();
        }
        self.violated("it never comes to rest".to_owned());
    }
}
