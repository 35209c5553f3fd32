//! Sets of public keys (RFC 7517): which key checks a token, and that it is one for it.
//!
//! Keys of other kinds, and keys that say they are for something else, are passed over as if they
//! were not there (RFC 7517, 5). A name that two keys share is no name.

use super::jws::Algorithm;
use crate::limits::{KEY_SET_BYTES_MAX, KEY_SET_KEYS_MAX};
use crate::wire::base64;
use crate::wire::json_text::member_string;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Bytes of an RSA modulus: less is not safe (RFC 7518, 3.3), more costs too much to check.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1_024;
/// Bytes of a coordinate on P-256 and of a point of Ed25519.
const POINT_BYTES: usize = 32;

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    kid: Option<String>,
    algorithm: Algorithm,
    jwk: String,
}

impl PublicKey {
    /// What it checks.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Itself as JSON, with nothing but what makes it a key.
    #[must_use]
    pub fn jwk(&self) -> &str {
        &self.jwk
    }
}

/// Why no key was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss {
    /// There is none; a newer set may have it.
    Unknown,
    /// There is one, and the token is not for it.
    Refused(&'static str),
}

/// The keys of one set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySet(Vec<PublicKey>);

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl KeySet {
    /// Reads a set.
    ///
    /// # Errors
    /// What is wrong with all of it; single keys that are of no use here are passed over.
    pub fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        if bytes.len() > KEY_SET_BYTES_MAX {
            return Err("it is larger than a key set may be");
        }
        let document: Document<'_> = serde_json::from_slice(bytes)
            .map_err(|_| "it is not a JSON Web Key Set: an object with an array called keys")?;
        if document.keys.len() > KEY_SET_KEYS_MAX {
            return Err("it has more keys than a key set may have");
        }
        let keys = document.keys.iter();
        Ok(Self(keys.filter_map(|key| public_key(key.get())).collect()))
    }

    /// The key for a token that names `kid`, or none.
    ///
    /// # Errors
    /// See [`Miss`].
    pub fn choose(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<&PublicKey, Miss> {
        let fits = |key: &&PublicKey| match kid {
            Some(kid) => key.kid.as_deref() == Some(kid),
            None => key.algorithm == algorithm,
        };
        let mut found = self.0.iter().filter(fits);
        match (found.next(), found.next()) {
            (None, _) => Err(Miss::Unknown),
            (Some(_), Some(_)) if kid.is_some() => {
                Err(Miss::Refused("several keys have the token's kid"))
            }
            (Some(_), Some(_)) => Err(Miss::Refused(
                "the token names no kid, and several keys could be meant",
            )),
            (Some(key), None) if key.algorithm == algorithm => Ok(key),
            (Some(_), None) => Err(Miss::Refused("the token's alg is not that of its key")),
        }
    }
}

fn public_key(text: &str) -> Option<PublicKey> {
    let it: Jwk = serde_json::from_str(text).ok()?;
    let for_signatures = it.usage.as_deref().is_none_or(|usage| usage == "sig");
    let verifies = |ops: &Vec<String>| ops.iter().any(|op| op == "verify");
    if !for_signatures || !it.key_ops.as_ref().is_none_or(verifies) {
        return None;
    }
    let mut jwk = b"{".to_vec();
    member_string(&mut jwk, "kty", &it.kty);
    let algorithm = match (it.kty.as_str(), it.crv.as_deref()) {
        ("EC", Some("P-256")) => {
            member_string(&mut jwk, "crv", "P-256");
            member_string(&mut jwk, "x", point(it.x.as_deref())?);
            member_string(&mut jwk, "y", point(it.y.as_deref())?);
            Algorithm::Es256
        }
        ("OKP", Some("Ed25519")) => {
            member_string(&mut jwk, "crv", "Ed25519");
            member_string(&mut jwk, "x", point(it.x.as_deref())?);
            Algorithm::EdDsa
        }
        ("RSA", _) => {
            let (n, e) = (it.n.as_deref()?, it.e.as_deref()?);
            let modulus = base64::decode_url(n)?;
            (MODULUS_BYTES.contains(&modulus.len()) && modulus[0] != 0).then_some(())?;
            is_exponent(&base64::decode_url(e)?).then_some(())?;
            member_string(&mut jwk, "n", n);
            member_string(&mut jwk, "e", e);
            Algorithm::Rs256
        }
        _ => return None,
    };
    jwk.push(b'}');
    let is_its = it
        .alg
        .as_deref()
        .is_none_or(|name| Algorithm::of(name) == Some(algorithm));
    Some(PublicKey {
        kid: it.kid,
        algorithm: is_its.then_some(algorithm)?,
        jwk: String::from_utf8(jwk).ok()?,
    })
}

/// The text of 32 bytes.
fn point(text: Option<&str>) -> Option<&str> {
    text.filter(|text| base64::decode_url(text).is_some_and(|it| it.len() == POINT_BYTES))
}

/// Odd, more than 1, and of at most 32 bits: what keys are made with, and what is cheap to check.
fn is_exponent(bytes: &[u8]) -> bool {
    let is_odd = bytes.last().is_some_and(|last| last % 2 == 1);
    bytes.len() <= 4 && is_odd && bytes != [1]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7517, A.1 (the public keys), and RFC 8037, A.2.
    const SET: &str = r#"{"keys":[
        {"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
         "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"sig","kid":"1"},
        {"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
         "e":"AQAB","alg":"RS256","kid":"2011-04-29"},
        {"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

    #[test]
    fn a_token_gets_the_key_it_names() {
        let set = KeySet::parse(SET.as_bytes()).unwrap();
        let kid = |kid, algorithm| set.choose(kid, algorithm).map(PublicKey::algorithm);
        assert_eq!(kid(Some("1"), Algorithm::Es256), Ok(Algorithm::Es256));
        assert_eq!(
            kid(Some("2011-04-29"), Algorithm::Rs256),
            Ok(Algorithm::Rs256)
        );
        assert_eq!(kid(None, Algorithm::EdDsa), Ok(Algorithm::EdDsa));
        assert_eq!(kid(None, Algorithm::Rs256), Ok(Algorithm::Rs256));
        assert_eq!(kid(Some("2"), Algorithm::Rs256), Err(Miss::Unknown));
        assert_eq!(
            kid(Some("1"), Algorithm::Hs256).unwrap_err(),
            kid(Some("1"), Algorithm::Rs256).unwrap_err()
        );
        assert!(matches!(
            kid(Some("1"), Algorithm::Hs256),
            Err(Miss::Refused(_))
        ));
        assert_eq!(kid(None, Algorithm::Hs256), Err(Miss::Unknown));
        let key = set.choose(Some("1"), Algorithm::Es256).unwrap();
        assert!(
            key.jwk()
                .starts_with(r#"{"kty":"EC","crv":"P-256","x":"MKB"#),
            "{}",
            key.jwk()
        );
    }

    #[test]
    fn a_name_that_two_keys_share_is_none() {
        let (first, rest) = SET.split_once("\"2011-04-29\"").unwrap();
        let set = KeySet::parse(format!("{first}\"1\"{rest}").as_bytes()).unwrap();
        assert!(matches!(
            set.choose(Some("1"), Algorithm::Es256),
            Err(Miss::Refused(_))
        ));
        let ed =
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let set = KeySet::parse(format!(r#"{{"keys":[{ed},{ed}]}}"#).as_bytes()).unwrap();
        assert!(matches!(
            set.choose(None, Algorithm::EdDsa),
            Err(Miss::Refused(_))
        ));
    }

    #[test]
    fn keys_for_anything_else_are_passed_over() {
        for (from, to) in [
            (r#""use":"sig""#, r#""use":"enc""#),
            (r#""use":"sig""#, r#""key_ops":["sign"]"#),
            (r#""use":"sig""#, r#""alg":"ES384""#),
            (r#""use":"sig""#, r#""alg":"HS256""#),
            ("P-256", "P-384"),
            ("MKBC", "MKB"),
            (r#""kty":"EC""#, r#""kty":"oct""#),
            (r#""kty":"EC""#, r#""kty":"EC","kty":"EC""#),
        ] {
            let set = KeySet::parse(SET.replace(from, to).as_bytes()).unwrap();
            assert_eq!(
                set.choose(Some("1"), Algorithm::Es256),
                Err(Miss::Unknown),
                "{to}"
            );
        }
        for (from, to) in [
            ("0vx7ag", ""),
            ("0vx7", "AAAA"),
            ("AQAB", "AQAA"),
            ("AQAB", "AQ"),
            ("AQAB", "AQAAAAAB"),
        ] {
            let set = KeySet::parse(SET.replace(from, to).as_bytes()).unwrap();
            assert_eq!(
                set.choose(None, Algorithm::Rs256),
                Err(Miss::Unknown),
                "{to}"
            );
        }
    }

    #[test]
    fn what_is_no_set_is_refused() {
        for bad in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":1}"#] {
            assert!(KeySet::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        for end in 0..SET.len() - 1 {
            assert!(KeySet::parse(&SET.as_bytes()[..end]).is_err());
        }
        let many = format!(r#"{{"keys":[{}1]}}"#, "1,".repeat(KEY_SET_KEYS_MAX));
        assert!(KeySet::parse(many.as_bytes()).is_err());
        assert!(KeySet::parse(&[b' '; KEY_SET_BYTES_MAX + 1]).is_err());
        assert_eq!(KeySet::parse(br#"{"keys":[1,{}]}"#), Ok(KeySet::default()));
    }
}
