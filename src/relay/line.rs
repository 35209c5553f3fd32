//! Publishes that stand in line for a relay's next call: bounded in number and in bytes.

use crate::error::ErrorCode;
use crate::limits::{
    RELAY_CALL_BYTES_MAX, RELAY_CALL_PUBLISHES_MAX, RELAY_LINE_BYTES_MAX, RELAY_LINE_MAX,
};
use crate::time::Millis;
use std::collections::VecDeque;

/// One publish.
#[derive(Debug)]
pub struct Item {
    /// Its call's token, and its place there.
    pub at: (u32, u32),
    /// As it goes up.
    pub command: Vec<u8>,
    /// Its idempotency key.
    pub key: Option<String>,
    /// The page it comes from.
    pub origin: Option<String>,
    /// Refusals that the edge reports with it; they count here if it does not go up.
    pub refused: Vec<(ErrorCode, u64)>,
    /// When it came.
    pub since_ms: Millis,
}

/// The line.
#[derive(Debug, Default)]
pub struct Line {
    items: VecDeque<Item>,
    bytes: usize,
}

impl Line {
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// When the first of the line came.
    pub fn oldest_ms(&self) -> Option<Millis> {
        self.items.front().map(|item| item.since_ms)
    }

    /// Takes one in; gives it back where there is no room.
    pub fn push(&mut self, item: Item) -> Result<(), Item> {
        let bytes = self.bytes + item.command.len();
        if self.items.len() >= RELAY_LINE_MAX || bytes > RELAY_LINE_BYTES_MAX {
            return Err(item);
        }
        self.bytes = bytes;
        self.items.push_back(item);
        Ok(())
    }

    /// The first, if it came before this.
    pub fn pop_older(&mut self, since_ms: Millis) -> Option<Item> {
        if self.oldest_ms()? >= since_ms {
            return None;
        }
        self.pop()
    }

    /// As many as one call takes.
    pub fn take_call(&mut self) -> Vec<Item> {
        let mut items = Vec::new();
        let mut bytes = 0;
        while let Some(item) = self.items.front() {
            bytes += item.command.len();
            let fits = items.len() < RELAY_CALL_PUBLISHES_MAX && bytes <= RELAY_CALL_BYTES_MAX;
            if !fits && !items.is_empty() {
                break;
            }
            items.extend(self.pop());
        }
        items
    }

    /// Those of which `chosen` holds; the others stay in order.
    pub fn take_where(&mut self, chosen: impl Fn(&Item) -> bool) -> Vec<Item> {
        let (taken, left): (Vec<Item>, Vec<Item>) = self.items.drain(..).partition(chosen);
        self.items = left.into();
        self.bytes -= taken.iter().map(|item| item.command.len()).sum::<usize>();
        taken
    }

    fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        self.bytes -= item.command.len();
        Some(item)
    }
}
