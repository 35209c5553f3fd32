//! What a run is told: the crowd, the world it meets, and what happens on the way.
//!
//! Everything that is assumed of the platform is a number here, and `docs/simulation.md` says why.

/// Microseconds of simulated time since the run began.
pub type Us = u64;

pub const MS: Us = 1_000;
pub const SECOND: Us = 1_000 * MS;
/// What the clock says when a run begins.
pub const START_MS: u64 = 1_700_000_000_000;

/// One run.
#[derive(Clone, Debug)]
pub struct Settings {
    pub scenario: &'static str,
    pub seed: u64,
    pub buyers: u32,
    /// `max_accepted` at the beginning and at the end.
    pub stock: u64,

    /// Places on earth that requests enter at, and isolates each may run.
    pub locations: usize,
    pub isolates_max: usize,
    /// Requests a second beyond which a location starts another isolate.
    pub isolate_rate: f64,
    /// Mean life of an isolate.
    pub isolate_life_us: f64,
    /// Clocks of isolates are wrong by up to this much.
    pub skew_ms: f64,
    /// There and back between a location, or a region, and the object.
    pub round_trip_ms: (f64, f64),
    /// There and back between an isolate and its location's relay, and from there to the region's.
    pub to_relay_ms: (f64, f64),
    pub to_region_ms: (f64, f64),

    /// The object's time for a turn, for each call in it, and for each further message of a call.
    pub turn_us: Us,
    pub call_us: Us,
    pub message_us: Us,
    /// From the end of a turn until its answers leave: the commit is being confirmed.
    pub commit_us: Us,
    /// Calls in one turn, and in line for one (`host/object.js`).
    pub turn_calls_max: usize,
    pub line_calls_max: usize,
    /// A relay's time for each publish of a call; for turns and calls it takes what the object takes.
    pub relay_message_us: Us,
    /// When a region's relay and some locations' relays are thrown out of memory.
    pub relays_die_us: Option<Us>,
    /// How often the object is thrown out of memory, at random instants of the first 12 s.
    pub restarts: u32,

    /// Buyers who send an `Idempotency-Key`.
    pub keyed: f64,
    /// Calls that the platform delivers twice.
    pub delivered_twice: f64,
    /// Answers that never reach the edge.
    pub answers_lost: f64,

    /// Places are held; some buyers confirm, some cancel, some never come back.
    pub hold_ms: Option<u64>,
    /// When the queue opens.
    pub opens_at_us: Option<Us>,
    /// When `max_accepted` becomes what.
    pub changes: Vec<(Us, u64)>,
}

impl Settings {
    pub const SCENARIOS: [(&str, &str); 6] = [
        ("sale", "open from the start, sold out, stays sold out"),
        (
            "resize",
            "half the stock at first; raised, lowered and raised again while it sells",
        ),
        (
            "returns",
            "places are held for 6 s; three in ten come back by cancelling or running out",
        ),
        (
            "opening",
            "opens at 5 s; who comes before is told when to come back",
        ),
        (
            "relays",
            "as sale; a region's relay and every tenth location's die at 0.4 s",
        ),
        (
            "keyed",
            "as sale; every fifth buyer sends an Idempotency-Key",
        ),
    ];

    /// The world of a scenario; `None` where there is none of that name.
    pub fn new(scenario: &str, seed: u64, buyers: u32, stock: u64) -> Option<Self> {
        let (scenario, _) = Self::SCENARIOS
            .into_iter()
            .find(|(name, _)| *name == scenario)?;
        let mut it = Self {
            scenario,
            seed,
            buyers,
            stock,
            locations: 300,
            isolates_max: 50,
            isolate_rate: 33.0,
            isolate_life_us: 60.0 * SECOND as f64,
            skew_ms: 500.0,
            round_trip_ms: (5.0, 150.0),
            to_relay_ms: (1.0, 8.0),
            to_region_ms: (5.0, 40.0),
            turn_us: 200,
            call_us: 950,
            message_us: 60,
            commit_us: 5 * MS,
            turn_calls_max: 256,
            line_calls_max: 4_096,
            relay_message_us: 5,
            relays_die_us: None,
            restarts: 3,
            keyed: 0.001,
            delivered_twice: 0.01,
            answers_lost: 0.001,
            hold_ms: None,
            opens_at_us: None,
            changes: Vec::new(),
        };
        match scenario {
            "resize" => {
                it.changes = vec![
                    (0, stock / 2),
                    (8 * SECOND, stock * 8 / 10),
                    (10 * SECOND, stock * 6 / 10),
                    (14 * SECOND, stock),
                ];
            }
            "returns" => it.hold_ms = Some(6_000),
            "opening" => it.opens_at_us = Some(5 * SECOND),
            "relays" => it.relays_die_us = Some(400 * MS),
            "keyed" => it.keyed = 0.2,
            _ => {}
        }
        Some(it)
    }
}
