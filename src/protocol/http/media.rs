//! Media types: which documents a request body may be.

use crate::error::{ErrorCode, Fault};

/// What `curl -d` says of a body when it is told nothing else: taken for JSON where JSON is
/// expected.
const UNSAID: &str = "application/x-www-form-urlencoded";
/// One CloudEvent as a JSON document ("structured content mode").
pub const CLOUD_EVENT: &str = "application/cloudevents+json";
/// Many of them ("batched content mode").
pub const CLOUD_EVENTS_BATCH: &str = "application/cloudevents-batch+json";
/// One JSON document a line.
pub const ND_JSON: &str = "application/x-ndjson";

/// Whether `content_type` is `media_type`, whatever its parameters and case.
#[must_use]
pub fn is(content_type: Option<&str>, media_type: &str) -> bool {
    content_type.is_some_and(|text| essence(text).eq_ignore_ascii_case(media_type))
}

/// Whether `content_type` announces JSON (RFC 6839, 3.1).
#[must_use]
pub fn is_json(content_type: &str) -> bool {
    let essence = essence(content_type);
    let tail = essence.len().saturating_sub("+json".len());
    essence.eq_ignore_ascii_case("application/json")
        || essence
            .get(tail..)
            .is_some_and(|suffix| suffix.eq_ignore_ascii_case("+json"))
}

/// Refuses what is neither JSON nor silent about what it is.
///
/// # Errors
/// `unsupported-media`.
pub fn expect_json(content_type: Option<&str>) -> Result<(), Fault> {
    match content_type {
        Some(text) if !text.is_empty() && !is_json(text) && !is(content_type, UNSAID) => {
            Err(unsupported("application/json"))
        }
        _ => Ok(()),
    }
}

/// Refuses a body that is coded: what is stored is what consumers get, who are not told of a coding,
/// and nothing that a client compressed is ever inflated here (RFC 9110, 8.4).
///
/// # Errors
/// `unsupported-media`.
pub fn expect_identity(content_encoding: Option<&str>) -> Result<(), Fault> {
    match content_encoding {
        Some(text) if !text.is_empty() && !text.eq_ignore_ascii_case("identity") => {
            let detail = "bodies are taken as they are: send it without Content-Encoding; a message \
                          that is compressed says so in Content-Type or an attribute";
            Err(Fault::new(ErrorCode::UnsupportedMedia, detail)
                .with(|f| f.field = Some("Content-Encoding".to_owned())))
        }
        _ => Ok(()),
    }
}

/// The fault of a body that is no `expected`.
#[must_use]
pub fn unsupported(expected: &str) -> Fault {
    let detail = format!("send the header Content-Type: {expected}, and a body to match");
    Fault::new(ErrorCode::UnsupportedMedia, detail)
        .with(|f| f.field = Some("Content-Type".to_owned()))
}

fn essence(content_type: &str) -> &str {
    content_type
        .split_once(';')
        .map_or(content_type, |(essence, _)| essence)
        .trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_coded_is_refused() {
        for fine in [None, Some(""), Some("identity"), Some("Identity")] {
            assert!(expect_identity(fine).is_ok());
        }
        for coded in ["gzip", "br", "identity, gzip", "x"] {
            let fault = expect_identity(Some(coded)).unwrap_err();
            assert_eq!(fault.code, ErrorCode::UnsupportedMedia);
            assert_eq!(fault.figures.field.as_deref(), Some("Content-Encoding"));
        }
    }

    #[test]
    fn json_has_many_names() {
        for good in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/ld+json",
            "a/b+JSON",
        ] {
            assert!(is_json(good) && expect_json(Some(good)).is_ok(), "{good}");
        }
        for bad in ["text/plain", "json", "application/jsonp", "é"] {
            assert!(!is_json(bad), "{bad}");
            assert_eq!(
                expect_json(Some(bad)).unwrap_err().code,
                ErrorCode::UnsupportedMedia
            );
        }
        assert!(expect_json(None).is_ok() && expect_json(Some("")).is_ok());
        assert!(expect_json(Some(UNSAID)).is_ok() && !is_json(UNSAID));
    }

    #[test]
    fn parameters_do_not_hide_the_type() {
        assert!(is(
            Some("application/cloudevents+json; charset=UTF-8"),
            CLOUD_EVENT
        ));
        assert!(!is(Some("application/cloudevents-batch+json"), CLOUD_EVENT));
        assert!(!is(None, CLOUD_EVENT));
    }
}
