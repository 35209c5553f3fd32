//! From a topic's answer to a finished HTTP response, and to what live readers are sent.

use super::patterns::origin_of;
use super::render::{RenderContext, batch, write_list};
use super::response::Response;
use super::{cors, message, problem, quarantined};
use crate::command::pattern::is_pattern;
use crate::command::placement::pattern_key;
use crate::command::topic::{
    Form, Frame, News, Page, SubscriptionState, TopicDescription, TopicReply,
};
use crate::command::{Accepted, Delivery};
use crate::error::Fault;
use crate::wire::json_text::{member_number, member_string, name, number, string};
use crate::wire::percent;
use serde_json::Value;

/// The response for `result`. `RenderContext::queue` is the topic's name.
#[must_use]
pub fn render(result: &Result<TopicReply, Fault>, context: &RenderContext<'_>) -> Response {
    if context.preflight {
        return cors::preflight(context.origin, context.cors_origins);
    }
    let mut response = match result {
        Ok(reply) => success(reply, context.queue),
        Err(fault) => problem::response(fault, context.decided_by),
    };
    cors::expose(&mut response, context.origin, context.cors_origins);
    response
}

fn success(reply: &TopicReply, topic: &str) -> Response {
    match reply {
        TopicReply::Accepted(it) => accepted(it, topic),
        TopicReply::Batch(verdicts) => batch(verdicts),
        TopicReply::Read {
            page,
            first_seq,
            last_seq,
        } => read(page, *first_seq, *last_seq),
        TopicReply::Described {
            description,
            created,
        } => {
            let mut body = Vec::with_capacity(1_024);
            describe(&mut body, topic, description);
            created_or_not(
                *created,
                body,
                format!("/v1/topics/{}", percent::encode(topic)),
            )
        }
        TopicReply::Subscription {
            subscription,
            created,
        } => {
            let mut body = Vec::with_capacity(256);
            write_subscription(&mut body, subscription);
            let topic = percent::encode(topic);
            let place = format!("/v1/topics/{topic}/subscriptions/{}", subscription.name);
            created_or_not(*created, body, place)
        }
        TopicReply::Subscriptions {
            subscriptions,
            more,
        } => {
            let mut body = b"{".to_vec();
            write_list(
                &mut body,
                "subscriptions",
                subscriptions,
                write_subscription,
            );
            if let Some(last) = subscriptions.last().filter(|_| *more) {
                let key = match &last.pattern {
                    Some(pattern) => pattern_key(&last.name, pattern),
                    None => last.name.clone(),
                };
                member_string(&mut body, "cursor", &key);
            }
            body.push(b'}');
            Response::json(200, body)
        }
        TopicReply::Moved(count) => {
            Response::json(200, format!("{{\"moved\":{count}}}").into_bytes())
        }
        TopicReply::Quarantined(rows) => quarantined::listing(rows),
        TopicReply::Following | TopicReply::Done => Response::empty(),
    }
}

fn created_or_not(created: bool, body: Vec<u8>, location: String) -> Response {
    if created {
        Response::json(201, body).with("location", location)
    } else {
        Response::json(200, body)
    }
}

fn accepted(accepted: &Accepted, topic: &str) -> Response {
    let mut body = Vec::with_capacity(96);
    message::write_accepted(&mut body, accepted, false);
    let (topic, seq) = (percent::encode(topic), accepted.seq);
    let location = format!("/v1/topics/{topic}/messages?from_seq={seq}&limit=1");
    Response::json(202, body).with("location", location)
}

fn read(page: &Page, first_seq: u64, last_seq: u64) -> Response {
    let bytes: usize = page
        .messages
        .iter()
        .map(|it| it.body.bytes().len() + 320)
        .sum();
    let mut body = Vec::with_capacity(128 + bytes);
    body.push(b'{');
    write_list(
        &mut body,
        "messages",
        &page.messages,
        message::write_delivery,
    );
    member_number(&mut body, "next_seq", page.next_seq);
    member_number(&mut body, "first_seq", first_seq);
    member_number(&mut body, "last_seq", last_seq);
    member_number(&mut body, "missed", page.missed);
    body.push(b'}');
    Response::json(200, body)
}

fn describe(out: &mut Vec<u8>, topic: &str, it: &TopicDescription) {
    out.push(b'{');
    member_string(out, "name", topic);
    for (key, value) in &it.config {
        out.push(b',');
        string(out, key);
        out.push(b':');
        out.extend_from_slice(value.to_string().as_bytes());
    }
    let work = &it.since_start;
    for (key, value) in [
        ("messages", it.messages),
        ("bytes", it.bytes),
        ("first_seq", it.first_seq),
        ("last_seq", it.last_seq),
        ("accepted_total", it.accepted_total),
        ("delivered_total", it.delivered_total),
        ("readers", it.readers),
        ("subscriptions", it.subscriptions),
        ("lag_max", it.lag_max),
        ("object_requests_total", work.object_requests_total),
        ("rows_written_total", work.rows_written_total),
        ("rows_read_total", work.rows_read_total),
        ("commits_total", work.commits_total),
        ("wasm_memory_bytes", work.wasm_memory_bytes),
        ("quarantined", it.quarantined),
        ("quarantined_total", it.quarantined_total),
    ] {
        member_number(out, key, value);
    }
    instant(out, "oldest_at_ms", it.oldest_at_ms);
    let rejected = it.rejected.iter().map(|(_, total)| total).sum();
    member_number(out, "rejected_total", rejected);
    write_list(out, "rejected", &it.rejected, |out, (reason, total)| {
        out.push(b'{');
        member_string(out, "reason", reason.slug());
        member_string(out, "decided_by", "object");
        member_number(out, "total", *total);
        out.push(b'}');
    });
    write_list(out, "members", &it.members, |out, member| {
        string(out, member)
    });
    out.push(b'}');
}

fn write_subscription(out: &mut Vec<u8>, it: &SubscriptionState) {
    out.push(b'{');
    member_string(out, "name", &it.name);
    if let Some(pattern) = &it.pattern {
        member_string(out, "pattern", pattern);
    }
    raw(out, "filter", it.filter.as_deref().unwrap_or("null"));
    write_target(out, it.target.as_deref(), it.push.as_ref());
    write_endpoint(out, it.push.is_some(), it.endpoint.as_ref());
    raw(out, "paused", if it.paused { "true" } else { "false" });
    raw(out, "retrying", if it.retrying { "true" } else { "false" });
    for (key, value) in [
        ("next_seq", it.next_seq),
        ("lag", it.lag),
        ("missed_total", it.missed_total),
        ("delivered_total", it.delivered_total),
    ] {
        member_number(out, key, value);
    }
    instant(out, "oldest_at_ms", it.oldest_at_ms);
    out.push(b'}');
}

/// Appends where a subscription's messages go.
pub fn write_target(out: &mut Vec<u8>, queue: Option<&str>, push: Option<&Value>) {
    name(out, "target");
    match (queue, push) {
        (Some(queue), _) => {
            out.push(b'{');
            member_string(out, "queue", queue);
            out.push(b'}');
        }
        (None, Some(push)) => out.extend(push.to_string().bytes()),
        (None, None) => out.extend_from_slice(b"null"),
    }
}

/// Appends how things stand with what a subscription calls, where it calls anything.
pub fn write_endpoint(out: &mut Vec<u8>, calls: bool, endpoint: Option<&Value>) {
    if calls {
        let text = endpoint.map_or("null".to_owned(), Value::to_string);
        raw(out, "endpoint", &text);
    }
}

fn raw(out: &mut Vec<u8>, key: &str, json: &str) {
    name(out, key);
    out.extend_from_slice(json.as_bytes());
}

fn instant(out: &mut Vec<u8>, key: &str, at_ms: Option<u64>) {
    name(out, key);
    match at_ms {
        Some(at_ms) => number(out, at_ms),
        None => out.extend_from_slice(b"null"),
    }
}

/// A piece for a live reader. To a Worker: the number it knows and the number it knows after this,
/// on a line; then Server-Sent Events, or a document a line. What does not move a reader repeats its
/// number. To a client itself: documents, a line each.
#[must_use]
pub fn piece(frame: &Frame, topic: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    match &frame.news {
        News::Messages { begins: true, .. } if frame.form.is_direct() => {
            event(&mut out, frame.form, topic, "subscribed", |out| {
                member_number(out, "from_seq", frame.from_seq);
            });
        }
        _ if frame.form.is_direct() => {}
        News::Messages { page, .. } => spans(&mut out, frame.from_seq, page.next_seq),
        _ => spans(&mut out, frame.from_seq, frame.from_seq),
    }
    write_news(&mut out, frame, topic);
    out
}

fn spans(out: &mut Vec<u8>, from_seq: u64, next_seq: u64) {
    number(out, from_seq);
    out.push(b' ');
    number(out, next_seq);
    out.push(b'\n');
}

fn write_news(out: &mut Vec<u8>, frame: &Frame, topic: &str) {
    match &frame.news {
        News::Messages { page, lagged, .. } => {
            if lagged.is_some() || page.missed > 0 {
                event(out, frame.form, topic, "lagged", |out| {
                    member_number(out, "behind", lagged.unwrap_or(0));
                    member_number(out, "missed", page.missed);
                });
            }
            for message in &page.messages {
                write_message(out, frame.form, topic, message);
            }
        }
        News::Presence(changes) => {
            for (member, joined) in &**changes {
                let kind = if *joined { "join" } else { "leave" };
                event(out, frame.form, topic, kind, |out| {
                    member_string(out, "member", member)
                });
            }
        }
        News::Here(members) => event(out, frame.form, topic, "here", |out| {
            write_list(out, "members", members, |out, member| string(out, member));
        }),
        News::Gone => event(out, frame.form, topic, "gone", |_| {}),
        News::Closed(fault) => write_closed(out, frame.form, fault),
    }
}

/// The problem that ends what somebody without credentials follows.
fn write_closed(out: &mut Vec<u8>, form: Form, fault: &Fault) {
    if form == Form::Events {
        out.extend_from_slice(b"event: problem\ndata: ");
        problem::write(out, fault);
        out.extend_from_slice(b"\n\n");
    } else {
        out.extend_from_slice(b"{\"type\":\"error\",\"ref\":null,\"problem\":");
        problem::write(out, fault);
        out.extend_from_slice(b"}\n");
    }
}

/// Writes a message. One that was gathered for a pattern is written as its topic knows it; where it
/// stands among those of the pattern is said beside it.
fn write_message(out: &mut Vec<u8>, form: Form, name: &str, it: &Delivery) {
    let origin = is_pattern(name).then(|| origin_of(it)).flatten();
    let (topic, message) = match &origin {
        Some((topic, message)) => (topic.as_str(), message),
        None => (name, it),
    };
    if form == Form::Events {
        out.extend_from_slice(format!("id: {}\nevent: message\ndata: ", it.seq).as_bytes());
    }
    out.push(b'{');
    if form != Form::Events {
        member_string(out, "type", "message");
    }
    if form != Form::Events || origin.is_some() {
        member_string(out, "topic", topic);
    }
    if origin.is_some() {
        member_string(out, "pattern", name);
        member_number(out, "pattern_seq", it.seq);
    }
    message::write_delivery_members(out, message);
    out.push(b'}');
    out.push(b'\n');
    if form == Form::Events {
        out.push(b'\n');
    }
}

fn event(out: &mut Vec<u8>, form: Form, topic: &str, kind: &str, members: impl Fn(&mut Vec<u8>)) {
    match form {
        Form::Events => {
            out.extend_from_slice(format!("event: {kind}\ndata: ").as_bytes());
            out.push(b'{');
            members(out);
            out.extend_from_slice(b"}\n\n");
        }
        Form::Lines | Form::Frames | Form::Batches => {
            out.push(b'{');
            member_string(out, "type", kind);
            member_string(out, "topic", topic);
            members(out);
            out.extend_from_slice(b"}\n");
        }
    }
}
