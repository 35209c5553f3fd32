//! Dead letters: messages that were given up, where they go, and how they come back.
//!
//! A dead letter leaves the backlog and gets a row of its own, with its history in attributes.
//! Without a `dead_letter_queue` the row stays here until it is redriven. With one, the row is an
//! outbox (`outbox.rs`): it is sent to that queue and deleted once that queue has it. Redriving sends
//! them back the same way.

use super::queue::{Queue, Turn};
use super::segment::{Builder, Head, SINGLE};
use crate::command::{Draft, Forwarded, State};
use crate::id::Id;
use crate::limits::{BATCH_BYTES_MAX, FORWARD_MESSAGES_MAX};
use crate::store::{Arg, StoreError, Value};
use crate::time::Millis;

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
/// The reason of one that could not find room at any time.
const NEVER_FITS: &str = "never_fits";
/// What they all begin with; clients cannot set such attributes.
const PREFIX: &str = "tidegate-dead-";

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
    /// It is larger than all messages together may be, and was never given a place.
    NeverFits,
}

impl Reason {
    pub fn name(self) -> &'static str {
        match self {
            Self::Attempts => "max_attempts",
            Self::LeaseExpired => "lease_expired",
            Self::Refused => "refused",
            Self::TooLarge => "too_large",
            Self::NeverFits => NEVER_FITS,
        }
    }
}

impl Queue {
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
            let target = self.dead_letter_queue();
            let body = segment.body(&item);
            self.bury(turn, seq, id, head, body.bytes(), &target, reason.name())?;
        }
        self.remove_outstanding(seq);
        self.end(turn, seq, State::Dead, entry.attempts, None);
        Ok(())
    }

    /// Where dead letters go; empty: they stay here.
    pub(super) fn dead_letter_queue(&self) -> String {
        let config = self.config();
        config
            .delivery
            .dead_letter_queue
            .clone()
            .unwrap_or_default()
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
            self.outbox.wake_for(target);
        }
        self.meta_changed = true;
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

/// Whether a dead letter had a place where it died.
fn had_place(attributes: &[(&str, &str)]) -> bool {
    let mut reasons = attributes.iter().filter(|(name, _)| *name == REASON);
    !reasons.any(|(_, reason)| matches!(*reason, OVERFLOW | NEVER_FITS))
}

/// Whether a dead letter that is kept in `queue` has a place there: it died there, and had one.
pub(super) fn has_place_in(queue: &str, attributes: &[(&str, &str)]) -> bool {
    let here = attributes
        .iter()
        .any(|(name, value)| *name == QUEUE && *value == queue);
    here && had_place(attributes)
}

/// Whether a message carries the history of a dead letter.
pub(super) fn has_history(attributes: &[(&str, &str)]) -> bool {
    attributes.iter().any(|(name, _)| *name == QUEUE)
}

/// A dead letter as it is sent to `target`: home without its history, elsewhere with it.
pub(super) fn forwarded<'a>(
    head: Head<'a>,
    body: &'a [u8],
    target: &str,
    now_ms: Millis,
) -> Forwarded<'a> {
    let attribute = |wanted| {
        head.attributes
            .iter()
            .find(|(name, _)| *name == wanted)
            .map(|(_, value)| *value)
    };
    let is_home = attribute(QUEUE) == Some(target);
    let keeps_place = is_home && had_place(&head.attributes);
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
