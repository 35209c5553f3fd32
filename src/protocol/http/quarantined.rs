//! Rows that were damaged, as JSON.

use super::response::Response;
use crate::command::quarantined::Quarantined;
use crate::wire::base64;
use serde_json::{Value, json};

/// A page of them.
pub fn listing(rows: &[Quarantined]) -> Response {
    let rows: Vec<Value> = rows.iter().map(row).collect();
    Response::json(200, json!({ "quarantined": rows }).to_string().into_bytes())
}

fn row(it: &Quarantined) -> Value {
    json!({
        "number": it.number, "at_ms": it.at_ms, "table": it.source, "place": it.place,
        "reason": it.why, "messages": it.messages, "from_seq": it.from_seq, "to_seq": it.to_seq,
        "bytes": it.bytes, "head": base64::encode(&it.head), "body": base64::encode(&it.body),
    })
}
