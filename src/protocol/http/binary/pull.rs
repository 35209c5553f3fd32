//! A pull, with what it acknowledges before.

use super::{PULL, Reader, ack, malformed};
use crate::command::{Command, Pull};
use crate::error::Fault;
use crate::limits::{LEASE_MS_MAX, LEASE_MS_MIN, PULL_MESSAGES_MAX, WAIT_MS_MAX};
use crate::protocol::http::fields::range_words;
use crate::protocol::http::pull::check_at_once;
use std::ops::RangeInclusive;
use std::str::from_utf8;

/// Flags: what stands between the head and the entries.
const VISIBILITY_TIMEOUT: u8 = 1;
const FILTER: u8 = 2;

/// Reads a pull.
///
/// # Errors
/// `bad-request`, naming the field as JSON has it.
pub fn read(bytes: &[u8]) -> Result<Command<'_>, Fault> {
    let (mut reader, count) = Reader::open(bytes, PULL)?;
    let cut = || malformed("the pull ends before its entries");
    let [b0, b1, w0, w1, flags, zero] = *reader.array().ok_or_else(cut)?;
    if flags > VISIBILITY_TIMEOUT | FILTER || zero != 0 {
        let detail = format!("the flags {flags} or the byte {zero} behind them mean nothing");
        return Err(malformed(detail));
    }
    let within = |value, name, range: RangeInclusive<u64>| match range.contains(&value) {
        true => Ok(value),
        false => Err(Fault::bad(name, range_words(&range))),
    };
    let batch_size = u64::from(u16::from_le_bytes([b0, b1]));
    let wait_ms = u64::from(u16::from_le_bytes([w0, w1]));
    let visibility_timeout_ms = match flags & VISIBILITY_TIMEOUT {
        0 => None,
        _ => Some(reader.u64().ok_or_else(cut)?),
    };
    let filter = match flags & FILTER {
        0 => None,
        _ => Some(reader.short().ok_or_else(cut)?),
    };
    let messages = 1..=u64::from(PULL_MESSAGES_MAX);
    let lease = LEASE_MS_MIN..=LEASE_MS_MAX;
    let pull = Pull {
        batch_size: within(batch_size, "batch_size", messages)? as u32,
        visibility_timeout_ms: visibility_timeout_ms
            .map(|ms| within(ms, "visibility_timeout_ms", lease))
            .transpose()?,
        wait_ms: within(wait_ms, "wait_ms", 0..=WAIT_MS_MAX)?,
        filter: filter.map(text).transpose()?,
    };
    let ack = ack::entries(&mut reader, count)?;
    reader.close()?;
    if count == 0 {
        return Ok(Command::Pull(pull));
    }
    check_at_once(&pull)?;
    Ok(Command::AckPull { ack, pull })
}

/// A filter's JSON; what is in it is the engine's to check.
fn text(bytes: &[u8]) -> Result<&str, Fault> {
    from_utf8(bytes)
        .ok()
        .filter(|text| text.starts_with(['{', '"']))
        .ok_or_else(|| {
            let detail =
                "an event pattern (an object) or a selector (a string) belongs here, as JSON";
            Fault::bad("filter", detail)
        })
}
