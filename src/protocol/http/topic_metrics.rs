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
    /// Its durable subscriptions, those of patterns included.
    pub subscriptions: u64,
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

/// What the metrics need of a subscription, as its topic lists it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct SubscriptionFigures {
    /// Unique in its topic, or for its pattern.
    pub name: String,
    /// Where it is a pattern's.
    pub pattern: Option<String>,
    /// The topic that lists it.
    #[serde(skip)]
    pub topic: String,
    target: Option<Target>,
    lag: u64,
    missed_total: u64,
    delivered_total: u64,
}

/// Where its messages go: another queue, or what its own calls.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Target {
    queue: Option<String>,
}

impl SubscriptionFigures {
    /// The same, of the topic that listed it.
    #[must_use]
    pub fn of(mut self, topic: &str) -> Self {
        topic.clone_into(&mut self.topic);
        self
    }

    /// Whether its messages go to a queue that is not its own.
    #[must_use]
    pub fn feeds_another(&self) -> bool {
        self.target.as_ref().is_some_and(|it| it.queue.is_some())
    }
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

/// A name, a sentence, what kind it is, and where the figure is.
type Family = (
    &'static str,
    &'static str,
    &'static str,
    fn(&SubscriptionFigures) -> u64,
);

const OF_SUBSCRIPTIONS: [Family; 3] = [
    (
        "tidegate_subscription_lag_messages",
        "Messages of the topic that the subscription has not looked at.",
        "gauge",
        |it| it.lag,
    ),
    (
        "tidegate_subscription_delivered_total",
        "Messages that the subscription handed on to its queue.",
        "counter",
        |it| it.delivered_total,
    ),
    (
        "tidegate_subscription_missed_total",
        "Messages that were gone before the subscription came to them.",
        "counter",
        |it| it.missed_total,
    ),
];

/// Appends the families of `subscriptions`. One of a pattern has a cursor in each of its topics.
pub fn append_subscriptions(out: &mut String, subscriptions: &[SubscriptionFigures]) {
    for (name, help, kind, value) in &OF_SUBSCRIPTIONS {
        head(out, name, help, kind);
        for it in subscriptions.iter().filter(|it| !it.name.is_empty()) {
            let mut labels = vec![("topic", it.topic.as_str()), ("subscription", &it.name)];
            labels.extend(it.pattern.as_deref().map(|pattern| ("pattern", pattern)));
            sample(out, name, &labels, &value(it).to_string());
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
