//! Requests as clients send them, through the whole edge.

use super::{Target, halves, seed};
use tidegate::command::{Verdict, codec, directory, topic};
use tidegate::edge::action::Target as Kind;
use tidegate::edge::{Action, Call, Edge};
use tidegate::error::{ErrorCode, Fault};
use tidegate::protocol::http::Response;
use tidegate::wire::base64;

const NOW_MS: u64 = 1_700_000_000_000;
const OPEN: &str = r#"{"AUTH":"none","LOOPBACK":"true"}"#;
const LOCKED: &str = r#"{"ADMIN_TOKEN":"correct horse battery"}"#;

/// Heads: method, URL and headers; behind a byte zero, a body.
pub const HEAD: Target = Target {
    name: "head",
    run: head,
    seeds: head_seeds,
};

/// Bodies of every call that takes one.
pub const BODY: Target = Target {
    name: "body",
    run: body,
    seeds: body_seeds,
};

/// What an object says beside its answers.
pub const VERDICT: Target = Target {
    name: "verdict",
    run: verdict,
    seeds: verdict_seeds,
};

/// Settings of a deployment.
pub const SETTINGS: Target = Target {
    name: "settings",
    run: settings,
    seeds: settings_seeds,
};

/// The calls whose bodies are read, by a seed's first byte.
const CALLS: &[(&str, &str, &str)] = &[
    ("POST", "/v1/queues/q/messages", ""),
    (
        "POST",
        "/v1/queues/q/messages",
        "content-type: application/cloudevents+json\n",
    ),
    (
        "POST",
        "/v1/queues/q/messages/batch",
        "content-type: application/json\n",
    ),
    (
        "POST",
        "/v1/queues/q/messages/batch",
        "content-type: application/x-ndjson\n",
    ),
    (
        "POST",
        "/v1/queues/q/messages/batch",
        "content-type: application/cloudevents-batch+json\n",
    ),
    ("POST", "/v1/queues/q/messages/pull", ""),
    ("POST", "/v1/queues/q/messages/ack", ""),
    ("PUT", "/v1/queues/q", ""),
    ("POST", "/v1/queues/q/redrive", ""),
];

fn edge(settings: &str) -> Edge {
    Edge::new(settings).expect("the settings are right")
}

fn head(bytes: &[u8]) {
    let (head, body) = halves(bytes);
    let head = String::from_utf8_lossy(head);
    for settings in [OPEN, LOCKED] {
        ask(&mut edge(settings), &head, body);
        // Where the head opens a socket, the body is a frame that comes in by it.
        let _ = edge(settings).frame(&head, &String::from_utf8_lossy(body), NOW_MS);
    }
}

fn body(bytes: &[u8]) {
    let Some((which, body)) = bytes.split_first() else {
        return;
    };
    let (method, path, headers) = CALLS[usize::from(*which) % CALLS.len()];
    let head = format!("{method}\nhttp://127.0.0.1{path}\n{headers}");
    ask(&mut edge(OPEN), &head, body);
}

/// All steps of one request; checks what comes out of each.
fn ask(edge: &mut Edge, head: &str, body: &[u8]) {
    match edge.open(head, NOW_MS) {
        Action::NeedBody { bytes_max } => {
            let body = &body[..body.len().min(bytes_max + 1)];
            check(&edge.body(head, body, NOW_MS));
        }
        other => check(&other),
    }
}

fn check(action: &Action) {
    match action {
        Action::Respond(response) => check_response(response),
        Action::Call(call) => check_call(call),
        Action::NeedBody { .. } => panic!("a body was asked for twice"),
        _ => {}
    }
}

/// Bad input is the client's fault and is told so; a header never breaks its line.
fn check_response(response: &Response) {
    let status = response.status;
    assert!((200..500).contains(&status) || status == 503, "{status}");
    for (name, value) in &response.headers {
        assert!(
            !value.contains(['\n', '\r', '\0']),
            "{name}: {value:?} breaks its line"
        );
    }
}

/// What the edge sends, an object can read.
fn check_call(call: &Call) {
    let read = match call.target {
        Kind::Queue => codec::decode(&call.command).is_ok(),
        Kind::Directory => directory::decode(&call.command).is_ok(),
        Kind::Topic => topic::decode(&call.command).is_ok(),
    };
    assert!(read, "an object cannot read {:?}", call.command);
}

fn verdict(bytes: &[u8]) {
    let (head, verdict) = halves(bytes);
    let head = String::from_utf8_lossy(head);
    let mut edge = edge(OPEN);
    for text in [
        String::from_utf8_lossy(verdict).into_owned(),
        base64::encode_url(verdict),
    ] {
        // It is the object's word, whatever it says; reading it must stand.
        let _ = edge.verdict(&head, &text, NOW_MS, NOW_MS);
    }
    let _ = edge.open(&head, NOW_MS);
}

fn settings(bytes: &[u8]) {
    if let Ok(mut edge) = Edge::new(&String::from_utf8_lossy(bytes)) {
        ask(&mut edge, "GET\nhttp://127.0.0.1/v1/queues/q\n", b"");
    }
}

fn head_seeds() -> Vec<Vec<u8>> {
    let token = "authorization: Bearer correct horse battery\n";
    let jwt = "authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzY29wZSI6InB1Ymxpc2g6cSJ9.c2ln\n";
    let publish = "tidegate-key: k\nidempotency-key: \"once\"\ntidegate-delay-ms: 5\n\
                   tidegate-ttl-ms: 500\ntidegate-hold-ms: 7\ntidegate-priority: 9\n\
                   tidegate-attr-region: eu\norigin: https://shop.example\n";
    let event = "ce-specversion: 1.0\nce-id: 1\nce-source: /a\nce-type: t\nce-subject: %41\n\
                 content-type: application/json\n";
    let mut seeds: Vec<Vec<u8>> = [
        ("POST", "/v1/queues/eu%2Forders/messages", publish),
        ("POST", "/v1/queues/q/messages", event),
        ("POST", "/v1/queues/q/messages", token),
        ("POST", "/v1/queues/q/messages", jwt),
        (
            "OPTIONS",
            "/v1/queues/q/messages",
            "origin: https://shop.example\n",
        ),
        (
            "GET",
            "/v1/queues/q/messages/01ARZ3NDEKTSV4RRFFQ69G5FAV?wait_ms=30000",
            "",
        ),
        (
            "GET",
            "/v1/queues/q/messages/01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "accept: text/event-stream\n",
        ),
        (
            "GET",
            "/v1/queues/q/messages?limit=10&after_seq=7&state=dead",
            "",
        ),
        ("GET", "/v1/queues?limit=5&cursor=abc", ""),
        (
            "DELETE",
            "/v1/queues/q/messages/01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "",
        ),
        (
            "POST",
            "/v1/queues/q/messages/01ARZ3NDEKTSV4RRFFQ69G5FAV/confirm",
            "",
        ),
        ("POST", "/v1/queues/q/purge", ""),
        ("GET", "/metrics", ""),
        ("GET", "/healthz", ""),
        ("HEAD", "/v1/openapi.json", ""),
        ("GET", "/", ""),
    ]
    .iter()
    .map(|(method, path, headers)| {
        seed(&format!("{method}\nhttp://127.0.0.1:8787{path}\n{headers}"))
    })
    .collect();
    for seed in &mut seeds {
        seed.extend_from_slice(b"\0{\"body\":1}");
    }
    let socket =
        "GET\nhttp://127.0.0.1/v1/topics/chat%2Froom/socket?from_seq=5\nupgrade: websocket\n";
    let frames = [
        r#"{"type":"publish","ref":"1","body":"hi","key":"k","attributes":{"a":"b"}}"#,
        r#"{"type":"subscribe","ref":2,"topic":"chat/other","from_seq":"earliest","filter":"a = 'b'"}"#,
        r#"{"type":"unsubscribe","ref":"3","topic":"chat/other"}"#,
        r#"{"type":"ping"}"#,
    ];
    seeds.extend(frames.map(|frame| [socket.as_bytes(), &[0], frame.as_bytes()].concat()));
    seeds
}

fn body_seeds() -> Vec<Vec<u8>> {
    let message = r#"{"body":"aGk=","encoding":"base64","content_type":"text/plain","key":"k","delay_ms":1,"ttl_ms":2,"hold_ms":3,"priority":9,"idempotency_key":"once","attributes":{"a":"b"}}"#;
    let event = r#"{"specversion":"1.0","id":"1","source":"/a","type":"t","subject":"s","datacontenttype":"application/json","data":{"n":1},"time":"2026-01-01T00:00:00Z","ext":5}"#;
    let configuration = r#"{"capacity":{"max_messages":10,"max_bytes":99,"max_accepted":5,"overflow":"redirect","redirect_url":"https://a.example/","retry_after_ms":5,"max_per_key":1,"opens_at_ms":5,"closes_at_ms":6,"publish_rate":{"per_second":0.5,"burst":3,"per":"key"}},"delivery":{"visibility_timeout_ms":500,"max_attempts":2,"backoff":{"initial_ms":1,"max_ms":2,"multiplier":1.5},"dead_letter_queue":"dead","order":"key"},"retention_ms":60000,"result_retention_ms":1000,"dedup_window_ms":0,"max_message_bytes":7,"cors_origins":["*"],"push":null}"#;
    let ack = r#"{"acks":[{"lease_id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","result":{"n":[1,2]},"release":true}],"retries":[{"lease_id":"x","delay_ms":5}],"extends":[{"lease_id":"y","visibility_timeout_ms":100}]}"#;
    let pull = r#"{"batch_size":1000,"visibility_timeout_ms":100,"wait_ms":30000,"filter":{"key":["a",{"prefix":"b"}]}}"#;
    [
        (0, "hello".to_owned()),
        (1, event.to_owned()),
        (
            2,
            format!(r#"{{"messages":[{message},{{"body":"\u00e9\ud83d\ude00"}}]}}"#),
        ),
        (
            3,
            format!("{message}\n{{\"body\":{{}},\"encoding\":\"json\"}}\r\n\n"),
        ),
        (4, format!("[{event}]")),
        (5, pull.to_owned()),
        (6, ack.to_owned()),
        (7, configuration.to_owned()),
        (8, r#"{"limit":10}"#.to_owned()),
    ]
    .into_iter()
    .map(|(which, text)| [&[which], text.as_bytes()].concat())
    .collect()
}

fn verdict_seeds() -> Vec<Vec<u8>> {
    let fault = Fault::new(ErrorCode::QueueFull, "10 of 10").with(|f| {
        f.retry_after_ms = Some(1_000);
        f.redirect_url = Some("https://wait.example/?q=1".to_owned());
    });
    let verdict = Verdict {
        fault: Some(fault),
        answered: None,
        valid_ms: 1_000,
        is_repeated: false,
        cors_origins: vec!["https://shop.example".to_owned()],
    };
    let bytes = verdict.encode().expect("a verdict can be written");
    let head = "POST\nhttp://127.0.0.1/v1/queues/q/messages\norigin: https://shop.example\n";
    vec![[head.as_bytes(), &[0], &bytes].concat()]
}

fn settings_seeds() -> Vec<Vec<u8>> {
    [
        OPEN,
        LOCKED,
        r#"{"AUTO_CREATE":"false","ALLOW_PRIVATE_TARGETS":"true"}"#,
    ]
    .iter()
    .map(|text| seed(text))
    .collect()
}
