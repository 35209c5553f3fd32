//! Outstanding messages: those that were taken from their lane and are not final yet.
//!
//! A message is outstanding while it is leased, waiting for a retry, ready again, or passed over
//! because its key is busy. Owns the table, its indexes by time, by order and by key, and the
//! record of what changed since the last commit. Invariants: at most `OUTSTANDING_MAX` entries; in
//! a line (a key, or the whole queue under `fifo`) at most one message is leased or waiting, and
//! only then is none of that line ready; after a change of the order, those in flight finish first.

use super::segment::Place;
use super::seq_map::SeqMap;
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How many that became deliverable are told apart. Of more, all behind the first is looked at again.
const CAME_MAX: usize = 64;

/// Ranks are 0 to 9: nine less the priority, or zero where the order is strict.
pub const RANKS: usize = 10;

/// Where an outstanding message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Deliverable, when its line is free.
    Ready,
    /// In a consumer's hands until this instant, under this lease.
    Leased { lease: u64, until_ms: Millis },
    /// Deliverable from this instant on.
    Waiting { until_ms: Millis },
}

/// One outstanding message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where it is stored.
    pub place: Place,
    /// Where it stands.
    pub status: Status,
    /// Deliveries so far.
    pub attempts: u32,
    /// What the queue's retention counts from: its acceptance, or the end of its delay.
    pub at_ms: Millis,
    /// When it expires by itself, or the end of time.
    pub expires_at_ms: Millis,
    /// Its line: a hash of its key, a constant under `fifo`, zero for none.
    pub line: u64,
    /// Length of its body.
    pub body_bytes: u32,
    /// What it sorts by before its sequence number: lower goes first.
    pub rank: u8,
}

#[derive(Debug, Default)]
struct Line {
    /// How many are leased or waiting: one, but for those that were when the order changed.
    active: usize,
    /// Those that are ready, the first of which stands in `ready` while none is active.
    queue: BTreeSet<u64>,
}

/// All outstanding messages of a queue.
#[derive(Debug, Default)]
pub struct Outstanding {
    entries: BTreeMap<u64, Entry>,
    ready: BTreeSet<(u8, u64)>,
    timers: BTreeSet<(Millis, u64)>,
    /// Those that nobody has in hand, by age.
    ages: BTreeSet<(Millis, u64)>,
    lines: HashMap<u64, Line>,
    segments: SeqMap<u32>,
    leased: usize,
    waiting: usize,
    busy_bytes: u64,
    queued_by_rank: [u64; RANKS],
    /// Sequence numbers whose entry changed since the last commit, some more than once.
    touched: Vec<u64>,
    /// Those that became deliverable since somebody asked.
    came: Came,
}

/// Where a message stands in the order of delivery: its rank, its number.
pub type Standing = (u8, u64);

/// Messages that became deliverable, by where they stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Came {
    list: Vec<Standing>,
    /// Where there were too many for the list: the first of all.
    first: Option<Standing>,
}

impl Came {
    fn note(&mut self, at: Standing) {
        match &mut self.first {
            Some(first) => *first = at.min(*first),
            None if self.list.len() < CAME_MAX => self.list.push(at),
            None => {
                self.first = self.list.drain(..).min().map(|first| first.min(at));
            }
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty() && self.first.is_none()
    }
}

/// What somebody who looks for messages has looked at in vain.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// All that stand up to here,
    to: Option<Standing>,
    /// but for these, which came since.
    again: BTreeSet<Standing>,
}

impl Seen {
    /// What became deliverable has not been looked at.
    pub fn note(&mut self, came: &Came) {
        let news = came.list.iter().filter(|at| Some(**at) <= self.to);
        self.again.extend(news);
        let first = came.first.or(match self.again.len() {
            0..=CAME_MAX => None,
            _ => self.again.first().copied(),
        });
        if let Some((rank, seq)) = first {
            self.to = self.to.min(Some((rank, seq.saturating_sub(1))));
            let to = self.to;
            self.again.retain(|at| Some(*at) <= to);
        }
    }

    /// This one was looked at in vain.
    pub fn add(&mut self, at: Standing) {
        if !self.again.remove(&at) {
            self.to = self.to.max(Some(at));
        }
    }

    /// What somebody who looks for the same has seen.
    pub fn join(&mut self, other: &Self) {
        if self.to < other.to {
            self.clone_from(other);
        }
    }
}

impl Outstanding {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many are leased.
    #[must_use]
    pub fn leased(&self) -> usize {
        self.leased
    }

    /// How many wait for a retry.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many are leased or wait for a retry.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.leased + self.waiting
    }

    /// Body bytes of those that are leased or wait for a retry.
    #[must_use]
    pub fn busy_bytes(&self) -> u64 {
        self.busy_bytes
    }

    /// How many are ready or wait for their line.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.entries.len() - self.busy()
    }

    /// The entry of a message.
    #[must_use]
    pub fn get(&self, seq: u64) -> Option<&Entry> {
        self.entries.get(&seq)
    }

    /// Entries by sequence number, from `seq` on.
    pub fn from(&self, seq: u64) -> impl Iterator<Item = (u64, &Entry)> {
        self.entries.range(seq..).map(|(seq, entry)| (*seq, entry))
    }

    /// The next deliverable message that was not seen, in the order of delivery.
    pub fn first_ready(&self, seen: &mut Seen) -> Option<Standing> {
        use std::ops::Bound::{Excluded, Unbounded};
        while let Some(again) = seen.again.first().copied() {
            if self.ready.contains(&again) {
                return Some(again);
            }
            seen.again.pop_first();
        }
        match seen.to {
            None => self.ready.first().copied(),
            Some(to) => self.ready.range((Excluded(to), Unbounded)).next().copied(),
        }
    }

    /// Those that became deliverable since the last call.
    pub fn take_came(&mut self) -> Came {
        std::mem::take(&mut self.came)
    }

    /// Whether this message may be delivered now: it is ready, and the next of its line.
    #[must_use]
    pub fn is_deliverable(&self, seq: u64) -> bool {
        self.entries
            .get(&seq)
            .is_some_and(|entry| self.ready.contains(&(entry.rank, seq)))
    }

    /// The earliest instant at which a lease runs out or a retry is due.
    #[must_use]
    pub fn first_timer(&self) -> Option<(Millis, u64)> {
        self.timers.first().copied()
    }

    /// Those that nobody has in hand, the oldest first: what retention counts from, and which.
    pub fn ages(&self) -> impl Iterator<Item = (Millis, u64)> {
        self.ages.iter().copied()
    }

    /// How many queued messages have this rank or a better one.
    #[must_use]
    pub fn queued_to_rank(&self, rank: u8) -> u64 {
        self.queued_by_rank.iter().take(usize::from(rank) + 1).sum()
    }

    /// How many queued messages go before this one, which is outstanding too.
    #[must_use]
    pub fn queued_before(&self, rank: u8, seq: u64) -> u64 {
        let better = if rank == 0 {
            0
        } else {
            self.queued_to_rank(rank - 1)
        };
        let same = self.entries.range(..seq);
        let same = same
            .filter(|(_, e)| e.status == Status::Ready && e.rank == rank)
            .count();
        better + same as u64
    }

    /// Whether any entry changed since the last commit.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        !self.touched.is_empty()
    }

    /// How many changes there were since the last commit.
    #[must_use]
    pub fn changes(&self) -> usize {
        self.touched.len()
    }

    /// The sequence numbers whose entry changed since the last call, ascending.
    pub fn take_changed(&mut self) -> Vec<u64> {
        let mut changed = std::mem::take(&mut self.touched);
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    /// Puts an entry in, or changes it.
    pub fn put(&mut self, seq: u64, entry: Entry) {
        let old = self.entries.get(&seq).copied();
        let before = self.ready_of(seq, old.as_ref(), entry.line);
        if let Some(old) = old {
            self.unindex(seq, &old);
        } else {
            *self.segments.entry(entry.place.segment_id()).or_default() += 1;
        }
        self.entries.insert(seq, entry);
        self.index(seq, &entry);
        self.touch(seq);
        let after = self.ready_of(seq, Some(&entry), entry.line);
        if let Some(at) = after.filter(|_| after != before) {
            self.came.note(at);
        }
    }

    /// Where this message stands while it is deliverable; in a line, where the line's first does.
    fn ready_of(&self, seq: u64, entry: Option<&Entry>, line: u64) -> Option<Standing> {
        if line == 0 {
            let ready = entry.filter(|it| it.status == Status::Ready);
            return ready.map(|it| (it.rank, seq));
        }
        let first = *self.lines.get(&line)?.queue.first()?;
        let at = (self.entries.get(&first)?.rank, first);
        self.ready.contains(&at).then_some(at)
    }

    fn touch(&mut self, seq: u64) {
        if self.touched.last() != Some(&seq) {
            self.touched.push(seq);
        }
    }

    /// Takes an entry out. The second part says whether it was the last one of its segment.
    pub fn remove(&mut self, seq: u64) -> Option<(Entry, bool)> {
        let line = self.entries.get(&seq)?.line;
        let before = self.ready_of(seq, None, line);
        let entry = self.entries.remove(&seq)?;
        self.unindex(seq, &entry);
        let after = self.ready_of(seq, None, line);
        if let Some(at) = after.filter(|_| after != before) {
            self.came.note(at);
        }
        let id = entry.place.segment_id();
        let count = self.segments.get_mut(&id)?;
        *count -= 1;
        let last = *count == 0;
        if last {
            self.segments.remove(&id);
        }
        self.touch(seq);
        Some((entry, last))
    }

    /// Takes out all entries from `first` to `last`.
    pub fn remove_span(&mut self, first: u64, last: u64) {
        let Some(end) = last.checked_add(1).filter(|end| first < *end) else {
            return;
        };
        let seqs: Vec<u64> = self
            .entries
            .range(first..end)
            .map(|(seq, _)| *seq)
            .collect();
        for seq in seqs {
            self.remove(seq);
        }
    }

    /// Whether any message of this segment is outstanding.
    #[must_use]
    pub fn holds_segment(&self, id: u64) -> bool {
        self.segments.contains_key(&id)
    }

    /// Takes all entries out and puts them in again as `change` makes them: the order of the queue
    /// changed.
    pub fn rebuild(&mut self, mut change: impl FnMut(u64, &mut Entry)) {
        let entries = std::mem::take(&mut self.entries);
        *self = Self {
            touched: std::mem::take(&mut self.touched),
            came: std::mem::take(&mut self.came),
            ..Self::default()
        };
        for (seq, mut entry) in entries {
            change(seq, &mut entry);
            self.put(seq, entry);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    fn index(&mut self, seq: u64, entry: &Entry) {
        if entry.status != Status::Ready {
            self.busy_bytes += u64::from(entry.body_bytes);
        }
        if !matches!(entry.status, Status::Leased { .. }) {
            self.ages.insert((entry.at_ms, seq));
        }
        match entry.status {
            Status::Ready => self.queued_by_rank[usize::from(entry.rank)] += 1,
            Status::Leased { until_ms, .. } => {
                self.leased += 1;
                self.timers.insert((until_ms, seq));
            }
            Status::Waiting { until_ms } => {
                self.waiting += 1;
                self.timers.insert((until_ms, seq));
            }
        }
        if entry.line == 0 {
            if entry.status == Status::Ready {
                self.ready.insert((entry.rank, seq));
            }
            return;
        }
        self.unready_line(entry.line);
        let line = self.lines.entry(entry.line).or_default();
        if entry.status == Status::Ready {
            line.queue.insert(seq);
        } else {
            line.active += 1;
        }
        self.ready_line(entry.line);
    }

    fn unindex(&mut self, seq: u64, entry: &Entry) {
        if !matches!(entry.status, Status::Leased { .. }) {
            self.ages.remove(&(entry.at_ms, seq));
        }
        match entry.status {
            Status::Ready => {}
            Status::Leased { until_ms, .. } => {
                self.leased -= 1;
                self.timers.remove(&(until_ms, seq));
            }
            Status::Waiting { until_ms } => {
                self.waiting -= 1;
                self.timers.remove(&(until_ms, seq));
            }
        }
        if entry.status == Status::Ready {
            self.queued_by_rank[usize::from(entry.rank)] -= 1;
            self.ready.remove(&(entry.rank, seq));
        } else {
            self.busy_bytes -= u64::from(entry.body_bytes);
        }
        if entry.line == 0 {
            return;
        }
        self.unready_line(entry.line);
        if let Some(line) = self.lines.get_mut(&entry.line) {
            if entry.status == Status::Ready {
                line.queue.remove(&seq);
            } else {
                line.active -= 1;
            }
            if line.active == 0 && line.queue.is_empty() {
                self.lines.remove(&entry.line);
            }
        }
        self.ready_line(entry.line);
    }

    /// Takes a line's first message out of `ready`.
    fn unready_line(&mut self, line: u64) {
        if let Some(first) = self.lines.get(&line).and_then(|l| l.queue.first())
            && let Some(entry) = self.entries.get(first)
        {
            self.ready.remove(&(entry.rank, *first));
        }
    }

    /// Puts a free line's first message into `ready`.
    fn ready_line(&mut self, line: u64) {
        if let Some(line) = self.lines.get(&line)
            && line.active == 0
            && let Some(first) = line.queue.first()
            && let Some(entry) = self.entries.get(first)
        {
            self.ready.insert((entry.rank, *first));
        }
    }
}
