//! The key set at `JWKS_URL`: when it is read, and how long what was read counts.
//!
//! One request at a time has it read, while others go on with what is known, or wait where nothing
//! is. A token with a key that is not known has it read again, but not more often than
//! `KEY_SET_AGE_MS_MIN`: whoever sends made-up tokens causes no more than that.

use super::Action;
use super::auth::{Stop, unauthorized};
use crate::crypto::jwk::{KeySet, Miss, PublicKey};
use crate::crypto::jws::Algorithm;
use crate::error::{ErrorCode, Fault};
use crate::limits::{
    KEY_SET_AGE_MS_MAX, KEY_SET_AGE_MS_MIN, KEY_SET_READ_MS_MAX, KEY_SET_STALE_MS_MAX,
};
use crate::time::{MINUTE, Millis, SECOND};

/// How long a set is held to be the latest where its answer does not say.
const AGE_MS_DEFAULT: Millis = 5 * MINUTE;
/// How soon reading is tried again that failed where nothing is known.
const RETRY_MS: Millis = SECOND;

/// What is known of the key set.
#[derive(Debug, Default)]
pub struct Keys {
    set: Option<KeySet>,
    /// How often it has changed.
    edition: u32,
    /// When `set` was read, and until when it is held to be the latest.
    read_at_ms: Millis,
    fresh_until_ms: Millis,
    /// Reading is not tried again before.
    retry_at_ms: Millis,
    /// Until when somebody is reading it; past that, they have gone.
    reading_until_ms: Millis,
}

impl Keys {
    /// The key for a token.
    ///
    /// # Errors
    /// `unauthorized` where there is none, `unavailable` where no set can be read; or the order to
    /// read it, or to wait for who does.
    pub fn choose(
        &mut self,
        url: &str,
        kid: Option<&str>,
        algorithm: Algorithm,
        now_ms: Millis,
    ) -> Result<&PublicKey, Stop> {
        let is_stale = self.fresh_until_ms <= now_ms;
        let misses = match &self.set {
            Some(set) => set.choose(kid, algorithm) == Err(Miss::Unknown),
            None => true,
        };
        let may_read = self.retry_at_ms <= now_ms;
        if (misses || is_stale) && may_read && self.reading_until_ms <= now_ms {
            return Err(act(Action::ReadKeys {
                url: url.to_owned(),
            }));
        }
        if misses && now_ms < self.reading_until_ms {
            return Err(act(Action::AwaitKeys));
        }
        if self.set.is_some() && self.read_at_ms + KEY_SET_STALE_MS_MAX <= now_ms {
            self.set = None;
        }
        let set = self.set.as_ref().ok_or_else(unreadable)?;
        set.choose(kid, algorithm).map_err(|miss| {
            Stop::Fault(unauthorized(match miss {
                Miss::Unknown => "no key of the set at JWKS_URL is the token's",
                Miss::Refused(why) => why,
            }))
        })
    }

    /// Somebody carries out the order to read it.
    pub fn begin(&mut self, now_ms: Millis) {
        self.reading_until_ms = now_ms + KEY_SET_READ_MS_MAX;
    }

    /// Whether what was genuine by this set still is: the set is the latest, or another one is on
    /// its way or cannot be had, and it is not too old.
    #[must_use]
    pub const fn vouch(&self, now_ms: Millis) -> bool {
        let is_latest = now_ms < self.fresh_until_ms
            || now_ms < self.retry_at_ms
            || now_ms < self.reading_until_ms;
        self.set.is_some() && is_latest && now_ms < self.read_at_ms + KEY_SET_STALE_MS_MAX
    }

    /// Another number each time that the keys have changed.
    #[must_use]
    pub const fn edition(&self) -> u32 {
        self.edition
    }

    /// Takes what was read; `None` where nothing could be. Whether the keys are others now.
    pub fn take(
        &mut self,
        read: Option<&[u8]>,
        max_age_ms: Option<Millis>,
        now_ms: Millis,
    ) -> bool {
        self.reading_until_ms = 0;
        let Some(set) = read.and_then(|bytes| KeySet::parse(bytes).ok()) else {
            let wait_ms = if self.set.is_some() {
                KEY_SET_AGE_MS_MIN
            } else {
                RETRY_MS
            };
            self.retry_at_ms = now_ms + wait_ms;
            return false;
        };
        let age_ms = max_age_ms.unwrap_or(AGE_MS_DEFAULT);
        self.read_at_ms = now_ms;
        self.retry_at_ms = now_ms + KEY_SET_AGE_MS_MIN;
        self.fresh_until_ms = now_ms + age_ms.clamp(KEY_SET_AGE_MS_MIN, KEY_SET_AGE_MS_MAX);
        let changed = self.set.as_ref() != Some(&set);
        self.edition = self.edition.wrapping_add(u32::from(changed));
        self.set = Some(set);
        changed
    }
}

fn act(action: Action) -> Stop {
    Stop::Act(Box::new(action))
}

fn unreadable() -> Stop {
    let detail = "the key set at JWKS_URL could not be read, and tokens cannot be checked without \
                  it; try again";
    let fault = Fault::new(ErrorCode::Unavailable, detail);
    Stop::Fault(fault.with(|figures| figures.retry_after_ms = Some(RETRY_MS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://id.example/keys";

    fn set(kid: &str) -> String {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"{kid}","x":"{x}"}}]}}"#)
    }

    fn asked(keys: &mut Keys, kid: &str, now_ms: Millis) -> &'static str {
        match keys.choose(URL, Some(kid), Algorithm::EdDsa, now_ms) {
            Ok(_) => "key",
            Err(Stop::Fault(fault)) => fault.code.slug(),
            Err(Stop::Act(action)) => match *action {
                Action::ReadKeys { .. } => {
                    keys.begin(now_ms);
                    "read"
                }
                Action::AwaitKeys => "await",
                _ => "?",
            },
        }
    }

    #[test]
    fn one_reads_and_the_others_wait() {
        let mut keys = Keys::default();
        assert_eq!(asked(&mut keys, "a", 1_000), "read");
        assert_eq!(asked(&mut keys, "a", 1_001), "await");
        assert!(keys.take(Some(set("a").as_bytes()), None, 1_100));
        assert_eq!(asked(&mut keys, "a", 1_101), "key");
        // Who was to read it has gone.
        let mut keys = Keys::default();
        assert_eq!(asked(&mut keys, "a", 1_000), "read");
        assert_eq!(asked(&mut keys, "a", 1_000 + KEY_SET_READ_MS_MAX), "read");
    }

    #[test]
    fn made_up_keys_cause_few_readings() {
        let mut keys = Keys::default();
        let mut readings = 0;
        for now_ms in (0..120_000).step_by(10) {
            match asked(&mut keys, &now_ms.to_string(), now_ms) {
                "read" => {
                    readings += 1;
                    keys.take(Some(set("a").as_bytes()), Some(0), now_ms);
                }
                other => assert_eq!(other, "unauthorized"),
            }
            assert_eq!(asked(&mut keys, "a", now_ms), "key");
        }
        assert_eq!(readings, 120_000 / KEY_SET_AGE_MS_MIN);
    }

    #[test]
    fn a_new_key_is_found_and_an_old_one_is_gone() {
        let mut keys = Keys::default();
        keys.take(Some(set("a").as_bytes()), Some(MINUTE), 0);
        assert_eq!(asked(&mut keys, "b", 1_000), "unauthorized");
        assert_eq!(asked(&mut keys, "b", KEY_SET_AGE_MS_MIN), "read");
        // Whose key is known does not wait for it.
        assert_eq!(asked(&mut keys, "a", KEY_SET_AGE_MS_MIN), "key");
        assert!(keys.take(Some(set("b").as_bytes()), Some(MINUTE), KEY_SET_AGE_MS_MIN));
        assert_eq!(asked(&mut keys, "b", KEY_SET_AGE_MS_MIN), "key");
        assert_eq!(asked(&mut keys, "a", KEY_SET_AGE_MS_MIN), "unauthorized");
        assert!(!keys.take(Some(set("b").as_bytes()), None, 2 * MINUTE));
    }

    #[test]
    fn a_set_that_cannot_be_read_counts_for_a_day() {
        let mut keys = Keys::default();
        assert_eq!(asked(&mut keys, "a", 0), "read");
        keys.take(None, None, 0);
        assert_eq!(asked(&mut keys, "a", 1), "unavailable");
        assert_eq!(asked(&mut keys, "a", RETRY_MS), "read");
        keys.take(Some(set("a").as_bytes()), Some(0), RETRY_MS);
        let later = RETRY_MS + KEY_SET_AGE_MS_MIN;
        assert_eq!(asked(&mut keys, "a", later), "read");
        keys.take(Some(b"<html>"), None, later);
        assert_eq!(asked(&mut keys, "a", later), "key");
        let end = RETRY_MS + KEY_SET_STALE_MS_MAX;
        assert_eq!(asked(&mut keys, "a", end), "read");
        keys.take(None, None, end);
        assert_eq!(asked(&mut keys, "a", end), "unavailable");
    }
}
