//! A queue's configuration and figures as one flat JSON object.

use super::endpoint;
use super::render::DecidedBy;
use crate::command::Description;
use crate::command::latency::Histogram;
use crate::command::reply::DrawFigures;
use crate::wire::json_text::{member_number, member_string, name, number, string};

/// Appends the description of `queue`.
pub fn write(out: &mut Vec<u8>, queue: &str, it: &Description) {
    out.push(b'{');
    member_string(out, "name", queue);
    for (key, value) in &it.config {
        out.push(b',');
        string(out, key);
        out.push(b':');
        out.extend_from_slice(value.to_string().as_bytes());
    }
    name(out, "paused");
    out.extend_from_slice(if it.paused { b"true" } else { b"false" });
    write_figures(out, it);
    write_rejected(out, it);
    write_latencies(out, it);
    write_draw(out, it.draw.as_ref());
    endpoint::write(out, it.endpoint.as_ref());
    out.push(b'}');
}

fn write_draw(out: &mut Vec<u8>, draw: Option<&DrawFigures>) {
    name(out, "draw");
    let Some(draw) = draw else {
        out.extend_from_slice(b"null");
        return;
    };
    out.push(b'{');
    member_number(out, "at_ms", draw.at_ms);
    member_string(out, "commitment", &hex(&draw.commitment));
    if let Some(drawn) = &draw.drawn {
        member_string(out, "seed", &hex(&drawn.seed));
        member_number(out, "participants", drawn.participants);
        member_number(out, "drawn", drawn.drawn);
        match &drawn.threshold {
            Some(threshold) => member_string(out, "threshold", &hex(threshold)),
            None => {
                name(out, "threshold");
                out.extend_from_slice(b"null");
            }
        }
    }
    out.push(b'}');
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

fn write_figures(out: &mut Vec<u8>, it: &Description) {
    for (key, value) in [
        ("depth", it.depth),
        ("in_flight", it.in_flight),
        ("delayed", it.delayed),
        ("held", it.held),
        ("waiting", it.waiting),
        ("dead", it.dead),
        ("backlog_bytes", it.backlog_bytes),
        ("accepted", it.accepted),
        ("accepted_total", it.accepted_total),
        ("delivered_total", it.delivered_total),
        ("acked_total", it.acked_total),
        ("dead_total", it.dead_total),
        ("expired_total", it.expired_total),
        ("cancelled_total", it.cancelled_total),
        ("quarantined", it.quarantined),
        ("quarantined_total", it.quarantined_total),
        (
            "object_requests_total",
            it.since_start.object_requests_total,
        ),
        ("rows_written_total", it.since_start.rows_written_total),
        ("rows_read_total", it.since_start.rows_read_total),
        ("commits_total", it.since_start.commits_total),
        ("wasm_memory_bytes", it.since_start.wasm_memory_bytes),
    ] {
        member_number(out, key, value);
    }
    name(out, "oldest_at_ms");
    match it.oldest_at_ms {
        Some(at_ms) => number(out, at_ms),
        None => out.extend_from_slice(b"null"),
    }
}

/// As counted, step by step; `protocol/http/histograms.rs` reads it again for the metrics.
fn write_latencies(out: &mut Vec<u8>, it: &Description) {
    name(out, "latencies");
    out.push(b'{');
    for (key, histogram) in [
        ("delivery", &it.latencies.delivery),
        ("ack", &it.latencies.ack),
    ] {
        name(out, key);
        write_histogram(out, histogram);
    }
    out.push(b'}');
}

fn write_histogram(out: &mut Vec<u8>, it: &Histogram) {
    out.push(b'{');
    name(out, "counts");
    out.push(b'[');
    for (at, count) in it.counts.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        number(out, *count);
    }
    out.push(b']');
    member_number(out, "sum_ms", it.sum_ms);
    out.push(b'}');
}

fn write_rejected(out: &mut Vec<u8>, it: &Description) {
    member_number(
        out,
        "rejected_total",
        it.rejected.iter().map(|(_, _, total)| total).sum(),
    );
    name(out, "rejected");
    out.push(b'[');
    for (at, (reason, by_edge, total)) in it.rejected.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let decided_by = if *by_edge {
            DecidedBy::Edge
        } else {
            DecidedBy::Object
        };
        out.push(b'{');
        member_string(out, "reason", reason.slug());
        member_string(out, "decided_by", decided_by.name());
        member_number(out, "total", *total);
        out.push(b'}');
    }
    out.push(b']');
}
