//! What a token says (RFC 7519), once its signature is known to be right.

use super::grant::Grant;
use super::settings::Settings;
use crate::command::scope::Scope;
use crate::limits::{KEY_CHARS_MAX, TOKEN_LEEWAY_MS, TOKEN_SCOPES_MAX};
use crate::time::{Millis, SECOND};
use serde::Deserialize;

/// Latest instant a token may name, in seconds: an exact number of milliseconds.
const SECONDS_MAX: f64 = 8_640_000_000_000.0;

/// A name that stands twice is an error of the decoder's.
#[derive(Deserialize)]
struct Claims {
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
    iss: Option<String>,
    aud: Option<OneOrMany>,
    scope: Option<OneOrMany>,
    key: Option<String>,
}

/// A text, or several: `aud` may be either (RFC 7519, 4.1.3), and issuers write `scope` both ways.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// What `payload` allows at `now_ms`.
///
/// # Errors
/// Why it allows nothing, in words that hold nothing of it.
pub fn read(payload: &[u8], settings: &Settings, now_ms: Millis) -> Result<Grant, &'static str> {
    let it: Claims = serde_json::from_slice(payload)
        .map_err(|_| "the token's claims are not a JSON object, each name once and of its type")?;
    let expires_at_ms = instant(it.exp)?.ok_or("the token has no exp: it would never end")?;
    let from_ms = instant(it.nbf)?.max(instant(it.iat)?).unwrap_or(0);
    if from_ms > now_ms + TOKEN_LEEWAY_MS {
        return Err("the token does not count yet: its nbf or iat lies ahead");
    }
    if settings.token_issuer.is_some() && settings.token_issuer != it.iss {
        return Err("the token's iss is not this deployment's TOKEN_ISSUER");
    }
    if let Some(own) = &settings.token_audience
        && !it
            .aud
            .is_some_and(|aud| aud.texts().any(|text| text == own))
    {
        return Err("the token's aud does not name this deployment's TOKEN_AUDIENCE");
    }
    if it
        .key
        .as_ref()
        .is_some_and(|key| key.is_empty() || key.chars().count() > KEY_CHARS_MAX)
    {
        return Err("the token's key is none");
    }
    let grant = Grant {
        everything: false,
        scopes: scopes(it.scope.as_ref())?,
        key: it.key,
        expires_at_ms: Some(expires_at_ms + TOKEN_LEEWAY_MS),
        anonymous: false,
    };
    check_time(&grant, now_ms)?;
    Ok(grant)
}

/// Whether the token still counts.
///
/// # Errors
/// That it does not.
pub fn check_time(grant: &Grant, now_ms: Millis) -> Result<(), &'static str> {
    match grant.expires_at_ms {
        Some(end) if end <= now_ms => Err("the token has expired"),
        _ => Ok(()),
    }
}

/// What is not for us (`openid`) is passed over: issuers put all of a person's scopes in one list.
fn scopes(claim: Option<&OneOrMany>) -> Result<Vec<Scope>, &'static str> {
    let words = claim.into_iter().flat_map(OneOrMany::texts);
    let known: Vec<_> = words
        .flat_map(|text| text.split(' '))
        .filter_map(Scope::parse)
        .collect();
    if known.len() > TOKEN_SCOPES_MAX {
        return Err("the token has more scopes than a token may have");
    }
    Ok(known)
}

/// An instant that a token names in whole seconds.
pub const fn instant_ms(seconds: u64) -> Millis {
    seconds * SECOND
}

fn instant(seconds: Option<f64>) -> Result<Option<Millis>, &'static str> {
    match seconds {
        None => Ok(None),
        Some(it) if (0.0..=SECONDS_MAX).contains(&it) => Ok(Some((it * 1_000.0) as Millis)),
        Some(_) => Err("an instant of the token is out of range"),
    }
}

impl OneOrMany {
    fn texts(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
        .iter()
        .map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::scope::Verb;

    const NOW: Millis = 1_700_000_000_000;

    fn settings(json: &str) -> Settings {
        Settings::parse(json).unwrap()
    }

    fn grant(payload: &str) -> Result<Grant, &'static str> {
        read(payload.as_bytes(), &settings("{}"), NOW)
    }

    #[test]
    fn a_token_counts_for_its_time() {
        let at = |exp: i64| grant(&format!(r#"{{"exp":{}}}"#, 1_700_000_000 + exp));
        assert_eq!(at(60).unwrap().expires_at_ms, Some(NOW + 90_000));
        assert!(at(-29).is_ok() && at(-30).is_err() && at(-60).is_err());
        let from = |name: &str, at: i64| {
            grant(&format!(
                r#"{{"exp":1800000000,"{name}":{}}}"#,
                1_700_000_000 + at
            ))
        };
        assert!(from("nbf", 30).is_ok() && from("nbf", 31).is_err());
        assert!(from("iat", 30).is_ok() && from("iat", 31).is_err());
        assert!(grant(r#"{"exp":1700000000.5}"#).is_ok());
        for bad in [
            "{}",
            "",
            "[]",
            r#"{"exp":"1800000000"}"#,
            r#"{"exp":-1}"#,
            r#"{"exp":1e300}"#,
            r#"{"exp":null}"#,
            r#"{"exp":1800000000,"exp":1}"#,
            r#"{"exp":1800000000,"nbf":"x"}"#,
            r#"{"exp":1800000000,"key":""}"#,
            r#"{"exp":1800000000,"scope":5}"#,
        ] {
            assert!(grant(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn scopes_are_words_or_a_list_of_them() {
        for scope in [
            r#""openid publish:a  consume:b/#""#,
            r#"["publish:a","openid","consume:b/#"]"#,
        ] {
            let it = grant(&format!(
                r#"{{"exp":1800000000,"scope":{scope},"key":"anna"}}"#
            ))
            .unwrap();
            assert_eq!(it.scopes.len(), 2);
            assert!(it.allows(&[Verb::Publish], "a") && it.allows(&[Verb::Consume], "b/c"));
            assert!(!it.everything && it.key.as_deref() == Some("anna"));
        }
        let many = "publish:a ".repeat(TOKEN_SCOPES_MAX + 1);
        assert!(grant(&format!(r#"{{"exp":1800000000,"scope":"{many}"}}"#)).is_err());
        assert!(grant(r#"{"exp":1800000000}"#).unwrap().scopes.is_empty());
    }

    #[test]
    fn issuer_and_audience_are_checked_where_they_are_set() {
        let set = settings(r#"{"TOKEN_ISSUER":"https://id","TOKEN_AUDIENCE":"tide"}"#);
        let read = |more: &str| {
            read(
                format!(r#"{{"exp":1800000000{more}}}"#).as_bytes(),
                &set,
                NOW,
            )
        };
        assert!(read(r#","iss":"https://id","aud":"tide""#).is_ok());
        assert!(read(r#","iss":"https://id","aud":["x","tide"]"#).is_ok());
        for bad in [
            "",
            r#","iss":"https://id""#,
            r#","aud":"tide""#,
            r#","iss":"https://ID","aud":"tide""#,
            r#","iss":"https://id","aud":"tides""#,
            r#","iss":"https://id","aud":[]"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
