//! Tickets: proof of a place that anyone can verify offline.
//!
//! A ticket is a JSON Web Token (RFC 7519) signed with Ed25519 (RFC 8037). Its key is named by its
//! thumbprint (RFC 7638), so that the same key has the same name wherever it comes from.

use crate::error::Fault;
use crate::wire::base64;
use crate::wire::json_text::{member_number, member_string};
use ed25519_dalek::{Signer, SigningKey};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::fmt;

/// Bytes of a key's seed.
pub const SEED_BYTES: usize = 32;

/// What a ticket says.
#[derive(Clone, Copy, Debug)]
pub struct Claims<'a> {
    /// `sub`: the key of the publish, where it had one.
    pub subject: Option<&'a str>,
    /// The queue's name.
    pub queue: &'a str,
    /// The message's identifier, as its publisher knows it.
    pub id: &'a str,
    /// The message's sequence number.
    pub seq: u64,
    /// Whether the place is one in the line: such a ticket admits nobody.
    pub waiting: bool,
    /// `iat`, in seconds.
    pub issued_at_s: u64,
    /// `exp`, in seconds.
    pub expires_at_s: u64,
}

/// A key that signs tickets.
pub struct TicketKey {
    key: SigningKey,
    kid: String,
    x: String,
    /// The token's first part, with its dot.
    header: String,
}

impl TicketKey {
    /// The key of a seed.
    #[must_use]
    pub fn new(seed: &[u8; SEED_BYTES]) -> Self {
        let key = SigningKey::from_bytes(seed);
        // RFC 7638, 3.2 and RFC 8037, 2: these members, in this order, without white space.
        let x = base64::encode_url(key.verifying_key().as_bytes());
        let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        let kid = base64::encode_url(&Sha256::digest(members.as_bytes()));
        let header = format!(r#"{{"alg":"EdDSA","typ":"JWT","kid":"{kid}"}}"#);
        let header = base64::encode_url(header.as_bytes()) + ".";
        Self {
            key,
            kid,
            x,
            header,
        }
    }

    /// The key of a private JWK (RFC 8037, 2): `{"kty":"OKP","crv":"Ed25519","d":…}`. `x` may be
    /// left out; where it is given it has to be that of `d`.
    ///
    /// # Errors
    /// A sentence that holds nothing of the key.
    pub fn from_jwk(text: &str) -> Result<Self, Fault> {
        let wrong = |why| Fault::bad("TICKET_KEY", why);
        let jwk: Jwk = serde_json::from_str(text)
            .map_err(|_| wrong("it is a private JWK: a JSON object with kty, crv and d"))?;
        if jwk.kty != "OKP" || jwk.crv != "Ed25519" {
            return Err(wrong("its kty is \"OKP\" and its crv \"Ed25519\""));
        }
        let seed: [u8; SEED_BYTES] = base64::decode_url(&jwk.d)
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| wrong("its d is 32 bytes as base64url"))?;
        let key = Self::new(&seed);
        if jwk.x.is_some_and(|x| x != key.x) {
            return Err(wrong("its x is not the public key of its d"));
        }
        Ok(key)
    }

    /// A seed of fresh randomness, for the `number`th key that is made of it.
    #[must_use]
    pub fn seed(entropy: &[u8; SEED_BYTES], number: u64) -> [u8; SEED_BYTES] {
        let mut hash = Sha256::new_with_prefix(b"tidegate ticket key");
        hash.update(entropy);
        hash.update(number.to_le_bytes());
        hash.finalize().into()
    }

    /// Its name.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public key, as base64url.
    #[must_use]
    pub fn x(&self) -> &str {
        &self.x
    }

    /// A ticket. The same claims give the same ticket.
    #[must_use]
    pub fn sign(&self, claims: &Claims<'_>) -> String {
        let mut payload = b"{".to_vec();
        if let Some(subject) = claims.subject {
            member_string(&mut payload, "sub", subject);
        }
        member_string(&mut payload, "queue", claims.queue);
        member_string(&mut payload, "id", claims.id);
        member_number(&mut payload, "seq", claims.seq);
        if claims.waiting {
            member_string(&mut payload, "state", "waiting");
        }
        member_number(&mut payload, "iat", claims.issued_at_s);
        member_number(&mut payload, "exp", claims.expires_at_s);
        payload.push(b'}');
        let mut token = self.header.clone();
        token.push_str(&base64::encode_url(&payload));
        let signature = self.key.sign(token.as_bytes());
        token.push('.');
        token.push_str(&base64::encode_url(&signature.to_bytes()));
        token
    }
}

/// Shows the name alone: what is logged holds no key.
impl fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TicketKey").field(&self.kid).finish()
    }
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: String,
    d: String,
    x: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, appendix A.1.
    const JWK: &str = r#"{"kty":"OKP","crv":"Ed25519",
        "d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

    #[test]
    fn the_vectors_of_rfc_8037() {
        let key = TicketKey::from_jwk(JWK).unwrap();
        // A.2 and A.3.
        assert_eq!(key.x(), "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(key.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        // A.4.
        let input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        assert_eq!(
            base64::encode_url(&key.key.sign(input.as_bytes()).to_bytes()),
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        );
    }

    #[test]
    fn a_ticket_says_what_it_is_for() {
        let claims = Claims {
            subject: Some("buyer \"7\""),
            queue: "eu/orders",
            id: "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            seq: 5,
            waiting: true,
            issued_at_s: 10,
            expires_at_s: 70,
        };
        let key = TicketKey::new(&[7; SEED_BYTES]);
        let ticket = key.sign(&claims);
        let parts: Vec<_> = ticket.split('.').collect();
        let read = |part: &str| -> serde_json::Value {
            serde_json::from_slice(&base64::decode_url(part).unwrap()).unwrap()
        };
        assert_eq!(
            read(parts[0]),
            serde_json::json!({"alg": "EdDSA", "typ": "JWT", "kid": key.kid()})
        );
        assert_eq!(
            read(parts[1]),
            serde_json::json!({"sub": "buyer \"7\"", "queue": "eu/orders",
                "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "seq": 5, "state": "waiting",
                "iat": 10, "exp": 70})
        );
        assert_eq!(parts.len(), 3);
        assert_eq!(key.sign(&claims), ticket);
        let admitted = Claims {
            waiting: false,
            subject: None,
            ..claims
        };
        let payload = read(key.sign(&admitted).split('.').nth(1).unwrap());
        assert!(payload.get("state").is_none() && payload.get("sub").is_none());
    }

    #[test]
    fn keys_that_are_none_are_refused_without_being_shown() {
        let d = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
        for (jwk, word) in [
            ("", "JWK"),
            ("{}", "JWK"),
            (r#"{"kty":"OKP","crv":"Ed25519"}"#, "JWK"),
            (&JWK.replace("Ed25519", "X25519"), "crv"),
            (&JWK.replace("OKP", "EC"), "kty"),
            (&JWK.replace("uf2A", "uf2"), "d is"),
            (&JWK.replace("11qY", "11qZ"), "x is"),
        ] {
            let fault = TicketKey::from_jwk(jwk).unwrap_err();
            assert!(fault.detail.contains(word), "{jwk}: {}", fault.detail);
            assert!(!fault.detail.contains(&d[..8]));
        }
        assert!(!format!("{:?}", TicketKey::from_jwk(JWK).unwrap()).contains(&d[..8]));
    }

    #[test]
    fn each_key_has_a_seed_of_its_own() {
        let (first, second) = (TicketKey::seed(&[1; 32], 0), TicketKey::seed(&[1; 32], 1));
        assert!(first != second && first != TicketKey::seed(&[2; 32], 0));
    }
}
