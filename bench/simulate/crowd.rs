//! The buyers: when they come, what they are like, and the requests they send.

use super::random::trait_of;
use super::settings::{MS, SECOND, Settings, Us};
use std::fmt::Write;

/// The crowd's arrival, as shares of all buyers by a moment: a quarter storms the doors in the first
/// half second, most of the rest comes within ten, the last two in a hundred within another fifteen.
const ARRIVED: [(Us, f64); 5] = [
    (0, 0.0),
    (500 * MS, 0.25),
    (3 * SECOND, 0.5),
    (10 * SECOND, 0.98),
    (25 * SECOND, 1.0),
];
/// Where there is an opening, half of the crowd comes early, and a fifth at that very moment.
const ARRIVED_AT_OPENING: [(Us, f64); 5] = [
    (0, 0.0),
    (5 * SECOND, 0.5),
    (5 * SECOND + 200 * MS, 0.7),
    (10 * SECOND, 0.98),
    (25 * SECOND, 1.0),
];
/// Nobody who got a place is idle after this moment, so that what comes back can be sold again.
pub const LAST_CHANGE_OF_MIND_US: Us = 14 * SECOND;
/// How often one buyer asks at most.
pub const ATTEMPTS_MAX: u8 = 3;
/// How long a client waits for an answer that does not come.
pub const PATIENCE_US: Us = 3 * SECOND;

const BASE: &str = "https://api.shop.example/v1/queues/drop";
const TOKEN: &str = "authorization: Bearer token-of-the-shop";

/// What a buyer asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Place,
    Confirm(tidegate::id::Id),
    Cancel(tidegate::id::Id),
}

/// One request of a buyer.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub buyer: u32,
    /// Requests of this buyer before this one.
    pub attempt: u8,
    /// When it was sent.
    pub sent_us: Us,
    pub wish: Wish,
}

/// What becomes of a place that was given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mind {
    Confirms,
    Cancels,
    Forgets,
}

/// All buyers. They take no memory: what one is like is computed from the seed.
pub struct Crowd {
    seed: u64,
    buyers: u32,
    keyed: f64,
    hold_ms: Option<u64>,
    arrived: [(Us, f64); 5],
}

impl Crowd {
    pub fn new(settings: &Settings) -> Self {
        let arrived = if settings.opens_at_us.is_some() {
            ARRIVED_AT_OPENING
        } else {
            ARRIVED
        };
        Self {
            seed: settings.seed,
            buyers: settings.buyers,
            keyed: settings.keyed,
            hold_ms: settings.hold_ms,
            arrived,
        }
    }

    /// When this buyer comes; later buyers come later. `None` past the last one.
    pub fn arrival_us(&self, buyer: u32) -> Option<Us> {
        if buyer >= self.buyers {
            return None;
        }
        let share = (f64::from(buyer) + self.trait_of(buyer, 0)) / f64::from(self.buyers);
        let to = self.arrived.iter().position(|(_, by)| share < *by)?;
        let ((from_us, from), (to_us, until)) = (self.arrived[to - 1], self.arrived[to]);
        Some(from_us + ((to_us - from_us) as f64 * (share - from) / (until - from)) as Us)
    }

    /// From 0 to 1: decides where the buyer is.
    pub fn whereabouts(&self, buyer: u32) -> f64 {
        self.trait_of(buyer, 1)
    }

    pub fn is_keyed(&self, buyer: u32) -> bool {
        self.trait_of(buyer, 2) < self.keyed
    }

    pub fn mind(&self, buyer: u32, now_us: Us) -> Mind {
        match self.trait_of(buyer, 3) {
            _ if now_us >= LAST_CHANGE_OF_MIND_US => Mind::Confirms,
            share if share < 0.7 => Mind::Confirms,
            share if share < 0.85 => Mind::Cancels,
            _ => Mind::Forgets,
        }
    }

    fn trait_of(&self, buyer: u32, which: u64) -> f64 {
        trait_of(self.seed, u64::from(buyer) << 3 | which)
    }

    /// The head and the body of a request, as the host hands them to the edge.
    pub fn write(&self, request: &Request, head: &mut String) -> &'static [u8] {
        head.clear();
        let buyer = request.buyer;
        // Writing to a string cannot fail.
        let _ = match request.wish {
            Wish::Confirm(id) => {
                write!(
                    head,
                    "POST\n{BASE}/messages/{id}/confirm\n{TOKEN}\ncontent-length: 0\n"
                )
            }
            Wish::Cancel(id) => write!(head, "DELETE\n{BASE}/messages/{id}\n{TOKEN}\n"),
            Wish::Place => write!(
                head,
                "POST\n{BASE}/messages\n{TOKEN}\ncontent-length: 15\n\
                 content-type: application/json\ntidegate-key: buyer-{buyer}\n"
            ),
        };
        if request.wish != Wish::Place {
            return &[];
        }
        if self.is_keyed(buyer) {
            let _ = writeln!(head, "idempotency-key: order-{buyer}");
        }
        if let Some(hold_ms) = self.hold_ms {
            let _ = writeln!(head, "tidegate-hold-ms: {hold_ms}");
        }
        br#"{"item":"shoe"}"#
    }
}
