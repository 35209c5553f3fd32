//! The OpenAPI document, `GET /v1/openapi.json`.

use super::response::Response;

const DOCUMENT: &str = include_str!("openapi.json");

/// The document. It is the same for everybody.
#[must_use]
pub fn response() -> Response {
    Response::json(200, DOCUMENT.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use serde_json::Value;

    fn document() -> Value {
        serde_json::from_slice(&response().body).unwrap()
    }

    fn check_references(root: &Value, value: &Value) {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            assert!(root.pointer(&reference[1..]).is_some(), "{reference}");
        }
        match value {
            Value::Object(members) => members.values().for_each(|it| check_references(root, it)),
            Value::Array(items) => items.iter().for_each(|it| check_references(root, it)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        check_references(&document, &document);
    }

    #[test]
    fn problems_list_every_code() {
        let document = document();
        let listed = &document["components"]["schemas"]["Problem"]["properties"]["type"]["enum"];
        let slugs: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.slug()).collect();
        assert_eq!(*listed, serde_json::json!(slugs));
    }
}
