//! Paths and methods: what a request is about, before anything else is read of it.

use crate::command::placement::check_name;
use crate::error::Fault;
use crate::id::Id;
use crate::wire::percent;
use std::borrow::Cow;

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// `/healthz`.
    Health,
    /// `/metrics`.
    Metrics,
    /// `/v1/openapi.json`.
    OpenApi,
    /// `/.well-known/jwks.json`.
    KeySet,
    /// `/v1/queues`.
    Queues,
    /// Something of one queue.
    Queue(Cow<'a, str>, Part),
    /// `/v1/topics`.
    Topics,
    /// Something of one topic.
    Topic(Cow<'a, str>, TopicPart<'a>),
    /// Not the interface's: maybe a file of the console.
    File,
}

/// What of a queue a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The queue itself.
    Itself,
    /// `/messages`.
    Messages,
    /// `/messages/batch`.
    Batch,
    /// `/messages/pull`.
    Pull,
    /// `/messages/ack`.
    Ack,
    /// `/messages/{id}`.
    Message(Id),
    /// `/messages/{id}/confirm`.
    Confirm(Id),
    /// `/purge`.
    Purge,
    /// `/pause`.
    Pause,
    /// `/resume`.
    Resume,
    /// `/redrive`.
    Redrive,
    /// `/tickets/rotate`.
    RotateTickets,
}

/// What of a topic a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicPart<'a> {
    /// The topic itself.
    Itself,
    /// `/messages`.
    Messages,
    /// `/messages/batch`.
    Batch,
    /// `/events`.
    Events,
    /// `/socket`.
    Socket,
    /// `/subscriptions`.
    Subscriptions,
    /// `/subscriptions/{name}`.
    Subscription(Cow<'a, str>),
    /// `/subscriptions/{name}/pull`.
    Pull(Cow<'a, str>),
    /// `/subscriptions/{name}/ack`.
    Ack(Cow<'a, str>),
    /// `/subscriptions/{name}/seek`.
    Seek(Cow<'a, str>),
}

/// Methods, of those the interface knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`, and `HEAD`, which is the same without the body.
    Get,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
    /// `DELETE`.
    Delete,
    /// `OPTIONS`.
    Options,
    /// Any other.
    Other,
}

impl Method {
    /// The method called `name`; names are case-sensitive (RFC 9110, 9.1).
    #[must_use]
    pub fn of(name: &str) -> Self {
        match name {
            "GET" | "HEAD" => Self::Get,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "DELETE" => Self::Delete,
            "OPTIONS" => Self::Options,
            _ => Self::Other,
        }
    }
}

impl Place<'_> {
    /// The methods it takes, as the header `Allow` has them.
    #[must_use]
    pub const fn allow(&self) -> &'static str {
        match self {
            Self::Health
            | Self::Metrics
            | Self::KeySet
            | Self::OpenApi
            | Self::Queues
            | Self::File => "GET, HEAD, OPTIONS",
            Self::Topics => "GET, HEAD, OPTIONS",
            Self::Topic(_, part) => match part {
                TopicPart::Itself | TopicPart::Subscription(_) => "GET, HEAD, PUT, DELETE, OPTIONS",
                TopicPart::Messages => "GET, HEAD, POST, OPTIONS",
                TopicPart::Events | TopicPart::Socket | TopicPart::Subscriptions => {
                    "GET, HEAD, OPTIONS"
                }
                TopicPart::Batch | TopicPart::Pull(_) | TopicPart::Ack(_) | TopicPart::Seek(_) => {
                    "POST, OPTIONS"
                }
            },
            Self::Queue(_, part) => match part {
                Part::Itself => "GET, HEAD, PUT, DELETE, OPTIONS",
                Part::Messages => "GET, HEAD, POST, OPTIONS",
                Part::Message(_) => "GET, HEAD, DELETE, OPTIONS",
                Part::Batch | Part::Pull | Part::Ack | Part::Confirm(_) => "POST, OPTIONS",
                Part::Purge | Part::Pause | Part::Resume => "POST, OPTIONS",
                Part::Redrive | Part::RotateTickets => "POST, OPTIONS",
            },
        }
    }

    /// Whether it takes `method`.
    #[must_use]
    pub fn takes(&self, method: Method) -> bool {
        let name = match method {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
            Method::Options => "OPTIONS",
            Method::Other => return false,
        };
        self.allow().split(", ").any(|allowed| allowed == name)
    }
}

/// Finds out what `path` names; `None` when it names nothing.
///
/// # Errors
/// `bad-request` for a queue's name or a message's identifier that can be none.
pub fn find(path: &str) -> Result<Option<Place<'_>>, Fault> {
    let Some(rest) = path.strip_prefix("/v1") else {
        return Ok(Some(outside(path)));
    };
    let Some(rest) = rest.strip_prefix('/') else {
        return Ok(if rest.is_empty() {
            None
        } else {
            Some(Place::File)
        });
    };
    let (first, tail) = split(rest);
    match (first, tail) {
        ("openapi.json", None) => Ok(Some(Place::OpenApi)),
        ("queues", None) => Ok(Some(Place::Queues)),
        ("queues", Some(tail)) => {
            let (name, tail) = split(tail);
            let Some(part) = part(tail)? else {
                return Ok(None);
            };
            Ok(Some(Place::Queue(checked(name, "queue")?, part)))
        }
        ("topics", None) => Ok(Some(Place::Topics)),
        ("topics", Some(tail)) => {
            let (name, tail) = split(tail);
            let Some(part) = topic_part(tail)? else {
                return Ok(None);
            };
            Ok(Some(Place::Topic(checked(name, "topic")?, part)))
        }
        _ => Ok(None),
    }
}

/// A name in a path.
fn checked<'a>(text: &'a str, field: &str) -> Result<Cow<'a, str>, Fault> {
    let detail = "the name in the path is not percent-encoded UTF-8";
    let name = percent::decode(text).ok_or_else(|| Fault::bad(field, detail))?;
    check_name(&name, field)?;
    Ok(name)
}

fn topic_part(tail: Option<&str>) -> Result<Option<TopicPart<'_>>, Fault> {
    let Some(tail) = tail else {
        return Ok(Some(TopicPart::Itself));
    };
    let part = match tail {
        "messages" => TopicPart::Messages,
        "messages/batch" => TopicPart::Batch,
        "events" => TopicPart::Events,
        "socket" => TopicPart::Socket,
        "subscriptions" => TopicPart::Subscriptions,
        _ => {
            let Some(tail) = tail.strip_prefix("subscriptions/") else {
                return Ok(None);
            };
            let (name, tail) = split(tail);
            let part = match tail {
                None => TopicPart::Subscription,
                Some("pull") => TopicPart::Pull,
                Some("ack") => TopicPart::Ack,
                Some("seek") => TopicPart::Seek,
                Some(_) => return Ok(None),
            };
            part(checked(name, "subscription")?)
        }
    };
    Ok(Some(part))
}

fn outside(path: &str) -> Place<'_> {
    match path {
        "/healthz" => Place::Health,
        "/metrics" => Place::Metrics,
        "/.well-known/jwks.json" => Place::KeySet,
        _ => Place::File,
    }
}

fn part(tail: Option<&str>) -> Result<Option<Part>, Fault> {
    let Some(tail) = tail else {
        return Ok(Some(Part::Itself));
    };
    let part = match tail {
        "messages" => Part::Messages,
        "messages/batch" => Part::Batch,
        "messages/pull" => Part::Pull,
        "messages/ack" => Part::Ack,
        "purge" => Part::Purge,
        "pause" => Part::Pause,
        "resume" => Part::Resume,
        "redrive" => Part::Redrive,
        "tickets/rotate" => Part::RotateTickets,
        _ => {
            let Some(tail) = tail.strip_prefix("messages/") else {
                return Ok(None);
            };
            return match split(tail) {
                (text, None) => Ok(Some(Part::Message(id(text)?))),
                (text, Some("confirm")) => Ok(Some(Part::Confirm(id(text)?))),
                _ => Ok(None),
            };
        }
    };
    Ok(Some(part))
}

fn id(text: &str) -> Result<Id, Fault> {
    Id::parse(text).ok_or_else(|| {
        Fault::bad(
            "id",
            "the identifier of a message is the 26 characters that its publish was answered with",
        )
    })
}

fn split(path: &str) -> (&str, Option<&str>) {
    path.split_once('/')
        .map_or((path, None), |(first, rest)| (first, Some(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

    fn queue(name: &str, part: Part) -> Option<Place<'_>> {
        Some(Place::Queue(Cow::Borrowed(name), part))
    }

    fn topic<'a>(name: &'a str, part: TopicPart<'a>) -> Option<Place<'a>> {
        Some(Place::Topic(Cow::Borrowed(name), part))
    }

    #[test]
    fn paths_name_places() {
        let id = Id::parse(ID).unwrap();
        let message = format!("/v1/queues/q/messages/{ID}");
        let confirm = format!("{message}/confirm");
        for (path, place) in [
            ("/", Some(Place::File)),
            ("/demo/sale.html", Some(Place::File)),
            ("/v1x", Some(Place::File)),
            ("/healthz", Some(Place::Health)),
            ("/metrics", Some(Place::Metrics)),
            ("/v1/openapi.json", Some(Place::OpenApi)),
            ("/v1/queues", Some(Place::Queues)),
            ("/v1/queues/q", queue("q", Part::Itself)),
            ("/v1/queues/eu%2Fq", queue("eu/q", Part::Itself)),
            ("/v1/queues/q/messages", queue("q", Part::Messages)),
            ("/v1/queues/q/messages/batch", queue("q", Part::Batch)),
            ("/v1/queues/q/messages/pull", queue("q", Part::Pull)),
            ("/v1/queues/q/messages/ack", queue("q", Part::Ack)),
            (&message, queue("q", Part::Message(id))),
            (&confirm, queue("q", Part::Confirm(id))),
            ("/v1/queues/q/purge", queue("q", Part::Purge)),
            ("/v1/queues/q/redrive", queue("q", Part::Redrive)),
            (
                "/v1/queues/q/tickets/rotate",
                queue("q", Part::RotateTickets),
            ),
            ("/.well-known/jwks.json", Some(Place::KeySet)),
            ("/v1/topics", Some(Place::Topics)),
            ("/v1/topics/a%2Fb", topic("a/b", TopicPart::Itself)),
            ("/v1/topics/t/events", topic("t", TopicPart::Events)),
            ("/v1/topics/t/messages/batch", topic("t", TopicPart::Batch)),
            (
                "/v1/topics/t/subscriptions/s",
                topic("t", TopicPart::Subscription("s".into())),
            ),
            (
                "/v1/topics/t/subscriptions/s/seek",
                topic("t", TopicPart::Seek("s".into())),
            ),
            ("/v1/topics/t/purge", None),
            ("/v1/topics/t/subscriptions/s/purge", None),
            ("/v1", None),
            ("/v1/", None),
            ("/v1/queue", None),
            ("/v1/queues/q/", None),
            ("/v1/queues/q/message", None),
            ("/v1/queues/q/purge/now", None),
            ("/v1/openapi.json/x", None),
        ] {
            assert_eq!(find(path).unwrap(), place, "{path}");
        }
        assert_eq!(find(&format!("{message}/confirmed")).unwrap(), None);
    }

    #[test]
    fn malformed_names_and_ids_are_named() {
        for (path, field) in [
            ("/v1/queues/", "queue"),
            ("/v1/queues/a%20b", "queue"),
            ("/v1/queues/a%2", "queue"),
            ("/v1/queues/a%2F%2Fb/messages", "queue"),
            ("/v1/queues//messages", "queue"),
            ("/v1/queues/q/messages/", "id"),
            ("/v1/queues/q/messages/nope", "id"),
            ("/v1/queues/q/messages/nope/confirm", "id"),
        ] {
            assert_eq!(
                find(path).unwrap_err().figures.field.as_deref(),
                Some(field),
                "{path}"
            );
        }
        let long = format!("/v1/queues/{}", "q".repeat(129));
        assert!(find(&long).is_err());
    }

    #[test]
    fn methods_follow_the_place() {
        let place = find("/v1/queues/q").unwrap().unwrap();
        assert!(
            place.takes(Method::of("HEAD"))
                && place.takes(Method::Put)
                && !place.takes(Method::Post)
        );
        assert!(!place.takes(Method::of("PATCH")) && !place.takes(Method::of("get")));
        assert!(
            find("/v1/queues/q/purge")
                .unwrap()
                .unwrap()
                .takes(Method::Post)
        );
    }
}
