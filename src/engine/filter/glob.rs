//! Text patterns with gaps: `*` of a `wildcard`, `%` and `_` of `LIKE`.
//!
//! A pattern is cut at its runs into pieces. The first piece must begin the text, the last must end
//! it, and each one between is taken at its first occurrence: taking it later could only leave less
//! for the rest. So nothing is ever tried twice, and searching for a piece is linear, also with `_` in
//! it: then all places where it may have begun are followed at once, as bits of a word (Baeza-Yates
//! and Gonnet, A New Approach to Text Searching, 1992). So such a piece has at most `GAPPED_MAX`
//! characters, unless it is the first or the last.

/// Characters of a piece with `_` in it between two runs: the bits of a word.
pub const GAPPED_MAX: usize = 64;

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
            Self::Gapped(symbols) => skip_past_gapped(symbols, text),
        }
    }
}

/// What comes after the first place that a piece of at most [`GAPPED_MAX`] characters fits.
fn skip_past_gapped<'t>(symbols: &[Option<char>], text: &'t str) -> Option<&'t str> {
    let mask = |wanted: Option<char>| {
        let bits = symbols.iter().enumerate();
        let fitting = bits.filter(|(_, it)| it.is_none() || (wanted.is_some() && **it == wanted));
        fitting.fold(0_u64, |mask, (bit, _)| mask | 1 << bit)
    };
    let any = mask(None);
    let mut masks: Vec<(char, u64)> = symbols.iter().flatten().map(|it| (*it, 0)).collect();
    masks.sort_unstable();
    masks.dedup();
    for (character, bits) in &mut masks {
        *bits = mask(Some(*character));
    }
    let whole = 1_u64 << (symbols.len() - 1);
    // A bit for each place where it may have begun: so much of it has fit from there.
    let mut state = 0_u64;
    for (at, character) in text.char_indices() {
        let known = masks.binary_search_by_key(&character, |(it, _)| *it);
        let fits = known.map_or(any, |found| masks[found].1);
        state = (state << 1 | 1) & fits;
        if state & whole != 0 {
            return text.get(at + character.len_utf8()..);
        }
    }
    None
}

fn agrees(symbol: Option<char>, character: Option<char>) -> bool {
    character.is_some() && (symbol.is_none() || symbol == character)
}
