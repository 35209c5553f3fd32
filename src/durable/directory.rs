//! The directory's object.

use super::{Arrival, Turn};
use crate::command::directory::DirectoryCommand;
use crate::command::directory::decode;
use crate::engine::patterns::Patterns;
use crate::engine::{directory, key_set};
use crate::error::{ErrorCode, Fault};
use crate::limits::JWKS_CACHE_MS;
use crate::protocol::http::{DecidedBy, RenderContext, Response, patterns, render};
use crate::push::target::Reach;
use crate::store::{Sql, StoreError};
use crate::time::{Millis, SECOND};
use serde::Serialize;

/// The directory and the requests of its next turn.
#[derive(Debug)]
pub struct DirectoryObject {
    arrivals: Vec<Arrival>,
    patterns: Box<Patterns>,
}

impl DirectoryObject {
    /// Makes the table where there is none.
    ///
    /// # Errors
    /// Whatever the database said.
    pub fn open(sql: &mut dyn Sql) -> Result<Self, StoreError> {
        directory::open(sql)?;
        key_set::open(sql)?;
        Ok(Self {
            arrivals: Vec::new(),
            patterns: Box::new(Patterns::open(sql)?),
        })
    }

    /// What pushes of subscriptions may call.
    pub fn equip(&mut self, reach: Reach) {
        self.patterns.equip(reach);
    }

    /// Takes a request into the next turn.
    pub fn push(&mut self, token: u32, command: Vec<u8>) {
        self.arrivals.push(Arrival {
            token,
            command,
            body: Vec::new(),
        });
    }

    /// The answer to a call of an earlier turn; it counts from the next turn on.
    pub fn called(&mut self, number: u32, ok: bool, body: &[u8]) {
        self.patterns.called(number, ok, body);
    }

    /// The caller of a waiting request has gone.
    pub fn cancel(&mut self, token: u32) {
        self.patterns.cancel(token);
    }

    /// Runs a turn with all requests taken since the last one.
    ///
    /// # Errors
    /// Storage failed: roll back, and open the object anew.
    pub fn run(&mut self, sql: &mut dyn Sql, now_ms: Millis) -> Result<Turn, StoreError> {
        let mut turn = Turn::default();
        let arrivals = std::mem::take(&mut self.arrivals);
        let mut requests = Vec::new();
        for arrival in &arrivals {
            let response = match decode(&arrival.command) {
                Ok(DirectoryCommand::Patterns(command)) => {
                    requests.push((arrival.token, command));
                    continue;
                }
                Ok(DirectoryCommand::Join { name }) => {
                    directory::run(sql, &DirectoryCommand::Join { name })?;
                    document(&self.patterns.set_for(sql, name)?)
                }
                Ok(command) => run(sql, &command, now_ms)?,
                Err(fault) => problem(fault),
            };
            turn.replies.push((arrival.token, response));
        }
        let outcome = self.patterns.run(sql, now_ms, requests)?;
        let replies = outcome.replies.iter();
        turn.replies
            .extend(replies.map(|(token, reply)| (*token, patterns::render(reply))));
        turn.calls = outcome.calls;
        turn.alarm_at_ms = outcome.alarm_at_ms;
        turn.timer_at_ms = outcome.timer_at_ms;
        turn.events = outcome.events;
        Ok(turn)
    }
}

fn run(
    sql: &mut dyn Sql,
    command: &DirectoryCommand<'_>,
    now_ms: Millis,
) -> Result<Response, StoreError> {
    Ok(match *command {
        DirectoryCommand::PublishKey { kid, x, until_ms } => {
            match key_set::publish(sql, kid, x, until_ms, now_ms)? {
                Ok(()) => Response::empty(),
                Err(fault) => problem(fault),
            }
        }
        DirectoryCommand::Keys => key_set_of(&key_set::read(sql, now_ms)?),
        _ => respond(directory::run(sql, command)?.as_ref()),
    })
}

/// Anyone may read it, from any page, and keep it for a while.
fn key_set_of(keys: &key_set::KeySet) -> Response {
    match serde_json::to_vec(keys) {
        Ok(body) => Response::json(200, body)
            .with(
                "cache-control",
                format!("public, max-age={}", JWKS_CACHE_MS / SECOND),
            )
            .with("access-control-allow-origin", "*".to_owned()),
        Err(error) => problem(Fault::new(ErrorCode::Internal, error.to_string())),
    }
}

fn respond(names: Option<&directory::Names>) -> Response {
    let Some(names) = names else {
        return Response::empty();
    };
    document(names)
}

fn document(it: &impl Serialize) -> Response {
    match serde_json::to_vec(it) {
        Ok(body) => Response::json(200, body),
        Err(error) => problem(Fault::new(ErrorCode::Internal, error.to_string())),
    }
}

fn problem(fault: Fault) -> Response {
    let context = RenderContext {
        queue: "",
        origin: None,
        cors_origins: &[],
        decided_by: DecidedBy::Object,
        binary: false,
        preflight: false,
    };
    render(&Err(fault), &context)
}
