//! A topic's object: envelopes in, responses and pieces for live readers out.

use super::{Arrival, How, Push, Turn};
use crate::command::reply::SinceStart;
use crate::command::scope::Verb;
use crate::command::topic::{Form, News, TopicCommand, TopicEnvelope, TopicReply, decode};
use crate::command::{Verdict, verdict};
use crate::engine::access::{TopicAccess, Who};
use crate::engine::topic::Topic;
use crate::error::Fault;
use crate::limits::VERDICT_MS_MAX;
use crate::protocol::http::topic::{piece, render};
use crate::protocol::http::{DecidedBy, RenderContext, cors};
use crate::push::target::Reach;
use crate::store::{Sql, StoreError};
use crate::time::Millis;
use crate::wire::base64;
use std::collections::HashMap;

/// A topic, the requests of its next turn, and those that wait for an answer.
pub struct TopicObject {
    name: String,
    topic: Topic,
    arrivals: Vec<Arrival>,
    asked: HashMap<u32, Asked>,
    requests_total: u64,
}

/// What rendering the answer to a request needs to know of it.
#[derive(Default)]
struct Asked {
    origin: Option<String>,
    preflight: bool,
}

impl TopicObject {
    /// Reads what is stored of the topic that the object `object` is for.
    ///
    /// # Errors
    /// Whatever the database said.
    pub fn open(
        sql: &mut dyn Sql,
        object: &str,
        entropy: [u8; 16],
        now_ms: Millis,
    ) -> Result<Self, StoreError> {
        // Without the partition; see `command/placement.rs`.
        let name = object.rsplit_once('#').map_or(object, |(name, _)| name);
        Ok(Self {
            name: name.to_owned(),
            topic: Topic::open(sql, name, entropy, now_ms)?,
            arrivals: Vec::new(),
            asked: HashMap::new(),
            requests_total: 0,
        })
    }

    /// The latest instant it knows of; its time never runs backwards.
    pub fn now_ms(&self) -> Millis {
        self.topic.now_ms()
    }

    /// What pushes of its subscriptions may call.
    pub fn equip(&mut self, reach: Reach) {
        self.topic.equip(reach);
    }

    /// See [`Topic::repair`].
    ///
    /// # Errors
    /// Whatever the database said.
    pub fn repair(sql: &mut dyn Sql, entropy: [u8; 16], now_ms: Millis) -> Result<u64, StoreError> {
        Topic::repair(sql, entropy, now_ms)
    }

    /// Takes a request into the next turn.
    pub fn push(&mut self, token: u32, command: Vec<u8>, body: Vec<u8>) {
        self.arrivals.push(Arrival {
            token,
            command,
            body,
        });
    }

    /// A live reader whose socket slept: what its socket remembers. Whether that could be read.
    pub fn attach(&mut self, token: u32, memory: &[u8]) -> bool {
        self.topic.attach(token, memory)
    }

    /// A live reader says that it has taken so many pieces.
    pub fn credit(&mut self, token: u32, pieces: u32) {
        self.topic.credit(token, pieces);
    }

    /// Whether direct readers get nothing for now.
    pub fn hold(&mut self, is_held: bool) {
        self.topic.hold(is_held);
    }

    /// The caller of a waiting request, or a live reader, has gone.
    pub fn cancel(&mut self, token: u32) {
        self.asked.remove(&token);
        self.topic.cancel(token);
        self.topic.detach(token);
    }

    /// The answer to a call of an earlier turn; it counts from the next turn on.
    pub fn called(&mut self, number: u32, ok: bool, body: &[u8]) {
        self.topic.called(number, ok, body);
    }

    /// Runs a turn with all requests taken since the last one.
    ///
    /// # Errors
    /// Storage failed: roll back, and open the object anew.
    pub fn run(
        &mut self,
        sql: &mut dyn Sql,
        now_ms: Millis,
        mut since: SinceStart,
    ) -> Result<Turn, StoreError> {
        let arrivals = std::mem::take(&mut self.arrivals);
        self.requests_total += arrivals.len() as u64;
        since.object_requests_total = self.requests_total;
        let mut turn = Turn::default();
        let mut requests = Vec::with_capacity(arrivals.len());
        for arrival in &arrivals {
            match self.admit(arrival) {
                Ok(envelope) => requests.push((arrival.token, envelope)),
                Err(fault) => self.reply(&mut turn, arrival.token, &Err(fault)),
            }
        }
        let outcome = self.topic.run(sql, now_ms, requests, since)?;
        for (token, result) in outcome.replies {
            self.reply(&mut turn, token, &result);
        }
        for frame in outcome.frames {
            turn.pushes.push(Push {
                text: piece(&frame, &self.name),
                is_last: matches!(frame.news, News::Gone | News::Closed(_)),
                how: match frame.form {
                    Form::Events | Form::Lines => How::Piece,
                    Form::Frames => How::Frames,
                    Form::Batches => How::Batch,
                },
                tokens: frame.tokens,
                memory: frame.memory,
            });
        }
        turn.alarm_at_ms = outcome.alarm_at_ms;
        turn.timer_at_ms = outcome.timer_at_ms;
        turn.calls = outcome.calls;
        turn.wipe = outcome.wipe;
        turn.events = outcome.events;
        Ok(turn)
    }

    /// Reads a request; refuses it when it comes from a page this topic does not talk to.
    fn admit<'a>(&mut self, arrival: &'a Arrival) -> Result<TopicEnvelope<'a>, Fault> {
        let mut envelope = decode(&arrival.command)?;
        let preflight = envelope.command == TopicCommand::Preflight;
        let origin = envelope.origin.map(str::to_owned);
        self.asked
            .insert(arrival.token, Asked { origin, preflight });
        if let Some(origin) = envelope.origin
            && !preflight
            && !cors::allows(self.topic.cors_origins(), origin)
        {
            return Err(cors::forbidden(origin));
        }
        if let TopicCommand::Publish { draft, .. } = &mut envelope.command
            && !arrival.body.is_empty()
        {
            draft.body = &arrival.body;
        }
        Ok(envelope)
    }

    fn reply(&mut self, turn: &mut Turn, token: u32, result: &Result<TopicReply, Fault>) {
        let asked = self.asked.remove(&token).unwrap_or_default();
        let context = RenderContext {
            queue: &self.name,
            origin: asked.origin.as_deref(),
            cors_origins: self.topic.cors_origins(),
            decided_by: DecidedBy::Object,
            preflight: asked.preflight,
            binary: false,
        };
        let mut response = render(result, &context);
        // Who asks without an origin is an edge, and no page.
        if let (true, None, Some(it)) = (asked.preflight, &asked.origin, self.topic.public()) {
            response = response.with(verdict::ACCESS_HEADER, said_of(it));
        }
        if asked.preflight
            && let Some(text) = self.welcome()
        {
            response = response.with(verdict::HEADER, text);
        }
        turn.replies.push((token, response));
    }

    /// Whom the topic talks to, as the edge remembers it.
    fn welcome(&self) -> Option<String> {
        let verdict = Verdict {
            fault: None,
            answered: None,
            valid_ms: VERDICT_MS_MAX,
            is_repeated: false,
            cors_origins: self.topic.cors_origins().to_vec(),
        };
        Some(base64::encode_url(&verdict.encode().ok()?))
    }
}

/// The rate, and what it is for, as `edge/publics.rs` reads it.
fn said_of(it: &TopicAccess) -> String {
    let mut text = format!("{} {}", it.base.per_second, it.base.burst);
    for (verb, who) in [
        (Verb::Publish, it.base.publish),
        (Verb::Subscribe, it.subscribe),
    ] {
        if who == Who::Public {
            text = format!("{text} {}", verb.name());
        }
    }
    text
}
