//! The body of a pull, and of the acknowledgements that may come with it.

use super::ack;
use super::fields::{Item, Place, document};
use crate::command::{Command, Pull};
use crate::error::Fault;
use crate::limits::{LEASE_MS_MAX, LEASE_MS_MIN, PULL_MESSAGES_MAX, WAIT_MS_MAX};

/// Messages leased where the request does not say how many.
const BATCH_SIZE_DEFAULT: u32 = 10;

/// A pull as a client sent it.
#[derive(Debug, Default)]
pub struct Request<'a> {
    pull: Pull<'a>,
    /// What is acknowledged, given back and prolonged before; `None` where there is nothing.
    settles: Option<ack::Request<'a>>,
}

impl Request<'_> {
    /// What is asked of the queue.
    #[must_use]
    pub fn command(&self) -> Command<'_> {
        let pull = self.pull.clone();
        match &self.settles {
            Some(it) => Command::AckPull {
                ack: it.ack(),
                pull,
            },
            None => Command::Pull(pull),
        }
    }
}

/// Reads a pull; an empty body is one with all defaults.
///
/// # Errors
/// `bad-request` naming the field.
pub fn read(body: &[u8]) -> Result<Request<'_>, Fault> {
    let mut pull = Pull {
        batch_size: BATCH_SIZE_DEFAULT,
        ..Pull::default()
    };
    let mut settles = ack::Request::default();
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
            _ if settles.take(&field)? => {}
            _ => {
                let known = "batch_size, visibility_timeout_ms, wait_ms, filter, acks, retries, \
                             extends";
                return Err(field.unknown(known));
            }
        }
    }
    let settles = match settles.check_count(0)? {
        0 => None,
        _ => {
            check_at_once(&pull)?;
            Some(settles)
        }
    };
    Ok(Request { pull, settles })
}

/// What became of acknowledgements is not told later than need be.
///
/// # Errors
/// `bad-request` naming `wait_ms`.
pub(super) fn check_at_once(pull: &Pull<'_>) -> Result<(), Fault> {
    if pull.wait_ms == 0 {
        return Ok(());
    }
    let detail = "a pull that acknowledges is answered at once: this is 0 or left out";
    Err(Fault::bad("wait_ms", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_body_has_all_defaults() {
        for body in ["", " ", "{}", r#"{"batch_size": null}"#] {
            let Request { pull, settles } = read(body.as_bytes()).unwrap();
            assert!(settles.is_none());
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
        let pull = read(body).unwrap().pull;
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
    fn acknowledgements_come_along() {
        let body = br#"{"batch_size": 7, "acks": [{"lease_id": "a", "result": 1}],
            "retries": [{"lease_id": "b"}], "extends": null}"#;
        let request = read(body).unwrap();
        let Command::AckPull { ack, pull } = request.command() else {
            panic!("{request:?}");
        };
        assert_eq!((pull.batch_size, ack.acks[0].result), (7, Some("1")));
        assert_eq!(ack.retries, [("b".into(), None)]);
        for end in 1..body.len() {
            assert!(read(&body[..end]).is_err());
        }
        let nothing = read(br#"{"acks": [], "extends": []}"#).unwrap();
        assert!(matches!(nothing.command(), Command::Pull(_)));
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
            (r#"{"acks": [{}]}"#, "acks[0].lease_id"),
            (r#"{"wait_ms": 1, "acks": [{"lease_id": "a"}]}"#, "wait_ms"),
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
