//! Seals: a sum over every stored value, so that a damaged one is noticed before it is believed.
//!
//! A sealed value is a version byte, four bytes of XXH64 over the rest with the version as its
//! seed, and the rest. Why not a CRC: without the processor's own instructions, which Wasm does not
//! reach, XXH64 takes a fifth of the time and no tables, and random damage passes either once in
//! 2^32. Owns the sum and its place; what the rest means is each form's own.

use super::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use xxhash_rust::xxh64::xxh64;

/// Bytes before the payload: the version and the sum.
pub const SEAL_BYTES: usize = 1 + SUM_BYTES;
/// Bytes of a sum.
pub const SUM_BYTES: usize = 4;
/// The version byte of values that have had one form only. Far from all version bytes of forms
/// without a seal: no flipped bit makes one of the other.
pub const SEALED: u8 = 0xA5;

/// The sum over `bytes`.
#[must_use]
pub fn sum(seed: u8, bytes: &[u8]) -> [u8; SUM_BYTES] {
    (xxh64(bytes, u64::from(seed)) as u32).to_le_bytes()
}

/// The beginning of a value that [`close`] seals once its payload is behind it.
#[must_use]
pub fn begin(version: u8) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    bytes.push(version);
    bytes.extend_from_slice(&[0; SUM_BYTES]);
    bytes
}

/// Writes the sum of the payload in its place.
pub fn close(bytes: &mut [u8]) {
    if let Some((head, payload)) = bytes.split_at_mut_checked(SEAL_BYTES) {
        let sum = sum(head[0], payload);
        head[1..].copy_from_slice(&sum);
    }
}

/// The payload of a sealed value of any version. `None`: it is damaged.
#[must_use]
pub fn payload(bytes: &[u8]) -> Option<&[u8]> {
    let (head, payload) = bytes.split_at_checked(SEAL_BYTES)?;
    (head[1..] == sum(head[0], payload)).then_some(payload)
}

/// A sealed copy of `payload`.
#[must_use]
pub fn seal(payload: &[u8]) -> Vec<u8> {
    let mut bytes = begin(SEALED);
    bytes.extend_from_slice(payload);
    close(&mut bytes);
    bytes
}

/// The payload of what [`seal`] made.
///
/// # Errors
/// When it is damaged; `what` names it.
pub fn open<'a>(what: &str, bytes: &'a [u8]) -> Result<&'a [u8], StoreError> {
    let known = bytes.first() == Some(&SEALED);
    let payload = payload(bytes).filter(|_| known);
    payload.ok_or_else(|| StoreError(format!("{what} is damaged: its sum does not match")))
}

/// A sealed value.
///
/// # Errors
/// When it cannot be written down, which no value of ours is.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, StoreError> {
    let mut bytes =
        postcard::to_extend(value, begin(SEALED)).map_err(|e| StoreError(e.to_string()))?;
    close(&mut bytes);
    Ok(bytes)
}

/// Reads what [`encode`] made.
///
/// # Errors
/// When it is damaged; `what` names it.
pub fn decode<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, StoreError> {
    postcard::from_bytes(open(what, bytes)?)
        .map_err(|e| StoreError(format!("{what} is damaged: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_comes_back() {
        let bytes = encode(&("a", 7u64)).unwrap();
        assert_eq!(
            decode::<(String, u64)>("it", &bytes).unwrap(),
            ("a".into(), 7)
        );
        assert_eq!(open("it", &seal(b"")).unwrap(), b"");
    }

    #[test]
    fn no_flipped_bit_and_no_cut_goes_unnoticed() {
        let sealed = seal(b"what was written");
        for at in 0..sealed.len() {
            assert!(open("it", &sealed[..at]).is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut bytes = sealed.clone();
                bytes[at] ^= 1 << bit;
                assert!(open("it", &bytes).is_err(), "bit {bit} of byte {at}");
            }
        }
    }
}
