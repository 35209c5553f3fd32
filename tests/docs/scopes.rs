//! `docs/SCOPES.md`: every path, and what a token needs for it.

use std::fmt::Write as _;
use tidegate::command::scope::Verb;
use tidegate::edge::route::{Needs, ROUTES};

const BEFORE: &str = "\
# Scopes

<!-- Made by tests/docs/ from src/edge/route.rs: UPDATE=1 cargo test --test docs -->

Every path of the interface, and what a token's `scope` has to have for it: one of those named. A
name in braces is the path's; a pattern that covers it will do. What scopes and patterns are is in
[HTTP.md](HTTP.md#scopes).

| method | path | takes |
| --- | --- | --- |
";

const AFTER: &str = "
`HEAD` takes what `GET` takes, and `OPTIONS` nothing. A socket's frames are looked at one by one:
publishing to a topic takes `publish` of it, following one `subscribe`.
";

/// The document.
pub fn document() -> String {
    let mut out = String::from(BEFORE);
    for route in ROUTES {
        for (method, needs) in route.methods {
            let takes = match needs {
                Needs::Nothing => "nothing".to_owned(),
                Needs::SetUp => "nothing, where the deployment has credentials".to_owned(),
                Needs::AnyToken => "any token".to_owned(),
                Needs::One(verbs) => words(verbs, name(route.path)),
                Needs::OrPublic(verbs) => {
                    let words = words(verbs, name(route.path));
                    let fields = verbs.iter().map(|it| format!("`access.{}`", it.name()));
                    let fields = fields.collect::<Vec<_>>().join(" or ");
                    format!("{words}; nothing where its {fields} is `public`")
                }
                Needs::All(verbs) => words(verbs, "*"),
            };
            let _ = writeln!(out, "| {} | `{}` | {takes} |", method.name(), route.path);
        }
    }
    out + AFTER
}

fn words(verbs: &[Verb], name: &str) -> String {
    let words = verbs.iter().map(|verb| format!("`{}:{name}`", verb.name()));
    words.collect::<Vec<_>>().join(" or ")
}

/// The first part in braces, with them.
fn name(path: &str) -> &str {
    let from = path.find('{').unwrap_or_default();
    let to = path.find('}').map_or(path.len(), |at| at + 1);
    &path[from..to]
}
