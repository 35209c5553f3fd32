//! What browsers are told about pages of other sites (the Fetch standard, 3.2).
//!
//! A queue names the origins it talks to in `cors_origins`; `*` is everybody. Credentials travel in
//! `Authorization`, never in cookies, so `access-control-allow-credentials` is never sent.

use super::response::Response;
use crate::error::{ErrorCode, Fault};

/// Any header may be sent. A wildcard does not cover `Authorization`: it has to be named.
const HEADERS: &str = "authorization, *";
const METHODS: &str = "GET, HEAD, POST, PUT, DELETE";
/// What a page may read beside the body.
const EXPOSED: &str = "Location, Retry-After, Tidegate-Decided-By";
/// Ten minutes. A change of `cors_origins` takes effect at once all the same: each answer says whom
/// it is for.
const MAX_AGE_SECONDS: &str = "600";

/// Whether `origin` is one of `allowed`.
#[must_use]
pub fn allows(allowed: &[String], origin: &str) -> bool {
    allowed.iter().any(|entry| entry == "*" || entry == origin)
}

/// The fault of a page that the queue does not talk to.
#[must_use]
pub fn forbidden(origin: &str) -> Fault {
    let detail = format!("{origin} is not among the queue's cors_origins");
    Fault::new(ErrorCode::Forbidden, detail)
}

/// Lets `origin`'s page read `response`, if it is allowed to.
pub fn expose(response: &mut Response, origin: Option<&str>, allowed: &[String]) {
    let Some(origin) = origin.filter(|origin| allows(allowed, origin)) else {
        return;
    };
    response
        .headers
        .push(("access-control-allow-origin", origin.to_owned()));
    response
        .headers
        .push(("access-control-expose-headers", EXPOSED.to_owned()));
    response.headers.push(("vary", "origin".to_owned()));
}

/// The answer to a preflight. Without the permission the browser does not make the call.
#[must_use]
pub fn preflight(origin: Option<&str>, allowed: &[String]) -> Response {
    let response = Response::empty();
    match origin.filter(|origin| allows(allowed, origin)) {
        None => response,
        Some(origin) => response
            .with("access-control-allow-origin", origin)
            .with("access-control-allow-methods", METHODS)
            .with("access-control-allow-headers", HEADERS)
            .with("access-control-max-age", MAX_AGE_SECONDS)
            .with("vary", "origin"),
    }
}
