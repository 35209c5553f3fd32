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
    let ids: Vec<String> = leased.iter().map(|(it, _)| it.id.to_string()).collect();
    let messages = leased.iter().zip(&ids).map(|((it, _), id)| content(it, id));
    if let Target::Url(_) | Target::Worker(_) = push.target {
        let messages: Vec<Message<'_>> = messages.collect();
        return Prepared {
            request: Some(request::build(push, queue, &messages, now_ms)),
            sent: leased.iter().map(sent).collect(),
            too_large: Vec::new(),
        };
    }
    let items: Vec<_> = messages.map(|it| Item::new(push, queue, &it)).collect();
    let fits = |is_item: bool| {
        let both = leased.iter().zip(&items);
        both.filter(move |(_, item)| item.is_some() == is_item)
            .map(|(one, _)| one)
    };
    let sent: Vec<Sent> = fits(true).map(sent).collect();
    let too_large = fits(false).map(|(it, _)| it.seq).collect();
    let items: Vec<Item> = items.into_iter().flatten().collect();
    Prepared {
        request: (!items.is_empty()).then(|| cloud_queue::request(push, &items)),
        sent,
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
