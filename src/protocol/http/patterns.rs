//! What there is to say of patterns: the answers of the topics' directory, and where a message that a
//! pattern's reader gets comes from.

use super::render::write_list;
use super::response::Response;
use super::topic::{write_endpoint, write_target};
use super::{DecidedBy, problem};
use crate::command::Delivery;
use crate::command::patterns::{PatternReply, PatternState};
use crate::command::placement::pattern_key;
use crate::command::topic::{TOPIC, TOPIC_ID, TOPIC_SEQ};
use crate::error::{ErrorCode, Fault};
use crate::id::Id;
use crate::wire::json_text::{member_number, member_string, name, string};
use crate::wire::percent;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The response for `result`. The topics of a subscription are a page of a directory, as a listing
/// begins with (`edge::gather`).
#[must_use]
pub fn render(result: &Result<PatternReply, Fault>) -> Response {
    match result {
        Ok(PatternReply::Done) => Response::empty(),
        Ok(PatternReply::Subscription { state, created }) => {
            let mut body = b"{".to_vec();
            write_state(&mut body, state);
            body.push(b'}');
            let response = Response::json(if *created { 201 } else { 200 }, body);
            if !*created {
                return response;
            }
            let pattern = percent::encode(&state.pattern);
            let place = format!("/v1/topics/{pattern}/subscriptions/{}", state.name);
            response.with("location", place)
        }
        Ok(PatternReply::Subscriptions { states, more }) => {
            let mut body = b"{".to_vec();
            write_list(&mut body, "subscriptions", states, |out, state| {
                out.push(b'{');
                write_state(out, state);
                out.push(b'}');
            });
            if let Some(last) = states.last().filter(|_| *more) {
                member_string(&mut body, "cursor", &last.name);
            }
            body.push(b'}');
            Response::json(200, body)
        }
        Ok(PatternReply::Topics {
            state,
            names,
            cursor,
        }) => {
            let mut body = b"{\"as_of\":0".to_vec();
            write_list(&mut body, "names", names, |out, it| string(out, it));
            member_string(
                &mut body,
                "subscription",
                &pattern_key(&state.name, &state.pattern),
            );
            name(&mut body, "state");
            body.push(b'{');
            write_state(&mut body, state);
            body.push(b'}');
            if let Some(cursor) = cursor {
                member_string(&mut body, "cursor", cursor);
            }
            body.push(b'}');
            Response::json(200, body)
        }
        Err(fault) => problem::response(fault, DecidedBy::Object),
    }
}

fn write_state(out: &mut Vec<u8>, it: &PatternState) {
    member_string(out, "name", &it.name);
    member_string(out, "pattern", &it.pattern);
    name(out, "filter");
    out.extend_from_slice(it.filter.as_deref().unwrap_or("null").as_bytes());
    write_target(out, it.target.as_deref(), it.push.as_ref());
    write_endpoint(out, it.push.is_some(), it.endpoint.as_ref());
    for (key, is) in [("paused", it.paused), ("settled", it.settled)] {
        name(out, key);
        out.extend_from_slice(if is { b"true" } else { b"false" });
    }
}

/// What was gathered of a subscription of a pattern.
#[derive(Deserialize)]
struct Gathered<'a> {
    #[serde(borrow)]
    state: &'a RawValue,
    #[serde(borrow)]
    names: Vec<&'a str>,
    #[serde(borrow, default)]
    cursor: Option<&'a str>,
    queues: Vec<Option<Position>>,
}

/// How far it is in one topic, as the topic says.
#[derive(Deserialize)]
struct Position {
    next_seq: u64,
    lag: u64,
    missed_total: u64,
    delivered_total: u64,
    retrying: bool,
    oldest_at_ms: Option<u64>,
}

#[derive(Deserialize)]
struct Refused {
    status: u16,
    detail: String,
}

/// A subscription of a pattern, with what its topics said added up.
///
/// # Errors
/// `not-found` where there is none; `internal` for what cannot be read.
pub fn gathered(text: &str) -> Result<Response, Fault> {
    if let Ok(Refused {
        status: 404,
        detail,
    }) = serde_json::from_str(text)
    {
        return Err(Fault::new(ErrorCode::NotFound, detail));
    }
    let it: Gathered<'_> = serde_json::from_str(text).map_err(|e| {
        let detail = format!("what the topics said could not be read: {e}");
        Fault::new(ErrorCode::Internal, detail)
    })?;
    let known = || it.queues.iter().flatten();
    let sum = |of: fn(&Position) -> u64| known().map(of).sum::<u64>();
    let mut body = it.state.get().as_bytes().to_vec();
    body.pop();
    member_number(&mut body, "lag", sum(|it| it.lag));
    member_number(&mut body, "missed_total", sum(|it| it.missed_total));
    member_number(&mut body, "delivered_total", sum(|it| it.delivered_total));
    name(&mut body, "oldest_at_ms");
    match known().filter_map(|it| it.oldest_at_ms).min() {
        Some(at_ms) => crate::wire::json_text::number(&mut body, at_ms),
        None => body.extend_from_slice(b"null"),
    }
    name(&mut body, "retrying");
    let retrying = known().any(|it| it.retrying);
    body.extend_from_slice(if retrying { b"true" } else { b"false" });
    let positions: Vec<(&str, &Position)> = it
        .names
        .iter()
        .zip(&it.queues)
        .filter_map(|(name, position)| Some((*name, position.as_ref()?)))
        .collect();
    write_list(&mut body, "topics", &positions, |out, (topic, it)| {
        out.push(b'{');
        member_string(out, "topic", topic);
        member_number(out, "next_seq", it.next_seq);
        member_number(out, "lag", it.lag);
        out.push(b'}');
    });
    if let Some(cursor) = it.cursor {
        member_string(&mut body, "cursor", cursor);
    }
    body.push(b'}');
    Ok(Response::json(200, body))
}

/// The topic that a message of a pattern was published to, and the message as it is there.
#[must_use]
pub fn origin_of(it: &Delivery) -> Option<(String, Delivery)> {
    let value = |wanted: &str| {
        let found = it.attributes.iter().find(|(name, _)| name == wanted)?;
        Some(found.1.as_str())
    };
    let (topic, seq, id) = (value(TOPIC)?, value(TOPIC_SEQ)?, value(TOPIC_ID)?);
    let (seq, id) = (seq.parse().ok()?, Id::parse(id)?);
    let mut message = it.clone();
    message
        .attributes
        .retain(|(name, _)| !matches!(name.as_str(), TOPIC | TOPIC_SEQ | TOPIC_ID));
    (message.seq, message.id, message.timestamp_ms) = (seq, id, id.at_ms());
    Some((topic.to_owned(), message))
}
