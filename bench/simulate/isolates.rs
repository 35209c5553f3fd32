//! What the host does in an isolate between the edge and whom it asks (`host/share.js`,
//! `host/reports.js`), done here the same way: publishes that arrive together share calls.

use super::backend::decided_us;
use super::crowd::{Request, Wish};
use super::earth::IsolateId;
use super::relays::{Answer, Call, Node};
use super::settings::{SECOND, Us};
use super::world::{Event, World};
use tidegate::command::verdict;
use tidegate::protocol::http::{Response, joined};

/// As in `host/share.js`.
const ALONE_TO_RELAY_MAX: u8 = 1;
const GATHERED_MIN: usize = 3;
const CALL_MESSAGES_MAX: usize = 256;
const CONDUCTOR_MESSAGES_MAX: usize = 4_096;
/// As in `host/reports.js`.
const REPORT_EVERY_US: Us = SECOND;
const REPORT_ROUNDS_MAX: u8 = 20;

/// Who waits for the answer to a call.
pub enum Asker {
    /// Publishes of an isolate, with when they left it, and whether its conductor sent them.
    Publishes(IsolateId, Vec<Request>, Us, bool),
    /// A buyer who confirms or cancels.
    Buyer(IsolateId, Request),
    /// A change of the stock, by its number.
    Shop(IsolateId, usize),
    Report(IsolateId),
    /// A relay, in which life of it, by the call's number.
    Relay(Node, u32, u32),
    /// The same call once more, delivered by the platform; nobody reads its answer.
    Nobody(IsolateId),
}

impl Asker {
    /// Where it is; a relay's call never asks.
    pub fn isolate(&self) -> IsolateId {
        match self {
            Self::Publishes(id, ..) | Self::Buyer(id, _) | Self::Shop(id, _) => *id,
            Self::Report(id) | Self::Nobody(id) => *id,
            Self::Relay(..) => unreachable!("a relay is no isolate"),
        }
    }
}

impl World {
    /// A publish that the edge does not refuse by itself.
    pub fn publish(&mut self, from: IsolateId, request: Request, command: Vec<u8>) {
        let now_us = self.now_us;
        let Some(isolate) = self.earth.isolate(from, now_us) else {
            return self.come_back(request, "lost");
        };
        if isolate.conducts {
            if isolate.gathering.len() >= CONDUCTOR_MESSAGES_MAX {
                return self.overloaded_here(from, request);
            }
            isolate.gathering.push((request, command));
            return;
        }
        let conducts = isolate.alone >= ALONE_TO_RELAY_MAX;
        if conducts {
            isolate.conducts = true;
        } else {
            isolate.alone += 1;
        }
        self.send_publishes(from, vec![(request, command)], conducts);
    }

    fn send_publishes(
        &mut self,
        from: IsolateId,
        publishes: Vec<(Request, Vec<u8>)>,
        conducts: bool,
    ) {
        let (requests, commands) = publishes.into_iter().unzip();
        let asker = Asker::Publishes(from, requests, self.now_us, conducts);
        let shared = true;
        self.send(
            Node::Location(from.location),
            Call {
                asker,
                commands,
                shared,
            },
        );
    }

    /// An isolate has the answer to a call of publishes.
    pub fn answer_publishes(
        &mut self,
        from: IsolateId,
        requests: Vec<Request>,
        sent_us: Us,
        conducts: bool,
        answer: &Answer,
    ) {
        match answer {
            Answer::Response(it) if it.status == 200 => {
                let answers = joined::split(&it.body).unwrap();
                assert_eq!(answers.len(), requests.len());
                for (request, text) in requests.into_iter().zip(answers) {
                    self.hand_over(from, request, text, sent_us);
                }
            }
            Answer::Overloaded => {
                for request in requests {
                    self.overloaded_here(from, request);
                }
            }
            Answer::Response(_) | Answer::Lost => {
                for request in requests {
                    self.come_back(request, "unavailable");
                }
            }
        }
        self.go_on(from, conducts);
    }

    /// A call is over: the conductor sends what gathered meanwhile, in calls of some size.
    fn go_on(&mut self, from: IsolateId, conducts: bool) {
        let now_us = self.now_us;
        let Some(isolate) = self.earth.isolate(from, now_us) else {
            return;
        };
        if !conducts {
            isolate.alone -= 1;
            return;
        }
        let size = isolate.gathering.len().min(CALL_MESSAGES_MAX);
        let publishes: Vec<_> = isolate.gathering.drain(..size).collect();
        if publishes.is_empty() {
            isolate.conducts = false;
            return;
        }
        // So few need no conductor any more: they travel as one that travels alone.
        let goes_on = publishes.len() >= GATHERED_MIN;
        if !goes_on {
            isolate.conducts = false;
            isolate.alone += 1;
        }
        self.send_publishes(from, publishes, goes_on);
    }

    /// One answer of a call reaches its publish, through the edge where it carries a verdict.
    fn hand_over(&mut self, from: IsolateId, request: Request, text: &[u8], sent_us: Us) {
        let now_us = self.now_us;
        let Some(header) = joined::header(text, verdict::HEADER) else {
            return self.receive(request, joined::status(text), body_of(text), false);
        };
        self.crowd.write(&request, &mut self.head);
        let Some(isolate) = self.earth.isolate(from, now_us) else {
            return self.come_back(request, "lost");
        };
        let (sent_ms, now_ms) = (isolate.now_ms(sent_us), isolate.now_ms(now_us));
        let said = isolate.edge.verdict(&self.head, header, sent_ms, now_ms);
        let said = said.expect("a publish that is refused has an answer");
        let by_edge = said.header("tidegate-decided-by") == Some("edge");
        self.receive(request, said.status, &said.body, by_edge);
    }

    /// Too much is waiting: the edge remembers it.
    fn overloaded_here(&mut self, from: IsolateId, request: Request) {
        let now_us = self.now_us;
        self.crowd.write(&request, &mut self.head);
        let Some(isolate) = self.earth.isolate(from, now_us) else {
            return self.come_back(request, "lost");
        };
        let now_ms = isolate.now_ms(now_us);
        let head = &self.head;
        let said = isolate
            .edge
            .verdict(head, verdict::OVERLOADED, now_ms, now_ms);
        let said = said.expect("a publish that is refused has an answer");
        self.receive(request, said.status, &said.body, true);
    }

    /// The edge refuses by itself.
    pub fn refused_here(&mut self, from: IsolateId, request: Request, response: &Response) {
        self.figures.bucket(self.now_us).refused_by_edge += 1;
        if request.wish == Wish::Place
            && let Some(decided_us) = decided_us(&response.body)
        {
            self.ledger.refused_by_edge(self.now_us, decided_us);
        }
        self.schedule_reports(from);
        self.receive(request, response.status, &response.body, true);
    }

    fn schedule_reports(&mut self, from: IsolateId) {
        let now_us = self.now_us;
        if let Some(isolate) = self.earth.isolate(from, now_us)
            && !isolate.reporting
            && isolate.edge.has_reports()
        {
            isolate.reporting = true;
            self.agenda
                .note(now_us + REPORT_EVERY_US, Event::Report(from, 1));
        }
    }

    pub fn report(&mut self, from: IsolateId, round: u8) {
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
            let asker = Asker::Report(from);
            let (commands, shared) = (vec![call.command], true);
            self.send(
                Node::Location(from.location),
                Call {
                    asker,
                    commands,
                    shared,
                },
            );
        }
    }
}

/// What stands behind the empty line.
pub fn body_of(text: &[u8]) -> &[u8] {
    let at = text.windows(2).position(|it| it == b"\n\n");
    at.map_or(&[], |at| &text[at + 2..])
}
