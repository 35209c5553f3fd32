//! What a scrape of the metrics asks about subscriptions: the first topics for theirs, up to a
//! bound over all of them, and then the queues of their own. What a topic has handed on and nobody
//! has taken yet is there, and nowhere else.

use super::gather::{Gathered, figures, read};
use crate::command::placement::subscription_queue;
use crate::error::Fault;
use crate::limits::METRICS_SUBSCRIPTIONS_MAX;
use crate::protocol::http::topic_metrics::{SubscriptionFigures, TopicFigures};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeSet;

/// What a topic says of its subscriptions.
#[derive(Default, Deserialize)]
#[serde(default)]
struct List {
    subscriptions: Vec<SubscriptionFigures>,
}

/// What was gathered of subscriptions: the lists of the topics that were [`asked`], and of their
/// [`own_queues`] what they say.
#[derive(Deserialize)]
pub struct Gatherings<'a> {
    #[serde(borrow)]
    lists: Vec<Option<&'a RawValue>>,
    /// As of queues in the directory, but for their names.
    #[serde(borrow, default)]
    pub own: Gathered<'a>,
}

/// Whom of `topics` to ask for subscriptions, and for how many.
pub fn asked(topics: &[TopicFigures]) -> Vec<(&str, u32)> {
    let mut left = METRICS_SUBSCRIPTIONS_MAX;
    let mut asked = Vec::new();
    for topic in topics {
        let count = left.min(u32::try_from(topic.subscriptions).unwrap_or(u32::MAX));
        if count > 0 {
            asked.push((topic.name.as_str(), count));
        }
        left -= count;
    }
    asked
}

/// The queues that subscriptions have of their own, each once: one of a pattern is in the list of
/// each of its topics.
pub fn own_queues(subscriptions: &[SubscriptionFigures]) -> BTreeSet<String> {
    subscriptions.iter().filter_map(own_queue).collect()
}

/// The topics of a gathered document.
pub fn topics_in(gathered: &str) -> Result<Vec<TopicFigures>, Fault> {
    figures(&read(gathered)?)
}

/// As [`own_queues`], of what was gathered so far.
pub fn own_queues_in(topics: &str, lists: &str) -> Result<BTreeSet<String>, Fault> {
    Ok(own_queues(&listed(&topics_in(topics)?, &read(lists)?)?))
}

/// The subscriptions that topics told of, each with its topic. Whoever did not answer has none.
pub fn listed(
    topics: &[TopicFigures],
    gathered: &Gatherings<'_>,
) -> Result<Vec<SubscriptionFigures>, Fault> {
    let mut all = Vec::new();
    for ((topic, _), list) in asked(topics).into_iter().zip(&gathered.lists) {
        let Some(list) = list else { continue };
        let List { subscriptions } = read(list.get())?;
        all.extend(subscriptions.into_iter().map(|it| it.of(topic)));
    }
    Ok(all)
}

/// The queue that it has of its own; `None`: it feeds another, or is those who follow a pattern
/// live.
fn own_queue(it: &SubscriptionFigures) -> Option<String> {
    let is_own = !it.feeds_another() && !it.name.is_empty();
    is_own.then(|| subscription_queue(it.pattern.as_ref().unwrap_or(&it.topic), &it.name))
}
