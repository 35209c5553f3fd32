//! A view of JSON text: checked once, then walked in place.
//!
//! Nothing is copied but strings with escapes, numbers keep all their digits, and every value knows
//! where it stands, for error messages. Arrays inside arrays are flattened without recursion, so a
//! body nested a million deep costs no stack. Out of scope: checking the grammar, which is
//! `serde_json`'s.

use super::problem::Problem;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::iter::from_fn;

/// A value inside text that is known to be valid JSON.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    source: &'a str,
    start: usize,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Null,
    Bool(bool),
    Number,
    Text,
    Array,
    Object,
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Null => "null",
            Self::Bool(true) => "true",
            Self::Bool(false) => "false",
            Self::Number => "a number",
            Self::Text => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        })
    }
}

impl<'a> Value<'a> {
    /// Checks that the text is one JSON value.
    pub fn read(source: &'a str) -> Result<Self, Problem> {
        match serde_json::from_str::<&RawValue>(source) {
            Ok(_) => Ok(Self {
                source,
                start: skip(source, 0, is_blank),
            }),
            Err(error) => Err(syntax_problem(source, &error)),
        }
    }

    /// The byte at which the value begins.
    pub fn position(self) -> usize {
        self.start
    }

    /// What it is.
    pub fn kind(self) -> Kind {
        match byte(self.source, self.start) {
            b'n' => Kind::Null,
            b't' => Kind::Bool(true),
            b'f' => Kind::Bool(false),
            b'"' => Kind::Text,
            b'[' => Kind::Array,
            b'{' => Kind::Object,
            _ => Kind::Number,
        }
    }

    /// The value as it is spelt.
    pub fn raw(self) -> &'a str {
        self.source
            .get(self.start..value_end(self.source, self.start))
            .unwrap_or_default()
    }

    /// A string's text. JSON allows an escape for half a character (`\ud800`), which is no text:
    /// such a string stands for its spelling.
    pub fn text(self) -> Cow<'a, str> {
        let raw = self.raw();
        let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
        if !inner.contains('\\') {
            return Cow::Borrowed(inner);
        }
        serde_json::from_str(raw).map_or(Cow::Borrowed(inner), Cow::Owned)
    }

    /// A string's text, or a problem where there is half a character.
    pub fn checked_text(self) -> Result<Cow<'a, str>, Problem> {
        match serde_json::from_str::<String>(self.raw()) {
            Ok(_) => Ok(self.text()),
            Err(_) => Err(Problem::new(
                self.start,
                "expected whole characters after \\u",
            )),
        }
    }

    /// The elements of an array.
    pub fn elements(self) -> impl Iterator<Item = Value<'a>> {
        let source = self.source;
        let mut at = self.start + 1;
        from_fn(move || {
            let start = skip(source, at, is_separator);
            if matches!(byte(source, start), b']' | 0) {
                return None;
            }
            at = value_end(source, start);
            Some(Value { source, start })
        })
    }

    /// The fields of an object: names and values.
    pub fn fields(self) -> impl Iterator<Item = (Value<'a>, Value<'a>)> {
        let source = self.source;
        let mut at = self.start + 1;
        from_fn(move || {
            let name = skip(source, at, is_separator);
            if matches!(byte(source, name), b'}' | 0) {
                return None;
            }
            let start = skip(source, value_end(source, name), is_separator);
            at = value_end(source, start);
            Some((
                Value {
                    source,
                    start: name,
                },
                Value { source, start },
            ))
        })
    }

    /// The value itself, or what is in it if it is an array, however deeply arrays are nested.
    pub fn flattened(self) -> impl Iterator<Item = Value<'a>> {
        let source = self.source;
        let mut at = self.start;
        let mut depth = 0_usize;
        let mut over = false;
        from_fn(move || {
            while !over {
                let start = skip(source, at, is_separator);
                match byte(source, start) {
                    b'[' => (depth, at) = (depth + 1, start + 1),
                    b']' => (depth, at) = (depth.saturating_sub(1), start + 1),
                    0 => return None,
                    _ => {
                        at = value_end(source, start);
                        over = depth == 0;
                        return Some(Value { source, start });
                    }
                }
                over = depth == 0;
            }
            None
        })
    }
}

fn syntax_problem(source: &str, error: &serde_json::Error) -> Problem {
    let line_start = match error.line() {
        0 | 1 => 0,
        line => source
            .match_indices('\n')
            .nth(line - 2)
            .map_or(0, |(at, _)| at + 1),
    };
    let at = match error.is_eof() {
        true => source.len(),
        false => line_start + error.column().saturating_sub(1),
    };
    let message = error.to_string();
    let what = message.split(" at line ").next().unwrap_or_default();
    Problem::new(at, format!("expected JSON: {what}"))
}

fn byte(source: &str, at: usize) -> u8 {
    source.as_bytes().get(at).copied().unwrap_or(0)
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn is_separator(byte: u8) -> bool {
    is_blank(byte) || matches!(byte, b',' | b':')
}

fn skip(source: &str, mut at: usize, passes: fn(u8) -> bool) -> usize {
    while passes(byte(source, at)) {
        at += 1;
    }
    at
}

fn value_end(source: &str, start: usize) -> usize {
    match byte(source, start) {
        b'"' => string_end(source, start),
        b'[' | b'{' => container_end(source, start),
        _ => skip(source, start, |byte| {
            !is_separator(byte) && !matches!(byte, b']' | b'}' | 0)
        }),
    }
}

fn string_end(source: &str, start: usize) -> usize {
    let mut at = start + 1;
    loop {
        match byte(source, at) {
            b'"' => return at + 1,
            b'\\' => at += 2,
            0 => return source.len(),
            _ => at += 1,
        }
    }
}

fn container_end(source: &str, start: usize) -> usize {
    let mut at = start;
    let mut depth = 0_usize;
    loop {
        match byte(source, at) {
            b'"' => {
                at = string_end(source, at);
                continue;
            }
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            0 => return source.len(),
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return at;
        }
    }
}
