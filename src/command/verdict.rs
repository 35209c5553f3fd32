//! What an object tells the edge so that the edge can answer the next publisher by itself.
//!
//! It travels in the header [`HEADER`] of the object's response and never reaches a client.

use super::sieve::Sieve;
use crate::error::{ErrorCode, Fault};
use crate::time::Millis;
use serde::{Deserialize, Serialize};

/// The header between object and edge, base64url of the binary form.
pub const HEADER: &str = "tidegate-verdict";

/// A refusal that holds for every publisher, or the origins a queue talks to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Why publishes are refused; `None` while they are not.
    pub fault: Option<Fault>,
    /// The idempotency keys that were answered: a publish with another one is as new as one with
    /// none. `None` when it is not known: then a publish with a key goes to the object.
    pub answered: Option<Sieve>,
    /// How long the verdict may be repeated, from when it was received. At most `VERDICT_MS_MAX`.
    pub valid_ms: Millis,
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

    /// Reads the binary form; `None` for anything else, which costs one more call and nothing
    /// worse.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }
}
