//! What a request may say of a durable subscription.

use super::target::TargetPatch;
use crate::command::topic::Start;
use crate::engine::config::{COUNT_MAX, Config, object, uint};
use crate::error::Fault;
use crate::limits::SEQ_MAX;
use serde_json::Value;

/// A checked patch. The outer `Option` says whether the field was named, the inner one what
/// `null` stands for.
#[derive(Default)]
pub struct Patch {
    pub filter: Option<Option<String>>,
    pub target: Option<TargetPatch>,
    pub delivery: Option<Option<String>>,
    pub paused: Option<bool>,
    pub from: Option<Start>,
}

impl Patch {
    /// Reads JSON text.
    ///
    /// # Errors
    /// `bad-request` that names the field.
    pub fn read(json: &str) -> Result<Self, Fault> {
        let value: Value = serde_json::from_str(json)
            .map_err(|e| Fault::bad("body", format!("the subscription is not JSON: {e}")))?;
        let mut patch = Self::default();
        for (name, value) in object(&value, "body")? {
            match name.as_str() {
                "filter" => {
                    patch.filter = Some((!value.is_null()).then(|| value.to_string()));
                }
                "target" => patch.target = Some(TargetPatch::read(value)?),
                "delivery" => {
                    let is_set = !value.is_null();
                    if is_set {
                        Config::default().patched(&format!("{{\"delivery\":{value}}}"))?;
                    }
                    patch.delivery = Some(is_set.then(|| value.to_string()));
                }
                "paused" => {
                    let wrong = || Fault::bad("paused", "paused is true or false");
                    let paused = if value.is_null() {
                        Some(false)
                    } else {
                        value.as_bool()
                    };
                    patch.paused = Some(paused.ok_or_else(wrong)?);
                }
                "from" => patch.from = from(value)?,
                "from_at_ms" => {
                    patch.from = uint(value, name, 0, COUNT_MAX)?
                        .map(Start::At)
                        .or(patch.from);
                }
                _ => {
                    let detail = format!(
                        "there is no field {name:?} in a subscription; there are: filter, from, \
                         from_at_ms, target, delivery, paused"
                    );
                    return Err(Fault::bad(name.as_str(), detail));
                }
            }
        }
        Ok(patch)
    }

    /// Delivery is said to the queue that delivers.
    ///
    /// # Errors
    /// `bad-request` where that is another one.
    pub fn check_delivery(&self, target: Option<&str>) -> Result<(), Fault> {
        match (target, &self.delivery) {
            (Some(queue), Some(Some(_))) => {
                let detail = format!("set it on the queue {queue:?}, which delivers");
                Err(Fault::bad("delivery", detail))
            }
            _ => Ok(()),
        }
    }
}

fn from(value: &Value) -> Result<Option<Start>, Fault> {
    let start = match value {
        Value::Null => return Ok(None),
        Value::String(word) => word_of(word),
        Value::Number(number) => number.as_u64().filter(|n| *n <= SEQ_MAX).map(Start::Seq),
        _ => None,
    };
    let detail = "from is earliest, latest, last_per_key or a number";
    start.map(Some).ok_or_else(|| Fault::bad("from", detail))
}

fn word_of(word: &str) -> Option<Start> {
    match word {
        "earliest" => Some(Start::Earliest),
        "latest" => Some(Start::Latest),
        "last_per_key" => Some(Start::LastPerKey),
        _ => None,
    }
}
