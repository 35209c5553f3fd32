//! A batch of messages to be published.

use super::{PUBLISH, Reader, cut, malformed};
use crate::command::Draft;
use crate::error::Fault;
use crate::limits::BATCH_MESSAGES_MAX;
use crate::protocol::http::attributes::Attributes;
use crate::protocol::http::fields::{NAME_CHARS_SHOWN, Place, range_words};
use crate::protocol::http::incoming::{
    Number, check_content_type, check_idempotency_key, check_key, check_size,
};
use std::borrow::Cow;
use std::str::from_utf8;

/// Flags: what stands between the fixed part of a message and its body.
const CONTENT_TYPE: u8 = 1;
const KEY: u8 = 2;
const IDEMPOTENCY_KEY: u8 = 4;
const DELAY: u8 = 8;
const TTL: u8 = 16;
const HOLD: u8 = 32;
/// The content type of the message before, if that had one.
const SAME_CONTENT_TYPE: u8 = 64;
const UNKNOWN: u8 = 128;

/// A message's parts where they lie, not looked into yet.
struct Raw<'a> {
    priority: u8,
    content_type: Option<&'a [u8]>,
    key: Option<&'a [u8]>,
    idempotency_key: Option<&'a [u8]>,
    delay_ms: Option<u64>,
    ttl_ms: Option<u64>,
    hold_ms: Option<u64>,
    attributes: Vec<(&'a [u8], &'a [u8])>,
    body: &'a [u8],
}

/// The messages of `bytes`, each read or refused.
///
/// # Errors
/// `bad-request` for a document that cannot be read, or holds none or too many.
pub fn read(bytes: &[u8]) -> Result<Vec<Result<Draft<'_>, Fault>>, Fault> {
    let (mut reader, count) = Reader::open(bytes, PUBLISH)?;
    if count == 0 || count > BATCH_MESSAGES_MAX {
        let detail =
            format!("a batch has 1 to {BATCH_MESSAGES_MAX} messages; this one has {count}");
        return Err(Fault::bad("messages", detail));
    }
    let mut drafts = Vec::with_capacity(count);
    let mut content_type = None;
    for index in 0..count {
        let raw = raw(&mut reader, index, content_type)?;
        content_type = raw.content_type;
        drafts.push(draft(&raw, index));
    }
    reader.close()?;
    Ok(drafts)
}

/// Finds the parts of the next message; `before` is the content type of the one before.
fn raw<'a>(
    reader: &mut Reader<'a>,
    index: usize,
    before: Option<&'a [u8]>,
) -> Result<Raw<'a>, Fault> {
    let end = || cut("messages", index);
    let [b0, b1, b2, b3, flags, priority, a0, a1] = *reader.array().ok_or_else(end)?;
    let has = |flag| flags & flag != 0;
    if has(UNKNOWN) || (has(CONTENT_TYPE) && has(SAME_CONTENT_TYPE)) {
        let detail = format!("messages[{index}] has flags that mean nothing: {flags}");
        return Err(malformed(detail));
    }
    let mut parts = || {
        let mut text = |flag| has(flag).then(|| reader.short().ok_or(())).transpose();
        let texts = (text(CONTENT_TYPE)?, text(KEY)?, text(IDEMPOTENCY_KEY)?);
        let mut number = |flag| has(flag).then(|| reader.u64().ok_or(())).transpose();
        let (delay_ms, ttl_ms, hold_ms) = (number(DELAY)?, number(TTL)?, number(HOLD)?);
        let mut attributes = Vec::new();
        for _ in 0..u16::from_le_bytes([a0, a1]) {
            let name = reader.short().ok_or(())?;
            attributes.push((name, reader.short().ok_or(())?));
        }
        let body_bytes = u32::from_le_bytes([b0, b1, b2, b3]) as usize;
        Ok::<_, ()>(Raw {
            priority,
            content_type: texts.0.or(before.filter(|_| has(SAME_CONTENT_TYPE))),
            key: texts.1,
            idempotency_key: texts.2,
            delay_ms,
            ttl_ms,
            hold_ms,
            attributes,
            body: reader.take(body_bytes).ok_or(())?,
        })
    };
    parts().map_err(|()| end())
}

/// Checks what was found, by the rules that hold in every form.
fn draft<'a>(raw: &Raw<'a>, index: usize) -> Result<Draft<'a>, Fault> {
    let place = Place::entry("messages", index);
    let text = |bytes: Option<&'a [u8]>, name, check: fn(&str) -> Result<(), String>| {
        let Some(bytes) = bytes else {
            return Ok(None);
        };
        let fault = |detail| Fault::bad(place.field(name), detail);
        let text = from_utf8(bytes).map_err(|_| fault("this is not UTF-8".to_owned()))?;
        check(text).map_err(fault)?;
        Ok(Some(text))
    };
    let number = |value: Option<u64>, number: Number, name| match value {
        Some(value) if !number.range().contains(&value) => {
            Err(Fault::bad(place.field(name), range_words(&number.range())))
        }
        _ => Ok(value),
    };
    // In the order of the fields in JSON, so that of several faults the same one is told.
    let draft = Draft {
        body: raw.body,
        content_type: text(raw.content_type, "content_type", check_content_type)?,
        key: text(raw.key, "key", check_key)?,
        idempotency_key: text(
            raw.idempotency_key,
            "idempotency_key",
            check_idempotency_key,
        )?,
        delay_ms: number(raw.delay_ms, Number::DelayMs, "delay_ms")?.unwrap_or_default(),
        ttl_ms: number(raw.ttl_ms, Number::TtlMs, "ttl_ms")?,
        hold_ms: number(raw.hold_ms, Number::HoldMs, "hold_ms")?,
        priority: number(Some(raw.priority.into()), Number::Priority, "priority")
            .map(|_| raw.priority)?,
        attributes: attributes(&raw.attributes, place)?,
    };
    check_size(raw.body.len())?;
    Ok(draft)
}

fn attributes<'a>(
    raw: &[(&'a [u8], &'a [u8])],
    place: Place,
) -> Result<Vec<(&'a str, &'a str)>, Fault> {
    let mut checked = Attributes::default();
    let mut attributes = Vec::with_capacity(raw.len());
    for (name, value) in raw {
        let fault = |detail| Fault::bad(place.field("attributes"), detail);
        let (Ok(name), Ok(value)) = (from_utf8(name), from_utf8(value)) else {
            return Err(fault("this is not UTF-8".to_owned()));
        };
        let added = checked.add(Cow::Borrowed(name), Cow::Borrowed(value));
        added.map_err(|detail| fault(format!("{}: {detail}", shown(name))))?;
        attributes.push((name, value));
    }
    Ok(attributes)
}

/// As much of a name as a fault repeats.
fn shown(name: &str) -> String {
    name.chars().take(NAME_CHARS_SHOWN).collect()
}
