//! The fuzz targets of `tests/fuzz/targets`, guided by coverage (libFuzzer). `npm run fuzz` runs it.
//!
//! The variable `TIDEGATE_TARGET` names the target; without it all are listed. With
//! `TIDEGATE_SEEDS` the target's seeds are written to that folder first.

#![no_main]

#[path = "../../tests/native/database.rs"]
#[allow(dead_code, clippy::unwrap_used)]
mod database;
#[path = "../../tests/fuzz/targets/mod.rs"]
#[allow(clippy::expect_used)]
mod targets;

use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;
use targets::{TARGETS, Target};

static CHOSEN: OnceLock<&'static Target> = OnceLock::new();

fn chosen() -> &'static Target {
    let name = std::env::var("TIDEGATE_TARGET").unwrap_or_default();
    let Some(target) = TARGETS.iter().find(|target| target.name == name) else {
        for target in TARGETS {
            println!("{}", target.name);
        }
        std::process::exit(0);
    };
    if let Ok(folder) = std::env::var("TIDEGATE_SEEDS") {
        for (at, seed) in (target.seeds)().iter().enumerate() {
            if let Err(error) = std::fs::write(format!("{folder}/seed-{at}"), seed) {
                eprintln!("{folder}: {error}");
                std::process::exit(1);
            }
        }
    }
    target
}

fuzz_target!(
    init: {
        CHOSEN.get_or_init(chosen);
    },
    |bytes: &[u8]| (CHOSEN.get_or_init(chosen).run)(bytes)
);
