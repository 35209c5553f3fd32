//! The request that brings messages to an endpoint.
//!
//! One message goes as a CloudEvent in binary or structured content mode or as its bare body, several as a batch
//! of CloudEvents or as a list like a pull's. What a receiver needs to tell repeats and to reply is
//! in headers in every form: the message's identifier, its number, the attempt. Signed over exactly
//! the bytes that are sent.

use super::config::{Format, Mode, PushConfig, is_token};
use super::signature;
use crate::time::{DAY, HOUR, MINUTE, Millis, SECOND};
use crate::wire::base64;
use crate::wire::json_text::{member_number, member_string, member_strings, name};
use crate::wire::percent;
use crate::wire::trace::{TRACEPARENT, TRACESTATE};

/// The type of an event that was not published as one.
const EVENT_TYPE: &str = "tidegate.message";
/// What names of attributes of CloudEvents begin with, as headers and among attributes.
const EVENT_PREFIX: &str = "ce-";
/// What no message says of its content is.
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// One message to be pushed.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Unique in its queue.
    pub id: &'a str,
    /// Its number.
    pub seq: u64,
    /// Deliveries, this one included.
    pub attempts: u32,
    /// When it was accepted.
    pub timestamp_ms: Millis,
    /// Opaque bytes.
    pub body: &'a [u8],
    /// As published.
    pub content_type: Option<&'a str>,
    /// As published.
    pub key: Option<&'a str>,
    /// 0 to 9.
    pub priority: u8,
    /// As published.
    pub attributes: &'a [(String, String)],
}

/// A request, by `POST`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Where to: [`Target::uri`](super::target::Target::uri).
    pub url: String,
    /// Names in lower case, each once.
    pub headers: Vec<(String, String)>,
    /// What is sent.
    pub body: Vec<u8>,
}

/// The request that brings `messages` of `queue`, of which there is at least one.
#[must_use]
pub fn build(
    config: &PushConfig,
    queue: &str,
    messages: &[Message<'_>],
    now_ms: Millis,
) -> Request {
    let mut headers = Headers(config.headers.clone());
    headers.add("user-agent", "Tidegate".to_owned());
    headers.add("tidegate-queue", percent::encode(queue).into_owned());
    let body = match (config.format, messages) {
        (Format::CloudEvents, [one])
            if config.batch_size == 1 && config.mode == Mode::Structured =>
        {
            one_headers(&mut headers, one);
            headers.set("content-type", "application/cloudevents+json".to_owned());
            let mut body = Vec::new();
            event(&mut body, queue, one);
            body
        }
        (Format::CloudEvents, [one]) if config.batch_size == 1 => {
            one_headers(&mut headers, one);
            event_headers(&mut headers, queue, one);
            one.body.to_vec()
        }
        (Format::Raw, [one]) => {
            one_headers(&mut headers, one);
            attribute_headers(&mut headers, one);
            one.body.to_vec()
        }
        (Format::CloudEvents, many) => {
            headers.set(
                "content-type",
                "application/cloudevents-batch+json".to_owned(),
            );
            events(queue, many)
        }
        (_, many) => {
            headers.set("content-type", "application/json".to_owned());
            list(queue, many)
        }
    };
    sign(config, &mut headers, messages, &body, now_ms);
    Request {
        url: config.target.uri(),
        headers: headers.0,
        body,
    }
}

struct Headers(Vec<(String, String)>);

impl Headers {
    /// Adds a header that the configuration may have set otherwise.
    fn add(&mut self, name: &str, value: String) {
        if !self.0.iter().any(|(known, _)| known == name) {
            self.0.push((name.to_owned(), value));
        }
    }

    /// Adds a header of the request's own.
    fn set(&mut self, name: &str, value: String) {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), value));
    }
}

fn one_headers(headers: &mut Headers, it: &Message<'_>) {
    let content_type = it.content_type.filter(|text| is_plain(text));
    headers.set(
        "content-type",
        content_type.unwrap_or(UNKNOWN_TYPE).to_owned(),
    );
    headers.set("tidegate-id", it.id.to_owned());
    headers.set("tidegate-seq", it.seq.to_string());
    headers.set("tidegate-attempt", it.attempts.to_string());
    headers.set("tidegate-timestamp-ms", it.timestamp_ms.to_string());
    if let Some(key) = it.key {
        headers.set("tidegate-key", encoded(key));
    }
    // An event's own extension is another span's: W3C Trace Context is the transport's.
    for (name, value) in traces(it) {
        if is_plain(value) {
            headers.set(name, value.to_owned());
        }
    }
}

/// What the message was published as part of.
fn traces<'a>(it: &Message<'a>) -> impl Iterator<Item = (&'a str, &'a str)> {
    let is_trace = |name: &str| name == TRACEPARENT || name == TRACESTATE;
    it.attributes
        .iter()
        .filter(move |(name, _)| is_trace(name))
        .map(|(name, value)| (name.as_str(), value.as_str()))
}

/// Attributes as they are published: those whose names a header can have.
fn attribute_headers(headers: &mut Headers, it: &Message<'_>) {
    for (name, value) in it.attributes {
        let lower = name.to_ascii_lowercase();
        if lower.starts_with(EVENT_PREFIX) && is_token(&lower) {
            headers.set(&lower, encoded(value));
        } else if is_token(&lower) && lower != TRACEPARENT && lower != TRACESTATE {
            headers.set(&format!("tidegate-attr-{lower}"), encoded(value));
        }
    }
}

/// HTTP binding of CloudEvents, 3.1: attributes as headers.
fn event_headers(headers: &mut Headers, queue: &str, it: &Message<'_>) {
    attribute_headers(headers, it);
    for (name, value) in traces(it) {
        headers.add(&format!("{EVENT_PREFIX}{name}"), encoded(value));
    }
    for (name, value) in defaults(queue, it) {
        headers.add(&format!("{EVENT_PREFIX}{name}"), encoded(&value));
    }
}

/// The source of a queue's events.
#[must_use]
pub fn source(queue: &str) -> String {
    match queue.split_once('~') {
        // A durable subscription's own: see `command/placement.rs`.
        Some((topic, name)) => {
            let (topic, name) = (percent::encode(topic), percent::encode(name));
            format!("/v1/topics/{topic}/subscriptions/{name}")
        }
        None => format!("/v1/queues/{}", percent::encode(queue)),
    }
}

/// The attributes of an event where the message does not bring them.
fn defaults(queue: &str, it: &Message<'_>) -> [(&'static str, String); 5] {
    [
        ("specversion", "1.0".to_owned()),
        ("id", it.id.to_owned()),
        ("source", source(queue)),
        ("type", EVENT_TYPE.to_owned()),
        ("time", timestamp(it.timestamp_ms)),
    ]
}

/// HTTP binding of CloudEvents, 3.1.3.2: what is not printable ASCII, and space, quote and percent,
/// are percent-encoded.
fn encoded(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if (b'!'..=b'~').contains(&byte) && byte != b'"' && byte != b'%' {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|b| (b' '..=b'~').contains(&b))
}

/// `application/cloudevents-batch+json`.
fn events(queue: &str, messages: &[Message<'_>]) -> Vec<u8> {
    let mut out = vec![b'['];
    for (at, it) in messages.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        event(&mut out, queue, it);
    }
    out.push(b']');
    out
}

pub(super) fn event(out: &mut Vec<u8>, queue: &str, it: &Message<'_>) {
    out.push(b'{');
    let mut known: Vec<&str> = Vec::new();
    for (key, value) in it.attributes {
        if let Some(key) = key.strip_prefix(EVENT_PREFIX) {
            member_string(out, key, value);
            known.push(key);
        }
    }
    for (key, value) in traces(it).filter(|(key, _)| !known.contains(key)) {
        member_string(out, key, value);
    }
    let defaults = defaults(queue, it);
    for (key, value) in defaults.iter().filter(|(key, _)| !known.contains(key)) {
        member_string(out, key, value);
    }
    // Extensions: receivers tell repeats and name failures by the message's own identifier.
    member_string(out, "tidegateid", it.id);
    member_number(out, "tidegateattempt", u64::from(it.attempts));
    if let Some(content_type) = it.content_type {
        member_string(out, "datacontenttype", content_type);
    }
    match std::str::from_utf8(it.body) {
        Ok(text) if is_json(it.content_type) && is_document(text) => {
            name(out, "data");
            out.extend_from_slice(text.as_bytes());
        }
        Ok(text) if !is_json(it.content_type) => member_string(out, "data", text),
        _ => member_string(out, "data_base64", &base64::encode(it.body)),
    }
    out.push(b'}');
}

pub(super) fn is_json(content_type: Option<&str>) -> bool {
    let kind = content_type
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    kind.eq_ignore_ascii_case("application/json") || kind.to_ascii_lowercase().ends_with("+json")
}

pub(super) fn is_document(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// `{"queue": …, "messages": […]}`, the messages as in a pull.
fn list(queue: &str, messages: &[Message<'_>]) -> Vec<u8> {
    let mut out = vec![b'{'];
    member_string(&mut out, "queue", queue);
    name(&mut out, "messages");
    out.push(b'[');
    for (at, it) in messages.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.push(b'{');
        member_string(&mut out, "id", it.id);
        member_number(&mut out, "seq", it.seq);
        member_number(&mut out, "attempts", u64::from(it.attempts));
        member_number(&mut out, "timestamp_ms", it.timestamp_ms);
        let (encoding, body) = match std::str::from_utf8(it.body) {
            Ok(text) => ("utf8", text.into()),
            Err(_) => ("base64", std::borrow::Cow::from(base64::encode(it.body))),
        };
        member_string(&mut out, "body", &body);
        member_string(&mut out, "encoding", encoding);
        optional(&mut out, "content_type", it.content_type);
        optional(&mut out, "key", it.key);
        member_number(&mut out, "priority", u64::from(it.priority));
        member_strings(&mut out, "attributes", it.attributes);
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
    out
}

fn optional(out: &mut Vec<u8>, key: &str, value: Option<&str>) {
    match value {
        Some(value) => member_string(out, key, value),
        None => {
            name(out, key);
            out.extend_from_slice(b"null");
        }
    }
}

/// Standard Webhooks: the identifier is the same at every attempt.
fn sign(
    config: &PushConfig,
    headers: &mut Headers,
    messages: &[Message<'_>],
    body: &[u8],
    now_ms: Millis,
) {
    let Some(first) = messages.first().filter(|_| !config.secrets.is_empty()) else {
        return;
    };
    let id = match messages.len() {
        1 => first.id.to_owned(),
        n => format!("{}-{n}", first.id),
    };
    let timestamp_s = now_ms / SECOND;
    let signature = signature::sign(&config.secrets, &id, timestamp_s, body);
    headers.set("webhook-id", id);
    headers.set("webhook-timestamp", timestamp_s.to_string());
    headers.set("webhook-signature", signature);
}

/// RFC 3339, in UTC.
#[must_use]
pub fn timestamp(at_ms: Millis) -> String {
    // Days since 0000-03-01, in eras of 400 years.
    let days = at_ms / DAY + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let m = (5 * of_year + 2) / 153;
    let day = of_year - (153 * m + 2) / 5 + 1;
    let month = if m < 10 { m + 3 } else { m - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute) = (at_ms % DAY / HOUR, at_ms % HOUR / MINUTE);
    let (second, ms) = (at_ms % MINUTE / SECOND, at_ms % SECOND);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn config(patch: Value) -> PushConfig {
        let mut whole = json!({"url": "https://example.com/hook"});
        for (key, value) in patch.as_object().unwrap() {
            whole[key] = value.clone();
        }
        PushConfig::patched(None, &whole, "push").unwrap().unwrap()
    }

    fn message<'a>(body: &'a [u8], attributes: &'a [(String, String)]) -> Message<'a> {
        Message {
            id: "01HF7YAT00XK5T0QX0V4F8A9BC",
            seq: 7,
            attempts: 2,
            timestamp_ms: 1_700_000_000_123,
            body,
            content_type: Some("text/plain"),
            key: Some("k ü"),
            priority: 4,
            attributes,
        }
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
        let found = request.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    #[test]
    fn one_message_is_an_event_in_binary_mode() {
        let attributes = [
            pair("ce-type", "order"),
            pair("Region", "eu 1"),
            pair("a b", "x"),
        ];
        let config = config(json!({"headers": {"Authorization": "Bearer t"}}));
        let request = build(&config, "shop/eu", &[message(b"hi", &attributes)], 0);
        for (name, value) in [
            ("authorization", "Bearer t"),
            ("content-type", "text/plain"),
            ("ce-specversion", "1.0"),
            ("ce-id", "01HF7YAT00XK5T0QX0V4F8A9BC"),
            ("ce-source", "/v1/queues/shop%252Feu"),
            ("ce-type", "order"),
            ("ce-time", "2023-11-14T22:13:20.123Z"),
            ("tidegate-queue", "shop%2Feu"),
            ("tidegate-id", "01HF7YAT00XK5T0QX0V4F8A9BC"),
            ("tidegate-attempt", "2"),
            ("tidegate-key", "k%20%C3%BC"),
            ("tidegate-attr-region", "eu%201"),
        ] {
            assert_eq!(header(&request, name), Some(value), "{name}");
        }
        assert_eq!(
            (request.body.as_slice(), header(&request, "webhook-id")),
            (&b"hi"[..], None)
        );
    }

    #[test]
    fn one_message_is_an_event_in_structured_mode() {
        let attributes = [pair("ce-type", "order"), pair("Region", "eu")];
        let config = config(json!({"mode": "structured"}));
        let request = build(&config, "q", &[message(b"hi", &attributes)], 0);
        for (name, value) in [
            ("content-type", Some("application/cloudevents+json")),
            ("tidegate-id", Some("01HF7YAT00XK5T0QX0V4F8A9BC")),
            ("ce-type", None),
        ] {
            assert_eq!(header(&request, name), value, "{name}");
        }
        let event: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(
            (&event["type"], &event["data"], &event["datacontenttype"]),
            (&json!("order"), &json!("hi"), &json!("text/plain"))
        );
    }

    #[test]
    fn a_message_brings_its_trace() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let attributes = [pair(TRACEPARENT, parent), pair(TRACESTATE, "a=1, b=2")];
        for (format, event) in [("cloudevents", true), ("raw", false)] {
            let config = config(json!({ "format": format }));
            let request = build(&config, "q", &[message(b"", &attributes)], 0);
            assert_eq!(header(&request, TRACEPARENT), Some(parent));
            assert_eq!(header(&request, TRACESTATE), Some("a=1, b=2"));
            assert_eq!(header(&request, "tidegate-attr-traceparent"), None);
            assert_eq!(header(&request, "ce-traceparent"), event.then_some(parent));
        }
        let own = [pair(TRACEPARENT, parent), pair("ce-traceparent", "own")];
        let config = config(json!({"batch_size": 2}));
        let both = [message(b"", &attributes), message(b"", &own)];
        let request = build(&config, "q", &both, 0);
        let events: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(events[0][TRACEPARENT], parent);
        assert_eq!(events[1][TRACEPARENT], "own");
    }

    #[test]
    fn every_header_can_be_sent() {
        let attributes = [
            pair("ce-x", "line\nbreak"),
            pair("naïve", "é"),
            pair("x", "\u{7f}"),
        ];
        for format in ["cloudevents", "raw"] {
            let config = config(json!({"format": format}));
            let request = build(&config, "é", &[message(b"", &attributes)], 0);
            for (name, value) in &request.headers {
                assert!(is_token(name) && is_plain(value), "{name}: {value}");
            }
        }
    }

    #[test]
    fn several_are_a_list_or_a_batch_of_events() {
        let attributes = [pair("ce-type", "order")];
        let messages = [message(b"hi", &attributes), message(&[0xff], &[])];
        let batch = build(&config(json!({"format": "batch"})), "q", &messages, 0);
        let body: Value = serde_json::from_slice(&batch.body).unwrap();
        assert_eq!(body["messages"][0]["body"], "hi");
        assert_eq!(body["messages"][1]["encoding"], "base64");
        assert_eq!(body["messages"][0]["attributes"]["ce-type"], "order");
        let events = build(&config(json!({"batch_size": 2})), "q", &messages, 0);
        let body: Value = serde_json::from_slice(&events.body).unwrap();
        assert_eq!(
            header(&events, "content-type"),
            Some("application/cloudevents-batch+json")
        );
        assert_eq!(
            (&body[0]["type"], &body[0]["data"]),
            (&json!("order"), &json!("hi"))
        );
        assert_eq!(
            (&body[1]["type"], &body[1]["data_base64"]),
            (&json!(EVENT_TYPE), &json!("/w=="))
        );
    }

    #[test]
    fn a_secret_signs_what_is_sent() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let request = build(
            &config(json!({"secret": secret})),
            "q",
            &[message(b"hi", &[])],
            5_999,
        );
        let id = header(&request, "webhook-id").unwrap();
        assert_eq!(
            (id, header(&request, "webhook-timestamp")),
            ("01HF7YAT00XK5T0QX0V4F8A9BC", Some("5"))
        );
        let expected = signature::sign(&[secret.to_owned()], id, 5, b"hi");
        assert_eq!(
            header(&request, "webhook-signature"),
            Some(expected.as_str())
        );
    }
}
