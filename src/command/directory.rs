//! What can be asked of the directory, the object that knows the names of all queues.

use super::codec;
use super::patterns::PatternCommand;
use crate::error::Fault;
use crate::time::Millis;
use serde::{Deserialize, Serialize};

/// Version of the binary form, its first byte. See `codec.rs` for why it is there.
const VERSION: u8 = 2;

/// A command to the directory.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DirectoryCommand<'a> {
    /// The queue exists. Saying it again is harmless.
    Register { name: &'a str },
    /// These queues were found to be gone, after a listing that was `as_of` this registration: a
    /// name that was registered again since then stays.
    Unregister {
        #[serde(borrow)]
        names: Vec<&'a str>,
        as_of: u64,
    },
    /// Names in order, from the one after `after`; of those that one of the patterns `seen` covers,
    /// where there are any.
    List {
        after: Option<&'a str>,
        limit: u32,
        #[serde(borrow)]
        seen: Option<Vec<&'a str>>,
    },
    /// The public half of a key that signs tickets: its name and itself (base64url), and until when
    /// it is shown. Saying it again, for longer, is harmless.
    PublishKey {
        kid: &'a str,
        x: &'a str,
        until_ms: Millis,
    },
    /// The public keys, as a JSON Web Key Set.
    Keys,
    /// The topic exists; it is told which patterns stand for it. Saying it again is harmless.
    Join { name: &'a str },
    /// About patterns of topics.
    #[serde(borrow)]
    Patterns(PatternCommand<'a>),
}

impl DirectoryCommand<'_> {
    /// The binary form: a version byte, then postcard.
    ///
    /// # Errors
    /// `internal` when it cannot be written, which is a defect.
    pub fn encode(&self) -> Result<Vec<u8>, Fault> {
        codec::write(VERSION, self)
    }
}

/// Reads a command; it borrows from `bytes`.
///
/// # Errors
/// `unavailable` for another version, and for bytes that are no command of this one.
pub fn decode(bytes: &[u8]) -> Result<DirectoryCommand<'_>, Fault> {
    codec::read(VERSION, "directory", bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    #[test]
    fn commands_round_trip() {
        for command in [
            DirectoryCommand::Register { name: "a/b" },
            DirectoryCommand::Unregister {
                names: vec!["a", "b"],
                as_of: 7,
            },
            DirectoryCommand::List {
                after: Some("a"),
                limit: 5,
                seen: Some(vec!["a/#"]),
            },
            DirectoryCommand::PublishKey {
                kid: "a",
                x: "b",
                until_ms: 9,
            },
            DirectoryCommand::Keys,
            DirectoryCommand::Join { name: "a/b" },
            DirectoryCommand::Patterns(PatternCommand::Watch { pattern: "a/#" }),
        ] {
            assert_eq!(decode(&command.encode().unwrap()), Ok(command));
        }
        // Another version, and a command that this one does not know.
        for bytes in [&[9][..], &[VERSION], &[VERSION, 99]] {
            assert_eq!(decode(bytes).unwrap_err().code, ErrorCode::Unavailable);
        }
    }
}
