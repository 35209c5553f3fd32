//! The first step: from a head to what happens with it.

use super::action::Target;
use super::receive::publishing;
use super::request::Request;
use super::route::{Found, Method, Part, Place, QUEUE_OBSERVERS, TOPIC_OBSERVERS};
use super::topic::Caller;
use super::{Action, Call, Edge, Listing, Payload, no_path, token};
use crate::command::directory::DirectoryCommand;
use crate::command::placement::{DIRECTORY, check_name, queue_object};
use crate::command::scope::Verb;
use crate::command::topic::TopicCommand;
use crate::command::{Command, Wait};
use crate::error::{ErrorCode, Fault};
use crate::id::Id;
use crate::limits::{
    BATCH_BYTES_MAX, BROWSE_MESSAGES_MAX, JSON_BYTES_MAX, LIST_QUEUES_MAX, MESSAGE_BYTES_MAX,
    SEQ_MAX, WAIT_MS_MAX,
};
use crate::protocol::http::{Response, batch, binary, cors, incoming, media, publish, too_large};
use crate::time::Millis;

/// Bodies up to this size travel inside the command; larger ones are handed on as a stream, never
/// copied here.
pub const INLINE_BYTES_MAX: usize = 2_048;
/// Bytes of a CloudEvent in structured mode: base 64 makes a third more of the largest message, and
/// escapes and attributes take their share.
pub const STRUCTURED_BYTES_MAX: usize = 2 * MESSAGE_BYTES_MAX;
/// Messages listed where the request does not say how many.
const BROWSE_LIMIT_DEFAULT: u64 = 100;

impl Edge {
    pub(super) fn opened(
        &mut self,
        request: &Request<'_>,
        place: &Place<'_>,
        now_ms: Millis,
    ) -> Result<Action, Fault> {
        let method = Method::of(request.head.method);
        let ends_at_ms = request.grant.expires_at_ms;
        if matches!(method, Method::Post | Method::Put) {
            media::expect_identity(request.content_encoding)?;
        }
        match place {
            Place::File => Ok(Action::Asset),
            Place::Health => {
                let body = br#"{"status":"ok"}"#.to_vec();
                Ok(Action::Respond(Response::json(200, body)))
            }
            Place::KeySet => key_set(),
            Place::Metrics => Ok(Action::Gather {
                of: Listing::Both,
                after: None,
                limit: LIST_QUEUES_MAX,
                seen: None,
            }),
            Place::Tokens => {
                media::expect_json(request.content_type)?;
                match request.content_length {
                    Some(bytes) if bytes > token::BODY_BYTES_MAX as u64 => {
                        Err(too_large(token::BODY_BYTES_MAX))
                    }
                    _ => Ok(Action::NeedBody {
                        bytes_max: token::BODY_BYTES_MAX,
                    }),
                }
            }
            Place::OpenApi if request.head.method == "HEAD" => {
                Ok(Action::Respond(Response::json(200, Vec::new())))
            }
            Place::OpenApi => Ok(Action::Document),
            Place::Queues => list(request, Listing::Queues, QUEUE_OBSERVERS),
            Place::Topics => list(request, Listing::Topics, TOPIC_OBSERVERS),
            Place::Queue(queue, Part::Message(id)) if place.streams(request) => {
                Ok(Action::Stream {
                    object: queue_object(queue),
                    queue: queue.clone().into_owned(),
                    id: *id,
                    origin: request.origin.map(str::to_owned),
                    ends_at_ms,
                })
            }
            Place::Queue(queue, part) => self.opened_queue(request, queue, *part, method, now_ms),
            Place::Topic(topic, part) => {
                if request.grant.anonymous {
                    self.public_topics.charge(topic, request.client, now_ms)?;
                }
                self.opened_topic(request, topic, part, method, now_ms)
            }
        }
    }

    /// What a place takes; or whether a page of another site may ask, which the queue has to say.
    pub(super) fn options(
        &mut self,
        request: &Request<'_>,
        found: &Found<'_>,
        now_ms: Millis,
    ) -> Action {
        let is_open = self.settings.open;
        match &found.place {
            Place::Queue(queue, _) if request.is_preflight => {
                if let Some(origins) = self.verdicts.origins(queue, now_ms) {
                    return Action::Respond(cors::preflight(request.origin, origins));
                }
                if is_open || self.preflights.may_ask(false, queue, now_ms) {
                    let preflight = Command::Preflight;
                    return Action::Call(self.call(queue, request, preflight, Payload::InCommand));
                }
                Action::Respond(cors::preflight(request.origin, &[]))
            }
            Place::Topic(topic, _) if request.is_preflight => {
                if is_open || self.preflights.may_ask(true, topic, now_ms) {
                    let preflight = TopicCommand::Preflight;
                    return Action::Call(self.topic_call(topic, Caller::of(request), preflight));
                }
                Action::Respond(cors::preflight(request.origin, &[]))
            }
            _ => Action::Respond(Response::empty().with("allow", found.route.allow())),
        }
    }

    fn opened_queue(
        &mut self,
        request: &Request<'_>,
        queue: &str,
        part: Part,
        method: Method,
        now_ms: Millis,
    ) -> Result<Action, Fault> {
        if matches!(
            (part, method),
            (Part::Itself, Method::Put | Method::Delete) | (Part::Purge, _)
        ) {
            // From the answer on, the new numbers hold: nothing older may be repeated.
            self.verdicts.forget(queue);
        }
        let command = match (part, method) {
            (Part::Messages, Method::Post) => return self.opened_publish(request, queue, now_ms),
            (Part::Batch, _) => {
                publish::refuse_in_batch(&request.head)?;
                let is_binary = binary::is(request.content_type);
                // While the queue refuses everybody, or for a token with a key, the edge has to see
                // what is in it.
                let looks = request.grant.key.is_some() || self.verdicts.is_closed(queue, now_ms);
                if is_binary && !looks {
                    let command = Command::PublishBinary;
                    return self.hand_on(request, queue, command, BATCH_BYTES_MAX);
                }
                if !is_binary {
                    batch::Form::of(request.content_type)?;
                }
                return self.need_body(request, queue, part, BATCH_BYTES_MAX, now_ms);
            }
            (Part::Ack, _) if binary::is(request.content_type) => {
                return self.hand_on(request, queue, Command::AckBinary, JSON_BYTES_MAX);
            }
            // What has to be answered before its token ends is read here.
            (Part::Pull, _)
                if binary::is(request.content_type) && request.wait_ms_max < WAIT_MS_MAX =>
            {
                return self.need_body(request, queue, part, JSON_BYTES_MAX, now_ms);
            }
            (Part::Pull, _) if binary::is(request.content_type) => {
                return self.hand_on(request, queue, Command::PullBinary, JSON_BYTES_MAX);
            }
            (Part::Pull | Part::Ack | Part::Redrive, _) | (Part::Itself, Method::Put) => {
                media::expect_json(request.content_type)?;
                return self.need_body(request, queue, part, JSON_BYTES_MAX, now_ms);
            }
            (Part::Messages, _) => browse(request)?,
            (Part::Message(id), Method::Delete) => Command::Cancel { id },
            (Part::Message(id), _) => inspect(request, id)?,
            (Part::Confirm(id), _) => Command::Confirm { id },
            (Part::Itself, Method::Delete) => Command::Delete,
            (Part::Itself, _) => Command::Describe,
            (Part::Purge, _) => Command::Purge,
            (Part::Pause, _) => Command::Pause,
            (Part::Resume, _) => Command::Resume,
            (Part::RotateTickets, _) => Command::RotateTickets,
            (Part::EnablePush, _) => Command::EnablePush,
            (Part::Attempts(id), _) => Command::Attempts { id },
            (Part::Quarantine, method) => quarantine(request, method)?,
        };
        Ok(Action::Call(self.call(
            queue,
            request,
            command,
            Payload::InCommand,
        )))
    }

    fn opened_publish(
        &mut self,
        request: &Request<'_>,
        queue: &str,
        now_ms: Millis,
    ) -> Result<Action, Fault> {
        if let Some(response) = self.refuse(request, queue, now_ms)? {
            return Ok(Action::Respond(response));
        }
        if request.grant.anonymous {
            self.publics.charge(queue, request.client, now_ms)?;
        }
        if media::is(request.content_type, media::CLOUD_EVENT) {
            return self.need_body(request, queue, Part::Messages, STRUCTURED_BYTES_MAX, now_ms);
        }
        match request.content_length {
            Some(bytes) if bytes > MESSAGE_BYTES_MAX as u64 => Err(incoming::too_large()),
            Some(bytes) if bytes <= INLINE_BYTES_MAX as u64 => {
                self.need_body(request, queue, Part::Messages, INLINE_BYTES_MAX, now_ms)
            }
            _ => {
                let message = publish::read(&request.head)?;
                message.expect_queue()?;
                let payload = Payload::ClientBody {
                    bytes_max: MESSAGE_BYTES_MAX,
                };
                let command = publishing(request, request.grant.bind(message.draft())?)?;
                Ok(Action::Call(self.call(queue, request, command, payload)))
            }
        }
    }

    /// What the object says to a page of another site, without asking it.
    pub(super) fn expect_welcome(
        &self,
        request: &Request<'_>,
        queue: &str,
        now_ms: Millis,
    ) -> Result<(), Fault> {
        let Some(origin) = request.origin else {
            return Ok(());
        };
        match self.verdicts.origins(queue, now_ms) {
            Some(origins) if !cors::allows(origins, origin) => Err(cors::forbidden(origin)),
            _ => Ok(()),
        }
    }

    /// Hands the body to the object as it is: what is binary is read where it is needed.
    fn hand_on(
        &mut self,
        request: &Request<'_>,
        queue: &str,
        command: Command<'_>,
        bytes_max: usize,
    ) -> Result<Action, Fault> {
        match request.content_length {
            Some(bytes) if bytes > bytes_max as u64 => Err(too_large(bytes_max)),
            _ => {
                let payload = Payload::ClientBody { bytes_max };
                Ok(Action::Call(self.call(queue, request, command, payload)))
            }
        }
    }

    /// Asks for the body, unless the head says already that there is none or too much of it.
    fn need_body(
        &mut self,
        request: &Request<'_>,
        queue: &str,
        part: Part,
        bytes_max: usize,
        now_ms: Millis,
    ) -> Result<Action, Fault> {
        match request.content_length {
            Some(0) => self.received_queue(request, queue, part, &[], now_ms),
            Some(bytes) if bytes > bytes_max as u64 => Err(too_large(bytes_max)),
            _ => Ok(Action::NeedBody { bytes_max }),
        }
    }
}

pub(super) fn no_method(request: &Request<'_>, found: &Found<'_>) -> Fault {
    let path = request.head.path;
    // Only a host that serves files knows which there are; a page takes no other method, anything
    // else may not exist at all.
    if found.place == Place::File && path != "/" && !path.starts_with("/demo/") {
        return no_path();
    }
    let detail = format!("this path takes {}", found.route.allow());
    Fault::new(ErrorCode::MethodNotAllowed, detail)
}

fn list(request: &Request<'_>, of: Listing, observers: &[Verb]) -> Result<Action, Fault> {
    let limit = request.number(
        "limit",
        &(1..=u64::from(LIST_QUEUES_MAX)),
        u64::from(LIST_QUEUES_MAX),
    )?;
    let after = request.parameter("cursor")?;
    if let Some(name) = &after {
        check_name(name, "cursor")
            .map_err(|_| Fault::bad("cursor", "the cursor of the last page belongs here"))?;
    }
    Ok(Action::Gather {
        of,
        after,
        limit: limit as u32,
        seen: request
            .grant
            .patterns(observers)
            .map(|it| it.into_iter().map(str::to_owned).collect()),
    })
}

fn browse<'a>(request: &Request<'_>) -> Result<Command<'a>, Fault> {
    let limit = request.number(
        "limit",
        &(1..=u64::from(BROWSE_MESSAGES_MAX)),
        BROWSE_LIMIT_DEFAULT,
    )?;
    // Nothing lies after the largest sequence number, and none is larger.
    let after_seq = request
        .number("after_seq", &(0..=u64::MAX), 0)?
        .min(SEQ_MAX);
    let limit = limit as u32;
    match request.parameter("state")?.as_deref() {
        None => Ok(Command::Browse { after_seq, limit }),
        Some("dead") => Ok(Command::BrowseDead { after_seq, limit }),
        Some(_) => {
            let detail = "state is \"dead\", for the dead letters kept here, or is left out";
            Err(Fault::bad("state", detail))
        }
    }
}

/// What was damaged, after a number; or that its bytes are to be dropped.
fn quarantine(request: &Request<'_>, method: Method) -> Result<Command<'static>, Fault> {
    match method {
        Method::Delete => Ok(Command::DropQuarantine),
        _ => Ok(Command::Quarantine {
            after: request.number("after", &(0..=SEQ_MAX), 0)?,
        }),
    }
}

fn inspect<'a>(request: &Request<'_>, id: Id) -> Result<Command<'a>, Fault> {
    let wait = match request.wait_ms()? {
        0 => Wait::None,
        wait_ms => Wait::Final { wait_ms },
    };
    Ok(Command::Inspect { id, wait })
}

/// Public keys are for everybody: verifiers have no credentials.
fn key_set() -> Result<Action, Fault> {
    Ok(Action::Call(Call {
        target: Target::Directory,
        object: DIRECTORY.to_owned(),
        command: DirectoryCommand::Keys.encode()?,
        payload: Payload::InCommand,
        publishes: false,
        shareable: false,
    }))
}
