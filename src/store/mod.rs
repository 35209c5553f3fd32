//! The port to SQL: the one way the engine reaches storage.
//!
//! Two adapters stand behind it: the object's own SQLite on the platform (`platform/sql.rs`), and
//! SQLite under the platform's limits in native tests. The caller opens the transaction around a
//! whole turn; when anything here fails, the turn is rolled back and all memory of it dropped.
//! Decides nothing.

pub mod meta;
pub mod schema;
pub mod seal;
mod sealing;
pub mod topic_schema;

/// A value bound to a statement or read from a row. Integers stay within ±2^53: the platform
/// carries them as JavaScript numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// A whole number within ±(2^53 − 1).
    Int(i64),
    /// UTF-8 text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl Value {
    /// The number, or zero for anything else.
    #[must_use]
    pub fn int(&self) -> i64 {
        if let Self::Int(n) = self { *n } else { 0 }
    }

    /// The number as a count, sequence number or instant; zero for anything else.
    #[must_use]
    pub fn uint(&self) -> u64 {
        u64::try_from(self.int()).unwrap_or(0)
    }

    /// The text, or nothing.
    #[must_use]
    pub fn text(&self) -> &str {
        if let Self::Text(s) = self { s } else { "" }
    }

    /// The same value on its way in.
    #[must_use]
    pub fn as_arg(&self) -> Arg<'_> {
        match self {
            Self::Null => Arg::Null,
            Self::Int(n) => Arg::Int(*n),
            Self::Text(text) => Arg::Text(text),
            Self::Blob(bytes) => Arg::Blob(bytes),
        }
    }

    /// The bytes, taken out; empty for anything else.
    #[must_use]
    pub fn into_blob(self) -> Vec<u8> {
        if let Self::Blob(b) = self {
            b
        } else {
            Vec::new()
        }
    }
}

/// The first value of the first row, if there is one.
#[must_use]
pub fn scalar(rows: Vec<Vec<Value>>) -> Option<Value> {
    rows.into_iter().next()?.into_iter().next()
}

/// A value on its way in, borrowed.
#[derive(Clone, Copy, Debug)]
pub enum Arg<'a> {
    /// SQL NULL.
    Null,
    /// A whole number within ±(2^53 − 1).
    Int(i64),
    /// UTF-8 text.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
}

/// The largest whole number that travels exactly: a JavaScript number has 53 bits for it.
const INT_MAX: u64 = (1 << 53) - 1;

impl From<u64> for Arg<'_> {
    /// A larger number means "never" or "none" wherever there is one (an instant, a sequence
    /// number), and so does the largest that travels.
    fn from(n: u64) -> Self {
        Self::Int(n.min(INT_MAX).cast_signed())
    }
}

impl<'a> From<&'a str> for Arg<'a> {
    fn from(s: &'a str) -> Self {
        Self::Text(s)
    }
}

impl<'a> From<&'a [u8]> for Arg<'a> {
    fn from(b: &'a [u8]) -> Self {
        Self::Blob(b)
    }
}

/// Storage failed: the turn must be rolled back and the object's memory dropped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("storage: {0}")]
pub struct StoreError(pub String);

/// One object's database.
pub trait Sql {
    /// Runs one statement, given as a constant so that the platform's statement cache finds it, and
    /// returns all its rows.
    ///
    /// # Errors
    /// Whatever the database said; see [`StoreError`].
    fn exec(
        &mut self,
        statement: &'static str,
        args: &[Arg<'_>],
    ) -> Result<Vec<Vec<Value>>, StoreError>;
}
