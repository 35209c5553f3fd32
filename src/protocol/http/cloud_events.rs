//! CloudEvents 1.0 as JSON documents: structured mode (one) and batched mode (a list).
//!
//! `data` or `data_base64` becomes the body and `datacontenttype` the content type; every other
//! attribute becomes the message's attribute `ce-<name>`, just as in binary mode, where they are
//! headers. See
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>.

use super::attributes::Attributes;
use super::batch::bytes;
use super::fields::{Field, Item, Place, document};
use super::incoming::{Incoming, check_content_type, check_size};
use super::media;
use crate::error::Fault;
use crate::wire::base64;
use crate::wire::json_text::compact;
use std::borrow::Cow;

/// The attributes that the specification itself defines (3.1 and 3.2) are text; extensions need not
/// be.
const TEXTS: [&str; 7] = [
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "dataschema",
];
const REQUIRED: [&str; 4] = ["ce-specversion", "ce-id", "ce-source", "ce-type"];

/// Reads one event from `body`, on top of what the headers said.
///
/// # Errors
/// `bad-request` naming the attribute, `message-too-large`.
pub fn structured<'a>(body: &'a [u8], headers: Incoming<'a>) -> Result<Incoming<'a>, Fault> {
    let item = document(body)?.unwrap_or(Item::Other);
    event(&item, Place::TOP, headers)
}

/// Reads one event that stands at `place`.
///
/// # Errors
/// `bad-request` naming the attribute, `message-too-large`.
pub fn event<'a>(
    item: &Item<'a>,
    place: Place,
    headers: Incoming<'a>,
) -> Result<Incoming<'a>, Fault> {
    let mut message = Incoming {
        content_type: None,
        ..headers
    };
    let (mut data, mut data_base64) = (None, None);
    for field in item.fields(place)?.filter(|field| !field.is_null()) {
        match field.name {
            "data" => data = Some(field),
            "data_base64" => data_base64 = Some(field),
            "datacontenttype" => {
                let text = field.text()?;
                check_content_type(&text).map_err(|detail| field.fault(detail))?;
                message.content_type = Some(text);
            }
            name => {
                let added = message
                    .attributes
                    .add(Cow::Owned(attribute_name(name, &field)?), value(&field)?);
                added.map_err(|detail| field.fault(detail))?;
            }
        }
    }
    let bare = |name: &str| place.field(name.trim_start_matches("ce-"));
    check_required(&message.attributes, bare)?;
    match (data, data_base64) {
        (Some(_), Some(field)) => {
            return Err(field.fault("an event has data or data_base64, not both"));
        }
        (Some(field), None) => set_data(&mut message, &field)?,
        (None, Some(field)) => {
            let bytes = base64::decode(&field.text()?);
            message.body = Cow::Owned(bytes.ok_or_else(|| field.fault("this is not base 64"))?);
        }
        (None, None) => {}
    }
    check_size(message.body.len())?;
    Ok(message)
}

/// Checks the attributes that every event has; `field` is how a fault calls one.
///
/// # Errors
/// `bad-request` naming the attribute.
pub fn check_required(
    attributes: &Attributes<'_>,
    field: impl Fn(&str) -> String,
) -> Result<(), Fault> {
    for name in REQUIRED {
        match attributes.get(name) {
            None | Some("") => {
                return Err(Fault::bad(
                    field(name),
                    "a CloudEvent has specversion, id, source and type",
                ));
            }
            Some(version) if name == REQUIRED[0] && version != "1.0" => {
                return Err(Fault::bad(
                    field(name),
                    "CloudEvents 1.0 is understood here, no other version",
                ));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// JSON format, 3.1.1: JSON data is a JSON value; other text is a string that holds it.
fn set_data<'a>(message: &mut Incoming<'a>, field: &Field<'_, 'a>) -> Result<(), Fault> {
    let is_json = message.content_type.as_deref().is_none_or(media::is_json);
    if is_json {
        message.body = bytes(compact(field.raw()));
        message
            .content_type
            .get_or_insert(Cow::Borrowed("application/json"));
    } else {
        message.body = match field.text() {
            Ok(text) => bytes(text),
            Err(_) => bytes(compact(field.raw())),
        };
    }
    Ok(())
}

fn attribute_name(name: &str, field: &Field<'_, '_>) -> Result<String, Fault> {
    if name.is_empty()
        || !name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    {
        return Err(field.fault("the name of a CloudEvents attribute is made of a-z and 0-9"));
    }
    Ok(format!("ce-{name}"))
}

/// CloudEvents, 3.1: a string, a boolean or an integer; each has one canonical text.
fn value<'a>(field: &Field<'_, 'a>) -> Result<Cow<'a, str>, Fault> {
    let raw = field.raw();
    if TEXTS.contains(&field.name) {
        return field.text();
    }
    if raw == "true" || raw == "false" || serde_json::from_str::<i32>(raw).is_ok() {
        return Ok(Cow::Borrowed(raw));
    }
    field
        .text()
        .map_err(|_| field.fault("a string, a whole number of 32 bits, true or false belongs here"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::http::batch::{Form, read};

    const EVENT: &str = r#"{"specversion": "1.0", "id": "1", "source": "/shop",
        "type": "order.placed", "subject": "4711", "rank": 7, "test": true, "note": null,
        "data": {"a": 1}}"#;

    fn one(json: &str) -> Result<Incoming<'_>, Fault> {
        structured(json.as_bytes(), Incoming::default())
    }

    #[test]
    fn attributes_and_data_find_their_place() {
        let it = one(EVENT).unwrap();
        assert_eq!(&*it.body, br#"{"a":1}"#);
        assert_eq!(it.content_type.as_deref(), Some("application/json"));
        for (name, value) in [
            ("ce-id", "1"),
            ("ce-subject", "4711"),
            ("ce-rank", "7"),
            ("ce-test", "true"),
        ] {
            assert_eq!(it.attributes.get(name), Some(value));
        }
        assert_eq!(it.attributes.get("ce-note"), None);
    }

    #[test]
    fn data_follows_its_content_type() {
        let with = |data: &str| {
            format!(r#"{{"specversion":"1.0","id":"1","source":"s","type":"t",{data}}}"#)
        };
        for (data, body, content_type) in [
            (r#""data":"x""#, "\"x\"", Some("application/json")),
            (
                r#""data":"x","datacontenttype":"text/plain""#,
                "x",
                Some("text/plain"),
            ),
            (r#""data_base64":"eA==""#, "x", None),
            (r#""datacontenttype":"text/plain""#, "", Some("text/plain")),
        ] {
            let json = with(data);
            let it = one(&json).unwrap();
            assert_eq!(std::str::from_utf8(&it.body).unwrap(), body);
            assert_eq!(it.content_type.as_deref(), content_type);
        }
        assert!(one(&with(r#""data":1,"data_base64":"eA==""#)).is_err());
    }

    #[test]
    fn faults_name_the_attribute() {
        for (json, field) in [
            (r#"{"id":"1","source":"s","type":"t"}"#, "specversion"),
            (
                r#"{"specversion":"0.3","id":"1","source":"s","type":"t"}"#,
                "specversion",
            ),
            (
                r#"{"specversion":"1.0","id":"","source":"s","type":"t"}"#,
                "id",
            ),
            (r#"{"specversion":"1.0","id":"1","type":"t"}"#, "source"),
            (
                r#"{"specversion":"1.0","id":"1","source":"s","type":7}"#,
                "type",
            ),
            (
                r#"{"specversion":"1.0","id":"1","source":"s","type":"t","Bad":"x"}"#,
                "Bad",
            ),
            (
                r#"{"specversion":"1.0","id":"1","source":"s","type":"t","x":{}}"#,
                "x",
            ),
            (
                r#"{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"?"}"#,
                "data_base64",
            ),
            ("[]", "body"),
            ("", "body"),
        ] {
            assert_eq!(
                one(json).unwrap_err().figures.field.as_deref(),
                Some(field),
                "{json}"
            );
        }
        let json = format!("[{EVENT}, {{}}]");
        let list = read(Form::CloudEvents, json.as_bytes()).unwrap();
        assert!(list[0].is_ok());
        let fault = list[1].as_ref().unwrap_err();
        assert_eq!(
            fault.figures.field.as_deref(),
            Some("messages[1].specversion")
        );
    }

    #[test]
    fn every_prefix_is_refused() {
        for end in 0..EVENT.len() {
            assert!(one(&EVENT[..end]).is_err());
        }
    }
}
