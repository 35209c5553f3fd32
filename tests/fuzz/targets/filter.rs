//! Filters, and the messages they are asked about.

use super::{Target, halves};
use tidegate::engine::filter::{Filter, Subject};

/// A filter's JSON; behind a byte zero, a message's body.
pub const FILTER: Target = Target {
    name: "filter",
    run: filter,
    seeds,
};

fn filter(bytes: &[u8]) {
    let (filter, body) = halves(bytes);
    let Ok(filter) = Filter::compile(&String::from_utf8_lossy(filter)) else {
        return;
    };
    let attributes = [
        ("region".to_owned(), "eu".to_owned()),
        ("amount".to_owned(), "-12.5e3".to_owned()),
        ("empty".to_owned(), String::new()),
    ];
    let with_body = filter.matches(&Subject {
        attributes: &attributes,
        body,
        content_type: Some("application/json"),
        key: Some("k"),
    });
    let without = filter.matches(&Subject {
        attributes: &attributes,
        body: b"",
        content_type: Some("application/json"),
        key: Some("k"),
    });
    assert!(
        filter.needs_body() || with_body == without,
        "a filter that needs no body looked at it"
    );
}

fn seeds() -> Vec<Vec<u8>> {
    [
        r#""region = 'eu' AND amount BETWEEN -2e4 AND 5 OR NOT (empty IS NULL)""#,
        r#""region LIKE 'e_%!%' ESCAPE '!' AND amount * 2 - +1 / 3 < 7""#,
        r#""region IN ('eu', 'us') AND missing NOT IN ('a') AND amount <> 0.0""#,
        r#"{"attributes":{"region":["eu",{"prefix":"e"},{"suffix":{"equals-ignore-case":"U"}}]}}"#,
        r#"{"body":{"n":[{"numeric":[">",1,"<=",5]}],"a":{"b":[{"exists":false}]}}}"#,
        r#"{"$or":[{"key":[{"wildcard":"a*b*c"}]},{"content_type":[{"anything-but":["x"]}]}]}"#,
        r#"{"attributes":{"ip":[{"cidr":"10.0.0.0/8"}]}}"#,
    ]
    .iter()
    .map(|text| [text.as_bytes(), b"\0{\"n\":3,\"a\":{\"b\":null}}"].concat())
    .collect()
}
