//! The grammar of event patterns: from JSON to what is asked of a message.
//!
//! Strict where EventBridge is lenient: a field that no message has, a `$or` that is none, a name
//! given twice are mistakes, not patterns that never match.

use super::super::json::{Kind, Value};
use super::super::problem::{Budget, Problem};
use super::cidr::Network;
use super::matcher::Matcher;
use super::operand::{numeric, operator, plain, string, textual, unexpected, unknown_operator};
use super::{Node, Object};

const OR: &str = "$or";
const OPERATORS: &str =
    "anything-but, cidr, equals-ignore-case, exists, numeric, prefix, suffix or wildcard";
const OPERATORS_INSIDE_NOT: &str = "equals-ignore-case, prefix, suffix or wildcard";

/// Where in a message an object of the pattern stands, which decides what fields there can be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Message,
    Attributes,
    Body,
    /// A place that holds text: no object.
    Text,
}

/// Reads one pattern.
#[derive(Default)]
pub struct Compiler {
    budget: Budget,
}

impl Compiler {
    /// An object of fields.
    pub fn object(&mut self, value: Value<'_>, scope: Scope) -> Result<Object, Problem> {
        self.budget.enter(value.position())?;
        let mut object = Object {
            fields: Vec::new(),
            alternatives: Vec::new(),
        };
        for (name_value, value) in value.fields() {
            self.budget.take(name_value.position())?;
            let name = name_value.checked_text()?;
            let twice = match &*name {
                OR => !object.alternatives.is_empty(),
                name => object.fields.iter().any(|(other, _)| other == name),
            };
            if twice {
                let detail = format!("expected each field once, found {name:?} again");
                return Err(Problem::new(name_value.position(), detail));
            }
            if name == OR {
                object.alternatives = self.alternatives(value, scope)?;
            } else {
                let inner = scope.inside(&name, name_value.position())?;
                object
                    .fields
                    .push((name.into_owned(), self.node(value, inner)?));
            }
        }
        if object.fields.is_empty() && object.alternatives.is_empty() {
            return Err(Problem::new(
                value.position(),
                "expected at least one field, found none",
            ));
        }
        self.budget.leave();
        Ok(object)
    }

    fn alternatives(&mut self, value: Value<'_>, scope: Scope) -> Result<Vec<Object>, Problem> {
        let expected = "an array of objects";
        if value.kind() != Kind::Array {
            return Err(unexpected(value, expected));
        }
        let alternative = |one: Value<'_>| match one.kind() {
            Kind::Object => self.object(one, scope),
            _ => Err(unexpected(one, "an object of fields")),
        };
        let alternatives = value
            .elements()
            .map(alternative)
            .collect::<Result<Vec<_>, _>>()?;
        match alternatives.is_empty() {
            true => Err(Problem::new(
                value.position(),
                "expected at least one alternative",
            )),
            false => Ok(alternatives),
        }
    }

    fn node(&mut self, value: Value<'_>, scope: Scope) -> Result<Node, Problem> {
        match (value.kind(), scope) {
            (Kind::Object, Scope::Attributes | Scope::Body) => {
                Ok(Node::Object(self.object(value, scope)?))
            }
            (_, Scope::Attributes) => Err(unexpected(value, "an object of attribute names")),
            (Kind::Array, _) => Ok(Node::Leaf(self.list(value, Self::matcher)?)),
            (_, Scope::Body) => Err(unexpected(
                value,
                "an array of values or an object of fields",
            )),
            _ => Err(unexpected(value, "an array of values")),
        }
    }

    /// An array with at least one element, each of which is one part of the filter.
    fn list<T>(
        &mut self,
        value: Value<'_>,
        mut element: impl FnMut(&mut Self, Value<'_>) -> Result<T, Problem>,
    ) -> Result<Vec<T>, Problem> {
        let mut list = Vec::new();
        for one in value.elements() {
            self.budget.take(one.position())?;
            list.push(element(self, one)?);
        }
        match list.is_empty() {
            true => Err(Problem::new(
                value.position(),
                "expected at least one value, found none",
            )),
            false => Ok(list),
        }
    }

    fn matcher(&mut self, value: Value<'_>) -> Result<Matcher, Problem> {
        if value.kind() != Kind::Object {
            return plain(value);
        }
        let (name, operand) = operator(value, OPERATORS)?;
        match &*name.checked_text()? {
            "anything-but" => Ok(Matcher::AnythingBut(self.exceptions(operand)?)),
            "numeric" => numeric(operand),
            "exists" => match operand.kind() {
                Kind::Bool(wanted) => Ok(Matcher::Exists(wanted)),
                _ => Err(unexpected(operand, "true or false")),
            },
            "cidr" => match Network::parse(&string(operand)?) {
                Some(network) => Ok(Matcher::Cidr(network)),
                None => Err(unexpected(
                    operand,
                    "a network such as 10.0.0.0/8 or 2001:db8::/32",
                )),
            },
            other => match textual(other, operand) {
                Some(matcher) => matcher,
                None => Err(unknown_operator(name, other, OPERATORS)),
            },
        }
    }

    /// What `anything-but` excludes: a value, a list of values, or an operator on a string or on a
    /// list.
    fn exceptions(&mut self, value: Value<'_>) -> Result<Vec<Matcher>, Problem> {
        match value.kind() {
            Kind::Array => self.list(value, |_, one| plain(one)),
            Kind::Object => {
                let (name, operand) = operator(value, OPERATORS_INSIDE_NOT)?;
                let name_text = name.checked_text()?;
                let one = |operand: Value<'_>| match textual(&name_text, operand) {
                    Some(matcher) => matcher,
                    None => Err(unknown_operator(name, &name_text, OPERATORS_INSIDE_NOT)),
                };
                match operand.kind() {
                    Kind::Array => self.list(operand, |_, operand| one(operand)),
                    _ => Ok(vec![one(operand)?]),
                }
            }
            _ => Ok(vec![plain(value)?]),
        }
    }
}

impl Scope {
    fn inside(self, field: &str, at: usize) -> Result<Self, Problem> {
        match (self, field) {
            (Self::Message, "attributes") => Ok(Self::Attributes),
            (Self::Message, "body") => Ok(Self::Body),
            (Self::Message, "content_type" | "key") => Ok(Self::Text),
            (Self::Message, other) => {
                let fields = "attributes, body, content_type, key or $or";
                Err(Problem::new(
                    at,
                    format!("expected {fields}, found {other:?}"),
                ))
            }
            (Self::Body, _) => Ok(Self::Body),
            (Self::Attributes | Self::Text, _) => Ok(Self::Text),
        }
    }
}
