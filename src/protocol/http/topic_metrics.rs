//! Metrics that only topics have, in the text format of `metrics.rs`.

use super::metrics::{Rejected, head, sample};
use crate::time::Millis;
use serde::Deserialize;

/// What the metrics need of a topic's description.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct TopicFigures {
    /// The topic's name.
    pub name: String,
    /// Messages that can be read.
    pub messages: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// When the oldest was accepted.
    pub oldest_at_ms: Option<Millis>,
    /// Messages ever accepted.
    pub accepted_total: u64,
    /// Messages ever handed to readers and subscriptions.
    pub delivered_total: u64,
    /// Publishes ever refused.
    pub rejected: Vec<Rejected>,
    readers: u64,
    subscriptions: u64,
    lag_max: u64,
    /// Rows that were ever damaged.
    pub quarantined_total: u64,
    /// Work since the object last started.
    pub object_requests_total: u64,
    /// See [`TopicFigures::object_requests_total`].
    pub rows_written_total: u64,
    /// See [`TopicFigures::object_requests_total`].
    pub rows_read_total: u64,
    /// See [`TopicFigures::object_requests_total`].
    pub commits_total: u64,
    /// Bytes of the object's Wasm memory.
    pub wasm_memory_bytes: u64,
}

/// A name, a sentence, and where the figure is.
type Gauge = (&'static str, &'static str, fn(&TopicFigures) -> u64);

const GAUGES: [Gauge; 3] = [
    (
        "tidegate_topic_readers",
        "Live readers of the topic.",
        |it| it.readers,
    ),
    (
        "tidegate_topic_subscriptions",
        "Durable subscriptions of the topic.",
        |it| it.subscriptions,
    ),
    (
        "tidegate_topic_lag_max_messages",
        "Messages that the subscription furthest behind has not looked at.",
        |it| it.lag_max,
    ),
];

/// Appends the families of `topics`.
pub fn append(out: &mut String, topics: &[TopicFigures]) {
    for (name, help, value) in &GAUGES {
        head(out, name, help, "gauge");
        for topic in topics {
            sample(
                out,
                name,
                &[("topic", &topic.name)],
                &value(topic).to_string(),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_labelled_with_their_topic() {
        let topic = TopicFigures {
            name: "a/b".into(),
            lag_max: 3,
            ..Default::default()
        };
        let mut text = String::new();
        append(&mut text, &[topic]);
        let line = "tidegate_topic_lag_max_messages{topic=\"a/b\"} 3";
        assert!(text.lines().any(|it| it == line), "{text}");
    }
}
