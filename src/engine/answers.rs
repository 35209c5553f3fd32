//! What a turn hands out: bounded for all who ask together, since all of it is in memory at once,
//! as it is stored, rendered, and laid out for the host.

use crate::command::Delivery;
use crate::error::{ErrorCode, Fault};
use crate::limits::{ANSWERS_BYTES_PER_TURN_MAX, PULL_BYTES_MAX};

/// The bytes that one turn has handed out.
#[derive(Debug, Default)]
pub(super) struct Answers {
    bytes: usize,
}

impl Answers {
    /// Whether there is room for one more answer, of the largest there is.
    pub fn has_room(&self) -> bool {
        self.bytes + PULL_BYTES_MAX <= ANSWERS_BYTES_PER_TURN_MAX
    }

    /// The same for those who do not wait for the next turn.
    ///
    /// # Errors
    /// `overloaded`.
    pub fn expect_room(&self) -> Result<(), Fault> {
        if self.has_room() {
            return Ok(());
        }
        let detail = "more is read here at a time than there is memory for";
        Err(Fault::new(ErrorCode::Overloaded, detail).with(|f| f.retry_after_ms = Some(1_000)))
    }

    /// Notes bytes that are handed out.
    pub fn add(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    /// Notes messages that are handed out.
    pub fn add_all(&mut self, messages: &[Delivery]) {
        let bytes = |sum, it: &Delivery| sum + it.answer_bytes(sum);
        self.add(messages.iter().fold(0, bytes));
    }
}
