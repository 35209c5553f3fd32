//! Filters: which messages a reader, a subscription or a pull wants.
//!
//! A filter is JSON text, compiled once and asked per message. An object is an event pattern
//! (`pattern`), a string is a selector (`selector`). Owns the two languages and their limits.
//! Invariants: compiling and matching never panic, allocate little, and take time bounded by the
//! limits below times the size of the message. Out of scope: where a filter comes from and which
//! messages it is asked about. `docs/FILTERS.md` is the description for users.

mod comparison;
mod decimal;
mod fold;
mod glob;
mod json;
mod pattern;
mod problem;
mod selector;
#[cfg(test)]
mod tests;

use crate::error::Fault;
use json::{Kind, Value};
use pattern::Pattern;
use problem::Problem;
use selector::Selector;

/// Bytes of a filter, as JSON text.
pub const FILTER_BYTES_MAX: usize = 4_096;
/// Levels of nesting in a filter: objects and `$or` in a pattern; parentheses, `NOT` and signs in a
/// selector. Compiling recurses at most this deep, matching at most as deep as there are nodes.
pub const FILTER_LEVELS_MAX: usize = 32;
/// Parts of a filter: fields, values and alternatives of a pattern; names, literals and operators
/// of a selector. Each looks at the message at most once.
pub const FILTER_NODES_MAX: usize = 256;
/// `*` in one `wildcard`, `%` in one `LIKE`. Each is one search to the right, never back.
pub const FILTER_WILDCARDS_MAX: usize = 8;

/// A compiled filter.
#[derive(Clone, Debug)]
pub struct Filter {
    language: Language,
}

#[derive(Clone, Debug)]
enum Language {
    Pattern(Pattern),
    Selector(Selector),
    /// Each of these has to let a message pass.
    All(Vec<Filter>),
}

/// What a filter looks at: one message.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Names and values, as published.
    pub attributes: &'a [(String, String)],
    /// Opaque bytes; a pattern that names `body` reads them as JSON.
    pub body: &'a [u8],
    /// As published.
    pub content_type: Option<&'a str>,
    /// As published.
    pub key: Option<&'a str>,
}

impl Filter {
    /// Compiles a filter from JSON text: an object is an event pattern, a string a selector.
    ///
    /// # Errors
    /// `BadRequest` with field `filter`. The detail names the character, counted from 1: of the
    /// JSON text for a pattern, of the decoded string for a selector.
    pub fn compile(json_text: &str) -> Result<Self, Fault> {
        if json_text.len() > FILTER_BYTES_MAX {
            let detail = format!("a filter is at most {FILTER_BYTES_MAX} bytes of JSON");
            return Err(Fault::bad("filter", detail)
                .with(|figures| figures.limit = Some(FILTER_BYTES_MAX as u64)));
        }
        let in_json = |problem: Problem| problem.into_fault("filter", json_text);
        let value = Value::read(json_text).map_err(in_json)?;
        let language = match value.kind() {
            Kind::Object => {
                let in_pattern = |problem: Problem| problem.into_fault("pattern", json_text);
                Language::Pattern(Pattern::compile(value).map_err(in_pattern)?)
            }
            Kind::Text => {
                let text = value.checked_text().map_err(in_json)?;
                let in_selector = |problem: Problem| problem.into_fault("selector", &text);
                Language::Selector(Selector::compile(&text).map_err(in_selector)?)
            }
            kind => {
                let detail = format!(
                    "expected an object (an event pattern) or a string (a selector), found {kind}"
                );
                return Err(in_json(Problem::new(value.position(), detail)));
            }
        };
        Ok(Self { language })
    }

    /// What passes each of these filters.
    #[must_use]
    pub fn all(filters: Vec<Self>) -> Self {
        Self {
            language: Language::All(filters),
        }
    }

    /// Whether the message passes.
    #[must_use]
    pub fn matches(&self, subject: &Subject<'_>) -> bool {
        match &self.language {
            Language::Pattern(pattern) => pattern.matches(subject),
            Language::Selector(selector) => selector.truth(subject) == Some(true),
            Language::All(filters) => filters.iter().all(|it| it.matches(subject)),
        }
    }

    /// Whether the verdict depends on the body. Where it does not, `Subject::body` may be left
    /// empty.
    #[must_use]
    pub fn needs_body(&self) -> bool {
        match &self.language {
            Language::Pattern(pattern) => pattern.needs_body(),
            Language::Selector(_) => false,
            Language::All(filters) => filters.iter().any(Self::needs_body),
        }
    }
}
