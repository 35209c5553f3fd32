//! A topic's configuration: what users may choose, checked once and kept in this form. Patches are
//! as those of queues (`engine/config.rs`).

use crate::engine::access::TopicAccess;
use crate::engine::config::{COUNT_MAX, choice, object, origins, uint};
use crate::error::Fault;
use crate::limits::{MEMORY_TOPIC_BYTES_MAX, MESSAGE_BYTES_DEFAULT, MESSAGE_BYTES_MAX};
use crate::limits::{MEMORY_TOPIC_MESSAGES_MAX, RETENTION_MS_MAX};
use crate::time::{DAY, MINUTE, Millis, SECOND};
use serde_json::{Map, Value, json};

/// A checked configuration. Every field holds a valid value.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicConfig {
    /// How long a message can be read.
    pub retention_ms: Millis,
    /// How many messages can be read; the oldest go first.
    pub max_messages: u64,
    /// How many bytes of bodies can be read; the oldest go first.
    pub max_bytes: u64,
    /// Largest body.
    pub max_message_bytes: u64,
    /// Where messages are kept.
    pub persistence: Persistence,
    /// How long a repeat of an idempotency key is recognised. Zero: never.
    pub dedup_window_ms: Millis,
    /// Origins whose pages may call this topic; `*` is every origin.
    pub cors_origins: Vec<String>,
    /// What takes no credentials.
    pub access: TopicAccess,
}

/// Where messages are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// On disk: what was accepted stays until retention lets it go.
    Durable,
    /// In the object's memory: what was accepted may be gone as soon as the object sleeps.
    Memory,
}

impl Persistence {
    const NAMES: [(&str, Self); 2] = [("durable", Self::Durable), ("memory", Self::Memory)];

    fn name(self) -> &'static str {
        Self::NAMES
            .iter()
            .find(|(_, it)| *it == self)
            .map_or("", |(name, _)| name)
    }
}

impl Default for TopicConfig {
    fn default() -> Self {
        Self {
            retention_ms: 4 * DAY,
            max_messages: 1_000_000,
            max_bytes: 1_073_741_824,
            max_message_bytes: MESSAGE_BYTES_DEFAULT as u64,
            persistence: Persistence::Durable,
            dedup_window_ms: 5 * MINUTE,
            cors_origins: Vec::new(),
            access: TopicAccess::default(),
        }
    }
}

impl TopicConfig {
    /// This configuration with `patch` (JSON text) applied.
    ///
    /// # Errors
    /// `bad-request` that names the field.
    pub fn patched(&self, patch: &str) -> Result<Self, Fault> {
        let value: Value = serde_json::from_str(patch)
            .map_err(|e| Fault::bad("body", format!("the configuration is not JSON: {e}")))?;
        let mut config = self.clone();
        let default = Self::default();
        for (name, value) in object(&value, "body")? {
            let field = name.as_str();
            match field {
                "retention_ms" => {
                    config.retention_ms = uint(value, field, SECOND, RETENTION_MS_MAX)?
                        .unwrap_or(default.retention_ms);
                }
                "max_messages" => {
                    config.max_messages =
                        uint(value, field, 1, COUNT_MAX)?.unwrap_or(default.max_messages);
                }
                "max_bytes" => {
                    config.max_bytes =
                        uint(value, field, 1, COUNT_MAX)?.unwrap_or(default.max_bytes);
                }
                "max_message_bytes" => {
                    config.max_message_bytes = uint(value, field, 1, MESSAGE_BYTES_MAX as u64)?
                        .unwrap_or(default.max_message_bytes);
                }
                "persistence" => {
                    let (names, default) = (&Persistence::NAMES, default.persistence);
                    config.persistence = choice(value, field, names, default)?;
                }
                "dedup_window_ms" => {
                    config.dedup_window_ms =
                        uint(value, field, 0, DAY)?.unwrap_or(default.dedup_window_ms);
                }
                "cors_origins" => config.cors_origins = origins(value)?,
                "access" => config.access.patch(value)?,
                _ => {
                    let detail = format!("there is no field {field:?} in a topic's configuration");
                    return Err(Fault::bad(field, detail));
                }
            }
        }
        Ok(config)
    }

    /// How many messages and bytes are kept: in memory, no more than fits there.
    #[must_use]
    pub fn bounds(&self) -> (u64, u64) {
        match self.persistence {
            Persistence::Durable => (self.max_messages, self.max_bytes),
            Persistence::Memory => (
                self.max_messages.min(MEMORY_TOPIC_MESSAGES_MAX),
                self.max_bytes.min(MEMORY_TOPIC_BYTES_MAX),
            ),
        }
    }

    /// Every field as JSON, defaults filled in, in the shape a patch takes.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let value = json!({
            "retention_ms": self.retention_ms, "max_messages": self.max_messages,
            "max_bytes": self.max_bytes, "max_message_bytes": self.max_message_bytes,
            "persistence": self.persistence.name(), "dedup_window_ms": self.dedup_window_ms,
            "cors_origins": self.cors_origins, "access": self.access.to_json(),
        });
        if let Value::Object(map) = value {
            map
        } else {
            Map::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_are_partial_and_checked() {
        let config = TopicConfig::default();
        let changed = config
            .patched(r#"{"max_messages":5,"persistence":"memory","access":{"subscribe":"public"}}"#)
            .unwrap();
        assert_eq!(
            (changed.max_messages, changed.persistence),
            (5, Persistence::Memory)
        );
        let text = Value::Object(changed.to_json()).to_string();
        assert_eq!(TopicConfig::default().patched(&text).unwrap(), changed);
        assert_eq!(
            changed
                .patched(r#"{"max_messages":null,"persistence":null,"access":{"subscribe":null}}"#),
            Ok(config)
        );
        for (patch, field) in [
            (r#"{"max_messages":0}"#, "max_messages"),
            (r#"{"retention_ms":999}"#, "retention_ms"),
            (r#"{"persistence":"disk"}"#, "persistence"),
            (r#"{"capacity":{}}"#, "capacity"),
            (r#"{"access":{"subscribe":"all"}}"#, "access.subscribe"),
            (r#"{"access":{"consume":"public"}}"#, "access.consume"),
            ("[]", "body"),
            ("{", "body"),
        ] {
            let fault = changed.patched(patch).unwrap_err();
            assert_eq!(fault.figures.field.as_deref(), Some(field), "{patch}");
        }
    }
}
