//! Which idempotency keys a queue has answered, in a few bits each.
//!
//! A publish with a key may be the repeat of one that was accepted, and then it must get the first
//! answer, even from a queue that refuses everybody else. So that the edge can refuse the others by
//! itself, a verdict carries a Bloom filter of the keys that are remembered: a key that is not in
//! it was never accepted. One that seems to be in it goes to the object, which knows for sure.

use crate::id::{Secret, print};
use serde::{Deserialize, Serialize};

/// Bytes of a filter: in base 64 it fits a header of 16 KiB.
const BYTES_MAX: usize = 12_288;
/// Bits a key that there is room for; ten and seven probes let 1 in 120 strangers through.
const KEY_BITS: usize = 10;
/// Keys beyond which a filter of this size says too little: 5 bits a key let 1 in 10 strangers
/// through.
const KEYS_MAX: usize = BYTES_MAX * 8 / 5;

/// The filter, with the secret that the keys are hashed with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sieve {
    secret: Secret,
    probes: u32,
    bits: Vec<u8>,
}

impl Sieve {
    /// A filter of the keys with these prints. `None` when there are too many for one.
    #[must_use]
    pub fn new(secret: Secret, prints: impl ExactSizeIterator<Item = u64>) -> Option<Self> {
        let keys = prints.len();
        if keys > KEYS_MAX {
            return None;
        }
        let bytes = (keys * KEY_BITS).div_ceil(8).min(BYTES_MAX);
        // The best number of probes is ln 2 times the bits a key.
        let probes = (bytes * 8 * 7)
            .checked_div(keys * 10)
            .unwrap_or(1)
            .clamp(1, 7) as u32;
        let mut sieve = Self {
            secret,
            probes,
            bits: vec![0; bytes],
        };
        for print in prints {
            for at in sieve.places(print) {
                sieve.bits[at / 8] |= 1 << (at % 8);
            }
        }
        Some(sieve)
    }

    /// Whether this key may have been answered. `false` is certain.
    #[must_use]
    pub fn may_hold(&self, key: &str) -> bool {
        let (print, _) = print(self.secret, key);
        !self.bits.is_empty()
            && self
                .places(print)
                .all(|at| self.bits[at / 8] & (1 << (at % 8)) != 0)
    }

    /// The bits of a key: two halves of its print, combined (Kirsch and Mitzenmacher, 2006).
    fn places(&self, print: u64) -> impl Iterator<Item = usize> + use<> {
        let (first, step) = (print & 0xFFFF_FFFF, print >> 32 | 1);
        let bits = (self.bits.len() * 8).max(1) as u64;
        (0..u64::from(self.probes)).map(move |n| ((first + n * step) % bits) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: Secret = Secret([3, 5]);

    fn sieve(keys: usize) -> Option<Sieve> {
        Sieve::new(
            SECRET,
            (0..keys).map(|n| print(SECRET, &format!("key {n}")).0),
        )
    }

    #[test]
    fn a_key_that_was_answered_is_never_missed() {
        for keys in [1, 7, 100, 10_000, KEYS_MAX] {
            let sieve = sieve(keys).unwrap();
            assert!(
                (0..keys).all(|n| sieve.may_hold(&format!("key {n}"))),
                "{keys}"
            );
        }
    }

    #[test]
    fn few_strangers_pass() {
        for (keys, most) in [(100, 30), (9_000, 30), (KEYS_MAX, 200)] {
            let sieve = sieve(keys).unwrap();
            let passed = (0..1_000)
                .filter(|n| sieve.may_hold(&format!("stranger {n}")))
                .count();
            assert!(passed <= most, "{passed} of 1000 pass a sieve of {keys}");
        }
    }

    #[test]
    fn an_empty_one_holds_nothing_and_a_large_one_is_not_made() {
        assert!(!sieve(0).unwrap().may_hold("key 0"));
        assert!(sieve(KEYS_MAX + 1).is_none());
    }
}
