//! Requests for subscriptions of a pattern: the topics' directory has them. What is pulled and
//! acknowledged is in a queue, as for one topic; what is followed live is at the pattern's object.

use super::request::Request;
use super::route::{Method, TopicPart};
use super::{Action, Call, Edge, Listing, Payload, Target};
use crate::command::directory::DirectoryCommand;
use crate::command::pattern::is_pattern;
use crate::command::patterns::PatternCommand;
use crate::command::placement::TOPIC_DIRECTORY;
use crate::error::Fault;
use crate::limits::LIST_QUEUES_MAX;
use crate::protocol::http::{cors, seek};

impl Edge {
    /// What happens with a request for a pattern; `None`: what happens with one for a topic.
    pub(super) fn opened_pattern(
        &self,
        request: &Request<'_>,
        pattern: &str,
        part: &TopicPart<'_>,
        method: Method,
    ) -> Result<Option<Action>, Fault> {
        let command = match (part, method) {
            (TopicPart::Subscriptions, _) => {
                let limits = 1..=u64::from(LIST_QUEUES_MAX);
                let limit = request.number("limit", &limits, u64::from(LIST_QUEUES_MAX))? as u32;
                let after = request.parameter("cursor")?;
                let command = PatternCommand::List {
                    pattern,
                    after: after.as_deref(),
                    limit,
                };
                return call(request, command).map(Some);
            }
            (TopicPart::Subscription(name), Method::Delete) => {
                PatternCommand::Delete { pattern, name }
            }
            (TopicPart::Subscription(name), Method::Get) => {
                expect_own_page(request)?;
                let after = request.parameter("cursor")?;
                return Ok(Some(Action::Gather {
                    of: Listing::Pattern {
                        pattern: pattern.to_owned(),
                        name: name.clone().into_owned(),
                    },
                    after,
                    limit: 0,
                    seen: None,
                }));
            }
            _ => return Ok(None),
        };
        call(request, command).map(Some)
    }

    /// The same, for those with a body.
    pub(super) fn received_pattern(
        &self,
        request: &Request<'_>,
        pattern: &str,
        part: &TopicPart<'_>,
        body: &[u8],
    ) -> Result<Action, Fault> {
        match part {
            TopicPart::Seek(name) => {
                let to = seek::read(body)?;
                call(request, PatternCommand::Seek { pattern, name, to })
            }
            TopicPart::Subscription(name) => {
                let patch = super::receive::configuration(body)?;
                super::targets::check(request.grant, patch)?;
                let command = PatternCommand::Put {
                    pattern,
                    name,
                    patch,
                };
                call(request, command)
            }
            _ => Err(super::no_path()),
        }
    }
}

fn call(request: &Request<'_>, command: PatternCommand<'_>) -> Result<Action, Fault> {
    expect_own_page(request)?;
    Ok(Action::Call(Call {
        target: Target::Directory,
        object: TOPIC_DIRECTORY.to_owned(),
        command: DirectoryCommand::Patterns(command).encode()?,
        payload: Payload::InCommand,
        publishes: false,
        shareable: false,
    }))
}

/// A pattern has no origins that it talks to: its topics have, each its own.
fn expect_own_page(request: &Request<'_>) -> Result<(), Fault> {
    request
        .origin
        .map_or(Ok(()), |origin| Err(cors::forbidden(origin)))
}

/// Who is here is known of a topic, and of no pattern.
pub(super) fn expect_nobody_shown(topic: &str, member: Option<&str>) -> Result<(), Fault> {
    if is_pattern(topic) && member.is_some() {
        let detail = "who is here is told of one topic, not of a pattern";
        return Err(Fault::bad("member", detail));
    }
    Ok(())
}
