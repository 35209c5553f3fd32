//! What filters accept, refuse and answer, as tables; and what holds of every filter, as
//! properties.

mod documents;
mod faults;
mod pattern;
mod pieces;
mod properties;
mod selector;

use super::{Filter, Subject};
use proptest::prelude::ProptestConfig;

/// Compiles a filter that is known to be right.
fn filter(json_text: &str) -> Filter {
    Filter::compile(json_text).unwrap_or_else(|fault| panic!("{json_text}: {fault}"))
}

/// A filter whose JSON is a string: a selector.
fn selector_json(selector: &str) -> String {
    serde_json::Value::from(selector).to_string()
}

fn attributes(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn with_body(body: &[u8]) -> Subject<'_> {
    Subject {
        attributes: &[],
        body,
        content_type: None,
        key: None,
    }
}

/// Whether a pattern over the body holds of a body.
fn body_matches(pattern: &str, body: &str) -> bool {
    filter(&format!("{{\"body\": {pattern}}}")).matches(&with_body(body.as_bytes()))
}

/// Properties over this many cases; what fails becomes a row of a table, not a file of seeds.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}
