//! A client's WebSocket: what becomes of each of its frames.
//!
//! The Worker holds the socket, so that one socket reaches several topics, and each frame is checked
//! like a request of its own. Publishes are calls; what is followed is a socket between Worker and
//! topic, which sleeps with the topic.

use super::grant::Grant;
use super::patterns::expect_nobody_shown;
use super::request::Request;
use super::route::{self, Place};
use super::topic::{Caller, member, parse_start, stream_text};
use super::{Call, Edge, auth, claims};
use crate::command::pattern::check_name_or_pattern;
use crate::command::placement::check_name;
use crate::command::scope::Verb;
use crate::command::topic::{Form, Start};
use crate::error::{ErrorCode, Fault};
use crate::limits::SOCKET_FRAME_BYTES_MAX;
use crate::protocol::http::fields::{Field, Item, Place as At};
use crate::protocol::http::{batch, problem};
use crate::time::Millis;
use crate::wire::json_text::{member_string, name};

/// Bytes of a `ref`, as JSON text.
const REF_BYTES_MAX: usize = 256;
const KNOWN: &str = "type, ref, topic, from_seq, from_at_ms, filter, member";

/// What a frame brings about. A `reference` is JSON text.
#[derive(Debug)]
pub enum SocketStep {
    /// Send this text.
    Send(String),
    /// Call a topic, and answer with `ack` or `error`.
    Publish { reference: String, call: Call },
    /// Follow a topic: as [`super::Action::Follow`].
    Follow { reference: String, stream: String },
    /// Follow it no longer.
    Leave { reference: String, topic: String },
}

/// The members of a frame that say what it is about.
#[derive(Default)]
struct Frame<'a> {
    kind: String,
    reference: Option<&'a str>,
    topic: Option<String>,
}

impl Edge {
    /// What `text`, a frame of the socket that `head` opened, brings about.
    pub fn frame(&mut self, head: &str, text: &str, now_ms: Millis) -> SocketStep {
        let mut reference = None;
        self.checked_frame(head, text, now_ms, &mut reference)
            .unwrap_or_else(|fault| SocketStep::Send(error(reference.as_deref(), &fault)))
    }

    fn checked_frame(
        &mut self,
        head: &str,
        text: &str,
        now_ms: Millis,
        reference: &mut Option<String>,
    ) -> Result<SocketStep, Fault> {
        let gone = || Fault::bad("url", "the socket has no topic");
        let request = Request::parse(head).ok_or_else(gone)?;
        let found = route::find(request.head.path)?.ok_or_else(gone)?;
        let Place::Topic(home, _) = found.place else {
            return Err(gone());
        };
        // No client sends a header of this name: `@` stands in none.
        let grant = request.head.header("@grant");
        let grant: Grant = grant
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        claims::check_time(&grant, now_ms).map_err(auth::unauthorized)?;
        if text.len() > SOCKET_FRAME_BYTES_MAX {
            let detail = format!("a frame has at most {SOCKET_FRAME_BYTES_MAX} bytes");
            return Err(Fault::new(ErrorCode::RequestTooLarge, detail));
        }
        let wrong = |e: serde_json::Error| Fault::bad("frame", format!("a frame is JSON: {e}"));
        let item: Item<'_> = serde_json::from_str(text).map_err(wrong)?;
        let frame = envelope(&item)?;
        *reference = frame.reference.map(str::to_owned);
        let topic = frame.topic.unwrap_or_else(|| home.clone().into_owned());
        let caller = Caller::staying(&request, &grant);
        match frame.kind.as_str() {
            "publish" => check_name(&topic, "topic")?,
            _ => check_name_or_pattern(&topic, "topic")?,
        }
        let reference = frame.reference.unwrap_or("null").to_owned();
        match frame.kind.as_str() {
            "ping" => Ok(SocketStep::Send("{\"type\":\"pong\"}".to_owned())),
            "publish" => {
                self.admit_frame(&request, &grant, Verb::Publish, (&topic, &home), now_ms)?;
                let message = batch::message(&without_envelope(item), At::TOP)?;
                let call = self.publish_call(&topic, caller, &grant, &message)?;
                Ok(SocketStep::Publish { reference, call })
            }
            "subscribe" => {
                self.admit_frame(&request, &grant, Verb::Subscribe, (&topic, &home), now_ms)?;
                let stream = stream_of(&item, &topic, caller)?;
                Ok(SocketStep::Follow { reference, stream })
            }
            "unsubscribe" => Ok(SocketStep::Leave { reference, topic }),
            _ => Err(Fault::bad(
                "type",
                "one of publish, subscribe, unsubscribe and ping",
            )),
        }
    }
}

impl Edge {
    /// Whether a frame may do this. Without credentials a socket is for the topic of its path: there
    /// the topic says what is open, and the rate of the client's address counts.
    fn admit_frame(
        &mut self,
        request: &Request<'_>,
        grant: &Grant,
        verb: Verb,
        (topic, home): (&str, &str),
        now_ms: Millis,
    ) -> Result<(), Fault> {
        if !grant.anonymous {
            return grant.check_verbs(&[verb], topic);
        }
        if topic != home {
            let detail = "without a token a socket is for the topic of its path only";
            return Err(auth::unauthorized(detail));
        }
        self.public_topics.charge(topic, request.client, now_ms)
    }
}

fn envelope<'a>(item: &Item<'a>) -> Result<Frame<'a>, Fault> {
    let mut frame = Frame::default();
    for field in item.fields(At::TOP)? {
        match field.name {
            "type" => frame.kind = field.text()?.into_owned(),
            "ref" if field.raw().len() <= REF_BYTES_MAX && !field.raw().contains('\n') => {
                frame.reference = Some(field.raw());
            }
            "ref" => return Err(field.fault(format!("at most {REF_BYTES_MAX} bytes of JSON"))),
            "topic" if !field.is_null() => frame.topic = Some(field.text()?.into_owned()),
            _ => {}
        }
    }
    Ok(frame)
}

/// The message of a publish frame, as it would stand in a batch.
fn without_envelope(item: Item<'_>) -> Item<'_> {
    match item {
        Item::Object(members) => {
            let is_its = |name: &str| !matches!(name, "type" | "ref" | "topic");
            Item::Object(
                members
                    .into_iter()
                    .filter(|(name, _)| is_its(name))
                    .collect(),
            )
        }
        other => other,
    }
}

fn stream_of(item: &Item<'_>, topic: &str, caller: Caller<'_>) -> Result<String, Fault> {
    let (mut start, mut filter, mut who) = ("latest".to_owned(), None, None);
    for field in item.fields(At::TOP)? {
        match field.name {
            "type" | "ref" | "topic" => {}
            _ if field.is_null() => {}
            "from_seq" => start = start_of(&field)?,
            "from_at_ms" => start = format!("at {}", field.uint(&(0..=(1 << 53) - 1))?),
            "filter" if field.raw().starts_with(['{', '"']) => filter = Some(field.raw()),
            "filter" => {
                let detail = "an event pattern (an object) or a selector (a string) belongs here";
                return Err(field.fault(detail));
            }
            "member" => {
                who = member(Some(field.text()?.into_owned()))?;
                expect_nobody_shown(topic, who.as_deref())?;
            }
            _ => return Err(field.unknown(KNOWN)),
        }
    }
    Ok(stream_text(
        topic,
        caller,
        Form::Lines,
        &start,
        who.as_deref(),
        filter,
    ))
}

fn start_of(field: &Field<'_, '_>) -> Result<String, Fault> {
    let text = if field.raw().starts_with('"') {
        field.text()?.into_owned()
    } else {
        field.raw().to_owned()
    };
    match parse_start(&text) {
        Some(start) if !matches!(start, Start::At(_)) => Ok(text),
        _ => Err(field.fault("earliest, latest, last_per_key or a number belongs here")),
    }
}

fn error(reference: Option<&str>, fault: &Fault) -> String {
    let mut out = b"{".to_vec();
    member_string(&mut out, "type", "error");
    if let Some(reference) = reference {
        name(&mut out, "ref");
        out.extend_from_slice(reference.as_bytes());
    }
    name(&mut out, "problem");
    problem::write(&mut out, fault);
    out.push(b'}');
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::scope::Scope;
    use proptest::prelude::*;

    const NOW: Millis = 1_700_000_000_000;
    const BARE: &str = "GET\nhttp://127.0.0.1/v1/topics/eu%2Fnews/socket\nupgrade: websocket";
    const HEAD: &str = "GET\nhttp://127.0.0.1/v1/topics/eu%2Fnews/socket\nupgrade: websocket\n\
        @grant: {\"everything\":true,\"scopes\":[],\"key\":null,\"expires_at_ms\":null}\n";

    fn edge() -> Edge {
        Edge::new(r#"{"AUTH":"none","LOOPBACK":"true"}"#).unwrap()
    }

    #[test]
    fn frames_become_steps() {
        let mut edge = edge();
        let publish = r#"{"type":"publish","ref":{"a":1},"body":"x"}"#;
        let SocketStep::Publish { reference, call } = edge.frame(HEAD, publish, NOW) else {
            panic!("no publish");
        };
        assert_eq!(
            (reference.as_str(), call.object.as_str()),
            (r#"{"a":1}"#, "eu/news#0")
        );
        let subscribe = r#"{"type":"subscribe","topic":"b","from_seq":7,"filter":"a = 1"}"#;
        let SocketStep::Follow { reference, stream } = edge.frame(HEAD, subscribe, NOW) else {
            panic!("no subscription");
        };
        assert_eq!(
            (reference.as_str(), stream.as_str()),
            ("null", "b\n\n0\nlines\n7\n\n\"a = 1\"")
        );
        assert!(edge.follow(&stream, None).is_some() && edge.follow(&stream, Some(9)).is_some());
        assert!(edge.follow("b\n\n0\nlines\nsoon\n\n", None).is_none());
    }

    #[test]
    fn a_frame_needs_the_credentials_of_its_socket() {
        let mut edge = edge();
        let scopes = ["publish:eu/news", "subscribe:chat/#"].map(|it| Scope::parse(it).unwrap());
        let grant = Grant {
            scopes: scopes.to_vec(),
            key: Some("anna".to_owned()),
            ..Grant::default()
        };
        let head = format!(
            "{BARE}\n@grant: {}\n",
            serde_json::to_string(&grant).unwrap()
        );
        let mut refused = |head: &str, frame: &str| match edge.frame(head, frame, NOW) {
            SocketStep::Send(text) => text.contains("\"forbidden\""),
            _ => false,
        };
        for (frame, may) in [
            (r#"{"type":"publish","body":"x"}"#, true),
            (r#"{"type":"publish","body":"x","key":"anna"}"#, true),
            (r#"{"type":"publish","body":"x","key":"bert"}"#, false),
            (r#"{"type":"publish","topic":"chat/a","body":"x"}"#, false),
            (r#"{"type":"subscribe","topic":"chat/a"}"#, true),
            (r#"{"type":"subscribe","topic":"chat"}"#, true),
            (r#"{"type":"subscribe"}"#, false),
            (r#"{"type":"subscribe","topic":"chats"}"#, false),
            (r#"{"type":"ping"}"#, true),
        ] {
            assert_eq!(refused(&head, frame), !may, "{frame}");
            assert!(!refused(HEAD, frame), "{frame}");
            // Without a grant there is none.
            assert_eq!(refused(BARE, frame), !frame.contains("ping"), "{frame}");
        }
    }

    #[test]
    fn a_frame_after_the_end_of_its_sockets_token_does_nothing() {
        let mut edge = edge();
        let head = HEAD.replace("null}", &format!("{NOW}}}"));
        for frame in [
            r#"{"type":"publish","body":"x"}"#,
            r#"{"type":"subscribe"}"#,
            r#"{"type":"ping"}"#,
        ] {
            let is_refused =
                |step| matches!(step, SocketStep::Send(text) if text.contains("\"unauthorized\""));
            assert!(!is_refused(edge.frame(&head, frame, NOW - 1)), "{frame}");
            assert!(is_refused(edge.frame(&head, frame, NOW)), "{frame}");
        }
    }

    proptest! {
        #[test]
        fn no_frame_makes_the_edge_panic(words in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", ",", ":", "\"type\"", "\"publish\"", "\"subscribe\"", "\"ref\"", "1",
            "\"topic\"", "\"a\"", "\"from_seq\"", "null", "\"filter\"", "\"body\"", "-1", "\\",
        ]), 0..24), text in ".{0,60}") {
            let mut edge = edge();
            let _ = edge.frame(HEAD, &words.concat(), NOW);
            let _ = edge.frame(HEAD, &text, NOW);
            let _ = edge.follow(&text, None);
        }
    }
}
