//! An acknowledgement: what is finished, what is given back, what is prolonged, in this order.

use super::{ACK, Reader, cut, malformed};
use crate::command::{Ack, AckEntry, LeaseRef};
use crate::error::Fault;
use crate::limits::{ACK_ENTRIES_MAX, DELAY_MS_MAX, LEASE_MS_MAX, LEASE_MS_MIN, RESULT_BYTES_MAX};
use crate::protocol::http::fields::{Place, range_words};
use crate::wire::json_text::compact;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::str::from_utf8;

/// What an entry asks for.
const FINISH: u8 = 0;
const RETRY: u8 = 1;
const EXTEND: u8 = 2;
/// Flags of an entry that finishes.
const RELEASE: u8 = 1;
const RESULT: u8 = 2;
/// The flag of any other: a time follows.
const TIME: u8 = 1;

/// Reads an acknowledgement.
///
/// # Errors
/// `bad-request`, also when there is nothing in it or too much.
pub fn read(bytes: &[u8]) -> Result<Ack<'_>, Fault> {
    let (mut reader, count) = Reader::open(bytes, ACK)?;
    if count == 0 {
        let detail =
            format!("acks, retries and extends have 1 to {ACK_ENTRIES_MAX} entries together");
        return Err(Fault::bad("acks", detail));
    }
    let ack = entries(&mut reader, count)?;
    reader.close()?;
    Ok(ack)
}

/// Reads the next `count` records.
pub(super) fn entries<'a>(reader: &mut Reader<'a>, count: usize) -> Result<Ack<'a>, Fault> {
    if count > ACK_ENTRIES_MAX {
        let detail = format!("there are at most {ACK_ENTRIES_MAX} entries, not {count}");
        return Err(Fault::bad("acks", detail));
    }
    let mut ack = Ack::default();
    let mut last = FINISH;
    for index in 0..count {
        let [operation, flags] = *reader.array().ok_or_else(|| cut("entries", index))?;
        let flags_max = if operation == FINISH {
            RELEASE | RESULT
        } else {
            TIME
        };
        if operation < last || operation > EXTEND || flags > flags_max {
            let detail = format!(
                "entries[{index}] has the operation {operation} with the flags {flags}; acks (0) \
                 come first, then retries (1), then extends (2)"
            );
            return Err(malformed(detail));
        }
        last = operation;
        let lease = *reader.array().ok_or_else(|| cut("entries", index))?;
        let lease = LeaseRef::Raw(u128::from_be_bytes(lease));
        let (retries, extends) = (0..=DELAY_MS_MAX, LEASE_MS_MIN..=LEASE_MS_MAX);
        match operation {
            FINISH => ack.acks.push(finished(reader, lease, flags, index)?),
            RETRY => ack
                .retries
                .push((lease, time(reader, flags, index, &retries)?)),
            _ => ack
                .extends
                .push((lease, time(reader, flags, index, &extends)?)),
        }
    }
    Ok(ack)
}

fn finished<'a>(
    reader: &mut Reader<'a>,
    lease_id: LeaseRef<'a>,
    flags: u8,
    index: usize,
) -> Result<AckEntry<'a>, Fault> {
    let result = match flags & RESULT {
        0 => None,
        _ => Some(result(
            reader.short().ok_or_else(|| cut("entries", index))?,
            index,
        )?),
    };
    let release = flags & RELEASE != 0;
    Ok(AckEntry {
        lease_id,
        result,
        release,
    })
}

fn result(bytes: &[u8], index: usize) -> Result<&str, Fault> {
    let field = Place::entry("entries", index).field("result");
    if bytes.len() > RESULT_BYTES_MAX {
        let detail = format!("a result has at most {RESULT_BYTES_MAX} bytes as JSON");
        return Err(Fault::bad(field, detail));
    }
    let text = from_utf8(bytes).ok();
    let is_compact = |text: &&str| matches!(compact(text), Cow::Borrowed(_));
    text.filter(|text| serde_json::from_str::<&RawValue>(text).is_ok())
        .filter(is_compact)
        .ok_or_else(|| Fault::bad(field, "JSON without blanks between its tokens belongs here"))
}

fn time(
    reader: &mut Reader<'_>,
    flags: u8,
    index: usize,
    range: &RangeInclusive<u64>,
) -> Result<Option<u64>, Fault> {
    if flags & TIME == 0 {
        return Ok(None);
    }
    let time_ms = reader.u64().ok_or_else(|| cut("entries", index))?;
    if range.contains(&time_ms) {
        return Ok(Some(time_ms));
    }
    let field = Place::entry("entries", index).field("time_ms");
    Err(Fault::bad(field, range_words(range)))
}
