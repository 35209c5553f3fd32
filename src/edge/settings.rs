//! What an operator chooses, read once: variables of the Worker, by their names in the environment.

use crate::crypto::ticket::TicketKey;
use serde::Deserialize;

/// The settings, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether everything is open to everybody who comes over loopback.
    pub open: bool,
    /// `AUTH=none` was asked for where it does not hold: the server listens on more than loopback.
    pub open_in_vain: bool,
    /// The deployment's own token.
    pub admin_token: Option<String>,
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
    auto_create: Option<String>,
    loopback: Option<String>,
    ticket_key: Option<String>,
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
        for (name, value) in [
            ("TOKEN_SECRET", &it.token_secret),
            ("JWKS_URL", &it.jwks_url),
        ] {
            if value.as_deref().is_some_and(|text| !text.is_empty()) {
                return Err(format!(
                    "{name} is set, but this version does not check tokens that are JWTs: \
                     unset it, and set ADMIN_TOKEN instead"
                ));
            }
        }
        // The objects sign with it; whether it is a key is told here, to every request.
        if let Some(jwk) = it.ticket_key.as_deref().filter(|text| !text.is_empty()) {
            TicketKey::from_jwk(jwk)
                .map_err(|fault| format!("TICKET_KEY is no key: {}", fault.detail))?;
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
            admin_token: it.admin_token.filter(|token| !token.is_empty()),
            auto_create: boolean("AUTO_CREATE", it.auto_create.as_deref(), true)?,
        })
    }
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
        assert_eq!(
            Settings::parse(r#"{"AUTH": "", "ADMIN_TOKEN": "", "AUTO_CREATE": ""}"#).unwrap(),
            it
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
            (r#"{"JWKS_URL": "https://example.com"}"#, "JWKS_URL"),
            (r#"{"AUTH": "nobody"}"#, "AUTH"),
            (r#"{"AUTO_CREATE": "no"}"#, "AUTO_CREATE"),
            (r#"{"LOOPBACK": "1"}"#, "LOOPBACK"),
            (r#"{"ADMIN_TOKEN": 5}"#, "settings"),
            (r#"{"TICKET_KEY": "s3cret"}"#, "TICKET_KEY"),
            ("", "settings"),
        ] {
            let words = Settings::parse(json).unwrap_err();
            assert!(
                words.contains(word) && !words.contains("s3cret"),
                "{json}: {words}"
            );
        }
        assert!(Settings::parse(r#"{"ALLOW_PRIVATE_TARGETS": "true", "TICKET_KEY": ""}"#).is_ok());
    }
}
