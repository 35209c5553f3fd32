//! What several queues said of themselves, as one answer.

use super::subscriptions::{self, Gatherings};
use crate::error::{ErrorCode, Fault};
use crate::protocol::http::Response;
use crate::protocol::http::metrics::{self, Figures};
use crate::protocol::http::topic_metrics::{self, TopicFigures};
use crate::time::Millis;
use crate::wire::json_text::{member_string, name};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What the objects of a page said of themselves.
#[derive(Default, Deserialize)]
pub struct Gathered<'a> {
    #[serde(borrow, default)]
    cursor: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub names: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    queues: Vec<Option<&'a RawValue>>,
    /// Which of `names` did not say anything, though they are there.
    #[serde(default)]
    unreadable: Vec<usize>,
    #[serde(default)]
    wasm_memory_bytes: u64,
}

impl Gathered<'_> {
    fn unreadable(&self) -> impl Iterator<Item = &str> {
        let of = |at: &usize| self.names.get(*at).map(Cow::as_ref);
        self.unreadable.iter().filter_map(of)
    }
}

/// A page of the list of queues or topics, each with its configuration and figures.
pub fn list(gathered: &str, kind: &str) -> Result<Response, Fault> {
    let it: Gathered<'_> = read(gathered)?;
    let mut body = Vec::with_capacity(gathered.len() + 64);
    body.push(b'{');
    name(&mut body, kind);
    body.push(b'[');
    for (at, queue) in it.queues.iter().flatten().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        body.extend_from_slice(queue.get().as_bytes());
    }
    body.push(b']');
    if !it.unreadable.is_empty() {
        name(&mut body, "unreadable");
        let names: Vec<&str> = it.unreadable().collect();
        body.extend(serde_json::to_vec(&names).map_err(|e| unreadable(&e))?);
    }
    if let Some(cursor) = &it.cursor {
        member_string(&mut body, "cursor", cursor);
    }
    body.push(b'}');
    Ok(Response::json(200, body))
}

/// The metrics of the first queues, topics and subscriptions: three documents, apart by a record
/// separator, which JSON cannot hold.
pub fn metrics(gathered: &str, now_ms: Millis) -> Result<Response, Fault> {
    let mut documents = gathered.split('\u{1e}');
    let mut next = |none| documents.next().unwrap_or(none);
    let queues: Gathered<'_> = read(next(""))?;
    let topics: Gathered<'_> = read(next("{\"queues\":[]}"))?;
    let mut gatherings: Gatherings<'_> = read(next("{\"lists\":[]}"))?;
    let of_topics: Vec<TopicFigures> = figures(&topics)?;
    let subscriptions = subscriptions::listed(&of_topics, &gatherings)?;
    let own = &mut gatherings.own;
    own.names = subscriptions::own_queues(&subscriptions)
        .into_iter()
        .map(Cow::from)
        .collect();
    let edge = queues.wasm_memory_bytes;
    let missing: Vec<_> = queues
        .unreadable()
        .chain(own.unreadable())
        .map(|it| ("queue", it))
        .chain(topics.unreadable().map(|it| ("topic", it)))
        .collect();
    let mut of_queues: Vec<Figures> = figures(&queues)?;
    of_queues.extend(figures::<Figures>(own)?);
    let (queues, topics) = (of_queues, of_topics);
    let theirs = queues.iter().map(|it: &Figures| it.wasm_memory_bytes);
    let memory = edge
        + theirs
            .chain(topics.iter().map(|it: &TopicFigures| it.wasm_memory_bytes))
            .sum::<u64>();
    let mut text = metrics::exposition(&queues, &topics, memory, now_ms);
    topic_metrics::append(&mut text, &topics);
    topic_metrics::append_subscriptions(&mut text, &subscriptions);
    metrics::append_unreadable(&mut text, &missing);
    Ok(Response::document(
        200,
        metrics::MEDIA_TYPE,
        text.into_bytes(),
    ))
}

/// Reads a document that was gathered.
pub fn read<'a, T: Deserialize<'a>>(gathered: &'a str) -> Result<T, Fault> {
    serde_json::from_str(gathered).map_err(|e| unreadable(&e))
}

/// What each said of itself.
pub fn figures<'a, T: Deserialize<'a>>(it: &Gathered<'a>) -> Result<Vec<T>, Fault> {
    let figures = |it: &&'a RawValue| serde_json::from_str(it.get()).map_err(|e| unreadable(&e));
    it.queues.iter().flatten().map(figures).collect()
}

fn unreadable(error: &serde_json::Error) -> Fault {
    Fault::new(
        ErrorCode::Internal,
        format!("what the queues said could not be read: {error}"),
    )
}
