//! The flash sale of `bench/simulate` in short: 200,000 buyers, three seeds, nothing that must not
//! be. `npm run simulate` is the long form; `docs/simulation.md` says what both assume.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../bench/simulate/mod.rs"]
#[allow(dead_code)]
mod simulate;

use simulate::figures::Cause;
use simulate::report::violations;
use simulate::settings::Settings;
use simulate::world::World;

const BUYERS: u32 = 200_000;
const STOCK: u64 = 1_000;
const SEEDS: [u64; 3] = [1, 2, 3];

fn run(scenario: &str, seed: u64) -> World {
    // A world with fewer places on earth: as many requests an isolate as the whole crowd brings.
    let settings = Settings::new(scenario, seed, BUYERS, STOCK).unwrap();
    World::new(Settings {
        locations: 30,
        isolates_max: 20,
        ..settings
    })
    .run()
}

#[test]
fn a_sale_is_exact_and_asks_the_object_as_often_as_promised() {
    for seed in SEEDS {
        let world = run("sale", seed);
        assert_eq!(violations(&world), Vec::<String>::new(), "seed {seed}");
        assert_eq!(world.ledger.taken(), STOCK, "seed {seed}");
        // At most one probe for each isolate in three quarters of a second, twice delivered at times.
        let probes = world.figures.most_while_sold_out(&[Cause::Probe]);
        assert!(
            probes > 0 && probes <= 30 * 20 * 4 / 3 * 11 / 10,
            "seed {seed}: {probes} probes"
        );
        assert!(
            world.figures.sum(|b| b.refused_by_edge) > u64::from(BUYERS) / 4,
            "seed {seed}"
        );
    }
}

#[test]
fn a_stock_that_changes_while_it_sells_is_exact() {
    for seed in SEEDS {
        let world = run("resize", seed);
        assert_eq!(violations(&world), Vec::<String>::new(), "seed {seed}");
        assert_eq!(world.ledger.taken(), STOCK, "seed {seed}");
    }
}

#[test]
fn nobody_gets_in_before_the_opening_and_everything_is_sold_after_it() {
    let world = run("opening", SEEDS[0]);
    assert_eq!(violations(&world), Vec::<String>::new());
    assert!(world.figures.answers("not open, by an edge") > 0);
}

#[test]
fn places_that_come_back_are_sold_again() {
    let world = run("returns", SEEDS[0]);
    assert_eq!(violations(&world), Vec::<String>::new());
    assert_eq!(world.ledger.taken(), STOCK);
}

#[test]
fn a_seed_says_it_all() {
    let figures = |world: World| {
        let calls: Vec<_> = world
            .figures
            .buckets
            .iter()
            .map(|bucket| bucket.calls)
            .collect();
        (world.figures.answers, calls)
    };
    assert_eq!(figures(run("sale", 9)), figures(run("sale", 9)));
}
