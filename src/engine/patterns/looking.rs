//! A subscription of a pattern, as somebody looks at it: with the topics it stands for, and how things
//! stand with the endpoint that its queue calls.

use super::rows;
use super::steps::ask;
use super::{Key, Patterns, Turn, state_of};
use crate::command::Command;
use crate::command::patterns::PatternReply;
use crate::engine::Stop;
use crate::engine::topic::own_queue::endpoint_of;
use crate::engine::waiter::expect_place;
use crate::error::{ErrorCode, Fault};
use crate::limits::PATTERN_TOPICS_MAX;
use crate::store::StoreError;
use serde_json::Value;

/// Somebody who waits for what a queue says.
#[derive(Debug)]
pub(super) struct Look {
    pub token: u32,
    /// Of the call.
    number: u32,
    key: Key,
    after: Option<String>,
}

impl Patterns {
    /// Answers, or asks the queue first.
    pub(super) fn look(
        &mut self,
        turn: &mut Turn<'_>,
        token: u32,
        (pattern, name): (&str, &str),
        after: Option<&str>,
    ) -> Result<Option<PatternReply>, Stop> {
        let key = (pattern.to_owned(), name.to_owned());
        let calls = |row: &rows::Row| row.push.is_some() && !row.paused && row.steps.is_empty();
        if !self.entries.get(&key).is_some_and(|it| calls(&it.row)) {
            return self.topics(turn, &key, after, None).map(Some);
        }
        expect_place(self.looks.len())?;
        let number = self.number();
        turn.out.calls.push(ask(number, &key, Command::Describe)?);
        self.looks.push(Look {
            token,
            number,
            key,
            after: after.map(str::to_owned),
        });
        Ok(None)
    }

    /// The answer to a call; whether somebody looked.
    pub(super) fn looked(
        &mut self,
        turn: &mut Turn<'_>,
        number: u32,
        ok: bool,
        body: &[u8],
    ) -> Result<bool, StoreError> {
        let Some(at) = self.looks.iter().position(|it| it.number == number) else {
            return Ok(false);
        };
        let look = self.looks.swap_remove(at);
        let endpoint = ok.then(|| endpoint_of(body)).flatten();
        let reply = self.topics(turn, &look.key, look.after.as_deref(), endpoint);
        turn.out.replies.push((look.token, Stop::answer(reply)?));
        Ok(true)
    }

    fn topics(
        &mut self,
        turn: &mut Turn<'_>,
        key: &Key,
        after: Option<&str>,
        endpoint: Option<Value>,
    ) -> Result<PatternReply, Stop> {
        let Some(entry) = self.entries.get(key).filter(|it| !it.row.leaving) else {
            let name: String = key.1.chars().take(128).collect();
            let detail = format!("there is no subscription {name:?} of this pattern");
            return Err(Fault::new(ErrorCode::NotFound, detail).into());
        };
        let mut state = state_of(key, entry);
        state.endpoint = endpoint;
        let (names, more) = rows::names(turn.sql, &key.0, after.unwrap_or(""), PATTERN_TOPICS_MAX)?;
        let cursor = more.filter(|_| !names.is_empty());
        Ok(PatternReply::Topics {
            state,
            names,
            cursor,
        })
    }
}
