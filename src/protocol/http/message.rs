//! Messages as JSON: deliveries, listings, and the state of one.

use crate::command::{Accepted, Delivery, MessageState, State};
use crate::id::Id;
use crate::wire::base64;
use crate::wire::json_text::{
    member_number, member_number_if, member_string, member_strings, name, string,
};

/// Appends what a publisher is told of an accepted message. A batch leaves the position out: it
/// would be that of the moment each was taken, not of the answer. A place in the line is an answer
/// of its own, and always said.
pub fn write_accepted(out: &mut Vec<u8>, accepted: &Accepted, with_position: bool) {
    out.push(b'{');
    write_ulid(out, "id", accepted.id);
    member_number(out, "seq", accepted.seq);
    member_number(out, "timestamp_ms", accepted.timestamp_ms);
    if with_position && accepted.position > 0 {
        member_number(out, "position", accepted.position);
    }
    write_more(out, accepted);
    out.push(b'}');
}

/// Appends what not every accepted message has, as members of an object: a place in the line, a
/// ticket.
pub fn write_more(out: &mut Vec<u8>, accepted: &Accepted) {
    if let Some(place) = &accepted.waiting {
        member_string(out, "state", State::Waiting.name());
        member_number_if(out, "position", place.position);
        member_number_if(out, "estimated_wait_ms", place.estimated_wait_ms);
        member_number_if(out, "draw_at_ms", place.draw_at_ms);
    }
    if let Some(ticket) = &accepted.ticket {
        member_string(out, "ticket", ticket);
    }
}

/// Appends a message with its body: text where the bytes are valid UTF-8, else base 64.
pub fn write_delivery(out: &mut Vec<u8>, delivery: &Delivery) {
    out.push(b'{');
    write_delivery_members(out, delivery);
    out.push(b'}');
}

/// Appends the members of a message, after others of the same object.
pub fn write_delivery_members(out: &mut Vec<u8>, delivery: &Delivery) {
    write_ulid(out, "id", delivery.id);
    member_number(out, "seq", delivery.seq);
    if let Some(lease) = delivery.lease_id {
        write_ulid(out, "lease_id", Id(lease.0));
    }
    if let Some(state) = delivery.state {
        member_string(out, "state", state.name());
    }
    member_number(out, "attempts", u64::from(delivery.attempts));
    member_number(out, "timestamp_ms", delivery.timestamp_ms);
    write_body(out, delivery.body.bytes());
    if let Some(content_type) = &delivery.content_type {
        member_string(out, "content_type", content_type);
    }
    if let Some(key) = &delivery.key {
        member_string(out, "key", key);
    }
    member_number(out, "priority", u64::from(delivery.priority));
    member_strings(out, "attributes", &delivery.attributes);
}

/// Appends what is known of one message.
pub fn write_state(out: &mut Vec<u8>, message: &MessageState) {
    out.push(b'{');
    write_ulid(out, "id", message.id);
    member_number(out, "seq", message.seq);
    member_string(out, "state", message.state.name());
    member_number(out, "timestamp_ms", message.timestamp_ms);
    member_number_if(out, "attempts", message.attempts.map(u64::from));
    member_number_if(out, "position", message.position);
    member_number_if(out, "estimated_wait_ms", message.estimated_wait_ms);
    member_number_if(out, "draw_at_ms", message.draw_at_ms);
    if let Some(result) = &message.result {
        name(out, "result");
        out.extend_from_slice(result.as_bytes());
    }
    if let Some(ticket) = &message.ticket {
        member_string(out, "ticket", ticket);
    }
    if let Some(url) = &message.redirect_url {
        member_string(out, "redirect_url", url);
    }
    out.push(b'}');
}

fn write_ulid(out: &mut Vec<u8>, key: &str, id: Id) {
    name(out, key);
    out.push(b'"');
    out.extend_from_slice(&id.text());
    out.push(b'"');
}

fn write_body(out: &mut Vec<u8>, body: &[u8]) {
    name(out, "body");
    if let Ok(text) = std::str::from_utf8(body) {
        string(out, text);
        member_string(out, "encoding", "utf8");
    } else {
        out.push(b'"');
        base64::encode_into(out, body);
        out.push(b'"');
        member_string(out, "encoding", "base64");
    }
}
