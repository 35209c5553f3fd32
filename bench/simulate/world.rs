//! The run: events in order of time, from the buyers through the edges and back.
//!
//! Owns the edge's side; the object's is in `backend.rs`. What the host does between the two cores
//! (`host/worker.js`, `host/call.js`, `host/reports.js`) is done here the same way.

use super::agenda::Agenda;
use super::backend::{Backend, Call};
use super::crowd::{ATTEMPTS_MAX, Crowd, Mind, PATIENCE_US, Request, Wish};
use super::earth::{Earth, IsolateId};
use super::figures::{Cause, Figures};
use super::ledger::Ledger;
use super::random::Random;
use super::settings::{MS, SECOND, Settings, Sharing, Us};
use super::sharing::{Advice, Known};
use tidegate::command::{Verdict, verdict};
use tidegate::edge::{Action, Edge};
use tidegate::limits::VERDICT_MS_MAX;
use tidegate::protocol::http::Response;
use tidegate::wire::base64;

/// How long the host waits between reports, and how often it looks for more.
const REPORT_EVERY_US: Us = SECOND;
const REPORT_ROUNDS_MAX: u8 = 20;

/// Something that is going to happen.
pub enum Event {
    /// A buyer asks again, confirms or cancels.
    Ask(Request),
    /// What the location knows has arrived at the isolate.
    Look(Box<Call>),
    /// A call has arrived at its region's relay.
    Relay(Box<Call>),
    /// Others of the location can see that somebody asks, or what the answer was.
    Mark(IsolateId),
    Put(IsolateId, Box<Known>),
    /// A call has arrived at the object.
    Arrive(Box<Call>),
    /// The object's answer has arrived at the isolate; `None`: there is none.
    Answer(Box<Call>, Option<Response>),
    Report(IsolateId, u8),
    TurnEnds(u32, Vec<(Box<Call>, Option<Response>)>),
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
        self
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Ask(request) => self.ask(Request {
                sent_us: self.now_us,
                ..request
            }),
            Event::Look(call) => self.look(call),
            Event::Relay(call) => self.relay(call),
            Event::Mark(from) => {
                let now_us = self.now_us;
                self.earth.shared(from).mark(now_us);
            }
            Event::Put(from, known) => self.earth.shared(from).put(*known),
            Event::Arrive(call) => self.arrive(call),
            Event::Answer(call, response) => self.answer(*call, response),
            Event::Report(from, round) => self.report(from, round),
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
        let until_us = isolate.known_until_us;
        let is_known = now_us < until_us;
        if request.wish == Wish::Place {
            self.figures.bucket(now_us).asked += 1;
            self.figures.repeated += u64::from(request.attempt > 0);
        }
        match action {
            Action::Respond(response) => {
                self.figures.bucket(now_us).refused_by_edge += 1;
                if response.status != 503 {
                    self.ledger.refused_by_edge(now_us, until_us);
                }
                self.schedule_reports(from);
                self.receive(request, &response, true);
            }
            Action::Call(it) => {
                let cause = match request.wish {
                    Wish::Place if self.crowd.is_keyed(request.buyer) => Cause::Keyed,
                    Wish::Place if is_known => Cause::Probe,
                    Wish::Place => Cause::Cold,
                    _ => Cause::Other,
                };
                let call = Box::new(Call::of_buyer(request, from, it.command, cause));
                let asks_others = matches!(cause, Cause::Probe | Cause::Cold);
                if asks_others && self.settings.sharing != Sharing::Isolate {
                    let at_us = now_us + self.cache_us();
                    self.agenda.note(at_us, Event::Look(call));
                } else {
                    self.send(call);
                }
            }
            other => panic!("a publish cannot lead to {other:?}"),
        }
    }

    /// One to three milliseconds: a read or a write of the location's cache.
    fn cache_us(&mut self) -> Us {
        self.random.between(1.0 * MS as f64, 3.0 * MS as f64) as Us
    }

    fn look(&mut self, call: Box<Call>) {
        let now_us = self.now_us;
        match self.earth.shared(call.from).advice(now_us) {
            Advice::Refuse(verdict) => self.tell(&call, verdict),
            Advice::Renew => {
                let at_us = now_us + self.cache_us();
                self.agenda.note(at_us, Event::Mark(call.from));
                if self.settings.sharing == Sharing::Region {
                    let at_us = now_us + self.backend.relay_us;
                    self.agenda.note(at_us, Event::Relay(call));
                } else {
                    self.send(call);
                }
            }
            Advice::Pass => self.send(call),
        }
    }

    /// Refuses by what others were told.
    pub fn tell(&mut self, call: &Call, verdict: Verdict) {
        let Ok(bytes) = verdict.encode() else {
            return;
        };
        let response = Response::default().with(verdict::HEADER, base64::encode_url(&bytes));
        self.hand_over(call, &response, true);
    }

    fn answer(&mut self, call: Call, response: Option<Response>) {
        self.relayed(&call, response.as_ref());
        let Some(response) = response else {
            if let Some(request) = call.buyer() {
                self.come_back(request, "unavailable");
            }
            return;
        };
        if let Some(verdict) = verdict_in(&response).filter(|it| it.fault.is_some())
            && self.settings.sharing != Sharing::Isolate
        {
            let known = Box::new(Known {
                verdict,
                since_us: self.now_us,
            });
            let at_us = self.now_us + self.cache_us();
            self.agenda.note(at_us, Event::Put(call.from, known));
        }
        self.hand_over(&call, &response, false);
    }

    /// An answer with or without a verdict reaches the isolate that asked, and through it the buyer.
    fn hand_over(&mut self, call: &Call, response: &Response, by_edge: bool) {
        let now_us = self.now_us;
        let Some(request) = call.buyer() else {
            return;
        };
        let Some(isolate) = self.earth.isolate(call.from, now_us) else {
            return self.come_back(request, "lost");
        };
        let said = response.header(verdict::HEADER).and_then(|header| {
            self.crowd.write(&request, &mut self.head);
            let now_ms = isolate.now_ms(now_us);
            if let Some(verdict) = verdict_in(response).filter(|it| it.fault.is_some()) {
                isolate.known_until_us = now_us + verdict.valid_ms.min(VERDICT_MS_MAX) * MS;
            }
            isolate.edge.verdict(&self.head, header, now_ms)
        });
        if by_edge {
            self.figures.bucket(now_us).refused_by_edge += 1;
            if said.as_ref().is_some_and(|it| it.status != 503) {
                self.ledger.refused_by_edge(now_us, Us::MAX);
            }
        }
        self.receive(request, said.as_ref().unwrap_or(response), by_edge);
    }

    /// A buyer reads an answer.
    fn receive(&mut self, request: Request, response: &Response, by_edge: bool) {
        let wait_us = self.now_us - request.sent_us;
        if request.wish != Wish::Place {
            if response.status == 503 {
                self.come_back(request, "overloaded");
            }
            return;
        }
        match response.status {
            202 => {
                self.figures.count("admitted");
                self.figures.admitted.note(wait_us);
                self.decide(request, response);
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
            409 if member(response, "type") == "not-open" => {
                self.figures.count(if by_edge {
                    "not open, by an edge"
                } else {
                    "not open"
                });
                self.figures.refused.note(wait_us);
                let after_ms = member(response, "retry_after_ms").as_u64().unwrap_or(1_000);
                if self.random.chance(0.9) {
                    let late_us = self.random.exponential(20.0 * MS as f64) as Us;
                    self.again(request, after_ms * MS + late_us);
                }
            }
            409 => self.figures.count("has a place already"),
            503 => self.come_back(request, "overloaded"),
            other => panic!("{other}: {}", String::from_utf8_lossy(&response.body)),
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
    fn decide(&mut self, request: Request, response: &Response) {
        let id = member(response, "id")
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

    fn schedule_reports(&mut self, from: IsolateId) {
        let now_us = self.now_us;
        if let Some(isolate) = self.earth.isolate(from, now_us)
            && isolate.edge.has_reports()
            && !isolate.reporting
        {
            isolate.reporting = true;
            self.agenda
                .note(now_us + REPORT_EVERY_US, Event::Report(from, 1));
        }
    }

    fn report(&mut self, from: IsolateId, round: u8) {
        let now_us = self.now_us;
        let Some(isolate) = self.earth.isolate(from, now_us) else {
            return;
        };
        let now_ms = isolate.now_ms(now_us);
        let calls = isolate.edge.report(now_ms);
        isolate.reporting = isolate.edge.has_reports() && round < REPORT_ROUNDS_MAX;
        if isolate.reporting {
            self.agenda
                .note(now_us + REPORT_EVERY_US, Event::Report(from, round + 1));
        }
        for call in calls {
            self.send(Box::new(Call::report(from, call.command)));
        }
    }
}

/// A request through the edge, as the host takes it: head, then body where it is wanted.
pub fn step(edge: &mut Edge, head: &str, body: &[u8], now_ms: u64) -> Action {
    match edge.open(head, now_ms) {
        Action::NeedBody { .. } => edge.body(head, body, now_ms),
        action => action,
    }
}

/// The verdict that an object's response carries.
pub fn verdict_in(response: &Response) -> Option<Verdict> {
    let header = response.header(verdict::HEADER)?;
    Verdict::decode(&base64::decode_url(header)?)
}

/// A member of a JSON body; null where there is none.
pub fn member(response: &Response, name: &str) -> serde_json::Value {
    let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap_or_default();
    body.get(name).cloned().unwrap_or_default()
}
