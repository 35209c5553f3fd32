//! Peeking and opening, held against each other on random requests.

use super::super::Action;
use super::*;
use crate::command::Verdict;
use crate::command::sieve::Sieve;
use crate::error::ErrorCode;
use crate::id::{Secret, print};
use crate::wire::base64;
use proptest::prelude::*;

const NOW: Millis = 1_700_000_000_000;
const SETTINGS: [&str; 3] = [
    r#"{"AUTH": "none", "LOOPBACK": "true"}"#,
    r#"{"ADMIN_TOKEN": "t0ken"}"#,
    "{}",
];
const FAULTS: [Option<ErrorCode>; 5] = [
    None,
    Some(ErrorCode::QueueFull),
    Some(ErrorCode::SoldOut),
    Some(ErrorCode::NotOpen),
    Some(ErrorCode::RateLimited),
];

/// A verdict on `full`, with an answer to the key `old` where there is a sieve.
fn verdict(code: Option<ErrorCode>, sieved: bool, origins: &[&str]) -> String {
    let secret = Secret([1, 2]);
    let opens_at_ms = (code == Some(ErrorCode::NotOpen)).then_some(NOW + 700);
    let verdict = Verdict {
        fault: code.map(|code| Fault::new(code, "no").with(|f| f.opens_at_ms = opens_at_ms)),
        answered: sieved
            .then(|| Sieve::new(secret, [print(secret, "old").0].into_iter()))
            .flatten(),
        valid_ms: 800,
        is_repeated: false,
        cors_origins: origins.iter().map(|&it| it.to_owned()).collect(),
    };
    base64::encode_url(&verdict.encode().unwrap())
}

fn edge(settings: &str, verdict: &str) -> Edge {
    let mut edge = Edge::new(settings).unwrap();
    edge.verdict(
        "POST\nhttp://localhost/v1/queues/full/messages\n",
        verdict,
        NOW,
        NOW,
    );
    edge
}

/// What the host hands over for a glance.
fn glance(head: &str) -> String {
    let mut lines = head.split('\n');
    let mut short = [lines.next().unwrap(), lines.next().unwrap(), ""].join("\n");
    for line in lines {
        if DECIDING.contains(&line.split(':').next().unwrap()) {
            short = short + line + "\n";
        }
    }
    short
}

/// What is likely to matter, in any combination.
fn heads() -> impl Strategy<Value = String> {
    let method = prop::sample::select(vec![
        "POST", "POST", "POST", "GET", "PUT", "OPTIONS", "HEAD",
    ]);
    let host = prop::sample::select(vec!["http://localhost:8787", "https://example.com"]);
    let path = prop::sample::select(vec![
        "/v1/queues/full/messages",
        "/v1/queues/full/messages",
        "/v1/queues/f%75ll/messages?x=1#y",
        "/v1/queues/other/messages",
        "/v1/queues/full/messages/batch",
        "/v1/queues/full/messages/pull",
        "/v1/queues/full",
        "/v1/queues//messages",
        "/healthz",
    ]);
    let header = prop::sample::select(vec![
        "authorization: Bearer t0ken",
        "authorization: Bearer wrong",
        "authorization: ",
        "origin: http://localhost:8787",
        "origin: https://shop",
        "origin: https://evil",
        "origin: null",
        "idempotency-key: new",
        "idempotency-key: \"old\"",
        "idempotency-key: \"\"",
        "idempotency-key: \u{1}",
        "content-type: application/cloudevents+json",
        "content-type: nonsense",
        "content-length: 0",
        "content-length: 99999999",
        "accept: text/event-stream",
        "access-control-request-method: POST",
        "tidegate-priority: 99",
        "tidegate-key: buyer",
        "ce-id: 1",
        "user-agent: x",
    ]);
    let headers = prop::collection::vec(header, 0..6);
    (method, host, path, headers).prop_map(|(method, host, path, mut headers)| {
        let name = |line: &str| line.split(':').next().unwrap().to_owned();
        headers.sort_unstable();
        headers.dedup_by_key(|line| name(line));
        let lines: String = headers.iter().map(|line| format!("{line}\n")).collect();
        format!("{method}\n{host}{path}\n{lines}")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// Of two edges alike, one peeks before each request. Both answer the same, in the same order,
    /// and have counted the same in the end.
    #[test]
    fn a_glance_changes_no_answer(
        settings in prop::sample::select(SETTINGS.to_vec()),
        code in prop::sample::select(FAULTS.to_vec()),
        sieved: bool,
        origins in prop::sample::select(vec![&[][..], &["https://shop"], &["*"]]),
        requests in prop::collection::vec((heads(), 0_u64..300), 1..8),
    ) {
        let verdict = verdict(code, sieved, origins);
        let (mut peeking, mut plain) = (edge(settings, &verdict), edge(settings, &verdict));
        let mut now_ms = NOW;
        for (head, passed_ms) in &requests {
            now_ms += passed_ms;
            let expected = plain.open(head, now_ms);
            let answer = match peeking.peek(&glance(head), now_ms) {
                Some(response) => {
                    prop_assert!(now_ms < peeking.refuses_until_ms());
                    Action::Respond(response)
                }
                None => peeking.open(head, now_ms),
            };
            prop_assert_eq!(answer, expected, "{}", head);
        }
        let later_ms = now_ms + 10_000;
        prop_assert_eq!(peeking.report(later_ms), plain.report(later_ms));
    }
}

#[test]
fn a_refusal_needs_no_more_than_a_glance() {
    let mut edge = edge(
        SETTINGS[1],
        &verdict(Some(ErrorCode::SoldOut), true, &["https://shop"]),
    );
    let head = "POST\nhttps://example.com/v1/queues/full/messages\nauthorization: Bearer t0ken\n\
                idempotency-key: new\norigin: https://shop\n";
    let response = edge.peek(head, NOW).unwrap();
    assert_eq!(response.status, 410);
    assert_eq!(response.header("tidegate-decided-by"), Some("edge"));
    let allowed = response.header("access-control-allow-origin");
    assert_eq!(allowed, Some("https://shop"));
    assert_eq!(edge.refuses_until_ms(), NOW + 800);
}

#[test]
fn the_host_hands_over_the_deciding_headers() {
    let host = include_str!("../../../host/worker.js");
    let names: Vec<_> = DECIDING.iter().map(|name| format!("'{name}'")).collect();
    let line = format!("const DECIDING = [{}];", names.join(", "));
    assert!(host.contains(&line), "host/worker.js should say {line}");
}

/// Faults whose refusals may be given again without asking.
#[test]
fn what_is_given_again_is_what_would_be_answered() {
    let head = "POST\nhttp://localhost/v1/queues/full/messages\norigin: https://shop\n";
    let mut repeated = 0;
    for code in FAULTS.into_iter().flatten() {
        for begin in [0, 100, 599, 600, 601, 799] {
            let said = verdict(Some(code), true, &["https://shop"]);
            let (mut asked, mut told) = (edge(SETTINGS[0], &said), edge(SETTINGS[0], &said));
            let Some(first) = told.peek(head, NOW + begin) else {
                continue;
            };
            assert_eq!(asked.peek(head, NOW + begin).as_ref(), Some(&first));
            let until = told.repeats_until_ms();
            assert_eq!(
                until == 0,
                code == ErrorCode::NotOpen,
                "{code:?} at {begin}"
            );
            let mut count = 0;
            for at in (NOW + begin..until).step_by(7) {
                assert_eq!(
                    asked.peek(head, at).as_ref(),
                    Some(&first),
                    "{code:?} at {at}"
                );
                count += 1;
            }
            if until > 0 {
                assert!(
                    asked.peek(head, until).is_none(),
                    "{code:?}: the probe, or the end"
                );
                told.repeated(count, NOW + begin);
                repeated += count;
            }
            let counted = |edge: &mut Edge| edge.verdicts.take_refused("full");
            assert_eq!(counted(&mut told), counted(&mut asked));
        }
    }
    assert!(repeated > 100);
}

#[test]
fn a_glance_takes_nobody_the_reading_of_the_keys() {
    let settings = r#"{"JWKS_URL": "https://id.example/keys"}"#;
    let mut edge = edge(settings, &verdict(Some(ErrorCode::QueueFull), false, &[]));
    let part = |text: &str| base64::encode_url(text.as_bytes());
    let header = part(r#"{"alg":"ES256","kid":"k"}"#);
    let head = format!(
        "POST\nhttp://localhost/v1/queues/full/messages\nauthorization: Bearer {header}.{}.{}\n",
        part(r#"{"exp":1800000000,"scope":"publish:full"}"#),
        part("signature")
    );
    assert!(edge.peek(&head, NOW + 1).is_none());
    let order = edge.open(&head, NOW + 1);
    assert!(matches!(order, Action::ReadKeys { .. }), "{order:?}");
    assert!(edge.peek(&head, NOW + 2).is_none());
    let order = edge.open(&head, NOW + 2);
    assert!(matches!(order, Action::AwaitKeys), "{order:?}");
}
