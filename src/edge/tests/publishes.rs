//! Which calls of an object publish: of the line before it a part is kept for all else.

use super::{call, send};

#[test]
fn what_publishes_says_so() {
    let json = "content-type: application/json";
    let binary = "content-type: application/vnd.tidegate.batch\ncontent-length: 9000";
    let batch = r#"{"messages": [{"body": "a"}]}"#;
    let acks = r#"{"acks": [{"lease_id": "a"}]}"#;
    for (path, headers, body, publishes) in [
        ("messages", "content-length: 1", "x", true),
        ("messages", "content-length: 100000", "", true),
        ("messages?wait_ms=1", "content-length: 1", "x", true),
        ("messages/batch", json, batch, true),
        ("messages/batch", binary, "", true),
        ("messages/pull", json, "{}", false),
        ("messages/ack", json, acks, false),
        ("messages/ack", binary, "", false),
    ] {
        let path = format!("/v1/queues/q/{path}");
        let call = call(send("POST", &path, headers, body));
        assert_eq!(call.publishes, publishes, "{path} {headers}");
    }
    for (path, body, publishes) in [
        ("messages/batch", batch, true),
        ("subscriptions/s/pull", "{}", false),
    ] {
        let path = format!("/v1/topics/t/{path}");
        assert_eq!(
            call(send("POST", &path, json, body)).publishes,
            publishes,
            "{path}"
        );
    }
    let path = "/v1/topics/t/messages";
    assert!(call(send("POST", path, "content-length: 1", "x")).publishes);
}
