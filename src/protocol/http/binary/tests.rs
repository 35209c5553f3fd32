//! The binary form against the JSON one, and against bytes that mean it ill.

use super::{ack, answer, publish, pull};
use crate::command::{
    Accepted, Ack, AckError, Acknowledged, Blob, Command, Delivery, Draft, LeaseRef, LeaseToken,
    Reply,
};
use crate::error::{ErrorCode, Fault};
use crate::id::Id;
use crate::limits::{BATCH_MESSAGES_MAX, MESSAGE_BYTES_MAX, RESULT_BYTES_MAX};
use crate::protocol::http::batch::{self, Form};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A message in the words of JSON, with a body of text.
type Message = serde_json::Map<String, Value>;

fn short(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u16).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// Writes messages as `docs/BATCH.md` says, without the code under test.
fn written(messages: &[Message]) -> Vec<u8> {
    let mut out = b"TGB\x01\x01\x00".to_vec();
    out.extend_from_slice(&(messages.len() as u16).to_le_bytes());
    for message in messages {
        let text = |name: &str| message.get(name).and_then(Value::as_str);
        let number = |name: &str| message.get(name).and_then(Value::as_u64);
        let none = serde_json::Map::new();
        let attributes = message.get("attributes").and_then(Value::as_object);
        let attributes = attributes.unwrap_or(&none);
        let texts = [text("content_type"), text("key"), text("idempotency_key")];
        let numbers = [number("delay_ms"), number("ttl_ms"), number("hold_ms")];
        let given = texts
            .iter()
            .map(Option::is_some)
            .chain(numbers.iter().map(Option::is_some));
        let flags: u8 = given.enumerate().map(|(bit, is)| u8::from(is) << bit).sum();
        let body = text("body").unwrap();
        out.extend_from_slice(&(body.len() as u32).to_le_bytes());
        out.push(flags);
        out.push(number("priority").unwrap_or(4) as u8);
        out.extend_from_slice(&(attributes.len() as u16).to_le_bytes());
        texts
            .iter()
            .flatten()
            .for_each(|text| short(&mut out, text));
        numbers
            .iter()
            .flatten()
            .for_each(|n| out.extend_from_slice(&n.to_le_bytes()));
        for (name, value) in attributes {
            short(&mut out, name);
            short(&mut out, value.as_str().unwrap());
        }
        out.extend_from_slice(body.as_bytes());
    }
    out
}

fn message() -> impl Strategy<Value = Message> {
    let text = |name: &'static str| {
        prop::option::of(".{0,12}").prop_map(move |t| (name, t.map(Value::from)))
    };
    let number = |name: &'static str, most: u64| {
        let value = prop_oneof![0..3u64, 0..=most, Just(u64::MAX)];
        prop::option::weighted(0.2, value).prop_map(move |n| (name, n.map(Value::from)))
    };
    let attributes = prop::collection::btree_map("(tidegate-)?[a-z]{0,3}", ".{0,5}", 0..4);
    let attributes =
        prop::option::of(attributes).prop_map(|it| ("attributes", it.map(|it| json!(it))));
    (
        ".{0,40}",
        text("content_type"),
        text("key"),
        text("idempotency_key"),
        number("delay_ms", 700_000_000),
        number("ttl_ms", 700_000_000),
        number("hold_ms", 100_000_000),
        prop::option::of(0..12u64).prop_map(|n| ("priority", n.map(Value::from))),
        attributes,
    )
        .prop_map(|(body, a, b, c, d, e, f, g, h)| {
            let given = [a, b, c, d, e, f, g, h].into_iter();
            let fields = given.filter_map(|(name, value)| Some((name.to_owned(), value?)));
            fields
                .chain([("body".to_owned(), Value::from(body))])
                .collect()
        })
}

/// What both forms have to agree on: the draft, or the fault but for its words on an attribute.
fn seen(message: &Result<Draft<'_>, Fault>) -> Result<String, (ErrorCode, String)> {
    match message {
        Ok(draft) => Ok(format!("{draft:?}")),
        Err(fault) => {
            let field = fault.figures.field.clone().unwrap_or_default();
            Err((fault.code, field))
        }
    }
}

fn is_bad(bytes: &[u8]) -> bool {
    matches!(publish::read(bytes), Err(fault) if fault.code == ErrorCode::BadRequest)
}

proptest! {
    #[test]
    fn a_batch_says_the_same_in_both_forms(messages in prop::collection::vec(message(), 1..6)) {
        let bytes = written(&messages);
        let text = json!({ "messages": messages }).to_string();
        let in_json = batch::read(Form::Json, text.as_bytes()).unwrap();
        let in_binary = publish::read(&bytes).unwrap();
        prop_assert_eq!(in_json.len(), in_binary.len());
        for (a, b) in in_json.iter().zip(&in_binary) {
            let a = a.as_ref().map(|it| it.draft()).map_err(Clone::clone);
            match (&a, b) {
                // Of several faults of one message either may come first.
                (Err(_), Err(_)) => {}
                _ => prop_assert_eq!(seen(&a), seen(b)),
            }
        }
    }

    #[test]
    fn no_prefix_of_a_batch_is_one(messages in prop::collection::vec(message(), 1..4)) {
        let bytes = written(&messages);
        for end in 0..bytes.len() {
            prop_assert!(is_bad(&bytes[..end]), "{}", end);
        }
        let mut more = bytes;
        more.push(0);
        prop_assert!(is_bad(&more));
    }

    #[test]
    fn no_bytes_make_a_reader_panic(
        messages in prop::collection::vec(message(), 1..4),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        noise: Vec<u8>,
    ) {
        let mut bytes = written(&messages);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = publish::read(&bytes);
        bytes[..6].copy_from_slice(b"TGB\x01\x04\x00");
        let _ = ack::read(&bytes);
        for kind in [1, 4] {
            let document = [&[b'T', b'G', b'B', 1, kind, 0], &noise[..]].concat();
            let _ = (publish::read(&document), ack::read(&document), publish::read(&noise));
        }
    }

    #[test]
    fn no_prefix_of_an_acknowledgement_is_one(entries in prop::collection::vec(entry(), 1..6)) {
        let bytes = acknowledgement(entries);
        let ack = ack::read(&bytes).unwrap();
        let read = ack.acks.len() + ack.retries.len() + ack.extends.len();
        prop_assert_eq!(usize::from(bytes[6]), read);
        for end in 0..bytes.len() {
            prop_assert!(ack::read(&bytes[..end]).is_err(), "{}", end);
        }
    }
}

/// Operation, flags, lease and what follows them.
fn entry() -> impl Strategy<Value = (u8, u8, u128, Vec<u8>)> {
    (0..3u8, 0..4u8, any::<u128>(), 100..1000u64).prop_map(|(operation, flags, lease, ms)| {
        let mut rest = Vec::new();
        let flags = if operation == 0 { flags } else { flags & 1 };
        if operation > 0 && flags > 0 {
            rest.extend_from_slice(&ms.to_le_bytes());
        } else if flags & 2 > 0 {
            short(&mut rest, r#"{"a":1}"#);
        }
        (operation, flags, lease, rest)
    })
}

fn acknowledgement(mut entries: Vec<(u8, u8, u128, Vec<u8>)>) -> Vec<u8> {
    entries.sort_by_key(|entry| entry.0);
    let mut out = b"TGB\x01\x04\x00".to_vec();
    out.extend_from_slice(&(entries.len() as u16).to_le_bytes());
    for (operation, flags, lease, rest) in entries {
        out.extend_from_slice(&[operation, flags]);
        out.extend_from_slice(&lease.to_be_bytes());
        out.extend_from_slice(&rest);
    }
    out
}

#[test]
fn the_preamble_is_checked() {
    let right = written(&[Message::from_iter([("body".to_owned(), json!("x"))])]);
    assert!(publish::read(&right).is_ok());
    for at in 0..6 {
        let mut wrong = right.clone();
        wrong[at] ^= 0x10;
        assert!(is_bad(&wrong), "byte {at}");
    }
    for count in [0, BATCH_MESSAGES_MAX + 1] {
        let mut wrong = right.clone();
        wrong[6..8].copy_from_slice(&(count as u16).to_le_bytes());
        let fault = publish::read(&wrong).unwrap_err();
        assert_eq!(fault.figures.field.as_deref(), Some("messages"));
    }
    let detail = publish::read(b"TGB\x02\x01\0\x01\0").unwrap_err().detail;
    assert!(detail.contains("version 2"), "{detail}");
}

#[test]
fn the_content_type_of_the_message_before_can_be_named() {
    let mut bytes = written(&[Message::from_iter([
        ("body".to_owned(), json!("x")),
        ("content_type".to_owned(), json!("a/b")),
    ])]);
    // Twice the same, and once more behind one that has none.
    for flags in [64, 64, 0, 64] {
        bytes.extend_from_slice(&[0, 0, 0, 0, flags, 4, 0, 0]);
    }
    bytes[6] = 5;
    let types: Vec<_> = publish::read(&bytes)
        .unwrap()
        .iter()
        .map(|it| it.as_ref().unwrap().content_type)
        .collect();
    assert_eq!(types, [Some("a/b"), Some("a/b"), Some("a/b"), None, None]);
    for flags in [65, 128] {
        bytes.truncate(8 + 8 + 5 + 1);
        bytes.extend_from_slice(&[0, 0, 0, 0, flags, 4, 0, 0]);
        bytes[6] = 2;
        assert!(is_bad(&bytes), "{flags}");
    }
}

#[test]
fn one_message_that_cannot_be_taken_leaves_the_others() {
    let plain = |name: &str, value: Value| {
        Message::from_iter([("body".to_owned(), json!("b")), (name.to_owned(), value)])
    };
    let messages = [
        plain("key", json!("")),
        plain("key", json!("k")),
        plain("ttl_ms", json!(0)),
        plain("priority", json!(10)),
        plain("attributes", json!({"tidegate-a": "x"})),
        plain("body", json!("x".repeat(MESSAGE_BYTES_MAX + 1))),
    ];
    let mut bytes = written(&messages);
    // The key of the second message is no text any more.
    let at = bytes.iter().position(|byte| *byte == b'k').unwrap();
    bytes[at] = 0xff;
    let list = publish::read(&bytes).unwrap();
    let fields = ["key", "key", "ttl_ms", "priority", "attributes"];
    for (index, field) in fields.iter().enumerate() {
        let fault = list[index].as_ref().unwrap_err();
        let expected = format!("messages[{index}].{field}");
        assert_eq!(fault.figures.field.as_ref(), Some(&expected));
    }
    assert_eq!(
        list[5].as_ref().unwrap_err().code,
        ErrorCode::MessageTooLarge
    );
}

#[test]
fn entries_are_read_in_their_order() {
    let finished = |flags, rest: &str| {
        let mut bytes = Vec::new();
        if flags & 2 > 0 {
            short(&mut bytes, rest);
        }
        (0, flags, 7, bytes)
    };
    let bytes = acknowledgement(vec![
        finished(3, r#"{"x":1}"#),
        (1, 1, 8, 5u64.to_le_bytes().to_vec()),
        (2, 0, 9, vec![]),
    ]);
    let Ack {
        acks,
        retries,
        extends,
    } = ack::read(&bytes).unwrap();
    assert_eq!(
        (acks[0].lease_id, acks[0].result, acks[0].release),
        (LeaseRef::Raw(7), Some(r#"{"x":1}"#), true)
    );
    assert_eq!(
        (retries, extends),
        (
            vec![(LeaseRef::Raw(8), Some(5))],
            vec![(LeaseRef::Raw(9), None)]
        )
    );
    let long = format!("\"{}\"", "x".repeat(RESULT_BYTES_MAX));
    for result in ["", "{", "1 ", "nul", "{\"a\": 1}", &long] {
        let fault = ack::read(&acknowledgement(vec![finished(2, result)])).unwrap_err();
        assert_eq!(
            fault.figures.field.as_deref(),
            Some("entries[0].result"),
            "{result:.9}"
        );
    }
    let late = acknowledgement(vec![(1, 1, 8, 604_800_001u64.to_le_bytes().to_vec())]);
    assert_eq!(
        ack::read(&late).unwrap_err().figures.field.as_deref(),
        Some("entries[0].time_ms")
    );
    for wrong in [(0, 4), (1, 2), (3, 0)] {
        assert!(ack::read(&acknowledgement(vec![(wrong.0, wrong.1, 1, vec![])])).is_err());
    }
    let mut disordered = acknowledgement(vec![(0, 0, 1, vec![]), (1, 0, 1, vec![])]);
    disordered[8] = 1;
    disordered[8 + 18] = 0;
    assert!(ack::read(&disordered).is_err());
}

fn accepted() -> Accepted {
    Accepted {
        id: Id(0x0102),
        seq: 7,
        timestamp_ms: 9,
        position: 1,
        waiting: None,
        ticket: None,
    }
}

#[test]
fn verdicts_stand_one_after_another() {
    let fault = || Fault::new(ErrorCode::SoldOut, "gone");
    let verdicts = vec![Err(fault()), Ok(accepted()), Err(fault())];
    let response = answer::render(&Reply::Batch(verdicts)).unwrap();
    assert_eq!(response.header("content-type"), Some(super::MEDIA_TYPE));
    let body = response.body;
    assert_eq!(body[..16], *b"TGB\x01\x02\0\x03\0\x01\0\0\0\x02\0\0\0");
    assert_eq!(body[16..19], [1, 10, 0]);
    let length = usize::from(u16::from_le_bytes([body[19], body[20]]));
    let problem: Value = serde_json::from_slice(&body[21..21 + length]).unwrap();
    assert_eq!(
        (&problem["type"], &problem["detail"]),
        (&json!("sold-out"), &json!("gone"))
    );
    let rest = &body[21 + length..];
    assert_eq!(rest[0], 0);
    assert_eq!((&rest[15..17], rest[17], rest[25]), (&[1, 2][..], 7, 9));
    // The same again.
    assert_eq!(rest[33..], [1, 10, 0, 0, 0]);
}

#[test]
fn deliveries_carry_all_that_json_has() {
    let delivery = |content_type: Option<&str>, key: Option<&str>| Delivery {
        id: Id(1),
        seq: 2,
        lease_id: Some(LeaseToken(3)),
        attempts: 4,
        timestamp_ms: 5,
        state: None,
        body: Blob::from(b"body".to_vec()),
        content_type: content_type.map(str::to_owned),
        key: key.map(str::to_owned),
        priority: 6,
        attributes: vec![("n".to_owned(), "v".to_owned())],
    };
    let messages = vec![
        delivery(Some("t"), Some("k")),
        delivery(Some("t"), None),
        delivery(None, None),
    ];
    let body = answer::render(&Reply::Pulled {
        messages,
        depth: 8,
        acknowledged: None,
    })
    .unwrap()
    .body;
    assert_eq!(body[..16], *b"TGB\x01\x03\0\x03\0\x08\0\0\0\0\0\0\0");
    let first = &body[16..];
    assert_eq!((first[15], first[31], first[32], first[40]), (1, 3, 2, 5));
    assert_eq!(first[48..60], [4, 0, 0, 0, 4, 0, 0, 0, 3, 6, 1, 0]);
    assert_eq!(first[60..76], *b"\x01\0t\x01\0k\x01\0n\x01\0vbody");
    let second = &first[76..];
    assert_eq!(
        (second[56], &second[60..70]),
        (64, &b"\x01\0n\x01\0vbody"[..])
    );
    assert_eq!(second[70..].len(), 70);
    assert_eq!(second[70 + 56], 0);
}

#[test]
fn an_acknowledgement_names_what_failed_by_its_place() {
    let error = |index| AckError {
        index,
        lease_id: "L".to_owned(),
        fault: Fault::new(ErrorCode::LeaseExpired, "late"),
    };
    let it = Acknowledged {
        acked: 1,
        retried: 2,
        extended: 3,
        errors: vec![error(4), error(258)],
    };
    let body = answer::render(&Reply::Acknowledged(it)).unwrap().body;
    assert_eq!(
        body[..20],
        *b"TGB\x01\x05\0\x02\0\x01\0\0\0\x02\0\0\0\x03\0\0\0"
    );
    assert_eq!(body[20..24], [4, 0, 15, 0]);
    assert_eq!(body[body.len() - 6..], [2, 1, 15, 0, 0, 0]);
    assert!(answer::render(&Reply::Done).is_none());
}

#[test]
fn an_accept_header_names_the_form_among_others() {
    for (accept, expected) in [
        ("application/vnd.tidegate.batch", true),
        (
            "application/vnd.tidegate.batch, application/problem+json;q=0.5",
            true,
        ),
        ("text/html, Application/Vnd.Tidegate.Batch;q=1", true),
        ("*/*", false),
        ("application/json", false),
        ("", false),
    ] {
        assert_eq!(super::is_accepted(accept), expected, "{accept}");
    }
}

/// A pull as `docs/BATCH.md` says: of 10, with all that there may be.
fn written_pull(wait_ms: u16, entries: u16) -> Vec<u8> {
    let mut out = b"TGB\x01\x06\0".to_vec();
    out.extend_from_slice(&entries.to_le_bytes());
    out.extend_from_slice(&[10, 0]);
    out.extend_from_slice(&wait_ms.to_le_bytes());
    out.extend_from_slice(&[3, 0]);
    out.extend_from_slice(&500u64.to_le_bytes());
    short(&mut out, "\"a = 'b'\"");
    for n in 0..entries {
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&u128::from(n).to_be_bytes());
    }
    out
}

#[test]
fn a_pull_is_read_with_and_without_entries() {
    let bytes = written_pull(30_000, 0);
    let Ok(Command::Pull(pull)) = pull::read(&bytes) else {
        panic!("{:?}", pull::read(&bytes));
    };
    assert_eq!((pull.batch_size, pull.wait_ms), (10, 30_000));
    assert_eq!(pull.visibility_timeout_ms, Some(500));
    assert_eq!(pull.filter, Some("\"a = 'b'\""));
    let bytes = written_pull(0, 2);
    let Ok(Command::AckPull { ack, .. }) = pull::read(&bytes) else {
        panic!("{:?}", pull::read(&bytes));
    };
    assert_eq!(ack.acks[1].lease_id, LeaseRef::Raw(1));
    for end in 0..bytes.len() {
        assert!(pull::read(&bytes[..end]).is_err());
    }
}

#[test]
fn a_pull_out_of_bounds_names_its_field() {
    let with = |at: usize, byte: u8| {
        let mut bytes = written_pull(0, 1);
        bytes[at] = byte;
        bytes
    };
    let fields = [
        (with(8, 0), "batch_size"),
        (with(9, 4), "batch_size"),
        (with(11, 0x80), "wait_ms"),
        (written_pull(1, 1), "wait_ms"),
        (with(12, 4), "body"),
        (with(13, 1), "body"),
        (with(14, 1), "visibility_timeout_ms"),
        (with(24, b'a'), "filter"),
        (with(24, 0xff), "filter"),
        (with(4, 4), "body"),
    ];
    for (n, (bytes, field)) in fields.iter().enumerate() {
        let mut bytes = bytes.clone();
        if n == 6 {
            bytes[15] = 0;
        }
        let fault = pull::read(&bytes).unwrap_err();
        assert_eq!(fault.figures.field.as_deref(), Some(*field), "case {n}");
    }
}
