//! What an operator is told of rows that were damaged and taken out of service.

use crate::time::Millis;

/// What is known of something damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Counts what was ever found here; 1 is the first.
    pub number: u64,
    /// When it was found.
    pub at_ms: Millis,
    /// The table it stood in.
    pub source: String,
    /// Its key there.
    pub place: String,
    /// What is wrong with it.
    pub why: String,
    /// How many messages were lost with it, as far as that is known.
    pub messages: u64,
    /// No message before this number was lost with it.
    pub from_seq: u64,
    /// Nor this one or one after it.
    pub to_seq: u64,
    /// Bytes that are kept.
    pub bytes: u64,
    /// The larger of its values, or its only one.
    pub body: Vec<u8>,
    /// The other.
    pub head: Vec<u8>,
}
