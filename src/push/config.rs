//! Where and how a queue pushes: the `push` object of its configuration, checked.
//!
//! A patch changes what it names; `null` sets a field back. Secrets and the values of headers are
//! stored and never shown: what stands in their place may be sent back, and leaves them as they are.
//! Which addresses a deployment allows is not a matter of form: `endpoint`.

use super::signature;
use super::target::{self, Target};
use crate::error::Fault;
use crate::limits::{
    PULL_MESSAGES_MAX, PUSH_CONCURRENCY_MAX, PUSH_HEADERS_BYTES_MAX, PUSH_HEADERS_MAX,
    PUSH_QUEUE_BATCH_MESSAGES_MAX, PUSH_RATE_MAX, PUSH_SECRETS_MAX, PUSH_TIMEOUT_MS_MAX,
    PUSH_TIMEOUT_MS_MIN, RETENTION_MS_MAX,
};
use crate::time::{DAY, Millis, SECOND};
use serde_json::{Map, Value, json};
use std::fmt;

/// What is shown in place of what is secret.
pub const HIDDEN: &str = "***";
/// Headers that are the request's own.
const OWN_HEADERS: [&str; 10] = [
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// What names of headers begin with that are the request's own.
const OWN_PREFIXES: [&str; 4] = ["ce-", "proxy-", "tidegate-", "webhook-"];

/// The form of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A CloudEvent, in binary content mode; several as a batch of them.
    CloudEvents,
    /// The message's body as it was published.
    Raw,
    /// A JSON document with a list of messages, as a pull answers.
    Batch,
}

impl Format {
    const NAMES: [(&str, Self); 3] = [
        ("cloudevents", Self::CloudEvents),
        ("raw", Self::Raw),
        ("batch", Self::Batch),
    ];

    fn name(self) -> &'static str {
        let name = Self::NAMES.iter().find(|(_, format)| *format == self);
        name.map_or("", |(name, _)| name)
    }
}

/// Content modes of one CloudEvent (HTTP binding, 3.1 and 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Attributes are headers, the body is the data.
    Binary,
    /// The body is the event, and the content type says so.
    Structured,
}

impl Mode {
    const NAMES: [(&str, Self); 2] = [("binary", Self::Binary), ("structured", Self::Structured)];

    fn name(self) -> &'static str {
        let name = Self::NAMES.iter().find(|(_, mode)| *mode == self);
        name.map_or("", |(name, _)| name)
    }
}

/// A checked configuration.
#[derive(Clone, PartialEq)]
pub struct PushConfig {
    /// What is called.
    pub target: Target,
    /// In which form.
    pub format: Format,
    /// How an event goes that goes alone.
    pub mode: Mode,
    /// Headers that go along, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Most messages of one call.
    pub batch_size: u32,
    /// How long the first message of a batch waits for others.
    pub batch_wait_ms: Millis,
    /// Most calls at a time.
    pub concurrency: u32,
    /// Most calls in any second. `None`: no bound.
    pub rate_per_second: Option<f64>,
    /// A call that takes longer has failed.
    pub timeout_ms: Millis,
    /// What requests are signed with, each; none: they are not signed.
    pub secrets: Vec<String>,
    /// An endpoint that fails for so long is disabled. Zero: never.
    pub disable_after_ms: Millis,
    /// The queue that gets an event when it is.
    pub events_queue: Option<String>,
}

/// Without what is secret: it may stand in a log.
impl fmt::Debug for PushConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PushConfig").field(&self.shown()).finish()
    }
}

impl PushConfig {
    fn new(target: Target) -> Self {
        // A Cloudflare Queue counts what it is asked, not what is in it.
        let batch_size = match target {
            Target::Queue(_) => PUSH_QUEUE_BATCH_MESSAGES_MAX,
            Target::Url(_) | Target::Worker(_) => 1,
        };
        Self {
            target,
            format: Format::CloudEvents,
            mode: Mode::Binary,
            headers: Vec::new(),
            batch_size,
            batch_wait_ms: 0,
            concurrency: 8,
            rate_per_second: None,
            timeout_ms: 10 * SECOND,
            secrets: Vec::new(),
            disable_after_ms: 5 * DAY,
            events_queue: None,
        }
    }

    /// `old` with the patch `value`, which stands at `place`; `null` is no push at all.
    ///
    /// # Errors
    /// `bad-request` that names the field.
    pub fn patched(old: Option<&Self>, value: &Value, place: &str) -> Result<Option<Self>, Fault> {
        if value.is_null() {
            return Ok(None);
        }
        let fields = value
            .as_object()
            .ok_or_else(|| Fault::bad(place, format!("{place} is a JSON object")))?;
        let target = target::patched(old.map(|it| &it.target), fields, place);
        // A field that is not known is named first: it may be the misspelt one that is missing.
        let named = target.clone().unwrap_or(Target::Url(String::new()));
        let mut config = old.map_or_else(|| Self::new(named.clone()), Clone::clone);
        config.target = named;
        for (name, value) in fields.iter().filter(|(name, _)| !target::is_field(name)) {
            config.set(name, value, &format!("{place}.{name}"))?;
        }
        config.target = target?;
        config.check_together(place)?;
        Ok(Some(config))
    }

    fn set(&mut self, name: &str, value: &Value, field: &str) -> Result<(), Fault> {
        let default = Self::new(self.target.clone());
        match name {
            "format" => {
                self.format = one_of(value, field, &Format::NAMES)?.unwrap_or(default.format);
            }
            "mode" => self.mode = one_of(value, field, &Mode::NAMES)?.unwrap_or(default.mode),
            "headers" => self.headers = headers(value, field, &self.headers)?,
            "batch_size" => {
                let size = uint(value, field, 1, u64::from(PULL_MESSAGES_MAX))?;
                self.batch_size = size.map_or(default.batch_size, |n| n as u32);
            }
            "batch_wait_ms" => {
                self.batch_wait_ms =
                    uint(value, field, 0, 60 * SECOND)?.unwrap_or(default.batch_wait_ms);
            }
            "concurrency" => {
                let most = uint(value, field, 1, u64::from(PUSH_CONCURRENCY_MAX))?;
                self.concurrency = most.map_or(default.concurrency, |n| n as u32);
            }
            "rate_per_second" => self.rate_per_second = rate(value, field)?,
            "timeout_ms" => {
                self.timeout_ms = uint(value, field, PUSH_TIMEOUT_MS_MIN, PUSH_TIMEOUT_MS_MAX)?
                    .unwrap_or(default.timeout_ms);
            }
            "secret" => self.secrets = secrets(value, field, &self.secrets)?,
            "disable_after_ms" => {
                self.disable_after_ms =
                    uint(value, field, 0, RETENTION_MS_MAX)?.unwrap_or(default.disable_after_ms);
            }
            "events_queue" => self.events_queue = text(value, field)?,
            _ => {
                let detail = format!("there is no field {field:?} in what is said of a push");
                return Err(Fault::bad(field, detail));
            }
        }
        Ok(())
    }

    fn check_together(&self, place: &str) -> Result<(), Fault> {
        if self.mode == Mode::Structured && self.format != Format::CloudEvents {
            let detail = "only in the format \"cloudevents\" an event is structured";
            return Err(Fault::bad(format!("{place}.mode"), detail));
        }
        if let Target::Queue(_) = self.target {
            return self.check_queue(place);
        }
        if self.format == Format::Raw && self.batch_size > 1 {
            let detail = "in the format \"raw\" a request has one message: batch_size is 1";
            return Err(Fault::bad(format!("{place}.batch_size"), detail));
        }
        Ok(())
    }

    /// What a Cloudflare Queue has no place for.
    fn check_queue(&self, place: &str) -> Result<(), Fault> {
        let wrong = if self.format == Format::Batch {
            Some((
                "format",
                "takes messages in the formats cloudevents and raw",
            ))
        } else if self.mode == Mode::Structured {
            Some(("mode", "takes events in their one form"))
        } else if !self.headers.is_empty() {
            Some(("headers", "has none"))
        } else if !self.secrets.is_empty() {
            Some(("secret", "has no place for a signature"))
        } else if self.batch_size > PUSH_QUEUE_BATCH_MESSAGES_MAX {
            Some(("batch_size", "takes at most 100 messages at a time"))
        } else {
            None
        };
        wrong.map_or(Ok(()), |(name, why)| {
            let field = format!("{place}.{name}");
            let detail = format!("{field}: a Cloudflare Queue {why}");
            Err(Fault::bad(field, detail))
        })
    }

    /// Every field as JSON, in the shape a patch takes: what is stored.
    #[must_use]
    pub fn stored(&self) -> Value {
        let headers: Map<String, Value> = self
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        let mut stored = json!({
            "format": self.format.name(), "mode": self.mode.name(), "headers": headers,
            "batch_size": self.batch_size, "batch_wait_ms": self.batch_wait_ms,
            "concurrency": self.concurrency, "rate_per_second": self.rate_per_second.map(number),
            "timeout_ms": self.timeout_ms, "secret": self.secrets,
            "disable_after_ms": self.disable_after_ms, "events_queue": self.events_queue,
        });
        self.target.store(&mut stored);
        stored
    }

    /// The same without what is secret: what is shown.
    #[must_use]
    pub fn shown(&self) -> Value {
        let mut shown = self.stored();
        let names = self.headers.iter().map(|(name, _)| name.clone());
        let hidden: Map<String, Value> = names.map(|name| (name, json!(HIDDEN))).collect();
        shown["headers"] = Value::Object(hidden);
        shown["secret"] = match self.secrets.len() {
            0 => Value::Null,
            1 => json!(HIDDEN),
            n => json!(vec![HIDDEN; n]),
        };
        shown
    }
}

fn number(n: f64) -> Value {
    if n.fract() == 0.0 {
        json!(n as u64)
    } else {
        json!(n)
    }
}

fn uint(value: &Value, field: &str, min: u64, max: u64) -> Result<Option<u64>, Fault> {
    match value.as_u64() {
        _ if value.is_null() => Ok(None),
        Some(n) if (min..=max).contains(&n) => Ok(Some(n)),
        _ => {
            let detail = format!("{field} is a whole number from {min} to {max}");
            Err(Fault::bad(field, detail))
        }
    }
}

fn rate(value: &Value, field: &str) -> Result<Option<f64>, Fault> {
    match value.as_f64() {
        _ if value.is_null() => Ok(None),
        Some(n) if (0.001..=PUSH_RATE_MAX).contains(&n) => Ok(Some(n)),
        _ => {
            let detail = format!("{field} is a number from 0.001 to {PUSH_RATE_MAX}");
            Err(Fault::bad(field, detail))
        }
    }
}

/// Whether it is the name of a queue is the engine's to say.
fn text(value: &Value, field: &str) -> Result<Option<String>, Fault> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(Fault::bad(field, format!("{field} is the name of a queue"))),
    }
}

fn one_of<T: Copy>(value: &Value, field: &str, names: &[(&str, T)]) -> Result<Option<T>, Fault> {
    if value.is_null() {
        return Ok(None);
    }
    let known = |text: &str| names.iter().find(|(name, _)| *name == text);
    let found = value.as_str().and_then(known).map(|(_, it)| *it);
    found.map(Some).ok_or_else(|| {
        let all: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        Fault::bad(field, format!("{field} is one of {}", all.join(", ")))
    })
}

fn headers(
    value: &Value,
    field: &str,
    old: &[(String, String)],
) -> Result<Vec<(String, String)>, Fault> {
    if value.is_null() {
        return Ok(Vec::new());
    }
    let bad = |detail: String| Fault::bad(field, detail);
    let object = value
        .as_object()
        .ok_or_else(|| bad(format!("{field} is a JSON object of names and values")))?;
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, value) in object {
        let inner = format!("{field}.{name}");
        let name = name.to_ascii_lowercase();
        check_header_name(&name).map_err(|why| Fault::bad(inner.as_str(), why))?;
        if headers.iter().any(|(known, _)| *known == name) {
            return Err(Fault::bad(inner, "this header is given twice"));
        }
        let known = old.iter().find(|(known, _)| *known == name);
        let value = match (value.as_str(), known) {
            (Some(HIDDEN), Some((_, value))) => value.clone(),
            (Some(text), _) if is_header_value(text) => text.to_owned(),
            _ => {
                return Err(Fault::bad(
                    inner,
                    "the value of a header is printable ASCII",
                ));
            }
        };
        headers.push((name, value));
    }
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if headers.len() > PUSH_HEADERS_MAX || bytes > PUSH_HEADERS_BYTES_MAX {
        return Err(bad(format!(
            "at most {PUSH_HEADERS_MAX} headers of {PUSH_HEADERS_BYTES_MAX} bytes together"
        )));
    }
    Ok(headers)
}

/// RFC 9110, 5.6.2: a name is a token.
pub(super) fn is_token(name: &str) -> bool {
    let is_mark = |b: u8| b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || is_mark(b))
}

fn check_header_name(name: &str) -> Result<(), &'static str> {
    if !is_token(name) {
        return Err("the name of a header is a token of HTTP");
    }
    let is_own = OWN_HEADERS.contains(&name) || OWN_PREFIXES.iter().any(|it| name.starts_with(it));
    if is_own {
        return Err("this header is the request's own");
    }
    Ok(())
}

fn is_header_value(text: &str) -> bool {
    text.bytes().all(|b| (b' '..=b'~').contains(&b)) && text.trim() == text && !text.is_empty()
}

fn secrets(value: &Value, field: &str, old: &[String]) -> Result<Vec<String>, Fault> {
    let bad = |detail: &str| Fault::bad(field, format!("{field}: {detail}"));
    let list = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(list) => list.iter().collect(),
        one => vec![one],
    };
    if list.len() > PUSH_SECRETS_MAX {
        return Err(bad(&format!(
            "at most {PUSH_SECRETS_MAX} secrets sign at a time"
        )));
    }
    let mut secrets = Vec::new();
    for (at, secret) in list.into_iter().enumerate() {
        let text = secret.as_str().ok_or_else(|| bad("a secret is a string"))?;
        match old.get(at) {
            Some(known) if text == HIDDEN => secrets.push(known.clone()),
            _ => {
                signature::check(text).map_err(bad)?;
                secrets.push(text.to_owned());
            }
        }
    }
    Ok(secrets)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn patched(old: Option<&PushConfig>, patch: Value) -> Result<Option<PushConfig>, Fault> {
        PushConfig::patched(old, &patch, "push")
    }

    fn full() -> PushConfig {
        let patch = json!({
            "url": "https://example.com/hook", "format": "batch", "headers": {"X-Key": "k"},
            "batch_size": 10, "batch_wait_ms": 5, "concurrency": 2, "rate_per_second": 2.5,
            "timeout_ms": 500, "secret": [SECRET, SECRET], "disable_after_ms": 0,
            "events_queue": "ops",
        });
        patched(None, patch).unwrap().unwrap()
    }

    #[test]
    fn it_survives_its_stored_form() {
        let config = full();
        assert_eq!(patched(None, config.stored()).unwrap().unwrap(), config);
    }

    #[test]
    fn nothing_secret_is_shown_and_what_is_shown_can_be_sent_back() {
        let config = full();
        let shown = config.shown();
        for text in [shown.to_string(), format!("{config:?}")] {
            assert!(
                !text.contains("MfKQ9r8") && !text.contains("\"k\""),
                "{text}"
            );
        }
        assert_eq!(patched(Some(&config), shown).unwrap().unwrap(), config);
    }

    #[test]
    fn a_patch_changes_what_it_names() {
        let changed = patched(Some(&full()), json!({"concurrency": 3}))
            .unwrap()
            .unwrap();
        assert_eq!(
            changed,
            PushConfig {
                concurrency: 3,
                ..full()
            }
        );
        assert_eq!(patched(Some(&full()), Value::Null).unwrap(), None);
    }

    #[test]
    fn bad_fields_are_named() {
        let url = "https://example.com/";
        for (patch, field) in [
            (json!([]), "push"),
            (json!({}), "push.url"),
            (json!({"url": "nope"}), "push.url"),
            (json!({"url": 1}), "push.url"),
            (json!({"url": url, "nope": 1}), "push.nope"),
            (json!({"url": url, "format": "xml"}), "push.format"),
            (json!({"url": url, "mode": "xml"}), "push.mode"),
            (
                json!({"url": url, "mode": "structured", "format": "raw"}),
                "push.mode",
            ),
            (
                json!({"url": url, "format": "raw", "batch_size": 2}),
                "push.batch_size",
            ),
            (json!({"url": url, "concurrency": 0}), "push.concurrency"),
            (
                json!({"url": url, "rate_per_second": 0}),
                "push.rate_per_second",
            ),
            (json!({"url": url, "timeout_ms": 1}), "push.timeout_ms"),
            (json!({"url": url, "secret": "short"}), "push.secret"),
            (json!({"url": url, "secret": HIDDEN}), "push.secret"),
            (
                json!({"url": url, "headers": {"Host": "x"}}),
                "push.headers.Host",
            ),
            (
                json!({"url": url, "headers": {"ce-id": "x"}}),
                "push.headers.ce-id",
            ),
            (
                json!({"url": url, "headers": {"a b": "x"}}),
                "push.headers.a b",
            ),
            (
                json!({"url": url, "headers": {"x": "a\nb"}}),
                "push.headers.x",
            ),
            (
                json!({"url": url, "headers": {"x": "1", "X": "2"}}),
                "push.headers.x",
            ),
        ] {
            let fault = patched(None, patch.clone()).unwrap_err();
            assert_eq!(fault.figures.field.as_deref(), Some(field), "{patch}");
        }
    }

    #[test]
    fn what_a_cloudflare_queue_has_no_place_for_is_named() {
        for (patch, field) in [
            (
                json!({"cloudflare_queue": "Q", "format": "batch"}),
                "push.format",
            ),
            (
                json!({"cloudflare_queue": "Q", "mode": "structured"}),
                "push.mode",
            ),
            (
                json!({"cloudflare_queue": "Q", "headers": {"x": "y"}}),
                "push.headers",
            ),
            (
                json!({"cloudflare_queue": "Q", "secret": SECRET}),
                "push.secret",
            ),
            (
                json!({"cloudflare_queue": "Q", "batch_size": 101}),
                "push.batch_size",
            ),
        ] {
            let fault = patched(None, patch.clone()).unwrap_err();
            assert_eq!(fault.figures.field.as_deref(), Some(field), "{patch}");
        }
        let config = patched(None, json!({"cloudflare_queue": "Q"}))
            .unwrap()
            .unwrap();
        assert_eq!(config.batch_size, PUSH_QUEUE_BATCH_MESSAGES_MAX);
    }
}
