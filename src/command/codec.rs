//! The binary form of an [`Envelope`]: a version byte, then postcard.
//!
//! Old Workers call new objects, and the other way round, for minutes after a deployment: an object
//! that meets a version it does not know answers `unavailable`, which clients retry.

use super::Envelope;
use crate::error::{ErrorCode, Fault};

/// Version of the form. Raise it when a field is added, moved or removed: `tests/wire/` pins it.
pub const VERSION: u8 = 3;

/// The bytes of `envelope`.
///
/// # Errors
/// `internal` when it cannot be written, which is a defect.
pub fn encode(envelope: &Envelope<'_>) -> Result<Vec<u8>, Fault> {
    postcard::to_extend(envelope, vec![VERSION]).map_err(|e| {
        Fault::new(
            ErrorCode::Internal,
            format!("a command could not be encoded: {e}"),
        )
    })
}

/// Reads an envelope; it borrows from `bytes`.
///
/// # Errors
/// `unavailable` for another version, `internal` for bytes that are no command.
pub fn decode(bytes: &[u8]) -> Result<Envelope<'_>, Fault> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => postcard::from_bytes(rest).map_err(|e| {
            Fault::new(
                ErrorCode::Internal,
                format!("a command could not be decoded: {e}"),
            )
        }),
        _ => Err(Fault::new(
            ErrorCode::Unavailable,
            "the queue runs another version just now; try again",
        )),
    }
}
