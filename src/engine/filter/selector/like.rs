//! The patterns of `LIKE`: `%` is any run of characters, `_` any one.

use super::super::FILTER_WILDCARDS_MAX;
use super::super::glob::{GAPPED_MAX, Glob, Symbol};

/// Compiles a pattern. After the escape character, `%`, `_` and the escape character stand for
/// themselves.
///
/// # Errors
/// What was expected instead.
pub fn compile(pattern: &str, escape: Option<char>) -> Result<Glob, String> {
    let mut symbols = Vec::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        symbols.push(match character {
            own if Some(own) == escape => match characters.next() {
                Some(escaped) if matches!(escaped, '%' | '_') || escaped == own => {
                    Symbol::One(escaped)
                }
                _ => {
                    return Err(format!(
                        "expected %, _ or {own} after the escape character {own}"
                    ));
                }
            },
            '%' => Symbol::AnyRun,
            '_' => Symbol::AnyOne,
            other => Symbol::One(other),
        });
    }
    if symbols
        .iter()
        .filter(|symbol| **symbol == Symbol::AnyRun)
        .count()
        > FILTER_WILDCARDS_MAX
    {
        return Err(format!(
            "expected at most {FILTER_WILDCARDS_MAX} % in a pattern"
        ));
    }
    let mut pieces: Vec<_> = symbols.split(|it| *it == Symbol::AnyRun).collect();
    // The first and the last have their place.
    pieces.pop();
    let has_gaps = |piece: &&[Symbol]| piece.contains(&Symbol::AnyOne);
    let mut middle = pieces.into_iter().skip(1).filter(has_gaps);
    if middle.any(|piece| piece.len() > GAPPED_MAX) {
        return Err(format!(
            "expected at most {GAPPED_MAX} characters between two % where _ is one of them"
        ));
    }
    Ok(Glob::new(&symbols))
}
