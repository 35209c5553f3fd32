//! Requests for a topic: from a head, or a head and a body, to what happens with it.

use super::grant::Grant;
use super::open::{INLINE_BYTES_MAX, STRUCTURED_BYTES_MAX};
use super::publics::address;
use super::request::Request;
use super::route::{Method, OwnPart, TopicPart};
use super::{Action, Call, Edge, Payload, Target, codec, no_path, patterns};
use crate::command::pattern::is_pattern;
use crate::command::placement::{queue_object, subscription_queue, topic_object};
use crate::command::scope::Verb;
use crate::command::topic::{
    Anonymous, Follow, Form, Read, Start, TopicCommand, TopicEnvelope, encode,
};
use crate::command::{Command, Envelope};
use crate::error::Fault;
use crate::limits::{
    BATCH_BYTES_MAX, BROWSE_MESSAGES_MAX, JSON_BYTES_MAX, KEY_CHARS_MAX, LIST_QUEUES_MAX,
    MESSAGE_BYTES_MAX, SEQ_MAX, WAIT_MS_MAX,
};
use crate::protocol::http::incoming::Incoming;
use crate::protocol::http::{
    Response, ack, batch, binary, cloud_events, incoming, media, publish, pull, seek, too_large,
    within,
};
use crate::time::Millis;
use serde_json::value::RawValue;

/// Who asks something of a topic, as far as the topic wants to know.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Caller<'a> {
    /// The page's, where one of another site asks.
    pub origin: Option<&'a str>,
    /// Whether they have no credentials.
    pub anonymous: Anonymous,
}

impl<'a> Caller<'a> {
    pub fn of(request: &Request<'a>) -> Self {
        Self {
            origin: request.origin,
            anonymous: request.grant.anonymous.into(),
        }
    }

    /// The same, of whom the topic has to know where they come from: they stay.
    pub fn staying(request: &Request<'a>, grant: &Grant) -> Self {
        let origin = request.origin;
        let anonymous = if grant.anonymous {
            Anonymous::of_network(&address(request.client))
        } else {
            Anonymous::default()
        };
        Self { origin, anonymous }
    }
}

/// Messages read where the request does not say how many.
const READ_LIMIT_DEFAULT: u64 = 100;

impl Edge {
    pub(super) fn opened_topic(
        &mut self,
        request: &Request<'_>,
        topic: &str,
        part: &TopicPart<'_>,
        method: Method,
        now_ms: Millis,
    ) -> Result<Action, Fault> {
        if is_pattern(topic)
            && let Some(action) = self.opened_pattern(request, topic, part, method)?
        {
            return Ok(action);
        }
        let command = match (part, method) {
            (TopicPart::Messages, Method::Post) => {
                return self.opened_topic_publish(request, topic, now_ms);
            }
            (TopicPart::Batch, _) => {
                if !binary::is(request.content_type) {
                    batch::Form::of(request.content_type)?;
                }
                publish::refuse_in_batch(&request.head)?;
                return self.need_topic_body(request, topic, part, BATCH_BYTES_MAX, now_ms);
            }
            (TopicPart::Ack(name), _) if binary::is(request.content_type) => {
                return self.hand_to_own_queue(topic, name, request, Command::AckBinary);
            }
            // What has to be answered before its token ends is read here.
            (TopicPart::Pull(_), _)
                if binary::is(request.content_type) && request.wait_ms_max < WAIT_MS_MAX =>
            {
                return self.need_topic_body(request, topic, part, JSON_BYTES_MAX, now_ms);
            }
            (TopicPart::Pull(name), _) if binary::is(request.content_type) => {
                return self.hand_to_own_queue(topic, name, request, Command::PullBinary);
            }
            (TopicPart::Pull(_) | TopicPart::Ack(_) | TopicPart::Seek(_), _)
            | (TopicPart::Itself | TopicPart::Subscription(_), Method::Put) => {
                media::expect_json(request.content_type)?;
                return self.need_topic_body(request, topic, part, JSON_BYTES_MAX, now_ms);
            }
            (TopicPart::Messages, _) => return self.read(request, topic),
            (TopicPart::Events, _) => return events(request, topic),
            (TopicPart::Socket, _) if request.upgrades => return self.socket(request, topic),
            (TopicPart::Socket, _) => {
                let detail = "connect as a WebSocket: the request needs Upgrade: websocket";
                return Err(Fault::bad("Upgrade", detail));
            }
            (TopicPart::Itself, Method::Delete) => TopicCommand::Delete,
            (TopicPart::Itself, _) => TopicCommand::Describe,
            (TopicPart::Quarantine, Method::Delete) => TopicCommand::DropQuarantine,
            (TopicPart::Quarantine, _) => TopicCommand::Quarantine {
                after: request.number("after", &(0..=SEQ_MAX), 0)?,
            },
            (TopicPart::Subscriptions, _) => return self.subscriptions(request, topic),
            (TopicPart::Subscription(name), Method::Delete) => TopicCommand::Unsubscribe { name },
            (TopicPart::Subscription(name), _) => TopicCommand::Subscription { name },
            (TopicPart::OwnQueue(name, part), _) => {
                let call = self.own_queue_call(topic, name, request, part.command());
                return Ok(Action::Call(call));
            }
        };
        Ok(Action::Call(self.topic_call(
            topic,
            Caller::of(request),
            command,
        )))
    }

    /// A socket that says where it begins follows its topic at once, and only that one: it is the
    /// object's own, and costs the least there is (`docs/decisions/0012`).
    fn socket(&self, request: &Request<'_>, topic: &str) -> Result<Action, Fault> {
        let ends_at_ms = request.grant.expires_at_ms;
        let Some(start) = start(request)? else {
            for name in ["filter", "member", "batch"] {
                if request.parameter(name)?.is_some() {
                    let detail = "it goes with from_seq or from_at_ms, for a socket that only \
                                  listens; others say it when they subscribe";
                    return Err(Fault::bad(name, detail));
                }
            }
            let grant = serde_json::to_string(request.grant).unwrap_or_default();
            return Ok(Action::Socket { grant, ends_at_ms });
        };
        let (filter, member) = (filter(request)?, member(request.parameter("member")?)?);
        patterns::expect_nobody_shown(topic, member.as_deref())?;
        let form = match request.parameter("batch")?.as_deref() {
            None | Some("false") => Form::Frames,
            Some("true") => Form::Batches,
            Some(_) => return Err(Fault::bad("batch", "batch is true or false")),
        };
        let follow = Follow {
            start,
            filter: filter.as_deref(),
            form,
            member: member.as_deref(),
        };
        // The socket is open to who may publish, too; reading takes more.
        if !request.grant.anonymous {
            request.grant.check_verbs(&[Verb::Subscribe], topic)?;
        }
        let caller = Caller::staying(request, request.grant);
        let call = self.topic_call(topic, caller, TopicCommand::Follow(follow));
        Ok(Action::Listen { call, ends_at_ms })
    }

    fn read(&self, request: &Request<'_>, topic: &str) -> Result<Action, Fault> {
        let filter = filter(request)?;
        let limit = 1..=u64::from(BROWSE_MESSAGES_MAX);
        let command = TopicCommand::Read(Read {
            start: start(request)?.unwrap_or(Start::Earliest),
            limit: request.number("limit", &limit, READ_LIMIT_DEFAULT)? as u32,
            wait_ms: request.wait_ms()?,
            filter: filter.as_deref(),
        });
        Ok(Action::Call(self.topic_call(
            topic,
            Caller::of(request),
            command,
        )))
    }

    fn subscriptions(&self, request: &Request<'_>, topic: &str) -> Result<Action, Fault> {
        let limits = 1..=u64::from(LIST_QUEUES_MAX);
        let limit = request.number("limit", &limits, u64::from(LIST_QUEUES_MAX))? as u32;
        let after = request.parameter("cursor")?;
        let command = TopicCommand::Subscriptions {
            after: after.as_deref(),
            limit,
        };
        Ok(Action::Call(self.topic_call(
            topic,
            Caller::of(request),
            command,
        )))
    }

    fn opened_topic_publish(
        &mut self,
        request: &Request<'_>,
        topic: &str,
        now_ms: Millis,
    ) -> Result<Action, Fault> {
        if media::is(request.content_type, media::CLOUD_EVENT) {
            let part = &TopicPart::Messages;
            return self.need_topic_body(request, topic, part, STRUCTURED_BYTES_MAX, now_ms);
        }
        match request.content_length {
            Some(bytes) if bytes > MESSAGE_BYTES_MAX as u64 => Err(incoming::too_large()),
            Some(bytes) if bytes <= INLINE_BYTES_MAX as u64 => {
                let part = &TopicPart::Messages;
                self.need_topic_body(request, topic, part, INLINE_BYTES_MAX, now_ms)
            }
            _ => {
                let message = publish::read(&request.head)?;
                let payload = Payload::ClientBody {
                    bytes_max: MESSAGE_BYTES_MAX,
                };
                let call =
                    self.publish_call(topic, Caller::of(request), request.grant, &message)?;
                Ok(Action::Call(Call { payload, ..call }))
            }
        }
    }

    fn need_topic_body(
        &mut self,
        request: &Request<'_>,
        topic: &str,
        part: &TopicPart<'_>,
        bytes_max: usize,
        now_ms: Millis,
    ) -> Result<Action, Fault> {
        match request.content_length {
            Some(0) => self.received_topic(request, topic, part, &[], now_ms),
            Some(bytes) if bytes > bytes_max as u64 => Err(too_large(bytes_max)),
            _ => Ok(Action::NeedBody { bytes_max }),
        }
    }

    pub(super) fn received_topic(
        &mut self,
        request: &Request<'_>,
        topic: &str,
        part: &TopicPart<'_>,
        body: &[u8],
        now_ms: Millis,
    ) -> Result<Action, Fault> {
        let caller = Caller::of(request);
        let call = match part {
            TopicPart::Subscription(_) | TopicPart::Seek(_) if is_pattern(topic) => {
                let body = within(body, JSON_BYTES_MAX)?;
                return self.received_pattern(request, topic, part, body);
            }
            TopicPart::Messages => {
                let mut message = publish::read(&request.head)?;
                if media::is(request.content_type, media::CLOUD_EVENT) {
                    let body = within(body, STRUCTURED_BYTES_MAX)?;
                    message = cloud_events::structured(body, message)?;
                } else {
                    message.body = within(body, INLINE_BYTES_MAX)?.into();
                }
                self.publish_call(topic, caller, request.grant, &message)?
            }
            TopicPart::Batch => self.received_topic_batch(request, topic, body, now_ms)?,
            TopicPart::Itself => {
                let patch = super::receive::configuration(within(body, JSON_BYTES_MAX)?)?;
                self.topic_call(topic, caller, TopicCommand::Configure { patch })
            }
            TopicPart::Subscription(name) => {
                let patch = super::receive::configuration(within(body, JSON_BYTES_MAX)?)?;
                super::targets::check(request.grant, patch)?;
                self.topic_call(topic, caller, TopicCommand::Subscribe { name, patch })
            }
            TopicPart::Seek(name) => {
                let to = seek::read(within(body, JSON_BYTES_MAX)?)?;
                self.topic_call(topic, caller, TopicCommand::Seek { name, to })
            }
            TopicPart::Pull(name) => {
                let body = within(body, JSON_BYTES_MAX)?;
                let it;
                let command = if binary::is(request.content_type) {
                    binary::pull::read(body)?
                } else {
                    it = pull::read(body)?;
                    it.command()
                };
                self.own_queue_call(topic, name, request, request.bounded(command))
            }
            TopicPart::Ack(name) => {
                let it = ack::read(within(body, JSON_BYTES_MAX)?)?;
                self.own_queue_call(topic, name, request, Command::Ack(it.ack()))
            }
            _ => return Err(no_path()),
        };
        Ok(Action::Call(call))
    }

    fn received_topic_batch(
        &mut self,
        request: &Request<'_>,
        topic: &str,
        body: &[u8],
        now_ms: Millis,
    ) -> Result<Call, Fault> {
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
        if request.grant.anonymous {
            let count = drafts.len() as u64;
            let topics = &mut self.public_topics;
            topics.charge_batch(count, topic, request.client, now_ms)?;
        }
        let bound = drafts.into_iter().map(|draft| request.grant.bind(draft?));
        let command = TopicCommand::PublishBatch(bound.collect());
        Ok(self.topic_call(topic, Caller::of(request), command))
    }

    pub(super) fn publish_call(
        &self,
        topic: &str,
        caller: Caller<'_>,
        grant: &Grant,
        message: &Incoming<'_>,
    ) -> Result<Call, Fault> {
        let (draft, expect_seq) = (grant.bind(message.draft())?, message.expect_seq);
        Ok(self.topic_call(topic, caller, TopicCommand::Publish { draft, expect_seq }))
    }

    pub(super) fn topic_call(
        &self,
        topic: &str,
        caller: Caller<'_>,
        command: TopicCommand<'_>,
    ) -> Call {
        let auto_create = self.settings.auto_create;
        let publishes = command.publishes();
        let envelope = TopicEnvelope {
            topic,
            origin: caller.origin,
            auto_create,
            anonymous: caller.anonymous,
            command,
        };
        // As with queues: the object refuses an empty command.
        Call {
            target: Target::Topic,
            object: topic_object(topic),
            command: encode(&envelope).unwrap_or_default(),
            payload: Payload::InCommand,
            publishes,
            shareable: false,
        }
    }

    /// Hands a binary body on as it is: it is read where it is needed.
    fn hand_to_own_queue(
        &self,
        topic: &str,
        subscription: &str,
        request: &Request<'_>,
        command: Command<'_>,
    ) -> Result<Action, Fault> {
        if request.content_length > Some(JSON_BYTES_MAX as u64) {
            return Err(too_large(JSON_BYTES_MAX));
        }
        let payload = Payload::ClientBody {
            bytes_max: JSON_BYTES_MAX,
        };
        let call = self.own_queue_call(topic, subscription, request, command);
        Ok(Action::Call(Call { payload, ..call }))
    }

    /// A call to the queue that holds what a subscription was handed. The topic's origins do not
    /// reach it: a page of another site cannot pull.
    fn own_queue_call(
        &self,
        topic: &str,
        subscription: &str,
        request: &Request<'_>,
        command: Command<'_>,
    ) -> Call {
        let origin = request.origin;
        let queue = subscription_queue(topic, subscription);
        let (auto_create, refused) = (false, Vec::new());
        let envelope = Envelope {
            queue: &queue,
            origin,
            auto_create,
            binary: request.accepts_binary,
            anonymous: false,
            refused,
            command,
        };
        Call {
            target: Target::Queue,
            object: queue_object(&queue),
            command: codec::encode(&envelope).unwrap_or_default(),
            payload: Payload::InCommand,
            publishes: false,
            shareable: false,
        }
    }

    /// The call that opens, or opens anew, the socket of a live reader; with `next_seq` it goes on
    /// from there. `None` when `stream` is not what [`Action::Follow`] said.
    #[must_use]
    pub fn follow(&self, stream: &str, next_seq: Option<u64>) -> Option<Call> {
        let mut parts = stream.splitn(7, '\n');
        let mut next = || parts.next();
        let (topic, origin, credentials, form) = (next()?, next()?, next()?, next()?);
        let (begin, member, filter) = (next()?, next()?, next()?);
        let start = match next_seq {
            Some(seq) => Start::Seq(seq),
            None => parse_start(begin)?,
        };
        let some = |text| Some(text).filter(|text: &&str| !text.is_empty());
        let form = if form == "events" {
            Form::Events
        } else {
            Form::Lines
        };
        let follow = Follow {
            start,
            filter: some(filter),
            form,
            member: some(member),
        };
        let caller = Caller {
            origin: some(origin),
            anonymous: serde_json::from_str(credentials).ok()?,
        };
        Some(self.topic_call(topic, caller, TopicCommand::Follow(follow)))
    }
}

/// What has to be known to open a live reader's socket: a line for each part; the filter may have
/// several.
pub(super) fn stream_text(
    topic: &str,
    caller: Caller<'_>,
    form: Form,
    start: &str,
    member: Option<&str>,
    filter: Option<&str>,
) -> String {
    let form = if form == Form::Events {
        "events"
    } else {
        "lines"
    };
    let credentials = serde_json::to_string(&caller.anonymous).unwrap_or_default();
    let (origin, member) = (
        caller.origin.unwrap_or_default(),
        member.unwrap_or_default(),
    );
    [
        topic,
        origin,
        &credentials,
        form,
        start,
        member,
        filter.unwrap_or_default(),
    ]
    .join("\n")
}

fn events(request: &Request<'_>, topic: &str) -> Result<Action, Fault> {
    let filter = filter(request)?;
    let member = member(request.parameter("member")?)?;
    patterns::expect_nobody_shown(topic, member.as_deref())?;
    let start = match request.last_event_id {
        Some(id) => {
            let digits = !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
            let id = digits
                .then(|| id.parse::<u64>().ok())
                .flatten()
                .filter(|id| *id <= SEQ_MAX);
            let wrong = || Fault::bad("Last-Event-ID", "the id of an event belongs here");
            format!("{}", id.ok_or_else(wrong)? + 1)
        }
        None => match start(request)? {
            Some(Start::At(at_ms)) => format!("at {at_ms}"),
            Some(_) => request.parameter("from_seq")?.unwrap_or_default(),
            None => "latest".to_owned(),
        },
    };
    if request.head.method == "HEAD" {
        let response = Response {
            status: 200,
            ..Response::default()
        };
        return Ok(Action::Respond(
            response.with("content-type", "text/event-stream"),
        ));
    }
    let (member, filter) = (member.as_deref(), filter.as_deref());
    let stream = stream_text(
        topic,
        Caller::staying(request, request.grant),
        Form::Events,
        &start,
        member,
        filter,
    );
    let ends_at_ms = request.grant.expires_at_ms;
    Ok(Action::Follow { stream, ends_at_ms })
}

/// A name to be shown to others.
pub(super) fn member(text: Option<String>) -> Result<Option<String>, Fault> {
    match text {
        Some(name)
            if name.is_empty()
                || name.chars().count() > KEY_CHARS_MAX
                || name.chars().any(char::is_control) =>
        {
            let detail =
                format!("a name has 1 to {KEY_CHARS_MAX} characters, none of them a control");
            Err(Fault::bad("member", detail))
        }
        other => Ok(other),
    }
}

impl OwnPart {
    /// As any queue is asked.
    const fn command<'a>(self) -> Command<'a> {
        match self {
            Self::Itself => Command::Describe,
            Self::EnablePush => Command::EnablePush,
            Self::Attempts(id) => Command::Attempts { id },
        }
    }
}

/// Where a read begins, if the request says so.
fn start(request: &Request<'_>) -> Result<Option<Start>, Fault> {
    let at_ms = match request.parameter("from_at_ms")? {
        None => None,
        Some(_) => Some(request.number("from_at_ms", &(0..=(1 << 53) - 1), 0)?),
    };
    let Some(text) = request.parameter("from_seq")? else {
        return Ok(at_ms.map(Start::At));
    };
    if at_ms.is_some() {
        return Err(Fault::bad("from_at_ms", "from_seq or from_at_ms, not both"));
    }
    let detail = "earliest, latest, last_per_key or a number belongs here";
    parse_start(&text)
        .filter(|it| !matches!(it, Start::At(_)))
        .map(Some)
        .ok_or_else(|| Fault::bad("from_seq", detail))
}

/// Reads `earliest`, `latest`, `last_per_key`, a number, or `at ` and an instant.
pub(super) fn parse_start(text: &str) -> Option<Start> {
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse::<u64>().ok()).flatten()
    };
    match text {
        "earliest" => Some(Start::Earliest),
        "latest" => Some(Start::Latest),
        "last_per_key" => Some(Start::LastPerKey),
        _ => match text.strip_prefix("at ") {
            Some(at_ms) => number(at_ms).map(Start::At),
            None => number(text)
                .filter(|seq| *seq <= SEQ_MAX + 1)
                .map(Start::Seq),
        },
    }
}

/// The filter's JSON text. A selector may stand there without the quotes of JSON.
fn filter(request: &Request<'_>) -> Result<Option<String>, Fault> {
    let Some(text) = request.parameter("filter")? else {
        return Ok(None);
    };
    // A selector may begin with a quoted name.
    let is_json = |text| serde_json::from_str::<&RawValue>(text).is_ok();
    let first = text.trim_start();
    if first.starts_with('{') || (first.starts_with('"') && is_json(first)) {
        return Ok(Some(text));
    }
    Ok(serde_json::to_string(&text).ok())
}
