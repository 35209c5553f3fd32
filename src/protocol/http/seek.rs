//! The body of a seek: where a durable subscription goes on.

use super::fields::{Item, Place, document};
use crate::command::topic::Start;
use crate::error::Fault;
use crate::limits::SEQ_MAX;

/// Largest instant: an exact JavaScript number.
const INSTANT_MAX: u64 = (1 << 53) - 1;

/// Reads `{"seq": n}` or `{"at_ms": n}`; `seq` may be `earliest` or `latest` as well.
///
/// # Errors
/// `bad-request` naming the field.
pub fn read(body: &[u8]) -> Result<Start, Fault> {
    let item = document(body)?.unwrap_or(Item::Object(Vec::new()));
    let mut to = None;
    for field in item.fields(Place::TOP)? {
        let start = match field.name {
            "seq" => match field.raw() {
                "\"earliest\"" => Start::Earliest,
                "\"latest\"" => Start::Latest,
                _ => Start::Seq(field.uint(&(0..=SEQ_MAX))?),
            },
            "at_ms" => Start::At(field.uint(&(0..=INSTANT_MAX))?),
            _ => return Err(field.unknown("seq, at_ms")),
        };
        if to.replace(start).is_some() {
            return Err(field.fault("seq or at_ms, not both"));
        }
    }
    to.ok_or_else(|| Fault::bad("seq", "a seek is {\"seq\": number} or {\"at_ms\": instant}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seek_names_a_number_or_an_instant() {
        assert_eq!(read(br#"{"seq": 7}"#), Ok(Start::Seq(7)));
        assert_eq!(read(br#"{"seq": "earliest"}"#), Ok(Start::Earliest));
        assert_eq!(read(br#"{"at_ms": 9}"#), Ok(Start::At(9)));
        for (body, field) in [
            ("", "seq"),
            (r#"{"seq": -1}"#, "seq"),
            (r#"{"at_ms": "x"}"#, "at_ms"),
            (r#"{"seq": 1, "at_ms": 2}"#, "at_ms"),
            (r#"{"to": 1}"#, "to"),
        ] {
            let fault = read(body.as_bytes()).unwrap_err();
            assert_eq!(fault.figures.field.as_deref(), Some(field), "{body}");
        }
    }
}
