//! The Worker's side: routes, credentials, limits, and refusals from memory.
//!
//! Pure and synchronous: every step is given the request's head and answers with an [`Action`] that
//! the host carries out. A head is `METHOD\nURL\nname: value\n…`: the URL absolute, the names in
//! lower case, as the Fetch API gives them. Nothing of a request is kept between its steps but what
//! the verdict cache counts. Out of scope: the forms of bodies (`protocol`), and everything a queue
//! decides (`engine`).

pub mod action;
mod auth;
mod claims;
mod gather;
mod grant;
mod keys;
mod known;
mod open;
mod patterns;
mod peek;
mod preflights;
mod publics;
mod receive;
mod request;
pub mod route;
mod settings;
mod socket;
pub mod subscriptions;
mod targets;
mod token;
mod topic;
mod verdict;
mod watch;

use crate::command::pattern::is_pattern;
use crate::command::placement::queue_object;
use crate::command::scope::Verb;
use crate::command::topic::TopicCommand;
use crate::command::verdict::OVERLOADED;
use crate::command::{Command, Envelope, State, Verdict, codec};
use crate::error::{ErrorCode, Fault};
use crate::id::Id;
use crate::limits::HEAD_BYTES_MAX;
use crate::protocol::http::{DecidedBy, Response, cors, problem};
use crate::time::Millis;
use crate::wire::base64;
use auth::{Credentials, Stop};
use grant::{ANYBODY, Held, NOTHING};
use preflights::Preflights;
use publics::{Look, Publics};
use request::Request;
use route::{Found, Method, Needs, Part, Place, TopicPart};
use settings::Settings;
use topic::Caller;
use verdict::{Counts, Verdicts};

pub use action::{Action, Call, Listing, Payload, Target};
pub use socket::SocketStep;

/// One isolate's edge: its settings and the verdicts it remembers.
#[derive(Debug)]
pub struct Edge {
    settings: Settings,
    credentials: Credentials,
    publics: Publics,
    public_topics: Publics,
    verdicts: Verdicts,
    preflights: Preflights,
    /// What the last glance was refused with.
    refused_last: peek::Repeat,
}

impl Edge {
    /// Reads the settings: a JSON object of environment variables, all strings. `LOOPBACK` is
    /// `"true"` when the server listens on loopback only; the others are those of `docs/HTTP.md`.
    ///
    /// # Errors
    /// A sentence for the operator; it holds no secret.
    pub fn new(settings_json: &str) -> Result<Self, String> {
        Ok(Self {
            settings: Settings::parse(settings_json)?,
            credentials: Credentials::default(),
            publics: Publics::default(),
            public_topics: Publics::default(),
            verdicts: Verdicts::default(),
            preflights: Preflights::default(),
            refused_last: peek::Repeat::default(),
        })
    }

    /// The first step of every request.
    pub fn open(&mut self, head: &str, now_ms: Millis) -> Action {
        self.step(head, now_ms, |edge, request, place| {
            edge.opened(request, place, now_ms)
        })
    }

    /// The second step, after [`Action::NeedBody`]: the client's body, or the first `bytes_max + 1`
    /// bytes of it.
    pub fn body(&mut self, head: &str, body: &[u8], now_ms: Millis) -> Action {
        self.step(head, now_ms, |edge, request, place| {
            edge.received(request, place, body, now_ms)
        })
    }

    /// The response to a call carried the header `tidegate-verdict` with this value: remembers it.
    /// The call was made at `sent_ms`, and the verdict is no older.
    ///
    /// `Some` is answered instead of the object's response, whose body may be empty then: the
    /// refusal of one publish. `None`: the object's own response is handed through (nothing is
    /// refused any more, a batch, a preflight). A verdict with a fault rides on refusals only, and
    /// on answers to batches.
    pub fn verdict(
        &mut self,
        head: &str,
        verdict: &str,
        sent_ms: Millis,
        now_ms: Millis,
    ) -> Option<Response> {
        let request = Request::parse(head)?;
        let is_preflight = request.head.method == "OPTIONS";
        let (queue, part) = match place_of(&request)? {
            Place::Queue(queue, part) => (queue, part),
            Place::Topic(topic, _) if is_preflight => {
                let said = base64::decode_url(verdict).and_then(|it| Verdict::decode(&it))?;
                let is_welcoming = !said.cors_origins.is_empty();
                self.preflights.learn(true, &topic, is_welcoming);
                return None;
            }
            _ => return None,
        };
        let (verdict, sent_ms) = if verdict == OVERLOADED {
            (Some(self.verdicts.overloaded()), now_ms)
        } else {
            let bytes = base64::decode_url(verdict);
            (bytes.and_then(|bytes| Verdict::decode(&bytes)), sent_ms)
        };
        let Some(mut verdict) = verdict else {
            let detail = "the queue runs another version just now; try again";
            return Some(respond(&Fault::new(ErrorCode::Unavailable, detail)));
        };
        if verdict.is_overloaded() {
            let origins = self.verdicts.origins(&queue, now_ms).unwrap_or_default();
            verdict.cors_origins = origins.to_vec();
        }
        let response = Self::refusal_by(&request, part, &verdict);
        if is_preflight {
            let is_welcoming = !verdict.cors_origins.is_empty();
            self.preflights.learn(false, &queue, is_welcoming);
            self.verdicts.store_origins(&queue, verdict, now_ms);
        } else {
            self.verdicts.store(&queue, verdict, sent_ms, now_ms);
        }
        response
    }

    /// What a verdict says to the publish that was answered with it.
    fn refusal_by(request: &Request<'_>, part: Part, verdict: &Verdict) -> Option<Response> {
        let is_publish = part == Part::Messages && Method::of(request.head.method) == Method::Post;
        let fault = verdict.fault.as_ref().filter(|_| is_publish)?;
        let decided_by = if verdict.is_repeated {
            DecidedBy::Edge
        } else {
            DecidedBy::Object
        };
        let mut response = problem::response(fault, decided_by);
        cors::expose(&mut response, request.origin, &verdict.cors_origins);
        Some(response)
    }

    /// The answer after [`Action::Gather`]. `gathered` is `{"names":[…],"cursor":null|"…",
    /// "queues":[description|null,…],"wasm_memory_bytes":n}`: a description is the body of
    /// `GET /v1/queues/{queue}` for the name at the same place, `null` where the queue is gone or
    /// among the places that `"unreadable":[…]` has. With [`Listing::Both`], such a document of queues and, after U+001E, one of topics.
    pub fn gathered(&mut self, head: &str, gathered: &str, now_ms: Millis) -> Response {
        let Some(request) = Request::parse(head) else {
            return respond(&no_head());
        };
        let response = match place_of(&request) {
            Some(Place::Metrics) => gather::metrics(gathered, now_ms),
            Some(Place::Topics) => gather::list(gathered, "topics"),
            Some(Place::Topic(..)) => crate::protocol::http::patterns::gathered(gathered),
            _ => gather::list(gathered, "queues"),
        };
        for_method(
            response.unwrap_or_else(|fault| respond(&fault)),
            request.head.method,
        )
    }

    /// The next call of an [`Action::Stream`]: at first with `known` `None`, then with what
    /// [`Edge::known`] read from the last answer. It is answered when something changed, or after
    /// 15 s.
    pub fn watch(
        &mut self,
        queue: &str,
        id: Id,
        known: Option<(State, Option<u64>)>,
        origin: Option<&str>,
    ) -> Call {
        let command = Command::Inspect {
            id,
            wait: watch::wait(known),
        };
        self.call_with(queue, origin, (false, false), Counts::new(), command)
    }

    /// A state's JSON (the body of the object's `200`) as one Server-Sent Event.
    #[must_use]
    pub fn event(state_json: &str) -> String {
        watch::event(state_json)
    }

    /// State and position in a state's JSON. The stream ends when the state is final.
    #[must_use]
    pub fn known(state_json: &str) -> Option<(State, Option<u64>)> {
        watch::known(state_json)
    }

    /// Whether refusals were counted that no command has carried yet.
    #[must_use]
    pub const fn has_reports(&self) -> bool {
        self.verdicts.has_reports()
    }

    /// Calls that carry counts older than a second. The host makes them after the response has
    /// left.
    pub fn report(&mut self, now_ms: Millis) -> Vec<Call> {
        let reports = self.verdicts.reports(now_ms);
        reports
            .into_iter()
            .map(|(queue, refused)| {
                self.call_with(&queue, None, (false, false), refused, Command::Report)
            })
            .collect()
    }

    fn step(
        &mut self,
        head: &str,
        now_ms: Millis,
        step: impl FnOnce(&mut Self, &Request<'_>, &Place<'_>) -> Result<Action, Fault>,
    ) -> Action {
        if head.len() > HEAD_BYTES_MAX {
            let detail = format!("URL and headers have at most {HEAD_BYTES_MAX} bytes together");
            return Action::Respond(respond(&Fault::new(ErrorCode::RequestTooLarge, detail)));
        }
        let Some(request) = Request::parse(head) else {
            return Action::Respond(respond(&no_head()));
        };
        let action = match route::find(request.head.path) {
            Ok(Some(found)) => {
                let done = self.admit(&request, &found, now_ms).and_then(|held| {
                    step(self, &request.by(&held, now_ms), &found.place).map_err(Stop::Fault)
                });
                match done {
                    Ok(action) => action,
                    Err(Stop::Act(action)) => {
                        if matches!(*action, Action::ReadKeys { .. }) {
                            self.credentials.begin_reading(now_ms);
                        }
                        *action
                    }
                    Err(Stop::Fault(fault)) => {
                        Action::Respond(self.refusal(&request, &found, &fault, now_ms))
                    }
                }
            }
            Ok(None) => Action::Respond(respond(&no_path())),
            Err(fault) => Action::Respond(respond(&fault)),
        };
        match action {
            Action::Respond(response) => Action::Respond(for_method(response, request.head.method)),
            other => other,
        }
    }

    /// Looks at a request's credentials, if what it asks for needs any.
    fn admit(
        &mut self,
        request: &Request<'_>,
        found: &Found<'_>,
        now_ms: Millis,
    ) -> Result<Held, Stop> {
        let method = Method::of(request.head.method);
        if method == Method::Options {
            if found.place != Place::Health {
                auth::check_is_set_up(&self.settings)?;
            }
            return Err(Stop::Act(Box::new(self.options(request, found, now_ms))));
        }
        let Some(needs) = found.route.needs(method) else {
            return Err(open::no_method(request, found).into());
        };
        match needs {
            Needs::Nothing => return Ok(Held::Fixed(&NOTHING)),
            Needs::SetUp => {
                auth::check_is_set_up(&self.settings)?;
                return Ok(Held::Fixed(&NOTHING));
            }
            Needs::OrPublic(verbs) if self.is_anonymous(request, &found.place) => {
                return self.admit_anybody(found, verbs, now_ms);
            }
            Needs::AnyToken | Needs::One(_) | Needs::OrPublic(_) | Needs::All(_) => {}
        }
        let in_query = found.place.streams(request);
        let held = self
            .credentials
            .grant(&self.settings, request, in_query, now_ms)?;
        held.check(needs, found.place.name())?;
        Ok(held)
    }

    fn is_anonymous(&self, request: &Request<'_>, place: &Place<'_>) -> bool {
        self.wants_clients() && !auth::has_token(request, place.streams(request))
    }

    /// Whether it matters where a request without credentials comes from.
    #[must_use]
    pub fn wants_clients(&self) -> bool {
        !self.settings.open && self.settings.has_credentials()
    }

    /// Lets somebody without credentials in where the queue or topic is public. A pattern never is:
    /// it stands for topics that are not, too.
    fn admit_anybody(
        &mut self,
        found: &Found<'_>,
        verbs: &[Verb],
        now_ms: Millis,
    ) -> Result<Held, Stop> {
        let (look, ask) = match &found.place {
            Place::Queue(queue, _) => {
                let ask = Command::Preflight;
                let call = self.call_with(queue, None, (false, false), Counts::new(), ask);
                (self.publics.look(queue, verbs, now_ms), call)
            }
            Place::Topic(topic, _) if !is_pattern(topic) => {
                let call = self.topic_call(topic, Caller::default(), TopicCommand::Preflight);
                (self.public_topics.look(topic, verbs, now_ms), call)
            }
            _ => return Err(auth::no_token().into()),
        };
        match look {
            Look::Open => Ok(Held::Fixed(&ANYBODY)),
            Look::Closed => Err(auth::no_token().into()),
            Look::Ask => Err(Stop::Act(Box::new(Action::Learn(ask)))),
        }
    }

    /// What the queue, or topic, said to [`Action::Learn`], in the header `tidegate-access`.
    pub fn learn(&mut self, head: &str, said: &str, now_ms: Millis) {
        let request = Request::parse(head);
        match request.as_ref().and_then(place_of) {
            Some(Place::Queue(queue, _)) => self.publics.learn(&queue, said, now_ms),
            Some(Place::Topic(topic, _)) => self.public_topics.learn(&topic, said, now_ms),
            _ => {}
        }
    }

    /// The answer after [`Action::Verify`], with the edition that this named, where the signature was
    /// wrong; otherwise the step is taken again.
    pub fn verified(
        &mut self,
        head: &str,
        is_right: bool,
        edition: u32,
        now_ms: Millis,
    ) -> Option<Response> {
        let request = Request::parse(head)?;
        let credentials = &mut self.credentials;
        let fault = credentials
            .verified(&self.settings, &request, is_right, edition, now_ms)
            .err()?;
        let found = route::find(request.head.path).ok()??;
        let response = self.refusal(&request, &found, &fault, now_ms);
        Some(for_method(response, request.head.method))
    }

    /// What [`Action::ReadKeys`] brought: the key set, unless it could not be read, and for how long
    /// it is the latest, where its answer said so.
    pub fn take_keys(&mut self, read: Option<&[u8]>, max_age_ms: Option<Millis>, now_ms: Millis) {
        self.credentials.take_keys(read, max_age_ms, now_ms);
    }

    fn refusal(
        &self,
        request: &Request<'_>,
        found: &Found<'_>,
        fault: &Fault,
        now_ms: Millis,
    ) -> Response {
        let mut response = problem::response(fault, DecidedBy::Edge);
        if fault.code == ErrorCode::MethodNotAllowed {
            response.headers.push(("allow", found.route.allow()));
        }
        if let Place::Queue(queue, _) = &found.place {
            self.expose(&mut response, request, queue, now_ms);
        }
        response
    }

    /// Lets another site's page read an answer of the edge, as far as the queue's origins are known
    /// here.
    fn expose(&self, response: &mut Response, request: &Request<'_>, queue: &str, now_ms: Millis) {
        if request.origin.is_some() {
            let origins = self.verdicts.origins(queue, now_ms).unwrap_or_default();
            cors::expose(response, request.origin, origins);
        }
    }

    fn call(
        &mut self,
        queue: &str,
        request: &Request<'_>,
        command: Command<'_>,
        payload: Payload,
    ) -> Call {
        let refused = self.verdicts.take_refused(queue);
        let (origin, binary) = (request.origin, request.accepts_binary);
        let anonymous = request.grant.anonymous;
        Call {
            payload,
            ..self.call_with(queue, origin, (binary, anonymous), refused, command)
        }
    }

    fn call_with(
        &self,
        queue: &str,
        origin: Option<&str>,
        (binary, anonymous): (bool, bool),
        refused: Counts,
        command: Command<'_>,
    ) -> Call {
        let auto_create = self.settings.auto_create;
        let publishes = command.publishes();
        let envelope = Envelope {
            queue,
            origin,
            auto_create,
            binary,
            anonymous,
            refused,
            command,
        };
        // An envelope is plain data in memory: writing it fails by a defect only, and the object
        // refuses an empty command like any other that it cannot read.
        let command = codec::encode(&envelope).unwrap_or_default();
        Call {
            target: Target::Queue,
            object: queue_object(queue),
            command,
            payload: Payload::InCommand,
            publishes,
            shareable: false,
        }
    }
}

fn place_of<'a>(request: &Request<'a>) -> Option<Place<'a>> {
    let found = route::find(request.head.path).ok()??;
    Some(found.place)
}

impl Place<'_> {
    /// Whether a stream is asked for, which a page of a browser cannot send headers with.
    fn streams(&self, request: &Request<'_>) -> bool {
        match self {
            Place::Queue(_, Part::Message(_)) => {
                request.head.method == "GET" && request.accepts_events
            }
            Place::Topic(_, part) => matches!(part, TopicPart::Events | TopicPart::Socket),
            _ => false,
        }
    }
}

fn respond(fault: &Fault) -> Response {
    problem::response(fault, DecidedBy::Edge)
}

/// `HEAD` is `GET` without the body (RFC 9110, 9.3.2).
fn for_method(mut response: Response, method: &str) -> Response {
    if method == "HEAD" {
        response.body = Vec::new();
    }
    response
}

fn no_head() -> Fault {
    Fault::bad("url", "the request has no method or no absolute URL")
}

fn no_path() -> Fault {
    Fault::new(
        ErrorCode::NotFound,
        "there is nothing at this path; GET /v1/openapi.json lists what there is",
    )
}

#[cfg(test)]
mod tests;
