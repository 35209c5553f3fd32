//! Places of the line that were given up, one bit each, so that counting those before a place is
//! a matter of microseconds: a million waiting messages are 125 KB.

use std::collections::VecDeque;

const BITS: u64 = 64;

/// A set of ordinals that are close together.
#[derive(Debug, Default)]
pub struct Holes {
    /// The ordinal of the first bit, a multiple of [`BITS`].
    base: u64,
    words: VecDeque<u64>,
}

impl Holes {
    /// Adds an ordinal.
    pub fn insert(&mut self, ordinal: u64) {
        if self.words.is_empty() {
            self.base = ordinal - ordinal % BITS;
        }
        while ordinal < self.base {
            self.base -= BITS;
            self.words.push_front(0);
        }
        let at = ((ordinal - self.base) / BITS) as usize;
        if at >= self.words.len() {
            self.words.resize(at + 1, 0);
        }
        self.words[at] |= 1 << (ordinal % BITS);
    }

    /// Whether it is in.
    #[must_use]
    pub fn contains(&self, ordinal: u64) -> bool {
        self.count(ordinal, ordinal + 1) > 0
    }

    /// How many there are from `from` up to but not including `to`.
    #[must_use]
    pub fn count(&self, from: u64, to: u64) -> u64 {
        let end = self.base + self.words.len() as u64 * BITS;
        let (from, to) = (from.max(self.base), to.min(end));
        if from >= to {
            return 0;
        }
        let (first, last) = ((from - self.base) / BITS, (to - 1 - self.base) / BITS);
        let words = self.words.range(first as usize..=last as usize);
        let count: u64 = words.map(|word| u64::from(word.count_ones())).sum();
        let before = self.words[first as usize] & !(u64::MAX << (from % BITS));
        let behind = self.words[last as usize] & !(u64::MAX >> (BITS - 1 - (to - 1) % BITS));
        count - u64::from(before.count_ones()) - u64::from(behind.count_ones())
    }

    /// Forgets what comes before `ordinal`, nearly.
    pub fn forget_before(&mut self, ordinal: u64) {
        while self.base + BITS <= ordinal && self.words.pop_front().is_some() {
            self.base += BITS;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn they_count_as_a_set_does() {
        let (mut holes, mut set) = (Holes::default(), BTreeSet::new());
        let mut random = 7u64;
        for step in 0..4_000 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let ordinal = 1_000 + (random >> 33) % 700;
            holes.insert(ordinal);
            set.insert(ordinal);
            let from = 900 + (random >> 20) % 900;
            let to = 900 + (random >> 12) % 900;
            let counted = if from < to {
                set.range(from..to).count()
            } else {
                0
            };
            assert_eq!(holes.count(from, to), counted as u64, "{from}..{to}");
            assert_eq!(holes.contains(from), set.contains(&from));
            if step % 500 == 499 {
                let to = 1_000 + step / 10;
                holes.forget_before(to);
                // Bits of the same word may stay; nobody asks for them.
                (holes, set) = (Holes::default(), BTreeSet::new());
            }
        }
    }

    #[test]
    fn what_lies_behind_is_forgotten() {
        let mut holes = Holes::default();
        (0..1_000).for_each(|ordinal| holes.insert(ordinal));
        holes.forget_before(640);
        assert_eq!((holes.count(0, 640), holes.count(640, 2_000)), (0, 360));
        holes.insert(5);
        assert_eq!(holes.count(0, 2_000), 361);
    }
}
