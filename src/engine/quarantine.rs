//! Quarantine: what was damaged and taken out of service, of queues and topics.
//!
//! A row here says where it stood, when it was found and why, which messages were lost with it, and
//! keeps the bytes until an operator drops them. What was lost stays known after that: a message
//! of it is `damaged`, not `done`. Owns the table; who finds damage is `repair`.

use super::Stop;
use super::answers::Answers;
use crate::command::quarantined::Quarantined;
use crate::limits::{QUARANTINE_BYTES_MAX, QUARANTINE_PAGE_MAX, QUARANTINE_ROWS_MAX};
use crate::store::{Arg, Sql, StoreError, Value, scalar};
use crate::time::Millis;

/// Something damaged, on its way in.
pub(super) struct Damage<'a> {
    pub source: &'static str,
    pub place: &'a str,
    pub why: &'static str,
    pub lane: u8,
    pub from_seq: u64,
    pub values: [&'a [u8]; 2],
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Rows whose bytes nobody has dropped yet.
    pub rows: u64,
    /// Rows ever.
    pub total: u64,
    /// Messages lost with those that are still known.
    pub messages: u64,
}

/// Takes something damaged in; its number.
pub(super) fn add(
    sql: &mut dyn Sql,
    now_ms: Millis,
    damage: &Damage<'_>,
) -> Result<u64, StoreError> {
    let held = scalar(sql.exec(
        "SELECT sum(length(head) + length(body)) FROM quarantine",
        &[],
    )?);
    let [head, body] = damage.values;
    let held = held.map_or(0, |bytes| bytes.uint());
    let fits = held + (head.len() + body.len()) as u64 <= QUARANTINE_BYTES_MAX;
    let kept = |bytes| if fits { Arg::Blob(bytes) } else { Arg::Null };
    let number = figures(sql)?.total + 1;
    sql.exec(
        "INSERT INTO quarantine (number, at_ms, source, place, why, messages, lane, from_seq,
         to_seq, head, body, dropped) VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, 0)",
        &[
            number.into(),
            now_ms.into(),
            damage.source.into(),
            damage.place.into(),
            damage.why.into(),
            u64::from(damage.lane).into(),
            damage.from_seq.into(),
            damage.from_seq.into(),
            kept(head),
            kept(body),
        ],
    )?;
    Ok(number)
}

/// Says that so many messages were lost with a row, from `from_seq` up to `to_seq`.
pub(super) fn lost(
    sql: &mut dyn Sql,
    number: u64,
    messages: u64,
    from_seq: u64,
    to_seq: u64,
) -> Result<(), StoreError> {
    sql.exec(
        "UPDATE quarantine SET messages = messages + ?, from_seq = min(from_seq, ?),
         to_seq = max(to_seq, ?) WHERE number = ?",
        &[
            messages.into(),
            from_seq.into(),
            to_seq.into(),
            number.into(),
        ],
    )?;
    Ok(())
}

/// Forgets the oldest where there are too many. The highest number of a message of these.
pub(super) fn trim(sql: &mut dyn Sql) -> Result<u64, StoreError> {
    let Some(last) = figures(sql)?.total.checked_sub(QUARANTINE_ROWS_MAX) else {
        return Ok(0);
    };
    let to_seq = sql.exec(
        "SELECT max(to_seq) FROM quarantine WHERE number <= ?",
        &[last.into()],
    )?;
    sql.exec("DELETE FROM quarantine WHERE number <= ?", &[last.into()])?;
    Ok(scalar(to_seq).map_or(0, |seq| seq.uint()))
}

/// How much there is.
pub(super) fn figures(sql: &mut dyn Sql) -> Result<Figures, StoreError> {
    let rows = sql.exec(
        "SELECT count(*) - sum(dropped), max(number), sum(messages) FROM quarantine",
        &[],
    )?;
    let [rows, total, messages] = [0, 1, 2].map(|at| {
        rows.first()
            .and_then(|row| row.get(at))
            .map_or(0, Value::uint)
    });
    Ok(Figures {
        rows,
        total,
        messages,
    })
}

/// Whether a message may have been lost with one of them.
pub(super) fn covers(sql: &mut dyn Sql, lane: u8, seq: u64) -> Result<bool, StoreError> {
    let rows = sql.exec(
        "SELECT 1 FROM quarantine WHERE messages > 0 AND lane = ? AND from_seq <= ? AND to_seq > ?
         LIMIT 1",
        &[u64::from(lane).into(), seq.into(), seq.into()],
    )?;
    Ok(!rows.is_empty())
}

/// A page of what nobody has dropped, after a number.
pub(super) fn page(
    sql: &mut dyn Sql,
    answers: &mut Answers,
    after: u64,
) -> Result<Vec<Quarantined>, Stop> {
    answers.expect_room()?;
    let rows = sql.exec(
        "SELECT number, at_ms, source, place, why, messages, from_seq, to_seq, head, body
         FROM quarantine WHERE dropped = 0 AND number > ? ORDER BY number LIMIT ?",
        &[after.into(), QUARANTINE_PAGE_MAX.into()],
    )?;
    let read = |mut row: Vec<Value>| {
        let body = row.pop().map(Value::into_blob).unwrap_or_default();
        let head = row.pop().map(Value::into_blob).unwrap_or_default();
        let uint = |at: usize| row.get(at).map_or(0, Value::uint);
        let text = |at: usize| row.get(at).map_or("", Value::text).to_owned();
        Quarantined {
            number: uint(0),
            at_ms: uint(1),
            source: text(2),
            place: text(3),
            why: text(4),
            messages: uint(5),
            from_seq: uint(6),
            to_seq: uint(7),
            bytes: (head.len() + body.len()) as u64,
            head,
            body,
        }
    };
    let page: Vec<Quarantined> = rows.into_iter().map(read).collect();
    answers.add(page.iter().map(|it| it.bytes as usize).sum());
    Ok(page)
}

/// Drops the bytes of all of them.
pub(super) fn drop_all(sql: &mut dyn Sql) -> Result<(), StoreError> {
    sql.exec(
        "UPDATE quarantine SET head = NULL, body = NULL, dropped = 1 WHERE dropped = 0",
        &[],
    )?;
    Ok(())
}
