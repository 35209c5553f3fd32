//! The directory's object.

use super::{Arrival, Turn};
use crate::command::directory::DirectoryCommand;
use crate::command::directory::decode;
use crate::engine::{directory, key_set};
use crate::error::{ErrorCode, Fault};
use crate::limits::JWKS_CACHE_MS;
use crate::protocol::http::{DecidedBy, RenderContext, Response, render};
use crate::store::{Sql, StoreError};
use crate::time::{Millis, SECOND};

/// The directory and the requests of its next turn.
#[derive(Debug)]
pub struct DirectoryObject {
    arrivals: Vec<Arrival>,
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
        })
    }

    /// Takes a request into the next turn.
    pub fn push(&mut self, token: u32, command: Vec<u8>) {
        self.arrivals.push(Arrival {
            token,
            command,
            body: Vec::new(),
        });
    }

    /// Runs a turn with all requests taken since the last one.
    ///
    /// # Errors
    /// Storage failed: roll back, and open the object anew.
    pub fn run(&mut self, sql: &mut dyn Sql, now_ms: Millis) -> Result<Turn, StoreError> {
        let mut turn = Turn::default();
        for arrival in std::mem::take(&mut self.arrivals) {
            let response = match decode(&arrival.command) {
                Ok(command) => run(sql, &command, now_ms)?,
                Err(fault) => problem(fault),
            };
            turn.replies.push((arrival.token, response));
        }
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
    match serde_json::to_vec(names) {
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
