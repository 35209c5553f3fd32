//! The look at every stored row: what is damaged goes into quarantine.
//!
//! What damaged means is `reading.rs`'s.

use super::reading::{self, Verdict};
use crate::engine::quarantine::{self, Damage};
use crate::store::{Arg, Sql, StoreError, Value};
use crate::time::Millis;

/// Rows read at a time: of 2 MB each at most.
const PAGE_ROWS: u64 = 4;
/// Before every key.
const FIRST: Value = Value::Int(-1);

/// A table: its rows after a key, its key first, then its values; one row by its key.
pub struct Table {
    source: &'static str,
    /// Why a row is damaged, if it is.
    verdict: fn(&[Value], &[Vec<u8>]) -> Verdict,
    first: &'static [Value],
    select: &'static str,
    delete: &'static str,
}

macro_rules! table {
    ($source:literal, $verdict:expr, $key:literal, $first:expr, $values:literal) => {
        Table {
            source: $source,
            verdict: $verdict,
            first: &[$first],
            select: concat!(
                "SELECT ",
                $key,
                ", ",
                $values,
                " FROM ",
                $source,
                " WHERE ",
                $key,
                " > ? ORDER BY ",
                $key,
                " LIMIT ?"
            ),
            delete: concat!("DELETE FROM ", $source, " WHERE ", $key, " = ?"),
        }
    };
}

const META: Table = Table {
    source: "meta",
    verdict: reading::named,
    first: &[Value::Text(String::new())],
    select: "SELECT name, value FROM meta WHERE name > ? AND name <> 'schema' ORDER BY name LIMIT ?",
    delete: "DELETE FROM meta WHERE name = ?",
};
const IDEMPOTENCY: Table = table!(
    "idempotency",
    reading::answers,
    "number",
    FIRST,
    "prints, answers"
);

pub const QUEUE: &[Table] = &[
    META,
    table!("segments", reading::segment, "id", FIRST, "head, body"),
    IDEMPOTENCY,
    table!("singles", reading::single, "seq", FIRST, "head, body"),
    table!("dead", reading::single, "seq", FIRST, "head, body"),
    table!("journal", reading::record, "slot", FIRST, "data"),
    table!("checkpoint", reading::page, "page", FIRST, "data"),
    table!("outcomes", reading::ends, "chunk", FIRST, "data"),
    table!("attempts", reading::attempts, "slot", FIRST, "data"),
    Table {
        source: "expiry",
        verdict: reading::expiry,
        first: &[FIRST, FIRST],
        select: "SELECT at_ms, first_seq, data FROM expiry WHERE (at_ms, first_seq) > (?, ?)
                 ORDER BY at_ms, first_seq LIMIT ?",
        delete: "DELETE FROM expiry WHERE at_ms = ? AND first_seq = ?",
    },
];

pub const TOPIC: &[Table] = &[
    META,
    table!("segments", reading::log_segment, "id", FIRST, "head, body"),
    IDEMPOTENCY,
    table!(
        "subscriptions",
        reading::subscription,
        "name",
        Value::Text(String::new()),
        "config, cursor"
    ),
];

/// A row that was damaged.
#[derive(Clone, Debug)]
pub struct Bad {
    pub source: &'static str,
    /// Its key, or the first part of it; zero where that is text.
    pub key: u64,
    /// Its place in quarantine.
    pub number: u64,
}

/// Moves every damaged row of these tables into quarantine.
pub fn scan(sql: &mut dyn Sql, tables: &[Table], now_ms: Millis) -> Result<Vec<Bad>, StoreError> {
    let mut bad = Vec::new();
    for table in tables {
        let mut after: Vec<Value> = table.first.to_vec();
        loop {
            let mut args: Vec<Arg<'_>> = after.iter().map(Value::as_arg).collect();
            args.push(PAGE_ROWS.into());
            let rows = sql.exec(table.select, &args)?;
            if rows.is_empty() {
                break;
            }
            for mut row in rows {
                let values = row.split_off(after.len());
                let values: Vec<Vec<u8>> = values.into_iter().map(Value::into_blob).collect();
                if let Some(why) = (table.verdict)(&row, &values) {
                    bad.push(table.remove(sql, now_ms, why, &row, &values)?);
                }
                after = row;
            }
        }
    }
    Ok(bad)
}

impl Table {
    fn remove(
        &self,
        sql: &mut dyn Sql,
        now_ms: Millis,
        why: &'static str,
        key: &[Value],
        values: &[Vec<u8>],
    ) -> Result<Bad, StoreError> {
        let number = key.first().map_or(0, Value::uint);
        let text: Vec<String> = key
            .iter()
            .map(|part| match part {
                Value::Text(text) => text.clone(),
                other => other.int().to_string(),
            })
            .collect();
        let is_segment = self.source == "segments";
        let part = |at: usize| values.get(at).map_or(&[][..], |value| &value[..]);
        let values = match values.len() {
            1 => [&[][..], part(0)],
            _ => [part(0), part(1)],
        };
        let damage = Damage {
            source: self.source,
            place: &text.join(" "),
            why,
            lane: if is_segment { (number >> 48) as u8 } else { 0 },
            from_seq: number & ((1 << 48) - 1),
            values,
        };
        let quarantined = quarantine::add(sql, now_ms, &damage)?;
        let args: Vec<Arg<'_>> = key.iter().map(Value::as_arg).collect();
        sql.exec(self.delete, &args)?;
        Ok(Bad {
            source: self.source,
            key: number,
            number: quarantined,
        })
    }
}
