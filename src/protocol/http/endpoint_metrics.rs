//! What calls of endpoints came to, as metrics: a queue that pushes has them, no other.

use super::metrics::{head, sample};
use crate::time::Millis;
use serde::Deserialize;

/// What the metrics need of an endpoint.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct EndpointFigures {
    state: String,
    under_way: u64,
    succeeded_total: u64,
    failed_total: u64,
    timed_out_total: u64,
    cut_total: u64,
    duration_ms_total: u64,
    durations: Vec<Bucket>,
}

/// Calls that took no longer than a bound, and longer than the one before.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Bucket {
    up_to_ms: Option<Millis>,
    calls: u64,
}

/// Appends the families of all `endpoints`, by their queues.
pub fn append(out: &mut String, endpoints: &[(&str, &EndpointFigures)]) {
    if endpoints.is_empty() {
        return;
    }
    let name = "tidegate_push_attempts_total";
    head(
        out,
        name,
        "Calls of the endpoint, by what they came to.",
        "counter",
    );
    for (queue, it) in endpoints {
        for (outcome, total) in [
            ("succeeded", it.succeeded_total),
            ("failed", it.failed_total),
            ("timed_out", it.timed_out_total),
            ("cut", it.cut_total),
        ] {
            sample(
                out,
                name,
                &[("queue", queue), ("outcome", outcome)],
                &total.to_string(),
            );
        }
    }
    let name = "tidegate_push_under_way";
    head(
        out,
        name,
        "Calls of the endpoint that are not answered yet.",
        "gauge",
    );
    for (queue, it) in endpoints {
        sample(out, name, &[("queue", queue)], &it.under_way.to_string());
    }
    let name = "tidegate_push_state";
    head(
        out,
        name,
        "1 for the state that the endpoint is in.",
        "gauge",
    );
    for (queue, it) in endpoints {
        for state in ["active", "open", "half_open", "disabled"] {
            let is_it = u8::from(it.state == state).to_string();
            sample(out, name, &[("queue", queue), ("state", state)], &is_it);
        }
    }
    durations(out, endpoints);
}

fn durations(out: &mut String, endpoints: &[(&str, &EndpointFigures)]) {
    let name = "tidegate_push_duration_seconds";
    head(
        out,
        name,
        "How long calls of the endpoint took.",
        "histogram",
    );
    let [buckets, sum, count] = ["_bucket", "_sum", "_count"].map(|end| format!("{name}{end}"));
    for (queue, it) in endpoints {
        let mut calls = 0;
        for bucket in &it.durations {
            calls += bucket.calls;
            let most = bucket.up_to_ms.map_or("+Inf".to_owned(), seconds);
            sample(
                out,
                &buckets,
                &[("queue", queue), ("le", &most)],
                &calls.to_string(),
            );
        }
        sample(
            out,
            &sum,
            &[("queue", queue)],
            &seconds(it.duration_ms_total),
        );
        sample(out, &count, &[("queue", queue)], &calls.to_string());
    }
}

fn seconds(ms: Millis) -> String {
    format!("{}.{:03}", ms / 1_000, ms % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_add_up() {
        let text = r#"{"state": "open", "succeeded_total": 3, "duration_ms_total": 1207,
            "durations": [{"up_to_ms": 5, "calls": 2}, {"up_to_ms": null, "calls": 1}]}"#;
        let it: EndpointFigures = serde_json::from_str(text).unwrap();
        let mut out = String::new();
        append(&mut out, &[("q", &it)]);
        for line in [
            r#"tidegate_push_attempts_total{queue="q",outcome="succeeded"} 3"#,
            r#"tidegate_push_state{queue="q",state="open"} 1"#,
            r#"tidegate_push_duration_seconds_bucket{queue="q",le="0.005"} 2"#,
            r#"tidegate_push_duration_seconds_bucket{queue="q",le="+Inf"} 3"#,
            r#"tidegate_push_duration_seconds_sum{queue="q"} 1.207"#,
            r#"tidegate_push_duration_seconds_count{queue="q"} 3"#,
        ] {
            assert!(out.lines().any(|it| it == line), "{line}\n{out}");
        }
    }
}
