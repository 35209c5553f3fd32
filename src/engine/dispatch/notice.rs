//! An endpoint that is disabled, as an event for another queue.
//!
//! It leaves as dead letters do: a row of the same commit, which is deleted once the other queue has
//! it (`dead_letter.rs`). So no crash loses it, and none brings it twice.

use crate::engine::dead_letter::EVENT_ID;
use crate::engine::queue::{Queue, Turn};
use crate::engine::segment::{Head, SINGLE};
use crate::id::Id;
use crate::limits::OUTBOX_MAX;
use crate::push::config::PushConfig;
use crate::push::request::{source, timestamp};
use crate::store::StoreError;
use serde_json::Value;

/// The type of the event.
const DISABLED: &str = "tidegate.endpoint.disabled";

impl Queue {
    /// Sends `data` to the queue that wants to know, unless more is on its way than may be.
    pub(super) fn tell_disabled(
        &mut self,
        turn: &mut Turn<'_>,
        push: &PushConfig,
        data: &Value,
    ) -> Result<(), StoreError> {
        let Some(target) = &push.events_queue else {
            return Ok(());
        };
        if self.meta.dead_leaving >= OUTBOX_MAX {
            return Ok(());
        }
        let Ok(seq) = self.next_seq() else {
            return Ok(());
        };
        let id = Id::mint(self.secret, turn.now_ms, seq, SINGLE).to_string();
        let (source, time) = (source(&self.name), timestamp(turn.now_ms));
        let head = Head {
            content_type: Some("application/json"),
            attributes: vec![
                ("ce-specversion", "1.0"),
                (EVENT_ID, id.as_str()),
                ("ce-source", source.as_str()),
                ("ce-type", DISABLED),
                ("ce-time", time.as_str()),
            ],
            ..Head::default()
        };
        let body = data.to_string();
        self.write_dead(turn, seq, turn.now_ms, target, head, body.as_bytes())
    }
}
