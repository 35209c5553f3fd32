//! Problem documents (RFC 9457): what a fault looks like to a client.

use super::render::DecidedBy;
use super::response::{Response, nosniff};
use crate::error::{ErrorCode, Fault};
use crate::time::{Millis, SECOND};
use crate::wire::json_text::{member_number, member_number_if, member_string};

/// The media type of problem documents.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Whether `code` turns a well-formed publish away, which says who decided it.
#[must_use]
pub const fn is_refusal(code: ErrorCode) -> bool {
    use ErrorCode::{Closed, KeyLimit, NotOpen, QueueFull, RateLimited, SoldOut};
    matches!(
        code,
        QueueFull | SoldOut | KeyLimit | NotOpen | Closed | RateLimited
    )
}

/// Appends the problem document of `fault`.
pub fn write(out: &mut Vec<u8>, fault: &Fault) {
    let figures = &fault.figures;
    out.push(b'{');
    member_string(out, "type", fault.code.slug());
    member_string(out, "title", fault.code.title());
    member_number(out, "status", u64::from(fault.code.status()));
    member_string(out, "detail", &fault.detail);
    if let Some(field) = &figures.field {
        member_string(out, "field", field);
    }
    member_number_if(out, "limit", figures.limit);
    member_number_if(out, "depth", figures.depth);
    member_number_if(out, "estimated_wait_ms", figures.estimated_wait_ms);
    member_number_if(out, "opens_at_ms", figures.opens_at_ms);
    member_number_if(out, "last_seq", figures.last_seq);
    member_number_if(out, "retry_after_ms", figures.retry_after_ms);
    if let Some(url) = &figures.redirect_url {
        member_string(out, "redirect_url", url);
    }
    out.push(b'}');
}

/// The response for `fault`; a `303` where it says to send the publisher elsewhere.
#[must_use]
pub fn response(fault: &Fault, decided_by: DecidedBy) -> Response {
    let mut headers = Vec::with_capacity(8);
    headers.push(("cache-control", "no-store".to_owned()));
    if is_refusal(fault.code) {
        headers.push(("tidegate-decided-by", decided_by.name().to_owned()));
    }
    if let Some(url) = &fault.figures.redirect_url {
        headers.push(("location", url.clone()));
        return Response {
            status: 303,
            headers,
            body: Vec::new(),
        };
    }
    headers.push(("content-type", MEDIA_TYPE.to_owned()));
    headers.push(nosniff());
    if let Some(after_ms) = fault.figures.retry_after_ms {
        headers.push(("retry-after", retry_after(after_ms)));
    }
    if fault.code == ErrorCode::Unauthorized {
        headers.push(("www-authenticate", "Bearer".to_owned()));
    }
    let mut body = Vec::with_capacity(224 + fault.detail.len());
    write(&mut body, fault);
    Response {
        status: fault.code.status(),
        headers,
        body,
    }
}

/// Whole seconds, rounded up: a client that obeys never comes too early (RFC 9110, 10.2.3).
fn retry_after(after_ms: Millis) -> String {
    after_ms.div_ceil(SECOND).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(response: &Response) -> serde_json::Value {
        serde_json::from_slice(&response.body).unwrap()
    }

    #[test]
    fn a_refusal_carries_its_figures_and_who_decided() {
        let fault = Fault::new(ErrorCode::QueueFull, "10 of 10").with(|f| {
            f.retry_after_ms = Some(1_001);
            f.depth = Some(10);
            f.limit = Some(10);
            f.estimated_wait_ms = Some(77);
            f.verdict_ms = Some(500);
        });
        let response = response(&fault, DecidedBy::Edge);
        assert_eq!(response.status, 429);
        assert_eq!(response.header("retry-after"), Some("2"));
        assert_eq!(response.header("tidegate-decided-by"), Some("edge"));
        assert_eq!(response.header("content-type"), Some(MEDIA_TYPE));
        assert_eq!(
            parsed(&response),
            serde_json::json!({"type": "queue-full", "title": "The queue has no room",
                "status": 429, "detail": "10 of 10", "limit": 10, "depth": 10, 
                "estimated_wait_ms": 77, "retry_after_ms": 1001})
        );
    }

    #[test]
    fn a_redirect_is_a_303_with_location() {
        let fault = Fault::new(ErrorCode::SoldOut, "gone")
            .with(|f| f.redirect_url = Some("https://example.com/waiting".to_owned()));
        let response = response(&fault, DecidedBy::Object);
        assert_eq!(response.status, 303);
        assert_eq!(
            response.header("location"),
            Some("https://example.com/waiting")
        );
        assert_eq!(response.header("tidegate-decided-by"), Some("object"));
    }

    #[test]
    fn every_code_has_a_document() {
        for code in ErrorCode::ALL {
            let fault =
                Fault::new(*code, "a \"quoted\"\nline").with(|f| f.field = Some("x\\y".to_owned()));
            let response = response(&fault, DecidedBy::Object);
            let document = parsed(&response);
            assert_eq!(document["type"], code.slug());
            assert_eq!(document["status"], code.status());
            assert_eq!(document["detail"], "a \"quoted\"\nline");
            assert_eq!(document["field"], "x\\y");
            assert_eq!(response.status, code.status());
            assert_eq!(
                response.header("tidegate-decided-by").is_some(),
                is_refusal(*code),
                "{code:?}"
            );
            assert_eq!(
                response.header("www-authenticate").is_some(),
                response.status == 401
            );
        }
    }
}
