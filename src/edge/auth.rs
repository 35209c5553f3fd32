//! Credentials: whom a request comes from, and what that allows.
//!
//! A token is the deployment's own (`ADMIN_TOKEN`), or a JSON Web Token: one that the deployment's
//! secret signed is checked here and now, one of somebody else's key once the host has checked it.

use super::Action;
use super::action::Check;
use super::claims;
use super::grant::{ALL, Held};
use super::keys::Keys;
use super::known::Known;
use super::request::Request;
use super::settings::Settings;
use crate::crypto::jws::{Algorithm, Jws};
use crate::error::{ErrorCode, Fault};
use crate::time::Millis;
use crate::wire::head::Head;
use crate::wire::query;
use std::borrow::Cow;
use std::rc::Rc;

/// What one isolate knows of tokens.
#[derive(Debug, Default)]
pub struct Credentials {
    keys: Keys,
    known: Known,
}

/// Why a request goes no further by now.
#[derive(Debug)]
pub enum Stop {
    /// It is refused.
    Fault(Fault),
    /// Something has to be done first, or instead.
    Act(Box<Action>),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Credentials {
    /// What a request's credentials allow, or how they would be right. With `in_query`, a token may
    /// come as `?access_token=`: event streams of browsers cannot send headers.
    ///
    /// # Errors
    /// `unauthorized`, or `forbidden` for a foreign host name on an open loopback server; or what
    /// has to be done before it is known.
    pub fn grant(
        &mut self,
        settings: &Settings,
        request: &Request<'_>,
        in_query: bool,
        now_ms: Millis,
    ) -> Result<Held, Stop> {
        if settings.open {
            check_loopback(&request.head)?;
            return Ok(Held::Fixed(&ALL));
        }
        check_is_set_up(settings)?;
        let token = token(request, in_query).ok_or_else(no_token)?;
        let own = settings.admin_token.as_deref();
        if own.is_some_and(|own| same(token.as_bytes(), own.as_bytes())) {
            return Ok(Held::Fixed(&ALL));
        }
        if !settings.takes_tokens() {
            return Err(unauthorized("the token is not the one of this deployment").into());
        }
        self.bearer(settings, &token, now_ms)
    }

    fn bearer(&mut self, settings: &Settings, token: &str, now_ms: Millis) -> Result<Held, Stop> {
        if self.keys.vouch(now_ms)
            && let Some(grant) = self.known.get(token)
        {
            claims::check_time(&grant, now_ms).map_err(unauthorized)?;
            return Ok(Held::Own(grant));
        }
        let jws = Jws::parse(token).map_err(unauthorized)?;
        if jws.algorithm == Algorithm::Hs256 {
            let secret = settings.token_secret.as_ref();
            if !secret.is_some_and(|it| it.verify(jws.signed.as_bytes(), &jws.signature)) {
                return Err(wrong_signature().into());
            }
            let grant = claims::read(&jws.payload, settings, now_ms).map_err(unauthorized)?;
            return Ok(Held::Own(Rc::new(grant)));
        }
        let Some(url) = &settings.jwks_url else {
            let detail = "this deployment takes tokens signed with HS256 only: JWKS_URL is not set";
            return Err(unauthorized(detail).into());
        };
        let edition = self.keys.edition();
        let key = self
            .keys
            .choose(url, jws.kid.as_deref(), jws.algorithm, now_ms)?;
        // Checking a signature costs more than reading what would be in vain.
        claims::read(&jws.payload, settings, now_ms).map_err(unauthorized)?;
        Err(Stop::Act(Box::new(Action::Verify(Check {
            algorithm: jws.algorithm.name(),
            jwk: key.jwk().to_owned(),
            signature: jws.signature,
            signed: jws.signed.to_owned(),
            edition,
        }))))
    }

    /// The host checked the signature of the request's token with a key of that edition of the set,
    /// and it was right, or not. Where the keys are others by now, that says nothing any more: who
    /// sends tokens without a pause would keep one that a key made which is gone.
    ///
    /// # Errors
    /// `unauthorized` where it was not.
    pub fn verified(
        &mut self,
        settings: &Settings,
        request: &Request<'_>,
        is_right: bool,
        edition: u32,
        now_ms: Millis,
    ) -> Result<(), Fault> {
        if edition != self.keys.edition() {
            return Ok(());
        }
        if !is_right {
            return Err(wrong_signature());
        }
        let token = token(request, true).ok_or_else(wrong_signature)?;
        let jws = Jws::parse(&token).map_err(unauthorized)?;
        let grant = claims::read(&jws.payload, settings, now_ms).map_err(unauthorized)?;
        self.known.put(&token, grant, now_ms);
        Ok(())
    }

    /// The host is on its way to read the key set.
    pub fn begin_reading(&mut self, now_ms: Millis) {
        self.keys.begin(now_ms);
    }

    /// The host read the key set, or could not (`None`). What was known to be genuine by the keys
    /// before is looked at anew.
    pub fn take_keys(&mut self, read: Option<&[u8]>, max_age_ms: Option<Millis>, now_ms: Millis) {
        if self.keys.take(read, max_age_ms, now_ms) {
            self.known.clear();
        }
    }
}

fn token<'a>(request: &Request<'a>, in_query: bool) -> Option<Cow<'a, str>> {
    match request.authorization {
        Some(value) => Some(Cow::Borrowed(bearer(value).unwrap_or_default())),
        None if in_query => query::value(request.head.query, "access_token").flatten(),
        None => None,
    }
}

/// Whether a request brings a token, right or wrong.
pub(super) fn has_token(request: &Request<'_>, in_query: bool) -> bool {
    token(request, in_query).is_some()
}

pub(super) fn no_token() -> Fault {
    unauthorized("send the header Authorization: Bearer <token>")
}

fn wrong_signature() -> Fault {
    unauthorized("the token's signature is wrong: it was made with another key, or changed")
}

/// Whether anybody is let in at all. A deployment without credentials serves nothing, not even what
/// is for everybody elsewhere.
///
/// # Errors
/// `unauthorized`, with what to set.
pub fn check_is_set_up(settings: &Settings) -> Result<(), Fault> {
    if settings.open || settings.has_credentials() {
        return Ok(());
    }
    Err(unset(settings))
}

/// A page whose own host name was made to resolve to 127.0.0.1 ("DNS rebinding") is of the same
/// origin as far as its browser can tell; its host name gives it away.
fn check_loopback(head: &Head<'_>) -> Result<(), Fault> {
    let host = head.host();
    let is_loopback = host == "localhost"
        || host == "[::1]"
        || host.ends_with(".localhost")
        || host
            .parse::<std::net::Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback());
    if is_loopback {
        return Ok(());
    }
    let detail = "AUTH is none, which holds for requests to localhost, 127.0.0.1 or [::1] only; \
                  to serve another host name, set ADMIN_TOKEN and unset AUTH";
    Err(Fault::new(ErrorCode::Forbidden, detail))
}

/// The token of an `Authorization` header (RFC 6750, 2.1); the scheme's case does not matter.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim_matches(' '))
}

fn unset(settings: &Settings) -> Fault {
    unauthorized(if settings.open_in_vain {
        "AUTH is none, which holds on loopback only, and this server listens on more: set \
         ADMIN_TOKEN (on Cloudflare: wrangler secret put ADMIN_TOKEN) and send it as \
         Authorization: Bearer <token>"
    } else {
        "this deployment has no credentials yet: set ADMIN_TOKEN (on Cloudflare: wrangler secret \
         put ADMIN_TOKEN) and send it as Authorization: Bearer <token>; or set TOKEN_SECRET or \
         JWKS_URL, and send a JWT"
    })
}

pub(super) fn unauthorized(detail: &str) -> Fault {
    Fault::new(ErrorCode::Unauthorized, detail)
}

/// Compares in a time that tells nothing of where the first difference is.
fn same(given: &[u8], expected: &[u8]) -> bool {
    let mut difference = given.len() ^ expected.len();
    for (at, byte) in expected.iter().enumerate() {
        let other = given.get(at).copied().unwrap_or(0);
        difference |= usize::from(std::hint::black_box(byte ^ other));
    }
    std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::base64;

    fn code(
        settings: &str,
        url: &str,
        authorization: Option<&str>,
        in_query: bool,
    ) -> Option<ErrorCode> {
        let settings = Settings::parse(settings).unwrap();
        let text = format!("GET\n{url}");
        let mut request = Request::parse(&text).unwrap();
        request.authorization = authorization;
        fault(&settings, &request, in_query).map(|fault| fault.code)
    }

    fn fault(settings: &Settings, request: &Request<'_>, in_query: bool) -> Option<Fault> {
        let granted = Credentials::default().grant(settings, request, in_query, 0);
        granted.err().map(|stop| match stop {
            Stop::Fault(fault) => fault,
            Stop::Act(action) => panic!("{action:?}"),
        })
    }

    /// A key set with one key, and a token that says it is of that key.
    fn set(kid: &str) -> String {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"{kid}","x":"{x}"}}]}}"#)
    }

    fn token_of(kid: &str) -> String {
        let part = |text: &str| base64::encode_url(text.as_bytes());
        let header = format!(r#"{{"alg":"EdDSA","kid":"{kid}"}}"#);
        let claims = r#"{"exp":100000,"scope":"publish:q"}"#;
        format!("{}.{}.{}", part(&header), part(claims), part("signature"))
    }

    /// A deployment with a key set, and a request with a token of the key `a`: its head and its
    /// credentials.
    fn with_key_set() -> (Settings, String, String) {
        let settings = r#"{"JWKS_URL": "https://id.example/keys"}"#;
        let settings = Settings::parse(settings).unwrap();
        let value = format!("Bearer {}", token_of("a"));
        (settings, format!("GET\n{URL}"), value)
    }

    #[test]
    fn a_key_that_is_gone_ends_what_is_known_to_be_genuine_by_it() {
        let (settings, text, value) = with_key_set();
        let mut request = Request::parse(&text).unwrap();
        request.authorization = Some(&value);
        let mut it = Credentials::default();
        let asked =
            |it: &mut Credentials, now_ms| match it.grant(&settings, &request, false, now_ms) {
                Ok(_) => "let in",
                Err(Stop::Fault(fault)) => fault.code.slug(),
                Err(Stop::Act(action)) => match *action {
                    Action::ReadKeys { .. } => "read",
                    Action::Verify(check) => {
                        it.verified(&settings, &request, true, check.edition, now_ms)
                            .unwrap();
                        "verify"
                    }
                    other => panic!("{other:?}"),
                },
            };
        it.take_keys(Some(set("a").as_bytes()), Some(60_000), 0);
        assert_eq!(asked(&mut it, 1), "verify");
        assert_eq!(asked(&mut it, 59_999), "let in");
        // Nobody has come with a token that is not known: the set is read again all the same.
        assert_eq!(asked(&mut it, 60_000), "read");
        it.begin_reading(60_000);
        assert_eq!(asked(&mut it, 60_001), "let in");
        it.take_keys(Some(set("a").as_bytes()), Some(60_000), 60_002);
        assert_eq!(asked(&mut it, 60_003), "let in");
        assert_eq!(asked(&mut it, 120_002), "read");
        it.take_keys(Some(set("b").as_bytes()), Some(60_000), 120_002);
        assert_eq!(asked(&mut it, 120_003), "unauthorized");
    }

    #[test]
    fn a_signature_that_was_checked_while_its_key_went_counts_for_nothing() {
        let (settings, text, value) = with_key_set();
        let mut request = Request::parse(&text).unwrap();
        request.authorization = Some(&value);
        let mut it = Credentials::default();
        let under_way = |it: &mut Credentials, now_ms| {
            let Err(Stop::Act(action)) = it.grant(&settings, &request, false, now_ms) else {
                panic!("there is nothing to check");
            };
            let Action::Verify(check) = *action else {
                panic!("{action:?}");
            };
            check.edition
        };
        for (is_right, keys) in [(true, "b"), (false, "b"), (true, "a")] {
            it.take_keys(Some(set("a").as_bytes()), Some(60_000), 0);
            let edition = under_way(&mut it, 1);
            it.take_keys(Some(set("b").as_bytes()), Some(60_000), 2);
            it.take_keys(Some(set(keys).as_bytes()), Some(60_000), 3);
            let told = it.verified(&settings, &request, is_right, edition, 4);
            assert!(told.is_ok(), "the step is taken again");
            // By the keys that there are now.
            match it.grant(&settings, &request, false, 5) {
                Err(Stop::Fault(fault)) if keys == "b" => {
                    assert_eq!(fault.code, ErrorCode::Unauthorized);
                }
                Err(Stop::Act(_)) if keys == "a" => {}
                other => panic!("{other:?}"),
            }
        }
    }

    const TOKEN: &str = r#"{"ADMIN_TOKEN": "t0ken"}"#;
    const URL: &str = "https://example.com/v1/queues/q";

    #[test]
    fn only_the_token_opens() {
        assert_eq!(code(TOKEN, URL, Some("Bearer t0ken"), false), None);
        assert_eq!(code(TOKEN, URL, Some("bearer t0ken"), false), None);
        for bad in [
            "Bearer t0ke",
            "Bearer t0kenn",
            "Bearer ",
            "Bearer",
            "t0ken",
            "Basic t0ken",
            "",
        ] {
            assert_eq!(
                code(TOKEN, URL, Some(bad), false),
                Some(ErrorCode::Unauthorized),
                "{bad}"
            );
        }
        assert_eq!(code(TOKEN, URL, None, false), Some(ErrorCode::Unauthorized));
    }

    #[test]
    fn the_query_counts_for_streams_only() {
        let url = format!("{URL}?access_token=t0ken");
        assert_eq!(code(TOKEN, &url, None, true), None);
        assert_eq!(
            code(TOKEN, &url, None, false),
            Some(ErrorCode::Unauthorized)
        );
        assert_eq!(
            code(TOKEN, &url, Some("Bearer wrong"), true),
            Some(ErrorCode::Unauthorized)
        );
    }

    #[test]
    fn without_credentials_everything_is_refused_in_helpful_words() {
        let settings = Settings::parse("{}").unwrap();
        let text = "GET\nhttps://example.com/v1/queues\nauthorization: Bearer x";
        let request = Request::parse(text).unwrap();
        let words = fault(&settings, &request, false).unwrap();
        assert!(words.code == ErrorCode::Unauthorized && words.detail.contains("ADMIN_TOKEN"));
        let in_vain = Settings::parse(r#"{"AUTH":"none"}"#).unwrap();
        assert!(
            fault(&in_vain, &request, false)
                .unwrap()
                .detail
                .contains("loopback")
        );
    }

    #[test]
    fn an_open_server_answers_to_loopback_names_only() {
        let open = r#"{"AUTH": "none", "LOOPBACK": "true"}"#;
        for good in [
            "http://127.0.0.1:8787/",
            "http://localhost/",
            "http://[::1]:1/",
            "http://a.localhost/",
        ] {
            assert_eq!(code(open, good, None, false), None, "{good}");
        }
        for bad in [
            "http://evil.example:8787/",
            "http://127.0.0.1.evil.example/",
            "http://localhost.evil/",
        ] {
            assert_eq!(
                code(open, bad, None, false),
                Some(ErrorCode::Forbidden),
                "{bad}"
            );
        }
    }
}
