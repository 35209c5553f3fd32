//! `POST /v1/tokens`: a short-lived token for somebody who may do less.
//!
//! It allows nothing that its maker may not, and does not outlive it.

use super::claims::instant_ms;
use super::grant::Grant;
use super::settings::Settings;
use crate::command::scope::Scope;
use crate::crypto::hs256::Hs256;
use crate::error::{ErrorCode, Fault};
use crate::limits::{
    KEY_CHARS_MAX, TOKEN_BYTES_MAX, TOKEN_LEEWAY_MS, TOKEN_SCOPES_MAX, TOKEN_TTL_MS_MAX,
    TOKEN_TTL_MS_MIN,
};
use crate::protocol::http::Response;
use crate::protocol::http::fields::{Item, Place, document};
use crate::time::{MINUTE, Millis, SECOND};
use crate::wire::json_text::{member_number, member_string};

/// Bytes of the request: a scope of as many entries as there may be, and the rest.
pub const BODY_BYTES_MAX: usize = 2 * TOKEN_BYTES_MAX;
/// Life of a token where the request does not say.
const TTL_MS_DEFAULT: Millis = 15 * MINUTE;

/// What is asked for.
struct Wish {
    scopes: Vec<Scope>,
    ttl_ms: Millis,
    key: Option<String>,
}

/// Makes a token of what `body` asks for, if `maker` may.
///
/// # Errors
/// `bad-request` naming the field, `forbidden` for more than the maker may, `not-found` where the
/// deployment makes no tokens.
pub fn make(
    settings: &Settings,
    maker: &Grant,
    body: &[u8],
    now_ms: Millis,
) -> Result<Response, Fault> {
    let Some(secret) = &settings.token_secret else {
        let detail = "this deployment makes no tokens: TOKEN_SECRET is not set";
        return Err(Fault::new(ErrorCode::NotFound, detail));
    };
    let wish = read(body)?;
    let key = check(maker, &wish)?;
    let own_end_ms = maker.expires_at_ms.map(|end| end - TOKEN_LEEWAY_MS);
    let end_ms = own_end_ms.unwrap_or(Millis::MAX).min(now_ms + wish.ttl_ms);
    let end_s = end_ms / SECOND;
    let scopes: Vec<_> = wish.scopes.iter().map(Scope::to_string).collect();
    let scope = scopes.join(" ");

    let mut claims = b"{".to_vec();
    for (name, text) in [
        ("iss", &settings.token_issuer),
        ("aud", &settings.token_audience),
    ] {
        if let Some(text) = text {
            member_string(&mut claims, name, text);
        }
    }
    member_string(&mut claims, "scope", &scope);
    if let Some(key) = key {
        member_string(&mut claims, "key", key);
    }
    member_number(&mut claims, "iat", now_ms / SECOND);
    member_number(&mut claims, "exp", end_s);
    claims.push(b'}');
    Ok(answer(secret, &claims, &scope, end_s))
}

fn answer(secret: &Hs256, claims: &[u8], scope: &str, end_s: u64) -> Response {
    let mut body = b"{".to_vec();
    member_string(&mut body, "token", &secret.token(claims));
    member_string(&mut body, "scope", scope);
    member_number(&mut body, "expires_at_ms", instant_ms(end_s));
    body.push(b'}');
    Response::json(201, body).with("cache-control", "no-store")
}

fn read(body: &[u8]) -> Result<Wish, Fault> {
    let item = document(body)?.unwrap_or(Item::Object(Vec::new()));
    let (mut scopes, mut ttl_ms, mut key) = (Vec::new(), TTL_MS_DEFAULT, None);
    for field in item.fields(Place::TOP)? {
        match field.name {
            "scope" => {
                for word in field.text()?.split(' ').filter(|word| !word.is_empty()) {
                    let wrong = || {
                        field.fault(
                            "words such as publish:orders or subscribe:chat/# belong here: one of \
                             publish, consume, subscribe, manage and observe, and a name or a \
                             pattern of names",
                        )
                    };
                    scopes.push(Scope::parse(word).ok_or_else(wrong)?);
                }
            }
            "expires_in_ms" => ttl_ms = field.uint(&(TOKEN_TTL_MS_MIN..=TOKEN_TTL_MS_MAX))?,
            "key" if field.is_null() => {}
            "key" => {
                let text = field.text()?.into_owned();
                if text.is_empty()
                    || text.chars().count() > KEY_CHARS_MAX
                    || text.chars().any(char::is_control)
                {
                    let detail = format!("a key has 1 to {KEY_CHARS_MAX} characters");
                    return Err(field.fault(detail));
                }
                key = Some(text);
            }
            _ => return Err(field.unknown("scope, expires_in_ms, key")),
        }
    }
    if scopes.is_empty() || scopes.len() > TOKEN_SCOPES_MAX {
        let detail = format!("a token has 1 to {TOKEN_SCOPES_MAX} scopes, with spaces between");
        return Err(Fault::bad("scope", detail));
    }
    Ok(Wish {
        scopes,
        ttl_ms,
        key,
    })
}

/// Whether the maker may give this away; the key that the token will be for.
fn check<'a>(maker: &'a Grant, wish: &'a Wish) -> Result<Option<&'a str>, Fault> {
    let refused = |field: &str, detail: String| {
        let fault = Fault::new(ErrorCode::Forbidden, detail);
        Err(fault.with(|figures| figures.field = Some(field.to_owned())))
    };
    let has =
        |wanted: &Scope| maker.everything || maker.scopes.iter().any(|it| it.includes(wanted));
    if let Some(lacking) = wish.scopes.iter().find(|it| !has(it)) {
        let detail = format!("nobody gives away what they do not have: {lacking} is not allowed");
        return refused("scope", detail);
    }
    match (maker.key.as_deref(), wish.key.as_deref()) {
        (Some(own), Some(wanted)) if own != wanted => {
            refused("key", "the token that asks is for another key".to_owned())
        }
        (own, wanted) => Ok(own.or(wanted)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::jws::Jws;
    use crate::edge::claims;
    use crate::edge::grant::ALL;
    use serde_json::Value;

    const NOW: Millis = 1_700_000_000_500;

    fn settings() -> Settings {
        let more = r#""TOKEN_ISSUER": "tide", "TOKEN_AUDIENCE": "shop""#;
        Settings::parse(&format!(
            r#"{{"TOKEN_SECRET": "{}", {more}}}"#,
            "s".repeat(32)
        ))
        .unwrap()
    }

    fn made(maker: &Grant, body: &str) -> Result<Grant, Fault> {
        let settings = settings();
        let response = make(&settings, maker, body.as_bytes(), NOW)?;
        let answer: Value = serde_json::from_slice(&response.body).unwrap();
        let token = answer["token"].as_str().unwrap();
        let jws = Jws::parse(token).unwrap();
        let secret = settings.token_secret.as_ref().unwrap();
        assert!(
            secret.verify(jws.signed.as_bytes(), &jws.signature) && token.len() < TOKEN_BYTES_MAX
        );
        let grant = claims::read(&jws.payload, &settings, NOW).unwrap();
        let end_ms = answer["expires_at_ms"].as_u64().unwrap();
        assert_eq!(grant.expires_at_ms, Some(end_ms + TOKEN_LEEWAY_MS));
        Ok(grant)
    }

    #[test]
    fn a_token_is_no_more_than_its_maker() {
        let maker = made(
            &ALL,
            r#"{"scope": "publish:a/# subscribe:*", "expires_in_ms": 60000}"#,
        )
        .unwrap();
        let child = made(
            &maker,
            r#"{"scope": "publish:a/+", "expires_in_ms": 3600000, "key": "anna"}"#,
        )
        .unwrap();
        assert_eq!(child.expires_at_ms, maker.expires_at_ms);
        assert_eq!(child.key.as_deref(), Some("anna"));
        let code = |maker: &Grant, body: &str| {
            let fault = made(maker, body).unwrap_err();
            (
                fault.code.slug(),
                fault.figures.field.clone().unwrap_or_default(),
            )
        };
        for scope in [
            "publish:#",
            "consume:a/b",
            "publish:a/+ manage:a",
            "publish:*",
        ] {
            let body = format!(r#"{{"scope": "{scope}"}}"#);
            assert_eq!(
                code(&maker, &body),
                ("forbidden", "scope".into()),
                "{scope}"
            );
        }
        assert_eq!(
            code(&child, r#"{"scope": "publish:a/+", "key": "bert"}"#),
            ("forbidden", "key".into())
        );
        let again = made(&child, r#"{"scope": "publish:a/b"}"#).unwrap();
        assert_eq!(again.key.as_deref(), Some("anna"));
    }

    #[test]
    fn what_is_asked_for_is_checked() {
        for (body, field) in [
            ("", "scope"),
            ("{}", "scope"),
            (r#"{"scope": ""}"#, "scope"),
            (r#"{"scope": "all"}"#, "scope"),
            (
                r#"{"scope": "publish:a", "expires_in_ms": 999}"#,
                "expires_in_ms",
            ),
            (
                r#"{"scope": "publish:a", "expires_in_ms": 86400001}"#,
                "expires_in_ms",
            ),
            (r#"{"scope": "publish:a", "key": ""}"#, "key"),
            (r#"{"scope": "publish:a", "admin": true}"#, "admin"),
            ("[]", "body"),
        ] {
            let fault = made(&ALL, body).unwrap_err();
            assert_eq!(fault.figures.field.as_deref(), Some(field), "{body}");
        }
        let none = Settings::parse(r#"{"ADMIN_TOKEN": "x"}"#).unwrap();
        let fault = make(&none, &ALL, br#"{"scope": "publish:a"}"#, NOW).unwrap_err();
        assert!(fault.code == ErrorCode::NotFound && fault.detail.contains("TOKEN_SECRET"));
    }
}
