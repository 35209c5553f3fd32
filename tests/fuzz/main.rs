//! Hostile input, without guidance: every target is given its seeds, each of them cut at every
//! byte, what once broke it (`corpus/`), and seeded mutations.
//!
//! `TIDEGATE_FUZZ_RUNS` sets how many mutations a target gets, `TIDEGATE_SEED` where they begin.
//! `npm run fuzz` runs the same targets guided by coverage.

// What cannot be set up cannot be tested.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../native/database.rs"]
#[allow(dead_code)]
mod database;
mod mutation;
mod targets;

use mutation::{Random, mutate};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use targets::{TARGETS, Target};

/// Mutations a target gets where `TIDEGATE_FUZZ_RUNS` does not say.
const RUNS: usize = 1_500;

fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

fn corpus(target: &Target) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("tests/fuzz/corpus").join(target.name)
}

/// Inputs that broke the target once.
fn broken_once(target: &Target) -> Vec<Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(corpus(target)) else {
        return Vec::new();
    };
    entries
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect()
}

/// Runs the target; a panic is reported with the input that causes it.
fn run(target: &Target, input: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| (target.run)(input))).is_err() {
        panic!(
            "target {} with {:?}\n(bytes {input:?})",
            target.name,
            String::from_utf8_lossy(input)
        );
    }
}

fn stands(name: &str) {
    let target = TARGETS.iter().find(|t| t.name == name).unwrap();
    let mut inputs = (target.seeds)();
    for input in &inputs {
        for length in 0..=input.len() {
            run(target, &input[..length]);
        }
    }
    for input in broken_once(target) {
        run(target, &input);
        inputs.push(input);
    }
    let seed = number("TIDEGATE_SEED", 1) as u64;
    let mut random = Random::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    for _ in 0..number("TIDEGATE_FUZZ_RUNS", RUNS) {
        let mut input = inputs[random.below(inputs.len())].clone();
        let other = inputs[random.below(inputs.len())].clone();
        mutate(&mut input, &other, &mut random);
        run(target, &input);
    }
}

macro_rules! targets {
    ($($name:ident),*) => {
        $(#[test]
        fn $name() {
            stands(stringify!($name));
        })*

        #[test]
        fn every_target_is_run() {
            let run = [$(stringify!($name)),*];
            for target in TARGETS {
                assert!(run.contains(&target.name), "{} is not", target.name);
            }
        }
    };
}

targets!(
    batch,
    head,
    body,
    verdict,
    settings,
    command,
    directory,
    segment,
    tables,
    filter,
    text,
    topic,
    topic_tables,
    relay,
    endpoint,
    push,
    answer,
    token,
    keys,
    scope
);
