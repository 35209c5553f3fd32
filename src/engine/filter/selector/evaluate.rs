//! What a selector says of a message: true, false, or unknown (`None`).

use super::super::Subject;
use super::number::Number;
use super::{Arithmetic, Condition, Expression, Members, Name, Text};

impl Condition {
    /// Three-valued logic: unknown is what could be either.
    pub fn truth(&self, subject: &Subject<'_>) -> Option<bool> {
        match self {
            Self::Constant(truth) => Some(*truth),
            Self::Flag(name) => flag(name.value(subject)?),
            Self::Not(condition) => condition.truth(subject).map(|truth| !truth),
            Self::All(conditions) => decide(conditions, subject, false),
            Self::Any(conditions) => decide(conditions, subject, true),
            Self::Ordered(left, comparison, right) => {
                let (left, right) = (left.value(subject)?, right.value(subject)?);
                Some(comparison.holds(left.order(right)))
            }
            Self::SameText(left, right) => Some(left.value(subject)? == right.value(subject)?),
            Self::SameTruth(sides) => Some(sides.0.truth(subject)? == sides.1.truth(subject)?),
            Self::Unlike(sides) => {
                (sides.0.is_known(subject) && sides.1.is_known(subject)).then_some(false)
            }
            Self::Like(name, glob) => Some(glob.matches(name.value(subject)?)),
            Self::In(name, members) => members.contain(name.value(subject)?),
            Self::IsNull(name) => Some(name.value(subject).is_none()),
        }
    }
}

/// `AND` and `OR`: one condition with the `deciding` truth decides; else one that is unknown leaves
/// it open.
fn decide(conditions: &[Condition], subject: &Subject<'_>, deciding: bool) -> Option<bool> {
    let mut verdict = Some(!deciding);
    for condition in conditions {
        match condition.truth(subject) {
            Some(truth) if truth == deciding => return Some(deciding),
            Some(_) => {}
            None => verdict = None,
        }
    }
    verdict
}

/// An attribute that spells a boolean is one.
fn flag(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        return Some(true);
    }
    text.eq_ignore_ascii_case("false").then_some(false)
}

impl Name {
    fn value<'a>(&self, subject: &Subject<'a>) -> Option<&'a str> {
        match self {
            Self::Attribute(name) => {
                let found = subject.attributes.iter().find(|(own, _)| own == name);
                found.map(|(_, value)| value.as_str())
            }
            Self::ContentType => subject.content_type,
            Self::Key => subject.key,
        }
    }
}

impl Members {
    /// As if compared with each by `=`, joined by `OR`: text is never equal to a number, nor surely
    /// unequal.
    fn contain(&self, text: &str) -> Option<bool> {
        if self.texts.iter().any(|member| member == text) {
            return Some(true);
        }
        if self.numbers.is_empty() {
            return Some(false);
        }
        let number = Number::parse(text)?;
        Some(
            self.numbers
                .iter()
                .any(|member| member.order(number).is_eq()),
        )
    }
}

impl Text {
    fn value<'a>(&'a self, subject: &Subject<'a>) -> Option<&'a str> {
        match self {
            Self::Name(name) => name.value(subject),
            Self::Literal(text) => Some(text),
        }
    }
}

impl Arithmetic {
    fn value(&self, subject: &Subject<'_>) -> Option<Number> {
        match self {
            Self::Name(name) => Number::parse(name.value(subject)?),
            Self::Literal(number) => Some(*number),
            Self::Negative(operand) => operand.value(subject).map(Number::negated),
            Self::Operation(operation, operands) => {
                let left = operands.0.value(subject)?;
                left.combine(*operation, operands.1.value(subject)?)
            }
        }
    }
}

impl Expression {
    fn is_known(&self, subject: &Subject<'_>) -> bool {
        match self {
            Self::Condition(condition) => condition.truth(subject).is_some(),
            Self::Number(number) => number.value(subject).is_some(),
            Self::Text(_) => true,
            Self::Name(name) => name.value(subject).is_some(),
        }
    }
}
