//! The reference documents: three are made from the code, all are held against it.
//!
//! `docs/ERRORS.md`, `docs/LIMITS.md` and `docs/SCOPES.md` are rendered here; a test fails when the file differs, and
//! `UPDATE=1 cargo test --test docs` writes it. Owns the sentences that the code does not have:
//! what to do about an error, which limits users meet, what the fields of a configuration are
//! counted in. Each of these lists is total: a new error code, limit or field that is missing does
//! not compile, or fails.

#[cfg(test)]
mod batch;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod document;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod fuzzing;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod number;

#[cfg(test)]
mod scopes;

use document::{at, expect_document, files, read};

#[test]
fn errors_are_documented() {
    expect_document("docs/ERRORS.md", &errors::document());
}

#[test]
fn limits_are_documented() {
    expect_document("docs/LIMITS.md", &limits::document());
}

#[test]
fn scopes_are_documented() {
    expect_document("docs/SCOPES.md", &scopes::document());
}

#[test]
fn every_export_of_the_core_is_described() {
    let described = read(at("docs/ARCHITECTURE.md"));
    for file in files("src/platform", "rs") {
        let source = read(&file);
        let lines = source.lines().map(str::trim_start);
        for line in lines {
            let rest = line.strip_prefix("extern \"C\" fn ");
            let Some((name, _)) = rest.and_then(|rest| rest.split_once('(')) else {
                continue;
            };
            assert!(
                described.contains(&format!("`{name}(")),
                "{name} is not described"
            );
        }
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut documents = files("docs", "md");
    documents.extend(files("docs/decisions", "md"));
    documents.push(at("README.md"));
    for document in documents {
        let text = read(&document);
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let place = target.split('#').next().unwrap_or_default();
            let folder = document.parent().unwrap();
            let is_here = place.is_empty() || folder.join(place).exists();
            let document = document.display();
            assert!(place.contains("://") || is_here, "{document}: {target}");
        }
    }
}
