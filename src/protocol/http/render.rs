//! From a queue's answer to a finished HTTP response. Total: every reply and every fault has its
//! form.
//!
//! The object that owns the state renders, so that the Worker hands the response through untouched;
//! the edge renders the refusals it gives from its own memory. Both come here.

use super::response::Response;
use super::{binary, cors, description, endpoint, message, problem, quarantined};
use crate::command::{Accepted, Acknowledged, Delivery, MessageState, Reply};
use crate::error::Fault;
use crate::wire::json_text::{member_number, member_string, name};
use crate::wire::percent;

/// Who refused: what the header `Tidegate-Decided-By` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecidedBy {
    /// The Worker, from a verdict it remembers.
    Edge,
    /// The object, from the state itself.
    Object,
}

impl DecidedBy {
    /// Its name in headers, JSON and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Object => "object",
        }
    }
}

/// What rendering needs to know beside the answer.
#[derive(Clone, Copy, Debug)]
pub struct RenderContext<'a> {
    /// The queue's name, as it is, not percent-encoded.
    pub queue: &'a str,
    /// `Envelope::origin`: the page another site's request came from.
    pub origin: Option<&'a str>,
    /// The queue's `cors_origins`: whom the answer is shown to.
    pub cors_origins: &'a [String],
    /// Who decided.
    pub decided_by: DecidedBy,
    /// `Envelope::binary`: whether the answer is wanted in the binary form, where it has one.
    pub binary: bool,
    /// Whether the command was `Command::Preflight`: then `Reply::Done` is the answer to a
    /// browser's preflight, with the `access-control-allow-*` headers when the origin may call.
    pub preflight: bool,
}

/// The response for `result`.
#[must_use]
pub fn render(result: &Result<Reply, Fault>, context: &RenderContext<'_>) -> Response {
    if context.preflight {
        // A queue that does not exist allows nobody, and says no more than that.
        return cors::preflight(context.origin, context.cors_origins);
    }
    let mut response = match result {
        Ok(reply) => {
            let binary = context
                .binary
                .then(|| binary::answer::render(reply))
                .flatten();
            binary.unwrap_or_else(|| success(reply, context.queue))
        }
        Err(fault) => problem::response(fault, context.decided_by),
    };
    cors::expose(&mut response, context.origin, context.cors_origins);
    response
}

fn success(reply: &Reply, queue: &str) -> Response {
    match reply {
        Reply::Accepted(it) => accepted(it, queue),
        Reply::Batch(verdicts) => batch(verdicts),
        Reply::Pulled {
            messages,
            depth,
            acknowledged,
        } => pulled(messages, *depth, acknowledged.as_ref()),
        Reply::Acknowledged(it) => acknowledged(it),
        Reply::State(it) => state(it),
        Reply::Described {
            description,
            created,
        } => {
            let mut body = Vec::with_capacity(2_048);
            description::write(&mut body, queue, description);
            if *created {
                let location = format!("/v1/queues/{}", percent::encode(queue));
                Response::json(201, body).with("location", location)
            } else {
                Response::json(200, body)
            }
        }
        Reply::Browsed(messages) | Reply::Recalled(messages) => listing(messages),
        Reply::Attempts(attempts) => endpoint::attempts(attempts),
        Reply::Done => Response::empty(),
        Reply::Rotated { kid, from_ms } => {
            let mut body = b"{".to_vec();
            member_string(&mut body, "kid", kid);
            member_number(&mut body, "signs_from_at_ms", *from_ms);
            body.push(b'}');
            Response::json(200, body)
        }
        Reply::Quarantined(rows) => quarantined::listing(rows),
        Reply::Moved(moved) => moved_to(*moved, None),
        Reply::MovedTo { moved, after_seq } => moved_to(*moved, Some(*after_seq)),
    }
}

fn accepted(accepted: &Accepted, queue: &str) -> Response {
    let mut body = Vec::with_capacity(128);
    message::write_accepted(&mut body, accepted, true);
    let queue = percent::encode(queue);
    let mut location = String::with_capacity(48 + queue.len());
    for part in ["/v1/queues/", &queue, "/messages/"] {
        location.push_str(part);
    }
    location.push_str(std::str::from_utf8(&accepted.id.text()).unwrap_or_default());
    Response::json(202, body).with("location", location)
}

/// How many dead letters were moved, and where a selection goes on.
fn moved_to(moved: u64, after_seq: Option<u64>) -> Response {
    let mut body = b"{".to_vec();
    member_number(&mut body, "moved", moved);
    if let Some(after_seq) = after_seq {
        member_number(&mut body, "after_seq", after_seq);
    }
    body.push(b'}');
    Response::json(200, body)
}

pub(super) fn batch(verdicts: &[Result<Accepted, Fault>]) -> Response {
    let accepted = verdicts.iter().filter(|verdict| verdict.is_ok()).count();
    let mut body = Vec::with_capacity(64 + verdicts.len() * 96);
    body.push(b'{');
    member_number(&mut body, "accepted", accepted as u64);
    member_number(&mut body, "rejected", (verdicts.len() - accepted) as u64);
    write_list(
        &mut body,
        "messages",
        verdicts,
        |body, verdict| match verdict {
            Ok(accepted) => message::write_accepted(body, accepted, false),
            Err(fault) => write_error(body, None, fault),
        },
    );
    body.push(b'}');
    Response::json(200, body)
}

fn listing(messages: &[Delivery]) -> Response {
    let mut body = messages_of(messages);
    body.push(b'}');
    Response::json(200, body)
}

fn pulled(messages: &[Delivery], depth: u64, settled: Option<&Acknowledged>) -> Response {
    let mut body = messages_of(messages);
    member_number(&mut body, "depth", depth);
    if let Some(it) = settled {
        write_acknowledged(&mut body, it);
    }
    body.push(b'}');
    Response::json(200, body)
}

/// The beginning of a document: its messages.
fn messages_of(messages: &[Delivery]) -> Vec<u8> {
    let bytes: usize = messages
        .iter()
        .map(|message| message.body.bytes().len() + 320)
        .sum();
    let mut body = Vec::with_capacity(64 + bytes);
    body.push(b'{');
    write_list(&mut body, "messages", messages, message::write_delivery);
    body
}

fn acknowledged(it: &Acknowledged) -> Response {
    let mut body = Vec::with_capacity(64 + it.errors.len() * 256);
    body.push(b'{');
    write_acknowledged(&mut body, it);
    body.push(b'}');
    Response::json(200, body)
}

fn write_acknowledged(body: &mut Vec<u8>, it: &Acknowledged) {
    member_number(body, "acked", it.acked);
    member_number(body, "retried", it.retried);
    member_number(body, "extended", it.extended);
    write_list(body, "errors", &it.errors, |body, error| {
        write_error(body, Some(&error.lease_id), &error.fault);
    });
}

fn state(it: &MessageState) -> Response {
    let mut body = Vec::with_capacity(160 + it.result.as_ref().map_or(0, String::len));
    message::write_state(&mut body, it);
    Response::json(200, body)
}

fn write_error(body: &mut Vec<u8>, lease_id: Option<&str>, fault: &Fault) {
    body.push(b'{');
    if let Some(lease_id) = lease_id {
        member_string(body, "lease_id", lease_id);
    }
    name(body, "error");
    problem::write(body, fault);
    body.push(b'}');
}

pub(super) fn write_list<T>(
    out: &mut Vec<u8>,
    key: &str,
    items: &[T],
    write: impl Fn(&mut Vec<u8>, &T),
) {
    name(out, key);
    out.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{AckError, Blob, Description, LeaseToken, State};
    use crate::error::ErrorCode;
    use crate::id::Id;
    use serde_json::{Value, json};

    fn context<'a>(origins: &'a [String], origin: Option<&'a str>) -> RenderContext<'a> {
        RenderContext {
            queue: "eu/orders",
            origin,
            cors_origins: origins,
            decided_by: DecidedBy::Object,
            binary: false,
            preflight: false,
        }
    }

    fn rendered(result: Result<Reply, Fault>) -> (Response, Value) {
        let response = render(&result, &context(&[], None));
        let document = serde_json::from_slice(&response.body).unwrap_or(Value::Null);
        (response, document)
    }

    fn place(position: u64) -> Accepted {
        Accepted {
            id: Id(5),
            seq: 7,
            timestamp_ms: 1_700_000_000_000,
            position,
            waiting: None,
            ticket: None,
        }
    }

    fn delivery(body: &[u8]) -> Delivery {
        Delivery {
            id: Id(5),
            seq: 7,
            lease_id: Some(LeaseToken(9)),
            attempts: 2,
            timestamp_ms: 9,
            state: None,
            body: Blob::from(body.to_vec()),
            content_type: Some("text/\"x\"".to_owned()),
            key: Some("k\\".to_owned()),
            priority: 4,
            attributes: vec![
                ("a\n".to_owned(), "\u{1}".to_owned()),
                ("b".to_owned(), "ü".to_owned()),
            ],
        }
    }

    const ID: &str = "00000000000000000000000005";
    const LEASE: &str = "00000000000000000000000009";

    #[test]
    fn an_accepted_publish_is_202_with_its_location() {
        let (response, document) = rendered(Ok(Reply::Accepted(place(3))));
        assert_eq!(response.status, 202);
        assert_eq!(
            response.header("location"),
            Some("/v1/queues/eu%2Forders/messages/00000000000000000000000005")
        );
        assert_eq!(response.header("cache-control"), Some("no-store"));
        let expected =
            json!({"id": ID, "seq": 7, "timestamp_ms": 1_700_000_000_000u64, "position": 3});
        assert_eq!(document, expected);
        let (_, document) = rendered(Ok(Reply::Accepted(place(0))));
        assert!(document.get("position").is_none());
    }

    #[test]
    fn a_batch_keeps_the_order() {
        let fault = Fault::new(ErrorCode::SoldOut, "gone");
        let (response, document) = rendered(Ok(Reply::Batch(vec![Err(fault), Ok(place(1))])));
        assert_eq!(
            (
                response.status,
                &document["accepted"],
                &document["rejected"]
            ),
            (200, &json!(1), &json!(1))
        );
        assert_eq!(document["messages"][0]["error"]["type"], "sold-out");
        assert_eq!(
            document["messages"][1],
            json!({"id": ID, "seq": 7, "timestamp_ms": 1_700_000_000_000u64})
        );
    }

    #[test]
    fn bodies_are_text_or_base_64() {
        let messages = vec![
            delivery("ä\"\n\u{7f}".as_bytes()),
            delivery(b"\xff\x00"),
            delivery(b""),
        ];
        let (response, document) = rendered(Ok(Reply::Pulled {
            messages,
            depth: 12,
            acknowledged: None,
        }));
        assert_eq!((response.status, &document["depth"]), (200, &json!(12)));
        assert_eq!(
            document["messages"][0],
            json!({"id": ID, "seq": 7, "lease_id": LEASE, "attempts": 2, "timestamp_ms": 9,
                "body": "ä\"\n\u{7f}", "encoding": "utf8", "content_type": "text/\"x\"",
                "key": "k\\", "priority": 4, "attributes": {"a\n": "\u{1}", "b": "ü"}})
        );
        assert_eq!(document["messages"][1]["body"], "/wA=");
        assert_eq!(document["messages"][1]["encoding"], "base64");
        assert_eq!(document["messages"][2]["body"], "");
    }

    #[test]
    fn a_listing_has_states_and_no_leases() {
        let message = Delivery {
            lease_id: None,
            state: Some(State::Held),
            ..delivery(b"x")
        };
        let (_, document) = rendered(Ok(Reply::Browsed(vec![message])));
        assert_eq!(document["messages"][0]["state"], "held");
        assert!(
            document["messages"][0].get("lease_id").is_none() && document.get("depth").is_none()
        );
    }

    #[test]
    fn an_acknowledgement_lists_what_failed() {
        let fault = Fault::new(ErrorCode::LeaseExpired, "late");
        let it = Acknowledged {
            acked: 1,
            retried: 2,
            extended: 3,
            errors: vec![AckError {
                index: 0,
                lease_id: "L\"".to_owned(),
                fault,
            }],
        };
        let (_, document) = rendered(Ok(Reply::Acknowledged(it)));
        assert_eq!(
            (
                &document["acked"],
                &document["retried"],
                &document["extended"]
            ),
            (&json!(1), &json!(2), &json!(3))
        );
        assert_eq!(document["errors"][0]["lease_id"], "L\"");
        assert_eq!(document["errors"][0]["error"]["type"], "lease-expired");
    }

    #[test]
    fn a_state_says_what_is_known() {
        let it = MessageState {
            id: Id(5),
            seq: 7,
            state: State::Done,
            timestamp_ms: 9,
            attempts: Some(1),
            position: None,
            estimated_wait_ms: None,
            draw_at_ms: None,
            result: Some(r#"{"paid":true}"#.to_owned()),
            ticket: None,
            redirect_url: None,
        };
        let (_, document) = rendered(Ok(Reply::State(it)));
        let expected = json!({"id": ID, "seq": 7, "state": "done", "timestamp_ms": 9, "attempts": 1,
            "result": {"paid": true}});
        assert_eq!(document, expected);
    }

    #[test]
    fn a_description_is_flat() {
        let mut description = Description {
            paused: true,
            depth: 3,
            rejected: vec![
                (ErrorCode::SoldOut, true, 5),
                (ErrorCode::SoldOut, false, 2),
            ],
            ..Description::default()
        };
        description
            .config
            .insert("capacity".to_owned(), json!({"max_messages": 10}));
        let description = Box::new(description);
        let (response, document) = rendered(Ok(Reply::Described {
            description,
            created: true,
        }));
        assert_eq!(response.status, 201);
        assert_eq!(response.header("location"), Some("/v1/queues/eu%2Forders"));
        assert_eq!(
            (&document["name"], &document["paused"]),
            (&json!("eu/orders"), &json!(true))
        );
        assert_eq!(
            (&document["depth"], &document["oldest_at_ms"]),
            (&json!(3), &Value::Null)
        );
        assert_eq!(document["capacity"]["max_messages"], 10);
        assert_eq!(document["rejected_total"], 7);
        assert_eq!(
            document["rejected"][0],
            json!({"reason": "sold-out", "decided_by": "edge", "total": 5})
        );
        for figure in [
            "in_flight",
            "delayed",
            "accepted_total",
            "acked_total",
            "dead_total",
            "backlog_bytes",
        ] {
            assert_eq!(document[figure], 0, "{figure}");
        }
        let description = Box::<Description>::default();
        assert_eq!(
            rendered(Ok(Reply::Described {
                description,
                created: false
            }))
            .0
            .status,
            200
        );
    }

    #[test]
    fn what_says_nothing_is_204() {
        let (response, _) = rendered(Ok(Reply::Done));
        assert_eq!((response.status, response.body.len()), (204, 0));
        assert_eq!(rendered(Ok(Reply::Moved(4))).1, json!({"moved": 4}));
    }

    #[test]
    fn only_allowed_origins_may_read() {
        let listed = vec!["https://shop".to_owned()];
        let anybody = vec!["*".to_owned()];
        for (origins, origin, expected) in [
            (&listed, Some("https://shop"), Some("https://shop")),
            (&listed, Some("https://evil"), None),
            (&listed, None, None),
            (&anybody, Some("https://evil"), Some("https://evil")),
        ] {
            for preflight in [false, true] {
                let context = RenderContext {
                    preflight,
                    ..context(origins, origin)
                };
                let response = render(&Ok(Reply::Done), &context);
                assert_eq!(response.header("access-control-allow-origin"), expected);
                assert_eq!(response.header("vary").is_some(), expected.is_some());
                let methods = response.header("access-control-allow-methods");
                assert_eq!(methods.is_some(), preflight && expected.is_some());
            }
        }
        let fault = Err(Fault::new(ErrorCode::SoldOut, "gone"));
        let response = render(&fault, &context(&listed, Some("https://shop")));
        assert_eq!(
            response.header("access-control-allow-origin"),
            Some("https://shop")
        );
        assert!(
            response
                .header("access-control-expose-headers")
                .unwrap()
                .contains("Retry-After")
        );
    }
}
