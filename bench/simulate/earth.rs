//! Where requests enter: locations, the isolates that come and go in them, and how far away the
//! object is. An isolate is the production edge with a clock of its own.

use super::crowd::Request;
use super::random::Random;
use super::settings::{MS, SECOND, START_MS, Settings, Us};
use tidegate::edge::Edge;

/// Over which a location's rate is averaged.
const RATE_TAU_US: f64 = 200.0 * MS as f64;
const VARIABLES: &str = r#"{"ADMIN_TOKEN":"token-of-the-shop"}"#;

/// One isolate of one location. The generation tells it from those that had its slot before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IsolateId {
    pub location: u16,
    pub slot: u8,
    pub generation: u32,
}

/// A Worker's process in one location.
pub struct Isolate {
    pub edge: Edge,
    /// Whether somebody sends its reports already (`host/reports.js`).
    pub reporting: bool,
    /// Calls of publishes that are out (`host/share.js`): those that travel alone, and the
    /// conductor's with what gathers behind it.
    pub alone: u8,
    pub conducts: bool,
    pub gathering: Vec<(Request, Vec<u8>)>,
    generation: u32,
    dies_us: Us,
    skew_ms: i64,
}

impl Isolate {
    /// The platform ends no isolate that requests wait in.
    fn is_alive(&self, now_us: Us) -> bool {
        now_us < self.dies_us || self.alone > 0 || self.conducts
    }

    /// What its clock says.
    pub fn now_ms(&self, now_us: Us) -> u64 {
        (START_MS + now_us / MS).saturating_add_signed(self.skew_ms)
    }
}

struct Location {
    isolates: Vec<Option<Isolate>>,
    one_way_us: f64,
    recent: f64,
    counted_us: Us,
    /// The share of the crowd in this location and all before it.
    share_until: f64,
}

/// All locations.
pub struct Earth {
    locations: Vec<Location>,
    isolate_rate: f64,
    isolates_max: usize,
    life_us: f64,
    skew_ms: f64,
    random: Random,
    /// Isolates started so far.
    pub started: u32,
}

impl Earth {
    pub fn new(settings: &Settings) -> Self {
        let mut random = Random::new(settings.seed ^ 0xEA87);
        let weights: Vec<f64> = (0..settings.locations)
            .map(|_| 0.5 + random.exponential(0.5))
            .collect();
        let all: f64 = weights.iter().sum();
        let mut share = 0.0;
        let locations = weights.iter().map(|weight| {
            share += weight / all;
            let (low, high) = settings.round_trip_ms;
            Location {
                isolates: (0..settings.isolates_max).map(|_| None).collect(),
                one_way_us: random.between(low, high) / 2.0 * MS as f64,
                recent: 0.0,
                counted_us: 0,
                share_until: share,
            }
        });
        Self {
            locations: locations.collect(),
            isolate_rate: settings.isolate_rate,
            isolates_max: settings.isolates_max,
            life_us: settings.isolate_life_us,
            skew_ms: settings.skew_ms,
            random,
            started: 0,
        }
    }

    /// The isolate that takes a request from somebody who is at `whereabouts` (0 to 1).
    pub fn enter(&mut self, whereabouts: f64, now_us: Us) -> IsolateId {
        let at = self
            .locations
            .partition_point(|it| it.share_until <= whereabouts);
        let at = at.min(self.locations.len() - 1);
        let location = &mut self.locations[at];
        let age_us = (now_us - location.counted_us) as f64;
        location.recent = location.recent * (-age_us / RATE_TAU_US).exp() + 1.0;
        location.counted_us = now_us;
        let rate = location.recent / RATE_TAU_US * SECOND as f64;
        let isolates = ((rate / self.isolate_rate).ceil() as usize).clamp(1, self.isolates_max);
        let slot = self.random.below(isolates as u64) as usize;
        self.wake(at, slot, now_us)
    }

    /// The isolate in a slot; a new one, that knows nothing, where there is none any more.
    fn wake(&mut self, at: usize, slot: usize, now_us: Us) -> IsolateId {
        let (random, started) = (&mut self.random, &mut self.started);
        let place = &mut self.locations[at].isolates[slot];
        let is_alive = place.as_ref().is_some_and(|it| it.is_alive(now_us));
        if !is_alive {
            *started += 1;
            *place = Some(Isolate {
                edge: Edge::new(VARIABLES).unwrap(),
                reporting: false,
                alone: 0,
                conducts: false,
                gathering: Vec::new(),
                generation: *started,
                dies_us: now_us + 1 + random.exponential(self.life_us) as Us,
                skew_ms: random.between(-self.skew_ms, self.skew_ms).round() as i64,
            });
        }
        let generation = place.as_ref().map_or(0, |it| it.generation);
        IsolateId {
            location: at as u16,
            slot: slot as u8,
            generation,
        }
    }

    /// The isolate; `None` once it is gone.
    pub fn isolate(&mut self, id: IsolateId, now_us: Us) -> Option<&mut Isolate> {
        let place = &mut self.locations[usize::from(id.location)].isolates[usize::from(id.slot)];
        place
            .as_mut()
            .filter(|it| it.generation == id.generation && it.is_alive(now_us))
    }

    /// How long something is on its way between a location and the object.
    pub fn travel_us(&mut self, id: IsolateId) -> Us {
        let base = self.locations[usize::from(id.location)].one_way_us;
        // A tenth of jitter, and now and then a packet that has to be sent again.
        let again = if self.random.chance(0.005) {
            200.0 * MS as f64
        } else {
            0.0
        };
        (base + self.random.exponential(base / 10.0) + again) as Us
    }

    /// How long something is on its way that takes `round_trip_us` there and back.
    pub fn way_us(&mut self, round_trip_us: f64) -> Us {
        let base = round_trip_us / 2.0;
        (base + self.random.exponential(base / 10.0)) as Us
    }
}
