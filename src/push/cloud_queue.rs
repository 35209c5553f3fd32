//! What a Cloudflare Queue is sent: messages in the forms it keeps, in batches it takes.
//!
//! A message goes as a CloudEvent, or as its bare body in the form that brings it back to what it
//! was when it is read here again (`host/inbound.js`). Sizes are counted before anything is sent: a
//! batch that is refused would hold up the messages beside the one it is refused for.

use super::config::{Format, PushConfig};
use super::request::{Message, Request, event, is_document, is_json};
use crate::limits::{
    PUSH_QUEUE_BATCH_BYTES_MAX, PUSH_QUEUE_BATCH_MESSAGES_MAX, PUSH_QUEUE_MESSAGE_BYTES_MAX,
    PUSH_QUEUE_OVERHEAD_BYTES,
};
use crate::wire::base64;
use crate::wire::json_text::member_string;

/// A number in JSON of few characters may be one of this many more once JavaScript wrote it:
/// `1e20` has twenty-one.
const EXPONENT_BYTES: usize = 24;

/// A message in a form that a Cloudflare Queue keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    id: String,
    form: &'static str,
    /// Bytes as base64.
    body: String,
    bytes: usize,
}

impl Item {
    /// The form of a message, unless it is larger than a Cloudflare Queue takes.
    #[must_use]
    pub fn new(config: &PushConfig, queue: &str, it: &Message<'_>) -> Option<Self> {
        if it.body.len() > PUSH_QUEUE_MESSAGE_BYTES_MAX {
            return None;
        }
        let (form, body, bytes) = match config.format {
            Format::Raw => raw(it),
            Format::CloudEvents | Format::Batch => {
                let mut out = Vec::new();
                event(&mut out, queue, it);
                json(&String::from_utf8_lossy(&out))
            }
        };
        let id = it.id.to_owned();
        (bytes <= PUSH_QUEUE_MESSAGE_BYTES_MAX).then_some(Self {
            id,
            form,
            body,
            bytes,
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        member_string(out, "id", &self.id);
        member_string(out, "form", self.form);
        member_string(out, "body", &self.body);
        out.push(b'}');
    }
}

fn raw(it: &Message<'_>) -> (&'static str, String, usize) {
    let is_text = it
        .content_type
        .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/"));
    match std::str::from_utf8(it.body) {
        Ok(text) if is_json(it.content_type) && is_document(text) => json(text),
        Ok(text) if is_text => ("text", text.to_owned(), text.len()),
        _ => ("bytes", base64::encode(it.body), it.body.len()),
    }
}

fn json(text: &str) -> (&'static str, String, usize) {
    let is_exponent =
        |pair: &&[u8]| pair[0].is_ascii_digit() && pair[1].eq_ignore_ascii_case(&b'e');
    let exponents = text.as_bytes().windows(2).filter(is_exponent).count();
    (
        "json",
        text.to_owned(),
        text.len() + exponents * EXPONENT_BYTES,
    )
}

/// The batches that bring these messages: `[[{"id", "form", "body"}, …], …]`.
#[must_use]
pub fn request(config: &PushConfig, items: &[Item]) -> Request {
    let mut body = b"[[".to_vec();
    let (mut count, mut bytes) = (0, 0);
    for item in items {
        let size = item.bytes + PUSH_QUEUE_OVERHEAD_BYTES;
        let is_full = count == PUSH_QUEUE_BATCH_MESSAGES_MAX as usize
            || bytes + size > PUSH_QUEUE_BATCH_BYTES_MAX;
        if count > 0 {
            body.extend_from_slice(if is_full { b"],[" } else { b"," });
        }
        if is_full {
            (count, bytes) = (0, 0);
        }
        item.write(&mut body);
        count += 1;
        bytes += size;
    }
    body.extend_from_slice(b"]]");
    Request {
        url: config.target.uri(),
        headers: Vec::new(),
        body,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn config(format: &str) -> PushConfig {
        let patch = json!({"cloudflare_queue": "ORDERS", "format": format});
        PushConfig::patched(None, &patch, "push").unwrap().unwrap()
    }

    fn item(format: &str, content_type: &str, body: &[u8]) -> Option<Item> {
        let it = Message {
            id: "01HF7YAT00XK5T0QX0V4F8A9BC",
            seq: 7,
            attempts: 2,
            timestamp_ms: 1_700_000_000_123,
            body,
            content_type: Some(content_type),
            key: None,
            priority: 4,
            attributes: &[],
        };
        Item::new(&config(format), "q", &it)
    }

    fn batches(items: &[Item]) -> Vec<Vec<Value>> {
        let request = request(&config("raw"), items);
        assert_eq!(request.url, "queue:ORDERS");
        serde_json::from_slice(&request.body).unwrap()
    }

    #[test]
    fn a_body_keeps_its_form_and_an_event_is_an_object() {
        for (content_type, body, form, sent) in [
            ("text/plain", &b"hi"[..], "text", "hi"),
            ("application/json", b"{\"a\":1}", "json", "{\"a\":1}"),
            ("application/json", b"{", "bytes", "ew=="),
            ("text/plain", b"\xff", "bytes", "/w=="),
            ("image/png", b"hi", "bytes", "aGk="),
        ] {
            let item = item("raw", content_type, body).unwrap();
            assert_eq!((item.form, item.body.as_str()), (form, sent));
        }
        let event = item("cloudevents", "application/json", b"[1]").unwrap();
        let body: Value = serde_json::from_str(&event.body).unwrap();
        assert_eq!((event.form, &body["data"]), ("json", &json!([1])));
        assert_eq!(body["specversion"], "1.0");
    }

    #[test]
    fn no_batch_is_larger_than_is_taken_and_none_is_left_out() {
        let small = item("raw", "text/plain", b"x").unwrap();
        let many = vec![small.clone(); PUSH_QUEUE_BATCH_MESSAGES_MAX as usize * 2 + 1];
        let sizes: Vec<usize> = batches(&many).iter().map(Vec::len).collect();
        assert_eq!(sizes, [100, 100, 1]);
        let half = vec![b'x'; PUSH_QUEUE_BATCH_BYTES_MAX / 2 - PUSH_QUEUE_OVERHEAD_BYTES];
        let half = item("raw", "text/plain", &half).unwrap();
        let three = [half.clone(), half.clone(), half];
        let sizes: Vec<usize> = batches(&three).iter().map(Vec::len).collect();
        assert_eq!(sizes, [2, 1]);
        let both = [three[0].clone(), small, three[1].clone()];
        let sizes: Vec<usize> = batches(&both).iter().map(Vec::len).collect();
        assert_eq!(sizes, [2, 1]);
    }

    #[test]
    fn what_is_too_large_is_known_before_it_is_sent() {
        let most = vec![b'x'; PUSH_QUEUE_MESSAGE_BYTES_MAX];
        assert!(item("raw", "text/plain", &most).is_some());
        assert!(item("cloudevents", "text/plain", &most).is_none());
        assert!(item("raw", "text/plain", &[&most[..], b"x"].concat()).is_none());
        // A number that JavaScript writes out at length.
        let list = format!("[{}1]", "1e20,".repeat(PUSH_QUEUE_MESSAGE_BYTES_MAX / 20));
        assert!(item("raw", "application/json", list.as_bytes()).is_none());
        assert!(item("raw", "text/plain", list.as_bytes()).is_some());
    }
}
