//! Numbers of selectors: exact (64-bit integers) and approximate (64-bit floating point), as in
//! Java.

use super::super::decimal::is_decimal;
use std::cmp::Ordering;

/// A number; approximate ones are finite.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    Exact(i64),
    Approximate(f64),
}

/// An arithmetic operation on two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
}

impl Number {
    /// Reads a decimal number: an integer that fits is exact, every other one approximate. `None`
    /// for text that spells no number, or one beyond all floating point.
    pub fn parse(text: &str) -> Option<Self> {
        if !is_decimal(text) {
            return None;
        }
        match text.parse() {
            Ok(exact) => Some(Self::Exact(exact)),
            Err(_) => Self::finite(text.parse().ok()?),
        }
    }

    fn finite(value: f64) -> Option<Self> {
        value.is_finite().then_some(Self::Approximate(value))
    }

    fn approximate(self) -> f64 {
        match self {
            Self::Exact(exact) => exact as f64,
            Self::Approximate(approximate) => approximate,
        }
    }

    /// The number with the other sign.
    pub fn negated(self) -> Self {
        match self {
            Self::Exact(exact) => match exact.checked_neg() {
                Some(negated) => Self::Exact(negated),
                None => Self::Approximate(-(exact as f64)),
            },
            Self::Approximate(approximate) => Self::Approximate(-approximate),
        }
    }

    /// Java's numeric promotion: exact with exact stays exact, so that `7 / 2` is 3. Where Java
    /// would wrap around the result is approximate, and where there is none (division by zero) it
    /// is unknown.
    pub fn combine(self, operation: Operation, other: Self) -> Option<Self> {
        if let (Self::Exact(left), Self::Exact(right)) = (self, other) {
            let exact = match operation {
                Operation::Add => left.checked_add(right),
                Operation::Subtract => left.checked_sub(right),
                Operation::Multiply => left.checked_mul(right),
                Operation::Divide => left.checked_div(right),
            };
            if let Some(exact) = exact {
                return Some(Self::Exact(exact));
            }
        }
        let (left, right) = (self.approximate(), other.approximate());
        Self::finite(match operation {
            Operation::Add => left + right,
            Operation::Subtract => left - right,
            Operation::Multiply => left * right,
            Operation::Divide => left / right,
        })
    }

    /// The order of two numbers, exactly: no integer is rounded to be compared.
    pub fn order(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Exact(left), Self::Exact(right)) => left.cmp(&right),
            (Self::Exact(left), Self::Approximate(right)) => exact_order(left, right),
            (Self::Approximate(left), Self::Exact(right)) => exact_order(right, left).reverse(),
            // Finite numbers are always ordered.
            (Self::Approximate(left), Self::Approximate(right)) => {
                left.partial_cmp(&right).unwrap_or(Ordering::Equal)
            }
        }
    }
}

fn exact_order(exact: i64, approximate: f64) -> Ordering {
    /// 2^63, the first number that is too large for an `i64`.
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    if approximate >= BEYOND {
        return Ordering::Less;
    }
    if approximate < -BEYOND {
        return Ordering::Greater;
    }
    let fraction = approximate.fract();
    let by_fraction = 0.0_f64.partial_cmp(&fraction).unwrap_or(Ordering::Equal);
    exact.cmp(&(approximate.trunc() as i64)).then(by_fraction)
}
