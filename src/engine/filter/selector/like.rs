//! The patterns of `LIKE`: `%` is any run of characters, `_` any one.

use super::super::FILTER_WILDCARDS_MAX;
use super::super::glob::{Glob, Symbol};

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
    Ok(Glob::new(&symbols))
}
