//! Message identifiers: ULIDs that say where the message is, so that finding one needs no index.
//!
//! A ULID is 48 bits of time and 80 bits of anything. Ours, most significant first: 48 bits
//! acceptance time in milliseconds · 48 bits sequence number · 4 bits lane · 28 bits check. Time
//! never runs backwards within a queue, so identifiers sort by acceptance. The check is a keyed
//! hash: an identifier that this queue did not issue is recognised without a look-up.

use crate::time::Millis;
use std::fmt;

/// Crockford's base 32, the alphabet of ULIDs (<https://github.com/ulid/spec>).
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// The digit that each byte is, in either case; 255: none.
const DIGITS: [u8; 256] = {
    let mut digits = [255; 256];
    let mut digit = 0;
    while digit < 32 {
        digits[ALPHABET[digit].to_ascii_lowercase() as usize] = digit as u8;
        digits[ALPHABET[digit] as usize] = digit as u8;
        digit += 1;
    }
    digits
};
/// Characters of a ULID's text: 26 × 5 bits hold 128.
pub const ID_CHARS: usize = 26;
/// Characters that fit a word of 64 bits, and their bits.
const WORD_CHARS: usize = 12;
const WORD_BITS: usize = WORD_CHARS * 5;

/// The key of a queue's identifiers, drawn once when the queue is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Secret(pub [u64; 2]);

/// A message's identifier.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct Id(pub u128);

impl Id {
    /// The identifier of the message `seq` in `lane`, accepted at `at_ms`.
    #[must_use]
    pub fn mint(secret: Secret, at_ms: Millis, seq: u64, lane: u8) -> Self {
        let stem = (u128::from(at_ms & 0xFFFF_FFFF_FFFF) << 80)
            | (u128::from(seq & 0xFFFF_FFFF_FFFF) << 32)
            | (u128::from(lane & 0xF) << 28);
        Self(stem | u128::from(check(secret, stem)))
    }

    /// Whether this queue's key made the identifier.
    #[must_use]
    pub fn is_genuine(self, secret: Secret) -> bool {
        let stem = self.0 & !0x0FFF_FFFF;
        self.0 as u32 & 0x0FFF_FFFF == check(secret, stem)
    }

    /// When the message was accepted.
    #[must_use]
    pub fn at_ms(self) -> Millis {
        (self.0 >> 80) as u64
    }

    /// The message's sequence number.
    #[must_use]
    pub fn seq(self) -> u64 {
        (self.0 >> 32) as u64 & 0xFFFF_FFFF_FFFF
    }

    /// The lane the message was published into.
    #[must_use]
    pub fn lane(self) -> u8 {
        (self.0 >> 28) as u8 & 0xF
    }

    /// Reads the 26 characters of a ULID, in either case. `None` when they are not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != ID_CHARS || bytes[0] > b'7' {
            return None;
        }
        // In words of 12 characters: shifts of 128 bits are calls where this runs.
        let (high, rest) = bytes.split_at(ID_CHARS - 2 * WORD_CHARS);
        let (middle, low) = rest.split_at(WORD_CHARS);
        let [high, middle, low] = [word(high)?, word(middle)?, word(low)?];
        Some(Self(
            u128::from(high) << (2 * WORD_BITS) | u128::from(middle) << WORD_BITS | u128::from(low),
        ))
    }

    /// The 26 characters, without an allocation.
    #[must_use]
    pub fn text(self) -> [u8; ID_CHARS] {
        let mut text = [0u8; ID_CHARS];
        let words = [self.0 >> (2 * WORD_BITS), self.0 >> WORD_BITS, self.0];
        let (high, rest) = text.split_at_mut(ID_CHARS - 2 * WORD_CHARS);
        let (middle, low) = rest.split_at_mut(WORD_CHARS);
        for (word, slots) in words.into_iter().zip([high, middle, low]) {
            let mut word = word as u64;
            for slot in slots.iter_mut().rev() {
                *slot = ALPHABET[word as usize & 31];
                word >>= 5;
            }
        }
        text
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).unwrap_or_default())
    }
}

fn word(chars: &[u8]) -> Option<u64> {
    let mut word = 0;
    for char in chars {
        let digit = DIGITS[usize::from(*char)];
        if digit > 31 {
            return None;
        }
        word = word << 5 | u64::from(digit);
    }
    Some(word)
}

fn check(secret: Secret, stem: u128) -> u32 {
    let high = hash64(
        Secret([secret.0[0] ^ (stem >> 64) as u64, secret.0[1]]),
        &(stem as u64).to_le_bytes(),
    );
    (high >> 36) as u32
}

/// A keyed 64-bit hash of `bytes` (SipHash-1-3 as in the standard library's own hasher). Stable
/// across restarts for one secret: stored forms may hold it.
#[must_use]
pub fn hash64(secret: Secret, bytes: &[u8]) -> u64 {
    let [k0, k1] = secret.0;
    let mut v = [
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d,
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    ];
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let mut word = [0u8; 8];
        word.copy_from_slice(chunk);
        absorb(&mut v, u64::from_le_bytes(word));
    }
    let mut last = [0u8; 8];
    let rest = chunks.remainder();
    last[..rest.len()].copy_from_slice(rest);
    last[7] = bytes.len() as u8;
    absorb(&mut v, u64::from_le_bytes(last));
    v[2] ^= 0xFF;
    for _ in 0..3 {
        round(&mut v);
    }
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

/// Two hashes of an idempotency key; together they tell two keys apart with a chance of error of
/// 2^-128.
pub type Print = (u64, u64);

/// The print of `key` in the queue with this secret.
#[must_use]
pub fn print(secret: Secret, key: &str) -> Print {
    let other = Secret([secret.0[1], !secret.0[0]]);
    (
        hash64(secret, key.as_bytes()),
        hash64(other, key.as_bytes()),
    )
}

fn absorb(v: &mut [u64; 4], word: u64) {
    v[3] ^= word;
    round(v);
    v[0] ^= word;
}

fn round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[2] = v[2].wrapping_add(v[3]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[1]);
    v[0] = v[0].wrapping_add(v[3]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].rotate_left(32);
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: Secret = Secret([7, 9]);

    #[test]
    fn text_round_trips_and_sorts_by_acceptance() {
        let older = Id::mint(SECRET, 1_700_000_000_000, 5, 4);
        let newer = Id::mint(SECRET, 1_700_000_000_000, 6, 0);
        assert_eq!(Id::parse(&older.to_string()), Some(older));
        assert_eq!(Id::parse(&older.to_string().to_lowercase()), Some(older));
        assert!(older < newer && older.to_string() < newer.to_string());
        assert_eq!(
            (older.at_ms(), older.seq(), older.lane()),
            (1_700_000_000_000, 5, 4)
        );
    }

    #[test]
    fn only_issued_ids_are_genuine() {
        let id = Id::mint(SECRET, 1, 2, 3);
        assert!(id.is_genuine(SECRET));
        assert!(!id.is_genuine(Secret([7, 10])));
        assert!(!Id(id.0 ^ 1).is_genuine(SECRET));
        assert!(!Id(id.0 ^ 1 << 40).is_genuine(SECRET));
    }

    #[test]
    fn malformed_text_is_no_id() {
        for bad in [
            "",
            "0",
            "8ZZZZZZZZZZZZZZZZZZZZZZZZZ",
            "0000000000000000000000000U",
            "0000000000000000000000000é",
        ] {
            assert_eq!(Id::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn siphash_reference_vector_shape() {
        // SipHash-1-3 with the reference key 00..0f over the empty input (Python 3.11's own tests).
        let key = Secret([0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908]);
        assert_ne!(hash64(key, b""), hash64(key, b"\0"));
        assert_eq!(hash64(key, b"tide"), hash64(key, b"tide"));
    }
}
