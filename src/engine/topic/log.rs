//! The log: messages by number, from the oldest that retention leaves to the last one published.
//!
//! One segment holds what one commit published, in the stored form of queues (`engine/segment.rs`).
//! Numbers have no gaps. What retention lets go can no longer be read at once; its rows are deleted
//! later, many together, and where reading begins is worked out again at a start by the same rule.

use super::config::{Persistence, TopicConfig};
use super::rows::{LANE, Rows};
use crate::command::Draft;
use crate::engine::segment::{Builder, Head, Segment};
use crate::error::{ErrorCode, Fault};
use crate::limits::{RETAIN_SEGMENTS_PER_TURN_MAX, SEQ_MAX};
use crate::store::{Sql, StoreError};
use crate::time::Millis;
use std::collections::VecDeque;
use std::rc::Rc;

/// The messages of a topic.
#[derive(Debug, Default)]
pub struct Log {
    /// The oldest message that can be read.
    pub first_seq: u64,
    /// The number of the next one to be published.
    pub next_seq: u64,
    /// Bytes of the bodies that can be read.
    pub bytes: u64,
    rows: Rows,
    /// The segments themselves, where the topic is kept in memory.
    memory: Option<VecDeque<Rc<Segment>>>,
    builder: Builder,
    /// The segment of `first_seq`.
    oldest: Option<Rc<Segment>>,
    /// How many rows hold nothing any more, and are to be deleted.
    finished: usize,
}

impl Log {
    /// A log whose messages from `first_seq` up to `next_seq` are stored, with so many bytes.
    pub fn new(persistence: Persistence, first_seq: u64, next_seq: u64, bytes: u64) -> Self {
        let memory = (persistence == Persistence::Memory).then(VecDeque::new);
        Self {
            first_seq,
            next_seq,
            bytes,
            memory,
            ..Self::default()
        }
    }

    /// Takes in the segments that were stored since then; each is shown to `see`.
    ///
    /// # Errors
    /// Storage.
    pub fn recover(
        &mut self,
        sql: &mut dyn Sql,
        mut see: impl FnMut(&Segment) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        loop {
            let segments = Rows::heads(sql, self.next_seq)?;
            if segments.is_empty() {
                return Ok(());
            }
            for segment in segments {
                let bytes = segment.items.iter().map(|it| u64::from(it.body_bytes));
                self.bytes += bytes.sum::<u64>();
                self.next_seq = end_of(&segment);
                see(&segment)?;
            }
        }
    }

    /// Messages that can be read.
    pub const fn len(&self) -> u64 {
        self.next_seq - self.first_seq
    }

    /// Whether rows wait to be deleted, and how many.
    pub const fn finished(&self) -> usize {
        self.finished
    }

    /// Appends a message to what this commit stores.
    ///
    /// # Errors
    /// `unavailable` when all numbers are used up.
    pub fn push(&mut self, draft: &Draft<'_>, head: Head<'_>) -> Result<u64, Fault> {
        let seq = self.next_seq;
        if seq > SEQ_MAX {
            let detail = "the topic has used up its sequence numbers";
            return Err(Fault::new(ErrorCode::Unavailable, detail));
        }
        self.builder.push(seq, head, draft.body);
        self.next_seq += 1;
        self.bytes += draft.body.len() as u64;
        Ok(seq)
    }

    /// Whether this message needs another segment.
    pub fn is_full_for(&self, draft: &Draft<'_>, head: &Head<'_>) -> bool {
        self.builder.is_full_for(head, draft.body)
    }

    /// Stores what was pushed; how many messages it was.
    ///
    /// # Errors
    /// Storage.
    pub fn flush(&mut self, sql: &mut dyn Sql, now_ms: Millis) -> Result<u64, StoreError> {
        if self.builder.is_empty() {
            return Ok(0);
        }
        let builder = std::mem::take(&mut self.builder);
        let count = builder.len();
        match &mut self.memory {
            None => self.rows.append(sql, builder, now_ms)?,
            Some(segments) => segments.push_back(Rc::new(builder.finish(LANE, now_ms, 0))),
        }
        Ok(count)
    }

    /// The segment that holds `seq`, which can be read.
    ///
    /// # Errors
    /// Storage.
    pub fn at(&mut self, sql: &mut dyn Sql, seq: u64) -> Result<Rc<Segment>, StoreError> {
        let found = match &self.memory {
            Some(segments) => {
                let after = segments.partition_point(|segment| segment.first_seq <= seq);
                after
                    .checked_sub(1)
                    .and_then(|at| segments.get(at))
                    .map(Rc::clone)
            }
            None => self.rows.holding(sql, seq)?,
        };
        found
            .filter(|segment| (segment.first_seq..end_of(segment)).contains(&seq))
            .ok_or_else(|| StoreError(format!("message {seq} is missing from the log")))
    }

    /// The first message that was accepted at `at_ms` or later; `next_seq` if there is none.
    ///
    /// # Errors
    /// Storage.
    pub fn first_since(&mut self, sql: &mut dyn Sql, at_ms: Millis) -> Result<u64, StoreError> {
        let (mut low, mut high) = (self.first_seq, self.next_seq);
        while low < high {
            let segment = self.at(sql, low.midpoint(high))?;
            if segment.at_ms < at_ms {
                low = end_of(&segment).max(low);
            } else {
                high = segment.first_seq.max(low);
            }
        }
        Ok(low)
    }

    /// When the oldest message that can be read was accepted.
    ///
    /// # Errors
    /// Storage.
    pub fn oldest_ms(&mut self, sql: &mut dyn Sql) -> Result<Option<Millis>, StoreError> {
        if self.first_seq == self.next_seq {
            return Ok(None);
        }
        self.oldest(sql).map(|segment| Some(segment.at_ms))
    }

    /// Lets go what the configuration no longer keeps. Whether there is more of it than one turn
    /// does. Everything pushed must have been stored.
    ///
    /// # Errors
    /// Storage.
    pub fn retain(
        &mut self,
        sql: &mut dyn Sql,
        now_ms: Millis,
        config: &TopicConfig,
    ) -> Result<bool, StoreError> {
        let (max_messages, max_bytes) = config.bounds();
        for _ in 0..RETAIN_SEGMENTS_PER_TURN_MAX {
            if self.first_seq == self.next_seq {
                return Ok(false);
            }
            let oldest = self.oldest(sql)?;
            let is_old = oldest.at_ms.saturating_add(config.retention_ms) <= now_ms;
            let from = (self.first_seq - oldest.first_seq) as usize;
            for item in &oldest.items[from..] {
                if !is_old && self.len() <= max_messages && self.bytes <= max_bytes {
                    return Ok(false);
                }
                // A count that was too small would wrap round, and everything be let go.
                self.bytes = self.bytes.saturating_sub(u64::from(item.body_bytes));
                self.first_seq = item.seq + 1;
            }
            self.oldest = None;
            match &mut self.memory {
                Some(segments) => drop(segments.pop_front()),
                None => self.finished += 1,
            }
        }
        Ok(true)
    }

    fn oldest(&mut self, sql: &mut dyn Sql) -> Result<Rc<Segment>, StoreError> {
        if let Some(segment) = &self.oldest {
            return Ok(Rc::clone(segment));
        }
        let segment = self.at(sql, self.first_seq)?;
        self.oldest = Some(Rc::clone(&segment));
        Ok(segment)
    }

    /// Deletes the rows that hold nothing any more. Where reading begins has to be stored with it.
    ///
    /// # Errors
    /// Storage.
    pub fn delete_finished(&mut self, sql: &mut dyn Sql) -> Result<(), StoreError> {
        if std::mem::take(&mut self.finished) == 0 {
            return Ok(());
        }
        // The segment that holds the oldest message may begin before it.
        let keep_from = match self.oldest_ms(sql)? {
            Some(_) => self.oldest(sql)?.first_seq,
            None => self.next_seq,
        };
        self.rows.delete_before(sql, keep_from)
    }

    /// Heads from `from` on, a few at a time, without keeping them; for a look at all keys.
    ///
    /// # Errors
    /// Storage.
    pub fn heads(&self, sql: &mut dyn Sql, from: u64) -> Result<Vec<Rc<Segment>>, StoreError> {
        if let Some(segments) = &self.memory {
            let since = segments.iter().filter(|segment| end_of(segment) > from);
            return Ok(since.map(Rc::clone).collect());
        }
        let found = Rows::heads_holding(sql, from)?;
        Ok(found.into_iter().map(Rc::new).collect())
    }
}

/// The number after a segment's last.
pub fn end_of(segment: &Segment) -> u64 {
    segment.first_seq + segment.items.len() as u64
}
