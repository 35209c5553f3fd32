//! A queue's configuration: what users may choose, checked once and kept in this form.
//!
//! A patch is a partial JSON object. Fields it does not name keep their value; `null` sets a field
//! back to its default. An unknown field, a wrong type or a value out of range is refused by name,
//! and nothing of the patch is applied.

use super::access::Access;
use super::backoff::Backoff;
use crate::command::placement::check_name;
use crate::error::Fault;
use crate::limits::{
    ATTEMPTS_MAX, LEASE_MS_MAX, LEASE_MS_MIN, MESSAGE_BYTES_DEFAULT, MESSAGE_BYTES_MAX,
    RETENTION_MS_MAX, TICKET_TTL_MS_MAX, WAITING_DEFAULT, WAITING_MAX,
};
use crate::push::config::PushConfig;
use crate::time::{DAY, MINUTE, Millis, SECOND};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::rc::Rc;

/// Most `cors_origins` of a queue: they travel in every verdict.
const CORS_ORIGINS_MAX: usize = 32;
/// Longest URL in a configuration.
const URL_CHARS_MAX: usize = 2_048;
/// Largest count or size: an exact JavaScript number.
pub(super) const COUNT_MAX: u64 = (1 << 53) - 1;

/// A checked configuration. Every field holds a valid value.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// What is let in.
    pub capacity: Capacity,
    /// How messages are handed over.
    pub delivery: Delivery,
    /// How long a message is kept that nobody acknowledges.
    pub retention_ms: Millis,
    /// How long results, and other ends that have to be remembered, can be read.
    pub result_retention_ms: Millis,
    /// How long a repeat of an idempotency key is recognised. Zero: never.
    pub dedup_window_ms: Millis,
    /// Largest body.
    pub max_message_bytes: u64,
    /// Origins whose pages may call this queue; `*` is every origin.
    pub cors_origins: Vec<String>,
    /// What takes no credentials.
    pub access: Access,
    /// The endpoint that messages are pushed to.
    pub push: Option<Rc<PushConfig>>,
}

/// What is let in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    /// Bound of the backlog's messages.
    pub max_messages: u64,
    /// Bound of the backlog's body bytes.
    pub max_bytes: u64,
    /// Bound of the places given out and not given back. `None`: no bound.
    pub max_accepted: Option<u64>,
    /// What happens to a publish over the bound.
    pub overflow: Overflow,
    /// Bound of the messages that wait for a place, under `Overflow::Wait` or before a draw.
    pub max_waiting: u64,
    /// Who gets the places there are.
    pub admission: Admission,
    /// When the draw is held. `None` where there is none.
    pub draw_at_ms: Option<Millis>,
    /// Where `Overflow::Redirect` sends.
    pub redirect_url: Option<String>,
    /// What a refused publisher is told where nothing better is known.
    pub retry_after_ms: Millis,
    /// Bound of the places one key may have. `None`: no bound, and a key is optional.
    pub max_per_key: Option<u64>,
    /// Publishes before this instant are refused.
    pub opens_at_ms: Option<Millis>,
    /// Publishes from this instant on are refused.
    pub closes_at_ms: Option<Millis>,
    /// Bound of the rate of accepted publishes.
    pub publish_rate: Option<PublishRate>,
    /// How long a ticket is good for; `None`: none are given.
    pub ticket_ttl_ms: Option<Millis>,
}

/// What happens to a publish over `max_messages`, `max_bytes` or `max_accepted`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Overflow {
    /// A problem document.
    Reject,
    /// `303` to `redirect_url`.
    Redirect,
    /// Accepted; the oldest queued message is dropped.
    DropOldest,
    /// Accepted into the dead-letter queue.
    DeadLetter,
    /// Accepted into the line, and admitted when its turn comes.
    Wait,
}

/// Who gets the places there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Admission {
    /// Who comes first.
    Fifo,
    /// Whoever is drawn, of those who came before `draw_at_ms`; after that, who comes first.
    Draw,
}

/// A token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PublishRate {
    /// Publishes a second in the long run.
    pub per_second: f64,
    /// Publishes at once after a pause.
    pub burst: u64,
    /// One bucket for each key rather than one for the queue.
    pub per_key: bool,
}

/// How messages are handed over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// How long a lease lasts where a pull does not say.
    pub visibility_timeout_ms: Millis,
    /// Deliveries before a message becomes a dead letter.
    pub max_attempts: u32,
    /// Delays between deliveries of a message.
    pub backoff: Backoff,
    /// Where dead letters go. `None`: they stay in this queue, out of the backlog.
    pub dead_letter_queue: Option<String>,
    /// The queue that is told of every message that is done, and of its result.
    pub callback_queue: Option<String>,
    /// The queue that is told of every message that is given up.
    pub failure_callback_queue: Option<String>,
    /// What order is kept.
    pub order: Order,
}

/// What order is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// By priority, then by acceptance; retries may overtake.
    BestEffort,
    /// One message in flight, strictly by acceptance.
    Fifo,
    /// Strictly by acceptance within a key; keys in parallel.
    Key,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            capacity: Capacity {
                max_messages: 100_000,
                max_bytes: 1_073_741_824,
                max_accepted: None,
                overflow: Overflow::Reject,
                max_waiting: WAITING_DEFAULT,
                admission: Admission::Fifo,
                draw_at_ms: None,
                redirect_url: None,
                retry_after_ms: SECOND,
                max_per_key: None,
                opens_at_ms: None,
                closes_at_ms: None,
                publish_rate: None,
                ticket_ttl_ms: None,
            },
            delivery: Delivery {
                visibility_timeout_ms: 30 * SECOND,
                max_attempts: 5,
                backoff: Backoff {
                    initial_ms: 0,
                    max_ms: 15 * MINUTE,
                    multiplier: 2.0,
                },
                dead_letter_queue: None,
                callback_queue: None,
                failure_callback_queue: None,
                order: Order::BestEffort,
            },
            retention_ms: 4 * DAY,
            result_retention_ms: 10 * MINUTE,
            dedup_window_ms: 5 * MINUTE,
            max_message_bytes: MESSAGE_BYTES_DEFAULT as u64,
            cors_origins: Vec::new(),
            access: Access::default(),
            push: None,
        }
    }
}

impl Config {
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
                "capacity" => config.capacity.patch(value, &default.capacity)?,
                "delivery" => config.delivery.patch(value, &default.delivery)?,
                "retention_ms" => {
                    config.retention_ms = uint(value, field, SECOND, RETENTION_MS_MAX)?
                        .unwrap_or(default.retention_ms);
                }
                "result_retention_ms" => {
                    config.result_retention_ms = uint(value, field, 0, RETENTION_MS_MAX)?
                        .unwrap_or(default.result_retention_ms);
                }
                "dedup_window_ms" => {
                    config.dedup_window_ms =
                        uint(value, field, 0, DAY)?.unwrap_or(default.dedup_window_ms);
                }
                "max_message_bytes" => {
                    config.max_message_bytes = uint(value, field, 1, MESSAGE_BYTES_MAX as u64)?
                        .unwrap_or(default.max_message_bytes);
                }
                "cors_origins" => config.cors_origins = origins(value)?,
                "access" => config.access.patch(value)?,
                "push" => {
                    let push = PushConfig::patched(config.push.as_deref(), value, field)?;
                    if let Some(name) = push.as_ref().and_then(|it| it.events_queue.as_deref()) {
                        check_name(name, "push.events_queue")?;
                    }
                    config.push = push.map(Rc::new);
                }
                _ => return Err(unknown(field)),
            }
        }
        config.check_together()?;
        Ok(config)
    }

    /// Rules between fields, checked on the whole.
    fn check_together(&self) -> Result<(), Fault> {
        let capacity = &self.capacity;
        if capacity.overflow == Overflow::Redirect && capacity.redirect_url.is_none() {
            return Err(Fault::bad(
                "capacity.redirect_url",
                "overflow \"redirect\" needs a redirect_url to send refused publishers to",
            ));
        }
        if capacity.overflow == Overflow::DeadLetter && self.delivery.dead_letter_queue.is_none() {
            return Err(Fault::bad(
                "delivery.dead_letter_queue",
                "overflow \"dead_letter\" needs a delivery.dead_letter_queue to go to",
            ));
        }
        if let (Some(opens), Some(closes)) = (capacity.opens_at_ms, capacity.closes_at_ms)
            && closes <= opens
        {
            return Err(Fault::bad(
                "capacity.closes_at_ms",
                "closes_at_ms must be after opens_at_ms",
            ));
        }
        capacity.check_draw()?;
        let backoff = self.delivery.backoff;
        if backoff.initial_ms > backoff.max_ms {
            return Err(Fault::bad(
                "delivery.backoff.initial_ms",
                "initial_ms must not be larger than max_ms",
            ));
        }
        Ok(())
    }

    /// Every field as JSON, with what is secret: what is stored.
    #[must_use]
    pub fn stored(&self) -> Map<String, Value> {
        let mut stored = self.to_json();
        if let Some(push) = &self.push {
            stored.insert("push".to_owned(), push.stored());
        }
        stored
    }

    /// Every field as JSON, defaults filled in, in the shape a patch takes, without what is secret.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let (c, d) = (&self.capacity, &self.delivery);
        let rate = c.publish_rate.map(|r| {
            json!({"per_second": number(r.per_second), "burst": r.burst,
                   "per": if r.per_key { "key" } else { "queue" }})
        });
        let value = json!({
            "capacity": {
                "max_messages": c.max_messages, "max_bytes": c.max_bytes,
                "max_accepted": c.max_accepted,
                "overflow": c.overflow.name(), "max_waiting": c.max_waiting,
                "admission": c.admission.name(), "draw_at_ms": c.draw_at_ms,
                "redirect_url": c.redirect_url,
                "retry_after_ms": c.retry_after_ms, "max_per_key": c.max_per_key,
                "opens_at_ms": c.opens_at_ms, "closes_at_ms": c.closes_at_ms,
                "publish_rate": rate, "ticket_ttl_ms": c.ticket_ttl_ms,
            },
            "delivery": {
                "visibility_timeout_ms": d.visibility_timeout_ms, "max_attempts": d.max_attempts,
                "backoff": {"initial_ms": d.backoff.initial_ms, "max_ms": d.backoff.max_ms,
                            "multiplier": d.backoff.multiplier},
                "dead_letter_queue": d.dead_letter_queue, "order": d.order.name(),
                "callback_queue": d.callback_queue,
                "failure_callback_queue": d.failure_callback_queue,
            },
            "retention_ms": self.retention_ms, "result_retention_ms": self.result_retention_ms,
            "dedup_window_ms": self.dedup_window_ms, "max_message_bytes": self.max_message_bytes,
            "cors_origins": self.cors_origins, "access": self.access.to_json(), "push": self.push.as_ref().map(|push| push.shown()),
        });
        if let Value::Object(map) = value {
            map
        } else {
            Map::new()
        }
    }
}

impl Capacity {
    fn patch(&mut self, value: &Value, default: &Self) -> Result<(), Fault> {
        for (name, value) in object(value, "capacity")? {
            let field = format!("capacity.{name}");
            let field = field.as_str();
            match name.as_str() {
                "max_messages" => {
                    self.max_messages =
                        uint(value, field, 0, COUNT_MAX)?.unwrap_or(default.max_messages);
                }
                "max_bytes" => {
                    self.max_bytes = uint(value, field, 0, COUNT_MAX)?.unwrap_or(default.max_bytes);
                }
                "max_accepted" => self.max_accepted = uint(value, field, 0, COUNT_MAX)?,
                "overflow" => self.overflow = Overflow::parse(value, field)?,
                "max_waiting" => {
                    self.max_waiting =
                        uint(value, field, 1, WAITING_MAX)?.unwrap_or(default.max_waiting);
                }
                "admission" => self.admission = Admission::parse(value, field)?,
                "draw_at_ms" => self.draw_at_ms = uint(value, field, 0, COUNT_MAX)?,
                "redirect_url" => self.redirect_url = url(value, field)?,
                "retry_after_ms" => {
                    self.retry_after_ms =
                        uint(value, field, 0, DAY)?.unwrap_or(default.retry_after_ms);
                }
                "max_per_key" => self.max_per_key = uint(value, field, 1, COUNT_MAX)?,
                "opens_at_ms" => self.opens_at_ms = uint(value, field, 0, COUNT_MAX)?,
                "closes_at_ms" => self.closes_at_ms = uint(value, field, 0, COUNT_MAX)?,
                "publish_rate" => self.publish_rate = PublishRate::parse(value, field)?,
                "ticket_ttl_ms" => {
                    self.ticket_ttl_ms = uint(value, field, SECOND, TICKET_TTL_MS_MAX)?;
                }
                _ => return Err(unknown(field)),
            }
        }
        Ok(())
    }

    /// Rules between the fields of a draw.
    fn check_draw(&self) -> Result<(), Fault> {
        let field = "capacity.draw_at_ms";
        match (self.admission, self.draw_at_ms) {
            (Admission::Draw, None) => {
                let detail = "admission \"draw\" needs a draw_at_ms, the instant of the draw";
                Err(Fault::bad(field, detail))
            }
            (Admission::Draw, Some(at)) if self.opens_at_ms.is_some_and(|opens| at <= opens) => {
                Err(Fault::bad(field, "draw_at_ms must be after opens_at_ms"))
            }
            _ => Ok(()),
        }
    }

    /// The instant of the draw, where one is to be held.
    #[must_use]
    pub fn draw_ms(&self) -> Option<Millis> {
        self.draw_at_ms
            .filter(|_| self.admission == Admission::Draw)
    }
}

impl Delivery {
    fn patch(&mut self, value: &Value, default: &Self) -> Result<(), Fault> {
        for (name, value) in object(value, "delivery")? {
            let field = format!("delivery.{name}");
            let field = field.as_str();
            match name.as_str() {
                "visibility_timeout_ms" => {
                    self.visibility_timeout_ms = uint(value, field, LEASE_MS_MIN, LEASE_MS_MAX)?
                        .unwrap_or(default.visibility_timeout_ms);
                }
                "max_attempts" => {
                    let attempts = uint(value, field, 1, ATTEMPTS_MAX)?;
                    self.max_attempts = attempts.map_or(default.max_attempts, |n| n as u32);
                }
                "backoff" => self.backoff.patch(value, &default.backoff)?,
                "dead_letter_queue" => self.dead_letter_queue = queue_name(value, field)?,
                "callback_queue" => self.callback_queue = queue_name(value, field)?,
                "failure_callback_queue" => {
                    self.failure_callback_queue = queue_name(value, field)?;
                }
                "order" => self.order = Order::parse(value, field)?,
                _ => return Err(unknown(field)),
            }
        }
        Ok(())
    }
}

/// The name of a queue, or `null`.
fn queue_name(value: &Value, field: &str) -> Result<Option<String>, Fault> {
    let name = text(value, field)?;
    if let Some(name) = &name {
        check_name(name, field)?;
    }
    Ok(name)
}

impl PublishRate {
    fn parse(value: &Value, field: &str) -> Result<Option<Self>, Fault> {
        if value.is_null() {
            return Ok(None);
        }
        let mut rate = Self {
            per_second: 0.0,
            burst: 0,
            per_key: false,
        };
        for (name, value) in object(value, field)? {
            let inner = format!("{field}.{name}");
            match name.as_str() {
                "per_second" => {
                    rate.per_second = float(value, &inner, 0.001, 1_000_000.0)?.unwrap_or(0.0);
                }
                "burst" => rate.burst = uint(value, &inner, 1, 1_000_000)?.unwrap_or(0),
                "per" => {
                    rate.per_key = match value.as_str() {
                        Some("queue") => false,
                        Some("key") => true,
                        _ => return Err(Fault::bad(inner, "per is \"queue\" or \"key\"")),
                    }
                }
                _ => return Err(unknown(&inner)),
            }
        }
        if rate.per_second == 0.0 {
            return Err(Fault::bad(
                format!("{field}.per_second"),
                "a publish_rate needs per_second",
            ));
        }
        if rate.burst == 0 {
            rate.burst = (rate.per_second.ceil() as u64).max(1);
        }
        Ok(Some(rate))
    }
}

impl Overflow {
    const NAMES: [(&str, Self); 5] = [
        ("reject", Self::Reject),
        ("redirect", Self::Redirect),
        ("drop_oldest", Self::DropOldest),
        ("dead_letter", Self::DeadLetter),
        ("wait", Self::Wait),
    ];

    fn parse(value: &Value, field: &str) -> Result<Self, Fault> {
        choice(value, field, &Self::NAMES, Self::Reject)
    }

    fn name(self) -> &'static str {
        Self::NAMES
            .iter()
            .find(|(_, o)| *o == self)
            .map_or("", |(name, _)| name)
    }
}

impl Admission {
    const NAMES: [(&str, Self); 2] = [("fifo", Self::Fifo), ("draw", Self::Draw)];

    fn parse(value: &Value, field: &str) -> Result<Self, Fault> {
        choice(value, field, &Self::NAMES, Self::Fifo)
    }

    fn name(self) -> &'static str {
        Self::NAMES
            .iter()
            .find(|(_, a)| *a == self)
            .map_or("", |(name, _)| name)
    }
}

impl Order {
    const NAMES: [(&str, Self); 3] = [
        ("best_effort", Self::BestEffort),
        ("fifo", Self::Fifo),
        ("key", Self::Key),
    ];

    fn parse(value: &Value, field: &str) -> Result<Self, Fault> {
        choice(value, field, &Self::NAMES, Self::BestEffort)
    }

    fn name(self) -> &'static str {
        Self::NAMES
            .iter()
            .find(|(_, o)| *o == self)
            .map_or("", |(name, _)| name)
    }
}

fn number(n: f64) -> Value {
    if n.fract() == 0.0 {
        json!(n as u64)
    } else {
        json!(n)
    }
}

pub(super) fn unknown(field: &str) -> Fault {
    Fault::bad(
        field,
        format!("there is no field {field:?} in a queue's configuration"),
    )
}

pub(super) fn object<'a>(value: &'a Value, field: &str) -> Result<&'a Map<String, Value>, Fault> {
    value
        .as_object()
        .ok_or_else(|| Fault::bad(field, format!("{field} is a JSON object")))
}

pub(super) fn uint(value: &Value, field: &str, min: u64, max: u64) -> Result<Option<u64>, Fault> {
    if value.is_null() {
        return Ok(None);
    }
    match value.as_u64() {
        Some(n) if (min..=max).contains(&n) => Ok(Some(n)),
        _ => Err(Fault::bad(
            field,
            format!("{field} is a whole number from {min} to {max}"),
        )),
    }
}

pub(super) fn float(value: &Value, field: &str, min: f64, max: f64) -> Result<Option<f64>, Fault> {
    if value.is_null() {
        return Ok(None);
    }
    match value.as_f64() {
        Some(n) if n >= min && n <= max => Ok(Some(n)),
        _ => Err(Fault::bad(
            field,
            format!("{field} is a number from {min} to {max}"),
        )),
    }
}

pub(super) fn text(value: &Value, field: &str) -> Result<Option<String>, Fault> {
    match value {
        Value::Null => Ok(None),
        Value::String(s) => Ok(Some(s.clone())),
        _ => Err(Fault::bad(field, format!("{field} is a string"))),
    }
}

pub(super) fn choice<T: Copy>(
    value: &Value,
    field: &str,
    names: &[(&str, T)],
    default: T,
) -> Result<T, Fault> {
    if value.is_null() {
        return Ok(default);
    }
    let found = value
        .as_str()
        .and_then(|s| names.iter().find(|(name, _)| *name == s));
    found.map(|(_, choice)| *choice).ok_or_else(|| {
        let list: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        Fault::bad(field, format!("{field} is one of {}", list.join(", ")))
    })
}

/// A URL that can stand in a `Location` header: absolute, `http` or `https`, printable ASCII.
fn url(value: &Value, field: &str) -> Result<Option<String>, Fault> {
    let Some(url) = text(value, field)? else {
        return Ok(None);
    };
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    let has_host = rest.is_some_and(|r| !r.is_empty() && !r.starts_with(['/', '?', '#', ':']));
    if !has_host || url.len() > URL_CHARS_MAX || !url.bytes().all(|b| b.is_ascii_graphic()) {
        let detail = format!(
            "{field} is an absolute http or https URL of at most {URL_CHARS_MAX} characters"
        );
        return Err(Fault::bad(field, detail));
    }
    Ok(Some(url))
}

/// `*`, or `scheme://host[:port]` as browsers send it: no path, no trailing slash.
pub(super) fn origins(value: &Value) -> Result<Vec<String>, Fault> {
    let field = "cors_origins";
    let bad = || {
        Fault::bad(
            field,
            format!(
                "cors_origins is a list of at most {CORS_ORIGINS_MAX} origins such as \"https://shop.example\", or \"*\""
            ),
        )
    };
    if value.is_null() {
        return Ok(Vec::new());
    }
    let list = value.as_array().ok_or_else(bad)?;
    if list.len() > CORS_ORIGINS_MAX {
        return Err(bad());
    }
    list.iter()
        .map(|origin| {
            let origin = origin.as_str().ok_or_else(bad)?;
            let host = origin.split_once("://").map(|(_, host)| host);
            let valid = origin == "*"
                || host.is_some_and(|h| {
                    !h.is_empty() && h.len() <= 255 && !h.contains(['/', '?', '#', '@', ','])
                }) && origin.bytes().all(|b| b.is_ascii_graphic());
            if valid {
                Ok(origin.to_owned())
            } else {
                Err(bad())
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_changes_what_it_names_and_nothing_else() {
        let config = Config::default()
            .patched(r#"{"capacity":{"max_accepted":5},"delivery":{"backoff":{"initial_ms":10}}}"#)
            .unwrap();
        assert_eq!(config.capacity.max_accepted, Some(5));
        assert_eq!(config.delivery.backoff.initial_ms, 10);
        assert_eq!(
            config
                .patched(r#"{"capacity":{"max_accepted":null}}"#)
                .unwrap()
                .capacity
                .max_accepted,
            None
        );
        assert_eq!(config.capacity.max_messages, 100_000);
    }

    #[test]
    fn a_configuration_survives_its_own_json() {
        let text = r#"{"capacity":{"publish_rate":{"per_second":2.5,"burst":3,"per":"key"},"overflow":"drop_oldest",
                "max_waiting":7,"admission":"draw","draw_at_ms":9},
            "delivery":{"order":"key"},"cors_origins":["https://a.example"],
            "access":{"publish":"public","rate_per_address":{"per_second":3.5}}}"#;
        let config = Config::default().patched(text).unwrap();
        let json = serde_json::to_string(&config.to_json()).unwrap();
        assert_eq!(Config::default().patched(&json).unwrap(), config);
    }

    #[test]
    fn bad_fields_are_named() {
        for (patch, field) in [
            (r#"{"nope":1}"#, "nope"),
            (r#"{"capacity":{"nope":1}}"#, "capacity.nope"),
            (
                r#"{"capacity":{"max_messages":-1}}"#,
                "capacity.max_messages",
            ),
            (
                r#"{"capacity":{"max_messages":1.5}}"#,
                "capacity.max_messages",
            ),
            (
                r#"{"capacity":{"overflow":"redirect"}}"#,
                "capacity.redirect_url",
            ),
            (
                r#"{"capacity":{"overflow":"dead_letter"}}"#,
                "delivery.dead_letter_queue",
            ),
            (
                r#"{"capacity":{"redirect_url":"ftp://x"}}"#,
                "capacity.redirect_url",
            ),
            (
                r#"{"capacity":{"publish_rate":{"burst":1}}}"#,
                "capacity.publish_rate.per_second",
            ),
            (
                r#"{"capacity":{"max_waiting":1000001}}"#,
                "capacity.max_waiting",
            ),
            (r#"{"capacity":{"max_waiting":0}}"#, "capacity.max_waiting"),
            (
                r#"{"capacity":{"admission":"lottery"}}"#,
                "capacity.admission",
            ),
            (
                r#"{"capacity":{"admission":"draw"}}"#,
                "capacity.draw_at_ms",
            ),
            (
                r#"{"capacity":{"admission":"draw","draw_at_ms":5,"opens_at_ms":5}}"#,
                "capacity.draw_at_ms",
            ),
            (r#"{"delivery":{"order":"lifo"}}"#, "delivery.order"),
            (
                r#"{"delivery":{"backoff":{"initial_ms":1000,"max_ms":10}}}"#,
                "delivery.backoff.initial_ms",
            ),
            (r#"{"cors_origins":["https://a/b"]}"#, "cors_origins"),
            (r#"[]"#, "body"),
            (r#"{"#, "body"),
        ] {
            let fault = Config::default().patched(patch).unwrap_err();
            assert_eq!(fault.figures.field.as_deref(), Some(field), "{patch}");
        }
    }
}
