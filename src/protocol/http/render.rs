//! From a queue's answer to a finished HTTP response. Total: every reply and every fault has its form.
//!
//! The object that owns the state renders, so that the Worker hands the response through untouched; the edge
//! renders the refusals it gives from its own memory. Both come here.

use super::response::Response;
use super::{cors, description, message, problem};
use crate::command::{Accepted, Acknowledged, Delivery, MessageState, Reply};
use crate::error::Fault;
use crate::wire::json_text::{member_number, member_string, name};
use crate::wire::percent;

/// Who refused: what the header `Tidegate-Decided-By` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecidedBy {
    /// The Worker, from a verdict it remembers.
    Edge,
    /// The object, from the state itself.
    Object,
}

impl DecidedBy {
    /// Its name in headers, JSON and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Object => "object",
        }
    }
}

/// What rendering needs to know beside the answer.
#[derive(Clone, Copy, Debug)]
pub struct RenderContext<'a> {
    /// The queue's name, as it is, not percent-encoded.
    pub queue: &'a str,
    /// `Envelope::origin`: the page another site's request came from.
    pub origin: Option<&'a str>,
    /// The queue's `cors_origins`: whom the answer is shown to.
    pub cors_origins: &'a [String],
    /// Who decided.
    pub decided_by: DecidedBy,
    /// Whether the command was `Command::Preflight`: then `Reply::Done` is the answer to a browser's
    /// preflight, with the `access-control-allow-*` headers when the origin may call.
    pub preflight: bool,
}

/// The response for `result`.
#[must_use]
pub fn render(result: &Result<Reply, Fault>, context: &RenderContext<'_>) -> Response {
    if context.preflight {
        // A queue that does not exist allows nobody, and says no more than that.
        return cors::preflight(context.origin, context.cors_origins);
    }
    let mut response = match result {
        Ok(reply) => success(reply, context.queue),
        Err(fault) => problem::response(fault, context.decided_by),
    };
    cors::expose(&mut response, context.origin, context.cors_origins);
    response
}

fn success(reply: &Reply, queue: &str) -> Response {
    match reply {
        Reply::Accepted(it) => accepted(it, queue),
        Reply::Batch(verdicts) => batch(verdicts),
        Reply::Pulled { messages, depth } => listing(messages, Some(*depth)),
        Reply::Acknowledged(it) => acknowledged(it),
        Reply::State(it) => state(it),
        Reply::Described {
            description,
            created,
        } => {
            let mut body = Vec::with_capacity(2_048);
            description::write(&mut body, queue, description);
            if *created {
                let location = format!("/v1/queues/{}", percent::encode(queue));
                Response::json(201, body).with("location", location)
            } else {
                Response::json(200, body)
            }
        }
        Reply::Browsed(messages) | Reply::Recalled(messages) => listing(messages, None),
        Reply::Done => Response::empty(),
        Reply::Moved(moved) => {
            let mut body = b"{".to_vec();
            member_number(&mut body, "moved", *moved);
            body.push(b'}');
            Response::json(200, body)
        }
    }
}

fn accepted(accepted: &Accepted, queue: &str) -> Response {
    let mut body = Vec::with_capacity(128);
    message::write_accepted(&mut body, accepted, true);
    let queue = percent::encode(queue);
    let mut location = String::with_capacity(48 + queue.len());
    for part in ["/v1/queues/", &queue, "/messages/"] {
        location.push_str(part);
    }
    location.push_str(std::str::from_utf8(&accepted.id.text()).unwrap_or_default());
    Response::json(202, body).with("location", location)
}

fn batch(verdicts: &[Result<Accepted, Fault>]) -> Response {
    let accepted = verdicts.iter().filter(|verdict| verdict.is_ok()).count();
    let mut body = Vec::with_capacity(64 + verdicts.len() * 96);
    body.push(b'{');
    member_number(&mut body, "accepted", accepted as u64);
    member_number(&mut body, "rejected", (verdicts.len() - accepted) as u64);
    write_list(
        &mut body,
        "messages",
        verdicts,
        |body, verdict| match verdict {
            Ok(accepted) => message::write_accepted(body, accepted, false),
            Err(fault) => write_error(body, None, fault),
        },
    );
    body.push(b'}');
    Response::json(200, body)
}

fn listing(messages: &[Delivery], depth: Option<u64>) -> Response {
    let bytes: usize = messages
        .iter()
        .map(|message| message.body.bytes().len() + 320)
        .sum();
    let mut body = Vec::with_capacity(64 + bytes);
    body.push(b'{');
    write_list(&mut body, "messages", messages, message::write_delivery);
    if let Some(depth) = depth {
        member_number(&mut body, "depth", depth);
    }
    body.push(b'}');
    Response::json(200, body)
}

fn acknowledged(it: &Acknowledged) -> Response {
    let mut body = Vec::with_capacity(64 + it.errors.len() * 256);
    body.push(b'{');
    member_number(&mut body, "acked", it.acked);
    member_number(&mut body, "retried", it.retried);
    member_number(&mut body, "extended", it.extended);
    write_list(
        &mut body,
        "errors",
        &it.errors,
        |body, (lease_id, fault)| {
            write_error(body, Some(lease_id), fault);
        },
    );
    body.push(b'}');
    Response::json(200, body)
}

fn state(it: &MessageState) -> Response {
    let mut body = Vec::with_capacity(160 + it.result.as_ref().map_or(0, String::len));
    message::write_state(&mut body, it);
    Response::json(200, body)
}

fn write_error(body: &mut Vec<u8>, lease_id: Option<&str>, fault: &Fault) {
    body.push(b'{');
    if let Some(lease_id) = lease_id {
        member_string(body, "lease_id", lease_id);
    }
    name(body, "error");
    problem::write(body, fault);
    body.push(b'}');
}

fn write_list<T>(out: &mut Vec<u8>, key: &str, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    name(out, key);
    out.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}
