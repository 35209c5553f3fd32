//! What holds of every filter: nothing panics, nothing depends on how a condition is spelt.

use super::{attributes, cases, filter, selector_json};
use crate::engine::filter::selector::Selector;
use crate::engine::filter::{Filter, Subject};
use proptest::prelude::*;

const NAMES: [&str; 5] = ["a", "b", "c", "flag", "missing"];

/// Fragments of both languages, so that random text gets past the first character.
const FRAGMENTS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "'",
    "(",
    ")",
    " ",
    "\\",
    "*",
    "%",
    "_",
    "é",
    "\u{0}",
    "\\u00",
    "1",
    "-1.5e3",
    "0x1F",
    "9223372036854775808",
    "true",
    "null",
    "\"key\"",
    "\"body\"",
    "\"attributes\"",
    "\"$or\"",
    "\"prefix\"",
    "\"anything-but\"",
    "\"numeric\"",
    "\"exists\"",
    "\"wildcard\"",
    "\"cidr\"",
    "\">\"",
    "a",
    "=",
    "<>",
    "<",
    ">=",
    "+",
    "-",
    "/",
    " AND ",
    " OR ",
    " NOT ",
    " BETWEEN ",
    " IN ",
    " LIKE ",
    " ESCAPE ",
    " IS ",
    " NULL",
    "TRUE",
    "TidegateKey",
];

/// Text of a few fragments.
fn fragments() -> impl Strategy<Value = String> {
    let fragment = prop::sample::select(FRAGMENTS.to_vec());
    prop::collection::vec(fragment, 0..24).prop_map(|parts| parts.concat())
}

fn condition() -> impl Strategy<Value = String> {
    let name = || prop::sample::select(NAMES.to_vec());
    let number =
        || prop::sample::select(vec!["0", "1", "-2", "2.5", "a + 1", "b * c", "c / b", "-a"]);
    let text = || prop::sample::select(vec!["'1'", "'x'", "''", "'true'"]);
    let sign = || prop::sample::select(vec!["=", "<>", "<", "<=", ">", ">="]);
    let leaf = prop_oneof![
        (name(), sign(), number())
            .prop_map(|(name, sign, number)| format!("{name} {sign} {number}")),
        (number(), text()).prop_map(|(number, text)| format!("{number} = {text}")),
        (name(), text()).prop_map(|(name, text)| format!("{name} <> {text}")),
        (name(), number(), number())
            .prop_map(|(name, low, high)| format!("{name} BETWEEN {low} AND {high}")),
        (name(), text(), text())
            .prop_map(|(name, one, other)| format!("{name} NOT IN ({one}, {other}, 2)")),
        name().prop_map(|name| format!("{name} LIKE '%_'")),
        name().prop_map(|name| format!("{name} IS NOT NULL")),
        name().prop_map(str::to_owned),
        Just("TRUE".to_owned()),
    ];
    leaf.prop_recursive(3, 16, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone())
                .prop_map(|(left, right)| format!("({left} AND {right})")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} OR {right})")),
            inner.prop_map(|condition| format!("NOT ({condition})")),
        ]
    })
}

fn values() -> impl Strategy<Value = Vec<(String, String)>> {
    let value = || {
        prop::option::of(prop::sample::select(vec![
            "", "0", "1", "2.5", "x", "true", "1e3",
        ]))
    };
    (value(), value(), value(), value()).prop_map(|(a, b, c, flag)| {
        let named = [("a", a), ("b", b), ("c", c), ("flag", flag)];
        let present: Vec<_> = named
            .into_iter()
            .filter_map(|(n, value)| Some((n, value?)))
            .collect();
        attributes(&present)
    })
}

fn truth(selector: &str, attributes: &[(String, String)]) -> Option<bool> {
    let subject = Subject {
        attributes,
        body: b"",
        content_type: None,
        key: None,
    };
    match Selector::compile(selector) {
        Ok(selector) => selector.truth(&subject),
        Err(problem) => panic!("{}", problem.into_fault("selector", selector)),
    }
}

/// Compiles what may be anything and, where it is a filter, asks it about a message.
fn survive(json_text: &str, body: &[u8]) {
    if let Ok(filter) = Filter::compile(json_text) {
        let attributes = attributes(&[("a", "1"), ("b", "x")]);
        let subject = Subject {
            attributes: &attributes,
            body,
            content_type: None,
            key: Some("1"),
        };
        let _verdict = filter.matches(&subject);
    }
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>(), body in any::<Vec<u8>>()) {
        survive(&text, &body);
        survive(&selector_json(&text), &body);
        survive(r#"{"body": {"a": [{"anything-but": 1}]}}"#, text.as_bytes());
    }

    #[test]
    fn fragments_never_panic(text in fragments()) {
        survive(&text, text.as_bytes());
        survive(&selector_json(&text), b"");
        survive(&format!("{{\"key\": [{text}]}}"), b"");
        survive(r#"{"body": {"a": [1], "$or": [{"key": ["a"]}]}}"#, text.as_bytes());
    }

    #[test]
    fn double_negation_changes_nothing(condition in condition(), values in values()) {
        let twice = format!("NOT (NOT ({condition}))");
        prop_assert_eq!(truth(&twice, &values), truth(&condition, &values), "{}", condition);
    }

    #[test]
    fn de_morgan_holds(left in condition(), right in condition(), values in values()) {
        let outside = truth(&format!("NOT ({left} AND {right})"), &values);
        let inside = truth(&format!("NOT ({left}) OR NOT ({right})"), &values);
        prop_assert_eq!(outside, inside, "{} / {}", left, right);
    }

    #[test]
    fn cut_filters_never_panic(condition in condition(), values in values()) {
        let whole = selector_json(&condition);
        filter(&whole);
        for (at, _) in condition.char_indices() {
            let part = condition.get(..at).unwrap_or_default();
            survive(&selector_json(part), b"");
            survive(whole.get(..at).unwrap_or_default(), b"");
        }
        truth(&condition, &values);
    }
}

#[test]
fn cut_patterns_and_bodies_never_panic() {
    let pattern = r#"{"attributes":{"a":[{"anything-but":{"prefix":["x","é"]}},{"exists":false}]},
        "body":{"lines":{"n":[{"numeric":[">",0,"<=",5]},null,true],"ip":[{"cidr":"::1/128"}]},
        "$or":[{"s":[{"wildcard":"a\\*b*"}]},{"t":[{"suffix":{"equals-ignore-case":"Z"}}]}]}}"#;
    let body = r#"{"lines":[[{"n":1e0,"ip":"::1"},"\"é\\"],{"n":null}],"s":"a*bc","t":"\u00e9z"}"#;
    filter(pattern);
    for (at, _) in pattern.char_indices() {
        survive(pattern.get(..at).unwrap_or_default(), body.as_bytes());
    }
    for at in 0..=body.len() {
        survive(pattern, body.as_bytes().get(..at).unwrap_or_default());
    }
}
