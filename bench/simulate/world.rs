//! The run: events in order of time, from the buyers through the edges and back.
//!
//! Owns the agenda and the buyers; the isolates' side is in `isolates.rs`, the relays' in
//! `relays.rs`, the object's in `backend.rs`.

use super::agenda::Agenda;
use super::backend::{Answered, Backend};
use super::crowd::{ATTEMPTS_MAX, Crowd, Mind, PATIENCE_US, Request, Wish};
use super::earth::{Earth, IsolateId};
use super::figures::Figures;
use super::isolates::Asker;
use super::ledger::Ledger;
use super::random::Random;
use super::relays::{Answer, Call, Node, Relays};
use super::settings::{MS, SECOND, Settings, Us};
use tidegate::edge::{Action, Edge};
use tidegate::relay::Step;

/// Something that is going to happen.
pub enum Event {
    /// A buyer asks again, confirms or cancels.
    Ask(Request),
    /// A call has arrived, or its answer.
    Arrive(Node, Box<Call>),
    Answer(Box<(Asker, Answer)>),
    Report(IsolateId, u8),
    /// A relay's timer, the end of its turn, its return.
    Wake(Node),
    RelayDone(Node, u32, Box<Step>),
    RelayCrash(Node),
    RelayBack(Node),
    TurnEnds(u32, Vec<Answered>),
    Alarm,
    Crash(u32),
    Restarted,
    Change(usize),
}

/// All there is.
pub struct World {
    pub settings: Settings,
    pub crowd: Crowd,
    pub earth: Earth,
    pub backend: Backend,
    pub relays: Relays,
    pub ledger: Ledger,
    pub figures: Figures,
    pub agenda: Agenda<Event>,
    pub random: Random,
    pub now_us: Us,
    pub head: String,
}

impl World {
    pub fn new(settings: Settings) -> Self {
        let opens_at_us = settings.opens_at_us.unwrap_or(0);
        let stock = settings
            .changes
            .first()
            .map_or(settings.stock, |(_, stock)| *stock);
        Self {
            crowd: Crowd::new(&settings),
            earth: Earth::new(&settings),
            backend: Backend::new(&settings),
            relays: Relays::new(&settings),
            ledger: Ledger::new(stock, opens_at_us),
            figures: Figures::default(),
            agenda: Agenda::new(),
            random: Random::new(settings.seed),
            now_us: 0,
            head: String::new(),
            settings,
        }
    }

    /// Lets everything happen, to the last answer.
    pub fn run(mut self) -> Self {
        self.prepare();
        let mut buyer = 0;
        loop {
            let arrival_us = self.crowd.arrival_us(buyer);
            match (arrival_us, self.agenda.next_us()) {
                (Some(at_us), next_us) if next_us.is_none_or(|next_us| at_us < next_us) => {
                    self.now_us = at_us;
                    let first = Request {
                        buyer,
                        attempt: 0,
                        sent_us: at_us,
                        wish: Wish::Place,
                    };
                    self.ask(first);
                    buyer += 1;
                }
                _ => {
                    let Some((at_us, event)) = self.agenda.take() else {
                        break;
                    };
                    self.now_us = at_us;
                    self.happen(event);
                }
            }
        }
        self.figures.isolates = self.earth.started;
        self.figures.relay_load = self.relays.load();
        self
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Ask(request) => self.ask(Request {
                sent_us: self.now_us,
                ..request
            }),
            Event::Arrive(Node::Object, call) => self.arrive(*call),
            Event::Arrive(node, call) => self.arrive_at_relay(node, *call),
            Event::Answer(it) => self.answer(it.0, &it.1),
            Event::Report(from, round) => self.report(from, round),
            Event::Wake(node) => self.wake_relay(node),
            Event::RelayDone(node, epoch, step) => self.relay_done(node, epoch, *step),
            Event::RelayCrash(node) => self.crash_relay(node),
            Event::RelayBack(node) => self.relays.post(node).down = false,
            Event::TurnEnds(epoch, answers) => self.end_turn(epoch, answers),
            Event::Alarm => self.wake(),
            Event::Crash(number) => self.crash(number),
            Event::Restarted => self.restarted(),
            Event::Change(number) => self.change(number),
        }
    }

    /// A request comes in at an edge.
    fn ask(&mut self, request: Request) {
        let now_us = self.now_us;
        let from = self
            .earth
            .enter(self.crowd.whereabouts(request.buyer), now_us);
        let body = self.crowd.write(&request, &mut self.head);
        let Some(isolate) = self.earth.isolate(from, now_us) else {
            return;
        };
        let now_ms = isolate.now_ms(now_us);
        let action = step(&mut isolate.edge, &self.head, body, now_ms);
        if request.wish == Wish::Place {
            self.figures.bucket(now_us).asked += 1;
            self.figures.repeated += u64::from(request.attempt > 0);
        }
        match action {
            Action::Respond(response) => self.refused_here(from, request, &response),
            Action::Call(it) if request.wish == Wish::Place => {
                self.publish(from, request, it.command);
            }
            Action::Call(it) => {
                let asker = Asker::Buyer(from, request);
                let (commands, shared) = (vec![it.command], false);
                self.send(
                    Node::Object,
                    Call {
                        asker,
                        commands,
                        shared,
                    },
                );
            }
            other => panic!("a publish cannot lead to {other:?}"),
        }
    }

    /// Sends a call on its way; now and then the platform delivers it twice.
    pub fn send(&mut self, to: Node, call: Call) {
        let way_us = self.way_us(to, &call.asker);
        let is_isolates = !matches!(call.asker, Asker::Relay(..));
        if is_isolates && self.random.chance(self.settings.delivered_twice) {
            let copy = Call {
                asker: Asker::Nobody(call.asker.isolate()),
                commands: call.commands.clone(),
                ..call
            };
            let way_us = self.way_us(to, &call.asker);
            self.figures.delivered_twice += 1;
            self.agenda
                .note(self.now_us + way_us, Event::Arrive(to, Box::new(copy)));
        }
        self.agenda
            .note(self.now_us + way_us, Event::Arrive(to, Box::new(call)));
    }

    /// Sends an answer on its way; now and then one is lost.
    pub fn send_back(&mut self, from: Node, asker: Asker, answer: Answer) {
        if let Asker::Shop(_, number) = asker {
            let done = matches!(&answer, Answer::Response(it) if it.status < 300);
            if !done {
                self.agenda
                    .note(self.now_us + 100 * MS, Event::Change(number));
            }
            return;
        }
        let lost = self.random.chance(self.settings.answers_lost);
        let answer = if lost { Answer::Lost } else { answer };
        let commit_us = if from == Node::Object {
            self.settings.commit_us
        } else {
            0
        };
        let way_us = commit_us + self.way_us(from, &asker);
        self.agenda.note(
            self.now_us + way_us,
            Event::Answer(Box::new((asker, answer))),
        );
    }

    fn answer(&mut self, asker: Asker, answer: &Answer) {
        match asker {
            Asker::Publishes(from, requests, sent_us, conducts) => {
                self.answer_publishes(from, requests, sent_us, conducts, answer);
            }
            Asker::Relay(node, epoch, number) => self.answer_relay(node, epoch, number, answer),
            Asker::Buyer(_, request) => match answer {
                Answer::Response(it) if it.status != 503 => {}
                _ => self.come_back(request, "unavailable"),
            },
            Asker::Report(_) | Asker::Nobody(_) | Asker::Shop(..) => {}
        }
    }

    /// A buyer reads an answer.
    pub fn receive(&mut self, request: Request, status: u16, body: &[u8], by_edge: bool) {
        let wait_us = self.now_us - request.sent_us;
        match status {
            202 => {
                self.figures.count("admitted");
                self.figures.admitted.note(wait_us);
                self.decide(request, body);
            }
            410 => {
                self.figures.count(if by_edge {
                    "sold out, by an edge"
                } else {
                    "sold out"
                });
                self.figures.refused.note(wait_us);
                if self.random.chance(0.03) {
                    let again_us = self.random.between(1.0, 5.0) * SECOND as f64;
                    self.again(request, again_us as Us);
                }
            }
            409 if member(body, "type") == "not-open" => {
                self.figures.count(if by_edge {
                    "not open, by an edge"
                } else {
                    "not open"
                });
                self.figures.refused.note(wait_us);
                let after_ms = member(body, "retry_after_ms").as_u64().unwrap_or(1_000);
                if self.random.chance(0.9) {
                    let late_us = self.random.exponential(20.0 * MS as f64) as Us;
                    self.again(request, after_ms * MS + late_us);
                }
            }
            409 => self.figures.count("has a place already"),
            503 => {
                let text = if member(body, "type") == "overloaded" {
                    "overloaded"
                } else {
                    "unavailable"
                };
                self.come_back(request, text);
            }
            other => panic!("{other}: {}", String::from_utf8_lossy(body)),
        }
    }

    /// The buyer got no answer, or one to try again.
    pub fn come_back(&mut self, request: Request, answer: &'static str) {
        if request.wish == Wish::Place {
            self.figures.count(answer);
        }
        let wait_us = if answer == "lost" {
            PATIENCE_US
        } else {
            SECOND
        };
        let more_us = self.random.between(0.0, SECOND as f64) as Us;
        self.again(request, wait_us + more_us);
    }

    fn again(&mut self, request: Request, wait_us: Us) {
        if request.attempt + 1 < ATTEMPTS_MAX {
            let request = Request {
                attempt: request.attempt + 1,
                ..request
            };
            self.agenda.note(self.now_us + wait_us, Event::Ask(request));
        }
    }

    /// Who got a place that is held makes up their mind.
    fn decide(&mut self, request: Request, body: &[u8]) {
        let id = member(body, "id")
            .as_str()
            .and_then(tidegate::id::Id::parse);
        let Some(id) = id.filter(|_| self.settings.hold_ms.is_some()) else {
            return;
        };
        let wish = match self.crowd.mind(request.buyer, self.now_us) {
            Mind::Confirms => Wish::Confirm(id),
            Mind::Cancels => Wish::Cancel(id),
            Mind::Forgets => return,
        };
        let after_us = self.random.between(0.2, 2.0) * SECOND as f64;
        let request = Request {
            attempt: 0,
            wish,
            ..request
        };
        self.agenda
            .note(self.now_us + after_us as Us, Event::Ask(request));
    }
}

/// A request through the edge, as the host takes it: head, then body where it is wanted.
pub fn step(edge: &mut Edge, head: &str, body: &[u8], now_ms: u64) -> Action {
    match edge.open(head, now_ms) {
        Action::NeedBody { .. } => edge.body(head, body, now_ms),
        action => action,
    }
}

/// A member of a JSON body; null where there is none.
pub fn member(body: &[u8], name: &str) -> serde_json::Value {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    body.get(name).cloned().unwrap_or_default()
}
