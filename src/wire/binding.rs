//! Names of bindings: how a deployment knows the Workers and queues that it may hand messages to.
//!
//! A setting lists those that pushes may name. A deployment has other bindings, its own: none of
//! them may be named, as a way to its storage or past what it allows of addresses.

use crate::limits::{BINDING_NAME_CHARS_MAX, BINDINGS_MAX};

/// What the deployment is made of (`workerd.capnp`, `wrangler.toml`).
const OWN: [&str; 7] = [
    "ASSETS",
    "CLIENT",
    "DIRECTORY",
    "OUTBOUND",
    "QUEUE",
    "RELAY",
    "TOPIC",
];

/// Whether this can be the name of a binding: an identifier.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let is_start = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    text.len() <= BINDING_NAME_CHARS_MAX
        && text.bytes().next().is_some_and(is_start)
        && text.bytes().all(|b| is_start(b) || b.is_ascii_digit())
}

/// The names in a setting, separated by commas.
///
/// # Errors
/// A sentence on what is wrong with it.
pub fn names(text: &str) -> Result<Vec<String>, String> {
    // A line's end would be one of names in what objects are told.
    let parts = text.split(',').map(|part| part.trim_matches(' '));
    let names: Vec<&str> = parts.filter(|name| !name.is_empty()).collect();
    if names.len() > BINDINGS_MAX {
        return Err(format!("at most {BINDINGS_MAX} names of bindings"));
    }
    for name in &names {
        if !is_name(name) {
            return Err("names of bindings, separated by commas".to_owned());
        }
        if OWN.contains(name) {
            return Err(format!("{name} is a binding of the deployment's own"));
        }
    }
    Ok(names.into_iter().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_identifiers_and_none_of_the_deployments_own() {
        assert_eq!(names("").unwrap(), Vec::<String>::new());
        assert_eq!(names("A, b_2,").unwrap(), ["A", "b_2"]);
        for text in [
            "a b",
            "2a",
            "a-b",
            "ä",
            "A,OUTBOUND",
            "QUEUE",
            "a=b",
            "A,\nB",
        ] {
            assert!(names(text).is_err(), "{text}");
        }
        let many = vec!["a"; BINDINGS_MAX + 1].join(",");
        assert!(names(&many).is_err() && names(&many[2..]).is_ok());
        assert!(!is_name(&"a".repeat(BINDING_NAME_CHARS_MAX + 1)));
    }
}
