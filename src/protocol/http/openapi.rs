//! The OpenAPI document, `GET /v1/openapi.json`.
//!
//! It travels in a section of its own of the core's file, where the host finds it. As data it would
//! be in the memory of each instance: every object would have a copy.

/// The document. It is the same for everybody.
pub const DOCUMENT: &str = include_str!("openapi.json");

/// That section. Marked as used, it would be data as well.
#[cfg(target_arch = "wasm32")]
#[unsafe(link_section = "openapi")]
pub static SECTION: [u8; DOCUMENT.len()] = *include_bytes!("openapi.json");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use serde_json::Value;

    fn document() -> Value {
        serde_json::from_str(DOCUMENT).unwrap()
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
