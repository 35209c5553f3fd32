//! The object's side of a run: calls on their way, turns, crashes, changes of the stock.

use super::figures::{BUCKET_US, Cause};
use super::isolates::{Asker, body_of};
use super::object::{Object, Waiting};
use super::relays::{Answer, Call, Node};
use super::settings::{MS, SECOND, START_MS, Settings, Us};
use super::world::{Event, World, member, step};
use tidegate::command::{Command, Verdict, codec, verdict};
use tidegate::edge::Action;
use tidegate::id::Id;
use tidegate::protocol::http::{Response, joined};
use tidegate::wire::base64;

const QUEUE: &str = "https://api.shop.example/v1/queues/drop";
const TOKEN: &str = "authorization: Bearer token-of-the-shop";
/// How long an object is gone when it is thrown out of memory.
const RESTART_US: Us = 300 * MS;
/// Restarts happen until then.
const RESTARTS_UNTIL_US: (f64, f64) = (0.1 * SECOND as f64, 12.0 * SECOND as f64);
/// Nothing that is due later belongs to a run.
const END_US: Us = 60 * SECOND;
/// Stands before the instant of a decision in the words of a refusal.
const STAMP: &[u8] = b" @us=";

/// A call of a turn, with its answer; `None` where the object failed.
pub type Answered = (Waiting<Asker>, Option<Response>);

/// The object with what is in front of it.
pub struct Backend {
    object: Object<Asker>,
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
            let at_us = self
                .random
                .between(RESTARTS_UNTIL_US.0, RESTARTS_UNTIL_US.1) as Us;
            self.agenda.note(at_us, Event::Crash(number));
        }
        if let Some(at_us) = self.settings.relays_die_us {
            self.agenda.note(at_us, Event::RelayCrash(Node::Region(0)));
            for location in (0..self.settings.locations as u16).step_by(10) {
                self.agenda
                    .note(at_us, Event::RelayCrash(Node::Location(location)));
            }
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
        let asker = Asker::Shop(from, number);
        let (commands, shared) = (vec![call.command], false);
        let call = Call {
            asker,
            commands,
            shared,
        };
        if self.now_us == 0 {
            // Before the sale: nothing can be in its way.
            self.arrive(call);
        } else {
            self.send(Node::Object, call);
        }
    }

    /// A call has arrived at the object.
    pub fn arrive(&mut self, call: Call) {
        let Call {
            asker,
            commands,
            shared,
        } = call;
        let waiting = Waiting {
            asker,
            commands,
            shared,
        };
        if let Err(asker) = self.backend.object.arrive(waiting) {
            self.figures.bucket(self.now_us).calls[Cause::Shed as usize] += 1;
            return self.send_back(Node::Object, asker, Answer::Overloaded);
        }
        self.begin_turn();
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
        let mut ran = self.backend.object.run(now_us);
        self.backend.busy = true;
        self.book(&ran.answers);
        for (_, response) in &mut ran.answers {
            stamp(response, now_us);
        }
        if let Some(at_us) = ran.alarm_at_us.filter(|at_us| *at_us < END_US) {
            self.backend.alarm_at_us = Some(at_us);
            self.agenda.note(at_us.max(now_us), Event::Alarm);
        }
        let ends = Event::TurnEnds(self.backend.epoch, ran.answers);
        self.agenda.note(now_us + ran.work_us, ends);
    }

    /// Enters what a turn committed in the ledger: what gives places back came first.
    fn book(&mut self, answers: &[Answered]) {
        let now_us = self.now_us;
        self.ledger.pass(now_us);
        for (call, response) in answers {
            let is_done = response.as_ref().is_some_and(|it| it.status < 300);
            if !is_done || call.shared {
                continue;
            }
            // By what was done, not by who asked: a copy may have come first.
            match codec::decode(&call.commands[0]).unwrap().command {
                Command::Confirm { id } => self.ledger.confirm(id),
                Command::Cancel { id } => self.ledger.cancel(id, now_us),
                Command::Configure { .. } => {
                    if let Asker::Shop(_, number) = call.asker
                        && number > 0
                    {
                        let (_, stock) = self.settings.changes[number];
                        self.ledger.change(stock, now_us);
                    }
                }
                _ => {}
            }
        }
        let mut refused = 0;
        for (call, response) in answers {
            let cause = if call.shared {
                self.book_publishes(call, response.as_ref(), &mut refused)
            } else {
                Cause::Other
            };
            self.figures.bucket(now_us).calls[cause as usize] += 1;
        }
        if now_us >= self.settings.opens_at_us.unwrap_or(0) {
            self.ledger.refused_by_object(refused);
        }
        self.figures.bucket(now_us).refused_by_object += refused;
        self.observe();
    }

    /// Enters the answers of one shared call; what the call was.
    fn book_publishes(
        &mut self,
        call: &Waiting<Asker>,
        response: Option<&Response>,
        refused: &mut u64,
    ) -> Cause {
        let Some(answers) = response.and_then(|it| joined::split(&it.body)) else {
            return Cause::Refused;
        };
        let mut cause = Cause::Report;
        for (command, text) in call.commands.iter().zip(answers) {
            let envelope = codec::decode(command).unwrap();
            let Command::Publish(draft) = envelope.command else {
                continue;
            };
            if joined::status(text) == 202 {
                cause = Cause::Accepted;
                let id = member(body_of(text), "id");
                let id = id.as_str().and_then(Id::parse).unwrap();
                let buyer = draft
                    .key
                    .and_then(|key| key.strip_prefix("buyer-"))
                    .unwrap();
                let buyer = buyer.parse().unwrap();
                self.ledger
                    .accept(id, buyer, self.settings.hold_ms, self.now_us);
            } else {
                if cause == Cause::Report {
                    cause = Cause::Refused;
                }
                *refused += u64::from(joined::header(text, verdict::HEADER).is_some());
            }
        }
        cause
    }

    fn observe(&mut self) {
        let now_us = self.now_us;
        let taken = self.ledger.taken();
        let bucket = self.figures.bucket(now_us / BUCKET_US * BUCKET_US);
        bucket.taken = taken;
        self.figures.sold_out_us = self.ledger.full_since_us();
    }

    pub fn end_turn(&mut self, epoch: u32, answers: Vec<Answered>) {
        if epoch != self.backend.epoch {
            // It was committed, or not; nobody is told.
            return self.fail(answers.into_iter().map(|(call, _)| call.asker).collect());
        }
        self.backend.busy = false;
        for (call, response) in answers {
            let answer = response.map_or(Answer::Lost, Answer::Response);
            self.send_back(Node::Object, call.asker, answer);
        }
        self.begin_turn();
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

    fn fail(&mut self, askers: Vec<Asker>) {
        for asker in askers {
            self.send_back(Node::Object, asker, Answer::Lost);
        }
    }
}

/// Writes into each refusal of a shared answer when it was decided. Wherever a relay or an edge
/// repeats it, its words then say how old it is.
fn stamp(response: &mut Option<Response>, now_us: Us) {
    let Some(response) = response else {
        return;
    };
    let Some(answers) = joined::split(&response.body) else {
        return;
    };
    let mut all = joined::Joined::default();
    let mut last: Option<(&[u8], usize)> = None;
    for text in answers {
        match last {
            Some((same, place)) if std::ptr::eq(same, text) => all.repeat(place),
            _ => {
                let stamped = verdict_in(text).map(|verdict| stamped(text, verdict, now_us));
                let place = all.add_text(stamped.as_deref().unwrap_or(text));
                last = Some((text, place));
            }
        }
    }
    response.body = all.finish().body;
}

fn stamped(text: &[u8], mut verdict: Verdict, now_us: Us) -> Vec<u8> {
    if let Some(fault) = &mut verdict.fault {
        fault.detail += &format!("{}{now_us};", String::from_utf8_lossy(STAMP));
    }
    let header = base64::encode_url(&verdict.encode().unwrap());
    let status = joined::status(text);
    format!("{status}\n{}: {header}\n\n", verdict::HEADER).into_bytes()
}

fn verdict_in(text: &[u8]) -> Option<Verdict> {
    let header = joined::header(text, verdict::HEADER)?;
    Verdict::decode(&base64::decode_url(header)?)
}

/// When the refusal in these words was decided.
pub fn decided_us(body: &[u8]) -> Option<Us> {
    let at = body.windows(STAMP.len()).position(|it| it == STAMP)?;
    let digits = body[at + STAMP.len()..]
        .split(|byte| *byte == b';')
        .next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// A refusal that a relay repeats: when it was decided, and whether the relay itself did so rather
/// than hand on what another one had said.
pub fn repeated_from(text: &[u8]) -> Option<(Us, bool)> {
    let verdict = verdict_in(text).filter(|it| it.is_repeated)?;
    let decided_us = decided_us(verdict.fault?.detail.as_bytes())?;
    // What is refused from memory always has some time left.
    Some((decided_us, verdict.valid_ms > 0))
}
