//! The binary form of batches, `application/vnd.tidegate.batch`: what `docs/BATCH.md` specifies.
//!
//! A document is a preamble of eight bytes and records, one after another, with nothing behind the
//! last. Numbers are little-endian; identifiers and leases are the 16 bytes of their ULIDs, most
//! significant first, as the ULID specification lays them out. Reading borrows from the request.
//! Owns the layout. Out of scope: what the fields may be (`incoming`, `attributes`), which are
//! checked by the same functions as in JSON.

pub mod ack;
pub mod answer;
pub mod publish;
pub mod pull;
#[cfg(test)]
mod tests;

use crate::error::Fault;
use crate::protocol::http::media;

/// The media type, in `Content-Type` of what is sent and in `Accept` for what is wanted.
pub const MEDIA_TYPE: &str = "application/vnd.tidegate.batch";

/// The first bytes of every document; the last of them is the version.
const MAGIC: [u8; 4] = *b"TGB\x01";
/// What a document is: the byte after the magic ones.
const PUBLISH: u8 = 1;
const PUBLISHED: u8 = 2;
const PULLED: u8 = 3;
const ACK: u8 = 4;
const ACKNOWLEDGED: u8 = 5;
const PULL: u8 = 6;
const ACKED_AND_PULLED: u8 = 7;

/// Whether `content_type` names this form.
#[must_use]
pub fn is(content_type: Option<&str>) -> bool {
    media::is(content_type, MEDIA_TYPE)
}

/// Whether an `Accept` header asks for this form: it is named there.
#[must_use]
pub fn is_accepted(accept: &str) -> bool {
    accept.split(',').any(|range| is(Some(range)))
}

/// A request that cannot be read as a whole.
fn malformed(detail: impl Into<String>) -> Fault {
    Fault::bad("body", detail)
}

/// Reads a document from its beginning to its end.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Behind the preamble of a document of this kind, and how many records follow.
    fn open(bytes: &'a [u8], kind: u8) -> Result<(Self, usize), Fault> {
        let Some((preamble, rest)) = bytes.split_first_chunk::<8>() else {
            return Err(malformed("a binary batch begins with eight bytes"));
        };
        if preamble[..3] != MAGIC[..3] {
            return Err(malformed("a binary batch begins with the bytes TGB"));
        }
        if preamble[3] != MAGIC[3] {
            let detail = format!("version {} is not understood here, 1 is", preamble[3]);
            return Err(malformed(detail));
        }
        if preamble[4] != kind || preamble[5] != 0 {
            let detail = format!("the fifth and sixth byte are {kind} and 0 here");
            return Err(malformed(detail));
        }
        let count = usize::from(u16::from_le_bytes([preamble[6], preamble[7]]));
        Ok((Self { rest }, count))
    }

    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(taken)
    }

    /// Bytes behind their length in 16 bits.
    fn short(&mut self) -> Option<&'a [u8]> {
        let bytes = u16::from_le_bytes(*self.array()?);
        self.take(usize::from(bytes))
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().copied().map(u64::from_le_bytes)
    }

    fn close(self) -> Result<(), Fault> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            let detail = format!("{} bytes stand behind the last record", self.rest.len());
            Err(malformed(detail))
        }
    }
}

/// The preamble of a document.
fn begin(kind: u8, count: usize, room: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(8 + room);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[kind, 0]);
    out.extend_from_slice(&(count as u16).to_le_bytes());
    out
}

fn cut(list: &str, index: usize) -> Fault {
    malformed(format!("the batch ends within {list}[{index}]"))
}
