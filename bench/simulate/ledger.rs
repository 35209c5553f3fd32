//! What really is: the places that the object gave out and took back, kept by other code than the
//! object's own, from the answers of its committed turns. Every claim of a run is checked here.

use super::settings::{MS, START_MS, Us};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use tidegate::id::Id;

struct Place {
    buyer: u32,
    /// When the place is free again, unless it is confirmed.
    until_ms: Option<u64>,
}

/// All places, and what was wrong.
#[derive(Default)]
pub struct Ledger {
    stock: u64,
    opens_at_us: Us,
    places: HashMap<Id, Place>,
    of_buyer: HashMap<u32, u32>,
    ends: BinaryHeap<Reverse<(u64, Id)>>,
    /// Since when there is room; `None` while there is none.
    room_since_us: Option<Us>,
    full_since_us: Option<Us>,
    /// Places given out beyond the stock.
    pub over: u64,
    /// Places given out before the opening.
    pub early: u64,
    /// Buyers who got more than one place at a time.
    pub over_per_key: u64,
    /// Refusals by the object while there was room.
    pub wrong_at_object: u64,
    /// The oldest verdict by which an edge or a relay refused, from the object's decision on.
    pub age_us_max: Us,
    /// Refusals by an edge while there was room.
    pub late: u64,
    /// The longest that there had been room when an edge refused.
    pub late_us_max: Us,
}

impl Ledger {
    pub fn new(stock: u64, opens_at_us: Us) -> Self {
        let room_since_us = Some(opens_at_us);
        Self {
            stock,
            opens_at_us,
            room_since_us,
            ..Self::default()
        }
    }

    pub fn taken(&self) -> u64 {
        self.places.len() as u64
    }

    pub fn unsold(&self) -> u64 {
        self.stock.saturating_sub(self.taken())
    }

    /// Since when there has been no room.
    pub fn full_since_us(&self) -> Option<Us> {
        self.full_since_us
    }

    /// Lets holds run out, as of the object's clock.
    pub fn pass(&mut self, now_us: Us) {
        let now_ms = START_MS + now_us / MS;
        while let Some(Reverse((at_ms, id))) = self.ends.peek().copied() {
            if at_ms > now_ms {
                break;
            }
            self.ends.pop();
            if self
                .places
                .get(&id)
                .is_some_and(|it| it.until_ms == Some(at_ms))
            {
                self.remove(id);
                self.note_room((at_ms - START_MS) * MS);
            }
        }
    }

    pub fn change(&mut self, stock: u64, now_us: Us) {
        self.stock = stock;
        self.note_room(now_us);
    }

    pub fn confirm(&mut self, id: Id) {
        if let Some(place) = self.places.get_mut(&id) {
            place.until_ms = None;
        }
    }

    pub fn cancel(&mut self, id: Id, now_us: Us) {
        self.remove(id);
        self.note_room(now_us);
    }

    /// A place was given out, or once more to whom it had been given before.
    pub fn accept(&mut self, id: Id, buyer: u32, hold_ms: Option<u64>, now_us: Us) {
        if self.places.contains_key(&id) {
            return;
        }
        let until_ms = hold_ms.map(|hold_ms| START_MS + now_us / MS + hold_ms);
        self.ends.extend(until_ms.map(|at_ms| Reverse((at_ms, id))));
        self.places.insert(id, Place { buyer, until_ms });
        let of_buyer = self.of_buyer.entry(buyer).or_default();
        *of_buyer += 1;
        self.over_per_key += u64::from(*of_buyer > 1);
        self.over += u64::from(self.taken() > self.stock);
        self.early += u64::from(now_us / MS < self.opens_at_us / MS);
        self.note_room(now_us);
    }

    /// A turn is over in which the object refused `refused` publishes for want of a place.
    pub fn refused_by_object(&mut self, refused: u64) {
        if self.taken() < self.stock {
            self.wrong_at_object += refused;
        }
    }

    /// An edge or a relay refused for want of a place, or because the queue was not open, by what
    /// the object had decided at `decided_us`.
    pub fn refused_by_edge(&mut self, now_us: Us, decided_us: Us) {
        self.pass(now_us);
        self.age_us_max = self.age_us_max.max(now_us.saturating_sub(decided_us));
        let Some(late_us) = self
            .room_since_us
            .and_then(|since| now_us.checked_sub(since))
        else {
            return;
        };
        self.late += 1;
        self.late_us_max = self.late_us_max.max(late_us);
    }

    fn remove(&mut self, id: Id) {
        if let Some(place) = self.places.remove(&id)
            && let Some(count) = self.of_buyer.get_mut(&place.buyer)
        {
            *count -= 1;
        }
    }

    fn note_room(&mut self, now_us: Us) {
        if self.taken() < self.stock {
            self.room_since_us
                .get_or_insert(now_us.max(self.opens_at_us));
            self.full_since_us = None;
        } else {
            self.full_since_us.get_or_insert(now_us);
            self.room_since_us = None;
        }
    }
}
