//! What a push is configured with, and what endpoints answer.

use super::{Target, halves, seed};
use tidegate::push::config::PushConfig;
use tidegate::push::endpoint::check;
use tidegate::push::outcome::{Answer, Fate, judge};

/// A URL.
pub const ENDPOINT: Target = Target {
    name: "endpoint",
    run: endpoint,
    seeds: endpoint_seeds,
};

/// A `push` object; behind a byte zero, a patch of it.
pub const CONFIG: Target = Target {
    name: "push",
    run: config,
    seeds: config_seeds,
};

/// The head of an answer as the host tells it; behind a byte zero, its body.
pub const ANSWER: Target = Target {
    name: "answer",
    run: answer,
    seeds: answer_seeds,
};

const NOW_MS: u64 = 1_700_000_000_000;
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn endpoint(bytes: &[u8]) {
    let url = String::from_utf8_lossy(bytes);
    if check(&url, false).is_err() {
        return;
    }
    assert_eq!(check(&url, true), Ok(()), "{url}");
    assert!(url.starts_with("https://") && url.is_ascii(), "{url}");
    let authority = url["https://".len()..].split(['/', '?']).next();
    let lower = authority.unwrap_or_default().to_ascii_lowercase();
    for inside in ["@", "%", "\\", "localhost.:", "127.0.0.1:", "[::"] {
        assert!(!format!("{lower}:").contains(inside), "{url}");
    }
}

fn endpoint_seeds() -> Vec<Vec<u8>> {
    [
        "https://example.com:8443/hook?x=1",
        "https://user@127.0.0.1/",
        "https://[2606:4700::1111]:443/",
        "https://0x7f.1/",
    ]
    .map(seed)
    .to_vec()
}

fn config(bytes: &[u8]) {
    let (whole, patch) = halves(bytes);
    let parse = |bytes| serde_json::from_slice::<serde_json::Value>(bytes).ok();
    let Some(Ok(Some(config))) = parse(whole).map(|it| PushConfig::patched(None, &it, "push"))
    else {
        return;
    };
    let again = PushConfig::patched(None, &config.stored(), "push");
    assert_eq!(again, Ok(Some(config.clone())), "stored and read again");
    let shown = PushConfig::patched(Some(&config), &config.shown(), "push");
    assert_eq!(shown, Ok(Some(config.clone())), "shown and sent back");
    let text = format!("{} {config:?}", config.shown());
    assert!(
        config.secrets.iter().all(|it| !text.contains(it)),
        "a secret is shown"
    );
    if let Some(patch) = parse(patch) {
        let _ = PushConfig::patched(Some(&config), &patch, "push");
    }
}

fn config_seeds() -> Vec<Vec<u8>> {
    let whole = format!(
        r#"{{"url":"https://a.example/","format":"batch","batch_size":9,"secret":["{SECRET}"],
        "headers":{{"authorization":"Bearer t"}},"rate_per_second":2.5,"timeout_ms":5000}}"#
    );
    let queue = br#"{"cloudflare_queue":"ORDERS","format":"raw","batch_size":100}"#;
    vec![
        [whole.as_bytes(), b"\0{\"secret\":null,\"concurrency\":3}"].concat(),
        [
            &queue[..],
            b"\0{\"worker\":\"BILLING\",\"format\":null,\"mode\":\"structured\"}",
        ]
        .concat(),
    ]
}

fn answer(bytes: &[u8]) {
    let (head, body) = halves(bytes);
    let answer = Answer::parse(&String::from_utf8_lossy(head), body);
    let ids = ["a".to_owned(), "b".to_owned()];
    let outcome = judge(&answer, &ids, NOW_MS);
    assert_eq!(outcome.fates.len(), ids.len(), "a fate for each message");
    let acked = outcome
        .fates
        .iter()
        .any(|fate| matches!(fate, Fate::Ack { .. }));
    let is_success = (200..300).contains(&answer.status);
    assert!(!acked || is_success, "done by an answer that is no success");
}

fn answer_seeds() -> Vec<Vec<u8>> {
    [
        "200\n5\ncontent-type: application/json\n\0{\"result\":{\"n\":1},\"failed\":[\"b\"]}",
        "200\n5\ncontent-type: application/json\n\0{\"batchItemFailures\":[{\"itemIdentifier\":\"a\"}]}",
        "429\n5\nretry-after: Sun, 06 Nov 1994 08:49:37 GMT\n",
        "503\n5\nretry-after: 120\ntidegate-retry: no\n",
        "0\n10000\nerror: timeout\n",
    ]
    .map(seed)
    .to_vec()
}
