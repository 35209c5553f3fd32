//! From leased messages to the request that brings them, and those that it cannot bring.

use super::Sent;
use crate::command::Delivery;
use crate::push::cloud_queue::{self, Item};
use crate::push::config::PushConfig;
use crate::push::request::{self, Message, Request};
use crate::push::target::Target;
use crate::time::Millis;

/// What becomes of leased messages.
pub(super) struct Prepared {
    /// What is sent; nothing where none of them can be.
    pub request: Option<Request>,
    /// Those that it brings.
    pub sent: Vec<Sent>,
    /// Those that the target never takes.
    pub too_large: Vec<u64>,
}

/// The request for messages with the numbers of their leases, of which there is at least one.
pub(super) fn prepare(
    push: &PushConfig,
    queue: &str,
    leased: &[(Delivery, u64)],
    now_ms: Millis,
) -> Prepared {
    let sent: Vec<Sent> = leased.iter().map(sent).collect();
    let both = leased.iter().zip(&sent);
    let messages = both.map(|((it, _), sent)| content(it, &sent.id));
    if let Target::Url(_) | Target::Worker(_) = push.target {
        let messages: Vec<Message<'_>> = messages.collect();
        return Prepared {
            request: Some(request::build(push, queue, &messages, now_ms)),
            sent,
            too_large: Vec::new(),
        };
    }
    let items: Vec<_> = messages.map(|it| Item::new(push, queue, &it)).collect();
    let (mut taken, mut fits, mut too_large) = (Vec::new(), Vec::new(), Vec::new());
    for (sent, item) in sent.into_iter().zip(items) {
        match item {
            Some(item) => {
                taken.push(sent);
                fits.push(item);
            }
            None => too_large.push(sent.seq),
        }
    }
    Prepared {
        request: (!fits.is_empty()).then(|| cloud_queue::request(push, &fits)),
        sent: taken,
        too_large,
    }
}

fn sent((it, lease): &(Delivery, u64)) -> Sent {
    Sent {
        seq: it.seq,
        lease: *lease,
        attempts: it.attempts,
        id: it.id.to_string(),
    }
}

fn content<'a>(it: &'a Delivery, id: &'a str) -> Message<'a> {
    Message {
        id,
        seq: it.seq,
        attempts: it.attempts,
        timestamp_ms: it.timestamp_ms,
        body: it.body.bytes(),
        content_type: it.content_type.as_deref(),
        key: it.key.as_deref(),
        priority: it.priority,
        attributes: &it.attributes,
    }
}
