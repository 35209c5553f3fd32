//! The journal: how the small, changing part of a queue's state survives.
//!
//! Messages lie in segments, which never change. What changes is small: counters and cursors
//! ([`Meta`]) and the entries of outstanding messages. Each commit that changes them writes one
//! row: the whole of `Meta`, and the entries that changed. The rows form a ring of `JOURNAL_SLOTS`
//! slots, so that writing one is an update and never needs a delete. Before the ring comes round, a
//! commit writes a checkpoint instead: all of the state, in pages.
//!
//! A commit that only publishes writes no journal row: its segments say it all. So a start reads
//! the checkpoint, the journal rows after it in order, and the heads of the segments whose sequence
//! numbers come after the last row's. Invariant: replaying these gives the state that was in memory
//! when the last commit ended.

use super::dispatch::DispatchState;
use super::forgetting::Forgetting;
use super::idempotency::Answer;
use super::journal_old;
use super::line::LineState;
use super::outstanding::{Entry, Outstanding};
use super::run::{Run, spans_of};
use super::segment::LANES;
use crate::error::ErrorCode;
use crate::limits::{JOURNAL_SLOTS, SEQ_MAX};
use crate::store::{Arg, Sql, StoreError, Value, scalar, seal};
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Version of the stored form, which is sealed; `journal_old.rs` reads those before.
const VERSION: u8 = seal::SEALED;
/// The version byte before there were sums, the number of pages, and messages that are pushed.
const VERSION_UNSEALED: u8 = 4;
/// The version byte before it was kept what is forgotten next.
const VERSION_WITH_RUNS: u8 = 3;
/// Entries in one page of a checkpoint: about 40 bytes each at most, so 800 KB.
const PAGE_ENTRIES: usize = 20_000;
/// Bytes of journal rows since the last checkpoint after which a new one is due, beyond the size of
/// the state.
const BYTES_MAX: usize = 1_048_576;

/// How far one lane has been delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    /// The segment with the next message is the first one at or after this sequence number.
    pub from: u64,
    /// Index of the next message in it.
    pub index: u16,
    /// Messages ever appended.
    pub appended: u64,
    /// Messages ever taken, those that were gone included.
    pub taken: u64,
    /// Messages ahead of the cursor that are gone already.
    pub gone: u64,
    /// Acceptance of the next message, or earlier. Zero: not known.
    pub oldest_ms: Millis,
}

impl Lane {
    /// Messages that nobody has taken yet.
    #[must_use]
    pub fn fresh(&self) -> u64 {
        let appended = self.appended.saturating_sub(self.taken);
        appended.saturating_sub(self.gone)
    }

    /// Whether it can be: no more are taken and gone than were appended, and of neither too many.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        let behind = self.taken.checked_add(self.gone);
        self.appended <= SEQ_MAX
            && self.from <= SEQ_MAX + 1
            && behind.is_some_and(|behind| behind <= self.appended)
    }
}

/// The small state of a queue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// Number of the commit that wrote it.
    pub number: u64,
    /// The latest instant the queue has seen: time never runs backwards here.
    pub now_ms: Millis,
    /// The next message's sequence number; the first is 1.
    pub next_seq: u64,
    /// The next lease's number.
    pub next_lease: u64,
    /// Cursors, one for each priority.
    pub lanes: [Lane; LANES],
    /// Due instant and sequence number of the last single that was taken.
    pub singles_taken: (Millis, u64),
    /// Singles that are delayed and not taken yet.
    pub delayed: u64,
    /// Singles that are held.
    pub held: u64,
    /// Body bytes of the backlog.
    pub bytes: u64,
    /// Those of singles that are delayed or held.
    pub parked_bytes: u64,
    /// Places given out and not given back.
    pub accepted: u64,
    /// Whether deliveries are stopped.
    pub paused: bool,
    /// Whether dead letters of other queues have come here since the last purge.
    pub has_letters: bool,
    /// Whether the directory knows the queue.
    pub registered: bool,
    /// Messages up to this sequence number were purged.
    pub purged_seq: u64,
    /// Ends of messages up to this sequence number are forgotten.
    pub forgotten_seq: u64,
    /// Dead letters kept here.
    pub dead_kept: u64,
    /// Dead letters and overflow on their way to another queue.
    pub dead_leaving: u64,
    /// The publish rate's theoretical arrival time, in microseconds (GCRA).
    pub rate_us: u64,
    /// When remembered ends have to be looked through; zero: none are kept.
    pub outcomes_prune_at_ms: Millis,
    /// When remembered idempotency keys have to be looked through; zero: none are kept.
    pub idempotency_prune_at_ms: Millis,
    /// Number of the next row of idempotency keys.
    pub idempotency_next: u64,
    /// What ever happened.
    pub totals: Totals,
}

impl Meta {
    /// Whether it can be: its numbers leave room to go on, and its lanes can be.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        let numbers = [
            self.number,
            self.now_ms,
            self.next_seq,
            self.bytes,
            self.accepted,
            self.totals.accepted,
            self.idempotency_next,
        ];
        numbers.iter().all(|number| *number <= SEQ_MAX)
            && self.next_lease < 1 << 53
            && self.lanes.iter().all(Lane::is_consistent)
    }
}

/// Counters that only grow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Messages accepted.
    pub accepted: u64,
    /// Publishes refused, by reason and by whether the edge decided. Written with the next commit
    /// for whatever reason, since a refusal writes nothing: a crash may forget the latest.
    pub rejected: Vec<(ErrorCode, bool, u64)>,
    /// Deliveries.
    pub delivered: u64,
    /// Messages acknowledged.
    pub acked: u64,
    /// Messages that became dead letters.
    pub dead: u64,
    /// Messages that expired or were dropped.
    pub expired: u64,
    /// Messages cancelled.
    pub cancelled: u64,
}

impl Totals {
    /// Counts `n` refusals.
    pub fn reject(&mut self, code: ErrorCode, by_edge: bool, n: u64) {
        match self
            .rejected
            .iter_mut()
            .find(|(c, e, _)| (*c, *e) == (code, by_edge))
        {
            Some((_, _, total)) => *total += n,
            None => self.rejected.push((code, by_edge, n)),
        }
    }
}

/// A journal row. `Cow`, so that writing one copies nothing.
#[derive(Serialize, Deserialize)]
struct Record<'a> {
    meta: Cow<'a, Meta>,
    put: Vec<Run>,
    /// First and last sequence numbers.
    removed: Vec<(u64, u64)>,
    answers: Vec<Answer>,
}

/// A page of a checkpoint.
#[derive(Serialize, Deserialize)]
struct Page<'a> {
    /// On the first page only.
    meta: Option<Cow<'a, Meta>>,
    entries: Vec<Run>,
}

/// The writer's memory of what is on disk.
#[derive(Debug, Default)]
pub struct Journal {
    checkpoint_number: u64,
    checkpoint_pages: u64,
    bytes: usize,
    /// Whether the next row has to be a checkpoint, whatever there is to write.
    is_overdue: bool,
}

/// The small state that every row has the whole of.
#[derive(Clone, Copy)]
pub struct SmallState<'a> {
    /// See [`Meta`].
    pub meta: &'a Meta,
    /// See [`LineState`].
    pub line: &'a LineState,
    /// See [`Forgetting`].
    pub forgetting: &'a Forgetting,
    /// See [`DispatchState`].
    pub dispatches: &'a DispatchState,
}

/// What a start found.
pub struct Recovered {
    /// The small state as of the last journal row.
    pub meta: Meta,
    /// The line's part of it.
    pub line: LineState,
    /// And what is forgotten next.
    pub forgetting: Forgetting,
    /// And what is under way to an endpoint.
    pub dispatches: DispatchState,
    /// Outstanding messages as of the last journal row.
    pub outstanding: Outstanding,
    /// Idempotency keys since the last checkpoint.
    pub answers: Vec<Answer>,
    /// Whether no row is missing, as far as the others know.
    pub is_whole: bool,
    /// What the journal rows took out: first and last sequence numbers.
    pub removed: Vec<(u64, u64)>,
}

impl Recovered {
    fn small(&mut self, (line, forgetting, dispatches, _): Rest) {
        (self.line, self.forgetting, self.dispatches) = (line, forgetting, dispatches);
    }

    fn put_all(&mut self, runs: &[Run]) {
        for (seq, entry) in runs.iter().flat_map(Run::entries) {
            self.outstanding.put(seq, entry);
        }
    }
}

impl Journal {
    /// The journal of a queue of which no row counts any more: it begins with a checkpoint, so that
    /// a start can tell a row that is missing from one that never was.
    #[must_use]
    pub fn anew() -> Self {
        Self {
            is_overdue: true,
            ..Self::default()
        }
    }

    /// Whether the commit with this number has to be a checkpoint.
    #[must_use]
    pub fn is_checkpoint_due(&self, number: u64, outstanding: &Outstanding) -> bool {
        let state_bytes = outstanding.len() * 40;
        self.is_overdue
            || number >= self.checkpoint_number + JOURNAL_SLOTS
            || self.bytes > BYTES_MAX + 2 * state_bytes
            || outstanding.changes() > PAGE_ENTRIES
    }

    /// Writes what changed in the commit `meta.number`; `answers` are idempotency keys since the
    /// last row.
    ///
    /// # Errors
    /// Storage.
    pub fn write(
        &mut self,
        sql: &mut dyn Sql,
        small: SmallState<'_>,
        outstanding: &mut Outstanding,
        answers: Vec<Answer>,
    ) -> Result<(), StoreError> {
        let (mut put, mut removed) = (Vec::new(), Vec::new());
        for seq in outstanding.take_changed() {
            match outstanding.get(seq) {
                Some(entry) => put.push((seq, *entry)),
                None => removed.push(seq),
            }
        }
        let record = Record {
            meta: Cow::Borrowed(small.meta),
            put: Run::all_of(put),
            removed: spans_of(removed),
            answers,
        };
        let data = to_bytes(&record, small, 0)?;
        self.bytes += data.len();
        sql.exec(
            "INSERT INTO journal (slot, number, data) VALUES (?, ?, ?)
             ON CONFLICT (slot) DO UPDATE SET number = excluded.number, data = excluded.data",
            &[
                (small.meta.number % JOURNAL_SLOTS).into(),
                small.meta.number.into(),
                Arg::Blob(&data),
            ],
        )?;
        Ok(())
    }

    /// Writes all of the state, as of the commit `meta.number`.
    ///
    /// # Errors
    /// Storage.
    pub fn checkpoint(
        &mut self,
        sql: &mut dyn Sql,
        small: SmallState<'_>,
        outstanding: &mut Outstanding,
    ) -> Result<(), StoreError> {
        outstanding.take_changed();
        let all: Vec<(u64, Entry)> = outstanding
            .from(0)
            .map(|(seq, entry)| (seq, *entry))
            .collect();
        let mut pages: Vec<&[(u64, Entry)]> = all.chunks(PAGE_ENTRIES).collect();
        if pages.is_empty() {
            pages.push(&[]);
        }
        for (number, entries) in pages.iter().enumerate() {
            let page = Page {
                meta: (number == 0).then_some(Cow::Borrowed(small.meta)),
                entries: Run::all_of(entries.iter().copied()),
            };
            let data = to_bytes(&page, small, pages.len() as u64)?;
            sql.exec(
                "INSERT INTO checkpoint (page, data) VALUES (?, ?)
                 ON CONFLICT (page) DO UPDATE SET data = excluded.data",
                &[(number as u64).into(), Arg::Blob(&data)],
            )?;
        }
        let count = pages.len() as u64;
        if self.checkpoint_pages > count {
            sql.exec("DELETE FROM checkpoint WHERE page >= ?", &[count.into()])?;
        }
        *self = Self {
            checkpoint_number: small.meta.number,
            checkpoint_pages: count,
            bytes: 0,
            is_overdue: false,
        };
        Ok(())
    }

    /// Reads the checkpoint and the journal rows after it.
    ///
    /// # Errors
    /// Storage, or a row that is damaged or missing.
    pub fn recover(sql: &mut dyn Sql) -> Result<(Self, Recovered), StoreError> {
        let (journal, found) = Self::salvage(sql)?;
        if found.is_whole {
            return Ok((journal, found));
        }
        Err(StoreError(
            "a row of the journal or of the checkpoint is missing".into(),
        ))
    }

    /// As [`Journal::recover`], from the rows there are: see [`Recovered::is_whole`].
    ///
    /// # Errors
    /// Storage, or a damaged row.
    pub fn salvage(sql: &mut dyn Sql) -> Result<(Self, Recovered), StoreError> {
        let mut found = Recovered {
            meta: Meta {
                next_seq: 1,
                next_lease: 1,
                ..Meta::default()
            },
            line: LineState::default(),
            forgetting: Forgetting::default(),
            dispatches: DispatchState::default(),
            outstanding: Outstanding::default(),
            answers: Vec::new(),
            is_whole: true,
            removed: Vec::new(),
        };
        let mut journal = Self::default();
        let mut pages = 0;
        for row in sql.exec("SELECT data FROM checkpoint ORDER BY page", &[])? {
            let (page, rest): (Page<'_>, Rest) = from_row(row)?;
            let count = rest.3;
            journal.checkpoint_pages += 1;
            if let Some(meta) = page.meta {
                journal.checkpoint_number = meta.number;
                found.meta = meta.into_owned();
                found.small(rest);
                pages = count;
            }
            found.put_all(&page.entries);
        }
        // A checkpoint from before pages were counted has zero of them.
        found.is_whole &= pages == 0 || pages == journal.checkpoint_pages;
        let rows = sql.exec(
            "SELECT data FROM journal WHERE number > ? ORDER BY number",
            &[journal.checkpoint_number.into()],
        )?;
        for row in rows {
            journal.bytes += row
                .first()
                .map_or(0, |v| if let Value::Blob(b) = v { b.len() } else { 0 });
            let (record, rest): (Record<'_>, Rest) = from_row(row)?;
            found.is_whole &= record.meta.number == found.meta.number + 1;
            found.meta = record.meta.into_owned();
            found.small(rest);
            found.put_all(&record.put);
            for (first, last) in &record.removed {
                found.outstanding.remove_span(*first, *last);
            }
            found.removed.extend(record.removed);
            found.answers.extend(record.answers);
        }
        found.outstanding.take_changed();
        Ok((journal, found))
    }
}

/// Whether this is a sound journal row, or a sound page of a checkpoint.
#[must_use]
pub fn is_sound(bytes: &[u8], is_page: bool) -> bool {
    let row = || vec![Value::Blob(bytes.to_vec())];
    seal::payload(bytes).is_some()
        || match is_page {
            true => from_row::<Page<'_>>(row()).is_ok(),
            false => from_row::<Record<'_>>(row()).is_ok(),
        }
}

/// Whether a sound row can be read, and names nothing that cannot be; so it is with a row of a later
/// version, of which nobody can tell.
#[must_use]
pub fn is_readable(bytes: &[u8], is_page: bool) -> bool {
    let row = || vec![Value::Blob(bytes.to_vec())];
    let is_small = |rest: &Rest| rest.0.cursor.is_consistent();
    bytes.first() != Some(&VERSION)
        || match is_page {
            true => from_row::<Page<'_>>(row()).is_ok_and(|(page, rest)| {
                page.meta.is_none_or(|meta| meta.is_consistent())
                    && page.entries.iter().all(Run::is_consistent)
                    && is_small(&rest)
            }),
            false => from_row::<Record<'_>>(row()).is_ok_and(|(record, rest)| {
                record.meta.is_consistent()
                    && record.put.iter().all(Run::is_consistent)
                    && record.answers.iter().all(|it| it.seq <= SEQ_MAX)
                    && is_small(&rest)
            }),
        }
}

/// A row: a record, or a page of a checkpoint of so many.
fn to_bytes<T: Serialize>(
    value: &T,
    small: SmallState<'_>,
    pages: u64,
) -> Result<Vec<u8>, StoreError> {
    let mut bytes = postcard::to_extend(value, seal::begin(VERSION))
        .and_then(|bytes| postcard::to_extend(small.line, bytes))
        .and_then(|bytes| postcard::to_extend(small.forgetting, bytes))
        .and_then(|bytes| postcard::to_extend(small.dispatches, bytes))
        .and_then(|bytes| postcard::to_extend(&pages, bytes))
        .map_err(|e| StoreError(format!("a journal row cannot be written: {e}")))?;
    seal::close(&mut bytes);
    Ok(bytes)
}

/// What stands in a row behind the record or page: the rest of the small state, and how many pages
/// the checkpoint has; zero where that is not known.
type Rest = (LineState, Forgetting, DispatchState, u64);

fn from_row<T: Stored>(row: Vec<Value>) -> Result<(T, Rest), StoreError> {
    let bytes = scalar(vec![row]).map(Value::into_blob).unwrap_or_default();
    let Some((&version, rest)) = bytes.split_first() else {
        return Err(StoreError("a journal row is empty".into()));
    };
    let read = match version {
        VERSION => match seal::payload(&bytes) {
            Some(payload) => postcard::take_from_bytes(payload),
            None => Err(postcard::Error::DeserializeBadCrc),
        },
        VERSION_UNSEALED | VERSION_WITH_RUNS => postcard::take_from_bytes(rest),
        journal_old::VERSION_WITH_LINE | journal_old::VERSION => T::from_old(rest),
        _ => return Err(StoreError("a journal row is of another version".into())),
    };
    let read = read.and_then(|(value, rest)| {
        let rest = match version {
            VERSION => postcard::from_bytes(rest)?,
            VERSION_UNSEALED => {
                let (line, forgetting) = postcard::from_bytes(rest)?;
                (line, forgetting, DispatchState::default(), 0)
            }
            journal_old::VERSION => Default::default(),
            _ => (
                postcard::from_bytes(rest)?,
                Default::default(),
                Default::default(),
                0,
            ),
        };
        Ok((value, rest))
    });
    read.map_err(|e| StoreError(format!("a journal row is damaged: {e}")))
}

/// What a row holds, in this form and in those before; what follows it is handed back.
trait Stored: for<'a> Deserialize<'a> {
    fn from_old(bytes: &[u8]) -> postcard::Result<(Self, &[u8])>;
}

impl Stored for Record<'_> {
    fn from_old(bytes: &[u8]) -> postcard::Result<(Self, &[u8])> {
        let (old, rest) = postcard::take_from_bytes::<journal_old::Record>(bytes)?;
        let record = Self {
            meta: Cow::Owned(old.meta),
            put: Run::all_of(old.put),
            removed: spans_of(old.removed),
            answers: old.answers,
        };
        Ok((record, rest))
    }
}

impl Stored for Page<'_> {
    fn from_old(bytes: &[u8]) -> postcard::Result<(Self, &[u8])> {
        let (old, rest) = postcard::take_from_bytes::<journal_old::Page>(bytes)?;
        let page = Self {
            meta: old.meta.map(Cow::Owned),
            entries: Run::all_of(old.entries),
        };
        Ok((page, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::super::outstanding::Status;
    use super::super::segment::Place;
    use super::*;

    /// What earlier versions wrote: two leased messages and one removed, then nothing else.
    #[derive(Serialize)]
    struct OldRecord {
        meta: Meta,
        put: Vec<(u64, Entry)>,
        removed: Vec<u64>,
        answers: Vec<Answer>,
    }

    #[derive(Serialize)]
    struct OldPage {
        meta: Option<Meta>,
        entries: Vec<(u64, Entry)>,
    }

    fn meta() -> Meta {
        Meta {
            number: 9,
            next_seq: 50,
            ..Meta::default()
        }
    }

    fn entries() -> Vec<(u64, Entry)> {
        let entry = |n: u16| Entry {
            place: Place {
                lane: 4,
                first_seq: 40,
                index: n,
            },
            status: Status::Leased {
                lease: 7 + u64::from(n),
                until_ms: 99,
            },
            attempts: 1,
            at_ms: 5,
            expires_at_ms: Millis::MAX,
            line: 0,
            body_bytes: 3,
            rank: 5,
        };
        (0..2).map(|n| (40 + u64::from(n), entry(n))).collect()
    }

    fn row(version: u8, value: &impl Serialize) -> Vec<Value> {
        let mut bytes = postcard::to_extend(value, vec![version]).unwrap();
        if version == journal_old::VERSION_WITH_LINE {
            bytes = postcard::to_extend(&LineState::default(), bytes).unwrap();
        }
        vec![Value::Blob(bytes)]
    }

    #[test]
    fn rows_of_earlier_versions_are_read() {
        for version in [journal_old::VERSION, journal_old::VERSION_WITH_LINE] {
            let old = OldRecord {
                meta: meta(),
                put: entries(),
                removed: vec![42, 43, 45],
                answers: Vec::new(),
            };
            let (record, _) = from_row::<Record<'_>>(row(version, &old)).unwrap();
            assert_eq!(*record.meta, meta());
            let put: Vec<_> = record.put.iter().flat_map(Run::entries).collect();
            assert_eq!(put, entries());
            assert_eq!(record.removed, [(42, 43), (45, 45)]);
            let old = OldPage {
                meta: Some(meta()),
                entries: entries(),
            };
            let (page, _) = from_row::<Page<'_>>(row(version, &old)).unwrap();
            assert_eq!(page.meta.as_deref(), Some(&meta()));
            let all: Vec<_> = page.entries.iter().flat_map(Run::entries).collect();
            assert_eq!(all, entries());
        }
    }

    #[test]
    fn rows_from_before_what_is_forgotten_next_are_read() {
        let page = Page {
            meta: Some(Cow::Owned(meta())),
            entries: Run::all_of(entries()),
        };
        let bytes = postcard::to_extend(&page, vec![VERSION_WITH_RUNS]).unwrap();
        let bytes = postcard::to_extend(&LineState::default(), bytes).unwrap();
        let (page, rest) = from_row::<Page<'_>>(vec![Value::Blob(bytes)]).unwrap();
        assert_eq!(page.meta.as_deref(), Some(&meta()));
        let all: Vec<_> = page.entries.iter().flat_map(Run::entries).collect();
        assert_eq!(all, entries());
        assert_eq!(rest, Default::default());
    }

    #[test]
    fn a_row_of_a_later_version_is_refused() {
        let page = OldPage {
            meta: None,
            entries: Vec::new(),
        };
        for version in [0, VERSION_UNSEALED + 1, VERSION, VERSION + 1] {
            assert!(from_row::<Page<'_>>(row(version, &page)).is_err());
        }
        assert!(from_row::<Page<'_>>(vec![Value::Blob(Vec::new())]).is_err());
    }

    /// Bytes of version 1, as a queue wrote them: a message with one lease.
    #[test]
    fn yesterdays_bytes_are_read() {
        let bytes = [1, 0, 1, 40, 4, 40, 0, 1, 7, 99, 1, 5, 9, 0, 3, 5];
        let (page, _) = from_row::<Page<'_>>(vec![Value::Blob(bytes.to_vec())]).unwrap();
        let [(seq, entry)] = page
            .entries
            .iter()
            .flat_map(Run::entries)
            .collect::<Vec<_>>()[..]
        else {
            panic!("one entry");
        };
        let mut expected = entries().remove(0).1;
        expected.expires_at_ms = 9;
        assert_eq!((seq, entry), (40, expected));
    }
}
