//! The object's side of a run: calls on their way, turns, crashes, changes of the stock; and the
//! relays of regions, where verdicts are shared through them.

// Calls are large and go from line to line: moving a box is cheaper.
#![allow(clippy::vec_box)]

use super::crowd::{Request, Wish};
use super::earth::IsolateId;
use super::figures::{BUCKET_US, Cause, SETTLED_US};
use super::object::{Object, Waiting};
use super::settings::{MS, SECOND, START_MS, Settings, Us};
use super::sharing::{Advice, Known, REGIONS, Shared};
use super::world::{Event, World, member, step, verdict_in};
use tidegate::command::{Verdict, verdict};
use tidegate::edge::Action;
use tidegate::error::{ErrorCode, Fault};
use tidegate::id::Id;
use tidegate::protocol::http::Response;
use tidegate::wire::base64;

const QUEUE: &str = "https://api.shop.example/v1/queues/drop";
const TOKEN: &str = "authorization: Bearer token-of-the-shop";
/// How long an object is gone when it is thrown out of memory.
const RESTART_US: Us = 300 * MS;
/// Restarts happen until then.
const RESTARTS_UNTIL_US: f64 = 12.0 * SECOND as f64;
/// Nothing that is due later belongs to a run.
const END_US: Us = 60 * SECOND;

#[derive(Clone, Copy)]
enum Asker {
    Buyer(Request),
    /// The same call once more, delivered by the platform; nobody reads its answer.
    Copy(Request),
    /// A change of the stock, by its number.
    Shop(usize),
    Report,
}

/// A call to the object.
pub struct Call {
    pub from: IsolateId,
    asker: Asker,
    command: Vec<u8>,
    cause: Cause,
    via_relay: bool,
}

impl Call {
    pub fn of_buyer(request: Request, from: IsolateId, command: Vec<u8>, cause: Cause) -> Self {
        Self {
            from,
            asker: Asker::Buyer(request),
            command,
            cause,
            via_relay: false,
        }
    }

    pub fn report(from: IsolateId, command: Vec<u8>) -> Self {
        let (asker, cause) = (Asker::Report, Cause::Report);
        Self {
            from,
            asker,
            command,
            cause,
            via_relay: false,
        }
    }

    /// Who waits for the answer.
    pub fn buyer(&self) -> Option<Request> {
        match self.asker {
            Asker::Buyer(request) => Some(request),
            _ => None,
        }
    }
}

/// A relay: what it knows, and who waits while it asks.
#[derive(Default)]
struct Relay {
    shared: Shared,
    asking: bool,
    waiting: Vec<Box<Call>>,
}

/// The object with what is in front of it.
pub struct Backend {
    object: Object<Box<Call>>,
    relays: Vec<Relay>,
    /// From a location to its region's relay.
    pub relay_us: Us,
    commit_us: Us,
    busy: bool,
    down: bool,
    /// Counts crashes: a turn that was under way at one never ends.
    epoch: u32,
    alarm_at_us: Option<Us>,
}

impl Backend {
    pub fn new(settings: &Settings) -> Self {
        Self {
            object: Object::new(settings),
            relays: (0..REGIONS).map(|_| Relay::default()).collect(),
            relay_us: 10 * MS,
            commit_us: settings.commit_us,
            busy: false,
            down: false,
            epoch: 0,
            alarm_at_us: None,
        }
    }
}

impl World {
    /// Creates the queue, and notes what will happen.
    pub fn prepare(&mut self) {
        let stock = self
            .settings
            .changes
            .first()
            .map_or(self.settings.stock, |(_, it)| *it);
        let opens_at_ms = self.settings.opens_at_us.map(|at_us| START_MS + at_us / MS);
        let capacity = serde_json::json!({
            "max_accepted": stock, "max_per_key": 1, "opens_at_ms": opens_at_ms,
            "max_messages": self.settings.stock * 10,
        });
        self.send_change(0, &capacity);
        for (number, (at_us, _)) in self
            .settings
            .changes
            .clone()
            .into_iter()
            .enumerate()
            .skip(1)
        {
            self.agenda.note(at_us, Event::Change(number));
        }
        for number in 0..self.settings.restarts {
            let at_us = self.random.between(SECOND as f64, RESTARTS_UNTIL_US) as Us;
            self.agenda.note(at_us, Event::Crash(number));
        }
    }

    pub fn change(&mut self, number: usize) {
        let (_, stock) = self.settings.changes[number];
        self.send_change(number, &serde_json::json!({ "max_accepted": stock }));
    }

    /// The shop sends a `PUT`, again and again until it is answered.
    fn send_change(&mut self, number: usize, capacity: &serde_json::Value) {
        let from = self.earth.enter(0.5, self.now_us);
        let Some(isolate) = self.earth.isolate(from, self.now_us) else {
            return;
        };
        let body = serde_json::json!({ "capacity": capacity }).to_string();
        let size = body.len();
        let head = format!("PUT\n{QUEUE}\n{TOKEN}\ncontent-length: {size}\n");
        let now_ms = isolate.now_ms(self.now_us);
        let action = step(&mut isolate.edge, &head, body.as_bytes(), now_ms);
        let Action::Call(call) = action else {
            panic!("the shop's change was answered with {action:?}");
        };
        let (asker, cause) = (Asker::Shop(number), Cause::Other);
        let call = Call {
            from,
            asker,
            command: call.command,
            cause,
            via_relay: false,
        };
        if self.now_us == 0 {
            // Before the sale: nothing can be in its way.
            self.arrive(Box::new(call));
        } else {
            self.send(Box::new(call));
        }
    }

    /// Sends a call on its way to the object.
    pub fn send(&mut self, call: Box<Call>) {
        let travel_us = self.earth.travel_us(call.from);
        if let Asker::Buyer(request) = call.asker
            && self.random.chance(self.settings.delivered_twice)
        {
            let copy = Call {
                asker: Asker::Copy(request),
                command: call.command.clone(),
                via_relay: false,
                ..*call
            };
            let travel_us = self.earth.travel_us(call.from);
            self.figures.delivered_twice += 1;
            self.agenda
                .note(self.now_us + travel_us, Event::Arrive(Box::new(copy)));
        }
        self.agenda
            .note(self.now_us + travel_us, Event::Arrive(call));
    }

    pub fn arrive(&mut self, mut call: Box<Call>) {
        let now_us = self.now_us;
        self.figures.bucket(now_us).calls[call.cause as usize] += 1;
        let command = std::mem::take(&mut call.command);
        if let Err(call) = self.backend.object.arrive(Waiting {
            asker: call,
            command,
        }) {
            let overloaded = self.overloaded();
            return self.send_back(call, Some(overloaded));
        }
        self.begin_turn();
    }

    /// The answer of an object whose line is full.
    fn overloaded(&mut self) -> Response {
        let response = Response {
            status: 503,
            ..Response::default()
        };
        if !self.settings.remembers_overload {
            return response;
        }
        let fault = Fault::new(ErrorCode::Overloaded, "too much is waiting")
            .with(|f| f.retry_after_ms = Some(1_000));
        // Spread, so that not all isolates ask again at once.
        let valid_ms = self.random.between(500.0, 1_000.0) as u64;
        let verdict = Verdict {
            fault: Some(fault),
            answered: None,
            valid_ms,
            cors_origins: Vec::new(),
        };
        match verdict.encode() {
            Ok(bytes) => response.with(verdict::HEADER, base64::encode_url(&bytes)),
            Err(_) => response,
        }
    }

    /// Begins a turn, unless one is under way or there is nothing to do.
    fn begin_turn(&mut self) {
        let now_us = self.now_us;
        let alarm = self
            .backend
            .alarm_at_us
            .is_some_and(|at_us| at_us <= now_us);
        let is_due = alarm || self.backend.object.has_line();
        if self.backend.busy || self.backend.down || !is_due {
            return;
        }
        if alarm {
            self.backend.alarm_at_us = None;
        }
        let ran = self.backend.object.run(now_us);
        self.backend.busy = true;
        self.book(&ran.answers);
        if let Some(at_us) = ran.alarm_at_us.filter(|at_us| *at_us < END_US) {
            self.backend.alarm_at_us = Some(at_us);
            self.agenda.note(at_us.max(now_us), Event::Alarm);
        }
        let ends = Event::TurnEnds(self.backend.epoch, ran.answers);
        self.agenda.note(now_us + ran.work_us, ends);
    }

    /// Enters what a turn committed in the ledger: what gives places back came first.
    fn book(&mut self, answers: &[(Box<Call>, Option<Response>)]) {
        let now_us = self.now_us;
        self.ledger.pass(now_us);
        for (call, response) in answers {
            let status = response.as_ref().map_or(0, |it| it.status);
            let is_done = (200..300).contains(&status);
            let wish = match call.asker {
                Asker::Buyer(request) | Asker::Copy(request) => request.wish,
                Asker::Shop(number) if is_done && number > 0 => {
                    let (_, stock) = self.settings.changes[number];
                    self.ledger.change(stock, now_us);
                    continue;
                }
                Asker::Shop(_) | Asker::Report => continue,
            };
            match wish {
                Wish::Confirm(id) if is_done => self.ledger.confirm(id),
                Wish::Cancel(id) if is_done => self.ledger.cancel(id, now_us),
                _ => {}
            }
        }
        let mut refused = 0;
        for (call, response) in answers {
            let (Asker::Buyer(request) | Asker::Copy(request)) = call.asker else {
                continue;
            };
            let Some(response) = response.as_ref().filter(|_| request.wish == Wish::Place) else {
                continue;
            };
            let is_open = now_us >= self.settings.opens_at_us.unwrap_or(0);
            if response.status == 202 {
                let id = member(response, "id").as_str().and_then(Id::parse).unwrap();
                self.ledger
                    .accept(id, request.buyer, self.settings.hold_ms, now_us);
            } else if is_open && verdict_in(response).is_some() {
                refused += 1;
            }
        }
        self.ledger.refused_by_object(refused);
        self.figures.bucket(now_us).handled += answers.len() as u64;
        self.observe();
    }

    fn observe(&mut self) {
        let now_us = self.now_us;
        let (taken, full) = (self.ledger.taken(), self.ledger.full_since_us());
        let settled = full.is_some_and(|since_us| since_us + SETTLED_US <= now_us);
        let bucket = self.figures.bucket(now_us / BUCKET_US * BUCKET_US);
        (bucket.taken, bucket.settled) = (taken, settled);
        self.figures.sold_out_us = full;
    }

    pub fn end_turn(&mut self, epoch: u32, answers: Vec<(Box<Call>, Option<Response>)>) {
        if epoch != self.backend.epoch {
            // It was committed, or not; nobody is told.
            return self.fail(answers.into_iter().map(|(call, _)| call).collect());
        }
        self.backend.busy = false;
        for (call, response) in answers {
            let lost = self.random.chance(self.settings.answers_lost);
            self.send_back(call, response.filter(|_| !lost));
        }
        self.begin_turn();
    }

    fn send_back(&mut self, call: Box<Call>, response: Option<Response>) {
        if let Asker::Shop(number) = call.asker {
            let answered = response.is_some_and(|it| it.status < 300);
            if !answered {
                self.agenda
                    .note(self.now_us + 100 * MS, Event::Change(number));
            }
            return;
        }
        let travel_us = self.backend.commit_us + self.earth.travel_us(call.from);
        self.agenda
            .note(self.now_us + travel_us, Event::Answer(call, response));
    }

    /// The alarm fires, or would have: what it was set for may have been done meanwhile.
    pub fn wake(&mut self) {
        self.begin_turn();
    }

    /// The object is thrown out of memory. Every second time its turn fails first.
    pub fn crash(&mut self, number: u32) {
        self.figures.crashes += 1;
        if number % 2 == 1 {
            self.backend.object.fails_next = true;
            return;
        }
        self.backend.epoch += 1;
        (self.backend.busy, self.backend.down) = (false, true);
        let line = self.backend.object.crash();
        self.fail(line);
        self.agenda.note(self.now_us + RESTART_US, Event::Restarted);
    }

    pub fn restarted(&mut self) {
        self.backend.down = false;
        // The platform kept the alarm.
        self.begin_turn();
    }

    fn fail(&mut self, calls: Vec<Box<Call>>) {
        for call in calls {
            self.send_back(call, None);
        }
    }

    /// A call has come to its region's relay instead of the object.
    pub fn relay(&mut self, mut call: Box<Call>) {
        let now_us = self.now_us;
        let relay = &mut self.backend.relays[usize::from(call.from.location) % REGIONS];
        match relay.shared.advice(now_us) {
            Advice::Refuse(verdict) => {
                let known = Known {
                    verdict: verdict.clone(),
                    since_us: now_us,
                };
                self.agenda
                    .note(now_us, Event::Put(call.from, Box::new(known)));
                self.tell(&call, verdict);
            }
            Advice::Renew | Advice::Pass if !relay.asking => {
                relay.asking = true;
                relay.shared.mark(now_us);
                call.via_relay = true;
                self.send(call);
            }
            Advice::Renew | Advice::Pass => relay.waiting.push(call),
        }
    }

    /// The answer to what a relay asked: it keeps a verdict, and sees to those who wait.
    pub fn relayed(&mut self, call: &Call, response: Option<&Response>) {
        if !call.via_relay {
            return;
        }
        let relay = &mut self.backend.relays[usize::from(call.from.location) % REGIONS];
        relay.asking = false;
        let waiting = std::mem::take(&mut relay.waiting);
        let verdict = response
            .and_then(verdict_in)
            .filter(|it| it.fault.is_some());
        let is_closed = verdict.is_some();
        if let Some(verdict) = verdict {
            relay.shared.put(Known {
                verdict,
                since_us: self.now_us,
            });
        }
        for call in waiting {
            if is_closed {
                self.agenda.note(self.now_us, Event::Relay(call));
            } else {
                self.send(call);
            }
        }
    }
}
