//! Patterns of topics: a name whose levels may be wildcards, as in MQTT 5 (section 4.7).
//!
//! `+` is any one level, `#` any number at the end, none included: `orders/#` matches `orders`.
//! A wildcard fills its level; the other levels are those of names.

use super::placement::check_name;
use crate::error::Fault;
use crate::limits::NAME_CHARS_MAX;

/// Whether `text` names topics by a wildcard, and is no topic's own name.
#[must_use]
pub fn is_pattern(text: &str) -> bool {
    text.contains(['+', '#'])
}

/// Checks a pattern, which has a wildcard.
///
/// # Errors
/// `bad-request` with `field` as given.
pub fn check_pattern(pattern: &str, field: &str) -> Result<(), Fault> {
    if pattern.len() > NAME_CHARS_MAX {
        let detail = format!("a pattern has at most {NAME_CHARS_MAX} characters");
        return Err(Fault::bad(field, detail));
    }
    let mut levels = pattern.split('/').peekable();
    while let Some(level) = levels.next() {
        match level {
            "+" => {}
            "#" if levels.peek().is_none() => {}
            "#" => return Err(Fault::bad(field, "# stands for levels at the end only")),
            _ if is_pattern(level) => {
                let detail =
                    "a wildcard stands for whole levels: + for one, # for those at the end";
                return Err(Fault::bad(field, detail));
            }
            _ => check_name(level, field)?,
        }
    }
    Ok(())
}

/// Checks the name of a topic, or a pattern of such.
///
/// # Errors
/// `bad-request` with `field` as given.
pub fn check_name_or_pattern(text: &str, field: &str) -> Result<(), Fault> {
    if is_pattern(text) {
        check_pattern(text, field)
    } else {
        check_name(text, field)
    }
}

/// Whether the topic `name` is one of those that `pattern` stands for.
#[must_use]
pub fn matches(pattern: &str, name: &str) -> bool {
    let mut levels = name.split('/');
    for wanted in pattern.split('/') {
        match (wanted, levels.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (wanted, Some(level)) if wanted == level => {}
            // `#` after the last level stands for none.
            _ => return false,
        }
    }
    levels.next().is_none()
}

/// The part of a pattern before its first wildcard: all names it matches begin with it, or are it
/// without its last `/`.
#[must_use]
pub fn prefix(pattern: &str) -> &str {
    let end = pattern.find(['+', '#']).unwrap_or(pattern.len());
    pattern[..end].trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wildcards_match_as_in_mqtt() {
        for (pattern, name, does) in [
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            (
                "sport/tennis/player1/#",
                "sport/tennis/player1/ranking",
                true,
            ),
            (
                "sport/tennis/player1/#",
                "sport/tennis/player1/score/wimbledon",
                true,
            ),
            ("sport/#", "sport", true),
            ("sport/#", "sports", false),
            ("#", "a", true),
            ("#", "a/b/c", true),
            ("sport/tennis/+", "sport/tennis/player1", true),
            ("sport/tennis/+", "sport/tennis/player1/ranking", false),
            ("sport/tennis/+", "sport/tennis", false),
            ("+", "finance", true),
            ("+", "a/b", false),
            ("+/+", "a/b", true),
            ("+/tennis/#", "a/tennis", true),
            ("+/tennis/#", "a/tennis/b/c", true),
            ("sport/+/player1", "sport/tennis/player1", true),
            ("sport/+/player1", "sport/tennis/player2", false),
            ("a/+/#", "a", false),
            ("a/+/#", "a/b", true),
        ] {
            assert_eq!(matches(pattern, name), does, "{pattern} {name}");
            assert!(check_pattern(pattern, "topic").is_ok(), "{pattern}");
        }
    }

    #[test]
    fn malformed_patterns_are_named() {
        for pattern in [
            "a/#/b", "a#", "#a", "a/b+", "+a/b", "a//+", "/+", "+/", "a b/+", "##", "a/++",
        ] {
            let fault = check_pattern(pattern, "topic").unwrap_err();
            assert_eq!(fault.figures.field.as_deref(), Some("topic"), "{pattern}");
        }
        assert!(check_pattern(&"a/".repeat(64).replace("a/", "+/"), "topic").is_err());
        assert!(check_name_or_pattern("a/b", "topic").is_ok());
        assert!(check_name_or_pattern("a/", "topic").is_err());
    }

    /// The rule as recursion, to be compared with.
    fn says(pattern: &[&str], name: &[&str]) -> bool {
        match (pattern, name) {
            (["#"], _) => true,
            ([], []) => true,
            ([first, pattern @ ..], [level, name @ ..]) => {
                (*first == "+" || first == level) && says(pattern, name)
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn matching_is_the_recursive_rule(
            levels in prop::collection::vec(prop::sample::select(vec!["a", "b", "+"]), 0..4),
            ends in any::<bool>(),
            name in prop::collection::vec(prop::sample::select(vec!["a", "b"]), 1..5),
        ) {
            let mut levels = levels;
            if ends || levels.is_empty() {
                levels.push("#");
            }
            let (pattern, text) = (levels.join("/"), name.join("/"));
            prop_assert_eq!(matches(&pattern, &text), says(&levels, &name));
            if matches(&pattern, &text) {
                prop_assert!(text.starts_with(prefix(&pattern)));
            }
        }
    }
}
