//! The decoded segments that were used last, of a queue or of a log.
//!
//! A bounded cache by row identifier, first in, first out. What is in it is a copy of what is
//! stored: who changes a row forgets it here.

use super::segment::Segment;
use super::seq_map::SeqMap;
use crate::limits::SEGMENT_CACHE_BYTES_MAX;
use std::collections::VecDeque;
use std::rc::Rc;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct SegmentCache {
    segments: SeqMap<Rc<Segment>>,
    used: VecDeque<u64>,
    bytes: usize,
}

impl SegmentCache {
    /// The segment in this row, if it is at hand.
    pub fn get(&self, id: u64) -> Option<Rc<Segment>> {
        self.segments.get(&id).map(Rc::clone)
    }

    /// Keeps a segment, and lets older ones go for it.
    pub fn remember(&mut self, id: u64, segment: Segment) -> Rc<Segment> {
        let segment = Rc::new(segment);
        self.forget(id);
        self.bytes += segment.memory_bytes();
        self.used.push_back(id);
        self.segments.insert(id, Rc::clone(&segment));
        // Identifiers of segments that are gone already are passed over; one that was read twice
        // may go early, which costs a read.
        while self.bytes > SEGMENT_CACHE_BYTES_MAX || self.used.len() > 2 * self.segments.len() + 64
        {
            match self.used.pop_front() {
                Some(oldest) if oldest != id => self.forget(oldest),
                Some(_) => {}
                None => break,
            }
        }
        segment
    }

    /// Lets one go.
    pub fn forget(&mut self, id: u64) {
        if let Some(segment) = self.segments.remove(&id) {
            self.bytes -= segment.memory_bytes();
        }
    }

    /// Lets those go that begin before a row.
    pub fn forget_before(&mut self, end: u64) {
        let gone: Vec<u64> = self
            .segments
            .keys()
            .filter(|id| **id < end)
            .copied()
            .collect();
        gone.into_iter().for_each(|id| self.forget(id));
    }
}

#[cfg(test)]
mod tests {
    use super::super::segment::{Builder, Head};
    use super::*;

    /// A segment of about `bytes` bytes.
    fn segment(seq: u64, bytes: usize) -> Segment {
        let head = Head {
            offset: 0,
            body_bytes: 0,
            priority: 4,
            expires_at_ms: None,
            due_ms: None,
            answer: None,
            attempts: 0,
            content_type: None,
            key: None,
            attributes: Vec::new(),
        };
        let mut builder = Builder::default();
        builder.push(seq, head, &vec![7; bytes]);
        builder.finish(0, 1, 0)
    }

    #[test]
    fn it_holds_no_more_than_its_bytes() {
        let mut cache = SegmentCache::default();
        let bytes = SEGMENT_CACHE_BYTES_MAX / 8;
        for id in 0..100 {
            cache.remember(id, segment(id, bytes));
            assert!(cache.bytes <= SEGMENT_CACHE_BYTES_MAX);
            assert!(cache.get(id).is_some(), "the latest is at hand");
        }
        assert!(cache.get(0).is_none() && cache.segments.len() >= 6);
        for id in 0..100 {
            cache.forget(id);
        }
        assert_eq!(cache.bytes, 0);
    }

    #[test]
    fn its_list_of_what_was_used_is_bounded() {
        let mut cache = SegmentCache::default();
        for _ in 0..1_000 {
            cache.remember(5, segment(5, 1));
        }
        assert!(cache.used.len() <= 2 + 64);
        cache.remember(9, segment(9, 1));
        cache.forget_before(9);
        assert!(cache.get(5).is_none() && cache.get(9).is_some());
    }
}
