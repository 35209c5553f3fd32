//! How long things took, as histograms in the text format of `metrics.rs`.

use super::metrics::{head, sample};
use crate::command::latency::LATENCY_STEPS_MS;
use crate::time::Millis;
use serde::Deserialize;

/// What a description says of one histogram.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Steps {
    counts: Vec<u64>,
    sum_ms: Millis,
}

/// What a description says of a queue's.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Latencies {
    delivery: Steps,
    ack: Steps,
}

/// A name, a sentence, and where it is.
type Family = (&'static str, &'static str, fn(&Latencies) -> &Steps);

const FAMILIES: [Family; 2] = [
    (
        "tidegate_delivery_latency_seconds",
        "From acceptance to the first delivery, since the object started.",
        |it| &it.delivery,
    ),
    (
        "tidegate_ack_latency_seconds",
        "From acceptance to the acknowledgement, since the object started.",
        |it| &it.ack,
    ),
];

/// Appends the families of `queues`. A queue that has measured nothing yet has no samples.
pub fn append(out: &mut String, queues: &[(&str, &Latencies)]) {
    for (family, help, steps) in &FAMILIES {
        head(out, family, help, "histogram");
        for (queue, it) in queues {
            let it = steps(it);
            if it.counts.iter().any(|count| *count > 0) {
                write(out, family, queue, it);
            }
        }
    }
}

fn write(out: &mut String, family: &str, queue: &str, it: &Steps) {
    let bucket = format!("{family}_bucket");
    let mut total = 0_u64;
    for (at, count) in it.counts.iter().enumerate() {
        total = total.saturating_add(*count);
        let bound = LATENCY_STEPS_MS
            .get(at)
            .map_or_else(|| "+Inf".to_owned(), |ms| seconds(*ms));
        let labels = [("queue", queue), ("le", &bound)];
        sample(out, &bucket, &labels, &total.to_string());
    }
    let labels = [("queue", queue)];
    sample(out, &format!("{family}_sum"), &labels, &seconds(it.sum_ms));
    sample(out, &format!("{family}_count"), &labels, &total.to_string());
}

/// Without zeros at the end: a bound is a label, and has one spelling.
fn seconds(ms: Millis) -> String {
    let text = format!("{}.{:03}", ms / 1_000, ms % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_end_with_all() {
        let mut counts = vec![0; LATENCY_STEPS_MS.len() + 1];
        (counts[0], counts[3], counts[12]) = (2, 1, 4);
        let ack = Steps {
            counts,
            sum_ms: 12_345,
        };
        let it = Latencies {
            ack,
            ..Default::default()
        };
        let mut text = String::new();
        append(&mut text, &[("a", &it)]);
        for line in [
            r#"tidegate_ack_latency_seconds_bucket{queue="a",le="0.005"} 2"#,
            r#"tidegate_ack_latency_seconds_bucket{queue="a",le="0.05"} 3"#,
            r#"tidegate_ack_latency_seconds_bucket{queue="a",le="3600"} 3"#,
            r#"tidegate_ack_latency_seconds_bucket{queue="a",le="+Inf"} 7"#,
            r#"tidegate_ack_latency_seconds_sum{queue="a"} 12.345"#,
            r#"tidegate_ack_latency_seconds_count{queue="a"} 7"#,
            "# TYPE tidegate_delivery_latency_seconds histogram",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
        assert!(!text.contains("delivery_latency_seconds_bucket"));
    }
}
