//! A map by sequence number or row identifier.
//!
//! The queue itself gives these numbers out, one after another, so nobody can choose them to
//! collide: a hash that costs one multiplication will do. Keys that clients choose are hashed with
//! the queue's secret before they come near a map.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// See the module.
pub type SeqMap<T> = HashMap<u64, T, BuildHasherDefault<SeqHasher>>;

/// One multiplication by 2^64 over the golden ratio (Fibonacci hashing), halves swapped: the map
/// looks at the lowest bits and at the highest.
#[derive(Debug, Default)]
pub struct SeqHasher(u64);

impl Hasher for SeqHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 ^ u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32);
    }
}
