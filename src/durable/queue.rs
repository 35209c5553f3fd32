//! A queue's object: envelopes in, responses out.

use super::share::{self, Share};
use super::{Arrival, Turn};
use crate::command::placement::queue_of;
use crate::command::reply::SinceStart;
use crate::command::sieve::Sieve;
use crate::command::{Command, Envelope, Reply, Verdict, codec, verdict};
use crate::crypto::ticket::{SEED_BYTES, TicketKey};
use crate::engine::queue::Queue;
use crate::engine::repair::repair_queue;
use crate::error::{ErrorCode, Fault};
use crate::limits::{BATCH_BYTES_MAX, JSON_BYTES_MAX, VERDICT_MS_MAX};
use crate::protocol::http::{DecidedBy, RenderContext, Response, binary, cors, render, within};
use crate::push::target::Reach;
use crate::store::{Sql, StoreError};
use crate::time::Millis;
use crate::wire::base64;
use std::collections::HashMap;

/// A queue, the requests of its next turn, and those that wait for an answer.
pub struct QueueObject {
    name: String,
    queue: Queue,
    arrivals: Vec<Arrival>,
    shares: Vec<Share>,
    asked: HashMap<u32, Asked>,
    requests_total: u64,
    /// The last refusal of this turn, and what the edge is told with it.
    verdict: Option<(Fault, String)>,
}

/// What rendering the answer to a request needs to know of it.
#[derive(Default)]
struct Asked {
    origin: Option<String>,
    preflight: bool,
    binary: bool,
    /// It may make room: what the edge remembers of the queue no longer holds.
    reopens: bool,
}

impl QueueObject {
    /// Reads what is stored of the queue that the object `object` is for.
    ///
    /// # Errors
    /// Whatever the database said.
    pub fn open(
        sql: &mut dyn Sql,
        object: &str,
        entropy: [u8; 16],
        now_ms: Millis,
    ) -> Result<Self, StoreError> {
        let name = queue_of(object);
        let queue = Queue::open(sql, name, entropy, now_ms)?;
        Ok(Self {
            name: name.to_owned(),
            queue,
            arrivals: Vec::new(),
            shares: Vec::new(),
            asked: HashMap::new(),
            requests_total: 0,
            verdict: None,
        })
    }

    /// The latest instant it knows of; its time never runs backwards.
    pub fn now_ms(&self) -> Millis {
        self.queue.now_ms()
    }

    /// See [`repair_queue`].
    ///
    /// # Errors
    /// Whatever the database said.
    pub fn repair(
        sql: &mut dyn Sql,
        object: &str,
        entropy: [u8; 16],
        now_ms: Millis,
    ) -> Result<u64, StoreError> {
        repair_queue(sql, queue_of(object), entropy, now_ms)
    }

    /// See [`Queue::equip`].
    pub fn equip(
        &mut self,
        entropy: [u8; SEED_BYTES],
        ticket_key: Option<TicketKey>,
        reach: Reach,
    ) {
        self.queue.equip(entropy, ticket_key, reach);
    }

    /// Takes a request into the next turn.
    pub fn push(&mut self, token: u32, command: Vec<u8>, body: Vec<u8>) {
        self.arrivals.push(Arrival {
            token,
            command,
            body,
        });
    }

    /// Takes publishes that share a call into the next turn; they have the tokens from `first` on,
    /// and the call is answered under `first`.
    pub fn push_shared(&mut self, first: u32, commands: impl Iterator<Item = Vec<u8>>) {
        let mut share = Share::new(first);
        for command in commands {
            self.push(share.next_token(), command, Vec::new());
        }
        self.shares.push(share);
    }

    /// The caller of a waiting request has gone.
    pub fn cancel(&mut self, token: u32) {
        self.asked.remove(&token);
        self.queue.cancel(token);
    }

    /// The answer to a call of an earlier turn; it counts from the next turn on.
    pub fn called(&mut self, number: u32, ok: bool, body: &[u8]) {
        self.queue.called(number, ok, body);
    }

    /// What became of a call of an endpoint; it counts from the next turn on.
    pub fn dispatched(&mut self, number: u32, head: &str, body: &[u8]) {
        self.queue.dispatched(number, head, body);
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
        let mut shares = std::mem::take(&mut self.shares);
        self.requests_total += share::calls(&shares, arrivals.len());
        since.object_requests_total = self.requests_total;
        let mut turn = Turn::default();
        let mut requests = Vec::with_capacity(arrivals.len());
        for arrival in &arrivals {
            match self.admit(arrival, &shares) {
                Ok(envelope) => requests.push((arrival.token, envelope)),
                Err(fault) => self.reply(sql, &mut turn, arrival.token, &Err(fault))?,
            }
        }
        self.verdict = None;
        let outcome = self.queue.run(sql, now_ms, requests, since)?;
        for (token, result) in outcome.replies {
            self.reply(sql, &mut turn, token, &result)?;
        }
        share::join(&mut turn.replies, &mut shares);
        turn.alarm_at_ms = outcome.alarm_at_ms;
        turn.timer_at_ms = outcome.timer_at_ms;
        turn.calls = outcome.calls;
        turn.dispatches = outcome.dispatches;
        turn.events = outcome.events;
        turn.wipe = outcome.wipe;
        Ok(turn)
    }

    /// Reads a request; refuses it when it comes from a page this queue does not talk to. Browsers
    /// send such requests without asking where they look like a form's.
    fn admit<'a>(&mut self, arrival: &'a Arrival, shares: &[Share]) -> Result<Envelope<'a>, Fault> {
        let mut envelope = codec::decode(&arrival.command)?;
        share::admit(shares, arrival.token, &envelope.command)?;
        let preflight = envelope.command == Command::Preflight;
        let asked = Asked {
            origin: envelope.origin.map(str::to_owned),
            preflight,
            binary: envelope.binary,
            reopens: matches!(
                envelope.command,
                Command::Configure { .. } | Command::Purge | Command::Delete
            ),
        };
        self.asked.insert(arrival.token, asked);
        if let Some(origin) = envelope.origin
            && !preflight
            && !cors::allows(self.queue.cors_origins(), origin)
        {
            return Err(cors::forbidden(origin));
        }
        if envelope.anonymous && self.queue.public().is_none() {
            let detail = "this queue takes publishes with a token only";
            return Err(Fault::new(ErrorCode::Unauthorized, detail));
        }
        match &mut envelope.command {
            Command::Publish(draft) | Command::PublishAndWait { draft, .. }
                if !arrival.body.is_empty() =>
            {
                draft.body = &arrival.body;
            }
            Command::PublishBinary => {
                let drafts = binary::publish::read(within(&arrival.body, BATCH_BYTES_MAX)?)?;
                envelope.command = Command::PublishBatch(drafts);
            }
            Command::AckBinary => {
                let ack = binary::ack::read(within(&arrival.body, JSON_BYTES_MAX)?)?;
                envelope.command = Command::Ack(ack);
            }
            Command::PullBinary => {
                envelope.command = binary::pull::read(within(&arrival.body, JSON_BYTES_MAX)?)?;
            }
            _ => {}
        }
        Ok(envelope)
    }

    fn reply(
        &mut self,
        sql: &mut dyn Sql,
        turn: &mut Turn,
        token: u32,
        result: &Result<Reply, Fault>,
    ) -> Result<(), StoreError> {
        let asked = self.asked.remove(&token).unwrap_or_default();
        let response = match result {
            Err(fault) if fault.figures.verdict_ms.is_some() => self.refusal(sql, fault)?,
            _ => {
                let mut response = render(result, &self.context(&asked));
                if let (true, Some(it)) = (asked.preflight, self.queue.public()) {
                    let rate = format!("{} {}", it.per_second, it.burst);
                    response = response.with(verdict::ACCESS_HEADER, rate);
                }
                if asked.preflight || (asked.reopens && result.is_ok()) {
                    response.with(
                        verdict::HEADER,
                        self.verdict_text(None, VERDICT_MS_MAX, None)?,
                    )
                } else {
                    response
                }
            }
        };
        turn.replies.push((token, response));
        Ok(())
    }

    /// A refusal that holds for every publisher: the edge renders it, now and until it is no longer
    /// valid. Most of one turn are alike.
    fn refusal(&mut self, sql: &mut dyn Sql, fault: &Fault) -> Result<Response, StoreError> {
        let text = match &self.verdict {
            Some((known, text)) if known == fault => text.clone(),
            _ => {
                let answered = self.queue.sieve(sql)?;
                let mut said = fault.clone();
                let valid_ms = said.figures.verdict_ms.take().unwrap_or_default();
                let text = self.verdict_text(Some(said), valid_ms, answered)?;
                self.verdict = Some((fault.clone(), text.clone()));
                text
            }
        };
        let response = Response {
            status: fault.code.status(),
            ..Response::default()
        };
        Ok(response.with(verdict::HEADER, text))
    }

    fn verdict_text(
        &self,
        fault: Option<Fault>,
        valid_ms: Millis,
        answered: Option<Sieve>,
    ) -> Result<String, StoreError> {
        let verdict = Verdict {
            fault,
            answered,
            valid_ms: valid_ms.min(VERDICT_MS_MAX),
            is_repeated: false,
            cors_origins: self.queue.cors_origins().to_vec(),
        };
        let bytes = verdict.encode().map_err(|fault| StoreError(fault.detail))?;
        Ok(base64::encode_url(&bytes))
    }

    fn context<'a>(&'a self, asked: &'a Asked) -> RenderContext<'a> {
        RenderContext {
            queue: &self.name,
            origin: asked.origin.as_deref(),
            cors_origins: self.queue.cors_origins(),
            decided_by: DecidedBy::Object,
            binary: asked.binary,
            preflight: asked.preflight,
        }
    }
}
