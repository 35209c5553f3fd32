//! Signatures of requests: Standard Webhooks, <https://www.standardwebhooks.com/>.
//!
//! `v1` is HMAC-SHA256 under a secret `whsec_…`, `v1a` Ed25519 under a key `whsk_…`. Several secrets
//! sign side by side, so that one can be changed for another without a moment in which neither
//! holds.

use crate::wire::base64;
use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};

/// Bytes of a secret, at least and at most, as the specification has them.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// Bytes of a block of SHA-256.
const BLOCK_BYTES: usize = 64;

/// Checks a secret.
///
/// # Errors
/// A sentence on what it may be.
pub fn check(secret: &str) -> Result<(), &'static str> {
    key_of(secret).map(|_| ()).ok_or(
        "a secret is whsec_ and 24 to 64 bytes as base64, or whsk_ and the 32 bytes of an Ed25519 \
         seed (or 64 with the public key)",
    )
}

enum Key {
    Hmac(Vec<u8>),
    Ed25519(Box<SigningKey>),
}

fn key_of(secret: &str) -> Option<Key> {
    if let Some(text) = secret.strip_prefix("whsec_") {
        let bytes = base64::decode(text)?;
        return SECRET_BYTES
            .contains(&bytes.len())
            .then_some(Key::Hmac(bytes));
    }
    let bytes = base64::decode(secret.strip_prefix("whsk_")?)?;
    let (seed, public) = bytes.split_first_chunk::<32>()?;
    let key = SigningKey::from_bytes(seed);
    let is_whole = public.is_empty() || public == key.verifying_key().as_bytes();
    is_whole.then(|| Key::Ed25519(Box::new(key)))
}

/// The value of `webhook-signature`: one signature for each secret.
#[must_use]
pub fn sign(secrets: &[String], id: &str, timestamp_s: u64, body: &[u8]) -> String {
    let mut content = format!("{id}.{timestamp_s}.").into_bytes();
    content.extend_from_slice(body);
    let signatures = secrets.iter().filter_map(|secret| key_of(secret));
    let signatures: Vec<String> = signatures
        .map(|key| match key {
            Key::Hmac(key) => format!("v1,{}", base64::encode(&hmac(&key, &content))),
            Key::Ed25519(key) => {
                format!("v1a,{}", base64::encode(&key.sign(&content).to_bytes()))
            }
        })
        .collect();
    signatures.join(" ")
}

/// HMAC-SHA256 (RFC 2104) under a key of at most a block.
fn hmac(key: &[u8], content: &[u8]) -> [u8; 32] {
    let pad = |with: u8| {
        let mut block = [with; BLOCK_BYTES];
        block.iter_mut().zip(key).for_each(|(byte, k)| *byte ^= k);
        block
    };
    let inner = Sha256::new()
        .chain_update(pad(0x36))
        .chain_update(content)
        .finalize();
    Sha256::new()
        .chain_update(pad(0x5c))
        .chain_update(inner)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference implementations.
    #[test]
    fn the_vector_of_the_libraries() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned();
        check(&secret).unwrap();
        let signature = sign(
            &[secret],
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    /// The same message under the key of the reference server's tests.
    #[test]
    fn the_vector_of_the_asymmetric_form() {
        let secret = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicM\
                      Fs6Kvg==";
        check(secret).unwrap();
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", br#"{"test": 2432232314}"#);
        let signature = sign(&[secret.to_owned()], id, 1_614_265_330, body);
        assert_eq!(
            signature,
            "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
        );
        let other = sign(&[secret.to_owned()], id, 1_614_265_331, body);
        assert_ne!(signature, other);
    }

    #[test]
    fn a_key_pair_that_is_none_is_refused() {
        let secret = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicM\
                      Fs6Kvw==";
        assert!(check(secret).is_err());
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        for bad in [
            "",
            "whsec_",
            "whsec_c2hvcnQ=",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsk_AA",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
