//! The words of a selector.

use super::super::problem::Problem;
use super::number::Number;
use std::fmt;

/// A token and the byte at which it begins.
#[derive(Clone, Debug)]
pub struct Token {
    pub at: usize,
    pub word: Word,
}

/// What a token is.
#[derive(Clone, Debug)]
pub enum Word {
    /// A name, bare or in double quotes.
    Name(String),
    Keyword(Keyword),
    /// A string in single quotes.
    Text(String),
    /// An integer, without its sign: 2^63 is one only after a minus.
    Exact(u64),
    /// A number with a point or an exponent.
    Approximate(Number),
    Sign(&'static str),
    End,
}

/// The reserved words; no bare name is one of them, in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyword {
    And,
    Between,
    Escape,
    False,
    In,
    Is,
    Like,
    Not,
    Null,
    Or,
    True,
}

const KEYWORDS: [(&str, Keyword); 11] = [
    ("AND", Keyword::And),
    ("BETWEEN", Keyword::Between),
    ("ESCAPE", Keyword::Escape),
    ("FALSE", Keyword::False),
    ("IN", Keyword::In),
    ("IS", Keyword::Is),
    ("LIKE", Keyword::Like),
    ("NOT", Keyword::Not),
    ("NULL", Keyword::Null),
    ("OR", Keyword::Or),
    ("TRUE", Keyword::True),
];

/// Longer signs before those they begin with.
const SIGNS: [&str; 13] = [
    "<>", "<=", ">=", "=", "<", ">", "(", ")", ",", "+", "-", "*", "/",
];

impl Keyword {
    /// How it is written.
    pub fn text(self) -> &'static str {
        KEYWORDS
            .iter()
            .find(|(_, keyword)| *keyword == self)
            .map_or("", |(text, _)| text)
    }
}

impl fmt::Display for Word {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(formatter, "the name {name}"),
            Self::Keyword(keyword) => formatter.write_str(keyword.text()),
            Self::Text(text) => write!(formatter, "the string '{text}'"),
            Self::Exact(_) | Self::Approximate(_) => formatter.write_str("a number"),
            Self::Sign(sign) => formatter.write_str(sign),
            Self::End => formatter.write_str("the end"),
        }
    }
}

/// Cuts a selector into tokens; the last one is [`Word::End`].
pub fn tokens(text: &str) -> Result<Vec<Token>, Problem> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.take_while(char::is_whitespace);
        let at = lexer.at;
        let word = lexer.word()?;
        let is_end = matches!(word, Word::End);
        tokens.push(Token { at, word });
        if is_end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn take_while(&mut self, passes: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest
            .find(|character| !passes(character))
            .unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    fn word(&mut self) -> Result<Word, Problem> {
        let mut characters = self.rest().chars();
        let Some(first) = characters.next() else {
            return Ok(Word::End);
        };
        let second = characters.next().unwrap_or_default();
        match first {
            '\'' => self.quoted('\'').map(Word::Text),
            '"' => match self.quoted('"')? {
                name if name.is_empty() => Err(self.problem("expected a name before this \"")),
                name => Ok(Word::Name(name)),
            },
            '0'..='9' => self.number(),
            '.' if second.is_ascii_digit() => self.number(),
            _ if begins_name(first) => Ok(word_of(self.take_while(continues_name))),
            _ => self.sign(),
        }
    }

    /// Text up to the closing quote; two quotes are one of its characters.
    fn quoted(&mut self, quote: char) -> Result<String, Problem> {
        let opening = self.at;
        let mut text = String::new();
        loop {
            self.at += 1;
            text.push_str(self.take_while(|character| character != quote));
            self.at += 1;
            if self.at > self.text.len() {
                return Err(Problem::new(
                    opening,
                    format!("expected a closing {quote} after this one"),
                ));
            }
            if !self.rest().starts_with(quote) {
                return Ok(text);
            }
            text.push(quote);
        }
    }

    /// A number in the syntax of Java: decimal, hexadecimal (`0x1F`) or octal (`017`), with an `L`
    /// or not; or with a point or an exponent, with an `f` or `d` or not.
    fn number(&mut self) -> Result<Word, Problem> {
        let start = self.at;
        let digits = self.take_while(|character| character.is_ascii_digit());
        if digits == "0" && self.rest().starts_with(['x', 'X']) {
            self.at += 1;
            let digits = self.take_while(|character| character.is_ascii_hexdigit());
            return self.exact(start, digits, 16);
        }
        if self.rest().starts_with('.') {
            self.at += 1;
            self.take_while(|character| character.is_ascii_digit());
        }
        if self.rest().starts_with(['e', 'E']) {
            self.at += 1;
            self.take_one(['+', '-']);
            self.take_while(|character| character.is_ascii_digit());
        }
        let is_integer = self.at == start + digits.len();
        let spelling = self.text.get(start..self.at).unwrap_or_default();
        if is_integer && !self.rest().starts_with(['f', 'F', 'd', 'D']) {
            let radix = if digits.len() > 1 && digits.starts_with('0') {
                8
            } else {
                10
            };
            return self.exact(start, digits, radix);
        }
        self.take_one(['f', 'F', 'd', 'D']);
        self.end_of_number()?;
        match spelling
            .parse()
            .ok()
            .filter(|value: &f64| value.is_finite())
        {
            Some(value) => Ok(Word::Approximate(Number::Approximate(value))),
            None => Err(Problem::new(
                start,
                "expected a number such as 1.5 or 2e10, below 1.8e308",
            )),
        }
    }

    fn exact(&mut self, start: usize, digits: &str, radix: u32) -> Result<Word, Problem> {
        self.take_one(['l', 'L']);
        self.end_of_number()?;
        match u64::from_str_radix(digits, radix) {
            Ok(exact) if exact <= 1 << 63 => Ok(Word::Exact(exact)),
            _ => {
                let detail =
                    "expected an integer of at most 9223372036854775807, such as 25, 0x19 or 031";
                Err(Problem::new(start, detail))
            }
        }
    }

    fn take_one(&mut self, set: impl AsRef<[char]>) {
        if self.rest().starts_with(set.as_ref()) {
            self.at += 1;
        }
    }

    fn end_of_number(&self) -> Result<(), Problem> {
        match self.rest().starts_with(continues_name) {
            true => Err(self.problem("expected a space or an operator after the number")),
            false => Ok(()),
        }
    }

    fn sign(&mut self) -> Result<Word, Problem> {
        match SIGNS.iter().find(|sign| self.rest().starts_with(**sign)) {
            Some(sign) => {
                self.at += sign.len();
                Ok(Word::Sign(sign))
            }
            None if self.rest().starts_with('!') => Err(self.problem("expected <> for inequality")),
            None => {
                let detail = "expected a name, a number, a string in single quotes or an operator";
                Err(self.problem(detail))
            }
        }
    }

    fn problem(&self, detail: &str) -> Problem {
        Problem::new(self.at, detail)
    }
}

fn begins_name(character: char) -> bool {
    character.is_alphabetic() || matches!(character, '_' | '$')
}

/// As in Java, and the dot, so that `order.total` needs no quotes.
fn continues_name(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '$' | '.')
}

fn word_of(text: &str) -> Word {
    let keyword = KEYWORDS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text));
    keyword.map_or_else(
        || Word::Name(text.to_owned()),
        |(_, keyword)| Word::Keyword(*keyword),
    )
}
