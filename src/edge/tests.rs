//! Requests through the whole edge, as the host drives it.

mod crowd;
mod gathered;
mod publishes;

use super::*;
use crate::command::codec::decode;
use crate::command::scope::Verb;
use crate::command::{Verdict, Wait};
use crate::limits::{BATCH_BYTES_MAX, JSON_BYTES_MAX, MESSAGE_BYTES_MAX};
use crate::protocol::http::openapi;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const NOW: Millis = 1_700_000_000_000;
const OPEN: &str = r#"{"AUTH": "none", "LOOPBACK": "true"}"#;
const BASE: &str = "http://127.0.0.1:8787";
const ID: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

fn edge() -> Edge {
    Edge::new(OPEN).unwrap()
}

fn head(method: &str, path: &str, headers: &str) -> String {
    format!("{method}\n{BASE}{path}\n{headers}")
}

fn response(action: Action) -> Response {
    match action {
        Action::Respond(response) => response,
        other => panic!("not a response: {other:?}"),
    }
}

fn call(action: Action) -> Call {
    match action {
        Action::Call(call) => call,
        other => panic!("not a call: {other:?}"),
    }
}

fn problem_of(response: &Response) -> Value {
    assert_eq!(response.header("content-type"), Some(problem::MEDIA_TYPE));
    serde_json::from_slice(&response.body).unwrap()
}

fn ask(method: &str, path: &str, headers: &str) -> Action {
    edge().open(&head(method, path, headers), NOW)
}

fn send(method: &str, path: &str, headers: &str, body: &str) -> Action {
    let mut edge = edge();
    let head = head(method, path, headers);
    match edge.open(&head, NOW) {
        Action::NeedBody { .. } => edge.body(&head, body.as_bytes(), NOW),
        other => other,
    }
}

fn full() -> Fault {
    Fault::new(ErrorCode::QueueFull, "10 of 10").with(|f| f.retry_after_ms = Some(1_000))
}

fn verdict(fault: Option<Fault>) -> String {
    let verdict = Verdict {
        fault,
        answered: None,
        valid_ms: 1_000,
        is_repeated: false,
        cors_origins: vec!["https://shop".to_owned()],
    };
    base64::encode_url(&verdict.encode().unwrap())
}

const PUBLISH: &str = "/v1/queues/eu%2Forders/messages";

/// An edge that has just been told that `eu/orders` is full.
fn closed() -> Edge {
    let mut edge = edge();
    let response = edge
        .verdict(&head("POST", PUBLISH, ""), &verdict(Some(full())), NOW, NOW)
        .unwrap();
    assert_eq!(response.header("tidegate-decided-by"), Some("object"));
    edge
}

#[test]
fn a_small_publish_carries_its_body_in_the_command() {
    let headers = "content-length: 5\ncontent-type: text/plain\ntidegate-key: k";
    let call = call(send("POST", PUBLISH, headers, "hello"));
    assert_eq!(
        (call.object.as_str(), &call.payload),
        ("eu/orders#0", &Payload::InCommand)
    );
    let envelope = decode(&call.command).unwrap();
    assert_eq!(
        (envelope.queue, envelope.origin, envelope.auto_create),
        ("eu/orders", None, true)
    );
    let Command::Publish(draft) = envelope.command else {
        panic!("{:?}", envelope.command)
    };
    assert_eq!((draft.body, draft.key), (&b"hello"[..], Some("k")));
}

#[test]
fn a_large_publish_or_one_of_unknown_length_is_handed_on() {
    for headers in ["content-length: 2049", "transfer-encoding: chunked"] {
        let call = call(ask("POST", PUBLISH, headers));
        assert_eq!(
            call.payload,
            Payload::ClientBody {
                bytes_max: MESSAGE_BYTES_MAX
            }
        );
    }
    let response = response(ask("POST", PUBLISH, "content-length: 1048577"));
    assert_eq!(problem_of(&response)["type"], "message-too-large");
    assert!(matches!(
        ask("POST", PUBLISH, "content-length: 2048"),
        Action::NeedBody { bytes_max: 2_048 }
    ));
    let empty = call(ask("POST", PUBLISH, "content-length: 0"));
    assert_eq!(empty.payload, Payload::InCommand);
}

#[test]
fn a_structured_event_is_read() {
    let headers = "content-type: application/cloudevents+json\ntidegate-priority: 9";
    let body = r#"{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"a":1}}"#;
    let call = call(send("POST", PUBLISH, headers, body));
    let Command::Publish(draft) = decode(&call.command).unwrap().command else {
        panic!()
    };
    assert_eq!((draft.body, draft.priority), (&br#"{"a":1}"#[..], 9));
    assert_eq!(draft.content_type, Some("application/json"));
    assert!(draft.attributes.contains(&("ce-type", "t")));
}

#[test]
fn a_full_queue_is_refused_from_memory() {
    let mut edge = closed();
    let head = head("POST", PUBLISH, "content-length: 5\norigin: https://shop");
    for _ in 0..3 {
        let response = response(edge.open(&head, NOW + 10));
        assert_eq!(
            (response.status, response.header("tidegate-decided-by")),
            (429, Some("edge"))
        );
        assert_eq!(
            response.header("access-control-allow-origin"),
            Some("https://shop")
        );
        assert_eq!(response.header("retry-after"), Some("1"));
        assert_eq!(problem_of(&response)["type"], "queue-full");
    }
    assert!(edge.has_reports());
    let probe = edge.open(&head, NOW + 750);
    assert!(matches!(probe, Action::NeedBody { .. }));
    let call = call(edge.body(&head, b"hello", NOW + 751));
    let envelope = decode(&call.command).unwrap();
    assert_eq!(envelope.refused, [(ErrorCode::QueueFull, 3)]);
    assert_eq!(envelope.origin, Some("https://shop"));
    assert!(!edge.has_reports());
}

#[test]
fn a_publish_that_may_be_a_repeat_goes_to_the_object() {
    let mut edge = closed();
    let head = head("POST", PUBLISH, "content-length: 5000\nidempotency-key: 1");
    assert!(matches!(edge.open(&head, NOW + 10), Action::Call(_)));
}

#[test]
fn counts_that_nobody_carries_are_reported() {
    let mut edge = closed();
    edge.open(&head("POST", PUBLISH, ""), NOW + 10);
    assert!(edge.report(NOW + 1_009).is_empty());
    let calls = edge.report(NOW + 1_010);
    let envelope = decode(&calls[0].command).unwrap();
    assert_eq!(
        (envelope.queue, envelope.command),
        ("eu/orders", Command::Report)
    );
    assert_eq!(envelope.refused, [(ErrorCode::QueueFull, 1)]);
    assert!(!edge.has_reports());
}

#[test]
fn an_open_verdict_ends_a_closed_one_and_hands_the_response_through() {
    let mut edge = closed();
    let head = head("POST", PUBLISH, "content-length: 5000");
    assert_eq!(edge.verdict(&head, &verdict(None), NOW + 1, NOW + 1), None);
    assert!(matches!(edge.open(&head, NOW + 2), Action::Call(_)));
    assert_eq!(
        edge.verdict(&head, "no verdict", NOW + 2, NOW + 2)
            .unwrap()
            .status,
        503
    );
}

#[test]
fn a_change_of_the_queue_ends_what_was_known_of_it() {
    let path = "/v1/queues/eu%2Forders";
    for (method, path) in [
        ("PUT", path),
        ("DELETE", path),
        ("POST", &format!("{path}/purge")),
    ] {
        let mut edge = closed();
        edge.open(&head(method, path, ""), NOW + 1);
        let publish = edge.open(&head("POST", PUBLISH, "content-length: 5000"), NOW + 2);
        assert!(matches!(publish, Action::Call(_)), "{method}");
    }
}

#[test]
fn a_page_that_the_queue_does_not_talk_to_is_turned_away() {
    let mut edge = closed();
    let head = head("POST", PUBLISH, "content-length: 5\norigin: https://evil");
    let response = response(edge.open(&head, NOW + 1));
    assert_eq!(
        (
            response.status,
            response.header("access-control-allow-origin")
        ),
        (403, None)
    );
    assert!(!edge.has_reports());
}

#[test]
fn a_batch_is_refused_from_memory_unless_it_may_be_a_repeat() {
    let path = format!("{PUBLISH}/batch");
    let mut edge = closed();
    let head = head("POST", &path, "content-type: application/json");
    let body = br#"{"messages": [{"body": "a"}, {"body": 1}, {"body": "b"}]}"#;
    assert!(matches!(
        edge.open(&head, NOW),
        Action::NeedBody {
            bytes_max: BATCH_BYTES_MAX
        }
    ));
    let response = response(edge.body(&head, body, NOW + 1));
    let document: Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(
        (&document["accepted"], &document["rejected"]),
        (&json!(0), &json!(3))
    );
    assert_eq!(document["messages"][0]["error"]["type"], "queue-full");
    assert_eq!(
        document["messages"][1]["error"]["field"],
        "messages[1].body"
    );
    let body = br#"{"messages": [{"body": "a"}, {"body": "b", "idempotency_key": "x"}]}"#;
    let call = call(edge.body(&head, body, NOW + 2));
    let envelope = decode(&call.command).unwrap();
    assert_eq!(envelope.refused, [(ErrorCode::QueueFull, 2)]);
    let Command::PublishBatch(drafts) = envelope.command else {
        panic!()
    };
    assert_eq!(drafts.len(), 2);
}

#[test]
fn bodies_have_limits_and_types() {
    for (method, path, headers, kind) in [
        (
            "POST",
            "/v1/queues/q/messages/batch",
            "content-length: 4194305",
            "request-too-large",
        ),
        (
            "POST",
            "/v1/queues/q/messages/pull",
            "content-length: 4194305",
            "request-too-large",
        ),
        (
            "POST",
            "/v1/queues/q/messages/pull",
            "content-type: text/plain",
            "unsupported-media",
        ),
        (
            "POST",
            "/v1/queues/q/messages/batch",
            "content-type: text/csv",
            "unsupported-media",
        ),
        (
            "POST",
            "/v1/queues/q/messages/batch",
            "idempotency-key: 1",
            "bad-request",
        ),
        (
            "PUT",
            "/v1/queues/q",
            "content-type: text/plain",
            "unsupported-media",
        ),
    ] {
        assert_eq!(
            problem_of(&response(ask(method, path, headers)))["type"],
            kind,
            "{path}"
        );
    }
    let head = head("PUT", "/v1/queues/q", "");
    let response = response(edge().body(&head, &vec![b' '; JSON_BYTES_MAX + 1], NOW));
    assert_eq!(response.status, 413);
}

#[test]
fn every_operation_becomes_its_command() {
    let id = Id::parse(ID).unwrap();
    let message = format!("/v1/queues/q/messages/{ID}");
    let at = |after_seq, limit| Command::Browse { after_seq, limit };
    for (method, path, body, expected) in [
        ("GET", "/v1/queues/q", "", Command::Describe),
        ("HEAD", "/v1/queues/q", "", Command::Describe),
        ("DELETE", "/v1/queues/q", "", Command::Delete),
        (
            "PUT",
            "/v1/queues/q",
            "",
            Command::Configure { patch: "{}" },
        ),
        (
            "PUT",
            "/v1/queues/q",
            r#"{"a": 1}"#,
            Command::Configure {
                patch: r#"{"a": 1}"#,
            },
        ),
        ("POST", "/v1/queues/q/purge", "", Command::Purge),
        ("POST", "/v1/queues/q/pause", "", Command::Pause),
        ("POST", "/v1/queues/q/resume", "", Command::Resume),
        ("POST", "/v1/queues/q/redrive", "", Command::Redrive),
        ("GET", "/v1/queues/q/messages", "", at(0, 100)),
        (
            "GET",
            "/v1/queues/q/messages?limit=5&after_seq=7",
            "",
            at(7, 5),
        ),
        (
            "GET",
            "/v1/queues/q/messages?state=dead",
            "",
            Command::BrowseDead {
                after_seq: 0,
                limit: 100,
            },
        ),
        (
            "GET",
            &message,
            "",
            Command::Inspect {
                id,
                wait: Wait::None,
            },
        ),
        ("DELETE", &message, "", Command::Cancel { id }),
        (
            "POST",
            &format!("{message}/confirm"),
            "",
            Command::Confirm { id },
        ),
    ] {
        let call = call(send(method, path, "", body));
        assert_eq!(call.object, "q#0");
        let command = decode(&call.command).unwrap().command;
        assert_eq!(command, expected, "{method} {path}");
    }
}

#[test]
fn waits_pulls_and_acks_become_their_commands() {
    let id = Id::parse(ID).unwrap();
    let command = |method: &str, path: &str, body: &str, check: &dyn Fn(Command<'_>)| {
        check(
            decode(&call(send(method, path, "", body)).command)
                .unwrap()
                .command,
        );
    };
    let waiting = format!("/v1/queues/q/messages/{ID}?wait_ms=30000");
    let expected = Command::Inspect {
        id,
        wait: Wait::Final { wait_ms: 30_000 },
    };
    command("GET", &waiting, "", &|it| assert_eq!(it, expected));
    command(
        "POST",
        "/v1/queues/q/messages/pull",
        r#"{"batch_size": 3}"#,
        &|it| {
            assert!(matches!(it, Command::Pull(pull) if pull.batch_size == 3));
        },
    );
    command(
        "POST",
        "/v1/queues/q/messages/ack",
        r#"{"acks": [{"lease_id": "x"}]}"#,
        &|it| {
            assert!(matches!(it, Command::Ack(ack) if ack.acks[0].lease_id == "x".into()));
        },
    );
}

#[test]
fn malformed_requests_name_the_field() {
    let waiting = format!("/v1/queues/q/messages/{ID}?wait_ms=30001");
    for (method, path, headers, body, field) in [
        ("GET", "/v1/queues/a%20b", "", "", "queue"),
        ("GET", "/v1/queues/q/messages/nope", "", "", "id"),
        ("GET", &waiting, "", "", "wait_ms"),
        ("GET", "/v1/queues/q/messages?limit=0", "", "", "limit"),
        (
            "GET",
            "/v1/queues/q/messages?after_seq=-1",
            "",
            "",
            "after_seq",
        ),
        ("GET", "/v1/queues/q/messages?state=alive", "", "", "state"),
        ("GET", "/v1/queues?limit=101", "", "", "limit"),
        ("GET", "/v1/queues?cursor=%20", "", "", "cursor"),
        (
            "POST",
            "/v1/queues/q/messages",
            "tidegate-priority: 10",
            "",
            "Tidegate-Priority",
        ),
        (
            "POST",
            "/v1/queues/q/messages/pull",
            "",
            r#"{"batch": 1}"#,
            "batch",
        ),
        ("POST", "/v1/queues/q/messages/ack", "", "", "acks"),
        ("PUT", "/v1/queues/q", "", "[]", "body"),
        ("PUT", "/v1/queues/q", "", "{", "body"),
    ] {
        let problem = problem_of(&response(send(method, path, headers, body)));
        assert_eq!(
            (&problem["status"], &problem["field"]),
            (&json!(400), &json!(field)),
            "{path}"
        );
    }
}

#[test]
fn unknown_paths_and_methods_have_their_answers() {
    for path in [
        "/v1",
        "/v1/topic/t",
        "/v1/queues/q/",
        "/v1/queues/q/messages/batch/x",
    ] {
        assert_eq!(
            problem_of(&response(ask("GET", path, "")))["type"],
            "not-found",
            "{path}"
        );
    }
    for (method, path, allow) in [
        ("POST", "/v1/queues/q", "GET, HEAD, PUT, DELETE, OPTIONS"),
        ("GET", "/v1/queues/q/messages/pull", "POST, OPTIONS"),
        ("PATCH", "/v1/queues", "GET, HEAD, OPTIONS"),
        ("POST", "/healthz", "GET, HEAD, OPTIONS"),
        ("POST", "/", "GET, HEAD, OPTIONS"),
    ] {
        let response = response(ask(method, path, ""));
        assert_eq!(
            (response.status, response.header("allow")),
            (405, Some(allow)),
            "{method} {path}"
        );
        assert_eq!(problem_of(&response)["type"], "method-not-allowed");
    }
    assert_eq!(response(ask("POST", "/nothing", "")).status, 404);
    assert!(matches!(ask("GET", "/", ""), Action::Asset));
    assert!(matches!(ask("HEAD", "/demo/sale.html", ""), Action::Asset));
    assert_eq!(response(edge().open("", NOW)).status, 400);
    let long = head("GET", "/healthz", &"x: y\n".repeat(HEAD_BYTES_MAX / 5 + 1));
    assert_eq!(response(edge().open(&long, NOW)).status, 413);
}

#[test]
fn head_is_get_without_the_body() {
    let get = response(ask("GET", "/healthz", ""));
    let head = response(ask("HEAD", "/healthz", ""));
    assert_eq!((get.status, &get.headers), (head.status, &head.headers));
    assert!(!get.body.is_empty() && head.body.is_empty());
}

#[test]
fn credentials_guard_all_but_health_and_pages() {
    let mut edge = Edge::new(r#"{"ADMIN_TOKEN": "t0ken"}"#).unwrap();
    for path in ["/healthz", "/"] {
        let action = edge.open(&head("GET", path, ""), NOW);
        assert!(!matches!(action, Action::Respond(response) if response.status != 200));
    }
    for path in [
        "/metrics",
        "/v1/openapi.json",
        "/v1/queues",
        "/v1/queues/q",
        PUBLISH,
    ] {
        let response = response(edge.open(&head("GET", path, ""), NOW));
        assert_eq!(
            (response.status, response.header("www-authenticate")),
            (401, Some("Bearer")),
            "{path}"
        );
        let allowed = edge.open(&head("GET", path, "authorization: Bearer t0ken"), NOW);
        assert!(
            !matches!(allowed, Action::Respond(response) if response.status != 200),
            "{path}"
        );
    }
    // A stranger learns nothing of what the verdict cache holds, nor reaches a queue that is not
    // known to be public.
    let stranger = head("POST", PUBLISH, "");
    assert!(matches!(edge.open(&stranger, NOW), Action::Learn(_)));
    edge.learn(&stranger, "", NOW);
    edge.verdict(&head("POST", PUBLISH, ""), &verdict(Some(full())), NOW, NOW);
    assert_eq!(
        response(edge.open(&head("POST", PUBLISH, ""), NOW + 1)).status,
        401
    );
}

#[test]
fn streams_take_their_token_from_the_query() {
    let mut edge = Edge::new(r#"{"ADMIN_TOKEN": "t0ken"}"#).unwrap();
    let path = format!("/v1/queues/q/messages/{ID}?access_token=t0ken");
    let action = edge.open(
        &head("GET", &path, "accept: text/event-stream\norigin: https://a"),
        NOW,
    );
    let Action::Stream {
        object,
        queue,
        id,
        origin,
        ends_at_ms: None,
    } = action
    else {
        panic!("{action:?}")
    };
    assert_eq!(
        (object.as_str(), queue.as_str(), origin.as_deref()),
        ("q#0", "q", Some("https://a"))
    );
    assert_eq!(
        response(edge.open(&head("GET", &path, ""), NOW)).status,
        401
    );
    let call = edge.watch(
        &queue,
        id,
        Some((State::Queued, Some(2))),
        origin.as_deref(),
    );
    let envelope = decode(&call.command).unwrap();
    let wait = Wait::Change {
        wait_ms: 15_000,
        state: State::Queued,
        position: Some(2),
    };
    assert_eq!(
        (envelope.origin, envelope.command),
        (Some("https://a"), Command::Inspect { id, wait })
    );
}

#[test]
fn preflights_are_the_queues_to_answer_then_the_edges() {
    let mut edge = Edge::new(r#"{"ADMIN_TOKEN":"secret"}"#).unwrap();
    let headers = "origin: https://shop\naccess-control-request-method: POST";
    let head = head("OPTIONS", PUBLISH, headers);
    let envelope_bytes = call(edge.open(&head, NOW)).command;
    let envelope = decode(&envelope_bytes).unwrap();
    assert_eq!(
        (envelope.origin, envelope.command),
        (Some("https://shop"), Command::Preflight)
    );
    assert_eq!(edge.verdict(&head, &verdict(None), NOW, NOW), None);
    let answer = response(edge.open(&head, NOW + 999));
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (204, Some("https://shop"))
    );
    assert!(
        answer
            .header("access-control-allow-headers")
            .unwrap()
            .contains("authorization")
    );
    let stranger = head.replace("https://shop", "https://evil");
    assert_eq!(
        response(edge.open(&stranger, NOW + 999)).header("access-control-allow-origin"),
        None
    );
    assert!(matches!(edge.open(&head, NOW + 1_000), Action::Call(_)));
}

#[test]
fn options_without_a_preflight_tells_the_methods() {
    for headers in [
        "",
        "origin: https://a",
        "access-control-request-method: GET",
    ] {
        let response = response(ask("OPTIONS", "/v1/queues/q/purge", headers));
        assert_eq!(
            (response.status, response.header("allow")),
            (204, Some("POST, OPTIONS"))
        );
    }
    let same = "origin: http://127.0.0.1:8787\naccess-control-request-method: GET";
    assert_eq!(response(ask("OPTIONS", "/v1/queues", same)).status, 204);
}

#[test]
fn every_prefix_of_a_head_is_answered() {
    let full = head(
        "POST",
        PUBLISH,
        "content-length: 5\norigin: https://a\nidempotency-key: \"x\"",
    );
    let mut edge = closed();
    for end in 0..=full.len() {
        edge.open(&full[..end], NOW);
        edge.body(&full[..end], b"{}", NOW);
        edge.verdict(&full[..end], &verdict(None), NOW, NOW);
        edge.gathered(&full[..end], "{}", NOW);
    }
}

/// Run by hand: `cargo test --release -p tidegate refusal_cost -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn refusal_cost() {
    let mut edge = closed();
    let head = head(
        "POST",
        PUBLISH,
        "accept: */*\naccept-encoding: gzip\ncontent-length: 128\ncontent-type: application/json\n\
         host: 127.0.0.1:8787\nuser-agent: wrk\n",
    );
    let begin = std::time::Instant::now();
    for _ in 0..1_000_000 {
        std::hint::black_box(edge.open(&head, NOW + 1));
    }
    println!("{} ns a refusal", begin.elapsed().as_nanos() / 1_000_000);
}

/// Of each operation, what a token has to have, as the document says it: one of these. A scheme of
/// kind `http` names roles there (OpenAPI 3.1, Security Requirement Object), ours are scopes.
#[test]
fn the_openapi_document_and_the_routes_agree() {
    assert_eq!(ask("GET", "/v1/openapi.json", ""), Action::Document);
    let document: Value = serde_json::from_str(openapi::DOCUMENT).unwrap();
    let mut documented = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if method != "parameters" {
                let name = format!("{} {path}", method.to_uppercase());
                documented.insert(name, operation["security"].clone());
            }
        }
    }
    let mut expected = BTreeMap::new();
    for route in route::ROUTES {
        for (method, needs) in route.methods {
            let security = match needs {
                Needs::Nothing | Needs::SetUp => json!([]),
                Needs::AnyToken => json!([{"bearer": []}]),
                Needs::One(verbs) => security(verbs, route.path),
                Needs::OrPublic(verbs) => {
                    let mut any = security(verbs, route.path);
                    any.as_array_mut().unwrap().push(json!({}));
                    any
                }
                Needs::All(verbs) => security(verbs, "*"),
            };
            expected.insert(format!("{} {}", method.name(), route.path), security);
        }
    }
    if std::env::var_os("SHOW").is_some() {
        println!("{}", serde_json::to_string(&expected).unwrap());
    }
    assert_eq!(documented, expected);
}

fn security(verbs: &[Verb], path: &str) -> Value {
    let name = path.split_once('{').map_or(path, |(_, rest)| {
        &path[path.len() - rest.len() - 1..=path.find('}').unwrap()]
    });
    let one = |verb: &Verb| json!({"bearer": [format!("{}:{name}", verb.name())]});
    Value::Array(verbs.iter().map(one).collect())
}

#[test]
fn a_selector_in_a_query_may_begin_with_a_quoted_name() {
    use crate::command::topic::{TopicCommand, decode as decode_topic};
    for (query, text) in [
        (
            "%22x-source%22%20%3D%20%27web%27",
            r#""\"x-source\" = 'web'""#,
        ),
        ("%22region%20%3D%20%27eu%27%22", r#""region = 'eu'""#),
        ("region%20%3D%20%27eu%27", r#""region = 'eu'""#),
    ] {
        let path = format!("/v1/topics/t/messages?filter={query}");
        let command = call(ask("GET", &path, "")).command;
        let TopicCommand::Read(read) = decode_topic(&command).unwrap().command else {
            panic!("a read")
        };
        assert_eq!(read.filter, Some(text), "{query}");
    }
}
