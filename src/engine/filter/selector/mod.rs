//! Selectors: conditions on attributes in the SQL-92 subset of JMS, with its three-valued logic.
//!
//! Text becomes tokens ([`lexer`]), tokens a typed tree ([`parser`]), and the tree is true, false
//! or unknown of a message ([`evaluate`]). Attributes are strings, so what they are compared with
//! decides what they are read as: a number where they spell one, a boolean where they spell one,
//! else unknown.

mod evaluate;
mod lexer;
mod like;
mod number;
mod parser;
mod typing;

use super::Subject;
use super::comparison::Comparison;
use super::glob::Glob;
use super::problem::Problem;
use number::{Number, Operation};

/// A compiled selector.
#[derive(Clone, Debug)]
pub struct Selector(Condition);

impl Selector {
    /// Compiles the text of a selector.
    pub fn compile(text: &str) -> Result<Self, Problem> {
        parser::parse(lexer::tokens(text)?).map(Self)
    }

    /// What the selector says of a message; `None` is unknown.
    pub fn truth(&self, subject: &Subject<'_>) -> Option<bool> {
        self.0.truth(subject)
    }
}

/// Something of a message that has a name in selectors.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    Attribute(String),
    ContentType,
    Key,
}

impl Name {
    fn new(text: String) -> Self {
        match text.as_str() {
            "TidegateContentType" => Self::ContentType,
            "TidegateKey" => Self::Key,
            _ => Self::Attribute(text),
        }
    }
}

/// What is true, false or unknown.
#[derive(Clone, Debug)]
enum Condition {
    Constant(bool),
    /// A name that stands for a boolean.
    Flag(Name),
    Not(Box<Condition>),
    All(Vec<Condition>),
    Any(Vec<Condition>),
    /// A comparison of numbers.
    Ordered(Arithmetic, Comparison, Arithmetic),
    /// Equality of texts, character by character.
    SameText(Text, Text),
    /// Equality of truths.
    SameTruth(Box<(Condition, Condition)>),
    /// Equality of values of different types: false, or unknown where one is unknown.
    Unlike(Box<(Expression, Expression)>),
    Like(Name, Glob),
    In(Name, Members),
    IsNull(Name),
}

/// The list of an `IN`.
#[derive(Clone, Debug, Default)]
struct Members {
    texts: Vec<String>,
    numbers: Vec<Number>,
}

/// What is a text.
#[derive(Clone, Debug)]
enum Text {
    Name(Name),
    Literal(String),
}

/// What is a number, or unknown.
#[derive(Clone, Debug)]
enum Arithmetic {
    Name(Name),
    Literal(Number),
    Negative(Box<Arithmetic>),
    Operation(Operation, Box<(Arithmetic, Arithmetic)>),
}

/// Any of them. A name has no type of its own: it takes that of what it meets.
#[derive(Clone, Debug)]
enum Expression {
    Condition(Condition),
    Number(Arithmetic),
    Text(String),
    Name(Name),
}
