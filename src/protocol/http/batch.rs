//! Many messages in one request: a JSON document, a document a line, or a batch of CloudEvents.
//!
//! A document that cannot be read fails as a whole. A message in it that cannot be taken is a fault
//! of its own, and the others are taken.

use super::cloud_events;
use super::fields::{Field, Item, Place, document, not_json};
use super::incoming::{
    Incoming, Number, check_content_type, check_idempotency_key, check_key, check_size,
};
use super::{media, terms};
use crate::command::{BACKOFF_ATTRIBUTE, MAX_ATTEMPTS_ATTRIBUTE};
use crate::error::Fault;
use crate::limits::{ATTEMPTS_MAX, BATCH_MESSAGES_MAX};
use crate::wire::base64;
use crate::wire::json_text::compact;
use std::borrow::Cow;

const KNOWN: &str = "body, encoding, content_type, key, delay_ms, ttl_ms, hold_ms, priority, \
                     max_attempts, backoff, idempotency_key, attributes";

/// The forms of a batch, but for the binary one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `{"messages":[…]}`.
    Json,
    /// One message a line.
    Lines,
    /// `application/cloudevents-batch+json`.
    CloudEvents,
}

impl Form {
    /// The form that `content_type` announces.
    ///
    /// # Errors
    /// `unsupported-media`.
    pub fn of(content_type: Option<&str>) -> Result<Self, Fault> {
        if media::is(content_type, media::ND_JSON) {
            return Ok(Self::Lines);
        }
        if media::is(content_type, media::CLOUD_EVENTS_BATCH) {
            return Ok(Self::CloudEvents);
        }
        let other = media::unsupported(
            "application/json, application/x-ndjson, application/cloudevents-batch+json or \
             application/vnd.tidegate.batch",
        );
        media::expect_json(content_type).map_err(|_| other)?;
        Ok(Self::Json)
    }
}

/// The messages of `body`, each read or refused.
///
/// # Errors
/// `bad-request` for a document that cannot be read, or holds none or too many.
pub fn read(form: Form, body: &[u8]) -> Result<Vec<Result<Incoming<'_>, Fault>>, Fault> {
    let items = match form {
        Form::Json => messages(body)?,
        Form::Lines => lines(body)?,
        Form::CloudEvents => document(body)?.unwrap_or_default(),
    };
    if items.is_empty() || items.len() > BATCH_MESSAGES_MAX {
        let detail = format!(
            "a batch has 1 to {BATCH_MESSAGES_MAX} messages; this one has {}",
            items.len()
        );
        return Err(Fault::bad("messages", detail));
    }
    Ok(items
        .iter()
        .enumerate()
        .map(|(index, item)| entry(form, item, index))
        .collect())
}

fn entry<'a>(form: Form, item: &Item<'a>, index: usize) -> Result<Incoming<'a>, Fault> {
    let place = Place::entry("messages", index);
    match form {
        Form::CloudEvents => cloud_events::event(item, place, Incoming::default()),
        Form::Json | Form::Lines => message(item, place),
    }
}

fn messages(body: &[u8]) -> Result<Vec<Item<'_>>, Fault> {
    let item = document(body)?.unwrap_or(Item::Object(Vec::new()));
    let mut messages = None;
    for field in item.fields(Place::TOP)? {
        match field.name {
            "messages" => messages = Some(field.items()?),
            _ => return Err(field.unknown("messages")),
        }
    }
    messages.ok_or_else(|| Fault::bad("messages", "a batch is {\"messages\": […]}"))
}

/// <https://github.com/ndjson/ndjson-spec>: lines may end in CR LF, and empty ones are ignored.
fn lines(body: &[u8]) -> Result<Vec<Item<'_>>, Fault> {
    let mut items = Vec::new();
    for (number, line) in body.split(|b| *b == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        if items.len() > BATCH_MESSAGES_MAX {
            break;
        }
        let item = serde_json::from_slice(line)
            .map_err(|e| not_json(&format!("line {}", number + 1), &e))?;
        items.push(item);
    }
    Ok(items)
}

/// One message, as it stands in a batch.
///
/// # Errors
/// `bad-request` naming the field, or `message-too-large`.
pub fn message<'a>(item: &Item<'a>, place: Place) -> Result<Incoming<'a>, Fault> {
    let mut message = Incoming::default();
    let mut encoding = Encoding::Utf8;
    let mut body = None;
    for field in item.fields(place)? {
        match field.name {
            "body" => body = Some(field),
            "encoding" if !field.is_null() => encoding = Encoding::read(&field)?,
            "content_type" if !field.is_null() => {
                message.content_type = Some(checked(&field, check_content_type)?);
            }
            "key" if !field.is_null() => message.key = Some(checked(&field, check_key)?),
            "idempotency_key" if !field.is_null() => {
                message.idempotency_key = Some(checked(&field, check_idempotency_key)?);
            }
            "delay_ms" => number(&mut message, &field, Number::DelayMs)?,
            "ttl_ms" => number(&mut message, &field, Number::TtlMs)?,
            "hold_ms" => number(&mut message, &field, Number::HoldMs)?,
            "priority" => number(&mut message, &field, Number::Priority)?,
            "max_attempts" if !field.is_null() => {
                let value = field.uint(&(1..=ATTEMPTS_MAX))?.to_string();
                message
                    .attributes
                    .set_own(MAX_ATTEMPTS_ATTRIBUTE, value.into());
            }
            "backoff" if !field.is_null() => {
                let value = checked(&field, |text| terms::check_backoff(text).map(drop))?;
                message.attributes.set_own(BACKOFF_ATTRIBUTE, value);
            }
            "attributes" if !field.is_null() => attributes(&mut message, &field)?,
            "encoding" | "content_type" | "key" | "idempotency_key" | "attributes"
            | "max_attempts" | "backoff" => {}
            _ => return Err(field.unknown(KNOWN)),
        }
    }
    let missing = || Fault::bad(place.field("body"), "a message has a body, \"\" if need be");
    message.body = encoding.decode(&body.ok_or_else(missing)?)?;
    check_size(message.body.len())?;
    if encoding == Encoding::Json && message.content_type.is_none() {
        message.content_type = Some(Cow::Borrowed("application/json"));
    }
    Ok(message)
}

fn checked<'a>(
    field: &Field<'_, 'a>,
    check: fn(&str) -> Result<(), String>,
) -> Result<Cow<'a, str>, Fault> {
    let text = field.text()?;
    check(&text).map_err(|detail| field.fault(detail))?;
    Ok(text)
}

fn number(message: &mut Incoming<'_>, field: &Field<'_, '_>, number: Number) -> Result<(), Fault> {
    if !field.is_null() {
        number.set(message, field.uint(&number.range())?);
    }
    Ok(())
}

fn attributes<'a>(message: &mut Incoming<'a>, field: &Field<'_, 'a>) -> Result<(), Fault> {
    for (name, value) in field.texts()? {
        let path = || name.chars().take(64).collect::<String>();
        let fault = |detail: String| field.fault(format!("{}: {detail}", path()));
        message.attributes.add(name.clone(), value).map_err(fault)?;
    }
    Ok(())
}

/// How a body is written in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Base64,
    Json,
}

impl Encoding {
    fn read(field: &Field<'_, '_>) -> Result<Self, Fault> {
        match &*field.text()? {
            "utf8" => Ok(Self::Utf8),
            "base64" => Ok(Self::Base64),
            "json" => Ok(Self::Json),
            _ => Err(field.fault("one of utf8, base64 and json belongs here")),
        }
    }

    fn decode<'a>(self, field: &Field<'_, 'a>) -> Result<Cow<'a, [u8]>, Fault> {
        match self {
            Self::Utf8 => field.text().map(bytes).map_err(|_| {
                field.fault(
                    "a string belongs here; with \"encoding\": \"json\" it may be any JSON value",
                )
            }),
            Self::Base64 => {
                let bytes = base64::decode(&field.text()?);
                bytes
                    .map(Cow::Owned)
                    .ok_or_else(|| field.fault("this is not base 64"))
            }
            Self::Json => Ok(bytes(compact(field.raw()))),
        }
    }
}

/// Text as bytes, borrowed where it was.
pub(super) fn bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::limits::MESSAGE_BYTES_MAX;

    const FULL: &str = r#"{"messages": [
        {"body": "a\n", "content_type": "text/plain", "key": "k", "delay_ms": 1,
         "ttl_ms": 2, "hold_ms": 3, "priority": 0, "idempotency_key": "i",
         "attributes": {"region": "eu"}},
        {"body": "_w==", "encoding": "base64"},
        {"body": "/w==", "encoding": "base64"},
        {"body": {"a": [1.0, "x y"]}, "encoding": "json", "priority": null},
        7
    ]}"#;

    #[test]
    fn each_message_is_read_or_refused_by_itself() {
        let list = read(Form::Json, FULL.as_bytes()).unwrap();
        let first = list[0].as_ref().unwrap().draft();
        assert_eq!(
            (first.body, first.content_type, first.key),
            (&b"a\n"[..], Some("text/plain"), Some("k"))
        );
        assert_eq!(
            (first.delay_ms, first.ttl_ms, first.hold_ms, first.priority),
            (1, Some(2), Some(3), 0)
        );
        assert_eq!(
            (first.idempotency_key, &first.attributes[..]),
            (Some("i"), &[("region", "eu")][..])
        );
        assert_eq!(field_of(&list[1]), "messages[1].body");
        assert_eq!(&*list[2].as_ref().unwrap().body, b"\xff");
        let json = list[3].as_ref().unwrap();
        assert_eq!(&*json.body, br#"{"a":[1.0,"x y"]}"#);
        assert_eq!(json.content_type.as_deref(), Some("application/json"));
        assert_eq!(field_of(&list[4]), "messages[4]");
    }

    fn field_of(result: &Result<Incoming<'_>, Fault>) -> String {
        result.as_ref().unwrap_err().figures.field.clone().unwrap()
    }

    #[test]
    fn faults_name_the_field_of_the_message() {
        for (message, field) in [
            (r#"{}"#, "messages[0].body"),
            (r#"{"body": 5}"#, "messages[0].body"),
            (r#"{"body": null}"#, "messages[0].body"),
            (r#"{"body": "", "priority": 10}"#, "messages[0].priority"),
            (r#"{"body": "", "encoding": "hex"}"#, "messages[0].encoding"),
            (r#"{"body": "", "bodi": ""}"#, "messages[0].bodi"),
            (r#"{"body": "", "key": ""}"#, "messages[0].key"),
            (r#"{"body": "", "ttl_ms": 0}"#, "messages[0].ttl_ms"),
            (
                r#"{"body": "", "attributes": {"a": 1}}"#,
                "messages[0].attributes.a",
            ),
            (
                r#"{"body": "", "attributes": {"tidegate-a": "1"}}"#,
                "messages[0].attributes",
            ),
            (
                r#"{"body": "", "attributes": []}"#,
                "messages[0].attributes",
            ),
        ] {
            let json = format!("{{\"messages\": [{message}]}}");
            let list = read(Form::Json, json.as_bytes()).unwrap();
            assert_eq!(field_of(&list[0]), field, "{message}");
        }
    }

    #[test]
    fn whole_documents_are_refused() {
        for (json, field) in [
            ("", "messages"),
            ("{}", "messages"),
            ("[]", "body"),
            (r#"{"messages": []}"#, "messages"),
            (r#"{"messages": {}}"#, "messages"),
            (r#"{"messages": [{"body":"a"}], "mesages": []}"#, "mesages"),
            (r#"{"messages": [{"body":"a"}]"#, "body"),
        ] {
            let fault = read(Form::Json, json.as_bytes()).unwrap_err();
            assert_eq!(fault.figures.field.as_deref(), Some(field), "{json}");
        }
        let many = format!(
            "{{\"messages\":[{}]}}",
            vec!["{\"body\":\"\"}"; 1_001].join(",")
        );
        assert!(read(Form::Json, many.as_bytes()).is_err());
    }

    #[test]
    fn lines_are_messages() {
        let list = read(
            Form::Lines,
            b"{\"body\":\"a\"}\r\n\n  {\"body\":\"b\"}\n5\n",
        )
        .unwrap();
        assert_eq!(list.len(), 3);
        assert_eq!(&*list[1].as_ref().unwrap().body, b"b");
        assert_eq!(field_of(&list[2]), "messages[2]");
        let fault = read(Form::Lines, b"{\"body\":\"a\"}\n\n{\"body\":").unwrap_err();
        assert!(fault.detail.contains("line 3"), "{}", fault.detail);
        assert!(read(Form::Lines, b"\n\n").is_err());
        assert!(read(Form::Lines, "{\"body\":\"\"}\n".repeat(1_001).as_bytes()).is_err());
    }

    #[test]
    fn an_oversized_message_is_refused_by_itself() {
        let json = format!(
            "{{\"body\":\"{}\"}}\n{{\"body\":\"\"}}",
            "x".repeat(MESSAGE_BYTES_MAX + 1)
        );
        let list = read(Form::Lines, json.as_bytes()).unwrap();
        assert_eq!(
            list[0].as_ref().unwrap_err().code,
            ErrorCode::MessageTooLarge
        );
        assert!(list[1].is_ok());
    }

    #[test]
    fn every_prefix_of_a_document_is_refused() {
        for end in 0..FULL.len() {
            assert!(read(Form::Json, &FULL.as_bytes()[..end]).is_err());
        }
    }

    #[test]
    fn forms_follow_the_content_type() {
        assert_eq!(Form::of(None).unwrap(), Form::Json);
        assert_eq!(
            Form::of(Some("application/x-ndjson; charset=utf-8")).unwrap(),
            Form::Lines
        );
        assert_eq!(
            Form::of(Some("application/cloudevents-batch+json")).unwrap(),
            Form::CloudEvents
        );
        assert!(
            Form::of(Some("text/plain"))
                .unwrap_err()
                .detail
                .contains("x-ndjson")
        );
    }
}
