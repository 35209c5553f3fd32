//! What an operator chooses, read once: variables of the Worker, by their names in the environment.

use crate::crypto::hs256::{Hs256, KEY_BYTES_MIN};
use crate::crypto::ticket::TicketKey;
use crate::wire::binding;
use crate::wire::head::Head;
use serde::Deserialize;

/// The settings, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether everything is open to everybody who comes over loopback.
    pub open: bool,
    /// `AUTH=none` was asked for where it does not hold: the server listens on more than loopback.
    pub open_in_vain: bool,
    /// The deployment's own token.
    pub admin_token: Option<String>,
    /// What signs and checks the deployment's tokens.
    pub token_secret: Option<Hs256>,
    /// Where the keys are that check others' tokens.
    pub jwks_url: Option<String>,
    /// The `iss` that a token has to have.
    pub token_issuer: Option<String>,
    /// The `aud` that a token has to name.
    pub token_audience: Option<String>,
    /// Whether queues come into being by being used.
    pub auto_create: bool,
}

/// Variables of other parts of the deployment are none of the edge's business: unknown names are
/// skipped.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "UPPERCASE")]
struct Variables {
    auth: Option<String>,
    admin_token: Option<String>,
    token_secret: Option<String>,
    jwks_url: Option<String>,
    token_issuer: Option<String>,
    token_audience: Option<String>,
    auto_create: Option<String>,
    loopback: Option<String>,
    ticket_key: Option<String>,
    push_workers: Option<String>,
    push_queues: Option<String>,
}

impl Settings {
    /// Reads a JSON object of strings. An empty string is as good as none: a shell's `AUTH= npm
    /// start`.
    ///
    /// # Errors
    /// A sentence for the operator. It holds no secret.
    pub fn parse(json: &str) -> Result<Self, String> {
        let it: Variables = serde_json::from_str(json)
            .map_err(|_| "the settings are not a JSON object of strings".to_owned())?;
        let set = |value: Option<String>| value.filter(|text| !text.is_empty());
        let jwks_url = set(it.jwks_url);
        if let Some(url) = &jwks_url {
            check_key_url(url)?;
        }
        // The objects sign with it; whether it is a key is told here, to every request.
        if let Some(jwk) = it.ticket_key.as_deref().filter(|text| !text.is_empty()) {
            TicketKey::from_jwk(jwk)
                .map_err(|fault| format!("TICKET_KEY is no key: {}", fault.detail))?;
        }
        // The objects call them; the same holds.
        for (name, value) in [
            ("PUSH_WORKERS", it.push_workers),
            ("PUSH_QUEUES", it.push_queues),
        ] {
            binding::names(value.as_deref().unwrap_or_default())
                .map_err(|why| format!("{name}: {why}"))?;
        }
        let none = match it.auth.as_deref() {
            None | Some("") => false,
            Some("none") => true,
            Some(_) => return Err("AUTH is \"none\" or unset".to_owned()),
        };
        let loopback = boolean("LOOPBACK", it.loopback.as_deref(), false)?;
        Ok(Self {
            open: none && loopback,
            open_in_vain: none && !loopback,
            admin_token: set(it.admin_token),
            token_secret: set(it.token_secret).map(secret).transpose()?,
            jwks_url,
            token_issuer: set(it.token_issuer),
            token_audience: set(it.token_audience),
            auto_create: boolean("AUTO_CREATE", it.auto_create.as_deref(), true)?,
        })
    }
}

impl Settings {
    /// Whether anybody can have credentials at all.
    #[must_use]
    pub fn has_credentials(&self) -> bool {
        self.admin_token.is_some() || self.takes_tokens()
    }

    /// Whether tokens that are JWTs are taken.
    #[must_use]
    pub fn takes_tokens(&self) -> bool {
        self.token_secret.is_some() || self.jwks_url.is_some()
    }
}

fn secret(text: String) -> Result<Hs256, String> {
    Hs256::new(text.as_bytes()).ok_or_else(|| {
        format!(
            "TOKEN_SECRET has at least {KEY_BYTES_MIN} bytes: openssl rand -base64 48 makes one"
        )
    })
}

/// Keys that came over an open line could be anybody's.
fn check_key_url(url: &str) -> Result<(), String> {
    let text = format!("GET\n{url}");
    let head = Head::parse(&text).filter(|_| !url.contains(['\n', '@', '#']));
    let safe = head.is_some_and(|head| {
        let local = matches!(head.host(), "localhost" | "127.0.0.1" | "[::1]");
        head.origin.starts_with("https://") || (local && head.origin.starts_with("http://"))
    });
    let words = "JWKS_URL is an https URL without a user, or http to this machine itself";
    safe.then_some(()).ok_or_else(|| words.to_owned())
}

fn boolean(name: &str, value: Option<&str>, default: bool) -> Result<bool, String> {
    match value {
        None | Some("") => Ok(default),
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(_) => Err(format!("{name} is \"true\" or \"false\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_closed() {
        let it = Settings::parse("{}").unwrap();
        assert!(!it.open && !it.open_in_vain && it.auto_create && it.admin_token.is_none());
        assert!(!it.has_credentials());
        let empty = r#"{"AUTH": "", "ADMIN_TOKEN": "", "AUTO_CREATE": "", "TOKEN_SECRET": "",
            "JWKS_URL": "", "TOKEN_ISSUER": ""}"#;
        assert_eq!(
            format!("{:?}", Settings::parse(empty).unwrap()),
            format!("{it:?}")
        );
    }

    #[test]
    fn open_holds_on_loopback_only() {
        let it = Settings::parse(r#"{"AUTH": "none", "LOOPBACK": "true"}"#).unwrap();
        assert!(it.open && !it.open_in_vain);
        let it = Settings::parse(r#"{"AUTH": "none"}"#).unwrap();
        assert!(!it.open && it.open_in_vain);
    }

    #[test]
    fn what_would_do_nothing_or_is_misspelt_is_refused() {
        for (json, word) in [
            (r#"{"TOKEN_SECRET": "s3cret"}"#, "TOKEN_SECRET"),
            (r#"{"JWKS_URL": "http://example.com"}"#, "JWKS_URL"),
            (
                r#"{"JWKS_URL": "http://127.0.0.1.example.com"}"#,
                "JWKS_URL",
            ),
            (r#"{"JWKS_URL": "https://a@example.com"}"#, "JWKS_URL"),
            (r#"{"JWKS_URL": "keys.json"}"#, "JWKS_URL"),
            (r#"{"AUTH": "nobody"}"#, "AUTH"),
            (r#"{"AUTO_CREATE": "no"}"#, "AUTO_CREATE"),
            (r#"{"LOOPBACK": "1"}"#, "LOOPBACK"),
            (r#"{"ADMIN_TOKEN": 5}"#, "settings"),
            (r#"{"TICKET_KEY": "s3cret"}"#, "TICKET_KEY"),
            (r#"{"PUSH_WORKERS": "A,OUTBOUND"}"#, "PUSH_WORKERS"),
            (r#"{"PUSH_QUEUES": "A B"}"#, "PUSH_QUEUES"),
            ("", "settings"),
        ] {
            let words = Settings::parse(json).unwrap_err();
            assert!(
                words.contains(word) && !words.contains("s3cret"),
                "{json}: {words}"
            );
        }
        for url in [
            "https://example.com/keys",
            "http://127.0.0.1:9/k",
            "http://localhost/k",
        ] {
            assert!(
                Settings::parse(&format!(r#"{{"JWKS_URL": "{url}"}}"#)).is_ok(),
                "{url}"
            );
        }
        let secret = format!(r#"{{"TOKEN_SECRET": "{}"}}"#, "s3cret".repeat(6));
        let it = Settings::parse(&secret).unwrap();
        assert!(it.has_credentials() && !format!("{it:?}").contains("s3cret"));
        assert!(Settings::parse(r#"{"ALLOW_PRIVATE_TARGETS": "true", "TICKET_KEY": ""}"#).is_ok());
    }
}
