//! A message on its way in, whichever form it came in: headers, a line of a batch, a CloudEvent.

use super::attributes::Attributes;
use super::fields::range_words;
use crate::command::Draft;
use crate::error::{ErrorCode, Fault};
use crate::limits::{
    CONTENT_TYPE_CHARS_MAX, DELAY_MS_MAX, HOLD_MS_MAX, IDEMPOTENCY_KEY_CHARS_MAX, KEY_CHARS_MAX,
    MESSAGE_BYTES_MAX, PRIORITY_DEFAULT, PRIORITY_MAX, RETENTION_MS_MAX, SEQ_MAX,
};
use crate::time::Millis;
use std::borrow::Cow;
use std::ops::RangeInclusive;

/// A message, borrowed where its form allows.
#[derive(Clone, Debug)]
pub struct Incoming<'a> {
    /// Opaque bytes.
    pub body: Cow<'a, [u8]>,
    /// As given.
    pub content_type: Option<Cow<'a, str>>,
    /// Ordering and per-key limit.
    pub key: Option<Cow<'a, str>>,
    /// Makes a repeat harmless.
    pub idempotency_key: Option<Cow<'a, str>>,
    /// See [`Draft::delay_ms`].
    pub delay_ms: Millis,
    /// See [`Draft::ttl_ms`].
    pub ttl_ms: Option<Millis>,
    /// See [`Draft::hold_ms`].
    pub hold_ms: Option<Millis>,
    /// 0 to 9, higher first.
    pub priority: u8,
    /// Names and values.
    pub attributes: Attributes<'a>,
    /// The last number of the topic it is published to, if that is to be another one no more.
    pub expect_seq: Option<u64>,
}

impl Default for Incoming<'_> {
    fn default() -> Self {
        Self {
            body: Cow::Borrowed(&[]),
            content_type: None,
            key: None,
            idempotency_key: None,
            delay_ms: 0,
            ttl_ms: None,
            hold_ms: None,
            priority: PRIORITY_DEFAULT,
            attributes: Attributes::default(),
            expect_seq: None,
        }
    }
}

impl Incoming<'_> {
    /// Refuses what only a topic can heed.
    ///
    /// # Errors
    /// `bad-request` naming the header.
    pub fn expect_queue(&self) -> Result<(), Fault> {
        match self.expect_seq {
            None => Ok(()),
            Some(_) => Err(Fault::bad("Tidegate-Expect-Seq", "this is for topics")),
        }
    }

    /// The message as the command has it.
    #[must_use]
    pub fn draft(&self) -> Draft<'_> {
        Draft {
            body: &self.body,
            content_type: self.content_type.as_deref(),
            key: self.key.as_deref(),
            idempotency_key: self.idempotency_key.as_deref(),
            delay_ms: self.delay_ms,
            ttl_ms: self.ttl_ms,
            hold_ms: self.hold_ms,
            priority: self.priority,
            attributes: self.attributes.iter().collect(),
        }
    }
}

/// A number that says when or how a message is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// Deliverable only after this.
    DelayMs,
    /// Expires after this.
    TtlMs,
    /// Held for confirmation for this long.
    HoldMs,
    /// Higher first.
    Priority,
    /// The last number of a topic.
    ExpectSeq,
}

impl Number {
    /// What it may be.
    #[must_use]
    pub const fn range(self) -> RangeInclusive<u64> {
        match self {
            Self::DelayMs => 0..=DELAY_MS_MAX,
            Self::TtlMs => 1..=RETENTION_MS_MAX,
            Self::HoldMs => 1..=HOLD_MS_MAX,
            Self::Priority => 0..=PRIORITY_MAX as u64,
            Self::ExpectSeq => 0..=SEQ_MAX,
        }
    }

    /// Sets it, `value` being in its range.
    pub fn set(self, message: &mut Incoming<'_>, value: u64) {
        match self {
            Self::DelayMs => message.delay_ms = value,
            Self::TtlMs => message.ttl_ms = Some(value),
            Self::HoldMs => message.hold_ms = Some(value),
            Self::Priority => message.priority = value as u8,
            Self::ExpectSeq => message.expect_seq = Some(value),
        }
    }

    /// Reads decimal digits.
    ///
    /// # Errors
    /// A sentence on what it may be.
    pub fn parse(self, text: &str) -> Result<u64, String> {
        let range = self.range();
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let number = digits.then(|| text.parse().ok()).flatten();
        number
            .filter(|n| range.contains(n))
            .ok_or_else(|| range_words(&range))
    }
}

/// Checks a key.
///
/// # Errors
/// A sentence on what it may be.
pub fn check_key(text: &str) -> Result<(), String> {
    check_chars(text, KEY_CHARS_MAX)
}

/// Checks an idempotency key.
///
/// # Errors
/// A sentence on what it may be.
pub fn check_idempotency_key(text: &str) -> Result<(), String> {
    check_chars(text, IDEMPOTENCY_KEY_CHARS_MAX)
}

/// Checks a content type.
///
/// # Errors
/// A sentence on what it may be.
pub fn check_content_type(text: &str) -> Result<(), String> {
    check_chars(text, CONTENT_TYPE_CHARS_MAX)
}

/// Checks the size of a body against the interface's limit; the queue's own is the engine's to
/// check.
///
/// # Errors
/// `message-too-large`.
pub fn check_size(bytes: usize) -> Result<(), Fault> {
    if bytes > MESSAGE_BYTES_MAX {
        Err(too_large())
    } else {
        Ok(())
    }
}

/// The fault of a body that no queue takes.
#[must_use]
pub fn too_large() -> Fault {
    let detail = format!("no message may be larger than {MESSAGE_BYTES_MAX} bytes");
    Fault::new(ErrorCode::MessageTooLarge, detail)
        .with(|f| f.limit = Some(MESSAGE_BYTES_MAX as u64))
}

fn check_chars(text: &str, chars_max: usize) -> Result<(), String> {
    // Bytes are no fewer than characters: the common case counts nothing.
    let fits = !text.is_empty() && (text.len() <= chars_max || text.chars().count() <= chars_max);
    if fits {
        Ok(())
    } else {
        Err(format!("1 to {chars_max} characters belong here"))
    }
}
