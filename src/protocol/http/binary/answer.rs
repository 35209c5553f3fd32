//! Answers: the verdicts of a batch, leased messages, and what an acknowledgement did.

use super::{ACKED_AND_PULLED, ACKNOWLEDGED, MEDIA_TYPE, PUBLISHED, PULLED, begin};
use crate::command::{Accepted, Acknowledged, Delivery, Reply};
use crate::error::Fault;
use crate::protocol::http::{Response, message, problem};

/// Bytes of the fixed part of a verdict and of a delivery.
const VERDICT_BYTES: usize = 33;
const DELIVERY_BYTES: usize = 60;
/// The first byte of a verdict.
const ACCEPTED: u8 = 0;
const REFUSED: u8 = 1;
/// Accepted, and a JSON object follows with what else there is to say.
const MORE: u8 = 2;
/// Flags of a delivery.
const CONTENT_TYPE: u8 = 1;
const KEY: u8 = 2;
const SAME_CONTENT_TYPE: u8 = 64;
/// Longest run behind a length in 16 bits; nothing longer is accepted or said.
const SHORT_BYTES_MAX: usize = u16::MAX as usize;

/// The response for `reply` in this form; `None` for one that has only JSON.
#[must_use]
pub fn render(reply: &Reply) -> Option<Response> {
    let body = match reply {
        Reply::Batch(verdicts) => published(verdicts),
        Reply::Pulled {
            messages,
            depth,
            acknowledged,
        } => pulled(messages, *depth, acknowledged.as_ref()),
        Reply::Acknowledged(it) => acknowledged(it),
        _ => return None,
    };
    Some(Response::document(200, MEDIA_TYPE, body))
}

fn published(verdicts: &[Result<Accepted, Fault>]) -> Vec<u8> {
    let mut out = begin(
        PUBLISHED,
        verdicts.len(),
        8 + verdicts.len() * VERDICT_BYTES,
    );
    let accepted = verdicts.iter().filter(|verdict| verdict.is_ok()).count();
    put_u32(&mut out, accepted);
    put_u32(&mut out, verdicts.len() - accepted);
    let mut last = None;
    for verdict in verdicts {
        match verdict {
            Ok(it) => {
                let has_more = it.waiting.is_some() || it.ticket.is_some();
                out.push(if has_more { MORE } else { ACCEPTED });
                out.extend_from_slice(&it.id.0.to_be_bytes());
                out.extend_from_slice(&it.seq.to_le_bytes());
                out.extend_from_slice(&it.timestamp_ms.to_le_bytes());
                if has_more {
                    let mut more = b"{".to_vec();
                    message::write_more(&mut more, it);
                    more.push(b'}');
                    put_bytes(&mut out, &more);
                }
            }
            Err(fault) => {
                out.push(REFUSED);
                put_problem(&mut out, fault, &mut last);
            }
        }
    }
    out
}

fn pulled(messages: &[Delivery], depth: u64, settled: Option<&Acknowledged>) -> Vec<u8> {
    let bodies: usize = messages.iter().map(|it| it.body.bytes().len()).sum();
    // Content types, keys and attributes: what does not fit here makes the vector grow.
    let room = messages.len() * (DELIVERY_BYTES + 32) + bodies;
    let (kind, errors) = match settled {
        Some(it) => (ACKED_AND_PULLED, it.errors.len()),
        None => (PULLED, 0),
    };
    let mut out = begin(kind, messages.len(), 24 + room + errors * 8);
    out.extend_from_slice(&depth.to_le_bytes());
    if let Some(it) = settled {
        put_counts(&mut out, it);
        put_u32(&mut out, errors);
    }
    let mut content_type = None;
    for message in messages {
        put_delivery(&mut out, message, content_type);
        content_type = message.content_type.as_deref();
    }
    if let Some(it) = settled {
        put_errors(&mut out, it);
    }
    out
}

fn put_delivery(out: &mut Vec<u8>, it: &Delivery, before: Option<&str>) {
    let body = it.body.bytes();
    let content_type = it.content_type.as_deref();
    let is_same = content_type.is_some() && content_type == before;
    let mut flags = if it.key.is_some() { KEY } else { 0 };
    flags |= match content_type {
        Some(_) if is_same => SAME_CONTENT_TYPE,
        Some(_) => CONTENT_TYPE,
        None => 0,
    };
    let mut fixed = [0; DELIVERY_BYTES];
    fixed[..16].copy_from_slice(&it.id.0.to_be_bytes());
    fixed[16..32].copy_from_slice(&it.lease_id.map_or(0, |lease| lease.0).to_be_bytes());
    fixed[32..40].copy_from_slice(&it.seq.to_le_bytes());
    fixed[40..48].copy_from_slice(&it.timestamp_ms.to_le_bytes());
    fixed[48..52].copy_from_slice(&(body.len() as u32).to_le_bytes());
    fixed[52..56].copy_from_slice(&it.attempts.to_le_bytes());
    fixed[56] = flags;
    fixed[57] = it.priority;
    fixed[58..].copy_from_slice(&(it.attributes.len() as u16).to_le_bytes());
    out.extend_from_slice(&fixed);
    if let Some(content_type) = content_type.filter(|_| !is_same) {
        put_short(out, content_type);
    }
    if let Some(key) = &it.key {
        put_short(out, key);
    }
    for (name, value) in &it.attributes {
        put_short(out, name);
        put_short(out, value);
    }
    out.extend_from_slice(body);
}

fn acknowledged(it: &Acknowledged) -> Vec<u8> {
    let mut out = begin(ACKNOWLEDGED, it.errors.len(), 12 + it.errors.len() * 8);
    put_counts(&mut out, it);
    put_errors(&mut out, it);
    out
}

fn put_counts(out: &mut Vec<u8>, it: &Acknowledged) {
    for count in [it.acked, it.retried, it.extended] {
        put_u32(out, count as usize);
    }
}

fn put_errors(out: &mut Vec<u8>, it: &Acknowledged) {
    let mut last = None;
    for error in &it.errors {
        out.extend_from_slice(&(error.index as u16).to_le_bytes());
        put_problem(out, &error.fault, &mut last);
    }
}

/// The number of the error's code, and its problem document behind its length; the length 0 stands
/// for the document of the error before. Errors of one call are mostly alike.
fn put_problem<'a>(out: &mut Vec<u8>, fault: &'a Fault, last: &mut Option<&'a Fault>) {
    out.extend_from_slice(&(fault.code as u16).to_le_bytes());
    if *last == Some(fault) {
        out.extend_from_slice(&[0, 0]);
        return;
    }
    *last = Some(fault);
    let mut document = Vec::with_capacity(256);
    problem::write(&mut document, fault);
    put_bytes(out, &document);
}

fn put_u32(out: &mut Vec<u8>, value: usize) {
    out.extend_from_slice(&(value as u32).to_le_bytes());
}

fn put_short(out: &mut Vec<u8>, text: &str) {
    put_bytes(out, text.as_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(SHORT_BYTES_MAX)];
    out.extend_from_slice(&(bytes.len() as u16).to_le_bytes());
    out.extend_from_slice(bytes);
}
