//! Redrives: dead letters on their way back, all of them or a selection.
//!
//! Those kept here go back into the backlog. Those in the dead-letter queue are asked for, and come
//! home by that queue's outbox. A selection is a filter: the history it is about is in attributes.

use super::Stop;
use super::dead_letter::{AT_MS, OF_ONE_CALL, QUEUE, first_dead, has_place_in};
use super::filter::Filter;
use super::outcome::Call;
use super::outstanding::Seen;
use super::pull::Want;
use super::queue::{Queue, Turn};
use super::segment::{SINGLE, Segment};
use crate::command::{Command, Recall, Reply, Selection};
use crate::limits::{OUTBOX_MAX, OUTSTANDING_MAX, REDRIVE_BYTES_MAX, REDRIVE_LOOKED_AT_MAX};
use crate::store::{StoreError, Value};
use serde_json::json;

/// Dead letters moved by one redrive; the caller asks again for more.
const REDRIVE_MAX: u64 = 10_000;
/// Dead letters looked at in one step of a redrive.
const STEP: u32 = 500;

/// How far a look at the dead letters kept here has come.
#[derive(Debug, Default)]
struct Progress {
    moved: u64,
    /// The last one that was looked at.
    after_seq: u64,
    looked_at: u64,
    bytes: usize,
    /// Whether any of those wanted has to stay.
    passed_over: bool,
}

impl Progress {
    fn is_over(&self) -> bool {
        self.moved >= REDRIVE_MAX
            || self.looked_at >= REDRIVE_LOOKED_AT_MAX
            || self.bytes >= REDRIVE_BYTES_MAX
    }
}

impl Queue {
    /// Moves dead letters back: those kept here into the backlog, those in the dead-letter queue by
    /// asking it, and, where this queue is one, those of other queues on their way home.
    pub(super) fn redrive(
        &mut self,
        turn: &mut Turn<'_>,
        token: u32,
        selection: Selection<'_>,
    ) -> Result<Option<Reply>, Stop> {
        let filter = chosen(&selection)?;
        let (mut here, more) = self.revive(turn, filter.as_ref(), selection.after_seq)?;
        if let Some(after_seq) = more {
            let moved = here;
            return Ok(Some(Reply::MovedTo { moved, after_seq }));
        }
        here += self.send_home(turn, None, filter.as_ref(), REDRIVE_MAX)?;
        let Some(target) = self.config().delivery.dead_letter_queue.clone() else {
            return Ok(Some(Reply::Moved(here)));
        };
        let number = self.outbox.number(turn.now_ms);
        let recall = Recall {
            source: &self.name,
            limit: REDRIVE_MAX as u32,
        };
        let recall = match filter {
            None => Command::Recall(recall),
            Some(_) => Command::RecallSome(recall, selection),
        };
        let call = Call::of_queue(number, &target, recall)?;
        turn.out.calls.push(call);
        self.outbox.recalls.push((number, token, here));
        Ok(None)
    }

    /// Sends the dead letters of `source` back to it, or a selection of them.
    pub(super) fn recall(
        &mut self,
        turn: &mut Turn<'_>,
        recall: &Recall<'_>,
        selection: &Selection<'_>,
    ) -> Result<Reply, Stop> {
        let filter = chosen(selection)?;
        let (source, limit) = (Some(recall.source), u64::from(recall.limit));
        let moved = self.send_home(turn, source, filter.as_ref(), limit)?;
        Ok(Reply::Moved(moved))
    }

    /// Puts dead letters kept here back into the backlog, as far as there is room. How many, and
    /// where to go on if there may be more of a selection.
    fn revive(
        &mut self,
        turn: &mut Turn<'_>,
        filter: Option<&Filter>,
        after_seq: u64,
    ) -> Result<(u64, Option<u64>), Stop> {
        // A message may have died in this very turn: its old row goes before the new one comes.
        self.delete_singles(turn)?;
        let mut progress = Progress {
            after_seq,
            ..Progress::default()
        };
        while self.meta.dead_kept > 0 && !progress.is_over() {
            let rows = first_dead(turn, "", progress.after_seq, OF_ONE_CALL)?;
            if rows.is_empty() {
                if progress.after_seq == 0 {
                    self.meta.dead_kept = 0;
                }
                return Ok((progress.moved, None));
            }
            for row in rows {
                if !self.revive_row(turn, row, filter, &mut progress)? {
                    return Ok((progress.moved, None));
                }
            }
        }
        // Without a selection, the next call begins anew and finds what is left.
        let more = (filter.is_some() || progress.passed_over) && self.meta.dead_kept > 0;
        Ok((progress.moved, more.then_some(progress.after_seq)))
    }

    /// Puts a row's dead letter back where it is wanted; `false`: there is no room.
    fn revive_row(
        &mut self,
        turn: &mut Turn<'_>,
        mut row: Vec<Value>,
        filter: Option<&Filter>,
        progress: &mut Progress,
    ) -> Result<bool, Stop> {
        let capacity = &self.config().capacity;
        let body = row.pop().map(Value::into_blob).unwrap_or_default();
        let head = row.pop().map(Value::into_blob).unwrap_or_default();
        let seq = row.first().map_or(0, Value::uint);
        let body_bytes = body.len();
        progress.after_seq = seq;
        progress.looked_at += 1;
        progress.bytes += body_bytes;
        let segment = Segment::decode(SINGLE, head, Some(body))?;
        let Some(item) = segment.items.first() else {
            return Ok(true);
        };
        if self.matches(&segment, item, filter)? {
            let body_bytes = body_bytes as u64;
            let has_place = has_place_in(&self.name, &segment.head(item)?.attributes);
            let sold_out =
                || self.overflow_of(capacity, body_bytes).is_some() || !self.line.is_empty();
            let full = self.depth() >= capacity.max_messages
                || self.meta.bytes + body_bytes > capacity.max_bytes;
            if capacity.never_fits(body_bytes) || (!full && !has_place && sold_out()) {
                // Those behind it may come back all the same.
                progress.passed_over = true;
                return Ok(true);
            }
            if full {
                return Ok(false);
            }
            self.revive_one(turn, seq, &segment, has_place)?;
            progress.moved += 1;
        }
        Ok(true)
    }

    fn revive_one(
        &mut self,
        turn: &mut Turn<'_>,
        seq: u64,
        segment: &Segment,
        has_place: bool,
    ) -> Result<(), Stop> {
        let Some(item) = segment.items.first() else {
            return Ok(());
        };
        let mut head = segment.head(item)?;
        head.expires_at_ms = None;
        if !has_place {
            self.meta.accepted += 1;
            if let Some(key) = head.key
                && self.config().capacity.max_per_key.is_some()
            {
                self.key_counts.change(turn.sql, key, false)?;
            }
        }
        let body = segment.body(item);
        let due_ms = turn.now_ms.max(self.meta.singles_taken.0 + 1);
        self.insert_single_row(turn, seq, item.at_ms, head, body.bytes(), due_ms, false)?;
        turn.sql
            .exec("DELETE FROM dead WHERE seq = ?", &[seq.into()])?;
        self.meta.dead_kept = self.meta.dead_kept.saturating_sub(1);
        self.meta.delayed += 1;
        self.meta.bytes += body.bytes().len() as u64;
        self.meta.parked_bytes += body.bytes().len() as u64;
        self.meta_changed = true;
        self.next_single_ms = Some(self.next_single_ms.map_or(due_ms, |at| at.min(due_ms)));
        self.more_work = true;
        let until_ms = turn.now_ms + self.config().result_retention_ms;
        self.outcomes.remove(turn.sql, seq, until_ms)?;
        Ok(())
    }

    /// Takes queued dead letters of other queues out of the backlog and addresses them to where
    /// they came from.
    fn send_home(
        &mut self,
        turn: &mut Turn<'_>,
        source: Option<&str>,
        filter: Option<&Filter>,
        limit: u64,
    ) -> Result<u64, Stop> {
        let from = match source {
            Some(source) => json!([source]),
            // Not its own: those are home, and keep their history until they are done.
            None => json!([{"anything-but": [self.name]}]),
        };
        let from = Filter::compile(&json!({"attributes": {QUEUE: from}}).to_string())?;
        let filter = Filter::all(std::iter::once(from).chain(filter.cloned()).collect());
        let mut want = Want {
            batch_size: STEP,
            visibility_timeout_ms: None,
            filter: Some(filter),
            seen: Seen::default(),
        };
        let (mut moved, mut bytes) = (0, 0);
        // All that is outstanding is looked at: who asks again begins anew.
        let looks_left = std::mem::replace(&mut turn.looks_left, OUTSTANDING_MAX);
        // A queue that is no dead-letter queue need not be looked through; one that is paused gives
        // nothing to consumers, and this is none.
        let paused = std::mem::take(&mut self.meta.paused);
        while self.meta.has_letters
            && moved < limit
            && bytes < REDRIVE_BYTES_MAX
            && self.meta.dead_leaving < OUTBOX_MAX
        {
            let leased = self.lease(turn, &mut want)?;
            // What it passed over it has seen, and others have not.
            self.tell_came();
            if leased.messages.is_empty() {
                break;
            }
            self.meta.totals.delivered -= leased.messages.len() as u64;
            for message in leased.messages {
                bytes += message.body.bytes().len();
                let home = message.attributes.iter().find(|(name, _)| name == QUEUE);
                let home = home.map(|(_, queue)| queue.clone()).unwrap_or_default();
                self.leave(turn, message.seq, &home)?;
                moved += 1;
            }
            // What left lets others of its line follow.
            want.seen.note(&self.tell_came());
        }
        self.meta.paused = paused;
        turn.looks_left = looks_left;
        Ok(moved)
    }

    /// Moves a leased message into the outbox, to go to `target`.
    fn leave(&mut self, turn: &mut Turn<'_>, seq: u64, target: &str) -> Result<(), StoreError> {
        let Some(entry) = self.outstanding.get(seq).copied() else {
            return Ok(());
        };
        if let Some(segment) = self.segments.get(turn.sql, entry.place)? {
            let item = segment.items[usize::from(entry.place.index)];
            let mut head = segment.head(&item)?;
            head.expires_at_ms = None;
            let body = segment.body(&item);
            self.write_dead(turn, seq, item.at_ms, target, head, body.bytes())?;
        }
        self.remove_outstanding(seq);
        self.waiters.finished(seq);
        Ok(())
    }
}

/// The selection as a filter; `None`: all of them.
fn chosen(selection: &Selection<'_>) -> Result<Option<Filter>, Stop> {
    let mut filters = Vec::new();
    let mut range = Vec::new();
    for (sign, at_ms) in [(">=", selection.from_at_ms), ("<", selection.to_at_ms)] {
        if let Some(at_ms) = at_ms {
            range.extend([json!(sign), json!(at_ms)]);
        }
    }
    if !range.is_empty() {
        let window = json!({"attributes": {AT_MS: [{"numeric": range}]}});
        filters.push(Filter::compile(&window.to_string())?);
    }
    if let Some(filter) = selection.filter {
        filters.push(Filter::compile(filter)?);
    }
    Ok((!filters.is_empty()).then(|| Filter::all(filters)))
}
