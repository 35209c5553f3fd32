//! Dead letters: messages that were given up, where they go, and how they come back.
//!
//! A dead letter leaves the backlog and gets a row of its own, with its history in attributes.
//! Without a `dead_letter_queue` the row stays here until it is redriven. With one, the row is an
//! outbox: it is sent to that queue and deleted once that queue has it. The receiver takes each
//! message once, so sending again after a lost answer is harmless. Redriving sends them back the
//! same way.

use super::outcome::Call;
use super::queue::{Queue, Turn};
use super::segment::{Builder, Head, SINGLE, Segment};
use super::segments::each_list;
use crate::command::directory::DirectoryCommand;
use crate::command::placement::DIRECTORY;
use crate::command::{Command, Draft, Forwarded, Reply, State};
use crate::error::{ErrorCode, Fault};
use crate::id::Id;
use crate::limits::{BATCH_BYTES_MAX, FORWARD_MESSAGES_MAX};
use crate::store::{Arg, StoreError, Value};
use crate::time::{MINUTE, Millis, SECOND};

/// Attributes that carry a dead letter's history.
pub(super) const QUEUE: &str = "tidegate-dead-queue";
const ID: &str = "tidegate-dead-id";
const ATTEMPTS: &str = "tidegate-dead-attempts";
const REASON: &str = "tidegate-dead-reason";
pub(super) const AT_MS: &str = "tidegate-dead-at-ms";
/// What tells an event of this queue's own, which was never a message here.
pub(super) const EVENT_ID: &str = "ce-id";
/// The reason of a message that found no room and was accepted here instead.
pub(super) const OVERFLOW: &str = "overflow";
/// What they all begin with; clients cannot set such attributes.
const PREFIX: &str = "tidegate-dead-";
/// After this time a call's answer is no longer expected. The platform answers or fails much
/// sooner; this is for an object that was evicted in between, which has nothing but its alarm to
/// wake it.
const CALL_LOST_MS: Millis = 30 * SECOND;

/// Why a message was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// Its last delivery was given back.
    Attempts,
    /// Its last delivery's lease ran out.
    LeaseExpired,
    /// Its endpoint said that trying again is of no use.
    Refused,
    /// It is larger than the Cloudflare Queue takes that it is handed to.
    TooLarge,
}

impl Reason {
    fn name(self) -> &'static str {
        match self {
            Self::Attempts => "max_attempts",
            Self::LeaseExpired => "lease_expired",
            Self::Refused => "refused",
            Self::TooLarge => "too_large",
        }
    }
}

/// Calls to other objects: at most one of each kind at a time.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    next_number: u32,
    registering: Option<u32>,
    /// Number and rows of the dead letters under way.
    sending: Option<(u32, Vec<u64>)>,
    /// A redrive that asked the dead-letter queue: number, the client's token, what was moved here
    /// already.
    pub recalls: Vec<(u32, u32, u64)>,
    /// A public key on its way to the directory: number, its name, until when it stays there.
    publishing: Option<(u32, String, Millis)>,
    retry_at_ms: Millis,
    /// When the calls that are under way count as lost, should this object start anew meanwhile.
    lost_at_ms: Millis,
    failures: u32,
    answers: Vec<(u32, bool, Vec<u8>)>,
}

impl Outbox {
    /// When a call has to be tried again, if there is anything to send.
    pub fn wakeup_ms(&self, pending: bool) -> Option<Millis> {
        pending.then_some(if self.is_under_way() {
            self.lost_at_ms
        } else {
            self.retry_at_ms
        })
    }

    fn is_under_way(&self) -> bool {
        self.sending.is_some() || self.registering.is_some() || self.publishing.is_some()
    }

    /// Notes that a public key is on its way; the number of its call.
    pub fn publishes(&mut self, kid: &str, until_ms: Millis, now_ms: Millis) -> u32 {
        let number = self.number(now_ms);
        self.publishing = Some((number, kid.to_owned(), until_ms));
        number
    }

    /// What is under way was purged here: its answer counts for nothing any more.
    pub fn forget_sent(&mut self) {
        self.sending = None;
    }

    /// A number for a call that is made now.
    pub fn number(&mut self, now_ms: Millis) -> u32 {
        self.lost_at_ms = now_ms + CALL_LOST_MS;
        self.next_number = self.next_number.wrapping_add(1);
        self.next_number
    }

    /// Calls whose answer will not come any more have failed.
    fn give_up_lost(&mut self, now_ms: Millis) {
        if self.is_under_way() && now_ms >= self.lost_at_ms {
            self.sending = None;
            self.registering = None;
            self.publishing = None;
            self.failed(now_ms);
        }
    }

    fn failed(&mut self, now_ms: Millis) {
        self.failures = (self.failures + 1).min(8);
        self.retry_at_ms = now_ms + (SECOND << self.failures).min(5 * MINUTE);
    }
}

impl Queue {
    /// The answer to a call of an earlier turn, for the next one.
    pub fn called(&mut self, number: u32, ok: bool, body: &[u8]) {
        self.outbox.answers.push((number, ok, body.to_vec()));
    }

    /// Makes an outstanding message a dead letter.
    pub(super) fn give_up(
        &mut self,
        turn: &mut Turn<'_>,
        seq: u64,
        reason: Reason,
    ) -> Result<(), StoreError> {
        let Some(entry) = self.outstanding.get(seq).copied() else {
            return Ok(());
        };
        if let Some(segment) = self.segments.get(turn.sql, entry.place)? {
            let item = segment.items[usize::from(entry.place.index)];
            let mut head = segment.head(&item)?;
            head.attempts = entry.attempts;
            let id = self.id_of(&segment, &item, &head);
            let target = self
                .config()
                .delivery
                .dead_letter_queue
                .clone()
                .unwrap_or_default();
            let body = segment.body(&item);
            self.bury(turn, seq, id, head, body.bytes(), &target, reason.name())?;
        }
        self.remove_outstanding(seq);
        self.end(turn, seq, State::Dead, entry.attempts, None);
        Ok(())
    }

    /// Writes a dead letter's row; `target` is the queue it goes to, or empty.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn bury(
        &mut self,
        turn: &mut Turn<'_>,
        seq: u64,
        id: Id,
        head: Head<'_>,
        body: &[u8],
        target: &str,
        reason: &str,
    ) -> Result<(), StoreError> {
        let (minted, accepted_ms) = (id, id.at_ms());
        let (id, attempts, now) = (
            minted.to_string(),
            head.attempts.to_string(),
            turn.now_ms.to_string(),
        );
        turn.out.say(&serde_json::json!({
            "event": "dead_letter", "queue": self.name, "id": id, "reason": reason,
            "attempts": head.attempts, "to": target,
        }));
        let mut head: Head<'_> = head;
        head.attributes
            .retain(|(name, _)| !name.starts_with(PREFIX));
        self.tell_dead(turn, seq, minted, &head, reason)?;
        let name = self.name.clone();
        head.attributes.extend([
            (QUEUE, name.as_str()),
            (ID, id.as_str()),
            (ATTEMPTS, attempts.as_str()),
            (REASON, reason),
            (AT_MS, now.as_str()),
        ]);
        self.write_dead(turn, seq, accepted_ms, target, head, body)
    }

    pub(super) fn write_dead(
        &mut self,
        turn: &mut Turn<'_>,
        seq: u64,
        accepted_ms: Millis,
        target: &str,
        head: Head<'_>,
        body: &[u8],
    ) -> Result<(), StoreError> {
        let mut builder = Builder::default();
        builder.push(seq, head, body);
        let single = builder.finish(SINGLE, accepted_ms, 0);
        let (head, body) = single.stored();
        let written = turn.sql.exec(
            "INSERT OR IGNORE INTO dead (seq, target, head, body) VALUES (?, ?, ?, ?)
             RETURNING seq",
            &[seq.into(), target.into(), Arg::Blob(head), Arg::Blob(body)],
        )?;
        if written.is_empty() {
            // A repair that knew no better had it handed out once more.
            return Ok(());
        }
        if target.is_empty() {
            self.meta.dead_kept += 1;
        } else {
            self.meta.dead_leaving += 1;
        }
        self.meta_changed = true;
        Ok(())
    }

    /// Applies the answers to calls of earlier turns.
    pub(super) fn settle_calls(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        for (number, ok, body) in std::mem::take(&mut self.outbox.answers) {
            if self.outbox.registering == Some(number) {
                self.outbox.registering = None;
                if ok {
                    self.meta.registered = true;
                    self.meta_changed = true;
                } else {
                    self.outbox.failed(turn.now_ms);
                }
            } else if self
                .outbox
                .sending
                .as_ref()
                .is_some_and(|(n, _)| *n == number)
            {
                let (_, seqs) = self.outbox.sending.take().unwrap_or_default();
                self.settle_sent(turn, &seqs, if ok { moved(&body) } else { 0 })?;
            } else if let Some((_, kid, until_ms)) =
                self.outbox.publishing.take_if(|(n, ..)| *n == number)
            {
                if ok {
                    self.key_published(turn, &kid, until_ms)?;
                } else {
                    self.outbox.failed(turn.now_ms);
                }
            } else if let Some(at) = self
                .outbox
                .recalls
                .iter()
                .position(|(n, _, _)| *n == number)
            {
                let (_, token, here) = self.outbox.recalls.remove(at);
                let reply = if ok {
                    Ok(Reply::Moved(here + moved(&body)))
                } else if here > 0 {
                    Ok(Reply::Moved(here))
                } else {
                    Err(Fault::new(
                        ErrorCode::Unavailable,
                        "the dead-letter queue could not be reached; try again",
                    ))
                };
                turn.out.replies.push((token, reply));
            }
        }
        Ok(())
    }

    fn settle_sent(
        &mut self,
        turn: &mut Turn<'_>,
        seqs: &[u64],
        moved: u64,
    ) -> Result<(), StoreError> {
        let gone = &seqs[..seqs.len().min(moved as usize)];
        if gone.len() < seqs.len() {
            // The other queue is full or out of reach: the rest stays here, and is tried again.
            self.outbox.failed(turn.now_ms);
        } else {
            self.outbox.failures = 0;
            self.outbox.retry_at_ms = 0;
        }
        each_list(gone, |list| {
            turn.sql.exec(
                "DELETE FROM dead WHERE seq IN (SELECT value FROM json_each(?))",
                &[list],
            )
        })?;
        self.meta.dead_leaving = self.meta.dead_leaving.saturating_sub(gone.len() as u64);
        self.meta_changed = true;
        Ok(())
    }

    /// Starts the calls that are due: the name to the directory, dead letters to their queue.
    pub(super) fn make_calls(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        self.outbox.give_up_lost(turn.now_ms);
        if turn.now_ms < self.outbox.retry_at_ms {
            return Ok(());
        }
        if !self.meta.registered && self.outbox.registering.is_none() {
            let number = self.outbox.number(turn.now_ms);
            self.outbox.registering = Some(number);
            let register = DirectoryCommand::Register { name: &self.name };
            let command = register.encode().map_err(|e| StoreError(e.to_string()))?;
            turn.out.calls.push(Call {
                number,
                object: DIRECTORY.to_owned(),
                command,
            });
        }
        if self.outbox.publishing.is_none() {
            self.publish_key(turn)?;
        }
        if self.meta.dead_leaving > 0 && self.outbox.sending.is_none() {
            self.send_dead(turn)?;
        }
        Ok(())
    }

    fn send_dead(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let first = turn.sql.exec(
            "SELECT target FROM dead WHERE target > '' ORDER BY target LIMIT 1",
            &[],
        )?;
        let Some(target) = first
            .first()
            .and_then(|row| row.first())
            .map(|v| v.text().to_owned())
        else {
            self.meta.dead_leaving = 0;
            return Ok(());
        };
        let (mut seqs, mut segments) = (Vec::new(), Vec::new());
        for mut row in first_dead(turn, &target, 0, OF_ONE_CALL)? {
            let body = row.pop().map(Value::into_blob).unwrap_or_default();
            let head = row.pop().map(Value::into_blob).unwrap_or_default();
            seqs.push(row.first().map_or(0, Value::uint));
            segments.push(Segment::decode(SINGLE, head, Some(body))?);
        }
        let bodies: Vec<_> = segments
            .iter()
            .filter_map(|s| s.items.first().map(|item| s.body(item)))
            .collect();
        let mut messages = Vec::new();
        for (segment, body) in segments.iter().zip(&bodies) {
            let Some(item) = segment.items.first() else {
                continue;
            };
            messages.push(forwarded(
                segment.head(item)?,
                body.bytes(),
                &target,
                turn.now_ms,
            ));
        }
        let number = self.outbox.number(turn.now_ms);
        let command = Command::Forward {
            source: &self.name,
            messages,
        };
        let call = Call::of_queue(number, &target, command)?;
        turn.out.calls.push(call);
        self.outbox.sending = Some((number, seqs));
        Ok(())
    }
}

/// The identifier that a message with this history had in `queue` before it died there.
pub(super) fn id_in(queue: &str, attributes: &[(&str, &str)]) -> Option<Id> {
    let value = |wanted| {
        attributes
            .iter()
            .find(|(name, _)| *name == wanted)
            .map(|(_, value)| *value)
    };
    let id = value(ID).and_then(Id::parse)?;
    (value(QUEUE) == Some(queue)).then_some(id)
}

/// How many dead letters fit one call, and their bytes.
pub(super) const OF_ONE_CALL: (usize, usize) = (FORWARD_MESSAGES_MAX, BATCH_BYTES_MAX);

/// The first dead letters for `target` after a number, so many and so many bytes: at least one, if
/// there is one.
pub(super) fn first_dead(
    turn: &mut Turn<'_>,
    target: &str,
    after_seq: u64,
    (messages_max, bytes_max): (usize, usize),
) -> Result<Vec<Vec<Value>>, StoreError> {
    let sizes = turn.sql.exec(
        "SELECT seq, length(body) FROM dead WHERE target = ? AND seq > ? ORDER BY seq LIMIT ?",
        &[
            target.into(),
            after_seq.into(),
            (messages_max as u64).into(),
        ],
    )?;
    let (mut last, mut bytes) = (0, 0);
    for size in &sizes {
        let [seq, body_bytes] = [0, 1].map(|i| size.get(i).map_or(0, Value::uint));
        bytes += body_bytes;
        if bytes > bytes_max as u64 && last > 0 {
            break;
        }
        last = seq;
    }
    turn.sql.exec(
        "SELECT seq, head, body FROM dead WHERE target = ? AND seq > ? AND seq <= ? ORDER BY seq",
        &[target.into(), after_seq.into(), last.into()],
    )
}

/// Whether a message carries the history of a dead letter.
pub(super) fn has_history(attributes: &[(&str, &str)]) -> bool {
    attributes.iter().any(|(name, _)| *name == QUEUE)
}

/// A dead letter as it is sent to `target`: home without its history, elsewhere with it.
fn forwarded<'a>(head: Head<'a>, body: &'a [u8], target: &str, now_ms: Millis) -> Forwarded<'a> {
    let attribute = |wanted| {
        head.attributes
            .iter()
            .find(|(name, _)| *name == wanted)
            .map(|(_, value)| *value)
    };
    let is_home = attribute(QUEUE) == Some(target);
    let keeps_place = is_home && attribute(REASON) != Some(OVERFLOW);
    let id = attribute(ID).or_else(|| attribute(EVENT_ID));
    let id = id.and_then(Id::parse).unwrap_or(Id(0));
    // A message that dies again after coming home goes out again under the same identifier: tell
    // them apart.
    let buried_ms = attribute(AT_MS)
        .and_then(|at| at.parse::<u64>().ok())
        .unwrap_or(0);
    let id = Id(id.0 ^ u128::from(buried_ms) << 28 ^ u128::from(is_home));
    let attributes = head
        .attributes
        .iter()
        .filter(|(name, _)| !is_home || !name.starts_with(PREFIX))
        .copied()
        .collect();
    let draft = Draft {
        body,
        content_type: head.content_type,
        key: head.key,
        priority: head.priority,
        ttl_ms: head
            .expires_at_ms
            .map(|at| at.saturating_sub(now_ms).max(1)),
        attributes,
        ..Draft::default()
    };
    Forwarded {
        id,
        keeps_place,
        draft,
    }
}

/// The figure of a `{"moved": n}` document.
fn moved(body: &[u8]) -> u64 {
    let document: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    document
        .and_then(|d| d.get("moved").and_then(serde_json::Value::as_u64))
        .unwrap_or(0)
}
