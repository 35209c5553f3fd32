//! The compact form of signed tokens (RFC 7515, 3.1): three parts, read but not believed.
//!
//! Owns what a header may say. Out of scope: whether the signature is right (`hs256.rs`, or the
//! host), and what the payload says (`edge/token.rs`).

use crate::limits::TOKEN_BYTES_MAX;
use crate::wire::base64;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::borrow::Cow;

/// How a token is signed: what this deployment takes, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// HMAC with SHA-256: the deployment's own.
    Hs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSA, PKCS #1 1.5, with SHA-256.
    Rs256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// The algorithm called `name` (RFC 7518, 3.1; RFC 8037, 3.1; RFC 9864, 2.2).
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "HS256" => Self::Hs256,
            "ES256" => Self::Es256,
            "RS256" => Self::Rs256,
            "EdDSA" | "Ed25519" => Self::EdDsa,
            _ => return None,
        })
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// A token, taken apart.
#[derive(Debug)]
pub struct Jws<'a> {
    /// How it says it is signed.
    pub algorithm: Algorithm,
    /// Which key it says it is signed with.
    pub kid: Option<String>,
    /// What is signed: the first two parts, with their dot.
    pub signed: &'a str,
    /// The second part, decoded.
    pub payload: Vec<u8>,
    /// The third part, decoded.
    pub signature: Vec<u8>,
}

/// A name that stands twice in a header is an error of the decoder's (RFC 7515, 5.2).
#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow, default)]
    kid: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    typ: Option<Cow<'a, str>>,
    #[serde(default)]
    crit: Option<IgnoredAny>,
}

impl<'a> Jws<'a> {
    /// Takes `token` apart.
    ///
    /// # Errors
    /// What is wrong with it, in words that hold nothing of it.
    pub fn parse(token: &'a str) -> Result<Self, &'static str> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err("the token is longer than tokens may be");
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(NO_TOKEN)?;
        let (header, payload) = signed.split_once('.').ok_or(NO_TOKEN)?;
        if token.contains('=') || payload.contains('.') {
            return Err(NO_TOKEN);
        }
        let [header, payload, signature] = [header, payload, signature].map(base64::decode_url);
        let header = header.ok_or(NO_TOKEN)?;
        let header: Header<'_> = serde_json::from_slice(&header)
            .map_err(|_| "the token's header is not a JSON object with alg, each name once")?;
        if header.crit.is_some() {
            return Err("the token's header says crit, and none of that is understood here");
        }
        // RFC 8725, 3.11: what is signed by the same key for another purpose is no access token.
        if let Some(typ) = &header.typ
            && !["JWT", "at+jwt", "application/at+jwt"]
                .iter()
                .any(|it| typ.eq_ignore_ascii_case(it))
        {
            return Err("the token's typ is not JWT or at+jwt");
        }
        Ok(Self {
            algorithm: Algorithm::of(&header.alg)
                .ok_or("the token's alg is none of HS256, ES256, RS256 and EdDSA")?,
            kid: header.kid.map(Cow::into_owned),
            signed,
            payload: payload.ok_or(NO_TOKEN)?,
            signature: signature.ok_or(NO_TOKEN)?,
        })
    }
}

const NO_TOKEN: &str =
    "the token is not the one of this deployment, nor a JWT: three parts of base64url with dots";

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str) -> String {
        let part = |text: &str| base64::encode_url(text.as_bytes());
        format!("{}.{}.{}", part(header), part("{}"), part("signature"))
    }

    #[test]
    fn a_token_is_three_parts() {
        // RFC 7515, A.1.
        let text = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UifQ.dBjf";
        let it = Jws::parse(text).unwrap();
        assert_eq!((it.algorithm, it.kid), (Algorithm::Hs256, None));
        assert_eq!(it.payload, br#"{"iss":"joe"}"#);
        assert_eq!(it.signed, text.rsplit_once('.').unwrap().0);
        for end in 0..text.len() {
            // Cut in its signature it is a shorter token; anywhere else it is none.
            let cut = Jws::parse(&text[..end]);
            assert!(cut.is_err() || cut.unwrap().signature.len() < it.signature.len());
        }
        for bad in ["", ".", "..", "...", "a.b.c.d", "e30.e30.e30=", "e30.e30"] {
            assert!(Jws::parse(bad).is_err(), "{bad}");
        }
        let long = format!("{}.e30.e30", "A".repeat(TOKEN_BYTES_MAX));
        assert!(Jws::parse(&long).unwrap_err().contains("longer"));
    }

    #[test]
    fn a_header_that_is_not_understood_is_refused() {
        for (header, word) in [
            (r#"{"alg":"none"}"#, "alg"),
            (r#"{"alg":"hs256"}"#, "alg"),
            (r#"{"alg":"HS512"}"#, "alg"),
            (r#"{"typ":"JWT"}"#, "alg"),
            (r#"{"alg":"HS256","alg":"none"}"#, "once"),
            (r#"{"alg":"HS256","kid":"a","kid":"b"}"#, "once"),
            (r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, "crit"),
            (r#"{"alg":"HS256","typ":"logout+jwt"}"#, "typ"),
            (r#"{"alg":["HS256"]}"#, "header"),
            ("[]", "header"),
            ("", "header"),
        ] {
            let words = Jws::parse(&token(header)).unwrap_err();
            assert!(words.contains(word), "{header}: {words}");
        }
        for good in ["JWT", "jwt", "at+jwt"] {
            let header = format!(r#"{{"alg":"EdDSA","typ":"{good}","kid":"k\u0031","x":1}}"#);
            let text = token(&header);
            let it = Jws::parse(&text).unwrap();
            assert_eq!(
                (it.algorithm, it.kid.as_deref()),
                (Algorithm::EdDsa, Some("k1"))
            );
        }
    }
}
