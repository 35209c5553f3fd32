//! The second step: from a body to a command.

use super::open::{INLINE_BYTES_MAX, STRUCTURED_BYTES_MAX};
use super::request::Request;
use super::route::{Part, Place};
use super::{Action, Call, Edge, Payload, no_path, targets, token};
use crate::command::{Command, Draft, Reply, Selection};
use crate::error::Fault;
use crate::limits::{BATCH_BYTES_MAX, JSON_BYTES_MAX};
use crate::protocol::http::fields::{Item, document};
use crate::protocol::http::{
    DecidedBy, RenderContext, ack, batch, binary, cloud_events, media, publish, pull, redrive,
    render, within,
};
use crate::time::Millis;

impl Edge {
    pub(super) fn received(
        &mut self,
        request: &Request<'_>,
        place: &Place<'_>,
        body: &[u8],
        now_ms: Millis,
    ) -> Result<Action, Fault> {
        match place {
            Place::Queue(queue, part) => self.received_queue(request, queue, *part, body, now_ms),
            Place::Topic(topic, part) => self.received_topic(request, topic, part, body, now_ms),
            Place::Tokens => {
                let body = within(body, token::BODY_BYTES_MAX)?;
                let made = token::make(&self.settings, request.grant, body, now_ms)?;
                Ok(Action::Respond(made))
            }
            _ => Err(no_path()),
        }
    }

    pub(super) fn received_queue(
        &mut self,
        request: &Request<'_>,
        queue: &str,
        part: Part,
        body: &[u8],
        now_ms: Millis,
    ) -> Result<Action, Fault> {
        let action = match part {
            Part::Messages => return self.received_publish(request, queue, body),
            Part::Batch => return self.received_batch(request, queue, body, now_ms),
            Part::Pull => {
                let body = within(body, JSON_BYTES_MAX)?;
                let it;
                let command = if binary::is(request.content_type) {
                    binary::pull::read(body)?
                } else {
                    it = pull::read(body)?;
                    it.command()
                };
                self.call(queue, request, request.bounded(command), Payload::InCommand)
            }
            Part::Ack => {
                let it = ack::read(within(body, JSON_BYTES_MAX)?)?;
                self.call(queue, request, Command::Ack(it.ack()), Payload::InCommand)
            }
            Part::Redrive => {
                let command = match redrive::read(within(body, JSON_BYTES_MAX)?)? {
                    all if all == Selection::default() => Command::Redrive,
                    some => Command::RedriveSome(some),
                };
                self.call(queue, request, command, Payload::InCommand)
            }
            Part::Itself => {
                let patch = configuration(within(body, JSON_BYTES_MAX)?)?;
                targets::check(request.grant, patch)?;
                self.call(
                    queue,
                    request,
                    Command::Configure { patch },
                    Payload::InCommand,
                )
            }
            _ => return Err(no_path()),
        };
        Ok(Action::Call(action))
    }

    fn received_publish(
        &mut self,
        request: &Request<'_>,
        queue: &str,
        body: &[u8],
    ) -> Result<Action, Fault> {
        let mut message = publish::read(&request.head)?;
        message.expect_queue()?;
        if media::is(request.content_type, media::CLOUD_EVENT) {
            message = cloud_events::structured(within(body, STRUCTURED_BYTES_MAX)?, message)?;
        } else {
            message.body = within(body, INLINE_BYTES_MAX)?.into();
        }
        let command = publishing(request, request.grant.bind(message.draft())?)?;
        // One that waits would hold up the others' answers.
        let shareable = matches!(command, Command::Publish(_));
        Ok(Action::Call(Call {
            shareable,
            ..self.call(queue, request, command, Payload::InCommand)
        }))
    }

    fn received_batch(
        &mut self,
        request: &Request<'_>,
        queue: &str,
        body: &[u8],
        now_ms: Millis,
    ) -> Result<Action, Fault> {
        let body = within(body, BATCH_BYTES_MAX)?;
        let messages;
        let drafts = if binary::is(request.content_type) {
            binary::publish::read(body)?
        } else {
            messages = batch::read(batch::Form::of(request.content_type)?, body)?;
            let drafts = messages.iter().map(|message| match message {
                Ok(message) => Ok(message.draft()),
                Err(fault) => Err(fault.clone()),
            });
            drafts.collect()
        };
        let drafts: Vec<_> = drafts
            .into_iter()
            .map(|draft| request.grant.bind(draft?))
            .collect();
        if let Some(action) = self.refuse_batch(request, queue, &drafts, now_ms) {
            return Ok(action);
        }
        let command = Command::PublishBatch(drafts);
        Ok(Action::Call(self.call(
            queue,
            request,
            command,
            Payload::InCommand,
        )))
    }

    /// All at once, from memory, while the queue refuses everybody; a message that may be a repeat
    /// sends all of them to the object.
    fn refuse_batch(
        &mut self,
        request: &Request<'_>,
        queue: &str,
        messages: &[Result<Draft<'_>, Fault>],
        now_ms: Millis,
    ) -> Option<Action> {
        let readable = messages.iter().flatten().count() as u64;
        // With nothing to refuse there is nothing to ask the object either, but the edge cannot
        // know whether the queue exists; the object does.
        if readable == 0 {
            return None;
        }
        let keys = messages
            .iter()
            .flatten()
            .filter_map(|message| message.idempotency_key);
        let refusal = self.verdicts.refuse_many(queue, readable, keys, now_ms)?;
        let verdicts = messages.iter().map(|message| match message {
            Ok(_) => Err(refusal.clone()),
            Err(fault) => Err(fault.clone()),
        });
        let result = Ok(Reply::Batch(verdicts.collect()));
        let context = RenderContext {
            queue,
            origin: request.origin,
            cors_origins: self.verdicts.origins(queue, now_ms).unwrap_or_default(),
            decided_by: DecidedBy::Edge,
            binary: request.accepts_binary,
            preflight: false,
        };
        Some(Action::Respond(render(&result, &context)))
    }
}

/// A publish, or one that waits for what becomes of its message.
pub(super) fn publishing<'a>(
    request: &Request<'_>,
    draft: Draft<'a>,
) -> Result<Command<'a>, Fault> {
    Ok(match request.wait_ms()? {
        0 => Command::Publish(draft),
        wait_ms => Command::PublishAndWait { draft, wait_ms },
    })
}

/// A configuration is a JSON object; what is in it is the engine's to check.
pub(super) fn configuration(body: &[u8]) -> Result<&str, Fault> {
    match document::<Item<'_>>(body)? {
        None => Ok("{}"),
        Some(Item::Object(_)) => {
            std::str::from_utf8(body).map_err(|_| Fault::bad("body", "not UTF-8"))
        }
        Some(Item::Other) => Err(Fault::bad("body", "a configuration is a JSON object")),
    }
}
