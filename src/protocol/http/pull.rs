//! The body of a pull.

use super::fields::{Item, Place, document};
use crate::command::Pull;
use crate::error::Fault;
use crate::limits::{LEASE_MS_MAX, LEASE_MS_MIN, PULL_MESSAGES_MAX, WAIT_MS_MAX};

/// Messages leased where the request does not say how many.
const BATCH_SIZE_DEFAULT: u32 = 10;

/// Reads a pull; an empty body is one with all defaults.
///
/// # Errors
/// `bad-request` naming the field.
pub fn read(body: &[u8]) -> Result<Pull<'_>, Fault> {
    let mut pull = Pull {
        batch_size: BATCH_SIZE_DEFAULT,
        ..Pull::default()
    };
    let item = document(body)?.unwrap_or(Item::Object(Vec::new()));
    for field in item.fields(Place::TOP)? {
        match field.name {
            "batch_size" | "visibility_timeout_ms" | "wait_ms" | "filter" if field.is_null() => {}
            "batch_size" => {
                pull.batch_size = field.uint(&(1..=u64::from(PULL_MESSAGES_MAX)))? as u32
            }
            "visibility_timeout_ms" => {
                pull.visibility_timeout_ms = Some(field.uint(&(LEASE_MS_MIN..=LEASE_MS_MAX))?);
            }
            "wait_ms" => pull.wait_ms = field.uint(&(0..=WAIT_MS_MAX))?,
            "filter" if field.raw().starts_with(['{', '"']) => pull.filter = Some(field.raw()),
            "filter" => {
                return Err(field
                    .fault("an event pattern (an object) or a selector (a string) belongs here"));
            }
            _ => return Err(field.unknown("batch_size, visibility_timeout_ms, wait_ms, filter")),
        }
    }
    Ok(pull)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_body_has_all_defaults() {
        for body in ["", " ", "{}", r#"{"batch_size": null}"#] {
            let pull = read(body.as_bytes()).unwrap();
            assert_eq!(
                (pull.batch_size, pull.wait_ms, pull.visibility_timeout_ms),
                (10, 0, None)
            );
            assert_eq!(pull.filter, None);
        }
    }

    #[test]
    fn fields_are_read() {
        let body = br#"{"batch_size": 1000, "visibility_timeout_ms": 100, "wait_ms": 30000,
            "filter": {"a": [1]}}"#;
        let pull = read(body).unwrap();
        assert_eq!(
            (pull.batch_size, pull.wait_ms, pull.visibility_timeout_ms),
            (1_000, 30_000, Some(100))
        );
        assert_eq!(pull.filter, Some(r#"{"a": [1]}"#));
        for end in 1..body.len() {
            assert!(read(&body[..end]).is_err());
        }
    }

    #[test]
    fn faults_name_the_field() {
        for (body, field) in [
            (r#"{"batch_size": 0}"#, "batch_size"),
            (r#"{"batch_size": 1001}"#, "batch_size"),
            (r#"{"batch_size": "1"}"#, "batch_size"),
            (r#"{"visibility_timeout_ms": 99}"#, "visibility_timeout_ms"),
            (r#"{"wait_ms": 30001}"#, "wait_ms"),
            (r#"{"filter": [1]}"#, "filter"),
            (r#"{"batchsize": 1}"#, "batchsize"),
            ("[]", "body"),
            ("null", "body"),
        ] {
            assert_eq!(
                read(body.as_bytes()).unwrap_err().figures.field.as_deref(),
                Some(field),
                "{body}"
            );
        }
    }
}
