//! A relay: gathers the publishes that arrive in one place for one queue, asks whoever is above it
//! with one call at a time, and repeats what it was told for as long as that holds.
//!
//! Relays make a tree: a location's asks its region's, a region's asks the queue's object, which so
//! has as many callers as there are regions, whatever the crowd (`docs/decisions/0007`). Pure and
//! synchronous: calls come in by [`Relay::push_shared`] and [`Relay::called`], what shall happen
//! comes out of [`Relay::run`]. Nothing is stored: a relay that dies takes along what waits in it,
//! and its callers learn so. Out of scope: who asks which relay (`host/`), and every decision on
//! the queue.

mod caller;
mod line;
mod memory;

use crate::command::placement::{above, queue_of};
use crate::command::verdict::spread;
use crate::command::{Command, Envelope, Verdict, codec};
use crate::error::{ErrorCode, Fault};
use crate::id::{Secret, hash64};
use crate::limits::{
    RELAY_CALL_MS_MAX, RELAY_PACE_MS, RELAY_REFUSED_PACE_MS, RELAY_WAIT_MS_MAX, VERDICT_MS_MAX,
};
use crate::protocol::http::{DecidedBy, Response, cors, joined, problem};
use crate::time::{Millis, SECOND};
use crate::wire::base64;
use caller::{Answer, Callers, Refused};
use line::{Item, Line};
use memory::Memory;
use std::rc::Rc;

/// How long counts of refusals wait for a call that takes them along.
const REPORT_AFTER_MS: Millis = SECOND;

/// One relay.
#[derive(Debug)]
pub struct Relay {
    name: String,
    memory: Memory,
    callers: Callers,
    line: Line,
    /// Calls that arrived since the last run.
    arrived: Vec<(u32, Vec<Vec<u8>>)>,
    /// The call that is out, and what came back of it.
    out: Option<Out>,
    returned: Option<Returned>,
    number: u32,
    /// When the next call may leave.
    next_at_ms: Millis,
    /// Refusals that nobody has been told of, and since when.
    refused: Vec<(ErrorCode, u64)>,
    refused_since_ms: Millis,
    /// Decides how long overload is remembered.
    turn: u32,
}

#[derive(Debug)]
struct Out {
    number: u32,
    items: Vec<Item>,
    sent_ms: Millis,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered, with all answers in one.
    Answered,
    /// Whether it was taken is not known.
    Failed,
    /// It was not taken: too much is waiting there.
    Overloaded,
}

#[derive(Debug)]
struct Returned {
    outcome: Outcome,
    body: Vec<u8>,
}

/// What a relay wants done.
#[derive(Debug, Default)]
pub struct Step {
    /// Finished responses, by the token their call came with.
    pub replies: Vec<(u32, Response)>,
    /// The next call.
    pub call: Option<Call>,
    /// When it has to be run next, if nothing happens before.
    pub timer_at_ms: Option<Millis>,
}

/// A call to whoever is above.
#[derive(Debug)]
pub struct Call {
    /// To match the answer to the call.
    pub number: u32,
    /// Whom it is for.
    pub object: String,
    /// Whether that is a relay.
    pub to_relay: bool,
    /// Its commands, encoded.
    pub commands: Vec<Vec<u8>>,
}

impl Relay {
    /// The relay of this name; see `command/placement.rs`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            memory: Memory::default(),
            callers: Callers::default(),
            line: Line::default(),
            arrived: Vec::new(),
            out: None,
            returned: None,
            number: 0,
            next_at_ms: 0,
            refused: Vec::new(),
            refused_since_ms: 0,
            // Not all relays of a queue shall count in step.
            turn: hash64(Secret([0, 0]), name.as_bytes()) as u32,
        }
    }

    /// Takes a call of several commands into the next run; it is answered under `token`.
    pub fn push_shared(&mut self, token: u32, commands: impl Iterator<Item = Vec<u8>>) {
        self.arrived.push((token, commands.collect()));
    }

    /// What became of a call; it counts from the next run on.
    pub fn called(&mut self, number: u32, outcome: Outcome, body: &[u8]) {
        if self.out.as_ref().is_none_or(|out| out.number != number) {
            return;
        }
        let body = body.to_vec();
        self.returned = Some(Returned { outcome, body });
    }

    /// Answers what can be answered, and asks what has to be asked.
    pub fn run(&mut self, now_ms: Millis) -> Step {
        let mut step = Step::default();
        self.take_answer(now_ms);
        for (token, commands) in std::mem::take(&mut self.arrived) {
            self.callers.begin(token, commands.len());
            for (place, command) in commands.iter().enumerate() {
                self.take((token, place as u32), command, now_ms);
            }
            self.callers.close(token);
        }
        self.drop_late(now_ms);
        self.settle(&mut step, now_ms);
        step.call = self.next_call(now_ms);
        step.timer_at_ms = self.wakes_at_ms();
        step
    }

    /// Reads one command. What the memory refuses is put aside until the rest of its call is
    /// answered, so that no refusal is older than it says when it leaves.
    fn take(&mut self, at: (u32, u32), command: &[u8], now_ms: Millis) {
        let envelope = match codec::decode(command) {
            Ok(envelope) => envelope,
            Err(fault) => return self.callers.answer(at, failed(&fault)),
        };
        let draft = match &envelope.command {
            Command::Publish(draft) => draft,
            Command::Report => {
                self.count(&envelope.refused, now_ms);
                let done = text_of(&Response::empty());
                return self.callers.answer(at, Answer::Text(done));
            }
            _ => {
                let fault = Fault::new(ErrorCode::Internal, "only publishes go through a relay");
                return self.callers.answer(at, failed(&fault));
            }
        };
        let item = Item {
            at,
            command: command.to_vec(),
            key: draft.idempotency_key.map(str::to_owned),
            origin: envelope.origin.map(str::to_owned),
            refused: envelope.refused,
            since_ms: now_ms,
        };
        if self.memory.refuses(item.key.as_deref(), now_ms) && !self.probes(now_ms) {
            self.callers.defer(item);
        } else {
            self.stand_in_line(item);
        }
    }

    /// Whether this publish, though it could be refused, goes up to learn whether that still holds.
    fn probes(&mut self, now_ms: Millis) -> bool {
        self.out.is_none() && self.memory.probes(now_ms)
    }

    fn stand_in_line(&mut self, item: Item) {
        let at = item.at;
        if self.line.push(item).is_err() {
            let refused = Refused {
                verdict: self.overloaded(),
                until_ms: None,
            };
            self.callers.answer(at, Answer::Refused(Rc::new(refused)));
        }
    }

    fn overloaded(&mut self) -> Verdict {
        self.turn = self.turn.wrapping_add(1);
        Verdict::overloaded(self.turn)
    }

    /// What waited for too long is sent back: it was never asked.
    fn drop_late(&mut self, now_ms: Millis) {
        let since_ms = now_ms.saturating_sub(RELAY_WAIT_MS_MAX);
        while let Some(item) = self.line.pop_older(since_ms) {
            let refused = Refused {
                verdict: self.overloaded(),
                until_ms: None,
            };
            self.callers
                .answer(item.at, Answer::Refused(Rc::new(refused)));
        }
    }

    /// Sees to the calls of which nothing waits for an answer: what was put aside is refused, or
    /// asked after all where the verdict has ended meanwhile. The rest is answered.
    fn settle(&mut self, step: &mut Step, now_ms: Millis) {
        while let Some(token) = self.callers.next_ready() {
            let deferred = self.callers.reopen(token);
            if deferred.is_empty() {
                let response = self.callers.finish(token, now_ms);
                step.replies.extend(response.map(|it| (token, it)));
                continue;
            }
            let mut said = None;
            for item in deferred {
                if self.memory.refuses(item.key.as_deref(), now_ms) {
                    let answer = self.refusal(&item, &mut said, now_ms);
                    self.callers.answer(item.at, answer);
                } else {
                    self.stand_in_line(item);
                }
            }
            self.callers.close(token);
        }
    }

    /// A refusal from memory, counted; `said` is what was said before in the same call.
    fn refusal(&mut self, item: &Item, said: &mut Option<Rc<Refused>>, now_ms: Millis) -> Answer {
        let Some((verdict, until_ms)) = self.memory.known() else {
            return failed(&Fault::new(ErrorCode::Unavailable, "nothing is known"));
        };
        if let Some(origin) = &item.origin
            && !cors::allows(&verdict.cors_origins, origin)
            && !verdict.is_overloaded()
        {
            return failed(&cors::forbidden(origin));
        }
        let code = verdict.fault.as_ref().map(|fault| fault.code);
        let repeated = || {
            let verdict = Verdict {
                is_repeated: true,
                ..verdict.clone()
            };
            let until_ms = Some(until_ms);
            Rc::new(Refused { verdict, until_ms })
        };
        let refused = said.get_or_insert_with(repeated).clone();
        self.count(&item.refused, now_ms);
        self.count(code.map(|code| (code, 1)).as_slice(), now_ms);
        Answer::Refused(refused)
    }

    fn count(&mut self, refused: &[(ErrorCode, u64)], now_ms: Millis) {
        if self.refused.is_empty() {
            self.refused_since_ms = now_ms;
        }
        for (code, count) in refused {
            match self.refused.iter_mut().find(|(known, _)| known == code) {
                Some((_, sum)) => *sum += count,
                None => self.refused.push((*code, *count)),
            }
        }
    }

    /// The next call, if one may leave and there is something to ask or to report.
    fn next_call(&mut self, now_ms: Millis) -> Option<Call> {
        let reports = !self.refused.is_empty() && self.refused_since_ms + REPORT_AFTER_MS <= now_ms;
        let has_reason = !self.line.is_empty() || reports;
        if self.out.is_some() || now_ms < self.next_at_ms || !has_reason {
            return None;
        }
        let mut items = self.line.take_call();
        let mut commands: Vec<Vec<u8>> = Vec::with_capacity(items.len() + 1);
        commands.extend(items.iter_mut().map(|it| std::mem::take(&mut it.command)));
        if !self.refused.is_empty() {
            commands.push(self.report());
        }
        self.number = self.number.wrapping_add(1);
        let number = self.number;
        self.out = Some(Out {
            number,
            items,
            sent_ms: now_ms,
        });
        let (object, to_relay) = above(&self.name);
        Some(Call {
            number,
            object: object.to_owned(),
            to_relay,
            commands,
        })
    }

    /// The counts, on their way.
    fn report(&mut self) -> Vec<u8> {
        let envelope = Envelope {
            queue: queue_of(&self.name),
            origin: None,
            auto_create: false,
            binary: false,
            anonymous: false,
            refused: std::mem::take(&mut self.refused),
            command: Command::Report,
        };
        // Writing to memory fails by a defect only; what cannot be read is refused above.
        codec::encode(&envelope).unwrap_or_default()
    }

    fn take_answer(&mut self, now_ms: Millis) {
        let returned = self.returned.take();
        let Some(out) = self.out.take() else {
            return;
        };
        let is_late = now_ms >= out.sent_ms + RELAY_CALL_MS_MAX;
        match returned {
            Some(it) if it.outcome == Outcome::Answered => self.hand_out(out, &it.body, now_ms),
            Some(it) if it.outcome == Outcome::Overloaded => self.hold_back(out, now_ms),
            Some(_) => self.fail(out, now_ms),
            None if is_late => self.fail(out, now_ms),
            None => self.out = Some(out),
        }
    }

    /// Gives each publish its answer, and learns from those that are refusals for everybody.
    fn hand_out(&mut self, out: Out, body: &[u8], now_ms: Millis) {
        let answers = joined::split(body).filter(|it| it.len() >= out.items.len());
        let Some(answers) = answers else {
            return self.fail(out, now_ms);
        };
        let mut last: Option<(&[u8], Answer)> = None;
        let mut learned = None;
        let mut is_open = false;
        for (item, text) in out.items.iter().zip(answers) {
            let answer = match &last {
                Some((same, answer)) if std::ptr::eq(*same, text) => answer.clone(),
                _ => read(text, out.sent_ms),
            };
            match &answer {
                Answer::Refused(refused) => learned = Some(refused.clone()),
                Answer::Text(_) => is_open |= item.key.is_none() && joined::status(text) == 202,
            }
            last = Some((text, answer.clone()));
            self.callers.answer(item.at, answer);
        }
        let pace_ms = if learned.is_some() {
            RELAY_REFUSED_PACE_MS
        } else {
            RELAY_PACE_MS
        };
        self.next_at_ms = out.sent_ms + pace_ms;
        match learned {
            Some(refused) => self.learn(&refused, now_ms),
            None if is_open => self.memory.forget(),
            None => {}
        }
    }

    /// Remembers a verdict, and puts aside what waits in line and is refused by it.
    fn learn(&mut self, refused: &Refused, now_ms: Millis) {
        let until_ms = refused.until_ms.unwrap_or(now_ms);
        self.memory.learn(&refused.verdict, until_ms, now_ms);
        let memory = &self.memory;
        let refused = |item: &Item| memory.refuses(item.key.as_deref(), now_ms);
        for item in self.line.take_where(refused) {
            self.callers.defer(item);
        }
    }

    /// Nothing of the call was taken, and nothing will be for a while.
    fn hold_back(&mut self, out: Out, now_ms: Millis) {
        let verdict = self.overloaded();
        let until_ms = Some(now_ms + verdict.valid_ms);
        let refused = Rc::new(Refused { verdict, until_ms });
        for item in out.items {
            self.callers
                .answer(item.at, Answer::Refused(refused.clone()));
        }
        self.next_at_ms = now_ms + RELAY_REFUSED_PACE_MS;
        self.learn(&refused, now_ms);
    }

    /// Whether any of the call was taken is not known.
    fn fail(&mut self, out: Out, now_ms: Millis) {
        let detail = "the queue could not be reached just now; try again";
        let answer = failed(
            &Fault::new(ErrorCode::Unavailable, detail).with(|f| f.retry_after_ms = Some(SECOND)),
        );
        for item in out.items {
            self.callers.answer(item.at, answer.clone());
        }
        // Spread, so that what failed together does not return together.
        let more_ms = spread(self.turn, RELAY_REFUSED_PACE_MS);
        self.next_at_ms = now_ms + RELAY_REFUSED_PACE_MS + more_ms;
    }

    fn wakes_at_ms(&self) -> Option<Millis> {
        if let Some(out) = &self.out {
            let late_ms = self
                .line
                .oldest_ms()
                .map(|since_ms| since_ms + RELAY_WAIT_MS_MAX + 1);
            let lost_ms = out.sent_ms + RELAY_CALL_MS_MAX;
            return Some(late_ms.map_or(lost_ms, |at_ms| at_ms.min(lost_ms)));
        }
        if !self.line.is_empty() {
            return Some(self.next_at_ms);
        }
        let report_ms = self.refused_since_ms + REPORT_AFTER_MS;
        (!self.refused.is_empty()).then(|| report_ms.max(self.next_at_ms))
    }
}

/// An answer from above: a verdict, which holds from when it was asked for, or anything else.
fn read(text: &[u8], sent_ms: Millis) -> Answer {
    let verdict = joined::header(text, crate::command::verdict::HEADER)
        .and_then(base64::decode_url)
        .and_then(|bytes| Verdict::decode(&bytes))
        .filter(|verdict| verdict.fault.is_some());
    match verdict {
        Some(verdict) => {
            let until_ms = Some(sent_ms + verdict.valid_ms.min(VERDICT_MS_MAX));
            Answer::Refused(Rc::new(Refused { verdict, until_ms }))
        }
        None => Answer::Text(text.into()),
    }
}

fn failed(fault: &Fault) -> Answer {
    Answer::Text(text_of(&problem::response(fault, DecidedBy::Edge)))
}

fn text_of(response: &Response) -> Rc<[u8]> {
    let mut joined = joined::Joined::default();
    joined.add(response);
    joined.finish().body.into()
}

#[cfg(test)]
mod tests;
