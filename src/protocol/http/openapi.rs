//! The OpenAPI document, `GET /v1/openapi.json`.

use super::response::Response;

const DOCUMENT: &str = include_str!("openapi.json");

/// The document. It is the same for everybody.
#[must_use]
pub fn response() -> Response {
    Response::json(200, DOCUMENT.as_bytes().to_vec())
}
