//! Examples of the kind that the documents give: Jakarta Messaging 3.1, section 3.8.1 (message
//! selector syntax), and the page "Comparison operators for use in event patterns" of EventBridge's
//! user guide. Written down from knowledge of them, not copied: where one differs from the document,
//! the document is right. What is worked out beside them is in the tables of their own files.

use super::pattern::{LEAVES, MESSAGES, STRUCTURES};
use super::selector::CASES;
use super::{attributes, body_matches, filter, selector_json};
use crate::engine::filter::Subject;

/// The documents' operators, literals and rules make some 180 cases: a table for each, and no fewer.
const CASES_MIN: usize = 200;
const _: () = assert!(CASES.len() >= CASES_MIN / 2);
const _: () = assert!(LEAVES.len() + STRUCTURES.len() + MESSAGES.len() >= CASES_MIN / 2);

/// A selector, a message's properties, and whether they are selected by the specification's rules.
type Selected = (&'static str, &'static [(&'static str, &'static str)], bool);

const SELECTORS: &[Selected] = &[
    (
        "JMSType = 'car' AND color = 'blue' AND weight > 2500",
        &[("JMSType", "car"), ("color", "blue"), ("weight", "2501")],
        true,
    ),
    (
        "JMSType = 'car' AND color = 'blue' AND weight > 2500",
        &[("JMSType", "car"), ("color", "blue"), ("weight", "2500")],
        false,
    ),
    ("age BETWEEN 15 AND 19", &[("age", "15")], true),
    ("age >= 15 AND age <= 19", &[("age", "19")], true),
    ("age NOT BETWEEN 15 AND 19", &[("age", "20")], true),
    ("age < 15 OR age > 19", &[("age", "17")], false),
    ("age < 15 OR age > 19", &[], false),
    (
        "Country IN (' UK', 'US', 'France')",
        &[("Country", "US")],
        true,
    ),
    (
        "Country IN (' UK', 'US', 'France')",
        &[("Country", "Peru")],
        false,
    ),
    (
        "Country NOT IN (' UK', 'US', 'France')",
        &[("Country", "UK")],
        true,
    ),
    ("Country NOT IN ('UK', 'US', 'France')", &[], false),
    ("phone LIKE '12%3'", &[("phone", "123")], true),
    ("phone LIKE '12%3'", &[("phone", "12993")], true),
    ("phone LIKE '12%3'", &[("phone", "1234")], false),
    ("word LIKE 'l_se'", &[("word", "lose")], true),
    ("word LIKE 'l_se'", &[("word", "loose")], false),
    (
        r"underscored LIKE '\_%' ESCAPE '\'",
        &[("underscored", "_foo")],
        true,
    ),
    (
        r"underscored LIKE '\_%' ESCAPE '\'",
        &[("underscored", "bar")],
        false,
    ),
    ("phone NOT LIKE '12%3'", &[("phone", "1234")], true),
    ("phone NOT LIKE '12%3'", &[], false),
    ("prop_name IS NULL", &[], true),
    ("prop_name IS NULL", &[("prop_name", "x")], false),
    ("prop_name IS NOT NULL", &[("prop_name", "x")], true),
    ("prop_name IS NOT NULL", &[], false),
    ("name = 'it''s'", &[("name", "it's")], true),
    ("1 = 1.0", &[], true),
];

/// A pattern of the guide over a body, a body, and what the guide says.
const PATTERNS: &[(&str, &str, bool)] = &[
    (
        r#"{"source": ["aws.ec2"]}"#,
        r#"{"source": "aws.ec2"}"#,
        true,
    ),
    (
        r#"{"source": [{"prefix": "aws."}]}"#,
        r#"{"source": "aws.s3"}"#,
        true,
    ),
    (
        r#"{"service": [{"prefix": {"equals-ignore-case": "EventB"}}]}"#,
        r#"{"service": "eventbridge"}"#,
        true,
    ),
    (
        r#"{"FileName": [{"suffix": ".png"}]}"#,
        r#"{"FileName": "a.png"}"#,
        true,
    ),
    (
        r#"{"FileName": [{"suffix": {"equals-ignore-case": ".png"}}]}"#,
        r#"{"FileName": "a.PNG"}"#,
        true,
    ),
    (
        r#"{"detail": {"state": [{"anything-but": "initializing"}]}}"#,
        r#"{"detail": {"state": "running"}}"#,
        true,
    ),
    (
        r#"{"detail": {"x-limit": [{"anything-but": 123}]}}"#,
        r#"{"detail": {"x-limit": 123}}"#,
        false,
    ),
    (
        r#"{"detail": {"state": [{"anything-but": ["stopped", "overloaded"]}]}}"#,
        r#"{"detail": {"state": "stopped"}}"#,
        false,
    ),
    (
        r#"{"detail": {"x-limit": [{"anything-but": [100, 200, 300]}]}}"#,
        r#"{"detail": {"x-limit": 101}}"#,
        true,
    ),
    (
        r#"{"detail": {"state": [{"anything-but": {"equals-ignore-case": "initializing"}}]}}"#,
        r#"{"detail": {"state": "INITIALIZING"}}"#,
        false,
    ),
    (
        r#"{"detail": {"state": [{"anything-but": {"prefix": "init"}}]}}"#,
        r#"{"detail": {"state": "initializing"}}"#,
        false,
    ),
    (
        r#"{"FileName": [{"anything-but": {"suffix": ".txt"}}]}"#,
        r#"{"FileName": "a.txt"}"#,
        false,
    ),
    (
        r#"{"detail": {"c-count": [{"numeric": [">", 0, "<=", 5]}]}}"#,
        r#"{"detail": {"c-count": 5}}"#,
        true,
    ),
    (
        r#"{"detail": {"d-count": [{"numeric": ["<", 10]}]}}"#,
        r#"{"detail": {"d-count": 10}}"#,
        false,
    ),
    (
        r#"{"detail": {"x-limit": [{"numeric": ["=", 3.018e2]}]}}"#,
        r#"{"detail": {"x-limit": 301.8}}"#,
        true,
    ),
    (
        r#"{"detail": {"sourceIPAddress": [{"cidr": "10.0.0.0/24"}]}}"#,
        r#"{"detail": {"sourceIPAddress": "10.0.0.255"}}"#,
        true,
    ),
    (
        r#"{"detail": {"sourceIPAddress": [{"cidr": "10.0.0.0/24"}]}}"#,
        r#"{"detail": {"sourceIPAddress": "10.0.1.0"}}"#,
        false,
    ),
    (
        r#"{"detail": {"state": [{"exists": true}]}}"#,
        r#"{"detail": {"state": "running"}}"#,
        true,
    ),
    (
        r#"{"detail": {"c-count": [{"exists": false}]}}"#,
        r#"{"detail": {"state": "running"}}"#,
        true,
    ),
    (
        r#"{"detail-type": [{"equals-ignore-case": "ec2 Instance State-change Notification"}]}"#,
        r#"{"detail-type": "EC2 Instance State-change Notification"}"#,
        true,
    ),
    (
        r#"{"FileName": [{"wildcard": "dir/*.png"}]}"#,
        r#"{"FileName": "dir/sub/a.png"}"#,
        true,
    ),
    (
        r#"{"$or": [{"c-count": [{"numeric": [">", 0]}]}, {"d-count": [{"numeric": ["<", 10]}]}]}"#,
        r#"{"c-count": 0, "d-count": 9}"#,
        true,
    ),
    (r#"{"a": [""]}"#, r#"{"a": ""}"#, true),
    (r#"{"a": [null]}"#, r#"{"a": null}"#, true),
];

#[test]
fn the_specifications_selectors_say_what_it_says() {
    for (selector, properties, expected) in SELECTORS {
        let attributes = attributes(properties);
        let subject = Subject {
            attributes: &attributes,
            body: b"",
            content_type: None,
            key: None,
        };
        let matches = filter(&selector_json(selector)).matches(&subject);
        assert_eq!(matches, *expected, "{selector} of {properties:?}");
    }
}

#[test]
fn the_guides_patterns_match_what_it_says() {
    for (pattern, body, expected) in PATTERNS {
        assert_eq!(body_matches(pattern, body), *expected, "{pattern} {body}");
    }
}
