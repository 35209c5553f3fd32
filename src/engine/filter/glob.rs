//! Text patterns with gaps: `*` of a `wildcard`, `%` and `_` of `LIKE`.
//!
//! A pattern is cut at its runs into pieces. The first piece must begin the text, the last must end
//! it, and each one between is taken at its first occurrence: taking it later could only leave less
//! for the rest. So nothing is ever tried twice. Searching for a piece is linear, and with `_` in
//! it at most the length of the text times that of the piece.

/// One part of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symbol {
    /// This character.
    One(char),
    /// Any one character.
    AnyOne,
    /// Any characters, or none.
    AnyRun,
}

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Glob {
    first: Piece,
    rest: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Plain(String),
    Gapped(Vec<Option<char>>),
}

impl Glob {
    /// Compiles a pattern from its symbols.
    pub fn new(symbols: &[Symbol]) -> Self {
        let mut pieces = symbols
            .split(|symbol| *symbol == Symbol::AnyRun)
            .map(Piece::new);
        let first = pieces.next().unwrap_or_else(|| Piece::Plain(String::new()));
        Self {
            first,
            rest: pieces.collect(),
        }
    }

    /// Whether the whole text has this form.
    pub fn matches(&self, text: &str) -> bool {
        let Some(text) = self.first.strip_from_start(text) else {
            return false;
        };
        let Some((last, middle)) = self.rest.split_last() else {
            return text.is_empty();
        };
        let Some(mut text) = last.strip_from_end(text) else {
            return false;
        };
        middle
            .iter()
            .all(|piece| match piece.skip_past_first(text) {
                Some(rest) => {
                    text = rest;
                    true
                }
                None => false,
            })
    }
}

impl Piece {
    fn new(symbols: &[Symbol]) -> Self {
        let characters = symbols.iter().map(|symbol| match symbol {
            Symbol::One(character) => Some(*character),
            Symbol::AnyOne | Symbol::AnyRun => None,
        });
        match characters.clone().collect() {
            Some(plain) => Self::Plain(plain),
            None => Self::Gapped(characters.collect()),
        }
    }

    fn strip_from_start<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Self::Plain(plain) => text.strip_prefix(plain.as_str()),
            Self::Gapped(symbols) => {
                let mut characters = text.chars();
                let fits = symbols
                    .iter()
                    .all(|symbol| agrees(*symbol, characters.next()));
                fits.then_some(characters.as_str())
            }
        }
    }

    fn strip_from_end<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Self::Plain(plain) => text.strip_suffix(plain.as_str()),
            Self::Gapped(symbols) => {
                let mut characters = text.chars();
                let fits = symbols
                    .iter()
                    .rev()
                    .all(|symbol| agrees(*symbol, characters.next_back()));
                fits.then_some(characters.as_str())
            }
        }
    }

    fn skip_past_first<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Self::Plain(plain) => text
                .find(plain.as_str())
                .and_then(|at| text.get(at + plain.len()..)),
            Self::Gapped(_) => {
                let starts = text.char_indices().map(|(at, _)| at);
                starts
                    .filter_map(|at| text.get(at..))
                    .find_map(|tail| self.strip_from_start(tail))
            }
        }
    }
}

fn agrees(symbol: Option<char>, character: Option<char>) -> bool {
    character.is_some() && (symbol.is_none() || symbol == character)
}
