//! The binary form of commands: a version byte, then postcard.
//!
//! Old Workers call new objects, and the other way round, for minutes after a deployment: an object
//! that meets a version or a command it does not know answers `unavailable`, which clients retry.

use super::Envelope;
use crate::error::{ErrorCode, Fault};
use serde::{Deserialize, Serialize};

/// Version of an envelope. Raise it when a field is added, moved or removed: `tests/wire/` pins it.
pub const VERSION: u8 = 3;

/// The bytes of `envelope`.
///
/// # Errors
/// `internal` when it cannot be written, which is a defect.
pub fn encode(envelope: &Envelope<'_>) -> Result<Vec<u8>, Fault> {
    write(VERSION, envelope)
}

/// Reads an envelope; it borrows from `bytes`.
///
/// # Errors
/// `unavailable` for another version, and for bytes that are no command of this one.
pub fn decode(bytes: &[u8]) -> Result<Envelope<'_>, Fault> {
    read(VERSION, "queue", bytes)
}

/// The bytes of a command.
pub(super) fn write(version: u8, command: &impl Serialize) -> Result<Vec<u8>, Fault> {
    postcard::to_extend(command, vec![version]).map_err(|e| {
        let detail = format!("a command could not be encoded: {e}");
        Fault::new(ErrorCode::Internal, detail)
    })
}

/// Reads a command to an object of this kind.
pub(super) fn read<'a, T: Deserialize<'a>>(
    version: u8,
    kind: &str,
    bytes: &'a [u8],
) -> Result<T, Fault> {
    let rest = bytes.split_first().filter(|(known, _)| **known == version);
    rest.and_then(|(_, rest)| postcard::from_bytes(rest).ok())
        .ok_or_else(|| {
            let detail = format!("the {kind} runs another version just now; try again");
            Fault::new(ErrorCode::Unavailable, detail)
        })
}
