//! The body of an acknowledgement: what is finished, what is given back, what is prolonged.

use super::fields::{Field, Item, Place, document};
use crate::command::{Ack, AckEntry, LeaseRef};
use crate::error::Fault;
use crate::limits::{ACK_ENTRIES_MAX, DELAY_MS_MAX, LEASE_MS_MAX, LEASE_MS_MIN, RESULT_BYTES_MAX};
use crate::time::Millis;
use crate::wire::json_text::compact;
use std::borrow::Cow;
use std::ops::RangeInclusive;

/// An acknowledgement, borrowed where its form allows.
#[derive(Debug, Default)]
pub struct Request<'a> {
    acks: Vec<Finished<'a>>,
    retries: Vec<Timed<'a>>,
    extends: Vec<Timed<'a>>,
}

#[derive(Debug, Default)]
struct Finished<'a> {
    lease_id: Cow<'a, str>,
    result: Option<Cow<'a, str>>,
    release: bool,
}

type Timed<'a> = (Cow<'a, str>, Option<Millis>);

impl<'a> Request<'a> {
    /// Reads `field` if it is one of an acknowledgement's.
    pub(super) fn take(&mut self, field: &Field<'_, 'a>) -> Result<bool, Fault> {
        match field.name {
            "acks" | "retries" | "extends" if field.is_null() => {}
            "acks" => self.acks = entries(field, "acks", finished)?,
            "retries" => {
                self.retries = entries(field, "retries", |item, place| {
                    timed(item, place, "delay_ms", &(0..=DELAY_MS_MAX))
                })?;
            }
            "extends" => {
                let range = LEASE_MS_MIN..=LEASE_MS_MAX;
                self.extends = entries(field, "extends", |item, place| {
                    timed(item, place, "visibility_timeout_ms", &range)
                })?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn check_count(&self, least: usize) -> Result<usize, Fault> {
        let count = self.acks.len() + self.retries.len() + self.extends.len();
        if count < least || count > ACK_ENTRIES_MAX {
            let detail = format!(
                "acks, retries and extends have {least} to {ACK_ENTRIES_MAX} entries together, \
                 not {count}"
            );
            return Err(Fault::bad("acks", detail));
        }
        Ok(count)
    }

    /// The acknowledgement as the command has it.
    #[must_use]
    pub fn ack(&self) -> Ack<'_> {
        Ack {
            acks: self.acks.iter().map(Finished::entry).collect(),
            retries: self
                .retries
                .iter()
                .map(|(lease, ms)| (LeaseRef::Text(lease), *ms))
                .collect(),
            extends: self
                .extends
                .iter()
                .map(|(lease, ms)| (LeaseRef::Text(lease), *ms))
                .collect(),
        }
    }
}

impl Finished<'_> {
    fn entry(&self) -> AckEntry<'_> {
        AckEntry {
            lease_id: LeaseRef::Text(&self.lease_id),
            result: self.result.as_deref(),
            release: self.release,
        }
    }
}

/// Reads an acknowledgement.
///
/// # Errors
/// `bad-request` naming the field, also when there is nothing in it or too much.
pub fn read(body: &[u8]) -> Result<Request<'_>, Fault> {
    let mut request = Request::default();
    let item = document(body)?.unwrap_or(Item::Object(Vec::new()));
    for field in item.fields(Place::TOP)? {
        if !request.take(&field)? {
            return Err(field.unknown("acks, retries, extends"));
        }
    }
    request.check_count(1)?;
    Ok(request)
}

fn entries<'a, T>(
    field: &Field<'_, 'a>,
    list: &'static str,
    read: impl Fn(&Item<'a>, Place) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let items = field.items()?;
    items
        .iter()
        .enumerate()
        .map(|(index, item)| read(item, Place::entry(list, index)))
        .collect()
}

fn finished<'a>(item: &Item<'a>, place: Place) -> Result<Finished<'a>, Fault> {
    let mut entry = Finished::default();
    for field in item.fields(place)? {
        match field.name {
            "lease_id" => entry.lease_id = field.text()?,
            "result" | "release" if field.is_null() => {}
            "result" => {
                let result = compact(field.raw());
                if result.len() > RESULT_BYTES_MAX {
                    return Err(field.fault(format!(
                        "a result has at most {RESULT_BYTES_MAX} bytes as JSON"
                    )));
                }
                entry.result = Some(result);
            }
            "release" => entry.release = field.boolean()?,
            _ => return Err(field.unknown("lease_id, result, release")),
        }
    }
    check_lease(&entry.lease_id, place)?;
    Ok(entry)
}

fn timed<'a>(
    item: &Item<'a>,
    place: Place,
    name: &str,
    range: &RangeInclusive<u64>,
) -> Result<Timed<'a>, Fault> {
    let (mut lease_id, mut time_ms) = (Cow::Borrowed(""), None);
    for field in item.fields(place)? {
        match field.name {
            "lease_id" => lease_id = field.text()?,
            other if other == name && field.is_null() => {}
            other if other == name => time_ms = Some(field.uint(range)?),
            _ => return Err(field.unknown(&format!("lease_id, {name}"))),
        }
    }
    check_lease(&lease_id, place)?;
    Ok((lease_id, time_ms))
}

/// An entry has a lease; whether it is one the queue gave out is the engine's to say, for that
/// entry alone.
fn check_lease(lease_id: &str, place: Place) -> Result<(), Fault> {
    if lease_id.is_empty() {
        return Err(Fault::bad(
            place.field("lease_id"),
            "the lease_id that the pull gave belongs here",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = r#"{"acks": [{"lease_id": "a", "result": {"x": 1}, "release": true},
                 {"lease_id": "b"}],
        "retries": [{"lease_id": "c", "delay_ms": 0}, {"lease_id": "d"}],
        "extends": [{"lease_id": "e", "visibility_timeout_ms": 100}]}"#;

    #[test]
    fn entries_are_read() {
        let request = read(FULL.as_bytes()).unwrap();
        let ack = request.ack();
        assert_eq!(
            ack.acks[0],
            AckEntry {
                lease_id: "a".into(),
                result: Some(r#"{"x":1}"#),
                release: true
            }
        );
        assert_eq!(
            ack.acks[1],
            AckEntry {
                lease_id: "b".into(),
                result: None,
                release: false
            }
        );
        assert_eq!(ack.retries, [("c".into(), Some(0)), ("d".into(), None)]);
        assert_eq!(ack.extends, [("e".into(), Some(100))]);
        for end in 0..FULL.len() {
            assert!(read(&FULL.as_bytes()[..end]).is_err());
        }
    }

    #[test]
    fn faults_name_the_field() {
        for (body, field) in [
            ("", "acks"),
            ("{}", "acks"),
            (r#"{"acks": []}"#, "acks"),
            (r#"{"acks": {}}"#, "acks"),
            (r#"{"acks": ["a"]}"#, "acks[0]"),
            (r#"{"acks": [{}]}"#, "acks[0].lease_id"),
            (r#"{"acks": [{"lease_id": 5}]}"#, "acks[0].lease_id"),
            (
                r#"{"acks": [{"lease_id": "a", "release": 1}]}"#,
                "acks[0].release",
            ),
            (
                r#"{"acks": [{"lease_id": "a"}, {"lease": "a"}]}"#,
                "acks[1].lease",
            ),
            (
                r#"{"retries": [{"lease_id": "a", "delay_ms": -1}]}"#,
                "retries[0].delay_ms",
            ),
            (
                r#"{"retries": [{"lease_id": "a", "result": 1}]}"#,
                "retries[0].result",
            ),
            (
                r#"{"extends": [{"lease_id": "a", "visibility_timeout_ms": 1}]}"#,
                "extends[0].visibility_timeout_ms",
            ),
            (r#"{"ack": [{"lease_id": "a"}]}"#, "ack"),
        ] {
            assert_eq!(
                read(body.as_bytes()).unwrap_err().figures.field.as_deref(),
                Some(field),
                "{body}"
            );
        }
    }

    #[test]
    fn results_and_entries_are_bounded() {
        let of = |n: usize| {
            format!(
                r#"{{"acks": [{{"lease_id": "a", "result": "{}"}}]}}"#,
                "x".repeat(n)
            )
        };
        assert!(read(of(RESULT_BYTES_MAX - 2).as_bytes()).is_ok());
        let fault = read(of(RESULT_BYTES_MAX - 1).as_bytes()).unwrap_err();
        assert_eq!(fault.figures.field.as_deref(), Some("acks[0].result"));
        let many = |n: usize| {
            format!(
                r#"{{"retries": [{}]}}"#,
                vec![r#"{"lease_id": "a"}"#; n].join(",")
            )
        };
        assert!(read(many(ACK_ENTRIES_MAX).as_bytes()).is_ok());
        assert!(read(many(ACK_ENTRIES_MAX + 1).as_bytes()).is_err());
    }
}
