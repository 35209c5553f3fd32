//! `docs/FUZZING.md`: names every target, and only targets and files that there are.

use super::document::{at, files, read};
use std::collections::BTreeSet;

/// What stands between back quotes in one column of the table's rows.
fn column(text: &str, number: usize) -> BTreeSet<String> {
    let rows = text.lines().filter(|line| line.starts_with("| "));
    rows.skip(2)
        .filter_map(|row| row.split('|').nth(number))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_target_is_documented() {
    let text = read(at("docs/FUZZING.md"));
    let mut targets = BTreeSet::new();
    for file in files("tests/fuzz/targets", "rs") {
        let code = read(file);
        let names = code.split("Target = Target {\n    name: \"").skip(1);
        targets.extend(names.filter_map(|rest| rest.split('"').next().map(str::to_owned)));
    }
    assert!(targets.len() > 15, "{targets:?}");
    assert_eq!(column(&text, 4), targets);
}

#[test]
fn what_is_read_is_there() {
    let text = read(at("docs/FUZZING.md"));
    for path in column(&text, 3) {
        assert!(at(&path).exists(), "{path}");
    }
}
