//! What one value of a pattern accepts.

use super::super::comparison::Comparison;
use super::super::decimal::Decimal;
use super::super::fold::Folded;
use super::super::glob::Glob;
use super::super::json::{Kind, Value};
use super::cidr::Network;
use std::borrow::Cow;

/// One value, or one operator, of a leaf.
#[derive(Clone, Debug)]
pub enum Matcher {
    Null,
    Bool(bool),
    Number(Decimal<'static>),
    Text(String),
    Prefix(String),
    Suffix(String),
    FoldedEquals(Folded),
    FoldedPrefix(Folded),
    FoldedSuffix(Folded),
    Wildcard(Glob),
    Cidr(Network),
    /// All of these comparisons.
    Numeric(Vec<(Comparison, Decimal<'static>)>),
    /// A value, any value, as long as none of these accepts it.
    AnythingBut(Vec<Matcher>),
    /// `true`: any value. `false` accepts none; it is asked where there is no value.
    Exists(bool),
}

/// A value of a message that is no array and no object.
#[derive(Clone, Debug)]
pub enum Scalar<'a> {
    Null,
    Bool(bool),
    Number(Decimal<'a>),
    Text(Cow<'a, str>),
    /// An attribute, the key or the content type: text that also counts as the number or boolean it
    /// spells, as there is no other way to publish one there.
    Untyped(&'a str),
}

impl<'a> Scalar<'a> {
    /// Reads a value of the body; `None` for an array or an object.
    pub fn read(value: Value<'a>) -> Option<Self> {
        Some(match value.kind() {
            Kind::Null => Self::Null,
            Kind::Bool(truth) => Self::Bool(truth),
            Kind::Number => Self::Number(Decimal::parse(value.raw())?),
            Kind::Text => Self::Text(value.text()),
            Kind::Array | Kind::Object => return None,
        })
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Untyped(text) => Some(text),
            Self::Null | Self::Bool(_) | Self::Number(_) => None,
        }
    }

    fn number(&self) -> Option<Cow<'_, Decimal<'a>>> {
        match self {
            Self::Number(number) => Some(Cow::Borrowed(number)),
            Self::Untyped(text) => Decimal::parse(text).map(Cow::Owned),
            Self::Null | Self::Bool(_) | Self::Text(_) => None,
        }
    }

    fn truth(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            Self::Untyped("true") => Some(true),
            Self::Untyped("false") => Some(false),
            _ => None,
        }
    }
}

impl Matcher {
    /// Whether it accepts a value that is there.
    pub fn accepts(&self, scalar: &Scalar<'_>) -> bool {
        let text_is = |test: &dyn Fn(&str) -> bool| scalar.text().is_some_and(test);
        match self {
            Self::Null => matches!(scalar, Scalar::Null),
            Self::Bool(truth) => scalar.truth() == Some(*truth),
            Self::Number(number) => scalar.number().is_some_and(|other| *other == *number),
            Self::Text(own) => text_is(&|text| text == own),
            Self::Prefix(own) => text_is(&|text| text.starts_with(own.as_str())),
            Self::Suffix(own) => text_is(&|text| text.ends_with(own.as_str())),
            Self::FoldedEquals(own) => text_is(&|text| own.equals(text)),
            Self::FoldedPrefix(own) => text_is(&|text| own.begins(text)),
            Self::FoldedSuffix(own) => text_is(&|text| own.ends(text)),
            Self::Wildcard(glob) => text_is(&|text| glob.matches(text)),
            Self::Cidr(network) => text_is(&|text| network.contains(text)),
            Self::Numeric(comparisons) => scalar.number().is_some_and(|number| {
                comparisons
                    .iter()
                    .all(|(comparison, bound)| comparison.holds((*number).cmp(bound)))
            }),
            Self::AnythingBut(others) => !others.iter().any(|other| other.accepts(scalar)),
            Self::Exists(wanted) => *wanted,
        }
    }
}
