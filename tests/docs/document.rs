//! Files of the repository, and the comparison of a document with what the code says.

use std::path::{Path, PathBuf};

/// Fails when the file at `path` is not `wanted`; with `UPDATE` set, writes it.
pub fn expect_document(path: &str, wanted: &str) {
    let file = at(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, wanted).unwrap();
        return;
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = found.lines().zip(wanted.lines()).find(|(a, b)| a != b);
    assert!(
        found == wanted,
        "{path} is not what the code says. Bring it up to date: UPDATE=1 cargo test --test docs\n\
         first difference (file, code): {differs:#?}"
    );
}

/// The place of a path of the repository.
pub fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A file of the repository.
pub fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// The files of a folder whose names have this ending.
pub fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(at(folder)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let found: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|it| it == ending))
        .collect();
    assert!(!found.is_empty(), "{folder} has no {ending}");
    found
}
