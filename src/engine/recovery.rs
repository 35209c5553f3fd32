//! Opening a queue: from rows to memory.
//!
//! Reads the checkpoint, the journal rows after it and the heads of later segments; see
//! `journal.rs`.

use super::admission::advance;
use super::config::Config;
use super::dispatch::Dispatches;
use super::draw::{self, Draws};
use super::idempotency::{Answer, Idempotency};
use super::journal::{Journal, Meta};
use super::line::Line;
use super::outstanding::Outstanding;
use super::quarantine;
use super::queue::Queue;
use super::segment::{LANES, LINE, Segment};
use super::segments::Segments;
use crate::error::Fault;
use crate::id::Secret;
use crate::push::target::Reach;
use crate::store::schema::migrate;
use crate::store::{Sql, StoreError, Value, meta};
use crate::time::Millis;
use std::rc::Rc;

impl Queue {
    /// Opens the queue that lives in this database. A queue that was never created is opened as
    /// absent, and nothing is written. `entropy` makes the secret of a queue that comes into being.
    ///
    /// # Errors
    /// Storage, or rows that are damaged or of a later version.
    pub fn open(
        sql: &mut dyn Sql,
        name: &str,
        entropy: [u8; 16],
        now_ms: Millis,
    ) -> Result<Self, StoreError> {
        let mut queue = Self::identified(sql, name, entropy, now_ms)?;
        if queue.config.is_none() {
            return Ok(queue);
        }
        if let Some(draws) = meta::read(sql, draw::META)? {
            queue.draws = Draws::decode(&draws)?;
        }
        let (journal, found) = Journal::recover(sql)?;
        queue.journal = journal;
        queue.meta = found.meta;
        queue.line = Line::recovered(found.line);
        queue.forgetting = found.forgetting;
        queue.dispatches = Dispatches::recovered(found.dispatches);
        queue.meta.now_ms = queue.meta.now_ms.max(now_ms);
        queue.outstanding = found.outstanding;
        let journaled = found.answers.len();
        let mut answers = found.answers;
        queue.append_later_segments(sql, &mut answers)?;
        queue.find_spares(sql)?;
        queue.idempotency = Idempotency::recovered(answers, journaled);
        queue.quarantined = quarantine::figures(sql)?;
        queue.next_single_ms = queue.first_single_ms(sql)?;
        queue.next_expiry_ms = first(sql, "SELECT min(at_ms) FROM expiry")?;
        Ok(queue)
    }

    /// What is stored once for all of its life: whose queue it is, and how it is configured.
    pub(super) fn identified(
        sql: &mut dyn Sql,
        name: &str,
        entropy: [u8; 16],
        now_ms: Millis,
    ) -> Result<Self, StoreError> {
        let mut queue = Self::absent_queue(name, entropy, now_ms);
        let identity = read_identity(sql, migrate, |text| Config::default().patched(text))?;
        if let Some((secret, config)) = identity {
            queue.secret = secret;
            queue.config = Some(Rc::new(config));
        }
        Ok(queue)
    }

    fn absent_queue(name: &str, entropy: [u8; 16], now_ms: Millis) -> Self {
        Self {
            name: name.to_owned(),
            entropy,
            secret: Secret::default(),
            config: None,
            meta: Meta {
                next_seq: 1,
                next_lease: 1,
                now_ms,
                ..Meta::default()
            },
            outstanding: Outstanding::default(),
            line: Line::default(),
            draws: Draws::default(),
            segments: Segments::default(),
            journal: Journal::default(),
            idempotency: Idempotency::default(),
            outcomes: Default::default(),
            forgetting: Default::default(),
            key_counts: Default::default(),
            builders: Default::default(),
            waiters: Default::default(),
            outbox: Default::default(),
            tickets: Default::default(),
            dispatches: Default::default(),
            reach: Reach::default(),
            finished_segments: Vec::new(),
            finished_singles: Vec::new(),
            meta_changed: false,
            unjournaled_messages: 0,
            unjournaled_segments: 0,
            next_single_ms: None,
            next_expiry_ms: None,
            more_work: false,
            armed_ms: None,
            quarantined: Default::default(),
            drain: Default::default(),
            since: Default::default(),
            latencies: Default::default(),
            key_rates: Default::default(),
        }
    }

    /// Counts what was published after the last journal row, which only its segments know.
    fn append_later_segments(
        &mut self,
        sql: &mut dyn Sql,
        answers: &mut Vec<Answer>,
    ) -> Result<(), StoreError> {
        let from = self.meta.next_seq;
        let mut segments = Vec::new();
        for lane in (0..LANES as u8).chain([LINE]) {
            segments.append(&mut Segments::heads_from(sql, lane, from)?);
        }
        segments.sort_unstable_by_key(|segment| segment.first_seq);
        for segment in &segments {
            // Noticed now: what is stored behind a row that is missing would be counted wrongly.
            if self.cursor(segment.lane).appended != segment.ordinal {
                let lane = segment.lane;
                return Err(StoreError(format!("a segment of lane {lane} is missing")));
            }
            self.append_segment(segment, answers)?;
        }
        Ok(())
    }

    fn find_spares(&mut self, sql: &mut dyn Sql) -> Result<(), StoreError> {
        for lane in (0..LANES as u8).chain([LINE]) {
            let cursor = *self.cursor(lane);
            if cursor.taken > 0 {
                let outstanding = &self.outstanding;
                self.segments
                    .find_spares(sql, lane, cursor.from, |id| outstanding.holds_segment(id))?;
            }
        }
        Ok(())
    }

    pub(super) fn append_segment(
        &mut self,
        segment: &Segment,
        answers: &mut Vec<Answer>,
    ) -> Result<(), StoreError> {
        let rate = self
            .config()
            .capacity
            .publish_rate
            .filter(|rate| !rate.per_key);
        let lane = self.cursor_mut(segment.lane);
        if lane.fresh() == 0 {
            lane.oldest_ms = segment.at_ms;
        }
        lane.appended += segment.items.len() as u64;
        let waits = segment.lane == LINE;
        for (index, item) in segment.items.iter().enumerate() {
            self.meta.next_seq = self.meta.next_seq.max(item.seq + 1);
            if !waits {
                self.meta.bytes += u64::from(item.body_bytes);
                self.meta.accepted += 1;
                self.meta.totals.accepted += 1;
            }
            if let Some(rate) = rate
                && let Ok(next) = advance(&rate, self.meta.rate_us, segment.at_ms * 1_000)
            {
                self.meta.rate_us = next;
            }
            if let Some((a, b, position)) = segment.head(item)?.answer {
                answers.push(Answer {
                    print: (a, b),
                    seq: item.seq,
                    lane: if waits {
                        segment.terms(index as u16).lane
                    } else {
                        segment.lane
                    },
                    at_ms: segment.at_ms,
                    position,
                });
            }
        }
        self.meta.now_ms = self.meta.now_ms.max(segment.at_ms);
        self.unjournaled_messages += segment.items.len() as u64;
        self.unjournaled_segments += 1;
        Ok(())
    }

    /// The earliest due instant of singles that nobody has taken yet.
    pub(super) fn first_single_ms(&self, sql: &mut dyn Sql) -> Result<Option<Millis>, StoreError> {
        let (due_ms, seq) = self.meta.singles_taken;
        let rows = sql.exec(
            "SELECT due_ms FROM singles WHERE due_ms >= ? AND (due_ms > ? OR seq > ?) ORDER BY due_ms LIMIT 1",
            &[due_ms.into(), due_ms.into(), seq.into()],
        )?;
        Ok(rows.first().and_then(|row| row.first()).map(Value::uint))
    }
}

/// The first value of the first row, where there is one that is not NULL or zero.
pub(super) fn first(
    sql: &mut dyn Sql,
    statement: &'static str,
) -> Result<Option<Millis>, StoreError> {
    let rows = sql.exec(statement, &[])?;
    Ok(rows
        .first()
        .and_then(|row| row.first())
        .map(Value::uint)
        .filter(|n| *n > 0))
}

/// The secret and the configuration of the queue or topic that lives in this database, whose tables
/// are brought up to date by `migrate`; `None` where none was ever created. `read` is its
/// configuration's reader.
pub(super) fn read_identity<C>(
    sql: &mut dyn Sql,
    migrate: fn(&mut dyn Sql) -> Result<(), StoreError>,
    read: impl FnOnce(&str) -> Result<C, Fault>,
) -> Result<Option<(Secret, C)>, StoreError> {
    let tables = sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'meta'", &[])?;
    if tables.is_empty() {
        return Ok(None);
    }
    migrate(sql)?;
    // Tables come into being together with these two.
    let missing = || StoreError("the configuration or the secret is missing".into());
    let config = meta::read(sql, "config")?.ok_or_else(missing)?;
    let config = String::from_utf8(config).map_err(|e| StoreError(e.to_string()))?;
    let config = read(&config).map_err(|e| StoreError(e.to_string()))?;
    let secret = meta::read(sql, "secret")?.ok_or_else(missing)?;
    let secret = secret_of(&secret.try_into().unwrap_or_default());
    Ok(Some((secret, config)))
}

pub(super) fn secret_of(bytes: &[u8; 16]) -> Secret {
    let (words, _) = bytes.as_chunks::<8>();
    Secret([u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1])])
}
