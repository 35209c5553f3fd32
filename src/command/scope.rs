//! Scopes: what a token lets its bearer do, as a verb and a pattern of names (`publish:orders`,
//! `subscribe:chat/#`).
//!
//! A pattern is a name in whose place some levels are open: `+` is any one level, `eu-*` one that
//! begins so, `#` at the end any number of levels, none included; `*` alone is every name.

use super::placement::check_name;
use crate::error::Fault;
use crate::limits::NAME_CHARS_MAX;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verb {
    /// Publish to a queue or topic, and follow, confirm and cancel what was published.
    Publish,
    /// Take messages out of a queue.
    Consume,
    /// Read a topic.
    Subscribe,
    /// Create, change, empty and delete.
    Manage,
    /// Read configuration and figures.
    Observe,
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Publish,
        Self::Consume,
        Self::Subscribe,
        Self::Manage,
        Self::Observe,
    ];

    /// Its name in a scope.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Consume => "consume",
            Self::Subscribe => "subscribe",
            Self::Manage => "manage",
            Self::Observe => "observe",
        }
    }

    /// The verb called `name`.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.name() == name)
    }
}

/// One thing a token allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// What may be done.
    pub verb: Verb,
    /// To what.
    pub pattern: String,
}

impl Scope {
    /// Reads `verb:pattern`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (verb, pattern) = text.split_once(':')?;
        Some(Self {
            verb: Verb::of(verb)?,
            pattern: is_pattern(pattern).then(|| pattern.to_owned())?,
        })
    }

    /// Whether all that `other` allows is allowed by this, too.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        self.verb == other.verb && covers(&self.pattern, &other.pattern)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.verb.name(), self.pattern)
    }
}

/// Whether `text` is a name, or a pattern of names.
#[must_use]
pub fn is_pattern(text: &str) -> bool {
    if text == EVERYTHING {
        return true;
    }
    let levels = text.split('/').count();
    let is_level = |(at, level): (usize, &str)| match level {
        "#" => at + 1 == levels,
        "+" | "*" => true,
        _ => check_name(level.strip_suffix('*').unwrap_or(level), "scope").is_ok(),
    };
    text.len() <= NAME_CHARS_MAX && text.split('/').enumerate().all(is_level)
}

/// Checks a pattern that a request names.
///
/// # Errors
/// `bad-request` with `field` as given.
pub fn check_pattern(text: &str, field: &str) -> Result<(), Fault> {
    is_pattern(text).then_some(()).ok_or_else(|| {
        let detail = "a pattern is a name with + for one level, # for any number of them at the \
                      end, or * after the beginning of a level; * alone is every name";
        Fault::bad(field, detail)
    })
}

/// The pattern of every name.
pub const EVERYTHING: &str = "*";

/// Whether `pattern` covers `other`, a name or a pattern: every name that `other` stands for, it
/// stands for, too.
#[must_use]
pub fn covers(pattern: &str, other: &str) -> bool {
    if pattern == EVERYTHING {
        return true;
    }
    if other == EVERYTHING {
        return pattern == "#";
    }
    let mut others = other.split('/');
    for level in pattern.split('/') {
        if level == "#" {
            return true;
        }
        let Some(given) = others.next() else {
            return false;
        };
        let covered = match (open(level), open(given)) {
            _ if given == "#" => false,
            (Some(begins), Some(given)) => given.starts_with(begins),
            (Some(begins), None) => given.starts_with(begins),
            (None, Some(_)) => false,
            (None, None) => level == given,
        };
        if !covered {
            // `a/#` is `a` as well: what covers that covers nothing below.
            return false;
        }
    }
    others.next().is_none()
}

/// How an open level begins; `None` for one that is a name.
fn open(level: &str) -> Option<&str> {
    if level == "+" {
        Some("")
    } else {
        level.strip_suffix('*')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_cover_names() {
        for (pattern, covered, not_covered) in [
            (
                "orders",
                &["orders"][..],
                &["order", "orders/eu", "orderss", "Orders"][..],
            ),
            ("*", &["a", "a/b", "a/b/c"], &[]),
            ("#", &["a", "a/b"], &[]),
            ("+", &["a"], &["a/b"]),
            ("a/*", &["a/b"], &["a", "a/b/c", "b/b"]),
            (
                "chat/#",
                &["chat", "chat/a", "chat/a/b"],
                &["chats", "chat2/a"],
            ),
            (
                "chat/+/log",
                &["chat/a/log"],
                &["chat/log", "chat/a/b/log", "chat/a/logs"],
            ),
            ("eu-*", &["eu-1", "eu-"], &["eu", "eu-1/a", "us-1"]),
            ("eu-*/#", &["eu-1", "eu-1/a/b"], &["us-1/a"]),
        ] {
            for name in covered {
                assert!(covers(pattern, name), "{pattern} {name}");
            }
            for name in not_covered {
                assert!(!covers(pattern, name), "{pattern} {name}");
            }
        }
    }

    #[test]
    fn patterns_cover_narrower_ones() {
        for (wide, narrow, is_covered) in [
            ("*", "*", true),
            ("#", "*", true),
            ("*", "#", true),
            ("+", "*", false),
            ("a/#", "a/+", true),
            ("a/#", "a/#", true),
            ("a/+", "a/#", false),
            ("a/+", "a/b*", true),
            ("a/b*", "a/+", false),
            ("a/b*", "a/bc*", true),
            ("a/#", "#", false),
            ("a/#", "a", true),
            ("a", "a/#", false),
            ("+/#", "a/+/#", true),
            ("a", "*", false),
            ("a*", "+", false),
        ] {
            assert_eq!(covers(wide, narrow), is_covered, "{wide} {narrow}");
        }
    }

    #[test]
    fn scopes_are_read_to_the_letter() {
        for good in [
            "publish:orders",
            "manage:*",
            "subscribe:chat/#",
            "consume:a/+/b",
            "observe:eu-*",
        ] {
            let scope = Scope::parse(good).unwrap();
            assert_eq!(scope.to_string(), good);
        }
        for bad in [
            "",
            "publish",
            "publish:",
            ":a",
            "Publish:a",
            "publish: a",
            "publish:a//b",
            "publish:/a",
            "publish:#/a",
            "publish:a/",
            "publish:a#",
            "publish:+a",
            "publish:**",
            "publish:a*b",
            "read:a",
            "openid",
            "publish:a:b",
            "publish:a b",
            "publish:ä",
        ] {
            assert_eq!(Scope::parse(bad), None, "{bad}");
        }
        assert!(!is_pattern(&"a".repeat(NAME_CHARS_MAX + 1)));
    }

    fn pattern() -> impl Strategy<Value = String> {
        let level = prop_oneof![
            Just("a"),
            Just("b"),
            Just("ab"),
            Just("a*"),
            Just("b*"),
            Just("+"),
            Just("*")
        ];
        (prop::collection::vec(level, 1..4), any::<bool>()).prop_map(|(levels, rest)| {
            let text = levels.join("/");
            if rest { text + "/#" } else { text }
        })
    }

    fn name() -> impl Strategy<Value = String> {
        let level = prop_oneof![Just("a"), Just("b"), Just("ab"), Just("ba"), Just("c")];
        prop::collection::vec(level, 1..5).prop_map(|levels| levels.join("/"))
    }

    proptest! {
        /// What a pattern covers covers nothing that it does not.
        #[test]
        fn a_covered_pattern_is_never_wider(
            wide in pattern(), narrow in pattern(), names in prop::collection::vec(name(), 16)
        ) {
            prop_assert!(is_pattern(&wide) && covers(&wide, &wide));
            if covers(&wide, &narrow) {
                for name in names {
                    prop_assert!(!covers(&narrow, &name) || covers(&wide, &name), "{} {} {}", wide, narrow, name);
                }
            }
        }
    }
}
