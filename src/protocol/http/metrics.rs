//! The Prometheus text format, version 0.0.4, from the descriptions of queues.
//! See <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>.

use super::endpoint_metrics::{self, EndpointFigures};
use super::histograms::{self, Latencies};
use super::topic_metrics::TopicFigures;
use crate::time::Millis;
use serde::Deserialize;

/// The media type.
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the metrics need of a queue's description.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Figures {
    name: String,
    depth: u64,
    in_flight: u64,
    waiting: u64,
    backlog_bytes: u64,
    oldest_at_ms: Option<Millis>,
    accepted_total: u64,
    delivered_total: u64,
    acked_total: u64,
    dead_total: u64,
    quarantined_total: u64,
    rejected: Vec<Rejected>,
    object_requests_total: u64,
    rows_written_total: u64,
    rows_read_total: u64,
    commits_total: u64,
    endpoint: Option<EndpointFigures>,
    latencies: Latencies,
    /// Bytes of the object's Wasm memory.
    pub wasm_memory_bytes: u64,
}

/// Publishes refused for one reason.
#[derive(Debug, Deserialize)]
pub struct Rejected {
    reason: String,
    decided_by: String,
    total: u64,
}

struct Family {
    name: &'static str,
    help: &'static str,
    kind: &'static str,
    value: fn(&Figures) -> u64,
    /// Of a topic, where it has such a figure.
    topic: Option<fn(&TopicFigures) -> u64>,
}

impl Family {
    const fn topic(mut self, value: fn(&TopicFigures) -> u64) -> Self {
        self.topic = Some(value);
        self
    }
}

const fn counter(name: &'static str, help: &'static str, value: fn(&Figures) -> u64) -> Family {
    Family {
        name,
        help,
        kind: "counter",
        value,
        topic: None,
    }
}

const fn gauge(name: &'static str, help: &'static str, value: fn(&Figures) -> u64) -> Family {
    Family {
        name,
        help,
        kind: "gauge",
        value,
        topic: None,
    }
}

const FAMILIES: [Family; 13] = [
    counter("tidegate_accepted_total", "Messages accepted.", |q| {
        q.accepted_total
    })
    .topic(|it| it.accepted_total),
    counter(
        "tidegate_delivered_total",
        "Deliveries made, repeats included.",
        |q| q.delivered_total,
    )
    .topic(|it| it.delivered_total),
    counter("tidegate_acked_total", "Messages acknowledged.", |q| {
        q.acked_total
    }),
    counter(
        "tidegate_dead_total",
        "Messages that became dead letters.",
        |q| q.dead_total,
    ),
    counter(
        "tidegate_quarantined_total",
        "Stored rows that were damaged and taken out of service.",
        |q| q.quarantined_total,
    )
    .topic(|it| it.quarantined_total),
    gauge(
        "tidegate_backlog_messages",
        "Messages that are not final.",
        |q| q.depth,
    )
    .topic(|it| it.messages),
    gauge(
        "tidegate_backlog_bytes",
        "Body bytes of the backlog.",
        |q| q.backlog_bytes,
    )
    .topic(|it| it.bytes),
    gauge(
        "tidegate_in_flight_messages",
        "Messages that are leased.",
        |q| q.in_flight,
    ),
    gauge(
        "tidegate_waiting_messages",
        "Messages that wait for a place.",
        |q| q.waiting,
    ),
    counter(
        "tidegate_object_requests_total",
        "Commands the object received since it started.",
        |q| q.object_requests_total,
    )
    .topic(|it| it.object_requests_total),
    counter(
        "tidegate_rows_written_total",
        "Rows the object wrote since it started.",
        |q| q.rows_written_total,
    )
    .topic(|it| it.rows_written_total),
    counter(
        "tidegate_rows_read_total",
        "Rows the object read since it started.",
        |q| q.rows_read_total,
    )
    .topic(|it| it.rows_read_total),
    counter(
        "tidegate_commits_total",
        "Transactions that wrote since the object started.",
        |q| q.commits_total,
    )
    .topic(|it| it.commits_total),
];

/// The exposition of `queues` and `topics`; `memory_bytes` is the Wasm memory of the process, theirs included.
#[must_use]
pub fn exposition(
    queues: &[Figures],
    topics: &[TopicFigures],
    memory_bytes: u64,
    now_ms: Millis,
) -> String {
    let mut out = String::with_capacity(2_048 + queues.len() * 1_024);
    for family in &FAMILIES {
        head(&mut out, family.name, family.help, family.kind);
        for queue in queues {
            sample(
                &mut out,
                family.name,
                &[("queue", &queue.name)],
                &(family.value)(queue).to_string(),
            );
        }
        for topic in topics {
            if let Some(value) = family.topic {
                let labels = [("topic", topic.name.as_str())];
                sample(&mut out, family.name, &labels, &value(topic).to_string());
            }
        }
    }
    rejected(&mut out, queues, topics);
    ages(&mut out, queues, topics, now_ms);
    let endpoints = queues
        .iter()
        .filter_map(|it| Some((it.name.as_str(), it.endpoint.as_ref()?)));
    endpoint_metrics::append(&mut out, &endpoints.collect::<Vec<_>>());
    let name = "tidegate_wasm_memory_bytes";
    head(
        &mut out,
        name,
        "Bytes of Wasm memory: this Worker's and the listed queues'.",
        "gauge",
    );
    sample(&mut out, name, &[], &memory_bytes.to_string());
    let latencies: Vec<_> = queues
        .iter()
        .map(|it| (it.name.as_str(), &it.latencies))
        .collect();
    histograms::append(&mut out, &latencies);
    out
}

fn rejected(out: &mut String, queues: &[Figures], topics: &[TopicFigures]) {
    let name = "tidegate_rejected_total";
    head(
        out,
        name,
        "Publishes refused, by reason and by who decided.",
        "counter",
    );
    let queues = queues.iter().map(|it| ("queue", &it.name, &it.rejected));
    let topics = topics.iter().map(|it| ("topic", &it.name, &it.rejected));
    for (kind, owner, rejected) in queues.chain(topics) {
        for it in rejected {
            let labels = [
                (kind, owner.as_str()),
                ("reason", &it.reason),
                ("decided_by", &it.decided_by),
            ];
            sample(out, name, &labels, &it.total.to_string());
        }
    }
}

/// An empty queue has no oldest message, and its age is zero.
fn ages(out: &mut String, queues: &[Figures], topics: &[TopicFigures], now_ms: Millis) {
    let name = "tidegate_oldest_message_age_seconds";
    head(
        out,
        name,
        "Age of the oldest message of the backlog.",
        "gauge",
    );
    let queues = queues.iter().map(|it| ("queue", &it.name, it.oldest_at_ms));
    let topics = topics.iter().map(|it| ("topic", &it.name, it.oldest_at_ms));
    for (kind, owner, oldest_at_ms) in queues.chain(topics) {
        let age_ms = oldest_at_ms.map_or(0, |at_ms| now_ms.saturating_sub(at_ms));
        let seconds = format!("{}.{:03}", age_ms / 1_000, age_ms % 1_000);
        sample(out, name, &[(kind, owner)], &seconds);
    }
}

/// Appends what was not to be read: pairs of `queue` or `topic` and a name.
pub fn append_unreadable(out: &mut String, missing: &[(&str, &str)]) {
    let name = "tidegate_unreadable_objects";
    head(
        out,
        name,
        "1 for each queue or topic that did not say how it is.",
        "gauge",
    );
    for label in missing {
        sample(out, name, &[*label], "1");
    }
}

pub(super) fn head(out: &mut String, name: &str, help: &str, kind: &str) {
    for part in [
        "# HELP ",
        name,
        " ",
        help,
        "\n# TYPE ",
        name,
        " ",
        kind,
        "\n",
    ] {
        out.push_str(part);
    }
}

pub(super) fn sample(out: &mut String, name: &str, labels: &[(&str, &str)], value: &str) {
    out.push_str(name);
    for (at, (label, text)) in labels.iter().enumerate() {
        out.push(if at == 0 { '{' } else { ',' });
        out.push_str(label);
        out.push_str("=\"");
        for char in text.chars() {
            match char {
                '\\' => out.push_str("\\\\"),
                '"' => out.push_str("\\\""),
                '\n' => out.push_str("\\n"),
                _ => out.push(char),
            }
        }
        out.push('"');
    }
    if !labels.is_empty() {
        out.push('}');
    }
    out.push(' ');
    out.push_str(value);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_have_their_labels_escaped() {
        let queue = Figures {
            name: "a\"b\\c\nd".to_owned(),
            accepted_total: 7,
            oldest_at_ms: Some(1_000),
            rejected: vec![Rejected {
                reason: "sold-out".into(),
                decided_by: "edge".into(),
                total: 3,
            }],
            ..Figures::default()
        };
        let text = exposition(&[queue], &[], 65_536, 3_500);
        for line in [
            "# TYPE tidegate_accepted_total counter",
            r#"tidegate_accepted_total{queue="a\"b\\c\nd"} 7"#,
            r#"tidegate_rejected_total{queue="a\"b\\c\nd",reason="sold-out",decided_by="edge"} 3"#,
            r#"tidegate_oldest_message_age_seconds{queue="a\"b\\c\nd"} 2.500"#,
            "tidegate_wasm_memory_bytes 65536",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn every_family_has_one_head() {
        let text = exposition(
            &[Figures::default(), Figures::default()],
            &[TopicFigures::default()],
            0,
            0,
        );
        let mut types: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("# TYPE"))
            .collect();
        let count = types.len();
        types.dedup();
        assert!(count > 10);
        assert_eq!(types.len(), count, "a family has two heads");
    }
}
