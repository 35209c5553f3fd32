//! A queue's small state, worked out from its rows.

use super::note_missing;
use super::scan::Bad;
use crate::command::State;
use crate::command::placement::is_subscription_queue;
use crate::engine::dispatch::Dispatches;
use crate::engine::draw::{self, Draws};
use crate::engine::idempotency::{Answer, Idempotency};
use crate::engine::journal::Journal;
use crate::engine::line::Line;
use crate::engine::outcomes::{End, Outcomes};
use crate::engine::outstanding::{Entry, Status};
use crate::engine::quarantine;
use crate::engine::queue::{Queue, Turn};
use crate::engine::segment::{LANES, LINE, Place, SINGLE};
use crate::engine::segments::Segments;
use crate::limits::{OUTSTANDING_MAX, REPAIR_SEQ_GAP, SEGMENT_MESSAGES_MAX, SEQ_MAX};
use crate::store::{Sql, StoreError, Value, meta, scalar};
use crate::time::{MINUTE, Millis};
use std::collections::{BTreeMap, HashSet};

/// Rows of heads read at a time.
const PAGE_ROWS: u64 = 16;
/// Leases numbered since the last row of the journal that is left: no more than this.
const LEASE_GAP: u64 = 1 << 32;

/// What a recount knows and finds.
pub(super) struct Recount<'b> {
    now_ms: Millis,
    bad: &'b [Bad],
    /// Whether the journal is.
    pub is_whole: bool,
    /// Outstanding messages whose rows are sound.
    pub sound: HashSet<u64>,
    /// Messages that are known to be final, where the journal is not whole.
    finals: HashSet<u64>,
    removed: Vec<(u64, u64)>,
}

impl Recount<'_> {
    pub fn is_final(&self, seq: u64) -> bool {
        let mut spans = self.removed.iter();
        self.finals.contains(&seq) || spans.any(|(first, last)| (*first..=*last).contains(&seq))
    }

    /// Notes that so many messages of a lane are lost, between two numbers.
    pub fn lose(
        &self,
        sql: &mut dyn Sql,
        lane: u8,
        from_seq: u64,
        to_seq: u64,
        messages: u64,
    ) -> Result<(), StoreError> {
        let ids = u64::from(lane) << 48 | from_seq..u64::from(lane) << 48 | to_seq.max(from_seq);
        let mut mine = self.bad.iter();
        let known = mine.find(|it| it.source == "segments" && ids.contains(&it.key));
        let number = match known {
            Some(bad) => bad.number,
            None => {
                let place = ids.start.to_string();
                note_missing(sql, self.now_ms, "segments", &place, lane, from_seq)?
            }
        };
        quarantine::lost(sql, number, messages, from_seq, to_seq.max(from_seq))
    }
}

impl Queue {
    /// Works the small state out from the rows, which are sound, and writes it down. `before` is how
    /// many things were in quarantine before this repair.
    pub(super) fn recount(
        &mut self,
        sql: &mut dyn Sql,
        bad: &[Bad],
        before: u64,
    ) -> Result<(), StoreError> {
        if let Some(draws) = meta::read(sql, draw::META)? {
            self.draws = Draws::decode(&draws)?;
        }
        let (_, recovered) = Journal::salvage(sql)?;
        let lacks_row = bad
            .iter()
            .any(|it| matches!(it.source, "journal" | "checkpoint"));
        let mut found = Recount {
            now_ms: self.meta.now_ms,
            bad,
            is_whole: recovered.is_whole && !lacks_row,
            sound: HashSet::new(),
            finals: HashSet::new(),
            removed: recovered.removed,
        };
        if !recovered.is_whole && !lacks_row {
            note_missing(sql, found.now_ms, "journal", "", 0, 0)?;
        }
        let is_lost = recovered.meta.number == 0 && !found.is_whole;
        self.meta = recovered.meta;
        self.meta.now_ms = self.meta.now_ms.max(found.now_ms);
        self.line = Line::recovered(recovered.line);
        self.forgetting = recovered.forgetting;
        self.dispatches = Dispatches::recovered(recovered.dispatches);
        if !is_lost {
            self.outstanding = recovered.outstanding;
        }
        let journaled = recovered.answers.len();
        let mut answers = recovered.answers;
        let known_seq = self.meta.next_seq;
        let known_accepted = self.meta.accepted;
        let tail = self.append_tail(sql, &mut answers)?;
        self.lose_tail(sql, bad, known_seq, &tail)?;
        self.idempotency = Idempotency::recovered(answers, journaled);
        self.skip_known(sql)?;
        if !found.is_whole {
            found.finals = finals(sql)?;
            self.leave_gaps(is_lost);
            let given = self
                .meta
                .next_seq
                .saturating_sub(known_seq + REPAIR_SEQ_GAP);
            self.meta.accepted = self.meta.accepted.max(known_accepted + given);
            self.meta.registered |= is_subscription_queue(&self.name);
        }
        self.meta.bytes = 0;
        for lane in (0..LANES as u8).chain([LINE]) {
            self.recount_lane(sql, lane, &mut found)?;
        }
        self.recount_singles(sql, &mut found)?;
        self.drop_lost(sql, &found)?;
        self.recount_rest(sql, bad)?;
        self.admit_doubt(sql, before, found.is_whole)?;
        self.write_down(sql)
    }

    /// As `append_later_segments`, a page at a time: without a journal these may be all there are.
    fn append_tail(
        &mut self,
        sql: &mut dyn Sql,
        answers: &mut Vec<Answer>,
    ) -> Result<BTreeMap<(u64, u8), u64>, StoreError> {
        let mut tail = BTreeMap::new();
        let since = self.meta.next_seq;
        for lane in (0..LANES as u8).chain([LINE]) {
            let mut from = since;
            loop {
                let segments = Segments::heads_page(sql, lane, from, PAGE_ROWS)?;
                let Some(last) = segments.last() else { break };
                from = last.first_seq + 1;
                for segment in &segments {
                    self.append_segment(segment, answers)?;
                    tail.insert((segment.first_seq, lane), segment.items.len() as u64);
                }
            }
        }
        Ok(tail)
    }

    /// Rows of which the journal says nothing, and neither do they: nobody knows how many messages
    /// they held, but for that they end where the next one begins.
    fn lose_tail(
        &mut self,
        sql: &mut dyn Sql,
        bad: &[Bad],
        known_seq: u64,
        tail: &BTreeMap<(u64, u8), u64>,
    ) -> Result<(), StoreError> {
        let first_seq = |it: &Bad| it.key & ((1 << 48) - 1);
        let bad = bad
            .iter()
            .filter(|it| it.source == "segments" && first_seq(it) >= known_seq);
        let bad: Vec<&Bad> = bad.collect();
        for row in &bad {
            let (lane, first) = ((row.key >> 48) as u8, first_seq(row));
            // Where a sound row of the lane follows, that one tells how many they were.
            let later = tail.range((first + 1, 0)..);
            let later = later.map(|((seq, of), _)| (*seq, *of));
            let next = later.clone().find(|(_, of)| *of == lane);
            // Lanes of one commit share its numbers: only the lane's next row bounds it for sure.
            let end = match next {
                Some((seq, _)) => seq,
                None => self.meta.next_seq.max(first + SEGMENT_MESSAGES_MAX as u64),
            };
            let others = tail.range((first, 0)..(end, 0)).map(|(_, count)| count);
            let most = (end - first).saturating_sub(others.sum());
            let most = most.clamp(1, SEGMENT_MESSAGES_MAX as u64);
            self.meta.next_seq = self.meta.next_seq.max(end);
            if lane != LINE {
                self.meta.accepted += most;
                self.meta.totals.accepted += most;
            }
            if next.is_none() {
                quarantine::lost(sql, row.number, most, first, end)?;
            }
        }
        Ok(())
    }

    /// No number that a row names, or that was lost with one, is given again.
    fn skip_known(&mut self, sql: &mut dyn Sql) -> Result<(), StoreError> {
        for statement in [
            "SELECT max(seq) FROM singles",
            "SELECT max(seq) FROM dead",
            "SELECT max(to_seq) FROM quarantine",
        ] {
            let last = scalar(sql.exec(statement, &[])?).map_or(0, |seq| seq.uint());
            self.meta.next_seq = self.meta.next_seq.max(last + 1).min(SEQ_MAX);
        }
        Ok(())
    }

    /// Numbers that may have been given out are not given again.
    fn leave_gaps(&mut self, is_lost: bool) {
        self.meta.next_seq = (self.meta.next_seq + REPAIR_SEQ_GAP).min(SEQ_MAX);
        self.meta.next_lease += LEASE_GAP;
        if is_lost {
            // More than there can have been: a lease takes longer than the 256th of a millisecond.
            self.meta.next_lease = self.meta.next_lease.max(self.meta.now_ms << 8);
        }
    }

    fn recount_singles(
        &mut self,
        sql: &mut dyn Sql,
        found: &mut Recount<'_>,
    ) -> Result<(), StoreError> {
        (self.meta.held, self.meta.delayed, self.meta.parked_bytes) = (0, 0, 0);
        let mut after = 0;
        loop {
            let rows = sql.exec(
                "SELECT seq, due_ms, held, length(body) FROM singles WHERE seq > ? ORDER BY seq
                 LIMIT 1000",
                &[after.into()],
            )?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                let [seq, due_ms, held, bytes] =
                    [0, 1, 2, 3].map(|at| row.get(at).map_or(0, Value::uint));
                after = seq;
                let place = Place::single(seq);
                if self
                    .outstanding
                    .get(seq)
                    .is_some_and(|it| it.place == place)
                {
                    found.sound.insert(seq);
                    continue;
                }
                self.outstanding.remove(seq);
                let is_taken = (due_ms, seq) <= self.meta.singles_taken;
                let has_room = self.outstanding.len() < OUTSTANDING_MAX;
                if held == 0 && is_taken && has_room {
                    self.take_again(sql, seq, due_ms)?;
                    found.sound.insert(seq);
                    continue;
                }
                match held {
                    0 => self.meta.delayed += 1,
                    _ => self.meta.held += 1,
                }
                self.meta.parked_bytes += bytes;
            }
        }
        self.meta.bytes += self.meta.parked_bytes;
        Ok(())
    }

    /// Makes a single outstanding that was so before.
    fn take_again(
        &mut self,
        sql: &mut dyn Sql,
        seq: u64,
        due_ms: Millis,
    ) -> Result<(), StoreError> {
        let place = Place::single(seq);
        if let Some(segment) = self.segments.get(sql, place)?
            && let Some(item) = segment.items.first()
        {
            let entry = Entry {
                place,
                status: Status::Ready,
                attempts: 0,
                at_ms: due_ms.max(item.at_ms),
                expires_at_ms: item.expires_at_ms,
                line: self.line_of(&segment, item),
                body_bytes: item.body_bytes,
                rank: self.rank(item.priority),
            };
            self.outstanding.put(seq, entry);
        }
        Ok(())
    }

    /// Ends outstanding messages whose row is lost.
    fn drop_lost(&mut self, sql: &mut dyn Sql, found: &Recount<'_>) -> Result<(), StoreError> {
        let all = self.outstanding.from(0);
        let lost: Vec<(u64, Entry)> = all
            .filter(|(seq, _)| !found.sound.contains(seq))
            .map(|(seq, entry)| (seq, *entry))
            .collect();
        for (seq, entry) in lost {
            self.outstanding.remove(seq);
            let (source, key) = match entry.place.lane {
                SINGLE => ("singles", seq),
                _ => ("segments", entry.place.segment_id()),
            };
            let mut bad = found.bad.iter();
            let number = match bad.find(|it| it.source == source && it.key == key) {
                Some(bad) => bad.number,
                None => {
                    let lane = entry.place.lane;
                    note_missing(sql, found.now_ms, source, &key.to_string(), lane, seq)?
                }
            };
            quarantine::lost(sql, number, 1, seq, seq)?;
            self.end_damaged(seq, entry.attempts);
        }
        let sources = ["singles", "dead"];
        for bad in found.bad.iter().filter(|it| sources.contains(&it.source)) {
            if bad.source == "dead" || self.outstanding.get(bad.key).is_none() {
                quarantine::lost(sql, bad.number, 1, bad.key, bad.key)?;
                self.end_damaged(bad.key, 0);
            }
        }
        let bytes = self
            .outstanding
            .from(0)
            .map(|(_, it)| u64::from(it.body_bytes));
        self.meta.bytes += bytes.sum::<u64>();
        Ok(())
    }

    fn end_damaged(&mut self, seq: u64, attempts: u32) {
        self.outcomes.add(End {
            seq,
            state: State::Damaged,
            attempts,
            at_ms: self.meta.now_ms,
            result: None,
        });
    }

    fn recount_rest(&mut self, sql: &mut dyn Sql, bad: &[Bad]) -> Result<(), StoreError> {
        let count = |sql: &mut dyn Sql, statement| {
            let rows = sql.exec(statement, &[]);
            rows.map(|rows| scalar(rows).map_or(0, |n| n.uint()))
        };
        let meta = &mut self.meta;
        meta.dead_kept = count(sql, "SELECT count(*) FROM dead WHERE target = ''")?;
        meta.dead_leaving = count(sql, "SELECT count(*) FROM dead WHERE target > ''")?;
        let last = count(sql, "SELECT max(number) FROM idempotency")?;
        meta.idempotency_next = meta.idempotency_next.max(last + 1);
        if last > 0 && meta.idempotency_prune_at_ms == 0 {
            meta.idempotency_prune_at_ms = meta.now_ms + MINUTE;
        }
        // Who has no end there may have had one: nobody can tell any more.
        for chunk in bad.iter().filter(|it| it.source == "outcomes") {
            meta.forgotten_seq = meta.forgotten_seq.max(Outcomes::last_of(chunk.key));
        }
        meta.forgotten_seq = meta.forgotten_seq.max(quarantine::trim(sql)?);
        Ok(())
    }

    /// Where something was found, rows may be missing besides that nothing tells of: numbers go on
    /// behind theirs. Where more than one thing ever was, what would tell of a message may be lost
    /// with it: of whom nothing is written nobody can say any more that they are done.
    fn admit_doubt(
        &mut self,
        sql: &mut dyn Sql,
        before: u64,
        is_whole: bool,
    ) -> Result<(), StoreError> {
        let found = quarantine::figures(sql)?.total;
        let meta = &mut self.meta;
        if found > before && is_whole {
            meta.next_seq = (meta.next_seq + REPAIR_SEQ_GAP).min(SEQ_MAX);
        }
        if found > before.max(1) {
            meta.forgotten_seq = meta.forgotten_seq.max(meta.next_seq - 1);
        }
        Ok(())
    }

    /// Writes a checkpoint, which takes the place of all journal rows.
    fn write_down(&mut self, sql: &mut dyn Sql) -> Result<(), StoreError> {
        let last = scalar(sql.exec("SELECT max(number) FROM journal", &[])?);
        let last = last.map_or(0, |number| number.uint());
        self.meta.number = self.meta.number.max(last);
        sql.exec("DELETE FROM journal", &[])?;
        sql.exec("DELETE FROM checkpoint", &[])?;
        self.journal = Journal::anew();
        self.meta_changed = true;
        let now_ms = self.meta.now_ms;
        self.commit(&mut Turn::new(sql, now_ms))
    }
}

/// Messages that are written down as final.
fn finals(sql: &mut dyn Sql) -> Result<HashSet<u64>, StoreError> {
    let mut finals = HashSet::new();
    let mut after = -1;
    loop {
        let rows = sql.exec(
            "SELECT chunk FROM outcomes WHERE chunk > ? ORDER BY chunk LIMIT 100",
            &[crate::store::Arg::Int(after)],
        )?;
        if rows.is_empty() {
            break;
        }
        for chunk in rows.iter().filter_map(|row| row.first()) {
            after = chunk.int();
            let ends = crate::engine::outcomes::read(sql, chunk.uint())?;
            finals.extend(ends.iter().map(|end| end.seq));
        }
    }
    for row in sql.exec("SELECT seq FROM dead", &[])? {
        finals.extend(row.first().map(Value::uint));
    }
    Ok(finals)
}
