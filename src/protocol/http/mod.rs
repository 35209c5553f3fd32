//! The HTTP interface: reading what a client sends, and rendering what a queue answers.
//!
//! Owns the JSON shapes, the header names, the mapping of faults to problem documents (RFC 9457),
//! and the OpenAPI document. Out of scope: routes and credentials (`edge`), what a command does
//! (`engine`).

pub mod ack;
pub mod attributes;
pub mod batch;
pub mod binary;
pub mod cloud_events;
pub mod cors;
mod description;
mod endpoint;
mod endpoint_metrics;
pub mod fields;
pub mod histograms;
pub mod incoming;
pub mod joined;
pub mod media;
pub mod message;
pub mod metrics;
pub mod openapi;
pub mod patterns;
pub mod problem;
pub mod publish;
pub mod pull;
mod quarantined;
pub mod redrive;
pub mod render;
pub mod response;
pub mod seek;
mod terms;
pub mod topic;
pub mod topic_metrics;

pub use render::{DecidedBy, RenderContext, render};
pub use response::Response;

use crate::error::{ErrorCode, Fault};

/// `body`, if it is not larger than what is read of this kind.
///
/// # Errors
/// `request-too-large`.
pub fn within(body: &[u8], bytes_max: usize) -> Result<&[u8], Fault> {
    if body.len() > bytes_max {
        Err(too_large(bytes_max))
    } else {
        Ok(body)
    }
}

/// The fault of a request body that is too large to be read.
#[must_use]
pub fn too_large(bytes_max: usize) -> Fault {
    let detail =
        format!("this request has at most {bytes_max} bytes of body; split it into several");
    Fault::new(ErrorCode::RequestTooLarge, detail).with(|f| f.limit = Some(bytes_max as u64))
}

#[cfg(test)]
mod tests {
    use super::fields::{Item, document};
    use super::{ack, batch, cloud_events, incoming::Incoming, publish, pull};
    use crate::wire::head::Head;
    use proptest::prelude::*;

    /// Text that is nearly what the readers expect: their own words in any order.
    fn near_json() -> impl Strategy<Value = String> {
        let words = prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"messages\"",
            "\"body\"",
            "\"acks\"",
            "\"lease_id\"",
            "\"result\"",
            "\"x\"",
            "\"\\u00e4\"",
            "\"\\ud800\"",
            "1",
            "-0",
            "1e9",
            "null",
            "true",
            " ",
            "\n",
            "\\",
            "\"",
            "\"encoding\":\"base64\"",
            "\"encoding\":\"json\"",
            "\"attributes\":{\"a\":\"b\"}",
            "é",
            "\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"t\"",
            "\"data\"",
            "\"filter\"",
        ]);
        prop::collection::vec(words, 0..40).prop_map(|words| words.concat())
    }

    fn read_all(body: &[u8]) {
        for form in [
            batch::Form::Json,
            batch::Form::Lines,
            batch::Form::CloudEvents,
        ] {
            for message in batch::read(form, body).iter().flatten().flatten() {
                let _ = message.draft();
            }
        }
        let _ = cloud_events::structured(body, Incoming::default());
        let _ = ack::read(body).map(|it| it.ack().acks.len());
        let _ = pull::read(body);
        let _ = document::<Item<'_>>(body);
    }

    proptest! {
        #[test]
        fn no_body_makes_a_reader_panic(text in near_json(), bytes: Vec<u8>) {
            read_all(text.as_bytes());
            read_all(&bytes);
        }

        #[test]
        fn no_header_makes_a_reader_panic(name in "[a-z-]{0,20}", value in "[^\n]{0,40}") {
            for prefix in ["", "tidegate-", "tidegate-attr-", "ce-", "idempotency-key: \"\nx"] {
                let text = format!("POST\nhttp://h/\n{prefix}{name}: {value}");
                if let Some(head) = Head::parse(&text) {
                    let _ = publish::read(&head).map(|it| it.draft().priority);
                }
            }
        }
    }
}
