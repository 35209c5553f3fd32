//! The types of selectors: what each place takes, and what a comparison means by the types of its
//! sides.
//!
//! A name fits everywhere and is read as what the place wants. Literals that cannot fit are
//! refused.

use super::super::comparison::Comparison;
use super::super::problem::Problem;
use super::{Arithmetic, Condition, Expression, Name, Text};

/// The opposite.
pub fn not(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}

/// Equality, by the types of both sides.
pub fn equal(left: Expression, right: Expression) -> Condition {
    use Expression::{Condition as Truth, Name, Number, Text as Literal};
    let ordered = |left, right| Condition::Ordered(left, Comparison::Equal, right);
    let truths = |left, right| Condition::SameTruth(Box::new((left, right)));
    match (left, right) {
        (Name(left), Name(right)) => Condition::SameText(Text::Name(left), Text::Name(right)),
        (Name(name), Literal(text)) | (Literal(text), Name(name)) => {
            Condition::SameText(Text::Name(name), Text::Literal(text))
        }
        (Literal(left), Literal(right)) => {
            Condition::SameText(Text::Literal(left), Text::Literal(right))
        }
        (Name(name), Number(number)) | (Number(number), Name(name)) => {
            ordered(Arithmetic::Name(name), number)
        }
        (Number(left), Number(right)) => ordered(left, right),
        (Name(name), Truth(truth)) | (Truth(truth), Name(name)) => {
            truths(Condition::Flag(name), truth)
        }
        (Truth(left), Truth(right)) => truths(left, right),
        unlike => Condition::Unlike(Box::new(unlike)),
    }
}

/// What stands where a condition has to.
pub fn condition(expression: Expression, at: usize) -> Result<Condition, Problem> {
    match expression {
        Expression::Condition(condition) => Ok(condition),
        Expression::Name(name) => Ok(Condition::Flag(name)),
        other => Err(mismatch("a condition", &other, at)),
    }
}

/// What stands where a number has to.
pub fn number(expression: Expression, at: usize) -> Result<Arithmetic, Problem> {
    match expression {
        Expression::Number(number) => Ok(number),
        Expression::Name(name) => Ok(Arithmetic::Name(name)),
        other => Err(mismatch("a number", &other, at)),
    }
}

/// What stands where a name has to.
pub fn name(expression: Expression, at: usize) -> Result<Name, Problem> {
    match expression {
        Expression::Name(name) => Ok(name),
        other => Err(mismatch("a name", &other, at)),
    }
}

fn mismatch(expected: &str, found: &Expression, at: usize) -> Problem {
    let found = match found {
        Expression::Condition(_) => "a condition",
        Expression::Number(_) => "a number",
        Expression::Text(_) => "a string",
        Expression::Name(_) => "a name",
    };
    Problem::new(at, format!("expected {expected}, found {found}"))
}
