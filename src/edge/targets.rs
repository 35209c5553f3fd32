//! Where a configuration sends messages by itself: that takes the right to publish there, or who
//! manages one queue could fill any other.

use super::grant::Grant;
use crate::command::scope::Verb;
use crate::error::Fault;
use serde_json::Value;

/// The fields that name a queue or a topic which messages go to.
const TARGETS: [&str; 6] = [
    "/delivery/dead_letter_queue",
    "/delivery/callback_queue",
    "/delivery/failure_callback_queue",
    "/push/events_queue",
    "/target/queue",
    "/target/events_queue",
];

/// Checks what `patch`, a configuration, names.
///
/// # Errors
/// `forbidden`.
pub fn check(grant: &Grant, patch: &str) -> Result<(), Fault> {
    if grant.everything {
        return Ok(());
    }
    // What is no JSON is refused by who applies it.
    let patch: Value = serde_json::from_str(patch).unwrap_or_default();
    for name in TARGETS
        .iter()
        .filter_map(|field| patch.pointer(field)?.as_str())
    {
        grant.check_verbs(&[Verb::Publish], name)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::grant::ALL;
    use super::*;
    use crate::command::scope::Scope;

    #[test]
    fn nothing_is_sent_where_one_may_not_publish() {
        let scopes = ["manage:*", "publish:mine/#"]
            .iter()
            .filter_map(|it| Scope::parse(it));
        let grant = Grant {
            scopes: scopes.collect(),
            ..Grant::default()
        };
        for (patch, may) in [
            (r#"{"delivery": {"dead_letter_queue": "mine/dead"}}"#, true),
            (r#"{"delivery": {"dead_letter_queue": "theirs"}}"#, false),
            (r#"{"delivery": {"callback_queue": "mine/done"}}"#, true),
            (r#"{"delivery": {"callback_queue": "theirs"}}"#, false),
            (
                r#"{"delivery": {"failure_callback_queue": "theirs"}}"#,
                false,
            ),
            (r#"{"push": {"events_queue": "theirs"}}"#, false),
            (
                r#"{"delivery": {"dead_letter_queue": null}, "retention_ms": 5}"#,
                true,
            ),
            (r#"{"target": {"queue": "mine/in"}}"#, true),
            (r#"{"target": {"queue": "theirs"}}"#, false),
            (r#"{"target": {"events_queue": "mine/ops"}}"#, true),
            (r#"{"target": {"events_queue": "theirs"}}"#, false),
            ("{", true),
        ] {
            assert_eq!(check(&grant, patch).is_ok(), may, "{patch}");
            assert!(check(&ALL, patch).is_ok());
        }
    }
}
