//! The endpoint that a queue pushes to, as its description and the log of attempts show it.

use super::render::write_list;
use super::response::Response;
use crate::command::reply::{AttemptFigures, EndpointFigures};
use crate::wire::json_text::{member_number, member_string, name};

/// Appends the member `endpoint`: `null` where the queue is pulled.
pub fn write(out: &mut Vec<u8>, endpoint: Option<&EndpointFigures>) {
    name(out, "endpoint");
    let Some(it) = endpoint else {
        out.extend_from_slice(b"null");
        return;
    };
    out.push(b'{');
    member_string(out, "state", it.state);
    optional_number(out, "since_ms", it.since_ms);
    optional_string(out, "reason", it.reason);
    member_number(out, "failures", u64::from(it.failures));
    optional_number(out, "next_at_ms", it.next_ms);
    for (key, value) in [
        ("under_way", it.under_way),
        ("succeeded_total", it.succeeded),
        ("failed_total", it.failed),
        ("timed_out_total", it.timed_out),
        ("cut_total", it.cut),
        ("duration_ms_total", it.duration_ms),
    ] {
        member_number(out, key, value);
    }
    write_list(out, "durations", &it.durations, |out, (most_ms, count)| {
        out.push(b'{');
        optional_number(out, "up_to_ms", *most_ms);
        member_number(out, "calls", *count);
        out.push(b'}');
    });
    out.push(b'}');
}

/// `{"attempts": […]}`, the oldest first.
pub fn attempts(attempts: &[AttemptFigures]) -> Response {
    let mut body = vec![b'{'];
    write_list(&mut body, "attempts", attempts, |out, it| {
        out.push(b'{');
        member_number(out, "attempt", u64::from(it.number));
        member_number(out, "at_ms", it.at_ms);
        member_number(out, "duration_ms", it.duration_ms);
        let status = (it.status > 0).then_some(u64::from(it.status));
        optional_number(out, "status", status);
        optional_string(out, "error", it.error.as_deref());
        member_string(out, "answer", &String::from_utf8_lossy(&it.answer));
        out.push(b'}');
    });
    body.push(b'}');
    Response::json(200, body)
}

fn optional_number(out: &mut Vec<u8>, key: &str, value: Option<u64>) {
    match value {
        Some(value) => member_number(out, key, value),
        None => null(out, key),
    }
}

fn optional_string(out: &mut Vec<u8>, key: &str, value: Option<&str>) {
    match value {
        Some(value) => member_string(out, key, value),
        None => null(out, key),
    }
}

fn null(out: &mut Vec<u8>, key: &str) {
    name(out, key);
    out.extend_from_slice(b"null");
}
