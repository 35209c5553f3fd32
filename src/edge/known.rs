//! Tokens that were found genuine: the second use of one costs a look-up.
//!
//! Kept by a hash: what is in memory is no token, and how long a look-up takes tells nothing of one.

use super::grant::Grant;
use crate::limits::TOKENS_KNOWN_MAX;
use crate::time::Millis;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::rc::Rc;

/// Genuine tokens, and what they allow.
#[derive(Debug, Default)]
pub struct Known {
    grants: HashMap<[u8; 32], Rc<Grant>>,
}

impl Known {
    /// What `token` allows, if it is known; whether it still counts is the caller's to see.
    #[must_use]
    pub fn get(&self, token: &str) -> Option<Rc<Grant>> {
        if self.grants.is_empty() {
            return None;
        }
        self.grants.get(&hash(token)).cloned()
    }

    /// Remembers that `token` is genuine. Where there is no room, those that have expired go; then
    /// all: they are found genuine again.
    pub fn put(&mut self, token: &str, grant: Grant, now_ms: Millis) {
        if self.grants.len() >= TOKENS_KNOWN_MAX {
            let counts = |it: &Grant| it.expires_at_ms.is_none_or(|end| now_ms < end);
            self.grants.retain(|_, grant| counts(grant));
        }
        if self.grants.len() >= TOKENS_KNOWN_MAX {
            self.grants.clear();
        }
        self.grants.insert(hash(token), Rc::new(grant));
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.grants.clear();
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut known = Known::default();
        let until = |expires_at_ms| Grant {
            expires_at_ms: Some(expires_at_ms),
            ..Grant::default()
        };
        known.put("long", until(1_000), 0);
        assert!(known.get("long").is_some() && known.get("lon").is_none());
        for number in 1..TOKENS_KNOWN_MAX {
            known.put(&number.to_string(), until(10), 0);
        }
        known.put("new", until(1_000), 10);
        assert!(known.grants.len() == 2 && known.get("long").is_some());
        for number in 0..3 * TOKENS_KNOWN_MAX {
            known.put(&number.to_string(), until(1_000), 10);
            assert!(known.grants.len() <= TOKENS_KNOWN_MAX);
        }
        known.clear();
        assert!(known.get("new").is_none());
    }
}
