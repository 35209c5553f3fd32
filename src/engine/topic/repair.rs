//! Repair of a topic; see `engine/repair`. Numbers have no gaps: what is lost is made up by rows of
//! messages that are gone, which readers pass over and are told of.

use super::log::end_of;
use super::rows::{LANE, Rows};
use super::{State, Topic};
use crate::engine::quarantine;
use crate::engine::repair::scan::{Bad, TOPIC, scan};
use crate::engine::repair::{gone_row, has_tables, note_missing, restore_identity};
use crate::limits::{REPAIR_SEQ_GAP, RETENTION_MS_MAX, SEGMENT_MESSAGES_MAX};
use crate::store::topic_schema::migrate;
use crate::store::{Arg, Sql, StoreError, meta, scalar};
use crate::time::Millis;

impl Topic {
    /// Brings a topic's rows into order. How many were damaged; zero: nothing was found, and
    /// nothing changed.
    ///
    /// # Errors
    /// Storage, or rows of a later version.
    pub fn repair(sql: &mut dyn Sql, entropy: [u8; 16], now_ms: Millis) -> Result<u64, StoreError> {
        if !has_tables(sql)? {
            return Ok(0);
        }
        migrate(sql)?;
        let before = quarantine::figures(sql)?.total;
        let bad = scan(sql, TOPIC, now_ms)?;
        // Nothing is let go before somebody says again how long it is kept.
        let config = format!(r#"{{"retention_ms":{RETENTION_MS_MAX}}}"#);
        restore_identity(sql, entropy, now_ms, &config, &bad)?;
        let known: Option<State> = meta::read(sql, "state")?
            .map(|bytes| postcard::from_bytes(&bytes).map_err(|e| StoreError(e.to_string())))
            .transpose()?;
        let is_lost = known.is_none();
        if is_lost && !bad.iter().any(|it| it.source == "meta") {
            note_missing(sql, now_ms, "meta", "state", LANE, 0)?;
        }
        let mut state = known.unwrap_or_default();
        state.now_ms = state.now_ms.max(now_ms);
        recount(sql, &mut state, &bad, is_lost)?;
        let bytes = postcard::to_allocvec(&state).map_err(|e| StoreError(e.to_string()))?;
        meta::write(sql, "state", &bytes)?;
        quarantine::trim(sql)?;
        Ok(quarantine::figures(sql)?.total - before)
    }
}

/// Where the numbers begin and end, and how many bytes lie between.
fn recount(
    sql: &mut dyn Sql,
    state: &mut State,
    bad: &[Bad],
    is_lost: bool,
) -> Result<(), StoreError> {
    let mut end = state.first_seq;
    let mut bytes = 0;
    let mut at_ms = state.now_ms;
    let mut from = 0;
    loop {
        let segments = Rows::heads(sql, from)?;
        let Some(last) = segments.last() else { break };
        from = last.first_seq + 1;
        for segment in segments {
            if end == 0 {
                (end, state.first_seq) = (segment.first_seq, segment.first_seq);
            }
            if end_of(&segment) <= end {
                continue;
            }
            at_ms = segment.at_ms;
            make_up(sql, bad, end, segment.first_seq, at_ms, state.now_ms)?;
            let items = segment.items.iter().filter(|it| it.seq >= state.first_seq);
            bytes += items.map(|it| u64::from(it.body_bytes)).sum::<u64>();
            state.accepted_total += match segment.first_seq >= state.next_seq {
                true => segment.items.len() as u64,
                false => 0,
            };
            end = end_of(&segment);
        }
    }
    // Of rows at the end nobody knows how many messages they held.
    let tail = bad
        .iter()
        .filter(|it| it.source == "segments" && it.key >= end);
    let tail = tail.map(|it| it.key + SEGMENT_MESSAGES_MAX as u64).max();
    let next_seq = state.next_seq.max(tail.unwrap_or(0)).max(end);
    if end > 0 {
        make_up(sql, bad, end, next_seq, at_ms, state.now_ms)?;
    }
    let given = "SELECT max(next_seq) FROM subscriptions";
    let given = scalar(sql.exec(given, &[])?).map_or(0, |seq| seq.uint());
    state.next_seq = match is_lost && end == 0 {
        true => given + REPAIR_SEQ_GAP,
        false => next_seq.max(1),
    };
    if end == 0 {
        state.first_seq = state.next_seq;
    }
    if is_lost {
        // A topic in memory stores no message: all its numbers are these.
        state.reserved_seq = state.next_seq + REPAIR_SEQ_GAP;
    }
    state.bytes = bytes;
    let last = scalar(sql.exec("SELECT max(number) FROM idempotency", &[])?);
    let next = last.map_or(0, |number| number.uint()) + 1;
    state.idempotency_next = state.idempotency_next.max(next);
    Ok(())
}

/// Stores rows of messages that are gone, from one number up to another.
fn make_up(
    sql: &mut dyn Sql,
    bad: &[Bad],
    from_seq: u64,
    to_seq: u64,
    at_ms: Millis,
    now_ms: Millis,
) -> Result<(), StoreError> {
    let Some(lost) = to_seq.checked_sub(from_seq).filter(|lost| *lost > 0) else {
        return Ok(());
    };
    let mut mine = bad.iter().filter(|it| it.source == "segments");
    let number = match mine.find(|it| (from_seq..to_seq).contains(&it.key)) {
        Some(bad) => bad.number,
        None => note_missing(
            sql,
            now_ms,
            "segments",
            &from_seq.to_string(),
            LANE,
            from_seq,
        )?,
    };
    quarantine::lost(sql, number, lost, from_seq, to_seq)?;
    let mut seq = from_seq;
    while seq < to_seq {
        let count = (to_seq - seq).min(SEGMENT_MESSAGES_MAX as u64);
        let (id, head) = gone_row(LANE, seq, count, 0, at_ms);
        sql.exec(
            "INSERT INTO segments (id, head, body) VALUES (?, ?, ?)",
            &[id.into(), Arg::Blob(&head), Arg::Blob(&[])],
        )?;
        seq += count;
    }
    Ok(())
}
