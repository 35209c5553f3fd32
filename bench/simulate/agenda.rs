//! What is going to happen, in order of time. What is due at the same instant happens in the order
//! in which it was noted, so that a run repeats itself.

use super::settings::Us;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Things to come.
pub struct Agenda<E> {
    heap: BinaryHeap<Reverse<(Us, u64, u32)>>,
    events: Vec<Option<E>>,
    free: Vec<u32>,
    noted: u64,
}

impl<E> Agenda<E> {
    pub fn new() -> Self {
        Self {
            heap: BinaryHeap::new(),
            events: Vec::new(),
            free: Vec::new(),
            noted: 0,
        }
    }

    pub fn note(&mut self, at_us: Us, event: E) {
        let slot = self.free.pop().unwrap_or(self.events.len() as u32);
        if slot as usize == self.events.len() {
            self.events.push(None);
        }
        self.events[slot as usize] = Some(event);
        self.noted += 1;
        self.heap.push(Reverse((at_us, self.noted, slot)));
    }

    /// When the next thing happens.
    pub fn next_us(&self) -> Option<Us> {
        self.heap.peek().map(|Reverse((at_us, ..))| *at_us)
    }

    pub fn take(&mut self) -> Option<(Us, E)> {
        let Reverse((at_us, _, slot)) = self.heap.pop()?;
        self.free.push(slot);
        Some((at_us, self.events[slot as usize].take()?))
    }
}
