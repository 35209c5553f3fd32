//! Responses given before: in a burst of refusals most are the same to the byte, and the host need
//! not read, decode and build the same one twice.

use crate::protocol::http::Response;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Responses remembered; the host keeps what it built from each, under the same number.
const SLOTS: usize = 64;
/// Larger bodies are not remembered.
const BODY_BYTES_MAX: usize = 2_048;

/// The responses in their slots.
#[derive(Debug)]
pub struct Slots {
    slots: Vec<Option<Response>>,
}

/// Where a response stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It was in this slot already.
    Known(u32),
    /// It is in this slot from now on.
    Fresh(u32),
    /// It is not kept.
    Nowhere,
}

impl Default for Slots {
    fn default() -> Self {
        Self {
            slots: vec![None; SLOTS],
        }
    }
}

impl Slots {
    /// Finds `response`, or puts it in the place of another.
    pub fn place(&mut self, response: &Response) -> Place {
        if response.body.len() > BODY_BYTES_MAX {
            return Place::Nowhere;
        }
        let mut hasher = DefaultHasher::new();
        response.status.hash(&mut hasher);
        response.body.hash(&mut hasher);
        let number = hasher.finish() as usize % SLOTS;
        if self.slots[number].as_ref() == Some(response) {
            return Place::Known(number as u32);
        }
        self.slots[number] = Some(response.clone());
        Place::Fresh(number as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_response_is_known() {
        let mut slots = Slots::default();
        let mut response = Response {
            status: 410,
            headers: vec![("a", "b".into())],
            body: vec![1],
        };
        let Place::Fresh(slot) = slots.place(&response) else {
            panic!("nothing is known yet")
        };
        assert_eq!(slots.place(&response), Place::Known(slot));
        response.headers[0].1 = "c".into();
        assert_eq!(slots.place(&response), Place::Fresh(slot));
        response.body = vec![0; BODY_BYTES_MAX + 1];
        assert_eq!(slots.place(&response), Place::Nowhere);
    }
}
