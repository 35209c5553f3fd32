//! Isolates at the edge, each with what it remembers of refusals, and the relays above some of
//! them. What was told waits in memory only, and memory goes at any moment.

use super::{Answer, From, ORDERS, Packet, World};
use std::collections::HashMap;
use tidegate::command::{Command, codec};
use tidegate::edge::{Action, Edge};
use tidegate::protocol::http::{Response, joined};
use tidegate::relay::{Outcome, Relay};

const VARIABLES: &str = r#"{"ADMIN_TOKEN":"token-of-the-shop"}"#;
/// Isolates, by which relay they ask; the last one asks the object.
const ISOLATES: [Option<usize>; 4] = [Some(0), Some(0), Some(1), None];
const REGION: usize = 1;
/// A location's relay, and that of its region.
const RELAYS: [&str; 2] = ["orders#0@weur/AMS", "orders#0@weur"];

pub struct Isolate {
    edge: Edge,
    /// Tells it from those that were there before.
    life: u32,
    above: Option<usize>,
}

pub struct Hop {
    relay: Relay,
    life: u32,
    waiting: HashMap<u32, From>,
    last_token: u32,
    timer_at_ms: Option<u64>,
    /// Its time, which stands still where the machine's clock goes back a little.
    now_ms: u64,
}

impl Hop {
    fn new(at: usize, life: u32) -> Self {
        Self {
            relay: Relay::new(RELAYS[at]),
            life,
            waiting: HashMap::new(),
            last_token: 0,
            timer_at_ms: None,
            now_ms: 0,
        }
    }
}

pub fn isolates() -> Vec<Isolate> {
    ISOLATES.map(|above| isolate(0, above)).into()
}

fn isolate(life: u32, above: Option<usize>) -> Isolate {
    let edge = Edge::new(VARIABLES).unwrap();
    Isolate { edge, life, above }
}

pub fn hops() -> Vec<Hop> {
    (0..RELAYS.len()).map(|at| Hop::new(at, 0)).collect()
}

/// A publish's head, as an isolate reads it.
pub fn head_of(name: &str, key: Option<&str>, once: bool) -> String {
    let length = name.len();
    let mut head = format!(
        "POST\nhttp://t/v1/queues/orders/messages\nauthorization: Bearer token-of-the-shop\n\
         content-type: text/plain\ncontent-length: {length}\n"
    );
    if let Some(key) = key {
        head.push_str(&format!("tidegate-key: {key}\n"));
    }
    if once {
        head.push_str(&format!("idempotency-key: {name}\n"));
    }
    head
}

/// The answers of a call that several publishes share.
pub fn apart(answer: &Answer) -> Vec<Answer> {
    let texts = joined::split(&answer.body).unwrap_or_default();
    let one = |text: &&[u8]| {
        let end = text.windows(2).position(|it| it == b"\n\n");
        let header = joined::header(text, super::node::VERDICT);
        Answer {
            status: joined::status(text),
            body: end.map_or(Vec::new(), |at| text[at + 2..].to_vec()),
            verdict: header.map(str::to_owned),
        }
    };
    texts.iter().map(one).collect()
}

/// What an encoded publish brings, by which its publisher knows it.
fn name_of(command: &[u8]) -> Option<String> {
    match codec::decode(command).ok()?.command {
        Command::Publish(draft) => Some(String::from_utf8_lossy(draft.body).into_owned()),
        _ => None,
    }
}

impl World {
    /// A client's publish comes in at one of the isolates.
    pub(super) fn enter(&mut self, at: usize) {
        let edge = self.random.below(self.isolates.len() as u64) as usize;
        let (head, body) = (self.asked[at].head.clone().unwrap(), self.body_of(at));
        let now_ms = self.now_ms;
        let isolate = &mut self.isolates[edge];
        let glance = (self.random.below(2) == 0).then(|| isolate.edge.peek(&head, now_ms));
        if let Some(refused) = glance.flatten() {
            return self.refused_here(at, &refused);
        }
        let action = match isolate.edge.open(&head, now_ms) {
            Action::NeedBody { .. } => isolate.edge.body(&head, body.as_bytes(), now_ms),
            action => action,
        };
        let call = match action {
            Action::Respond(response) => return self.refused_here(at, &response),
            Action::Call(call) => call,
            other => panic!("{head} is no publish: {other:?}"),
        };
        let (life, above) = (isolate.life, isolate.above.filter(|_| call.shareable));
        let from = From::Edge {
            at,
            edge,
            life,
            sent_ms: now_ms,
            is_shared: above.is_some(),
        };
        let commands = vec![call.command];
        self.net.push(match above {
            Some(relay) => Packet::Gather {
                relay,
                from,
                commands,
            },
            None => Packet::Ask {
                to: ORDERS,
                from,
                commands,
            },
        });
    }

    fn body_of(&self, at: usize) -> String {
        match &self.asked[at].op {
            super::Op::Publish { body, .. } => body.clone(),
            other => panic!("{other:?} has no body"),
        }
    }

    /// An isolate refuses from memory.
    fn refused_here(&mut self, at: usize, response: &Response) {
        self.repeated(at, response.status, "isolate");
        let answer = Answer {
            status: response.status,
            body: response.body.clone(),
            verdict: None,
        };
        self.heard(at, &answer);
    }

    /// Somebody refuses who was told before.
    fn repeated(&mut self, at: usize, status: u16, by: &str) {
        let (body, now_ms) = (self.body_of(at), self.now_ms);
        self.judge.repeated(&body, status, now_ms, by);
    }

    /// An isolate hears what became of a publish.
    pub(super) fn edge_heard(&mut self, from: From, answer: &Answer) {
        let From::Edge {
            at,
            edge,
            life,
            sent_ms,
            is_shared,
        } = from
        else {
            return;
        };
        let isolate = &mut self.isolates[edge];
        if isolate.life != life {
            return self.heard(at, &Answer::NONE);
        }
        let answer = match is_shared {
            true => apart(answer).into_iter().next().unwrap_or(Answer::NONE),
            false => answer.clone(),
        };
        let Some(verdict) = &answer.verdict else {
            return self.heard(at, &answer);
        };
        let head = self.asked[at].head.clone().unwrap();
        let said = isolate.edge.verdict(&head, verdict, sent_ms, self.now_ms);
        let said = said.map_or(answer.clone(), |it| Answer {
            status: it.status,
            body: it.body,
            verdict: None,
        });
        self.heard(at, &said);
    }

    /// A call arrives at a relay.
    pub(super) fn gather(&mut self, relay: usize, from: From, commands: Vec<Vec<u8>>) {
        let hop = &mut self.hops[relay];
        hop.last_token += 1;
        hop.waiting.insert(hop.last_token, from);
        hop.relay.push_shared(hop.last_token, commands.into_iter());
        self.run_relay(relay);
    }

    /// A relay hears what became of its call.
    pub(super) fn relay_heard(&mut self, from: From, answer: &Answer) {
        let From::Relay {
            relay,
            life,
            number,
        } = from
        else {
            return;
        };
        let hop = &mut self.hops[relay];
        if hop.life == life {
            let outcome = match answer.status {
                200 => Outcome::Answered,
                _ => Outcome::Failed,
            };
            hop.relay.called(number, outcome, &answer.body);
            self.run_relay(relay);
        }
    }

    fn run_relay(&mut self, relay: usize) {
        let hop = &mut self.hops[relay];
        hop.now_ms = hop.now_ms.max(self.now_ms);
        let step = hop.relay.run(hop.now_ms);
        hop.timer_at_ms = step.timer_at_ms;
        let life = hop.life;
        for (token, response) in step.replies {
            let Some(from) = self.hops[relay].waiting.remove(&token) else {
                continue;
            };
            let answer = Answer {
                status: response.status,
                body: response.body,
                verdict: None,
            };
            self.judge_relay(relay, from, &answer);
            self.net.push(Packet::Answer { from, answer });
        }
        let Some(call) = step.call else { return };
        let number = call.number;
        let from = From::Relay {
            relay,
            life,
            number,
        };
        let find = |it: &Vec<u8>| name_of(it).and_then(|it| self.by_body.get(&it).copied());
        let asked = call.commands.iter().map(find).collect();
        self.shared.insert((relay, life, number), asked);
        let commands = call.commands;
        self.net.push(match call.to_relay {
            true => Packet::Gather {
                relay: RELAYS.iter().position(|it| *it == call.object).unwrap(),
                from,
                commands,
            },
            false => Packet::Ask {
                to: ORDERS,
                from,
                commands,
            },
        });
    }

    /// Whose publishes a call brings.
    pub(super) fn clients_of(&self, from: From) -> Vec<Option<usize>> {
        match from {
            From::Client(at) | From::Edge { at, .. } => vec![Some(at)],
            From::Relay {
                relay,
                life,
                number,
            } => self.shared[&(relay, life, number)].clone(),
            From::Object { .. } => Vec::new(),
        }
    }

    /// What a relay refuses from its memory, it refuses now, whenever that is heard. A location's
    /// may hand on what its region's has repeated: that counts while somebody remembers it.
    fn judge_relay(&mut self, relay: usize, from: From, answer: &Answer) {
        let answers = apart(answer);
        for (at, answer) in self.clients_of(from).into_iter().zip(answers) {
            let Some(verdict) = answer.verdict.as_deref().and_then(super::node::verdict) else {
                continue;
            };
            let is_own = verdict.is_repeated && (relay == REGION || verdict.valid_ms > 0);
            if let (Some(at), true) = (at, is_own) {
                self.repeated(at, answer.status, RELAYS[relay]);
            }
        }
    }

    /// An isolate or a relay goes, with all that it knows and all that waits in it.
    pub(super) fn forget_some(&mut self) {
        let count = self.isolates.len() + self.hops.len();
        let at = self.random.below(count as u64) as usize;
        if let Some(old) = self.isolates.get(at) {
            self.isolates[at] = isolate(old.life + 1, old.above);
            return;
        }
        self.forget_relay(at - self.isolates.len());
    }

    fn forget_relay(&mut self, at: usize) {
        let new = Hop::new(at, self.hops[at].life + 1);
        let old = std::mem::replace(&mut self.hops[at], new);
        self.leave_unanswered(old.waiting.into_values().collect());
    }

    /// What relays do by themselves.
    pub(super) fn relay_timers(&mut self) {
        for relay in 0..self.hops.len() {
            let at_ms = self.hops[relay].timer_at_ms;
            if at_ms.is_some_and(|at_ms| at_ms <= self.now_ms) {
                self.run_relay(relay);
            }
        }
    }

    /// The clock went back: what was on its way for isolates is lost, the host lets relays go,
    /// and each isolate is asked something: one that nobody asks until the clock is there again
    /// cannot know.
    pub(super) fn clock_went_back(&mut self) {
        for at in 0..self.hops.len() {
            self.forget_relay(at);
        }
        let net = std::mem::take(&mut self.net);
        let (lost, kept): (Vec<_>, Vec<_>) = net.into_iter().partition(|packet| {
            let (Packet::Ask { from, .. }
            | Packet::Answer { from, .. }
            | Packet::Gather { from, .. }) = packet
            else {
                return false;
            };
            matches!(from, From::Edge { .. } | From::Relay { .. })
        });
        self.net = kept;
        for packet in lost {
            if let Packet::Ask { from, .. }
            | Packet::Answer { from, .. }
            | Packet::Gather { from, .. } = packet
                && let From::Edge { at, .. } = from
            {
                self.heard(at, &Answer::NONE);
            }
        }
        self.judge.clock_went_back(self.now_ms);
        let head = head_of("", None, false);
        for isolate in &mut self.isolates {
            let _ = isolate.edge.peek(&head, self.now_ms);
        }
    }
}
