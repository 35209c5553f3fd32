//! The body of a redrive: which dead letters come back.

use super::fields::{Item, Place, document};
use crate::command::Selection;
use crate::error::Fault;
use crate::limits::SEQ_MAX;

/// Largest instant: an exact JavaScript number.
const INSTANT_MAX: u64 = (1 << 53) - 1;

/// Reads which dead letters are meant; an empty body means all of them.
///
/// # Errors
/// `bad-request` naming the field.
pub fn read(body: &[u8]) -> Result<Selection<'_>, Fault> {
    let mut selection = Selection::default();
    let item = document(body)?.unwrap_or(Item::Object(Vec::new()));
    for field in item.fields(Place::TOP)? {
        match field.name {
            "from_at_ms" | "to_at_ms" | "filter" | "after_seq" if field.is_null() => {}
            "from_at_ms" => selection.from_at_ms = Some(field.uint(&(0..=INSTANT_MAX))?),
            "to_at_ms" => selection.to_at_ms = Some(field.uint(&(0..=INSTANT_MAX))?),
            "after_seq" => selection.after_seq = field.uint(&(0..=SEQ_MAX))?,
            "filter" if field.raw().starts_with(['{', '"']) => {
                selection.filter = Some(field.raw());
            }
            "filter" => {
                return Err(field
                    .fault("an event pattern (an object) or a selector (a string) belongs here"));
            }
            _ => return Err(field.unknown("from_at_ms, to_at_ms, filter, after_seq")),
        }
    }
    match (selection.from_at_ms, selection.to_at_ms) {
        (Some(from), Some(to)) if to <= from => {
            Err(Fault::bad("to_at_ms", "this is later than from_at_ms"))
        }
        _ => Ok(selection),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redrive_names_a_window_a_filter_or_nothing() {
        assert_eq!(read(b""), Ok(Selection::default()));
        let body = br#"{"from_at_ms": 3, "to_at_ms": 4, "filter": "a = 'b'", "after_seq": 9}"#;
        let expected = Selection {
            from_at_ms: Some(3),
            to_at_ms: Some(4),
            filter: Some("\"a = 'b'\""),
            after_seq: 9,
        };
        assert_eq!(read(body), Ok(expected));
        for (body, field) in [
            (r#"{"from_at_ms": -1}"#, "from_at_ms"),
            (r#"{"from_at_ms": 4, "to_at_ms": 4}"#, "to_at_ms"),
            (r#"{"filter": 7}"#, "filter"),
            (r#"{"after_seq": "x"}"#, "after_seq"),
            (r#"{"limit": 1}"#, "limit"),
        ] {
            let fault = read(body.as_bytes()).unwrap_err();
            assert_eq!(fault.figures.field.as_deref(), Some(field), "{body}");
        }
    }
}
