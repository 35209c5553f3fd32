//! What others say of themselves: tokens, key sets, scopes, and requests for tokens.

use super::{Target, halves, seed};
use std::sync::LazyLock;
use tidegate::command::scope::{Scope, covers, is_pattern};
use tidegate::crypto::hs256::Hs256;
use tidegate::crypto::jwk::KeySet;
use tidegate::crypto::jws::{Algorithm, Jws};
use tidegate::edge::{Action, Edge};

const SECRET: &str = "a secret of thirty-two bytes or more";
const NOW_MS: u64 = 1_700_000_000_000;

static KEY: LazyLock<Hs256> =
    LazyLock::new(|| Hs256::new(SECRET.as_bytes()).expect("the secret is long enough"));

/// A token as it was sent, and claims as whoever has the secret may write them.
pub const TOKEN: Target = Target {
    name: "token",
    run: token,
    seeds: || {
        let claims = r#"{"exp":1800000000,"scope":"publish:a consume:b/#","key":"anna","nbf":1.5}"#;
        vec![
            seed(claims),
            seed(r#"{"exp":1800000000,"scope":["manage:*"],"aud":["a"],"iss":"b"}"#),
            seed(&KEY.token(claims.as_bytes())),
            seed("eyJhbGciOiJFUzI1NiIsImtpZCI6IjEifQ.e30.AAAA"),
            seed("eyJhbGciOiJub25lIn0.e30."),
        ]
    },
};

/// A key set.
pub const KEYS: Target = Target {
    name: "keys",
    run: keys,
    seeds: || {
        vec![seed(
            r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","use":"sig","alg":"EdDSA",
            "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},{"kty":"EC","crv":"P-256",
            "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","key_ops":["verify"]}]}"#,
        )]
    },
};

/// Two scopes, and a request for a token.
pub const SCOPE: Target = Target {
    name: "scope",
    run: scope,
    seeds: || {
        vec![
            seed("publish:a/#\0publish:a/b*"),
            seed("manage:*\0manage:+/eu-*/#"),
            seed("publish:a\0{\"scope\":\"publish:a\",\"expires_in_ms\":60000,\"key\":\"k\"}"),
        ]
    },
};

fn edge() -> Edge {
    let settings = format!(r#"{{"TOKEN_SECRET":"{SECRET}","ADMIN_TOKEN":"t"}}"#);
    Edge::new(&settings).expect("the settings are right")
}

/// Whether a request with this token gets past the check of credentials; never a panic, and never
/// the token in the answer.
fn passes(token: &str) -> bool {
    let head = format!("GET\nhttp://h/v1/queues\nauthorization: Bearer {token}\n");
    match edge().open(&head, NOW_MS) {
        Action::Respond(response) => {
            let body = String::from_utf8_lossy(&response.body);
            assert!(token.len() < 24 || !body.contains(token));
            false
        }
        _ => true,
    }
}

fn token(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let genuine = Jws::parse(&text).is_ok_and(|it| KEY.verify(it.signed.as_bytes(), &it.signature));
    // A line of a head has no line breaks.
    if !text.contains('\n') && passes(&text) {
        assert!(genuine || text.trim() == "t", "{text}");
    }
    let _ = passes(&KEY.token(bytes));
}

fn keys(bytes: &[u8]) {
    if let Ok(set) = KeySet::parse(bytes) {
        for algorithm in [Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa] {
            if let Ok(key) = set.choose(None, algorithm) {
                assert_eq!(key.algorithm(), algorithm);
                assert!(serde_json::from_str::<serde_json::Value>(key.jwk()).is_ok());
            }
        }
        assert!(set.choose(None, Algorithm::Hs256).is_err());
    }
}

fn scope(bytes: &[u8]) {
    let (first, second) = halves(bytes);
    let (first, second) = (
        String::from_utf8_lossy(first),
        String::from_utf8_lossy(second),
    );
    if let (Some(one), Some(other)) = (Scope::parse(&first), Scope::parse(&second)) {
        assert!(is_pattern(&one.pattern) && one.includes(&one) && one.to_string() == first);
        assert!(!one.includes(&other) || covers(&one.pattern, &other.pattern));
    }
    let head =
        "POST\nhttp://h/v1/tokens\nauthorization: Bearer t\ncontent-type: application/json\n";
    let _ = edge().body(head, second.as_bytes(), NOW_MS);
}
