//! What is refused, where, and with which words; and that the limits are where they are said to be.

use super::{filter, selector_json};
use crate::engine::filter::{
    FILTER_BYTES_MAX, FILTER_LEVELS_MAX, FILTER_NODES_MAX, FILTER_WILDCARDS_MAX, Filter,
};
use crate::error::ErrorCode;

fn refusal(json_text: &str) -> String {
    match Filter::compile(json_text) {
        Ok(_) => panic!("accepted: {json_text}"),
        Err(fault) => {
            assert_eq!(fault.code, ErrorCode::BadRequest);
            assert_eq!(fault.figures.field.as_deref(), Some("filter"));
            fault.detail
        }
    }
}

/// JSON text, where it is refused, and a part of what is said.
const JSON: &[(&str, &str, &str)] = &[
    ("", "filter at character 1", "EOF"),
    (
        "5",
        "filter at character 1",
        "(an event pattern) or a string (a selector), found a number",
    ),
    (" [1]", "filter at character 2", "found an array"),
    ("null", "filter at character 1", "found null"),
    (
        "{\"key\": [\"é\", tru]}",
        "filter at character 18",
        "expected JSON: expected ident",
    ),
    (
        "{\"key\": [1]\n,\n  5}",
        "filter at character 17",
        "key must be a string",
    ),
    (
        "{\"key\": [1]} x",
        "filter at character 14",
        "trailing characters",
    ),
    ("{\"key\": [1", "filter at character 11", "EOF"),
    (
        "\"a = '\\ud800'\"",
        "filter at character 1",
        "whole characters",
    ),
];

/// A pattern, the text at which it is refused, and a part of what is said.
const PATTERNS: &[(&str, &str, &str)] = &[
    ("{}", "{}", "at least one field"),
    (
        r#"{"kee": ["a"]}"#,
        r#""kee""#,
        "attributes, body, content_type, key or $or, found \"kee\"",
    ),
    (
        r#"{"key": "a"}"#,
        r#""a""#,
        "an array of values, found \"a\"",
    ),
    (
        r#"{"key": {"a": [1]}}"#,
        r#"{"a""#,
        "an array of values, found an object",
    ),
    (r#"{"key": []}"#, "[]", "at least one value"),
    (
        r#"{"key": [["a"]]}"#,
        r#"["a"]"#,
        "a string, number, boolean or null, found an array",
    ),
    (
        r#"{"key": ["a"], "key": ["b"]}"#,
        r#""key": ["b"]"#,
        "each field once",
    ),
    (
        r#"{"attributes": ["a"]}"#,
        r#"["a"]"#,
        "an object of attribute names",
    ),
    (
        r#"{"attributes": {"a": {"b": [1]}}}"#,
        r#"{"b""#,
        "an array of values, found an object",
    ),
    (
        r#"{"body": {"é": {"b": 1}}}"#,
        "1",
        "an array of values or an object of fields",
    ),
    (r#"{"body": {"a": {}}}"#, "{}", "at least one field"),
    (
        r#"{"body": {"\ud800": [1]}}"#,
        r#""\ud800""#,
        "whole characters",
    ),
    (r#"{"key": ["\udc00"]}"#, r#""\udc00""#, "whole characters"),
    (
        r#"{"$or": {"key": [1]}}"#,
        r#"{"key""#,
        "an array of objects",
    ),
    (r#"{"$or": []}"#, "[]", "at least one alternative"),
    (
        r#"{"$or": [{"key": [1]}, 5]}"#,
        "5",
        "an object of fields, found a number",
    ),
    (r#"{"$or": [{}]}"#, "{}", "at least one field"),
    (
        r#"{"key": [{}]}"#,
        "{}",
        "prefix, suffix or wildcard, found nothing",
    ),
    (
        r#"{"key": [{"prefx": "a"}]}"#,
        r#""prefx""#,
        "found \"prefx\"",
    ),
    (
        r#"{"key": [{"prefix": "a", "suffix": "b"}]}"#,
        r#""suffix""#,
        "one operator",
    ),
    (
        r#"{"key": [{"prefix": 5}]}"#,
        "5",
        "a string or {\"equals-ignore-case\": string}",
    ),
    (
        r#"{"key": [{"prefix": {"exists": true}}]}"#,
        r#""exists""#,
        "equals-ignore-case",
    ),
    (
        r#"{"key": [{"equals-ignore-case": ["a"]}]}"#,
        r#"["a"]"#,
        "a string, found an array",
    ),
    (
        r#"{"key": [{"exists": "yes"}]}"#,
        r#""yes""#,
        "true or false",
    ),
    (
        r#"{"key": [{"cidr": "10.0.0.0"}]}"#,
        r#""10.0"#,
        "a network such as",
    ),
    (
        r#"{"key": [{"cidr": "10.0.0.0/33"}]}"#,
        r#""10.0"#,
        "a network such as",
    ),
    (
        r#"{"key": [{"cidr": "::/129"}]}"#,
        r#""::/"#,
        "a network such as",
    ),
    (
        r#"{"key": [{"cidr": "10.0.0.0/+8"}]}"#,
        r#""10.0"#,
        "a network such as",
    ),
    (
        r#"{"key": [{"wildcard": "a**"}]}"#,
        r#""a**""#,
        "between two *",
    ),
    (r#"{"key": [{"wildcard": "a\\b"}]}"#, r#""a\\"#, "after \\"),
    (r#"{"key": [{"wildcard": "a\\"}]}"#, r#""a\\"#, "after \\"),
    (r#"{"key": [{"numeric": 5}]}"#, "5", "an array such as"),
    (
        r#"{"key": [{"numeric": []}]}"#,
        "[]",
        "one comparison, or a lower bound",
    ),
    (
        r#"{"key": [{"numeric": ["=="]}]}"#,
        r#""==""#,
        "one of \"=\"",
    ),
    (
        r#"{"key": [{"numeric": [">", "5"]}]}"#,
        r#""5""#,
        "a number, found \"5\"",
    ),
    (
        r#"{"key": [{"numeric": [">"]}]}"#,
        r#"">""#,
        "a number after the sign",
    ),
    (
        r#"{"key": [{"numeric": ["<", 5, ">", 1]}]}"#,
        r#"["<""#,
        "a lower bound and then an upper",
    ),
    (
        r#"{"key": [{"numeric": [">", 5, "<", 5]}]}"#,
        r#"[">""#,
        "less than the upper one",
    ),
    (
        r#"{"key": [{"anything-but": []}]}"#,
        "[]",
        "at least one value",
    ),
    (
        r#"{"key": [{"anything-but": [[1]]}]}"#,
        "[1]",
        "a string, number, boolean or null",
    ),
    (
        r#"{"key": [{"anything-but": {"numeric": ["=", 5]}}]}"#,
        r#""numeric""#,
        "found \"numeric\"",
    ),
    (
        r#"{"key": [{"anything-but": {"prefix": []}}]}"#,
        "[]",
        "at least one value",
    ),
];

/// A selector, the text at which it is refused, and a part of what is said.
const SELECTORS: &[(&str, &str, &str)] = &[
    ("", "", "a name, a value or (, found the end"),
    (
        "region = 'eu' AND",
        "",
        "a name, a value or (, found the end",
    ),
    ("region = ", "", "found the end"),
    ("region == 'eu'", "= 'eu'", "a name, a value or (, found ="),
    ("region != 'eu'", "!=", "<> for inequality"),
    (
        "region 'eu'",
        "'eu'",
        "AND, OR or the end, found the string 'eu'",
    ),
    ("region = 'eu", "'eu", "a closing '"),
    ("\"region = 5", "\"region", "a closing \""),
    ("\"\" = 5", " = 5", "a name before this"),
    ("é = 'é' AND %", "%", "a name, a number, a string"),
    ("(region = 'eu'", "", "expected ), found the end"),
    ("region = 'eu')", ")", "AND, OR or the end, found )"),
    ("a = b = c", "= c", "AND, OR or the end, found ="),
    ("a + 1", "a + 1", "a condition, found a number"),
    ("'a'", "'a'", "a condition, found a string"),
    ("NOT 5", "5", "a condition, found a number"),
    ("a = 1 AND 5", "5", "a condition, found a number"),
    ("5 OR a", "5", "a condition, found a number"),
    ("a > 'b'", "'b'", "a number, found a string"),
    ("'b' > a", "'b'", "a number, found a string"),
    ("a < TRUE", "TRUE", "a number, found a condition"),
    ("a + 'b' = 1", "'b'", "a number, found a string"),
    ("-'b' = 1", "'b'", "a number, found a string"),
    ("a BETWEEN 'a' AND 'b'", "'a'", "a number, found a string"),
    ("a BETWEEN 1 OR 2", "OR", "AND between the bounds, found OR"),
    ("a NOT = 5", "= 5", "BETWEEN, LIKE or IN after NOT"),
    (
        "a LIKE b",
        "b",
        "a pattern in single quotes, found the name b",
    ),
    ("5 LIKE 'a'", "5", "a name, found a number"),
    (
        "a LIKE 'x' ESCAPE 'ab'",
        "ESCAPE",
        "one character after ESCAPE",
    ),
    (
        "a LIKE 'x!y' ESCAPE '!'",
        "'x!y'",
        "%, _ or ! after the escape",
    ),
    (
        "a LIKE 'x!' ESCAPE '!'",
        "'x!'",
        "%, _ or ! after the escape",
    ),
    ("a IN 'x'", "'x'", "( and a list"),
    ("a IN ()", ")", "a name, a value or (, found )"),
    ("a IN ('x' 'y')", "'y'", ", or )"),
    ("a IN (b)", "b", "a string or a number"),
    ("a IN (TRUE)", "TRUE", "a string or a number"),
    ("a IS 5", "5", "NULL or NOT NULL, found a number"),
    ("a IS NOT 5", "5", "expected NULL"),
    ("a = NULL", "NULL", "found NULL"),
    ("a = 1 IS NULL", "IS", "AND, OR or the end, found IS"),
    ("between = 5", "between", "found BETWEEN"),
    (
        "a = 9223372036854775808",
        "9223",
        "at most 9223372036854775807",
    ),
    (
        "a = 99999999999999999999",
        "99999999999999999999",
        "at most 9223372036854775807",
    ),
    ("a = 0x", "0x", "an integer"),
    ("a = 08", "08", "an integer"),
    ("a = 1e", "1e", "a number such as"),
    ("a = 1e999", "1e999", "a number such as"),
    ("a = 1x", "x", "a space or an operator"),
    ("a = 1.5.2", ".2", "a space or an operator"),
    ("a; b", "; b", "expected a name"),
];

/// The character, from 1, at which `part` begins; an empty part is the end.
fn character_of(text: &str, part: &str) -> usize {
    let at = if part.is_empty() {
        Some(text.len())
    } else {
        text.rfind(part)
    };
    let before = at
        .and_then(|at| text.get(..at))
        .unwrap_or_else(|| panic!("no {part} in {text}"));
    before.chars().count() + 1
}

#[test]
fn malformed_json_is_refused_at_its_place() {
    for (text, place, said) in JSON {
        let detail = refusal(text);
        assert!(
            detail.starts_with(&format!("{place}: ")),
            "{text}: {detail}"
        );
        assert!(detail.contains(said), "{text}: {detail}");
    }
}

#[test]
fn malformed_patterns_are_refused_at_their_place() {
    for (text, part, said) in PATTERNS {
        let detail = refusal(text);
        let place = format!(
            "pattern at character {}: expected ",
            character_of(text, part)
        );
        assert!(detail.starts_with(&place), "{text}: {detail}, not {place}");
        assert!(detail.contains(said), "{text}: {detail}");
    }
}

#[test]
fn malformed_selectors_are_refused_at_their_place() {
    for (text, part, said) in SELECTORS {
        let detail = refusal(&selector_json(text));
        let place = format!(
            "selector at character {}: expected ",
            character_of(text, part)
        );
        assert!(detail.starts_with(&place), "{text}: {detail}, not {place}");
        assert!(detail.contains(said), "{text}: {detail}");
    }
}

#[test]
fn text_has_a_limit() {
    let of_length = |bytes: usize| format!("\"a = '{}'\"", "x".repeat(bytes - 8));
    assert_eq!(of_length(FILTER_BYTES_MAX).len(), FILTER_BYTES_MAX);
    filter(&of_length(FILTER_BYTES_MAX));
    assert!(refusal(&of_length(FILTER_BYTES_MAX + 1)).contains("at most 4096 bytes"));
}

#[test]
fn nesting_has_a_limit() {
    let pattern = |levels: usize| {
        let open = "{\"body\":".to_owned() + &"{\"a\":".repeat(levels - 1);
        open + "[1]" + &"}".repeat(levels)
    };
    let or = |levels: usize| {
        "{\"$or\":[".repeat(levels - 1) + "{\"key\":[1]}" + &"]}".repeat(levels - 1)
    };
    let parentheses = |levels: usize| "(".repeat(levels) + "a" + &")".repeat(levels);
    let nots = |levels: usize| "NOT ".repeat(levels) + "a";
    let signs = |levels: usize| "-".repeat(levels) + "a = 1";
    let selectors: [&dyn Fn(usize) -> String; 3] = [&parentheses, &nots, &signs];
    for nested in [&pattern as &dyn Fn(usize) -> String, &or] {
        filter(&nested(FILTER_LEVELS_MAX));
        assert!(refusal(&nested(FILTER_LEVELS_MAX + 1)).contains("at most 32 levels"));
    }
    for nested in selectors {
        filter(&selector_json(&nested(FILTER_LEVELS_MAX)));
        let deeper = selector_json(&nested(FILTER_LEVELS_MAX + 1));
        assert!(refusal(&deeper).contains("at most 32 levels"));
    }
}

#[test]
fn parts_have_a_limit() {
    // A field and its values; names, the signs between them.
    let pattern = |values: usize| format!("{{\"key\": [{}1]}}", "1,".repeat(values - 1));
    filter(&pattern(FILTER_NODES_MAX - 1));
    assert!(refusal(&pattern(FILTER_NODES_MAX)).contains("at most 256 fields"));
    let selector = |names: usize| selector_json(&("a OR ".repeat(names - 1) + "a"));
    filter(&selector(FILTER_NODES_MAX / 2));
    assert!(refusal(&selector(FILTER_NODES_MAX / 2 + 1)).contains("at most 256 fields"));
}

#[test]
fn wildcards_have_a_limit() {
    let wildcard =
        |runs: usize| format!("{{\"key\": [{{\"wildcard\": \"{}\"}}]}}", "a*".repeat(runs));
    filter(&wildcard(FILTER_WILDCARDS_MAX));
    assert!(refusal(&wildcard(FILTER_WILDCARDS_MAX + 1)).contains("at most 8 *"));
    let gapped = |count: usize| selector_json(&format!("a LIKE 'x%{}%y'", "_".repeat(count)));
    filter(&gapped(64));
    assert!(Filter::compile(&gapped(65)).is_err());
    let like = |runs: usize| selector_json(&format!("a LIKE '{}'", "a%".repeat(runs)));
    filter(&like(FILTER_WILDCARDS_MAX));
    assert!(refusal(&like(FILTER_WILDCARDS_MAX + 1)).contains("at most 8 %"));
    filter(&selector_json(&format!("a LIKE '{}'", "_".repeat(100))));
}
