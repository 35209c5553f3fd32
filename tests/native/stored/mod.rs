//! What released versions stored is opened by this one.
//!
//! `tests/stored/` has dumps of each version's databases, as SQL. A release adds its own:
//! `VERSION=0.1.0 cargo test --test native stored -- --ignored`, which leaves those alone that are
//! there. None is ever changed.

mod directory;
mod push;
mod queue;
mod sale;
mod topic;

use std::path::Path;

/// What a dump is of, and how it is written.
type Kind = (&'static str, fn() -> String);

const KINDS: [Kind; 7] = [
    ("queue", queue::dump),
    ("sale", sale::dump),
    ("draw", sale::dump_draw),
    ("push", push::dump),
    ("topic", topic::dump),
    ("calling", topic::dump_calling),
    ("directory", directory::dump),
];

/// When they were written, and a little later.
const NOW_MS: u64 = 1_700_000_000_000 + 1_000;

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stored"))
}

/// The dumps of a kind: name and text. There is one at least.
fn dumps(kind: &str) -> Vec<(String, String)> {
    let files = std::fs::read_dir(folder()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mine = names.filter(|name| name.starts_with(kind));
    let read = |name: String| {
        let text = std::fs::read_to_string(folder().join(&name)).unwrap();
        (name, text)
    };
    let found: Vec<_> = mine.map(read).collect();
    assert!(!found.is_empty(), "no dump of a {kind}");
    found
}

/// A line above a dump that says what its test has to know.
fn note(name: &str, value: &str) -> String {
    format!("-- {name}: {value}\n")
}

fn noted<'a>(text: &'a str, name: &str) -> &'a str {
    let begin = format!("-- {name}: ");
    let found = text.lines().find_map(|line| line.strip_prefix(&begin));
    found.unwrap()
}

#[test]
#[ignore = "writes what a release stores"]
fn write_what_this_version_stores() {
    let version = std::env::var("VERSION").unwrap();
    for (kind, dump) in KINDS {
        let file = folder().join(format!("{kind}-{version}.sql"));
        if !file.exists() {
            std::fs::write(file, dump()).unwrap();
        }
    }
}
