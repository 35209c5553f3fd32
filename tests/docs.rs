//! The reference documents that are made from the code: `docs/ERRORS.md` and `docs/LIMITS.md`.
//!
//! Each test renders one document and fails when the file differs; `UPDATE=1 cargo test --test
//! docs` writes it. Owns the sentences that the code does not have: what to do about an error,
//! which limits users meet, what the fields of a configuration are counted in. Each of these lists
//! is total: a new error code, limit or field that is missing here does not compile, or fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use tidegate::engine::config::Config;
use tidegate::error::{Class, ErrorCode};
use tidegate::limits;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn errors_are_documented() {
    expect_document("docs/ERRORS.md", &errors_document());
}

#[test]
fn limits_are_documented() {
    expect_document("docs/LIMITS.md", &limits_document());
}

#[test]
fn every_limit_is_either_for_users_or_internal() {
    let listed: Vec<&str> = LIMITS.iter().map(|limit| limit.name).collect();
    let distinct: BTreeSet<&str> = listed.iter().copied().collect();
    assert_eq!(distinct.len(), listed.len(), "a limit is listed twice");
    let source = comments_of_limits();
    let defined: BTreeSet<&str> = source.keys().map(String::as_str).collect();
    assert_eq!(distinct, defined, "LIMITS here and src/limits.rs differ");
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
        assert!(field.accepts(&number(min)), "{}: {min}", field.path);
        assert!(field.accepts(&number(max)), "{}: {max}", field.path);
        for outside in [min - step, max + max.max(1.0)] {
            assert!(
                !field.accepts(&number(outside)),
                "{}: {outside}",
                field.path
            );
        }
    }
}

fn expect_document(path: &str, wanted: &str) {
    let file = Path::new(ROOT).join(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, wanted).unwrap();
        return;
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = found.lines().zip(wanted.lines()).find(|(a, b)| a != b);
    assert!(
        found == wanted,
        "{path} is not what the code says. Bring it up to date: UPDATE=1 cargo test --test docs\n\
         first difference (file, code): {differs:#?}"
    );
}

// Errors.

const ERRORS_BEFORE: &str = "\
# Errors

<!-- Made by tests/docs.rs from src/error.rs: UPDATE=1 cargo test --test docs -->

Every error is a problem document (RFC 9457, `application/problem+json`). Match on `type`: it is
stable, and a retired one is never used again. `title` and `detail` are for people and may change.
The same documents stand under `error` in the answers to batches and acknowledgements, for one
entry alone.

```json
{\"type\": \"queue-full\", \"title\": \"The queue has no room\", \"status\": 429,
 \"detail\": \"the backlog has 100 messages, which is all it may have\",
 \"limit\": 100, \"depth\": 100, \"retry_after_ms\": 1000}
```

| type | status | whose turn | means | what to do |
| --- | --- | --- | --- | --- |
";

const ERRORS_AFTER: &str = "
*Whose turn*: **you** – the request is wrong, and will be again. **state** – the request is right,
but the state of the queue or the message does not allow it; repeating it helps only when that
changes. **later** – there is no room now; repeat it after `Retry-After`. **server** – something
failed on this side.

Which fields a problem document has beside these is in [HTTP.md](HTTP.md#errors).
";

fn errors_document() -> String {
    let mut out = String::from(ERRORS_BEFORE);
    for code in ErrorCode::ALL {
        let (slug, status, title) = (code.slug(), code.status(), code.title());
        let (turn, advice) = (turn(code.class()), advice(*code));
        let _ = writeln!(out, "| `{slug}` | {status} | {turn} | {title} | {advice} |");
    }
    out.push_str(ERRORS_AFTER);
    out
}

fn turn(class: Class) -> &'static str {
    match class {
        Class::Client => "you",
        Class::Conflict => "state",
        Class::Overload => "later",
        Class::Server => "server",
    }
}

fn advice(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::BadRequest => "Correct what `field` names; `detail` says what belongs there.",
        ErrorCode::Unauthorized => {
            "Send `Authorization: Bearer` with the deployment's token. Where there is none yet, \
             `detail` says how to set one."
        }
        ErrorCode::Forbidden => {
            "A page of another site: add its origin to the queue's `cors_origins`. An open server \
             on loopback: call it as `localhost`, or set `ADMIN_TOKEN`."
        }
        ErrorCode::NotFound => {
            "Check path, name and id. A message's end is forgotten after a while. Where \
             `AUTO_CREATE` is `false`, create the queue first."
        }
        ErrorCode::MethodNotAllowed => "Use one of the methods in `Allow`.",
        ErrorCode::MessageTooLarge => {
            "Send at most `limit` bytes, or raise `max_message_bytes`. Keep large data elsewhere, \
             and its address in the message."
        }
        ErrorCode::RequestTooLarge => {
            "Split the batch or the acknowledgement; shorten URL and headers."
        }
        ErrorCode::UnsupportedMedia => "Send the `Content-Type` that `detail` names.",
        ErrorCode::QueueFull => {
            "Repeat after `Retry-After`, with an `Idempotency-Key`. As the owner: drain faster, \
             raise `max_messages` or `max_bytes`, or choose another `overflow`."
        }
        ErrorCode::SoldOut => {
            "Stop: nothing is left. A cancellation, a hold that runs out, an acknowledgement with \
             `release` or a higher `max_accepted` makes room again."
        }
        ErrorCode::KeyLimit => "Stop for this key. Cancelling one of its messages frees a place.",
        ErrorCode::NotOpen => {
            "Come back after `Retry-After`; the edge spreads these over up to a second past the \
             opening."
        }
        ErrorCode::Closed => "Stop. The owner may move `closes_at_ms`.",
        ErrorCode::RateLimited => "Repeat after `Retry-After`.",
        ErrorCode::LeaseExpired => {
            "Drop the work, or make sure that doing it twice is harmless: the message may be with \
             another consumer. Ask for longer leases, or extend them."
        }
        ErrorCode::WrongState => {
            "Read the message's state; what was asked is too late, or too early."
        }
        ErrorCode::Overloaded => "Repeat after `Retry-After`, less often.",
        ErrorCode::Unavailable => {
            "Repeat, with an `Idempotency-Key`: the request may have been carried out. If it \
             stays, the server's log says why."
        }
        ErrorCode::Internal => "Report it, with the server's log of that moment.",
    }
}

// Limits.

struct Limit {
    name: &'static str,
    value: u64,
    for_users: bool,
}

macro_rules! limits {
    (users { $($user:ident)* } internal { $($internal:ident)* }) => {
        const LIMITS: &[Limit] = &[
            $(Limit::new(stringify!($user), limits::$user as u64, true),)*
            $(Limit::new(stringify!($internal), limits::$internal as u64, false),)*
        ];
    };
}

limits! {
    users {
        NAME_CHARS_MAX
        MESSAGE_BYTES_MAX MESSAGE_BYTES_DEFAULT
        KEY_CHARS_MAX IDEMPOTENCY_KEY_CHARS_MAX CONTENT_TYPE_CHARS_MAX
        ATTRIBUTES_MAX ATTRIBUTE_NAME_CHARS_MAX ATTRIBUTES_BYTES_MAX
        PRIORITY_MAX PRIORITY_DEFAULT
        DELAY_MS_MAX HOLD_MS_MAX RETENTION_MS_MAX
        BATCH_MESSAGES_MAX BATCH_BYTES_MAX
        PULL_MESSAGES_MAX PULL_BYTES_MAX WAIT_MS_MAX WAITERS_MAX
        LEASE_MS_MIN LEASE_MS_MAX
        ACK_ENTRIES_MAX RESULT_BYTES_MAX
        BROWSE_MESSAGES_MAX LIST_QUEUES_MAX
        JSON_BYTES_MAX HEAD_BYTES_MAX
        OUTSTANDING_MAX IDEMPOTENCY_KEYS_MAX OUTBOX_MAX
        SEQ_MAX VERDICT_MS_MAX
    }
    internal {
        SEGMENT_MESSAGES_MAX SEGMENT_BODY_BYTES_MAX SEGMENT_HEAD_BYTES_MAX SEGMENT_CACHE_BYTES_MAX
        JOURNAL_SLOTS UNJOURNALED_MESSAGES_MAX UNJOURNALED_SEGMENTS_MAX
        PASSED_OVER_PER_TURN_MAX TIMERS_PER_TURN_MAX FORWARD_MESSAGES_MAX
        VERDICTS_MAX
    }
}

/// Words of a limit's name that say what it is counted in, and how that is written.
const UNITS: &[(&str, &str)] = &[
    ("BYTES", "bytes"),
    ("MS", "ms"),
    ("CHARS", "characters"),
    ("MESSAGES", "messages"),
    ("ENTRIES", "entries"),
    ("QUEUES", "queues"),
];

impl Limit {
    const fn new(name: &'static str, value: u64, for_users: bool) -> Self {
        Self {
            name,
            value,
            for_users,
        }
    }

    /// `BATCH_BYTES_MAX` as (`batch`, `at most`, `bytes`).
    fn words(&self) -> (String, &'static str, &'static str) {
        let mut words: Vec<&str> = self.name.split('_').collect();
        let bound = match words.last() {
            Some(&"MAX") => "at most ",
            Some(&"MIN") => "at least ",
            Some(&"DEFAULT") => "by default ",
            _ => "",
        };
        if !bound.is_empty() {
            words.pop();
        }
        let unit = UNITS.iter().find(|(word, _)| words.last() == Some(word));
        if unit.is_some() {
            words.pop();
        }
        let name = words.join(" ").to_lowercase();
        (name, bound, unit.map_or("", |(_, text)| text))
    }

    fn value_with_unit(&self) -> String {
        with_unit(self.value, self.words().2)
    }
}

const LIMITS_BEFORE: &str = "\
# Limits

<!-- Made by tests/docs.rs from src/limits.rs and src/engine/config.rs:
     UPDATE=1 cargo test --test docs -->

Limits are facts of the product. What a queue may be told instead is its configuration, below. The
limits of filters are in [FILTERS.md](FILTERS.md#limits).

| limit | value | what it bounds |
| --- | --- | --- |
";

const LIMITS_AFTER: &str = "
What is too large is refused, never cut: `400` with `field`, or `413`. What is too much at a time is
`503`, `overloaded`. Beyond *idempotency keys* the oldest are let go early, and at *outstanding*
nothing new is delivered until something is acknowledged, expires or is given up.

## Configuration of a queue

What `PUT /v1/queues/{queue}` takes. A field that is not named keeps its value. `null` stands for
what the last column says. A field that does not exist, or a value out of range, is `400` with
`field`, and nothing of the request is applied.

| field | default | minimum | maximum | unit or form | `null` |
| --- | --- | --- | --- | --- | --- |
";

const FIELDS_AFTER: &str = "
Between fields: `overflow` `redirect` needs a `redirect_url`, and `dead_letter` a
`delivery.dead_letter_queue`; `closes_at_ms` is later than `opens_at_ms`; `initial_ms` is at most
`max_ms`; a queue is not its own dead-letter queue. What the fields do is in [HTTP.md](HTTP.md).
";

fn limits_document() -> String {
    let mut out = String::from(LIMITS_BEFORE);
    let comments = comments_of_limits();
    for limit in LIMITS.iter().filter(|limit| limit.for_users) {
        let (name, bound, _) = limit.words();
        let value = limit.value_with_unit();
        let comment = comments.get(limit.name).map_or("", String::as_str);
        let _ = writeln!(out, "| {name} | {bound}{value} | {comment} |");
    }
    out.push_str(LIMITS_AFTER);
    FIELDS.iter().for_each(|field| out.push_str(&field.row()));
    out.push_str(FIELDS_AFTER);
    out
}

/// The comments of `src/limits.rs` by constant, a line each; other constants in them as values.
fn comments_of_limits() -> BTreeMap<String, String> {
    let source = std::fs::read_to_string(Path::new(ROOT).join("src/limits.rs")).unwrap();
    let mut raw: BTreeMap<String, String> = BTreeMap::new();
    let mut comment = String::new();
    for line in source.lines() {
        if let Some(text) = line.strip_prefix("/// ") {
            comment.push_str(if comment.is_empty() { "" } else { " " });
            comment.push_str(text);
        } else if let Some(rest) = line.strip_prefix("pub const ") {
            let name = rest.split(':').next().unwrap_or_default().to_owned();
            assert!(!comment.is_empty(), "{name} has no comment");
            raw.insert(name, std::mem::take(&mut comment));
        } else {
            comment.clear();
        }
    }
    let comments = raw.iter();
    comments
        .map(|(name, comment)| (name.clone(), resolved(comment, &raw)))
        .collect()
}

/// "See X" becomes what is said of X; a mention of X becomes its value.
fn resolved(comment: &str, all: &BTreeMap<String, String>) -> String {
    let target = |text: &str| -> Option<String> {
        let name = text.strip_prefix("See [`")?.strip_suffix("`].")?;
        all.get(name).cloned()
    };
    let mut text = target(comment).unwrap_or_else(|| comment.to_owned());
    for limit in LIMITS {
        text = text.replace(&format!("[`{}`]", limit.name), &limit.value_with_unit());
    }
    assert!(!text.contains("[`"), "a link leads nowhere: {text}");
    text
}

// Configuration.

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
    "capacity.redirect_url" "URL" "none";
    "capacity.retry_after_ms" "ms" DEFAULT;
    "capacity.max_per_key" "messages" "no bound, and a key is optional";
    "capacity.opens_at_ms" "Unix ms" "open";
    "capacity.closes_at_ms" "Unix ms" "never closes";
    "capacity.publish_rate" "" "no bound";
    "capacity.publish_rate.per_second" "publishes a second" "refused";
    "capacity.publish_rate.burst" "publishes" "`per_second`, rounded up";
    "capacity.publish_rate.per" "" "refused";
    "capacity.ticket_ttl_ms" "" "the only value in this version";
    "delivery.visibility_timeout_ms" "ms" DEFAULT;
    "delivery.max_attempts" "deliveries" DEFAULT;
    "delivery.backoff.initial_ms" "ms" DEFAULT;
    "delivery.backoff.max_ms" "ms" DEFAULT;
    "delivery.backoff.multiplier" "factor" DEFAULT;
    "delivery.dead_letter_queue" "name of a queue" "dead letters stay here, outside the backlog";
    "delivery.order" "" DEFAULT;
    "retention_ms" "ms" DEFAULT;
    "result_retention_ms" "ms" DEFAULT;
    "dedup_window_ms" "ms" DEFAULT;
    "max_message_bytes" "bytes" DEFAULT;
    "cors_origins" "list of origins" DEFAULT;
    "push" "" "the only value in this version";
}

impl Field {
    /// The field whose value this is a part of, where that is `null` by default.
    fn parent(&self) -> Option<&'static str> {
        self.path
            .starts_with("capacity.publish_rate.")
            .then_some("capacity.publish_rate")
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
                ("initial_ms", _) => r#""max_ms": 604800000, "#,
                ("overflow", _) => r#""redirect_url": "https://example.com/", "#,
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
                    "capacity.publish_rate" => "object".to_owned(),
                    _ => self.unit.to_owned(),
                });
                ("–".to_owned(), "–".to_owned(), words)
            }
        };
        let (path, null) = (self.path, self.null);
        format!("| `{path}` | {default} | {min} | {max} | {unit} | {null} |\n")
    }
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

// Numbers.

/// As JSON: whole numbers without a point.
fn number(value: f64) -> String {
    format!("{value}")
}

fn shown(value: f64) -> String {
    if value.fract() == 0.0 {
        grouped(value as u64)
    } else {
        number(value)
    }
}

/// `604800000` as `604,800,000`.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `604,800,000 ms (7 d)`: the number, its unit, and a larger one where that is a whole number.
fn with_unit(value: u64, unit: &str) -> String {
    let larger: &[(u64, &str)] = match unit {
        "bytes" => &[(1 << 20, "MiB"), (1 << 10, "KiB")],
        "ms" => &[
            (86_400_000, "d"),
            (3_600_000, "h"),
            (60_000, "min"),
            (1_000, "s"),
        ],
        _ => &[],
    };
    let space = if unit.is_empty() { "" } else { " " };
    let plain = format!("{}{space}{unit}", grouped(value));
    match larger
        .iter()
        .find(|(size, _)| value >= *size && value % size == 0)
    {
        Some((size, name)) => format!("{plain} ({} {name})", value / size),
        None => plain,
    }
}
