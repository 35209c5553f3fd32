//! The fields of a configuration: defaults, units, and bounds as the refusals themselves say them.

use crate::number::{json, shown, with_unit};
use std::collections::BTreeSet;
use tidegate::engine::config::Config;

const BEFORE: &str = "
## Configuration of a queue

What `PUT /v1/queues/{queue}` takes. A field that is not named keeps its value. `null` stands for
what the last column says. A field that does not exist, or a value out of range, is `400` with
`field`, and nothing of the request is applied.

| field | default | minimum | maximum | unit or form | `null` |
| --- | --- | --- | --- | --- | --- |
";

const AFTER: &str = "
Between fields: `overflow` `redirect` needs a `redirect_url`, and `dead_letter` a
`delivery.dead_letter_queue`; `closes_at_ms` is later than `opens_at_ms`; `admission` `draw` needs
a `draw_at_ms`, which is later than `opens_at_ms` and, when it is set, than now; `initial_ms` is at
most `max_ms`; a queue is not its own dead-letter queue, nor told of its own messages. What the
fields do is in [HTTP.md](HTTP.md).
";

struct Field {
    path: &'static str,
    /// What a number counts; for other values, what they are.
    unit: &'static str,
    /// What `null` means, which is also the default where that is `null`.
    null: &'static str,
}

/// What a field takes, in the words of its refusal.
enum Accepts {
    Numbers { min: f64, max: f64, whole: bool },
    Other(String),
}

const DEFAULT: &str = "the default";

macro_rules! fields {
    ($($path:literal $unit:literal $null:expr;)*) => {
        const FIELDS: &[Field] = &[$(Field { path: $path, unit: $unit, null: $null },)*];
    };
}

fields! {
    "capacity.max_messages" "messages" DEFAULT;
    "capacity.max_bytes" "bytes" DEFAULT;
    "capacity.max_accepted" "messages" "no bound";
    "capacity.overflow" "" DEFAULT;
    "capacity.max_waiting" "messages" DEFAULT;
    "capacity.admission" "" DEFAULT;
    "capacity.draw_at_ms" "Unix ms" "no draw";
    "capacity.redirect_url" "URL" "none";
    "capacity.retry_after_ms" "ms" DEFAULT;
    "capacity.max_per_key" "messages" "no bound, and a key is optional";
    "capacity.opens_at_ms" "Unix ms" "open";
    "capacity.closes_at_ms" "Unix ms" "never closes";
    "capacity.publish_rate" "" "no bound";
    "capacity.publish_rate.per_second" "publishes a second" "refused";
    "capacity.publish_rate.burst" "publishes" "`per_second`, rounded up";
    "capacity.publish_rate.per" "" "refused";
    "capacity.ticket_ttl_ms" "ms" "no tickets";
    "delivery.visibility_timeout_ms" "ms" DEFAULT;
    "delivery.max_attempts" "deliveries" DEFAULT;
    "delivery.backoff.initial_ms" "ms" DEFAULT;
    "delivery.backoff.max_ms" "ms" DEFAULT;
    "delivery.backoff.multiplier" "factor" DEFAULT;
    "delivery.dead_letter_queue" "name of a queue" "dead letters stay here, outside the backlog";
    "delivery.callback_queue" "name of a queue" "nobody is told";
    "delivery.failure_callback_queue" "name of a queue" "nobody is told";
    "delivery.order" "" DEFAULT;
    "retention_ms" "ms" DEFAULT;
    "result_retention_ms" "ms" DEFAULT;
    "dedup_window_ms" "ms" DEFAULT;
    "max_message_bytes" "bytes" DEFAULT;
    "cors_origins" "list of origins" DEFAULT;
    "access.publish" "" DEFAULT;
    "access.rate_per_address.per_second" "publishes a second" DEFAULT;
    "access.rate_per_address.burst" "publishes" DEFAULT;
    "push" "" "messages are pulled";
    "push.url" "URL" "refused";
    "push.worker" "name of a binding" "refused";
    "push.cloudflare_queue" "name of a binding" "refused";
    "push.format" "" DEFAULT;
    "push.mode" "" DEFAULT;
    "push.headers" "object of names and values" DEFAULT;
    "push.batch_size" "messages" DEFAULT;
    "push.batch_wait_ms" "ms" DEFAULT;
    "push.concurrency" "calls" DEFAULT;
    "push.rate_per_second" "calls a second" "no bound";
    "push.timeout_ms" "ms" DEFAULT;
    "push.secret" "a secret, or a list of them" "not signed";
    "push.disable_after_ms" "ms, 0 for never" DEFAULT;
    "push.events_queue" "name of a queue" "nobody is told";
}

impl Field {
    /// The field whose value this is a part of, where that is `null` by default.
    fn parent(&self) -> Option<&'static str> {
        let parents = ["capacity.publish_rate", "push"];
        let is_in = |parent: &&&str| {
            let rest = self.path.strip_prefix(**parent);
            rest.is_some_and(|rest| rest.starts_with('.'))
        };
        parents.iter().find(is_in).copied()
    }

    /// The default as JSON; nothing for a part of something that is not there by default.
    fn default_value(&self) -> Option<String> {
        if self.parent().is_some() {
            return None;
        }
        let all = Config::default().to_json();
        let mut names = self.path.split('.');
        let mut value = &all[names.next().unwrap_or_default()];
        for name in names {
            value = &value[name];
        }
        Some(value.to_string())
    }

    /// A patch that sets this field, and beside it what the rules between fields want.
    fn patch(&self, value: &str) -> String {
        let mut patch = value.to_owned();
        for name in self.path.rsplit('.') {
            let beside = match (name, self.path) {
                ("burst" | "per", _) => r#""per_second": 1, "#,
                ("url" | "worker" | "cloudflare_queue", _) => "",
                (inner, path) if path == format!("push.{inner}") => {
                    r#""url": "https://example.com/", "#
                }
                ("initial_ms", _) => r#""max_ms": 604800000, "#,
                ("overflow", _) => r#""redirect_url": "https://example.com/", "#,
                ("admission", _) => r#""draw_at_ms": 1, "#,
                _ => "",
            };
            patch = format!("{{{beside}\"{name}\": {patch}}}");
        }
        patch
    }

    fn accepts(&self, value: &str) -> bool {
        Config::default().patched(&self.patch(value)).is_ok()
    }

    /// What the refusal of a value that fits nowhere says that the field takes.
    fn range(&self) -> Accepts {
        let fault = Config::default().patched(&self.patch("true")).unwrap_err();
        let numbers = fault.detail.split_once(" number from ");
        let Some((words, range)) = numbers else {
            return Accepts::Other(fault.detail);
        };
        let (min, max) = range.split_once(" to ").unwrap();
        Accepts::Numbers {
            min: min.parse().unwrap(),
            max: max.parse().unwrap(),
            whole: words.ends_with("whole"),
        }
    }

    fn row(&self) -> String {
        let default = match self.default_value() {
            None => "–".to_owned(),
            Some(json) => match json.parse::<u64>() {
                Ok(value) => with_unit(value, if self.unit == "ms" { "ms" } else { "" }),
                Err(_) => format!("`{json}`"),
            },
        };
        let (min, max, unit) = match self.range() {
            Accepts::Numbers { min, max, .. } => (shown(min), shown(max), self.unit.to_owned()),
            Accepts::Other(detail) => {
                let choices = detail.split_once(" is one of ").map(|(_, list)| list);
                let list = choices.map(|list| format!("one of `{}`", list.replace(", ", "`, `")));
                let words = list.unwrap_or_else(|| match self.path {
                    "capacity.publish_rate.per" => "`queue` or `key`".to_owned(),
                    "capacity.publish_rate" | "push" => "object".to_owned(),
                    _ => self.unit.to_owned(),
                });
                ("–".to_owned(), "–".to_owned(), words)
            }
        };
        let (path, null) = (self.path, self.null);
        format!("| `{path}` | {default} | {min} | {max} | {unit} | {null} |\n")
    }
}

/// Appends the section on the configuration.
pub fn append(out: &mut String) {
    out.push_str(BEFORE);
    FIELDS.iter().for_each(|field| out.push_str(&field.row()));
    out.push_str(AFTER);
}

fn leaves_of_configuration() -> BTreeSet<String> {
    let all = Config::default().to_json();
    let mut open: Vec<_> = all.into_iter().collect();
    let mut leaves = BTreeSet::new();
    while let Some((path, value)) = open.pop() {
        match value.as_object() {
            Some(inner) => {
                let inner = inner.iter();
                open.extend(inner.map(|(name, value)| (format!("{path}.{name}"), value.clone())));
            }
            None => {
                leaves.insert(path);
            }
        }
    }
    leaves
}

#[test]
fn every_field_of_a_configuration_is_documented() {
    let documented: BTreeSet<String> = FIELDS
        .iter()
        .filter(|field| field.parent().is_none())
        .map(|field| field.path.to_owned())
        .collect();
    assert_eq!(documented, leaves_of_configuration());
}

#[test]
fn documented_bounds_are_the_ones_that_hold() {
    for field in FIELDS {
        let null = field.accepts("null");
        let is_required = field.null == "refused";
        assert_ne!(null, is_required, "{}: null", field.path);
        let Accepts::Numbers { min, max, whole } = field.range() else {
            continue;
        };
        let step = if whole { 1.0 } else { 0.0001 };
        assert!(field.accepts(&json(min)), "{}: {min}", field.path);
        assert!(field.accepts(&json(max)), "{}: {max}", field.path);
        for outside in [min - step, max + step] {
            assert!(!field.accepts(&json(outside)), "{}: {outside}", field.path);
        }
    }
}
