//! Credentials: who may ask for anything at all.

use super::settings::Settings;
use crate::error::{ErrorCode, Fault};
use crate::wire::head::Head;
use crate::wire::query;
use std::borrow::Cow;

/// Lets a request in, or says how it would be.
///
/// `authorization` is the request's header. With `in_query`, a token may come as `?access_token=`
/// instead: event streams of browsers cannot send headers.
///
/// # Errors
/// `unauthorized`, or `forbidden` for a foreign host name on an open loopback server.
pub fn check(
    settings: &Settings,
    head: &Head<'_>,
    authorization: Option<&str>,
    in_query: bool,
) -> Result<(), Fault> {
    if settings.open {
        return check_loopback(head);
    }
    let Some(expected) = &settings.admin_token else {
        return Err(unset(settings));
    };
    let given = match authorization {
        Some(value) => bearer(value).map(Cow::Borrowed),
        None if in_query => query::value(head.query, "access_token").flatten(),
        None => None,
    };
    match given {
        Some(token) if same(token.as_bytes(), expected.as_bytes()) => Ok(()),
        Some(_) => Err(unauthorized("the token is not the one of this deployment")),
        None => Err(unauthorized(
            "send the header Authorization: Bearer <token>",
        )),
    }
}

/// Whether anybody is let in at all. A deployment without credentials serves nothing, not even what
/// is for everybody elsewhere.
///
/// # Errors
/// `unauthorized`, with what to set.
pub fn check_is_set_up(settings: &Settings) -> Result<(), Fault> {
    if settings.open || settings.admin_token.is_some() {
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
         put ADMIN_TOKEN) and send it as Authorization: Bearer <token>"
    })
}

fn unauthorized(detail: &str) -> Fault {
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

    fn code(
        settings: &str,
        url: &str,
        authorization: Option<&str>,
        in_query: bool,
    ) -> Option<ErrorCode> {
        let settings = Settings::parse(settings).unwrap();
        let text = format!("GET\n{url}");
        let head = Head::parse(&text).unwrap();
        check(&settings, &head, authorization, in_query)
            .err()
            .map(|fault| fault.code)
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
        let head = Head::parse("GET\nhttps://example.com/v1/queues").unwrap();
        let fault = check(&settings, &head, Some("Bearer "), false).unwrap_err();
        assert!(fault.code == ErrorCode::Unauthorized && fault.detail.contains("ADMIN_TOKEN"));
        let fault = check(
            &Settings::parse(r#"{"AUTH":"none"}"#).unwrap(),
            &head,
            None,
            false,
        )
        .unwrap_err();
        assert!(fault.detail.contains("loopback"));
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
