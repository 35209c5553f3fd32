//! The flash sale of `bench/simulate` in short: 200,000 buyers, three seeds, nothing that must not
//! be. `npm run simulate` is the long form; `docs/simulation.md` says what both assume.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../bench/simulate/mod.rs"]
#[allow(dead_code)]
mod simulate;

use simulate::figures::{Bucket, Cause};
use simulate::report::{REFUSING_MAX, violations};
use simulate::settings::Settings;
use simulate::world::World;

const BUYERS: u32 = 200_000;
const STOCK: u64 = 1_000;
const SEEDS: [u64; 3] = [1, 2, 3];
/// Calls a second that the object may get, however large the crowd: 9 regions, one at a time each.
const CALLS_MAX: u64 = 360;

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
fn a_sale_is_exact_and_hardly_asks_the_object() {
    for seed in SEEDS {
        let world = run("sale", seed);
        assert_eq!(violations(&world), Vec::<String>::new(), "seed {seed}");
        assert_eq!(world.ledger.taken(), STOCK, "seed {seed}");
        let refusing = world.figures.most_calls(&Cause::REFUSING);
        assert!(refusing <= REFUSING_MAX, "seed {seed}: {refusing}");
        let calls = world.figures.most_calls(&Cause::ALL);
        assert!(calls <= CALLS_MAX, "seed {seed}: {calls}");
        let refused_near = |b: &Bucket| b.refused_by_edge + b.refused_by_relay;
        assert!(
            world.figures.sum(refused_near) > u64::from(BUYERS) * 9 / 10,
            "seed {seed}"
        );
    }
}

#[test]
fn a_larger_crowd_asks_the_object_no_more_often() {
    let most = |buyers| {
        let settings = Settings::new("sale", SEEDS[0], buyers, STOCK).unwrap();
        let world = World::new(settings).run();
        assert_eq!(violations(&world), Vec::<String>::new(), "{buyers} buyers");
        world.figures.most_calls(&Cause::ALL)
    };
    let (few, many) = (most(BUYERS / 10), most(BUYERS * 2));
    assert!(many <= few * 2 && many <= CALLS_MAX, "{few}, then {many}");
}

#[test]
fn relays_that_die_cost_nobody_a_place() {
    let world = run("relays", SEEDS[0]);
    assert_eq!(violations(&world), Vec::<String>::new());
    assert!(world.figures.relay_crashes > 1);
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
    assert_eq!(world.ledger.taken(), STOCK);
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
