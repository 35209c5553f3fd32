//! HS256: HMAC with SHA-256 (RFC 7518, 3.2), made and checked.
//!
//! The key is prepared once: a signature then costs one pass over what is signed.

use crate::wire::base64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;

/// Least bytes of a key: those of the hash (RFC 7518, 3.2).
pub const KEY_BYTES_MIN: usize = 32;

/// A key that signs and checks.
#[derive(Clone)]
pub struct Hs256(Hmac<Sha256>);

impl Hs256 {
    /// The key of these bytes; `None` for fewer than [`KEY_BYTES_MIN`].
    #[must_use]
    pub fn new(key: &[u8]) -> Option<Self> {
        let long_enough = key.len() >= KEY_BYTES_MIN;
        let mac = long_enough.then(|| Hmac::new_from_slice(key).ok());
        mac.flatten().map(Self)
    }

    /// The signature of `text`.
    #[must_use]
    pub fn sign(&self, text: &[u8]) -> [u8; 32] {
        self.0
            .clone()
            .chain_update(text)
            .finalize()
            .into_bytes()
            .into()
    }

    /// A token (RFC 7515, 3.1) with these claims, JSON text.
    #[must_use]
    pub fn token(&self, claims: &[u8]) -> String {
        let mut token = base64::encode_url(br#"{"alg":"HS256","typ":"JWT"}"#);
        token.push('.');
        token.push_str(&base64::encode_url(claims));
        let signature = self.sign(token.as_bytes());
        token.push('.');
        token.push_str(&base64::encode_url(&signature));
        token
    }

    /// Whether `signature` is that of `text`, found out in a time that tells nothing.
    #[must_use]
    pub fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        let mac = self.0.clone().chain_update(text);
        mac.verify_slice(signature).is_ok()
    }
}

/// Shows nothing: what is logged holds no key.
impl fmt::Debug for Hs256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hs256")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_of_rfc_7515_a_1() {
        let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let key = Hs256::new(&base64::decode_url(key).unwrap()).unwrap();
        let text = b"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
            eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature = base64::decode_url("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        assert_eq!(key.sign(text).as_slice(), signature);
        assert!(key.verify(text, &signature));
        assert!(!key.verify(text, &signature[..31]) && !key.verify(&text[1..], &signature));
        assert!(!key.verify(text, &[]) && !key.verify(text, &[0; 32]));
    }

    #[test]
    fn a_short_key_is_none() {
        assert!(Hs256::new(&[1; 31]).is_none() && Hs256::new(&[1; 32]).is_some());
        assert_eq!(format!("{:?}", Hs256::new(&[7; 32])), "Some(Hs256)");
    }
}
