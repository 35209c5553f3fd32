//! What an object tells the edge so that the edge can answer the next publisher by itself.
//!
//! It travels in the header [`HEADER`] of the object's response and never reaches a client.

use super::sieve::Sieve;
use crate::error::{ErrorCode, Fault};
use crate::limits::VERDICT_MS_MAX;
use crate::time::{Millis, SECOND};
use serde::{Deserialize, Serialize};

/// The header between object and edge, base64url of the binary form.
pub const HEADER: &str = "tidegate-verdict";
/// The header between object and edge that says, in the answer to a preflight, how often an address
/// may publish without credentials.
pub const ACCESS_HEADER: &str = "tidegate-access";
/// In place of a verdict: too much is waiting there, says who could not even decode the command.
pub const OVERLOADED: &str = "overloaded";
/// How long "too much is waiting" is repeated: between these, so that not all ask again at once.
pub const OVERLOADED_MS: (Millis, Millis) = (500, VERDICT_MS_MAX);

/// A refusal that holds for every publisher, or the origins a queue talks to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Why publishes are refused; `None` while they are not.
    pub fault: Option<Fault>,
    /// The idempotency keys that were answered: a publish with another one is as new as one with
    /// none. `None` when it is not known: then a publish with a key goes to the object.
    pub answered: Option<Sieve>,
    /// How long the verdict may be repeated, from when the object or relay that says it was asked.
    /// At most `VERDICT_MS_MAX` in all: who hands it on hands on what is left.
    pub valid_ms: Millis,
    /// Whether somebody repeats it who was told before, instead of the object.
    pub is_repeated: bool,
    /// The queue's `cors_origins`, for the headers of an answer that the edge gives by itself.
    pub cors_origins: Vec<String>,
}

impl Verdict {
    /// The binary form.
    ///
    /// # Errors
    /// `internal` when it cannot be written, which is a defect.
    pub fn encode(&self) -> Result<Vec<u8>, Fault> {
        postcard::to_allocvec(self).map_err(|e| {
            Fault::new(
                ErrorCode::Internal,
                format!("a verdict could not be encoded: {e}"),
            )
        })
    }

    /// Too much is waiting there. The `turn`th time it is said somewhere decides for how long.
    #[must_use]
    pub fn overloaded(turn: u32) -> Self {
        let (least_ms, most_ms) = OVERLOADED_MS;
        let fault = Fault::new(
            ErrorCode::Overloaded,
            "more is waiting for this queue than it can take in",
        );
        Self {
            fault: Some(fault.with(|figures| figures.retry_after_ms = Some(SECOND))),
            answered: None,
            valid_ms: least_ms + spread(turn, most_ms - least_ms),
            is_repeated: true,
            cors_origins: Vec::new(),
        }
    }

    /// Whether all it says is that too much is waiting.
    #[must_use]
    pub fn is_overloaded(&self) -> bool {
        let code = self.fault.as_ref().map(|fault| fault.code);
        code == Some(ErrorCode::Overloaded)
    }

    /// Whether it refuses a publish with this idempotency key, if it has one: one that may have
    /// been accepted gets its first answer from the object. Nobody is refused for good for whom
    /// there is merely too much waiting.
    #[must_use]
    pub fn refuses(&self, key: Option<&str>) -> bool {
        if self.fault.is_none() {
            return false;
        }
        let is_new = |key| {
            let answered = self.answered.as_ref();
            answered.is_some_and(|sieve| !sieve.may_hold(key))
        };
        self.is_overloaded() || key.is_none_or(is_new)
    }

    /// Reads the binary form; `None` for anything else, which costs one more call and nothing
    /// worse.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }
}

/// Whether what was said to hold until `until_ms` still does. Nothing is said for longer than the
/// limit: an end that is further away was named before the clock went back, and may be far off.
#[must_use]
pub const fn holds(until_ms: Millis, now_ms: Millis) -> bool {
    now_ms < until_ms && until_ms - now_ms <= VERDICT_MS_MAX
}

/// The `turn`th value of a sequence that fills 0 to `width_ms` evenly (multiples of the golden
/// ratio).
#[must_use]
pub fn spread(turn: u32, width_ms: Millis) -> Millis {
    (u64::from(turn.wrapping_mul(0x9E37_79B9)) * width_ms) >> 32
}
