//! The last message of each key: what a new reader of a topic of states wants first.
//!
//! Worked out when somebody asks for it, from the heads of the newest messages, and kept up to date
//! from then on while the object is awake. Costs nothing where nobody asks.

use super::log::{Log, end_of};
use crate::limits::LAST_PER_KEY_MESSAGES_MAX;
use crate::store::{Sql, StoreError};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

/// Which messages are the last of their keys.
#[derive(Debug, Default)]
pub struct LastValues {
    by_key: HashMap<Rc<str>, u64>,
    by_seq: BTreeMap<u64, Rc<str>>,
}

impl LastValues {
    /// Looks at the newest messages of the log.
    ///
    /// # Errors
    /// Storage.
    pub fn of(log: &Log, sql: &mut dyn Sql) -> Result<Self, StoreError> {
        let mut it = Self::default();
        let floor = log.next_seq.saturating_sub(LAST_PER_KEY_MESSAGES_MAX);
        let mut from = log.first_seq.max(floor);
        while from < log.next_seq {
            let segments = log.heads(sql, from)?;
            for segment in &segments {
                for item in segment.items.iter().filter(|item| item.seq >= from) {
                    it.note(segment.head(item)?.key, item.seq);
                }
            }
            match segments.last() {
                Some(last) => from = end_of(last),
                None => break,
            }
        }
        Ok(it)
    }

    /// A message was published.
    pub fn note(&mut self, key: Option<&str>, seq: u64) {
        if let Some(key) = key {
            let key: Rc<str> = key.into();
            if let Some(before) = self.by_key.insert(Rc::clone(&key), seq) {
                self.by_seq.remove(&before);
            }
            self.by_seq.insert(seq, key);
        }
        let floor = (seq + 1).saturating_sub(LAST_PER_KEY_MESSAGES_MAX);
        while let Some(first) = self
            .by_seq
            .first_entry()
            .filter(|first| *first.key() < floor)
        {
            self.by_key.remove(&*first.remove());
        }
    }

    /// The first of these messages with this number or a later one.
    pub fn from(&self, seq: u64) -> Option<u64> {
        self.by_seq.range(seq..).next().map(|(seq, _)| *seq)
    }
}
