//! Repair: a damaged queue or topic goes on without what was damaged.
//!
//! A turn that meets damage fails and is rolled back; then this runs, in a transaction of its own,
//! and the turn is run again. It looks at every row (`scan.rs`), moves damaged ones into quarantine,
//! and works out the small state from what is left (`recount.rs`, `topic/repair.rs`). On sound rows it
//! changes nothing that anybody can see. Where it cannot tell whether a message was acknowledged, it
//! delivers it again; where it cannot tell how many were accepted, it counts too many rather than
//! too few.

mod lanes;
mod reading;
mod recount;
pub(super) mod scan;

use super::config::Config;
use super::quarantine::{self, Damage};
use super::queue::Queue;
use crate::store::schema::migrate;
use crate::store::{Sql, StoreError, meta};
use crate::time::Millis;
use scan::Bad;

pub(super) use lanes::gone_row;

/// Brings a queue's rows into order. How many were damaged; zero: nothing was found, and nothing
/// changed.
///
/// # Errors
/// Storage, or rows of a later version.
pub fn repair_queue(
    sql: &mut dyn Sql,
    name: &str,
    entropy: [u8; 16],
    now_ms: Millis,
) -> Result<u64, StoreError> {
    if !has_tables(sql)? {
        return Ok(0);
    }
    migrate(sql)?;
    let before = quarantine::figures(sql)?.total;
    let bad = scan::scan(sql, scan::QUEUE, now_ms)?;
    restore_identity(sql, entropy, now_ms, &closed(), &bad)?;
    let mut queue = Queue::identified(sql, name, entropy, now_ms)?;
    queue.recount(sql, &bad, before)?;
    Ok(quarantine::figures(sql)?.total - before)
}

/// Whether a subscription's row is damaged, and not of a later version.
pub(super) fn is_subscription_damaged(config: &[u8], totals: &[u8]) -> bool {
    reading::subscription(&[], &[config.to_vec(), totals.to_vec()]).is_some()
}

pub(super) fn has_tables(sql: &mut dyn Sql) -> Result<bool, StoreError> {
    let tables = sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'meta'", &[])?;
    Ok(!tables.is_empty())
}

/// The configuration of a queue whose own is lost: deliveries go on, and nothing is accepted until
/// somebody says again how much may be.
fn closed() -> String {
    let closed = Config::default().patched(r#"{"capacity":{"closes_at_ms":1}}"#);
    closed.map_or_else(
        |_| String::new(),
        |config| serde_json::Value::Object(config.stored()).to_string(),
    )
}

/// Writes the secret and the configuration anew where they are lost.
pub(super) fn restore_identity(
    sql: &mut dyn Sql,
    entropy: [u8; 16],
    now_ms: Millis,
    config: &str,
    bad: &[Bad],
) -> Result<(), StoreError> {
    let values: [(&'static str, &[u8]); 2] = [("secret", &entropy), ("config", config.as_bytes())];
    for (name, value) in values {
        if meta::read(sql, name)?.is_some() {
            continue;
        }
        if !bad.iter().any(|it| it.source == "meta") {
            note_missing(sql, now_ms, "meta", name, 0, 0)?;
        }
        meta::write(sql, name, value)?;
    }
    Ok(())
}

/// Takes note of a row that is not there. Its number in quarantine.
pub(super) fn note_missing(
    sql: &mut dyn Sql,
    now_ms: Millis,
    source: &'static str,
    place: &str,
    lane: u8,
    from_seq: u64,
) -> Result<u64, StoreError> {
    let damage = Damage {
        source,
        place,
        why: "it is missing",
        lane,
        from_seq,
        values: [&[], &[]],
    };
    quarantine::add(sql, now_ms, &damage)
}
