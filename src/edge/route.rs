//! Paths and methods: what a request is about, and what it takes, before anything else is read of it.
//!
//! There is one [table](ROUTES). The router reads it, and so does who checks credentials: a path that
//! is not in it does not exist, and one that is says what it needs.

use crate::command::pattern::{check_name_or_pattern, is_pattern};
use crate::command::placement::check_name;
use crate::command::scope::Verb;
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
    /// `/v1/tokens`.
    Tokens,
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
    /// `/push/enable`.
    EnablePush,
    /// `/messages/{id}/attempts`.
    Attempts(Id),
    /// `/quarantine`.
    Quarantine,
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
    /// `/quarantine`.
    Quarantine,
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
    /// What is asked of the subscription's own queue.
    OwnQueue(Cow<'a, str>, OwnPart),
}

/// What of a subscription's own queue a path below the subscription names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnPart {
    /// `/queue`.
    Itself,
    /// `/push/enable`.
    EnablePush,
    /// `/messages/{id}/attempts`.
    Attempts(Id),
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

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Other => "",
        }
    }
}

impl Place<'_> {
    /// The queue or topic it is about.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Queue(name, _) | Self::Topic(name, _) => Some(name),
            _ => None,
        }
    }
}

/// What a request's credentials have to allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing at all.
    Nothing,
    /// Nothing, of a deployment that has credentials.
    SetUp,
    /// Credentials of whatever scope.
    AnyToken,
    /// One of these verbs for what the path names.
    One(&'static [Verb]),
    /// The same, or nothing where what the path names is public.
    OrPublic(&'static [Verb]),
    /// One of these verbs for every name.
    All(&'static [Verb]),
}

/// A path, and what each of its methods needs.
#[derive(Debug)]
pub struct Route {
    /// The path; what stands in braces is taken from the request's.
    pub path: &'static str,
    /// Methods in the order of `Allow`. `GET` brings `HEAD` with it, and every path takes `OPTIONS`.
    pub methods: &'static [(Method, Needs)],
    place: fn([&str; NAMES_MAX]) -> Result<Place<'_>, Fault>,
}

/// A request's path, found in the table.
#[derive(Debug)]
pub struct Found<'a> {
    /// What it names.
    pub place: Place<'a>,
    /// Its row.
    pub route: &'static Route,
}

/// Parts in braces of one path.
const NAMES_MAX: usize = 3;

/// Who may see the configuration and the figures of a queue, one by one and in a list.
pub const QUEUE_OBSERVERS: &[Verb] = &[Verb::Observe, Verb::Consume, Verb::Manage];
/// As [`QUEUE_OBSERVERS`], of a topic.
pub const TOPIC_OBSERVERS: &[Verb] = &[Verb::Observe, Verb::Subscribe, Verb::Manage];
const OBSERVE: Needs = Needs::One(QUEUE_OBSERVERS);
const OBSERVE_TOPIC: Needs = Needs::One(TOPIC_OBSERVERS);
const PUBLISH: Needs = Needs::One(&[Verb::Publish]);
/// Of a queue one message, that is: what is open to everybody is counted by requests there.
const PUBLISH_OR_PUBLIC: Needs = Needs::OrPublic(&[Verb::Publish]);
const SUBSCRIBE_OR_PUBLIC: Needs = Needs::OrPublic(&[Verb::Subscribe]);
/// What of it is open is seen at each frame.
const SOCKET: Needs = Needs::OrPublic(&[Verb::Publish, Verb::Subscribe]);
const CONSUME: Needs = Needs::One(&[Verb::Consume]);
const SUBSCRIBE: Needs = Needs::One(&[Verb::Subscribe]);
const MANAGE: Needs = Needs::One(&[Verb::Manage]);
/// Of a message, by its identifier.
const FOLLOW: Needs = Needs::One(&[Verb::Publish, Verb::Consume, Verb::Manage]);
/// What an endpoint answered may be as secret as what it was sent.
const ATTEMPTS: Needs = Needs::One(&[Verb::Consume, Verb::Manage]);
/// The same of a subscription's.
const ATTEMPTS_TOPIC: Needs = Needs::One(&[Verb::Subscribe, Verb::Manage]);
const CANCEL: Needs = Needs::One(&[Verb::Publish, Verb::Manage]);

use Method::{Delete, Get, Post, Put};

macro_rules! routes {
    ($($path:literal $methods:tt => |$names:pat_param| $place:expr;)*) => {
        &[$(Route { path: $path, methods: &$methods, place: |$names| Ok($place) },)*]
    };
}

/// Every path of the interface. The first that fits counts; the busiest stands first.
pub static ROUTES: &[Route] = routes! {
    "/v1/queues/{queue}/messages" [(Get, CONSUME), (Post, PUBLISH_OR_PUBLIC)]
        => |[q, ..]| Place::Queue(queue(q)?, Part::Messages);
    "/v1/queues/{queue}/messages/pull" [(Post, CONSUME)]
        => |[q, ..]| Place::Queue(queue(q)?, Part::Pull);
    "/v1/queues/{queue}/messages/ack" [(Post, CONSUME)]
        => |[q, ..]| Place::Queue(queue(q)?, Part::Ack);
    "/v1/queues/{queue}/messages/batch" [(Post, PUBLISH)]
        => |[q, ..]| Place::Queue(queue(q)?, Part::Batch);
    "/v1/queues/{queue}/messages/{id}" [(Get, FOLLOW), (Delete, CANCEL)]
        => |[q, it, _]| Place::Queue(queue(q)?, Part::Message(id(it)?));
    "/v1/queues/{queue}/messages/{id}/confirm" [(Post, CANCEL)]
        => |[q, it, _]| Place::Queue(queue(q)?, Part::Confirm(id(it)?));
    "/v1/queues/{queue}/messages/{id}/attempts" [(Get, ATTEMPTS)]
        => |[q, it, _]| Place::Queue(queue(q)?, Part::Attempts(id(it)?));
    "/v1/queues/{queue}" [(Get, OBSERVE), (Put, MANAGE), (Delete, MANAGE)]
        => |[q, ..]| Place::Queue(queue(q)?, Part::Itself);
    "/v1/queues/{queue}/purge" [(Post, MANAGE)]
        => |[q, ..]| Place::Queue(queue(q)?, Part::Purge);
    "/v1/queues/{queue}/pause" [(Post, MANAGE)]
        => |[q, ..]| Place::Queue(queue(q)?, Part::Pause);
    "/v1/queues/{queue}/resume" [(Post, MANAGE)]
        => |[q, ..]| Place::Queue(queue(q)?, Part::Resume);
    "/v1/queues/{queue}/redrive" [(Post, MANAGE)]
        => |[q, ..]| Place::Queue(queue(q)?, Part::Redrive);
    "/v1/queues/{queue}/tickets/rotate" [(Post, MANAGE)]
        => |[q, ..]| Place::Queue(queue(q)?, Part::RotateTickets);
    "/v1/queues/{queue}/push/enable" [(Post, MANAGE)]
        => |[q, ..]| Place::Queue(queue(q)?, Part::EnablePush);
    "/v1/queues/{queue}/quarantine" [(Get, MANAGE), (Delete, MANAGE)]
        => |[q, ..]| Place::Queue(queue(q)?, Part::Quarantine);
    "/v1/topics/{topic}/messages" [(Get, SUBSCRIBE_OR_PUBLIC), (Post, PUBLISH_OR_PUBLIC)]
        => |[t, ..]| Place::Topic(topic(t)?, TopicPart::Messages);
    "/v1/topics/{topic}/messages/batch" [(Post, PUBLISH_OR_PUBLIC)]
        => |[t, ..]| Place::Topic(topic(t)?, TopicPart::Batch);
    "/v1/topics/{topic}/events" [(Get, SUBSCRIBE_OR_PUBLIC)]
        => |[t, ..]| Place::Topic(topics(t)?, TopicPart::Events);
    "/v1/topics/{topic}/socket" [(Get, SOCKET)]
        => |[t, ..]| Place::Topic(topics(t)?, TopicPart::Socket);
    "/v1/topics/{topic}" [(Get, OBSERVE_TOPIC), (Put, MANAGE), (Delete, MANAGE)]
        => |[t, ..]| Place::Topic(topic(t)?, TopicPart::Itself);
    "/v1/topics/{topic}/quarantine" [(Get, MANAGE), (Delete, MANAGE)]
        => |[t, ..]| Place::Topic(topic(t)?, TopicPart::Quarantine);
    "/v1/topics/{topic}/subscriptions" [(Get, OBSERVE_TOPIC)]
        => |[t, ..]| Place::Topic(topics(t)?, TopicPart::Subscriptions);
    "/v1/topics/{topic}/subscriptions/{subscription}"
        [(Get, OBSERVE_TOPIC), (Put, MANAGE), (Delete, MANAGE)]
        => |[t, it, _]| Place::Topic(topics(t)?, TopicPart::Subscription(subscription(it)?));
    "/v1/topics/{topic}/subscriptions/{subscription}/pull" [(Post, SUBSCRIBE)]
        => |[t, it, _]| Place::Topic(topics(t)?, TopicPart::Pull(subscription(it)?));
    "/v1/topics/{topic}/subscriptions/{subscription}/ack" [(Post, SUBSCRIBE)]
        => |[t, it, _]| Place::Topic(topics(t)?, TopicPart::Ack(subscription(it)?));
    "/v1/topics/{topic}/subscriptions/{subscription}/seek" [(Post, SUBSCRIBE)]
        => |[t, it, _]| Place::Topic(topics(t)?, TopicPart::Seek(subscription(it)?));
    "/v1/topics/{topic}/subscriptions/{subscription}/queue" [(Get, OBSERVE_TOPIC)]
        => |[t, it, _]| own_queue(t, it, OwnPart::Itself)?;
    "/v1/topics/{topic}/subscriptions/{subscription}/push/enable" [(Post, MANAGE)]
        => |[t, it, _]| own_queue(t, it, OwnPart::EnablePush)?;
    "/v1/topics/{topic}/subscriptions/{subscription}/messages/{id}/attempts"
        [(Get, ATTEMPTS_TOPIC)]
        => |[t, it, of]| own_queue(t, it, OwnPart::Attempts(id(of)?))?;
    "/v1/queues" [(Get, Needs::AnyToken)] => |_| Place::Queues;
    "/v1/topics" [(Get, Needs::AnyToken)] => |_| Place::Topics;
    "/v1/tokens" [(Post, Needs::AnyToken)] => |_| Place::Tokens;
    "/v1/openapi.json" [(Get, Needs::AnyToken)] => |_| Place::OpenApi;
    "/metrics" [(Get, Needs::All(&[Verb::Observe, Verb::Manage]))] => |_| Place::Metrics;
    "/.well-known/jwks.json" [(Get, Needs::SetUp)] => |_| Place::KeySet;
    "/healthz" [(Get, Needs::Nothing)] => |_| Place::Health;
};

/// Whatever is not the interface's: pages of the console hold nothing but themselves.
static FILES: Route = Route {
    path: "/{file}",
    methods: &[(Get, Needs::Nothing)],
    place: |_| Ok(Place::File),
};

impl Route {
    /// The methods it takes, as the header `Allow` has them.
    #[must_use]
    pub fn allow(&self) -> String {
        let mut names: Vec<_> = self
            .methods
            .iter()
            .map(|(method, _)| method.name())
            .collect();
        names.push("OPTIONS");
        names.join(", ").replace("GET", "GET, HEAD")
    }

    /// What `method` needs; `None` where it is not taken.
    #[must_use]
    pub fn needs(&self, method: Method) -> Option<Needs> {
        let row = self.methods.iter().find(|(known, _)| *known == method);
        row.map(|(_, needs)| *needs)
    }

    /// What stands in `path` where this one has braces; `None` when it is not this one.
    fn fit<'a>(&self, path: &'a str) -> Option<[&'a str; NAMES_MAX]> {
        let mut names = [""; NAMES_MAX];
        let mut found = 0;
        let mut rest = path;
        let mut row = self.path;
        // A literal part at a time: what stands before the next brace, then up to the next slash.
        while let Some((literal, after)) = row.split_once('{') {
            rest = rest.strip_prefix(literal)?;
            let end = rest.find('/').unwrap_or(rest.len());
            *names.get_mut(found)? = &rest[..end];
            (found, rest) = (found + 1, &rest[end..]);
            row = after.split_once('}')?.1;
        }
        (rest == row).then_some(names)
    }
}

/// Finds out what `path` names; `None` when it names nothing.
///
/// # Errors
/// `bad-request` for a queue's name or a message's identifier that can be none.
pub fn find(path: &str) -> Result<Option<Found<'_>>, Fault> {
    for route in ROUTES {
        if let Some(names) = route.fit(path) {
            let place = (route.place)(names)?;
            return Ok(Some(Found { place, route }));
        }
    }
    let is_ours = path == "/v1" || path.starts_with("/v1/");
    let file = Found {
        place: Place::File,
        route: &FILES,
    };
    Ok((!is_ours).then_some(file))
}

fn queue(text: &str) -> Result<Cow<'_, str>, Fault> {
    checked(text, "queue")
}

fn topic(text: &str) -> Result<Cow<'_, str>, Fault> {
    let name = decoded(text, "topic")?;
    if is_pattern(&name) {
        let detail = "a pattern can be followed and subscribed to; name one topic";
        return Err(Fault::bad("topic", detail));
    }
    check_name(&name, "topic")?;
    Ok(name)
}

/// A topic, or a pattern of topics.
fn topics(text: &str) -> Result<Cow<'_, str>, Fault> {
    let name = decoded(text, "topic")?;
    check_name_or_pattern(&name, "topic")?;
    Ok(name)
}

fn own_queue<'a>(topic: &'a str, name: &'a str, part: OwnPart) -> Result<Place<'a>, Fault> {
    let part = TopicPart::OwnQueue(subscription(name)?, part);
    Ok(Place::Topic(topics(topic)?, part))
}

fn subscription(text: &str) -> Result<Cow<'_, str>, Fault> {
    checked(text, "subscription")
}

/// A name in a path.
fn checked<'a>(text: &'a str, field: &str) -> Result<Cow<'a, str>, Fault> {
    let name = decoded(text, field)?;
    check_name(&name, field)?;
    Ok(name)
}

fn decoded<'a>(text: &'a str, field: &str) -> Result<Cow<'a, str>, Fault> {
    let detail = "the name in the path is not percent-encoded UTF-8";
    percent::decode(text).ok_or_else(|| Fault::bad(field, detail))
}

fn id(text: &str) -> Result<Id, Fault> {
    Id::parse(text).ok_or_else(|| {
        Fault::bad(
            "id",
            "the identifier of a message is the 26 characters that its publish was answered with",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

    fn placed(path: &str) -> Option<Place<'_>> {
        find(path).unwrap().map(|it| it.place)
    }

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
        let attempts = format!("{message}/attempts");
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
            (&attempts, queue("q", Part::Attempts(id))),
            (
                "/v1/topics/t/subscriptions/s/push/enable",
                topic("t", TopicPart::OwnQueue("s".into(), OwnPart::EnablePush)),
            ),
            ("/v1/queues/q/push/enable", queue("q", Part::EnablePush)),
            ("/v1/queues/q/push", None),
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
            (
                "/v1/topics/a%2F%23/subscriptions/s",
                topic("a/#", TopicPart::Subscription("s".into())),
            ),
            ("/v1/topics/%2B%2Fa/events", topic("+/a", TopicPart::Events)),
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
            assert_eq!(placed(path), place, "{path}");
        }
        assert_eq!(placed(&format!("{message}/confirmed")), None);
    }

    #[test]
    fn malformed_names_and_ids_are_named() {
        for (path, field) in [
            ("/v1/queues/", "queue"),
            ("/v1/queues/a%20b", "queue"),
            ("/v1/queues/a%2", "queue"),
            ("/v1/queues/a%2F%2Fb/messages", "queue"),
            ("/v1/queues//messages", "queue"),
            ("/v1/queues/a%2F%23", "queue"),
            ("/v1/topics/a%2F%23", "topic"),
            ("/v1/topics/a%2F%23/messages", "topic"),
            ("/v1/topics/a%23/events", "topic"),
            ("/v1/topics/t/subscriptions/%23", "subscription"),
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
    fn methods_follow_the_route() {
        let route = find("/v1/queues/q").unwrap().unwrap().route;
        assert_eq!(route.allow(), "GET, HEAD, PUT, DELETE, OPTIONS");
        assert!(route.needs(Method::of("HEAD")).is_some() && route.needs(Method::Put).is_some());
        assert!(route.needs(Method::Post).is_none() && route.needs(Method::of("PATCH")).is_none());
        assert!(route.needs(Method::of("get")).is_none());
    }

    /// No row hides another, and whatever a row says is what is found.
    #[test]
    fn every_row_is_reached() {
        for row in ROUTES {
            let path = row.path.replace("{id}", ID).replace(['{', '}'], "");
            let found = find(&path).unwrap().unwrap().route;
            assert!(std::ptr::eq(found, row), "{path} leads to {}", found.path);
            assert_ne!(row.methods.len(), 0);
        }
    }

    /// What only reads takes no verb that changes; what changes is not had by one that only reads.
    #[test]
    fn only_tokens_that_say_so_change_anything() {
        for row in ROUTES {
            for (method, needs) in row.methods {
                let (Needs::One(verbs) | Needs::OrPublic(verbs) | Needs::All(verbs)) = needs else {
                    let open = ["/healthz", "/.well-known/jwks.json"].contains(&row.path);
                    assert_eq!(open, *needs != Needs::AnyToken, "{}", row.path);
                    continue;
                };
                assert!(!verbs.is_empty(), "{}", row.path);
                let reads = *method == Get;
                assert!(
                    reads || !verbs.contains(&Verb::Observe),
                    "{} {}",
                    method.name(),
                    row.path
                );
            }
        }
    }
}
