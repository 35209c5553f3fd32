//! What is fuzzed: every place where bytes that others chose are read.
//!
//! A target is a name, a function that must neither panic nor break what it asserts, whatever the
//! bytes, and seeds that get a fuzzer past the first checks. Two drivers use the table:
//! `tests/fuzz/main.rs` (seeded mutations, part of `cargo test`) and `fuzz/` (libFuzzer, guided by
//! coverage, `npm run fuzz`).

mod batch;
mod command;
mod damage;
mod edge;
mod filter;
mod push;
mod relay;
mod stored;
mod tables;
mod text;
mod token;
mod topic;
mod topic_tables;

/// One place where bytes are read.
pub struct Target {
    /// As on the command line, and in `tests/fuzz/corpus/`.
    pub name: &'static str,
    /// Reads the bytes; panics where a rule is broken.
    pub run: fn(&[u8]),
    /// Inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    batch::BATCH,
    edge::HEAD,
    edge::BODY,
    edge::VERDICT,
    edge::SETTINGS,
    command::COMMAND,
    command::DIRECTORY,
    stored::SEGMENT,
    tables::TABLES,
    filter::FILTER,
    text::TEXT,
    topic::TOPIC,
    topic_tables::TOPIC_TABLES,
    relay::RELAY,
    push::ENDPOINT,
    push::CONFIG,
    push::ANSWER,
    token::TOKEN,
    token::KEYS,
    token::SCOPE,
];

/// A text as a seed.
fn seed(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

/// The text before the first byte zero, and what is behind it.
fn halves(bytes: &[u8]) -> (&[u8], &[u8]) {
    let at = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    (&bytes[..at], bytes.get(at + 1..).unwrap_or_default())
}
