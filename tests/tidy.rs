//! The house rules that a compiler does not know: who may name whom, how long things may be, what
//! must not be left behind. Each rule is a function from text to complaints; each is shown to
//! complain.

// What cannot be read cannot be tidy.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Longest line, in characters; rustfmt keeps code to it, this keeps comments.
const COLUMNS_MAX: usize = 120;
/// Longest line of code without a string in it.
const CODE_COLUMNS_MAX: usize = 100;
/// Longest function, in lines.
const FUNCTION_LINES_MAX: usize = 70;
/// Longest file, in lines; from the second figure on a file is listed as one to split.
const FILE_LINES: (usize, usize) = (800, 500);

/// What each module may name beside itself. Not listed: nothing may be named by it, and it by
/// nobody.
const LAYERS: &[(&str, &[&str])] = &[
    ("error", RING_0),
    ("id", RING_0),
    ("limits", RING_0),
    ("time", RING_0),
    ("command", RING_0),
    ("crypto", &["error", "id", "limits", "time", "wire"]),
    ("push", &["error", "id", "limits", "time", "wire", "crypto"]),
    ("store", RING_0),
    ("wire", RING_0),
    (
        "engine",
        &[
            "error", "id", "limits", "time", "command", "crypto", "push", "store",
        ],
    ),
    (
        "protocol",
        &["error", "id", "limits", "time", "command", "wire"],
    ),
    (
        "edge",
        &[
            "error", "id", "limits", "time", "command", "crypto", "wire", "protocol",
        ],
    ),
    (
        "relay",
        &[
            "error", "id", "limits", "time", "command", "wire", "protocol",
        ],
    ),
    (
        "durable",
        &[
            "error", "id", "limits", "time", "command", "crypto", "push", "store", "wire",
            "engine", "protocol",
        ],
    ),
    // The border: its entries put the shells together, and nobody but the crate's root names it.
    (
        "platform",
        &[
            "error", "id", "limits", "time", "command", "crypto", "store", "wire", "engine",
            "protocol", "edge", "relay", "durable",
        ],
    ),
];
const RING_0: &[&str] = &["error", "id", "limits", "time"];

/// One source file.
struct Source {
    path: String,
    text: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path
                    .strip_prefix(root())
                    .unwrap()
                    .to_string_lossy()
                    .replace('\\', "/");
                found.push(Source {
                    path: name,
                    text: fs::read_to_string(&path).unwrap(),
                });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "no sources in {folder}");
    found
}

/// Whether a file is a test by its place.
fn is_test(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("/tests.rs")
}

/// The lines before the file's own tests, numbered from 1, each without its comment.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text
        .lines()
        .take_while(|line| line.trim() != "#[cfg(test)]");
    lines
        .enumerate()
        .map(|(at, line)| (at + 1, line))
        .map(|(at, line)| {
            let comment = line.trim_start().starts_with("//");
            (
                at,
                if comment {
                    ""
                } else {
                    line.split(" // ").next().unwrap_or(line)
                },
            )
        })
}

/// The modules of the crate that a line names.
fn named(line: &str) -> Vec<String> {
    let word = |text: &str| {
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    let mut names = Vec::new();
    for part in line.split("crate::").skip(1) {
        match part.strip_prefix('{') {
            Some(group) => {
                let group = group.split('}').next().unwrap_or(group);
                names.extend(group.split(',').map(|name| word(name.trim())));
            }
            None => names.push(word(part)),
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn check_layers(source: &Source, complaints: &mut Vec<String>) {
    let Some(inner) = source.path.strip_prefix("src/") else {
        return;
    };
    let module = inner.split(['/', '.']).next().unwrap_or_default();
    if module == "lib" || is_test(&source.path) {
        return;
    }
    let Some((_, may)) = LAYERS.iter().find(|(name, _)| *name == module) else {
        complaints.push(format!("{}: {module} stands in no ring", source.path));
        return;
    };
    for (at, line) in code(&source.text) {
        for name in named(line) {
            if name != module && !may.contains(&name.as_str()) {
                complaints.push(format!(
                    "{}:{at}: {module} must not name {name}",
                    source.path
                ));
            }
        }
    }
}

fn check_lengths(source: &Source, complaints: &mut Vec<String>) {
    let path = &source.path;
    let lines = source.text.lines().count();
    if lines > FILE_LINES.0 {
        complaints.push(format!(
            "{path}: {lines} lines; {} are too many",
            FILE_LINES.0
        ));
    } else if lines > FILE_LINES.1 {
        println!("{path}: {lines} lines; worth splitting");
    }
    for (at, line) in source.text.lines().enumerate() {
        let columns = line.chars().count();
        let is_prose = line.trim_start().starts_with("//") || line.contains('"');
        if columns
            > if is_prose {
                COLUMNS_MAX.max(columns * usize::from(line.contains('"')))
            } else {
                CODE_COLUMNS_MAX
            }
        {
            complaints.push(format!("{path}:{}: {columns} columns", at + 1));
        }
    }
    for (at, lines) in functions(&source.text) {
        if lines > FUNCTION_LINES_MAX {
            complaints.push(format!("{path}:{at}: a function of {lines} lines"));
        }
    }
}

/// Where each function begins, and how many lines it has. Counts on rustfmt: a function ends with a
/// brace as far in as it began.
fn functions(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let words: Vec<&str> = line.split_whitespace().collect();
        let modifiers = |word: &&&str| {
            word.starts_with("pub") || ["const", "unsafe", "extern", "\"C\"", "in"].contains(word)
        };
        let first = words.iter().find(|word| !modifiers(word));
        if first != Some(&"fn") || line.trim_end().ends_with([';', '}']) {
            continue;
        }
        let end = format!("{}}}", " ".repeat(indent));
        let body = lines[at..]
            .iter()
            .position(|l| **l == end || l.trim_end() == format!("{}{};", &end[..indent], ""));
        if let Some(body) = body {
            found.push((at + 1, body + 1));
        }
    }
    found
}

fn check_words(source: &Source, complaints: &mut Vec<String>) {
    let path = &source.path;
    if !source.text.starts_with("//!") {
        complaints.push(format!("{path}: does not say what it is"));
    }
    for (at, line) in source.text.lines().enumerate() {
        for word in [
            ["TO", "DO"],
            ["FIX", "ME"],
            ["XX", "X"],
            ["todo", "!("],
            ["unimplemented", "!("],
            ["db", "g!("],
        ] {
            if line.contains(&word.concat()) {
                complaints.push(format!("{path}:{}: {}", at + 1, word.concat()));
            }
        }
    }
    if is_test(path) {
        return;
    }
    for (at, line) in code(&source.text) {
        if line.contains(".unwrap()") || line.contains(".expect(") {
            complaints.push(format!("{path}:{at}: stops where it should answer"));
        }
    }
}

/// The files that `mod` lines make part of the crate or test at `start`.
fn reachable(start: &str, texts: &BTreeMap<String, String>, seen: &mut BTreeSet<String>) {
    let Some(text) = texts.get(start) else { return };
    if !seen.insert(start.to_owned()) {
        return;
    }
    let path = Path::new(start);
    let parent = path
        .parent()
        .unwrap_or(Path::new(""))
        .to_string_lossy()
        .into_owned();
    let stem = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let is_root = ["lib", "main", "mod"].contains(&stem.as_str());
    let folder = if is_root {
        parent
    } else {
        format!("{parent}/{stem}")
    };
    for line in text.lines() {
        let line = line.trim();
        let line = line
            .strip_prefix("pub(crate) ")
            .or(line.strip_prefix("pub(super) "))
            .unwrap_or(line);
        let line = line.strip_prefix("pub ").unwrap_or(line);
        if let Some(name) = line
            .strip_prefix("mod ")
            .and_then(|rest| rest.strip_suffix(';'))
        {
            reachable(&format!("{folder}/{name}.rs"), texts, seen);
            reachable(&format!("{folder}/{name}/mod.rs"), texts, seen);
        }
    }
}

/// Files that no root leads to.
fn dead_files(roots: &[&str], texts: &BTreeMap<String, String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    roots
        .iter()
        .for_each(|start| reachable(start, texts, &mut seen));
    texts
        .keys()
        .filter(|path| !seen.contains(*path))
        .map(|path| format!("{path}: part of nothing"))
        .collect()
}

/// Limits that nobody keeps.
fn unused_limits(limits: &str, others: &[&str]) -> Vec<String> {
    let names = limits
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split(':').next());
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let used = |name: &str| {
        others
            .iter()
            .any(|text| text.split(|c| !is_word(c)).any(|word| word == name))
    };
    names
        .filter(|name| !used(name))
        .map(|name| format!("limits.rs: nobody keeps {name}"))
        .collect()
}

fn complain(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn modules_name_what_their_ring_allows() {
    let mut complaints = Vec::new();
    sources("src")
        .iter()
        .for_each(|source| check_layers(source, &mut complaints));
    complain(&complaints);
}

#[test]
fn nothing_is_too_long() {
    let mut complaints = Vec::new();
    let all = sources("src").into_iter().chain(sources("tests"));
    all.for_each(|source| check_lengths(&source, &mut complaints));
    complain(&complaints);
}

#[test]
fn nothing_is_left_behind() {
    let mut complaints = Vec::new();
    let all = sources("src").into_iter().chain(sources("tests"));
    all.for_each(|source| check_words(&source, &mut complaints));
    complain(&complaints);
}

#[test]
fn every_file_is_part_of_something() {
    let texts = |folder| {
        sources(folder)
            .into_iter()
            .map(|s| (s.path, s.text))
            .collect::<BTreeMap<_, _>>()
    };
    let mut complaints = dead_files(&["src/lib.rs"], &texts("src"));
    let tests = texts("tests");
    // A file right in `tests/` is a test of its own, and so is a folder's `main.rs`.
    let is_root = |path: &&String| path.matches('/').count() == 1 || path.ends_with("/main.rs");
    let roots: Vec<&str> = tests.keys().filter(is_root).map(String::as_str).collect();
    complaints.extend(dead_files(&roots, &tests));
    complain(&complaints);
}

#[test]
fn every_limit_is_kept_somewhere() {
    let (limits, others): (Vec<Source>, Vec<Source>) = sources("src")
        .into_iter()
        .partition(|source| source.path == "src/limits.rs");
    let others: Vec<&str> = others.iter().map(|source| source.text.as_str()).collect();
    complain(&unused_limits(&limits[0].text, &others));
}

/// What `check` says to one made-up file.
fn said(check: fn(&Source, &mut Vec<String>), path: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    check(
        &Source {
            path: path.to_owned(),
            text: text.to_owned(),
        },
        &mut complaints,
    );
    complaints
}

#[test]
fn a_wrong_neighbour_is_found() {
    for (path, line, complaints) in [
        ("src/engine/pull.rs", "use crate::protocol::http;", 1),
        (
            "src/engine/pull.rs",
            "let x = crate::edge::f(crate::wire::g());",
            2,
        ),
        ("src/edge/open.rs", "use crate::{engine::queue, limits};", 1),
        ("src/error.rs", "use crate::command::Reply;", 1),
        (
            "src/protocol/http/ack.rs",
            "use crate::engine::queue::Queue;",
            1,
        ),
        ("src/durable/queue.rs", "use crate::platform::rows;", 1),
        ("src/stray/mod.rs", "", 1),
        (
            "src/engine/pull.rs",
            "use crate::command::Reply; // crate::edge",
            0,
        ),
        ("src/engine/pull.rs", "use crate::engine::queue::Queue;", 0),
        (
            "src/engine/pull.rs",
            "#[cfg(test)]\nmod tests { use crate::edge; }",
            0,
        ),
    ] {
        assert_eq!(
            said(check_layers, path, line).len(),
            complaints,
            "{path}: {line}"
        );
    }
}

#[test]
fn what_is_too_long_is_found() {
    let long = |n: usize| format!("fn f() {{\n{}}}\n", "    g();\n".repeat(n - 2));
    for (text, complaints) in [
        (long(FUNCTION_LINES_MAX), 0),
        (long(FUNCTION_LINES_MAX + 1), 1),
        (
            format!(
                "impl A {{\n    pub(super) {}}}\n",
                long(72).replace('\n', "\n    ")
            ),
            1,
        ),
        ("//\n".repeat(FILE_LINES.0), 0),
        ("//\n".repeat(FILE_LINES.0 + 1), 1),
        ("x".repeat(CODE_COLUMNS_MAX), 0),
        ("x".repeat(CODE_COLUMNS_MAX + 1), 1),
        (format!("// {}", "x".repeat(COLUMNS_MAX)), 1),
        (format!("\"{}\"", "x".repeat(COLUMNS_MAX)), 0),
    ] {
        assert_eq!(
            said(check_lengths, "src/a.rs", &text).len(),
            complaints,
            "{text:.40}"
        );
    }
}

#[test]
fn what_is_left_behind_is_found() {
    for (path, text, complaints) in [
        ("src/a.rs", "//! A.\nfn f() {}".to_owned(), 0),
        ("src/a.rs", "fn f() {}".to_owned(), 1),
        (
            "src/a.rs",
            format!("//! A.\n// {}: later", ["TO", "DO"].concat()),
            1,
        ),
        (
            "src/a.rs",
            "//! A.\nlet x = y.unwrap();\nlet x = y.expect(\"\");".to_owned(),
            2,
        ),
        (
            "src/a.rs",
            "//! A.\n#[cfg(test)]\nmod tests { x.unwrap(); }".to_owned(),
            0,
        ),
        ("src/a/tests.rs", "//! A.\nx.unwrap();".to_owned(), 0),
    ] {
        assert_eq!(said(check_words, path, &text).len(), complaints, "{text}");
    }
}

#[test]
fn a_file_or_limit_that_nobody_uses_is_found() {
    let texts = [
        ("src/lib.rs", "pub mod a;\nmod b;"),
        ("src/a.rs", "pub(super) mod inner;"),
        ("src/a/inner.rs", ""),
        ("src/b/mod.rs", "mod c;"),
        ("src/b/c.rs", ""),
        ("src/b/stray.rs", ""),
    ];
    let texts = texts
        .map(|(path, text)| (path.to_owned(), text.to_owned()))
        .into();
    assert_eq!(
        dead_files(&["src/lib.rs"], &texts),
        ["src/b/stray.rs: part of nothing"]
    );
    let limits = "pub const A_MAX: u64 = 1;\npub const B_MAX: u64 = 2;\n";
    assert_eq!(
        unused_limits(limits, &["use A_MAX;", "AB_MAX"]),
        ["limits.rs: nobody keeps B_MAX"]
    );
}
