//! The values and operands of a leaf: from JSON to a [`Matcher`].

use super::super::FILTER_WILDCARDS_MAX;
use super::super::comparison::Comparison;
use super::super::decimal::Decimal;
use super::super::fold::Folded;
use super::super::glob::{Glob, Symbol};
use super::super::json::{Kind, Value};
use super::super::problem::Problem;
use super::matcher::Matcher;

/// A value that is compared as it is.
pub fn plain(value: Value<'_>) -> Result<Matcher, Problem> {
    match value.kind() {
        Kind::Null => Ok(Matcher::Null),
        Kind::Bool(truth) => Ok(Matcher::Bool(truth)),
        Kind::Number => Ok(Matcher::Number(number(value)?)),
        Kind::Text => Ok(Matcher::Text(string(value)?)),
        Kind::Array | Kind::Object => Err(unexpected(value, "a string, number, boolean or null")),
    }
}

/// An object with one field, which is an operator's name.
pub fn operator<'a>(value: Value<'a>, names: &str) -> Result<(Value<'a>, Value<'a>), Problem> {
    let mut fields = value.fields();
    match (fields.next(), fields.next()) {
        (Some(field), None) => Ok(field),
        (None, _) => Err(Problem::new(
            value.position(),
            format!("expected {names}, found nothing"),
        )),
        (_, Some((second, _))) => {
            let detail =
                "expected one operator in an object; put a second one beside it in the array";
            Err(Problem::new(second.position(), detail))
        }
    }
}

/// The operators on text that may also stand inside `anything-but`; `None` for any other name.
pub fn textual(name: &str, operand: Value<'_>) -> Option<Result<Matcher, Problem>> {
    Some(match name {
        "prefix" => affix(operand, Matcher::Prefix, Matcher::FoldedPrefix),
        "suffix" => affix(operand, Matcher::Suffix, Matcher::FoldedSuffix),
        "equals-ignore-case" => {
            string(operand).map(|text| Matcher::FoldedEquals(Folded::new(&text)))
        }
        "wildcard" => wildcard(operand).map(Matcher::Wildcard),
        _ => return None,
    })
}

/// The operand of `prefix` and `suffix`: a string, or `{"equals-ignore-case": string}`.
fn affix(
    operand: Value<'_>,
    exact: fn(String) -> Matcher,
    folded: fn(Folded) -> Matcher,
) -> Result<Matcher, Problem> {
    const FOLD: &str = "equals-ignore-case";
    match operand.kind() {
        Kind::Text => string(operand).map(exact),
        Kind::Object => {
            let (name, text) = operator(operand, FOLD)?;
            match &*name.checked_text()? {
                FOLD => Ok(folded(Folded::new(&string(text)?))),
                other => Err(unknown_operator(name, other, FOLD)),
            }
        }
        _ => Err(unexpected(
            operand,
            "a string or {\"equals-ignore-case\": string}",
        )),
    }
}

/// `*` is any run of characters; `\*` and `\\` are the characters themselves.
fn wildcard(operand: Value<'_>) -> Result<Glob, Problem> {
    let text = string(operand)?;
    let problem = |detail: &str| Err(Problem::new(operand.position(), detail));
    let mut symbols = Vec::new();
    let mut runs = 0;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let symbol = match character {
            '*' => Symbol::AnyRun,
            '\\' => match characters.next() {
                Some(escaped @ ('*' | '\\')) => Symbol::One(escaped),
                _ => return problem("expected * or \\ after \\ in a wildcard"),
            },
            other => Symbol::One(other),
        };
        if symbol == Symbol::AnyRun {
            runs += 1;
            if symbols.last() == Some(&Symbol::AnyRun) {
                return problem("expected something between two * of a wildcard");
            }
        }
        symbols.push(symbol);
    }
    if runs > FILTER_WILDCARDS_MAX {
        return problem(&format!(
            "expected at most {FILTER_WILDCARDS_MAX} * in a wildcard"
        ));
    }
    Ok(Glob::new(&symbols))
}

/// A comparison, or a lower and an upper bound.
pub fn numeric(operand: Value<'_>) -> Result<Matcher, Problem> {
    if operand.kind() != Kind::Array {
        return Err(unexpected(
            operand,
            "an array such as [\">\", 0, \"<=\", 5]",
        ));
    }
    let mut comparisons = Vec::new();
    let mut elements = operand.elements();
    while let Some(sign) = elements.next() {
        let comparison = match sign.kind() {
            Kind::Text => Comparison::parse(&sign.text()),
            _ => None,
        };
        let Some(comparison) = comparison else {
            return Err(unexpected(
                sign,
                "one of \"=\", \"<\", \"<=\", \">\" and \">=\"",
            ));
        };
        match elements.next() {
            Some(bound) if bound.kind() == Kind::Number => {
                comparisons.push((comparison, number(bound)?));
            }
            Some(other) => return Err(unexpected(other, "a number")),
            None => {
                return Err(Problem::new(
                    sign.position(),
                    "expected a number after the sign",
                ));
            }
        }
    }
    use Comparison::{Greater, GreaterOrEqual, Less, LessOrEqual};
    let problem = |detail: &str| Err(Problem::new(operand.position(), detail));
    match comparisons.as_slice() {
        [_] => Ok(Matcher::Numeric(comparisons)),
        [(Greater | GreaterOrEqual, low), (Less | LessOrEqual, high)] if low < high => {
            Ok(Matcher::Numeric(comparisons))
        }
        [(Greater | GreaterOrEqual, _), (Less | LessOrEqual, _)] => {
            problem("expected a lower bound that is less than the upper one")
        }
        _ => problem("expected one comparison, or a lower bound and then an upper one"),
    }
}

fn number(value: Value<'_>) -> Result<Decimal<'static>, Problem> {
    match Decimal::parse(value.raw()) {
        Some(number) => Ok(number.into_owned()),
        None => Err(unexpected(value, "a number")),
    }
}

/// A string, without half characters.
pub fn string(value: Value<'_>) -> Result<String, Problem> {
    match value.kind() {
        Kind::Text => Ok(value.checked_text()?.into_owned()),
        _ => Err(unexpected(value, "a string")),
    }
}

/// The problem of a value that is not what was expected.
pub fn unexpected(value: Value<'_>, expected: &str) -> Problem {
    let found = match value.kind() {
        Kind::Text => value.raw().to_owned(),
        kind => kind.to_string(),
    };
    Problem::new(
        value.position(),
        format!("expected {expected}, found {found}"),
    )
}

/// The problem of an operator whose name is none of `names`.
pub fn unknown_operator(name: Value<'_>, found: &str, names: &str) -> Problem {
    Problem::new(
        name.position(),
        format!("expected {names}, found {found:?}"),
    )
}
