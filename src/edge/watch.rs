//! A message's states as Server-Sent Events
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

use crate::command::{State, Wait};
use crate::time::{Millis, SECOND};
use serde::Deserialize;
use std::borrow::Cow;

/// How long one call waits for a change. Proxies drop what is silent for longer.
const WAIT_MS: Millis = 15 * SECOND;

const STATES: [State; 11] = [
    State::Held,
    State::Queued,
    State::Delayed,
    State::Leased,
    State::Done,
    State::Dead,
    State::Expired,
    State::Cancelled,
    State::Waiting,
    State::NotDrawn,
    State::Damaged,
];

/// What the next call waits for: at first for nothing, then for what differs from what is known.
pub fn wait(known: Option<(State, Option<u64>)>) -> Wait {
    match known {
        None => Wait::None,
        Some((state, position)) => Wait::Change {
            wait_ms: WAIT_MS,
            state,
            position,
        },
    }
}

/// One event. JSON may hold line breaks between its tokens: each line is a `data:` of its own.
pub fn event(state_json: &str) -> String {
    let mut out = String::with_capacity(state_json.len() + 32);
    out.push_str("event: state\n");
    for line in state_json.split(['\n', '\r']) {
        out.push_str("data: ");
        out.push_str(line);
        out.push('\n');
    }
    out.push('\n');
    out
}

/// State and position, as far as it is a state.
pub fn known(state_json: &str) -> Option<(State, Option<u64>)> {
    #[derive(Deserialize)]
    struct Known<'a> {
        #[serde(borrow)]
        state: Cow<'a, str>,
        position: Option<u64>,
    }
    let known: Known<'_> = serde_json::from_str(state_json).ok()?;
    let state = STATES
        .into_iter()
        .find(|state| state.name() == known.state)?;
    Some((state, known.position))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_block() {
        assert_eq!(event("{\"a\":1}"), "event: state\ndata: {\"a\":1}\n\n");
        assert_eq!(event("{\n}"), "event: state\ndata: {\ndata: }\n\n");
    }

    #[test]
    fn what_is_known_is_waited_upon() {
        let known_now = known(r#"{"id":"x","state":"queued","position":3}"#);
        assert_eq!(known_now, Some((State::Queued, Some(3))));
        assert_eq!(
            wait(known_now),
            Wait::Change {
                wait_ms: 15_000,
                state: State::Queued,
                position: Some(3)
            }
        );
        assert_eq!(
            known(r#"{"state":"done","result":{}}"#),
            Some((State::Done, None))
        );
        assert_eq!(
            (known("{}"), known(r#"{"state":"odd"}"#), wait(None)),
            (None, None, Wait::None)
        );
    }
}
