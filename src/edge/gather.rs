//! What several queues said of themselves, as one answer.

use crate::error::{ErrorCode, Fault};
use crate::protocol::http::Response;
use crate::protocol::http::metrics::{self, Figures};
use crate::protocol::http::topic_metrics::{self, TopicFigures};
use crate::time::Millis;
use crate::wire::json_text::{member_string, name};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Gathered<'a> {
    #[serde(borrow, default)]
    cursor: Option<Cow<'a, str>>,
    #[serde(borrow)]
    queues: Vec<Option<&'a RawValue>>,
    #[serde(default)]
    wasm_memory_bytes: u64,
}

/// A page of the list of queues or topics, each with its configuration and figures.
pub fn list(gathered: &str, kind: &str) -> Result<Response, Fault> {
    let it: Gathered<'_> = serde_json::from_str(gathered).map_err(|e| unreadable(&e))?;
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
    if let Some(cursor) = &it.cursor {
        member_string(&mut body, "cursor", cursor);
    }
    body.push(b'}');
    Ok(Response::json(200, body))
}

/// The metrics of the first queues and topics: two documents, apart by a record separator, which JSON cannot hold.
pub fn metrics(gathered: &str, now_ms: Millis) -> Result<Response, Fault> {
    let (queues, topics) = gathered
        .split_once('\u{1e}')
        .unwrap_or((gathered, "{\"queues\":[]}"));
    let (queues, edge) = figures::<Figures>(queues)?;
    let (topics, _) = figures::<TopicFigures>(topics)?;
    let theirs = queues.iter().map(|queue| queue.wasm_memory_bytes);
    let memory = edge
        + theirs
            .chain(topics.iter().map(|it| it.wasm_memory_bytes))
            .sum::<u64>();
    let mut text = metrics::exposition(&queues, &topics, memory, now_ms);
    topic_metrics::append(&mut text, &topics);
    Ok(Response::document(
        200,
        metrics::MEDIA_TYPE,
        text.into_bytes(),
    ))
}

/// What each said of itself, and the bytes of this Worker's memory.
fn figures<'a, T: Deserialize<'a>>(gathered: &'a str) -> Result<(Vec<T>, u64), Fault> {
    let it: Gathered<'a> = serde_json::from_str(gathered).map_err(|e| unreadable(&e))?;
    let read = |it: &&'a RawValue| serde_json::from_str(it.get()).map_err(|e| unreadable(&e));
    let found = it
        .queues
        .iter()
        .flatten()
        .map(read)
        .collect::<Result<_, _>>()?;
    Ok((found, it.wasm_memory_bytes))
}

fn unreadable(error: &serde_json::Error) -> Fault {
    Fault::new(
        ErrorCode::Internal,
        format!("what the queues said could not be read: {error}"),
    )
}
