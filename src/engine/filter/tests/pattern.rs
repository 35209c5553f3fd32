//! Event patterns: operator by operator, then structure, then the parts of a message.

use super::{attributes, body_matches, filter, with_body};
use crate::engine::filter::Subject;
use crate::limits::MESSAGE_BYTES_MAX;

const YES: bool = true;
const NO: bool = false;

/// A leaf of a pattern, the JSON of a value, and whether the leaf accepts it.
pub(super) const LEAVES: &[(&str, &str, bool)] = &[
    // Exact values, each of its own type.
    (r#"["eu"]"#, r#""eu""#, YES),
    (r#"["eu"]"#, r#""EU""#, NO),
    (r#"["eu", "us"]"#, r#""us""#, YES),
    (r#"["eu", "us"]"#, r#""ap""#, NO),
    (r#"[""]"#, r#""""#, YES),
    (r#"[""]"#, "null", NO),
    (r#"["\u00e9"]"#, r#""é""#, YES),
    (r#"["é"]"#, r#""\u00E9""#, YES),
    (r#"["a\"b"]"#, r#""a\"b""#, YES),
    (r#"["1"]"#, "1", NO),
    ("[1]", r#""1""#, NO),
    ("[1]", "1.0", YES),
    ("[1]", "10e-1", YES),
    ("[1]", "-1", NO),
    ("[0]", "-0.0", YES),
    ("[100]", "1e2", YES),
    ("[0.1]", "0.10", YES),
    ("[9007199254740993]", "9007199254740992", NO),
    ("[9007199254740993]", "9007199254740993.0", YES),
    ("[0.1]", "0.1000000000000000000001", NO),
    ("[true]", "true", YES),
    ("[true]", "false", NO),
    ("[true]", r#""true""#, NO),
    ("[false]", "false", YES),
    ("[null]", "null", YES),
    ("[null]", "0", NO),
    ("[null]", "[]", NO),
    (r#"["eu", 5, null]"#, "5", YES),
    (r#"["eu", 5, null]"#, "null", YES),
    // Prefix and suffix.
    (r#"[{"prefix": "ab"}]"#, r#""abc""#, YES),
    (r#"[{"prefix": "ab"}]"#, r#""Abc""#, NO),
    (r#"[{"prefix": "ab"}]"#, r#""a""#, NO),
    (r#"[{"prefix": ""}]"#, r#""a""#, YES),
    (r#"[{"prefix": "1"}]"#, "12", NO),
    (
        r#"[{"prefix": {"equals-ignore-case": "äB"}}]"#,
        r#""ÄbC""#,
        YES,
    ),
    (
        r#"[{"prefix": {"equals-ignore-case": "ab"}}]"#,
        r#""cab""#,
        NO,
    ),
    (r#"[{"suffix": ".png"}]"#, r#""a.png""#, YES),
    (r#"[{"suffix": ".png"}]"#, r#""a.PNG""#, NO),
    (
        r#"[{"suffix": {"equals-ignore-case": ".png"}}]"#,
        r#""a.PnG""#,
        YES,
    ),
    (
        r#"[{"suffix": {"equals-ignore-case": ".png"}}]"#,
        r#""png""#,
        NO,
    ),
    // Ignoring case.
    (r#"[{"equals-ignore-case": "Alice"}]"#, r#""aLICE""#, YES),
    (r#"[{"equals-ignore-case": "Alice"}]"#, r#""Alicea""#, NO),
    (r#"[{"equals-ignore-case": "Alice"}]"#, r#""Alic""#, NO),
    (r#"[{"equals-ignore-case": "straße"}]"#, r#""STRASSE""#, YES),
    (r#"[{"equals-ignore-case": "STRAẞE"}]"#, r#""straße""#, YES),
    (r#"[{"equals-ignore-case": "strasse"}]"#, r#""STRAẞE""#, YES),
    (r#"[{"equals-ignore-case": "1"}]"#, "1", NO),
    // Anything but.
    (r#"[{"anything-but": "eu"}]"#, r#""us""#, YES),
    (r#"[{"anything-but": "eu"}]"#, r#""eu""#, NO),
    (r#"[{"anything-but": "eu"}]"#, "5", YES),
    (r#"[{"anything-but": "eu"}]"#, "null", YES),
    (r#"[{"anything-but": "5"}]"#, "5", YES),
    (r#"[{"anything-but": 5}]"#, "5.0", NO),
    (r#"[{"anything-but": [1, 2]}]"#, "2", NO),
    (r#"[{"anything-but": [1, 2]}]"#, "3", YES),
    (r#"[{"anything-but": [1, "a", null, true]}]"#, "null", NO),
    (r#"[{"anything-but": [1, "a", null, true]}]"#, "false", YES),
    (r#"[{"anything-but": {"prefix": "in"}}]"#, r#""init""#, NO),
    (r#"[{"anything-but": {"prefix": "in"}}]"#, r#""out""#, YES),
    (
        r#"[{"anything-but": {"prefix": ["in", "on"]}}]"#,
        r#""once""#,
        NO,
    ),
    (
        r#"[{"anything-but": {"prefix": ["in", "on"]}}]"#,
        r#""out""#,
        YES,
    ),
    (
        r#"[{"anything-but": {"suffix": ".png"}}]"#,
        r#""a.png""#,
        NO,
    ),
    (
        r#"[{"anything-but": {"suffix": [".png", ".jpg"]}}]"#,
        r#""a.gif""#,
        YES,
    ),
    (
        r#"[{"anything-but": {"equals-ignore-case": "EU"}}]"#,
        r#""eu""#,
        NO,
    ),
    (
        r#"[{"anything-but": {"equals-ignore-case": ["EU", "US"]}}]"#,
        r#""us""#,
        NO,
    ),
    (
        r#"[{"anything-but": {"equals-ignore-case": ["EU", "US"]}}]"#,
        r#""ap""#,
        YES,
    ),
    (
        r#"[{"anything-but": {"wildcard": "*/lib/*"}}]"#,
        r#""a/lib/b""#,
        NO,
    ),
    (
        r#"[{"anything-but": {"wildcard": ["*/lib/*", "*/bin/*"]}}]"#,
        r#""a/bin/b""#,
        NO,
    ),
    (
        r#"[{"anything-but": {"wildcard": ["*/lib/*", "*/bin/*"]}}]"#,
        r#""a/etc/b""#,
        YES,
    ),
    // Numeric.
    (r#"[{"numeric": ["=", 3.018e2]}]"#, "301.8", YES),
    (
        r#"[{"numeric": ["<", 10]}]"#,
        "9.999999999999999999999",
        YES,
    ),
    (r#"[{"numeric": ["<", 10]}]"#, "10", NO),
    (r#"[{"numeric": ["<=", 10]}]"#, "10.0", YES),
    (
        r#"[{"numeric": [">", 10]}]"#,
        "10.000000000000000000001",
        YES,
    ),
    (r#"[{"numeric": [">=", 10]}]"#, "9.9", NO),
    (r#"[{"numeric": [">", 0, "<=", 5]}]"#, "5", YES),
    (r#"[{"numeric": [">", 0, "<=", 5]}]"#, "0", NO),
    (r#"[{"numeric": [">", 0, "<=", 5]}]"#, "5.1", NO),
    (r#"[{"numeric": [">=", -5, "<", -1]}]"#, "-5", YES),
    (r#"[{"numeric": [">=", -5, "<", -1]}]"#, "-1", NO),
    (r#"[{"numeric": [">", 1e300]}]"#, "1e999", YES),
    (r#"[{"numeric": [">", 5]}]"#, r#""6""#, NO),
    // Exists, on leaves.
    (r#"[{"exists": true}]"#, "null", YES),
    (r#"[{"exists": true}]"#, "0", YES),
    (r#"[{"exists": true}]"#, "{\"a\": 1}", NO),
    (r#"[{"exists": true}]"#, "[]", NO),
    (r#"[{"exists": false}]"#, "0", NO),
    (r#"[{"exists": false}]"#, "{\"a\": 1}", YES),
    (r#"[{"exists": false}]"#, "[]", YES),
    // Wildcards.
    (r#"[{"wildcard": "a*c"}]"#, r#""abbc""#, YES),
    (r#"[{"wildcard": "a*c"}]"#, r#""ac""#, YES),
    (r#"[{"wildcard": "a*c"}]"#, r#""acd""#, NO),
    (r#"[{"wildcard": "a*a"}]"#, r#""a""#, NO),
    (r#"[{"wildcard": "*"}]"#, r#""""#, YES),
    (r#"[{"wildcard": "dir/*.png"}]"#, r#""dir/x/y.png""#, YES),
    (r#"[{"wildcard": "*ab*ab*"}]"#, r#""xabxaby""#, YES),
    (r#"[{"wildcard": "*ab*ab*"}]"#, r#""xabay""#, NO),
    (r#"[{"wildcard": "a\\*c"}]"#, r#""a*c""#, YES),
    (r#"[{"wildcard": "a\\*c"}]"#, r#""abc""#, NO),
    (r#"[{"wildcard": "a\\\\*"}]"#, r#""a\\b""#, YES),
    (r#"[{"wildcard": "abc"}]"#, r#""abc""#, YES),
    // Networks.
    (r#"[{"cidr": "10.0.0.0/24"}]"#, r#""10.0.0.255""#, YES),
    (r#"[{"cidr": "10.0.0.0/24"}]"#, r#""10.0.1.0""#, NO),
    (r#"[{"cidr": "10.0.0.7/24"}]"#, r#""10.0.0.1""#, YES),
    (r#"[{"cidr": "0.0.0.0/0"}]"#, r#""255.255.255.255""#, YES),
    (r#"[{"cidr": "10.0.0.1/32"}]"#, r#""10.0.0.2""#, NO),
    (r#"[{"cidr": "2001:db8::/32"}]"#, r#""2001:DB8:1::1""#, YES),
    (r#"[{"cidr": "2001:db8::/32"}]"#, r#""2001:db9::1""#, NO),
    (r#"[{"cidr": "::/0"}]"#, r#""1.2.3.4""#, NO),
    (r#"[{"cidr": "10.0.0.0/8"}]"#, r#""10.1""#, NO),
    // One of several operators.
    (
        r#"[{"prefix": "a"}, {"numeric": [">", 5]}, {"exists": false}]"#,
        "6",
        YES,
    ),
    (
        r#"[{"prefix": "a"}, {"numeric": [">", 5]}, {"exists": false}]"#,
        "5",
        NO,
    ),
    (
        r#"[{"prefix": "a"}, {"numeric": [">", 5]}, {"exists": false}]"#,
        "{}",
        YES,
    ),
    // Arrays: one element suffices, however deeply nested.
    (r#"["b"]"#, r#"["a", "b"]"#, YES),
    (r#"["c"]"#, r#"["a", "b"]"#, NO),
    (r#"["b"]"#, r#"[["a"], [[], ["b"]]]"#, YES),
    (r#"["b"]"#, r#"[{"b": "b"}]"#, NO),
    (r#"[{"anything-but": ["a"]}]"#, r#"["a", "b"]"#, YES),
    (r#"[{"anything-but": ["a"]}]"#, r#"["a", "a"]"#, NO),
    (r#"[{"anything-but": ["a"]}]"#, "[]", NO),
    (r#"[{"exists": true}]"#, r#"[{"a": 1}, 2]"#, YES),
];

#[test]
fn leaves_accept_what_they_should() {
    for (leaf, value, expected) in LEAVES {
        assert_eq!(
            body_matches(leaf, value),
            *expected,
            "body {leaf} against {value}"
        );
        let nested = format!("{{\"x\": {{\"y\": {leaf}}}}}");
        let body = format!(" {{\"w\": [1, \"]\"], \"x\" : {{\"y\":{value} , \"z\": {{}}}}}} ");
        assert_eq!(
            body_matches(&nested, &body),
            *expected,
            "{nested} against {body}"
        );
    }
}

/// A pattern over the body, a body, and whether it matches.
pub(super) const STRUCTURES: &[(&str, &str, bool)] = &[
    (
        r#"{"a": ["x"], "b": ["y"]}"#,
        r#"{"a": "x", "b": "y", "c": 1}"#,
        YES,
    ),
    (r#"{"a": ["x"], "b": ["y"]}"#, r#"{"a": "x"}"#, NO),
    (r#"{"a": ["x"]}"#, r#"{"a": "z", "a": "x"}"#, YES),
    (r#"{"a": ["x"]}"#, r#"{"a": "x", "a": "z"}"#, NO),
    (r#"{"a\u0062": ["x"]}"#, r#"{"ab": "x"}"#, YES),
    (r#"{"ab": ["x"]}"#, r#"{"\u0061b": "x"}"#, YES),
    (r#"{"a.b": ["x"]}"#, r#"{"a": {"b": "x"}}"#, NO),
    (r#"{"a": ["x"]}"#, r#"{"b": "\\", "a": "x"}"#, YES),
    (r#"{"a": ["x"]}"#, r#"{"b": "\"}", "a": "x"}"#, YES),
    // Missing fields, at any depth.
    (r#"{"a": [{"exists": false}]}"#, "{}", YES),
    (r#"{"a": {"b": [{"exists": false}]}}"#, "{}", YES),
    (r#"{"a": {"b": [{"exists": false}]}}"#, r#"{"a": 5}"#, YES),
    (r#"{"a": {"b": [{"exists": false}]}}"#, r#"{"a": []}"#, YES),
    (
        r#"{"a": {"b": [{"exists": false}]}}"#,
        r#"{"a": {"b": 1}}"#,
        NO,
    ),
    (
        r#"{"a": {"b": [{"exists": false}]}}"#,
        r#"{"a": [1, {"b": 1}]}"#,
        NO,
    ),
    (
        r#"{"a": {"b": [{"exists": true}]}}"#,
        r#"{"a": {"b": {}}}"#,
        NO,
    ),
    (r#"{"a": [{"anything-but": "x"}]}"#, "{}", NO),
    (r#"{"a": ["x", {"exists": false}]}"#, "{}", YES),
    // All fields within one element.
    (
        r#"{"people": {"first": ["Anna"], "last": ["Jones"]}}"#,
        r#"{"people": [{"first": "Anna", "last": "Smith"}, {"first": "Peter", "last": "Jones"}]}"#,
        NO,
    ),
    (
        r#"{"people": {"first": ["Anna"], "last": ["Smith"]}}"#,
        r#"{"people": [{"first": "Peter"}, [{"first": "Anna", "last": "Smith"}]]}"#,
        YES,
    ),
    (
        r#"{"a": {"b": {"c": [1], "d": [2]}, "e": [3]}}"#,
        r#"{"a": [{"b": [{"c": 1}, {"d": 2}], "e": 3}, {"b": {"c": 1, "d": 2}}]}"#,
        NO,
    ),
    (
        r#"{"a": {"b": {"c": [1], "d": [2]}, "e": [3]}}"#,
        r#"{"a": [{"b": [{"c": 1}, {"c": 1, "d": 2}], "e": 3}]}"#,
        YES,
    ),
    (
        r#"{"a": {"x": [1], "$or": [{"y": [2]}, {"z": [3]}]}}"#,
        r#"{"a": [{"x": 1, "y": 0}, {"x": 0, "z": 3}]}"#,
        NO,
    ),
    (
        r#"{"a": {"x": [1], "$or": [{"y": [2]}, {"z": [3]}]}}"#,
        r#"{"a": [{"x": 1, "z": 3}, {"x": 0, "y": 2}]}"#,
        YES,
    ),
    (
        r#"{"sku": [1], "off": [{"exists": false}]}"#,
        r#"[{"sku": 1}, {"off": 5}]"#,
        YES,
    ),
    // Alternatives.
    (r#"{"$or": [{"a": [1]}, {"b": [2]}]}"#, r#"{"b": 2}"#, YES),
    (r#"{"$or": [{"a": [1]}, {"b": [2]}]}"#, r#"{"b": 1}"#, NO),
    (
        r#"{"$or": [{"a": [1], "b": [2]}, {"c": [3]}]}"#,
        r#"{"a": 1, "b": 1}"#,
        NO,
    ),
    (
        r#"{"d": [4], "$or": [{"a": [1]}, {"b": [2]}]}"#,
        r#"{"b": 2}"#,
        NO,
    ),
    (
        r#"{"d": [4], "$or": [{"a": [1]}, {"b": [2]}]}"#,
        r#"{"b": 2, "d": 4}"#,
        YES,
    ),
    (
        r#"{"$or": [{"a": [1]}, {"b": [2], "$or": [{"c": [3]}, {"d": [4]}]}]}"#,
        r#"{"b": 2, "d": 4}"#,
        YES,
    ),
    (
        r#"{"$or": [{"a": [1]}, {"b": [2], "$or": [{"c": [3]}, {"d": [4]}]}]}"#,
        r#"{"b": 2}"#,
        NO,
    ),
    // A body that is an array or a scalar.
    (r#"{"a": [1]}"#, r#"[{"a": 0}, {"a": 1}]"#, YES),
    (r#"{"a": [1]}"#, "1", NO),
];

#[test]
fn structures_match_what_they_should() {
    for (pattern, body, expected) in STRUCTURES {
        assert_eq!(
            body_matches(pattern, body),
            *expected,
            "{pattern} against {body}"
        );
    }
}

/// A whole pattern and whether it matches [`order`].
pub(super) const MESSAGES: &[(&str, bool)] = &[
    (r#"{"attributes": {"region": ["eu"]}}"#, YES),
    (r#"{"attributes": {"region": ["us"]}}"#, NO),
    (
        r#"{"attributes": {"region": ["eu"], "tier": ["gold"]}}"#,
        NO,
    ),
    (r#"{"attributes": {"tier": [{"exists": false}]}}"#, YES),
    (r#"{"attributes": {"region": [{"exists": true}]}}"#, YES),
    (
        r#"{"attributes": {"amount": [{"numeric": [">", 99.5]}]}}"#,
        YES,
    ),
    (r#"{"attributes": {"amount": [100]}}"#, YES),
    (r#"{"attributes": {"amount": ["100.0"]}}"#, YES),
    (r#"{"attributes": {"amount": ["100"]}}"#, NO),
    (r#"{"attributes": {"amount": [{"anything-but": 100}]}}"#, NO),
    (r#"{"attributes": {"region": [{"numeric": [">", 0]}]}}"#, NO),
    (r#"{"attributes": {"urgent": [true]}}"#, YES),
    (r#"{"attributes": {"urgent": ["true"]}}"#, YES),
    (r#"{"attributes": {"urgent": [false]}}"#, NO),
    (r#"{"attributes": {"region": [null]}}"#, NO),
    (
        r#"{"attributes": {"$or": [{"tier": ["gold"]}, {"region": ["eu"]}]}}"#,
        YES,
    ),
    (r#"{"key": ["buyer-7"]}"#, YES),
    (r#"{"key": [{"prefix": "seller"}]}"#, NO),
    (
        r#"{"content_type": [{"wildcard": "application/*json"}]}"#,
        YES,
    ),
    (r#"{"content_type": [{"exists": false}]}"#, NO),
    (
        r#"{"body": {"lines": {"sku": ["A"], "n": [{"numeric": [">=", 2]}]}}, "key": ["buyer-7"]}"#,
        YES,
    ),
    (
        r#"{"body": {"lines": {"sku": ["A"]}}, "key": ["buyer-8"]}"#,
        NO,
    ),
    (
        r#"{"$or": [{"key": ["no"]}, {"body": {"lines": {"sku": ["B"]}}}]}"#,
        YES,
    ),
    (
        r#"{"key": ["buyer-7"], "$or": [{"key": ["no"]}, {"attributes": {"region": ["us"]}}]}"#,
        NO,
    ),
];

#[test]
fn patterns_see_every_part_of_a_message() {
    let attributes = attributes(&[("region", "eu"), ("amount", "100.0"), ("urgent", "true")]);
    let order = Subject {
        attributes: &attributes,
        body: br#"{"lines": [{"sku": "A", "n": 2}, {"sku": "B", "n": 1}]}"#,
        content_type: Some("application/vnd.order+json"),
        key: Some("buyer-7"),
    };
    for (pattern, expected) in MESSAGES {
        assert_eq!(filter(pattern).matches(&order), *expected, "{pattern}");
    }
}

#[test]
fn absent_key_and_content_type_are_missing_fields() {
    let bare = with_body(b"");
    assert!(filter(r#"{"key": [{"exists": false}]}"#).matches(&bare));
    assert!(filter(r#"{"content_type": [{"exists": false}]}"#).matches(&bare));
    assert!(!filter(r#"{"key": [{"exists": true}]}"#).matches(&bare));
    assert!(!filter(r#"{"key": [{"anything-but": "a"}]}"#).matches(&bare));
}

#[test]
fn body_that_is_not_json_never_matches() {
    let bodies: [&[u8]; 7] = [
        b"",
        b"plain",
        b"{",
        b"{} {}",
        b"\xff",
        b"\"\xff\"",
        b"{\"a\": 01}",
    ];
    for body in bodies {
        for pattern in [r#"{"a": [{"exists": false}]}"#, r#"[{"anything-but": 1}]"#] {
            let subject = with_body(body);
            let filter = filter(&format!("{{\"body\": {pattern}}}"));
            assert!(!filter.matches(&subject), "{pattern} against {body:?}");
        }
        let either = r#"{"$or": [{"body": {"a": [1]}}, {"key": [{"exists": false}]}]}"#;
        assert!(filter(either).matches(&with_body(body)));
    }
}

#[test]
fn body_beyond_the_largest_message_is_not_read() {
    let mut body = b"\"".to_vec();
    body.resize(MESSAGE_BYTES_MAX - 1, b'a');
    body.push(b'"');
    assert!(filter(r#"{"body": [{"prefix": "aa"}]}"#).matches(&with_body(&body)));
    body.push(b' ');
    assert!(!filter(r#"{"body": [{"prefix": "aa"}]}"#).matches(&with_body(&body)));
}

#[test]
fn deep_bodies_cost_no_stack() {
    let half = MESSAGE_BYTES_MAX / 2;
    let body = [vec![b'['; half], vec![b']'; half]].concat();
    assert!(!filter(r#"{"body": [1]}"#).matches(&with_body(&body)));
    assert!(!filter(r#"{"body": {"a": [1]}}"#).matches(&with_body(&body)));
    let unclosed = vec![b'['; MESSAGE_BYTES_MAX];
    assert!(!filter(r#"{"body": {"a": [{"exists": false}]}}"#).matches(&with_body(&unclosed)));
}

#[test]
fn only_patterns_on_the_body_need_it() {
    assert!(filter(r#"{"body": [1]}"#).needs_body());
    assert!(filter(r#"{"$or": [{"key": ["a"]}, {"$or": [{"body": {"a": [1]}}]}]}"#).needs_body());
    assert!(!filter(r#"{"attributes": {"body": ["a"]}}"#).needs_body());
    assert!(!filter(r#""body = 'a'""#).needs_body());
}
