//! One message, published by headers and a raw body.
//!
//! CloudEvents in binary content mode need no other form: the body is the event's data,
//! `Content-Type` its `datacontenttype`, and each `ce-…` header becomes the attribute of the same
//! name. In structured content mode (`cloud_events.rs`) the `Tidegate-…` headers hold as well.

use super::incoming::{Incoming, Number, check_content_type, check_idempotency_key, check_key};
use super::{media, terms};
use crate::command::{BACKOFF_ATTRIBUTE, MAX_ATTEMPTS_ATTRIBUTE};
use crate::error::Fault;
use crate::wire::head::Head;
use crate::wire::percent;
use crate::wire::trace::{self, TRACEPARENT, TRACESTATE};
use std::borrow::Cow;

/// Reads all headers that say something about the message; its body comes later.
///
/// # Errors
/// `bad-request` naming the header.
pub fn read<'a>(head: &Head<'a>) -> Result<Incoming<'a>, Fault> {
    let mut message = Incoming::default();
    let structured = media::is(head.header("content-type"), media::CLOUD_EVENT);
    let mut is_event = false;
    let mut traced = Traced::default();
    for (name, value) in head.headers() {
        if let Some(rest) = name.strip_prefix("tidegate-") {
            tidegate_header(&mut message, rest, value)?;
        } else if let Some(rest) = name.strip_prefix("ce-") {
            // HTTP binding of CloudEvents, 3.2: with the structured content type, the body has it
            // all.
            if !structured {
                is_event = true;
                event_header(&mut message, name, rest, value)?;
            }
        } else if name == "content-type" && !value.is_empty() {
            check_content_type(value).map_err(|detail| Fault::bad("Content-Type", detail))?;
            message.content_type = Some(Cow::Borrowed(value));
        } else if name == "idempotency-key" {
            message.idempotency_key = Some(idempotency_key(value)?);
        } else if name == TRACEPARENT {
            traced.parent = trace::parent(value);
        } else if name == TRACESTATE {
            traced.state = trace::state(value);
        }
    }
    traced.add_to(&mut message);
    if is_event {
        super::cloud_events::check_required(&message.attributes, |name| name.to_owned())?;
    }
    Ok(message)
}

/// What the request belongs to, in the words of W3C Trace Context.
#[derive(Default)]
struct Traced<'a> {
    parent: Option<&'a str>,
    state: Option<&'a str>,
}

impl<'a> Traced<'a> {
    /// As attributes, so that whoever takes the message may go on with it. Attributes of these names
    /// that the publisher gave come first, and a message that has no room for more goes without.
    fn add_to(self, message: &mut Incoming<'a>) {
        let Some(parent) = self.parent else { return };
        let added = message
            .attributes
            .add(Cow::Borrowed(TRACEPARENT), Cow::Borrowed(parent));
        if let (Ok(()), Some(state)) = (added, self.state) {
            let _ = message
                .attributes
                .add(Cow::Borrowed(TRACESTATE), Cow::Borrowed(state));
        }
    }
}

/// Refuses headers that mean something to a single message only: in a batch each message has its
/// own.
///
/// # Errors
/// `bad-request` naming the header.
pub fn refuse_in_batch(head: &Head<'_>) -> Result<(), Fault> {
    let single = |name: &str| name == "idempotency-key" || name.starts_with("tidegate-");
    match head.headers().find(|(name, _)| single(name)) {
        Some((name, _)) => Err(Fault::bad(
            canonical(name),
            "in a batch this belongs into the messages, each its own, not into a header",
        )),
        None => Ok(()),
    }
}

fn tidegate_header<'a>(
    message: &mut Incoming<'a>,
    rest: &'a str,
    value: &'a str,
) -> Result<(), Fault> {
    if let Some(name) = rest.strip_prefix("attr-") {
        let added = message
            .attributes
            .add(Cow::Borrowed(name), Cow::Borrowed(value));
        return added.map_err(|detail| Fault::bad(format!("Tidegate-Attr-{name}"), detail));
    }
    let number = match rest {
        "key" => {
            check_key(value).map_err(|detail| Fault::bad("Tidegate-Key", detail))?;
            message.key = Some(Cow::Borrowed(value));
            return Ok(());
        }
        "max-attempts" => {
            let checked = terms::check_attempts(value);
            let value = checked.map_err(|detail| Fault::bad("Tidegate-Max-Attempts", detail))?;
            message
                .attributes
                .set_own(MAX_ATTEMPTS_ATTRIBUTE, value.into());
            return Ok(());
        }
        "backoff" => {
            let checked = terms::check_backoff(value);
            let value = checked.map_err(|detail| Fault::bad("Tidegate-Backoff", detail))?;
            message.attributes.set_own(BACKOFF_ATTRIBUTE, value.into());
            return Ok(());
        }
        "delay-ms" => Number::DelayMs,
        "ttl-ms" => Number::TtlMs,
        "hold-ms" => Number::HoldMs,
        "priority" => Number::Priority,
        "expect-seq" => Number::ExpectSeq,
        _ => {
            return Err(Fault::bad(
                canonical(&format!("tidegate-{rest}")),
                "there is no such header; there are: Tidegate-Key, Tidegate-Delay-Ms, \
                 Tidegate-Ttl-Ms, Tidegate-Hold-Ms, Tidegate-Priority, Tidegate-Max-Attempts, \
                 Tidegate-Backoff, Tidegate-Expect-Seq and Tidegate-Attr-{name}",
            ));
        }
    };
    let value = number
        .parse(value)
        .map_err(|detail| Fault::bad(canonical(&format!("tidegate-{rest}")), detail))?;
    number.set(message, value);
    Ok(())
}

/// HTTP binding of CloudEvents, 3.1.3.2: what is not printable ASCII travels percent-encoded.
fn event_header<'a>(
    message: &mut Incoming<'a>,
    name: &'a str,
    rest: &str,
    value: &'a str,
) -> Result<(), Fault> {
    if rest.is_empty() || !rest.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(Fault::bad(
            name,
            "the name of a CloudEvents attribute is made of a-z and 0-9",
        ));
    }
    let value = percent::decode(value)
        .ok_or_else(|| Fault::bad(name, "percent-encoded UTF-8 belongs here; a bare % is %25"))?;
    message
        .attributes
        .add(Cow::Borrowed(name), value)
        .map_err(|detail| Fault::bad(name, detail))
}

/// An idempotency key is a string of RFC 8941 (3.3.3), in quotes; most clients leave the quotes
/// out.
///
/// # Errors
/// `bad-request` naming the header.
pub fn idempotency_key(value: &str) -> Result<Cow<'_, str>, Fault> {
    let fault = |detail: &str| Fault::bad("Idempotency-Key", detail);
    let key = match value.strip_prefix('"') {
        None => Cow::Borrowed(value),
        Some(rest) => unquote(rest)
            .ok_or_else(|| fault("the closing quote is missing, or something stands after it"))?,
    };
    check_idempotency_key(&key).map_err(|detail| fault(&detail))?;
    Ok(key)
}

/// What stands before the closing quote, which has to be the end.
fn unquote(rest: &str) -> Option<Cow<'_, str>> {
    let body = rest.strip_suffix('"')?;
    if !body.contains(['\\', '"']) {
        return Some(Cow::Borrowed(body));
    }
    let mut out = String::with_capacity(body.len());
    let mut chars = body.chars();
    while let Some(char) = chars.next() {
        match char {
            '"' => return None,
            '\\' => out.push(chars.next().filter(|next| matches!(next, '"' | '\\'))?),
            _ => out.push(char),
        }
    }
    Some(Cow::Owned(out))
}

/// `tidegate-delay-ms` as it is written in documentation: `Tidegate-Delay-Ms`.
fn canonical(name: &str) -> String {
    let mut upper = true;
    let case = |char: char| {
        let cased = if upper {
            char.to_ascii_uppercase()
        } else {
            char
        };
        upper = char == '-';
        cased
    };
    name.chars().take(128).map(case).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<R>(lines: &str, check: impl Fn(Result<Incoming<'_>, Fault>) -> R) -> R {
        let text = format!("POST\nhttp://h/v1/queues/q/messages\n{lines}");
        check(read(&Head::parse(&text).unwrap()))
    }

    fn fault_field(lines: &str) -> String {
        message(lines, |it| it.unwrap_err().figures.field.unwrap())
    }

    const FULL: &str = "content-type: text/plain\ntidegate-key: k 1%20\n\
        idempotency-key: \"a\\\"b\"\n\
        tidegate-delay-ms: 5\ntidegate-ttl-ms: 6\ntidegate-hold-ms: 7\ntidegate-priority: 9\n\
        tidegate-attr-region: eu\naccept: */*";

    #[test]
    fn every_header_finds_its_place() {
        message(FULL, |it| {
            let it = it.unwrap();
            let draft = it.draft();
            assert_eq!(draft.content_type, Some("text/plain"));
            assert_eq!(draft.key, Some("k 1%20"));
            assert_eq!(draft.idempotency_key, Some("a\"b"));
            assert_eq!(
                (draft.delay_ms, draft.ttl_ms, draft.hold_ms),
                (5, Some(6), Some(7))
            );
            assert_eq!(draft.priority, 9);
            assert_eq!(draft.attributes, [("region", "eu")]);
        });
        message("", |it| assert_eq!(it.unwrap().draft().priority, 4));
    }

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn attributes(lines: &str) -> Vec<(String, String)> {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        message(lines, |it| {
            it.unwrap().attributes.iter().map(owned).collect()
        })
    }

    #[test]
    fn the_trace_of_a_request_becomes_the_message_s() {
        let both = attributes(&format!("tracestate: a=1\ntraceparent: {PARENT}"));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(both, [pair(TRACEPARENT, PARENT), pair(TRACESTATE, "a=1")]);
        let alone = attributes(&format!("traceparent: {PARENT}\ntracestate: ?"));
        assert_eq!(alone, [pair(TRACEPARENT, PARENT)]);
        for none in ["traceparent: 00-1-2-3\ntracestate: a=1", "tracestate: a=1"] {
            assert!(attributes(none).is_empty(), "{none}");
        }
        let own = format!("traceparent: {PARENT}\ntidegate-attr-traceparent: mine");
        assert_eq!(attributes(&own), [pair(TRACEPARENT, "mine")]);
    }

    #[test]
    fn malformed_headers_are_named() {
        for (lines, field) in [
            ("tidegate-priority: 10", "Tidegate-Priority"),
            ("tidegate-delay-ms: -1", "Tidegate-Delay-Ms"),
            ("tidegate-delay-ms: +1", "Tidegate-Delay-Ms"),
            ("tidegate-ttl-ms: 0", "Tidegate-Ttl-Ms"),
            ("tidegate-hold-ms: soon", "Tidegate-Hold-Ms"),
            ("tidegate-hold-ms:", "Tidegate-Hold-Ms"),
            ("tidegate-max-attempts: 0", "Tidegate-Max-Attempts"),
            ("tidegate-backoff: fast", "Tidegate-Backoff"),
            ("tidegate-key:", "Tidegate-Key"),
            ("tidegate-priorty: 1", "Tidegate-Priorty"),
            ("tidegate-attr-tidegate-x: 1", "Tidegate-Attr-tidegate-x"),
            ("tidegate-attr-: 1", "Tidegate-Attr-"),
            ("idempotency-key: \"a", "Idempotency-Key"),
            ("idempotency-key: \"a\"b\"", "Idempotency-Key"),
            ("idempotency-key: \"", "Idempotency-Key"),
            ("idempotency-key: \"a\\\"", "Idempotency-Key"),
            ("idempotency-key:", "Idempotency-Key"),
            ("ce-id: 1", "ce-specversion"),
            (
                "ce-specversion: 0.3\nce-id: 1\nce-source: s\nce-type: t",
                "ce-specversion",
            ),
            ("ce-specversion: 1.0\nce-id: 1\nce-type: t", "ce-source"),
            (
                "ce-specversion: 1.0\nce-id: %f\nce-source: s\nce-type: t",
                "ce-id",
            ),
        ] {
            assert_eq!(fault_field(lines), field, "{lines}");
        }
        assert_eq!(
            fault_field(&format!("tidegate-key: {}", "k".repeat(257))),
            "Tidegate-Key"
        );
        message(&format!("tidegate-key: {}", "é".repeat(256)), |it| {
            assert!(it.is_ok())
        });
    }

    #[test]
    fn binary_cloud_events_become_attributes() {
        let lines = "ce-specversion: 1.0\nce-id: 1\nce-source: /s\nce-type: t\n\
            ce-name: Z%C3%BCrich\ncontent-type: application/json";
        message(lines, |it| {
            let it = it.unwrap();
            assert_eq!(it.attributes.get("ce-name"), Some("Zürich"));
            assert_eq!(it.attributes.iter().count(), 5);
        });
    }

    #[test]
    fn every_prefix_is_read_or_refused() {
        for end in 0..=FULL.len() {
            message(&FULL[..end], |it| drop(it.map(|it| it.draft().priority)));
        }
    }

    #[test]
    fn a_batch_takes_no_header_of_a_single_message() {
        for (line, field) in [
            ("idempotency-key: 1", "Idempotency-Key"),
            ("tidegate-attr-x: 1", "Tidegate-Attr-X"),
        ] {
            let text = format!("POST\nhttp://h/\n{line}");
            let fault = refuse_in_batch(&Head::parse(&text).unwrap()).unwrap_err();
            assert_eq!(fault.figures.field.as_deref(), Some(field));
        }
    }
}
