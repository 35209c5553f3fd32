//! The journal's earlier forms: an entry for each message. Read, never written; frozen.

use super::idempotency::Answer;
use super::journal::Meta;
use super::outstanding::Entry;
use serde::Deserialize;

/// The version byte before there was a line.
pub const VERSION: u8 = 1;
/// The version byte with the line's state behind it.
pub const VERSION_WITH_LINE: u8 = 2;

/// A journal row.
#[derive(Deserialize)]
pub struct Record {
    pub meta: Meta,
    pub put: Vec<(u64, Entry)>,
    pub removed: Vec<u64>,
    pub answers: Vec<Answer>,
}

/// A page of a checkpoint.
#[derive(Deserialize)]
pub struct Page {
    pub meta: Option<Meta>,
    pub entries: Vec<(u64, Entry)>,
}
