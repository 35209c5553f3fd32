//! What another queue is told: that a message is done or was given up, or an endpoint disabled.
//!
//! A notice is a CloudEvent. It leaves as dead letters do: a row of the commit that it tells of, which
//! is deleted once the other queue has it (`dead_letter.rs`). So no crash loses it, and none brings
//! it twice.

use super::dead_letter::EVENT_ID;
use super::outstanding::Entry;
use super::queue::{Queue, Turn};
use super::segment::{Head, SINGLE};
use crate::id::Id;
use crate::limits::OUTBOX_MAX;
use crate::push::config::PushConfig;
use crate::push::request::{source, timestamp};
use crate::store::StoreError;
use serde_json::{Value, json};

/// The types of the events.
const DISABLED: &str = "tidegate.endpoint.disabled";
/// See [`DISABLED`].
const DONE: &str = "tidegate.message.done";
/// See [`DISABLED`].
const DEAD: &str = "tidegate.message.dead";
/// How the types of those begin that are about messages: of such a message nobody is told, or two
/// queues that tell each other would never come to an end.
const ABOUT_MESSAGES: &str = "tidegate.message.";

/// An event, and where it goes.
struct Notice<'a> {
    target: &'a str,
    kind: &'a str,
    /// Its identifier; `None`: one of its own.
    id: Option<Id>,
    key: Option<&'a str>,
    data: String,
}

impl Queue {
    /// Whether so much is on its way that nothing more may be done: what is done has to be told.
    pub(super) fn is_held_up(&self) -> bool {
        self.meta.dead_leaving >= OUTBOX_MAX && self.config().delivery.callback_queue.is_some()
    }

    /// Tells of a message that is done, where somebody wants to know.
    pub(super) fn tell_done(
        &mut self,
        turn: &mut Turn<'_>,
        seq: u64,
        entry: &Entry,
        result: Option<&str>,
    ) -> Result<(), StoreError> {
        let Some(target) = self.config().delivery.callback_queue.clone() else {
            return Ok(());
        };
        let Some(segment) = self.segments.get(turn.sql, entry.place)? else {
            return Ok(());
        };
        let item = segment.items[usize::from(entry.place.index)];
        let head = segment.head(&item)?;
        if is_about_messages(&head) {
            return Ok(());
        }
        let id = self.id_of(&segment, &item, &head);
        let data = json!({
            "queue": self.name, "id": id.to_string(), "seq": seq, "state": "done",
            "attempts": entry.attempts, "timestamp_ms": item.at_ms, "at_ms": turn.now_ms,
            "key": head.key, "attributes": attributes_of(&head),
        });
        // As the consumer wrote it: numbers and the order of names are its own.
        let mut data = data.to_string();
        data.pop();
        data.push_str(r#","result":"#);
        data.push_str(result.unwrap_or("null"));
        data.push('}');
        let notice = Notice {
            target: &target,
            kind: DONE,
            id: Some(id),
            key: head.key,
            data,
        };
        self.tell(turn, notice)
    }

    /// Tells of a message that was given up, where somebody wants to know.
    pub(super) fn tell_dead(
        &mut self,
        turn: &mut Turn<'_>,
        seq: u64,
        id: Id,
        head: &Head<'_>,
        reason: &str,
    ) -> Result<(), StoreError> {
        let Some(target) = self.config().delivery.failure_callback_queue.clone() else {
            return Ok(());
        };
        if is_about_messages(head) {
            return Ok(());
        }
        let data = json!({
            "queue": self.name, "id": id.to_string(), "seq": seq, "state": "dead",
            "reason": reason, "attempts": head.attempts, "timestamp_ms": id.at_ms(),
            "at_ms": turn.now_ms, "key": head.key, "attributes": attributes_of(head),
        });
        let notice = Notice {
            target: &target,
            kind: DEAD,
            id: None,
            key: head.key,
            data: data.to_string(),
        };
        self.tell(turn, notice)
    }

    /// Tells of an endpoint that was disabled, unless more is on its way than may be.
    pub(super) fn tell_disabled(
        &mut self,
        turn: &mut Turn<'_>,
        push: &PushConfig,
        data: &Value,
    ) -> Result<(), StoreError> {
        match &push.events_queue {
            Some(target) if self.meta.dead_leaving < OUTBOX_MAX => {
                let notice = Notice {
                    target,
                    kind: DISABLED,
                    id: None,
                    key: None,
                    data: data.to_string(),
                };
                self.tell(turn, notice)
            }
            _ => Ok(()),
        }
    }

    /// Under a number of its own: a row under that of a message says that the message is dead.
    fn tell(&mut self, turn: &mut Turn<'_>, notice: Notice<'_>) -> Result<(), StoreError> {
        let Ok(seq) = self.next_seq() else {
            return Ok(());
        };
        let id = notice
            .id
            .unwrap_or_else(|| Id::mint(self.secret, turn.now_ms, seq, SINGLE));
        let (id, source) = (id.to_string(), source(&self.name));
        let time = timestamp(turn.now_ms);
        let head = Head {
            content_type: Some("application/json"),
            key: notice.key,
            attributes: vec![
                ("ce-specversion", "1.0"),
                (EVENT_ID, id.as_str()),
                ("ce-source", source.as_str()),
                ("ce-type", notice.kind),
                ("ce-time", time.as_str()),
            ],
            ..Head::default()
        };
        let body = notice.data.as_bytes();
        self.write_dead(turn, seq, turn.now_ms, notice.target, head, body)
    }
}

fn is_about_messages(head: &Head<'_>) -> bool {
    head.attributes
        .iter()
        .any(|(name, value)| *name == "ce-type" && value.starts_with(ABOUT_MESSAGES))
}

fn attributes_of(head: &Head<'_>) -> Value {
    let all = head.attributes.iter();
    Value::Object(
        all.map(|(name, value)| ((*name).to_owned(), Value::from(*value)))
            .collect(),
    )
}
