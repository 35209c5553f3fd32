//! The engine agrees with the model, whatever happens to both.
//!
//! `TIDEGATE_SEED=7 TIDEGATE_RUNS=1` plays one run again; more runs, and longer ones, by the same
//! variables.

use crate::model::{Step, run, run_seed};
use proptest::prelude::*;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

#[test]
fn the_engine_agrees_with_the_model_for_many_seeds() {
    let first = setting("TIDEGATE_SEED", 1);
    let length = setting("TIDEGATE_STEPS", 120) as usize;
    for seed in first..first + setting("TIDEGATE_RUNS", 400) {
        run_seed(seed, length);
    }
}

#[test]
fn the_engine_agrees_with_the_model_for_long() {
    let seed = setting("TIDEGATE_SEED", 1);
    run_seed(seed + 1_000_000, setting("TIDEGATE_STEPS", 2_500) as usize);
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (
        0..125u8,
        proptest::bool::weighted(0.3),
        any::<u32>(),
        any::<u32>(),
        any::<u32>(),
    );
    let step = step.prop_map(|(kind, joined, a, b, c)| Step {
        kind: kind | u8::from(joined) << 7,
        a,
        b,
        c,
    });
    proptest::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 120,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_engine_agrees_with_the_model_for_any_steps(steps in steps()) {
        run(&steps);
    }
}
