//! Whether a stored row can be read: its sum matches, and what that covers is what this version writes.
//!
//! A sum says that nothing changed since it was made, not that what it was made of was right: memory
//! may fail before. So a row that a known version byte begins and that cannot be read, or that
//! names what cannot be, is damaged as well. A row with an unknown version byte is of a later
//! version: it stays, and so does the error that it causes. So does a configuration that is JSON
//! and is refused, since that is what an earlier version says of a later one's. A subscription of
//! that kind stays as well, and its topic goes on without it (`topic/aside.rs`).

use crate::engine::dispatch::attempts::Attempt;
use crate::engine::draw::{self, Draws};
use crate::engine::idempotency::Answer;
use crate::engine::journal;
use crate::engine::outcomes::{End, Outcomes};
use crate::engine::segment::{self, LINE, Segment};
use crate::engine::tickets;
use crate::engine::topic;
use crate::limits::SEQ_MAX;
use crate::store::Value;
use crate::store::seal::{self, SEALED};

/// Why a row is damaged whose sum does not match.
const SUM: &str = "its sum does not match";
/// Why a row is damaged whose sum does.
const CONTENT: &str = "its sum matches and it cannot be read";

/// Why a row is damaged, if it is: its key and its values are given.
pub type Verdict = Option<&'static str>;

/// A segment of a queue.
pub fn segment(key: &[Value], values: &[Vec<u8>]) -> Verdict {
    let id = key.first().map_or(0, Value::uint);
    row_of((id >> 48) as u8, id & SEQ_MAX, values, |_| true)
}

/// A segment of a topic.
pub fn log_segment(key: &[Value], values: &[Vec<u8>]) -> Verdict {
    let first_seq = key.first().map_or(0, Value::uint);
    row_of(0, first_seq, values, Segment::is_contiguous)
}

/// A single, or a dead letter.
pub fn single(key: &[Value], values: &[Vec<u8>]) -> Verdict {
    let seq = key.first().map_or(0, Value::uint);
    row_of(segment::SINGLE, seq, values, |_| true)
}

fn row_of(
    lane: u8,
    first_seq: u64,
    values: &[Vec<u8>],
    is_known: impl Fn(&Segment) -> bool,
) -> Verdict {
    let [head, body] = values else {
        return Some(CONTENT);
    };
    if !segment::is_sound(head, body) {
        return Some(SUM);
    }
    let is_later = !segment::is_known(head);
    let read = || Segment::decode(lane, head.clone(), Some(body.clone()));
    let is_row = |it: Segment| it.is_consistent(first_seq) && is_known(&it);
    judged(is_later || read().is_ok_and(is_row))
}

/// A row of the journal.
pub fn record(_: &[Value], values: &[Vec<u8>]) -> Verdict {
    journal_row(values, false)
}

/// A page of the checkpoint.
pub fn page(_: &[Value], values: &[Vec<u8>]) -> Verdict {
    journal_row(values, true)
}

fn journal_row(values: &[Vec<u8>], is_page: bool) -> Verdict {
    let [data] = values else {
        return Some(CONTENT);
    };
    if !journal::is_sound(data, is_page) {
        return Some(SUM);
    }
    judged(journal::is_readable(data, is_page))
}

/// A chunk of ends.
pub fn ends(key: &[Value], values: &[Vec<u8>]) -> Verdict {
    let last = Outcomes::last_of(key.first().map_or(0, Value::uint).min(SEQ_MAX));
    sealed(values, |bytes| {
        postcard::from_bytes::<Vec<End>>(bytes).is_ok_and(|all| all.iter().all(|it| it.seq <= last))
    })
}

/// A row of attempts.
pub fn attempts(_: &[Value], values: &[Vec<u8>]) -> Verdict {
    sealed(values, |bytes| {
        postcard::from_bytes::<Vec<Attempt>>(bytes).is_ok()
    })
}

/// Messages that expire at an instant.
pub fn expiry(_: &[Value], values: &[Vec<u8>]) -> Verdict {
    sealed(values, |bytes| {
        let all = postcard::from_bytes::<Vec<(u8, u64)>>(bytes);
        all.is_ok_and(|all| all.iter().all(|it| it.0 <= LINE && it.1 <= SEQ_MAX))
    })
}

/// Idempotency keys: their prints, and their answers.
pub fn answers(_: &[Value], values: &[Vec<u8>]) -> Verdict {
    let [prints, answers] = values else {
        return Some(CONTENT);
    };
    let prints = sealed(std::slice::from_ref(prints), |bytes| bytes.len() % 8 == 0);
    prints.or_else(|| {
        sealed(std::slice::from_ref(answers), |bytes| {
            let all = postcard::from_bytes::<Vec<Answer>>(bytes);
            all.is_ok_and(|all| all.iter().all(|it| it.seq <= SEQ_MAX))
        })
    })
}

/// A subscription: its configuration and its totals.
pub fn subscription(_: &[Value], values: &[Vec<u8>]) -> Verdict {
    let sums = sealed(values, |_| true);
    let is_later = values.iter().any(|it| it.first() != Some(&SEALED));
    sums.or_else(|| match values {
        [config, totals] => judged(is_later || topic::is_subscription(config, totals)),
        _ => Some(CONTENT),
    })
}

/// A value by name.
pub fn named(key: &[Value], values: &[Vec<u8>]) -> Verdict {
    let name = key.first().map_or("", Value::text);
    sealed(values, |bytes| match name {
        "secret" => bytes.len() == 16,
        "config" => {
            serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(bytes).is_ok()
        }
        draw::META => Draws::is_later(bytes) || Draws::decode(bytes).is_ok(),
        tickets::STORED => tickets::is_ring(bytes),
        "state" => topic::is_state(bytes),
        "patterns" => bytes.len() == 8,
        _ => true,
    })
}

/// Of values that are sealed each: whether they can be read, where their version is known.
fn sealed(values: &[Vec<u8>], is_readable: impl Fn(&[u8]) -> bool) -> Verdict {
    values.iter().find_map(|value| match seal::payload(value) {
        None => Some(SUM),
        Some(_) if value.first() != Some(&SEALED) => None,
        Some(payload) => judged(is_readable(payload)),
    })
}

fn judged(is_readable: bool) -> Verdict {
    (!is_readable).then_some(CONTENT)
}
