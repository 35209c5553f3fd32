//! Event patterns: JSON in the shape of what it matches, in the form of EventBridge's.
//!
//! All fields of an object must hold; of the values listed for a field, one must accept one of the
//! values found there. An array in a body stands for its elements, and all fields of an object hold
//! within one and the same element. Invariant: reading a body costs at most one pass per part of
//! the pattern. Out of scope: the grammar ([`compile`]) and what a single value accepts
//! ([`matcher`]).

mod cidr;
mod compile;
mod matcher;
mod operand;

use super::Subject;
use super::json::{Kind, Value};
use super::problem::Problem;
use crate::limits::MESSAGE_BYTES_MAX;
use compile::{Compiler, Scope};
use matcher::{Matcher, Scalar};
use std::cell::OnceCell;

/// The field whose presence means that the body is needed.
const BODY: &str = "body";

/// A compiled event pattern.
#[derive(Clone, Debug)]
pub struct Pattern(Object);

impl Pattern {
    /// Compiles a JSON object.
    pub fn compile(value: Value<'_>) -> Result<Self, Problem> {
        let mut root = Compiler::default().object(value, Scope::Message)?;
        root.put_last(BODY);
        Ok(Self(root))
    }

    /// Whether the message passes.
    pub fn matches(&self, subject: &Subject<'_>) -> bool {
        let event = Event {
            subject,
            body: OnceCell::new(),
        };
        self.0.holds(Record::Message(&event))
    }

    /// Whether any part looks at the body.
    pub fn needs_body(&self) -> bool {
        self.0.names(BODY)
    }
}

/// Fields that must all hold and, where there is `$or`, alternatives of which one must hold as
/// well.
#[derive(Clone, Debug)]
struct Object {
    fields: Vec<(String, Node)>,
    alternatives: Vec<Object>,
}

#[derive(Clone, Debug)]
enum Node {
    Object(Object),
    Leaf(Vec<Matcher>),
}

/// A message, its body read as JSON at most once, and only when a field of the pattern asks for it.
struct Event<'a> {
    subject: &'a Subject<'a>,
    body: OnceCell<Place<'a>>,
}

/// What stands where a field of the pattern points.
#[derive(Clone, Copy)]
enum Place<'a> {
    /// Nothing.
    Missing,
    /// A body that is not JSON: nothing holds there, not even that a field is missing.
    Unreadable,
    /// The attributes as a whole.
    Attributes(&'a [(String, String)]),
    /// The value of an attribute, the key, or the content type.
    Text(&'a str),
    /// A value in the body.
    Json(Value<'a>),
}

/// Something with fields.
#[derive(Clone, Copy)]
enum Record<'a> {
    Message(&'a Event<'a>),
    Attributes(&'a [(String, String)]),
    Json(Value<'a>),
    Empty,
}

impl<'a> Event<'a> {
    fn field(&self, name: &str) -> Place<'a> {
        let optional = |text: Option<&'a str>| text.map_or(Place::Missing, Place::Text);
        match name {
            "attributes" => Place::Attributes(self.subject.attributes),
            "content_type" => optional(self.subject.content_type),
            "key" => optional(self.subject.key),
            BODY => *self.body.get_or_init(|| read_body(self.subject.body)),
            _ => Place::Missing,
        }
    }
}

fn read_body(body: &[u8]) -> Place<'_> {
    if body.len() > MESSAGE_BYTES_MAX {
        return Place::Unreadable;
    }
    let value = std::str::from_utf8(body)
        .ok()
        .and_then(|text| Value::read(text).ok());
    value.map_or(Place::Unreadable, Place::Json)
}

impl Object {
    fn holds(&self, record: Record<'_>) -> bool {
        let fields_hold = match record {
            Record::Message(event) => self.all(|name| event.field(name)),
            Record::Attributes(attributes) => self.all(|name| attribute(attributes, name)),
            Record::Json(object) => self.all_in(object),
            Record::Empty => self.all(|_| Place::Missing),
        };
        let alternatives = &self.alternatives;
        fields_hold && (alternatives.is_empty() || alternatives.iter().any(|one| one.holds(record)))
    }

    fn all<'a>(&self, place: impl Fn(&str) -> Place<'a>) -> bool {
        self.fields
            .iter()
            .all(|(name, node)| node.holds(place(name)))
    }

    /// One pass over the object for all fields. Of a name that occurs twice, the last counts.
    fn all_in(&self, object: Value<'_>) -> bool {
        let mut places = vec![Place::Missing; self.fields.len()];
        if !places.is_empty() {
            for (name, value) in object.fields() {
                let name = name.text();
                if let Some(index) = self.fields.iter().position(|(wanted, _)| *wanted == name) {
                    places[index] = Place::Json(value);
                }
            }
        }
        self.fields
            .iter()
            .zip(places)
            .all(|((_, node), place)| node.holds(place))
    }

    fn names(&self, field: &str) -> bool {
        self.fields.iter().any(|(name, _)| name == field)
            || self.alternatives.iter().any(|one| one.names(field))
    }

    /// Has a costly field asked last: when another field fails, it is not asked at all.
    fn put_last(&mut self, field: &str) {
        self.fields.sort_by_key(|(name, _)| name == field);
        self.alternatives
            .iter_mut()
            .for_each(|one| one.put_last(field));
    }
}

impl Node {
    fn holds(&self, place: Place<'_>) -> bool {
        match (self, place) {
            (_, Place::Unreadable) => false,
            (Self::Object(object), Place::Attributes(attributes)) => {
                object.holds(Record::Attributes(attributes))
            }
            (Self::Object(object), Place::Json(value)) => holds_in_one(object, value),
            (Self::Object(object), Place::Missing | Place::Text(_)) => object.holds(Record::Empty),
            (Self::Leaf(matchers), Place::Json(value)) => accepts_one(matchers, value),
            (Self::Leaf(matchers), Place::Text(text)) => matchers
                .iter()
                .any(|matcher| matcher.accepts(&Scalar::Untyped(text))),
            (Self::Leaf(matchers), Place::Missing | Place::Attributes(_)) => {
                allows_absence(matchers)
            }
        }
    }
}

/// An object of the pattern against a value: all fields hold within one of the objects found there.
/// Where there is none, its fields are missing, which is what `exists: false` asks.
fn holds_in_one(object: &Object, value: Value<'_>) -> bool {
    let mut found = false;
    for element in value
        .flattened()
        .filter(|value| value.kind() == Kind::Object)
    {
        found = true;
        if object.holds(Record::Json(element)) {
            return true;
        }
    }
    !found && object.holds(Record::Empty)
}

/// The values of a leaf against a value: one accepts one of the scalars found there. Where there is
/// none (an empty array, or an object, which is no leaf) the field is missing.
fn accepts_one(matchers: &[Matcher], value: Value<'_>) -> bool {
    let mut found = false;
    for scalar in value.flattened().filter_map(Scalar::read) {
        found = true;
        if matchers.iter().any(|matcher| matcher.accepts(&scalar)) {
            return true;
        }
    }
    !found && allows_absence(matchers)
}

fn allows_absence(matchers: &[Matcher]) -> bool {
    matchers
        .iter()
        .any(|matcher| matches!(matcher, Matcher::Exists(false)))
}

fn attribute<'a>(attributes: &'a [(String, String)], name: &str) -> Place<'a> {
    let found = attributes.iter().find(|(own, _)| own == name);
    found.map_or(Place::Missing, |(_, value)| Place::Text(value))
}
