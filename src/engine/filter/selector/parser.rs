//! The grammar of selectors: tokens become a typed tree.
//!
//! From loosest to tightest: `OR`, `AND`, `NOT`, one comparison, `+ -`, `* /`, signs.

use super::super::problem::{Budget, Problem};
use super::Comparison;
use super::lexer::{Keyword, Token, Word};
use super::number::{Number, Operation};
use super::typing::{condition, equal, name, not, number};
use super::{Arithmetic, Condition, Expression, Members, Name, like};

/// Parses a whole selector.
pub fn parse(tokens: Vec<Token>) -> Result<Condition, Problem> {
    let mut parser = Parser {
        tokens: tokens.into_iter().peekable(),
        budget: Budget::default(),
    };
    let at = parser.at();
    let expression = parser.any()?;
    let condition = condition(expression, at)?;
    match parser.tokens.peek() {
        None
        | Some(Token {
            word: Word::End, ..
        }) => Ok(condition),
        Some(_) => Err(parser.unexpected("AND, OR or the end")),
    }
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    budget: Budget,
}

impl Parser {
    fn at(&mut self) -> usize {
        self.tokens.peek().map_or(0, |token| token.at)
    }

    fn unexpected(&mut self, expected: &str) -> Problem {
        let found = self.tokens.peek().map_or(&Word::End, |token| &token.word);
        let detail = format!("expected {expected}, found {found}");
        Problem::new(self.at(), detail)
    }

    /// Takes a keyword if it is next.
    fn keyword(&mut self, wanted: Keyword) -> bool {
        let is_wanted = |token: &Token| matches!(token.word, Word::Keyword(own) if own == wanted);
        self.tokens.next_if(is_wanted).is_some()
    }

    fn sign(&mut self, wanted: &str) -> bool {
        let is_wanted = |token: &Token| matches!(token.word, Word::Sign(own) if own == wanted);
        self.tokens.next_if(is_wanted).is_some()
    }

    /// Takes the sign that is next if `known` knows it.
    fn one_of<T>(&mut self, known: fn(&str) -> Option<T>) -> Option<T> {
        let Some(Token {
            word: Word::Sign(sign),
            ..
        }) = self.tokens.peek()
        else {
            return None;
        };
        let known = known(sign)?;
        self.tokens.next();
        Some(known)
    }

    fn text(&mut self, expected: &str) -> Result<String, Problem> {
        match self
            .tokens
            .next_if(|token| matches!(token.word, Word::Text(_)))
        {
            Some(Token {
                word: Word::Text(text),
                ..
            }) => Ok(text),
            _ => Err(self.unexpected(expected)),
        }
    }

    fn any(&mut self) -> Result<Expression, Problem> {
        self.chain(Keyword::Or, Condition::Any, |parser| {
            parser.chain(Keyword::And, Condition::All, Self::negation)
        })
    }

    /// Conditions joined by a keyword; without one, whatever it is.
    fn chain(
        &mut self,
        joint: Keyword,
        join: fn(Vec<Condition>) -> Condition,
        mut part: impl FnMut(&mut Self) -> Result<Expression, Problem>,
    ) -> Result<Expression, Problem> {
        let mut part_at = self.at();
        let mut last = part(self)?;
        let mut parts = Vec::new();
        loop {
            let joint_at = self.at();
            if !self.keyword(joint) {
                break;
            }
            self.budget.take(joint_at)?;
            parts.push(condition(last, part_at)?);
            part_at = self.at();
            last = part(self)?;
        }
        if parts.is_empty() {
            return Ok(last);
        }
        parts.push(condition(last, part_at)?);
        Ok(Expression::Condition(join(parts)))
    }

    fn negation(&mut self) -> Result<Expression, Problem> {
        let not_at = self.at();
        if !self.keyword(Keyword::Not) {
            return self.comparison();
        }
        self.budget.take(not_at)?;
        self.budget.enter(not_at)?;
        let at = self.at();
        let negated = self.negation()?;
        self.budget.leave();
        Ok(Expression::Condition(not(condition(negated, at)?)))
    }

    fn comparison(&mut self) -> Result<Expression, Problem> {
        let left_at = self.at();
        let left = self.sum()?;
        let at = self.at();
        if self.sign("<>") {
            let right = self.compared(at)?;
            return Ok(Expression::Condition(match equal(left, right) {
                unlike @ Condition::Unlike(_) => unlike,
                equal => not(equal),
            }));
        }
        if let Some(comparison) = self.one_of(Comparison::parse) {
            let right_at = self.at();
            let right = self.compared(at)?;
            return Ok(Expression::Condition(match comparison {
                Comparison::Equal => equal(left, right),
                _ => {
                    Condition::Ordered(number(left, left_at)?, comparison, number(right, right_at)?)
                }
            }));
        }
        let negated = self.keyword(Keyword::Not);
        let condition = if self.keyword(Keyword::Between) {
            self.between(number(left, left_at)?)?
        } else if self.keyword(Keyword::Like) {
            self.like(name(left, left_at)?)?
        } else if self.keyword(Keyword::In) {
            self.members(name(left, left_at)?)?
        } else if negated {
            return Err(self.unexpected("BETWEEN, LIKE or IN after NOT"));
        } else if self.keyword(Keyword::Is) {
            self.null(name(left, left_at)?)?
        } else {
            return Ok(left);
        };
        self.budget.take(at)?;
        Ok(Expression::Condition(if negated {
            not(condition)
        } else {
            condition
        }))
    }

    /// The right side of a comparison whose sign was at `at`.
    fn compared(&mut self, at: usize) -> Result<Expression, Problem> {
        self.budget.take(at)?;
        self.sum()
    }

    fn between(&mut self, value: Arithmetic) -> Result<Condition, Problem> {
        let low_at = self.at();
        let low = number(self.sum()?, low_at)?;
        if !self.keyword(Keyword::And) {
            return Err(self.unexpected("AND between the bounds"));
        }
        let high_at = self.at();
        let high = number(self.sum()?, high_at)?;
        Ok(Condition::All(vec![
            Condition::Ordered(value.clone(), Comparison::GreaterOrEqual, low),
            Condition::Ordered(value, Comparison::LessOrEqual, high),
        ]))
    }

    fn like(&mut self, name: Name) -> Result<Condition, Problem> {
        let at = self.at();
        let pattern = self.text("a pattern in single quotes")?;
        let escape_at = self.at();
        let escape = if self.keyword(Keyword::Escape) {
            let text = self.text("one character in single quotes")?;
            let mut characters = text.chars();
            match (characters.next(), characters.next()) {
                (Some(escape), None) => Some(escape),
                _ => {
                    return Err(Problem::new(
                        escape_at,
                        "expected one character after ESCAPE",
                    ));
                }
            }
        } else {
            None
        };
        let glob = like::compile(&pattern, escape).map_err(|detail| Problem::new(at, detail))?;
        Ok(Condition::Like(name, glob))
    }

    fn members(&mut self, name: Name) -> Result<Condition, Problem> {
        const MEMBER: &str = "a string or a number";
        if !self.sign("(") {
            return Err(self.unexpected("( and a list"));
        }
        let mut members = Members::default();
        loop {
            let at = self.at();
            match self.signed()? {
                Expression::Text(text) => members.texts.push(text),
                Expression::Number(Arithmetic::Literal(number)) => members.numbers.push(number),
                _ => return Err(Problem::new(at, format!("expected {MEMBER}"))),
            }
            if self.sign(")") {
                return Ok(Condition::In(name, members));
            }
            if !self.sign(",") {
                return Err(self.unexpected(", or )"));
            }
        }
    }

    fn null(&mut self, name: Name) -> Result<Condition, Problem> {
        let negated = self.keyword(Keyword::Not);
        if !self.keyword(Keyword::Null) {
            return Err(self.unexpected(if negated { "NULL" } else { "NULL or NOT NULL" }));
        }
        let condition = Condition::IsNull(name);
        Ok(if negated { not(condition) } else { condition })
    }

    fn sum(&mut self) -> Result<Expression, Problem> {
        let sign = |sign: &str| match sign {
            "+" => Some(Operation::Add),
            "-" => Some(Operation::Subtract),
            _ => None,
        };
        self.operations(sign, Self::product)
    }

    fn product(&mut self) -> Result<Expression, Problem> {
        let sign = |sign: &str| match sign {
            "*" => Some(Operation::Multiply),
            "/" => Some(Operation::Divide),
            _ => None,
        };
        self.operations(sign, Self::signed)
    }

    fn operations(
        &mut self,
        sign: fn(&str) -> Option<Operation>,
        part: fn(&mut Self) -> Result<Expression, Problem>,
    ) -> Result<Expression, Problem> {
        let left_at = self.at();
        let mut left = part(self)?;
        loop {
            let at = self.at();
            let Some(operation) = self.one_of(sign) else {
                return Ok(left);
            };
            self.budget.take(at)?;
            let right_at = self.at();
            let right = number(part(self)?, right_at)?;
            let operands = Box::new((number(left, left_at)?, right));
            left = Expression::Number(Arithmetic::Operation(operation, operands));
        }
    }

    fn signed(&mut self) -> Result<Expression, Problem> {
        let sign_at = self.at();
        let negative = self.sign("-");
        if !negative && !self.sign("+") {
            return self.primary();
        }
        if negative && self.smallest() {
            return Ok(Expression::Number(Arithmetic::Literal(Number::Exact(
                i64::MIN,
            ))));
        }
        self.budget.take(sign_at)?;
        self.budget.enter(sign_at)?;
        let at = self.at();
        let operand = number(self.signed()?, at)?;
        self.budget.leave();
        Ok(Expression::Number(match (negative, operand) {
            (false, operand) => operand,
            (true, Arithmetic::Literal(number)) => Arithmetic::Literal(number.negated()),
            (true, operand) => Arithmetic::Negative(Box::new(operand)),
        }))
    }

    /// Takes 2^63, which is an integer only after a minus.
    fn smallest(&mut self) -> bool {
        const SMALLEST: u64 = 1 << 63;
        self.tokens
            .next_if(|token| matches!(token.word, Word::Exact(SMALLEST)))
            .is_some()
    }

    fn primary(&mut self) -> Result<Expression, Problem> {
        let at = self.at();
        self.budget.take(at)?;
        if self.sign("(") {
            self.budget.enter(at)?;
            let inner = self.any()?;
            self.budget.leave();
            return match self.sign(")") {
                true => Ok(inner),
                false => Err(self.unexpected(")")),
            };
        }
        let is_operand = |token: &Token| match &token.word {
            Word::Name(_) | Word::Text(_) | Word::Exact(_) | Word::Approximate(_) => true,
            Word::Keyword(keyword) => matches!(keyword, Keyword::True | Keyword::False),
            Word::Sign(_) | Word::End => false,
        };
        match self.tokens.next_if(is_operand).map(|token| token.word) {
            Some(Word::Name(name)) => Ok(Expression::Name(Name::new(name))),
            Some(Word::Text(text)) => Ok(Expression::Text(text)),
            Some(Word::Approximate(number)) => Ok(Expression::Number(Arithmetic::Literal(number))),
            Some(Word::Exact(exact)) => match i64::try_from(exact) {
                Ok(exact) => Ok(Expression::Number(Arithmetic::Literal(Number::Exact(
                    exact,
                )))),
                Err(_) => Err(Problem::new(at, "expected at most 9223372036854775807")),
            },
            Some(Word::Keyword(keyword)) => Ok(Expression::Condition(Condition::Constant(
                keyword == Keyword::True,
            ))),
            _ => Err(self.unexpected("a name, a value or (")),
        }
    }
}
