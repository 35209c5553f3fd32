//! Who is here, and what of it the others have not been told yet. Out of scope: who is told it.
//!
//! Who came and went again between two tellings is not told of at all. Many changes are told as the
//! list of who is here now. Bounded by the number of readers.

use crate::command::topic::News;
use crate::limits::PRESENCE_CHANGES_MAX;
use std::collections::BTreeMap;

/// The members of a topic.
#[derive(Default)]
pub(super) struct Presence {
    /// How many readers each of them has.
    readers: BTreeMap<String, usize>,
    /// Whether they came or went, in the end.
    changes: BTreeMap<String, bool>,
}

impl Presence {
    /// A reader of a member that the others know of.
    pub fn attach(&mut self, member: &str) {
        *self.readers.entry(member.to_owned()).or_default() += 1;
    }

    pub fn join(&mut self, member: &str) {
        self.attach(member);
        if self.readers.get(member) == Some(&1) {
            self.change(member, true);
        }
    }

    pub fn leave(&mut self, member: &str) {
        let Some(readers) = self.readers.get_mut(member) else {
            return;
        };
        *readers -= 1;
        if *readers == 0 {
            self.readers.remove(member);
            self.change(member, false);
        }
    }

    /// It is here and gone by turns, so that two changes are none.
    fn change(&mut self, member: &str, joined: bool) {
        if self.changes.remove(member).is_none() {
            self.changes.insert(member.to_owned(), joined);
        }
    }

    pub fn has_changed(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Who is here, each once.
    pub fn members(&self) -> Vec<String> {
        self.readers.keys().cloned().collect()
    }

    pub fn here(&self) -> News {
        News::Here(self.members().into())
    }

    /// What has changed since it was last asked: as changes, or, where that would be long, as who
    /// is here.
    pub fn news(&mut self) -> Option<News> {
        let changes = std::mem::take(&mut self.changes);
        // The list of a large crowd is long itself.
        let changes_max = PRESENCE_CHANGES_MAX.max(self.readers.len() / PRESENCE_CHANGES_MAX);
        match changes.len() {
            0 => None,
            count if count > changes_max => Some(self.here()),
            _ => Some(News::Presence(changes.into_iter().collect())),
        }
    }
}
