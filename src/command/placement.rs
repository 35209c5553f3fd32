//! Which object serves a name.
//!
//! Every name maps to `name#partition` from the first version on, even while the number of
//! partitions is one, since the name of an object can never change. `#` cannot occur in a queue's
//! name.

use crate::error::Fault;
use crate::limits::NAME_CHARS_MAX;

/// The object that knows the names of all queues. No queue's object can have this name: it would
/// begin with a queue's.
pub const DIRECTORY: &str = "#directory";

/// The object that knows the names of all topics, of the same kind as [`DIRECTORY`].
pub const TOPIC_DIRECTORY: &str = "#topics";

/// The object of a topic. Topics and queues are different kinds of objects: they may share a name.
#[must_use]
pub fn topic_object(name: &str) -> String {
    format!("{name}#0")
}

/// How an object names a topic's object among those that it calls: no name begins like this.
#[must_use]
pub fn topic_callee(name: &str) -> String {
    format!("/{}", topic_object(name))
}

/// How a topic names a subscription of a pattern among its own. `~` cannot occur in a
/// subscription's name. Without a name: those who follow the pattern live.
#[must_use]
pub fn pattern_key(name: &str, pattern: &str) -> String {
    format!("{name}~{pattern}")
}

/// Name and pattern of a subscription that is a pattern's.
#[must_use]
pub fn of_pattern(key: &str) -> Option<(&str, &str)> {
    key.split_once('~')
}

/// The queue that holds what a topic's durable subscription has been handed. `~` cannot occur in a
/// queue's name, so that nobody reaches it but through its topic.
#[must_use]
pub fn subscription_queue(topic: &str, subscription: &str) -> String {
    format!("{topic}~{subscription}")
}

/// Whether a queue is a subscription's.
#[must_use]
pub fn is_subscription_queue(name: &str) -> bool {
    name.contains('~')
}

/// The object of a queue.
#[must_use]
pub fn queue_object(name: &str) -> String {
    format!("{name}#0")
}

/// What the relay `relay` of an object stands for asks in its turn, and whether that is a relay
/// too.
///
/// A relay is named by the object it is for and by its place: `name#0@region/location` asks
/// `name#0@region`, which asks `name#0`. `@` cannot occur in a queue's name.
#[must_use]
pub fn above(relay: &str) -> (&str, bool) {
    let Some((object, place)) = relay.rsplit_once('@') else {
        return (relay, false);
    };
    match place.split_once('/') {
        Some((region, _)) => (&relay[..object.len() + 1 + region.len()], true),
        None => (object, false),
    }
}

/// The queue that an object, or the relay of one, is for.
#[must_use]
pub fn queue_of(object: &str) -> &str {
    object.rsplit_once('#').map_or(object, |(name, _)| name)
}

/// Checks the name of a queue or topic: 1–128 of `A–Z a–z 0–9 . _ -`, with `/` between levels.
///
/// # Errors
/// `bad-request` with `field` as given.
pub fn check_name(name: &str, field: &str) -> Result<(), Fault> {
    if name.is_empty() || name.len() > NAME_CHARS_MAX {
        return Err(Fault::bad(
            field,
            format!("a name has 1 to {NAME_CHARS_MAX} characters"),
        ));
    }
    if !name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/'))
    {
        return Err(Fault::bad(
            field,
            "a name is made of A-Z a-z 0-9 . _ - and / between levels",
        ));
    }
    if name.split('/').any(str::is_empty) {
        return Err(Fault::bad(
            field,
            "a level of a name is not empty: no / first, last or doubled",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_is_named_by_whom_it_asks() {
        assert_eq!(above("a/b#0@weur/AMS"), ("a/b#0@weur", true));
        assert_eq!(above("a/b#0@weur"), ("a/b#0", false));
        assert_eq!(queue_of("a/b#0@weur/AMS"), "a/b");
        assert_eq!(queue_of("a/b#0"), "a/b");
    }
}
