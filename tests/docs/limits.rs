//! `docs/LIMITS.md`: the product's limits, from their own comments, and the configuration.

use crate::configuration;
use crate::document::{at, read};
use crate::number::with_unit;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use tidegate::limits;

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
        ACK_ENTRIES_MAX RESULT_BYTES_MAX ATTEMPTS_MAX
        BROWSE_MESSAGES_MAX LIST_QUEUES_MAX METRICS_SUBSCRIPTIONS_MAX
        JSON_BYTES_MAX HEAD_BYTES_MAX
        WAITING_MAX WAITING_DEFAULT
        TICKET_TTL_MS_MAX JWKS_CACHE_MS JWKS_KEYS_MAX
        TOKEN_BYTES_MAX TOKEN_SCOPES_MAX TOKEN_LEEWAY_MS TOKEN_TTL_MS_MIN TOKEN_TTL_MS_MAX
        KEY_SET_BYTES_MAX KEY_SET_KEYS_MAX KEY_SET_AGE_MS_MIN KEY_SET_AGE_MS_MAX
        KEY_SET_STALE_MS_MAX KEY_SET_READ_MS_MAX
        OUTSTANDING_MAX IDEMPOTENCY_KEYS_MAX OUTBOX_MAX
        SEQ_MAX VERDICT_MS_MAX
        MEMORY_TOPIC_MESSAGES_MAX MEMORY_TOPIC_BYTES_MAX LAST_PER_KEY_MESSAGES_MAX
        READ_SCAN_MESSAGES_MAX READERS_MAX READERS_OF_NETWORK_MAX LAG_MESSAGES_MAX
        SOCKET_FRAME_BYTES_MAX SUBSCRIPTIONS_MAX
        PATTERN_SUBSCRIPTIONS_MAX PATTERN_TOPICS_MAX PATTERN_IDLE_MS
        PUSH_CONCURRENCY_MAX PUSH_RATE_MAX PUSH_TIMEOUT_MS_MIN PUSH_TIMEOUT_MS_MAX
        PUSH_HEADERS_MAX PUSH_HEADERS_BYTES_MAX PUSH_SECRETS_MAX PUSH_RETRY_AFTER_MS_MAX
        PUSH_ANSWER_BYTES_MAX ATTEMPT_ANSWER_BYTES_MAX
        PUSH_QUEUE_BATCH_MESSAGES_MAX PUSH_QUEUE_BATCH_BYTES_MAX PUSH_QUEUE_MESSAGE_BYTES_MAX
        BINDINGS_MAX BINDING_NAME_CHARS_MAX
    }
    internal {
        SEGMENT_MESSAGES_MAX SEGMENT_BODY_BYTES_MAX SEGMENT_HEAD_BYTES_MAX SEGMENT_CACHE_BYTES_MAX
        PUSH_QUEUE_OVERHEAD_BYTES SPARE_ROWS_MAX SPARE_BYTES_MAX QUARANTINE_ROWS_MAX
        QUARANTINE_BYTES_MAX QUARANTINE_PAGE_MAX REPAIR_SEQ_GAP
        JOURNAL_SLOTS UNJOURNALED_MESSAGES_MAX UNJOURNALED_SEGMENTS_MAX
        ADMITTED_PER_TURN_MAX ADMITTED_BYTES_PER_TURN_MAX DRAWN_PER_TURN_MAX DRAWS_MAX
        PASSED_OVER_PER_TURN_MAX ANSWERS_BYTES_PER_TURN_MAX PULL_LOOK_MS_MAX
        ALARM_AHEAD_MS_MAX KEY_RATES_MAX READ_LOOKS_PER_TURN_MAX
        TIMERS_PER_TURN_MAX FORWARD_MESSAGES_MAX
        REDRIVE_LOOKED_AT_MAX REDRIVE_BYTES_MAX
        VERDICTS_MAX ATTEMPT_ROWS_MAX ATTEMPT_ROW_BYTES MULTIPLIER_MAX
        TOKENS_KNOWN_MAX LIST_SCAN_QUEUES_MAX
        PATTERN_STEPS_MAX
        PUBLIC_QUEUES_MAX PUBLIC_ASKS_PER_SECOND_MAX PUBLIC_ADDRESSES_MAX
        PREFLIGHTS_PER_SECOND_MAX PREFLIGHTS_KNOWN_MAX
        FRAME_MESSAGES_MAX FRAME_BYTES_MAX FRAMES_AHEAD_MAX RETAIN_SEGMENTS_PER_TURN_MAX
        PRESENCE_CHANGES_MAX EVENTS_PER_TURN_MAX
        RELAY_LINE_MAX RELAY_LINE_BYTES_MAX RELAY_CALL_PUBLISHES_MAX RELAY_CALL_BYTES_MAX
        RELAY_PACE_MS RELAY_REFUSED_PACE_MS RELAY_WAIT_MS_MAX RELAY_CALL_MS_MAX
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
    ("READERS", "readers"),
    ("TOPICS", "topics"),
    ("SUBSCRIPTIONS", "subscriptions"),
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

const BEFORE: &str = "\
# Limits

<!-- Made by tests/docs/ from src/limits.rs and src/engine/config.rs:
     UPDATE=1 cargo test --test docs -->

Limits are facts of the product. What a queue may be told instead is its configuration, below. The
limits of filters are in [FILTERS.md](FILTERS.md#limits).

| limit | value | what it bounds | one beyond it |
| --- | --- | --- | --- |
";

const AFTER: &str = "
What is at a limit passes; `tests/conformance/limits.json` names the test of each. What is too
large is refused, never cut: `400` with `field`, or `413`. What is too much at a time is
`503`, `overloaded`. Beyond *idempotency keys* the oldest are let go early, and at *outstanding*
nothing new is delivered until something is acknowledged, expires or is given up.
";

/// The document.
pub fn document() -> String {
    let mut out = String::from(BEFORE);
    let (comments, answers) = (comments_of_limits(), answers());
    for limit in LIMITS.iter().filter(|limit| limit.for_users) {
        let (name, bound, _) = limit.words();
        let value = limit.value_with_unit();
        let comment = comments.get(limit.name).map_or("", String::as_str);
        let beyond = answers
            .get(limit.name)
            .map_or_else(String::new, Beyond::words);
        let _ = writeln!(out, "| {name} | {bound}{value} | {comment} | {beyond} |");
    }
    out.push_str(AFTER);
    configuration::append(&mut out);
    out
}

/// What happens one beyond a limit, and which test shows it: `tests/conformance/limits.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Beyond {
    value: u64,
    /// Status and type of the problem; else `says` has words.
    answer: Option<String>,
    field: Option<String>,
    says: Option<String>,
    /// A file and what the test is called there; without them it is driven by the table.
    test: Option<String>,
    name: Option<String>,
}

impl Beyond {
    fn words(&self) -> String {
        let answer = self.answer.as_ref().map(|it| it.replace(' ', "` `"));
        let field = self.field.as_ref().map(|it| format!(", `field` `{it}`"));
        match answer {
            Some(answer) => format!("`{answer}`{}", field.unwrap_or_default()),
            None => self.says.clone().unwrap_or_default(),
        }
    }

    /// Whether there is a test; what the table drives is held to it by the driver itself.
    fn is_shown(&self) -> bool {
        match (&self.test, &self.name) {
            (Some(file), Some(name)) => !name.is_empty() && read(at(file)).contains(name),
            (None, None) => true,
            _ => false,
        }
    }
}

fn answers() -> BTreeMap<String, Beyond> {
    serde_json::from_str(&read(at("tests/conformance/limits.json"))).unwrap()
}

/// The comments of `src/limits.rs` by constant, a line each; other constants in them as values.
fn comments_of_limits() -> BTreeMap<String, String> {
    let source = read(at("src/limits.rs"));
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
fn every_limit_for_users_has_an_answer_and_a_test() {
    let mut answers = answers();
    for limit in LIMITS.iter().filter(|limit| limit.for_users) {
        let beyond = answers.remove(limit.name);
        let beyond = beyond.unwrap_or_else(|| panic!("{}: what is beyond it?", limit.name));
        assert_eq!(beyond.value, limit.value, "{}", limit.name);
        assert!(!beyond.words().is_empty(), "{}: no answer", limit.name);
        assert!(beyond.is_shown(), "{}: its test is not there", limit.name);
    }
    let left: Vec<_> = answers.keys().collect();
    assert!(left.is_empty(), "no limits for users: {left:?}");
}
