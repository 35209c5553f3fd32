//! Segments: many messages in one row.
//!
//! A segment holds what one commit published into one lane. Its head is a version byte, a prefix
//! and one record a message; its body is the messages' bodies, one after another. Heads are read
//! without bodies at a start. A single (a delayed, held or dead message) is stored in the same
//! form, with one message. Owns the stored form and a bounded cache of decoded segments. Decides
//! nothing.

use crate::command::{Blob, Draft};
use crate::id::{Secret, hash64};
use crate::limits::{
    SEGMENT_BODY_BYTES_MAX, SEGMENT_CACHE_BYTES_MAX, SEGMENT_HEAD_BYTES_MAX, SEGMENT_MESSAGES_MAX,
};
use crate::store::{Arg, Sql, StoreError, Value};
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

/// Version of the stored form.
const VERSION: u8 = 1;
/// Lanes that hold segments: one for each priority.
pub const LANES: usize = 10;
/// The lane of messages that have a row of their own in `singles`.
pub const SINGLE: u8 = 10;
/// Bodies of a segment that are handed out by reference however small the part: a pull of a
/// thousand messages keeps at most a thousand of these alive.
const SHARED_BYTES_MAX: usize = 16_384;
/// Segments looked at to tell a position exactly.
const HEADS_MAX: u64 = 256;
/// Numbers in one statement's list: 17 characters each stay far under the platform's 2 MB.
const STATEMENT_NUMBERS: usize = 10_000;
/// What a decoded message costs in the cache beside its bytes.
const ITEM_BYTES: usize = 48;

/// Where a message is stored: the segment's lane and first sequence number, and the message's index
/// in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// 0 to 9, or [`SINGLE`].
    pub lane: u8,
    /// The segment's first sequence number; the message's own for a single.
    pub first_seq: u64,
    /// Index in the segment.
    pub index: u16,
}

impl Place {
    /// Where a single is.
    #[must_use]
    pub fn single(seq: u64) -> Self {
        Self {
            lane: SINGLE,
            first_seq: seq,
            index: 0,
        }
    }

    /// The segment's row identifier; lanes sort apart, sequence numbers within.
    #[must_use]
    pub fn segment_id(self) -> u64 {
        segment_id(self.lane, self.first_seq)
    }
}

/// See [`Place::segment_id`].
#[must_use]
pub fn segment_id(lane: u8, first_seq: u64) -> u64 {
    u64::from(lane) << 48 | first_seq
}

#[derive(Serialize, Deserialize)]
struct Prefix {
    at_ms: Millis,
    /// How many messages were appended to the lane before this segment's first.
    ordinal: u64,
    first_seq: u64,
    count: u16,
    /// Indexes of messages that were cancelled or expired before their turn, ascending.
    gone: Vec<u16>,
}

/// What is stored of a message beside its body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Head<'a> {
    /// Sequence number, counted from the segment's first.
    pub offset: u32,
    /// Length of the body.
    pub body_bytes: u32,
    /// 0 to 9.
    pub priority: u8,
    /// Instant of its own expiry.
    pub expires_at_ms: Option<Millis>,
    /// When it becomes deliverable, for a message that is held and delayed both.
    pub due_ms: Option<Millis>,
    /// Two hashes of its idempotency key and its position, so that a start can find the answers
    /// that no journal row has yet.
    pub answer: Option<(u64, u64, u64)>,
    /// Deliveries before this form was written; a redriven message keeps its history.
    pub attempts: u32,
    /// As published.
    pub content_type: Option<&'a str>,
    /// As published.
    pub key: Option<&'a str>,
    /// As published.
    #[serde(borrow)]
    pub attributes: Vec<(&'a str, &'a str)>,
}

/// One decoded message: where its parts are.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    /// Sequence number.
    pub seq: u64,
    head_at: u32,
    body_at: u32,
    /// Length of the body.
    pub body_bytes: u32,
    /// 0 to 9.
    pub priority: u8,
    /// Instant of its own expiry, or the end of time.
    pub expires_at_ms: Millis,
}

/// A decoded segment.
#[derive(Debug)]
pub struct Segment {
    /// 0 to 9, or [`SINGLE`].
    pub lane: u8,
    /// First sequence number.
    pub first_seq: u64,
    /// When its messages were accepted: one commit, one instant.
    pub at_ms: Millis,
    /// How many messages were appended to the lane before.
    pub ordinal: u64,
    /// Indexes of messages that are gone already, ascending.
    pub gone: Vec<u16>,
    /// Its messages, by sequence number.
    pub items: Vec<Item>,
    head: Rc<Vec<u8>>,
    body: Rc<Vec<u8>>,
}

impl Segment {
    /// Reads a stored segment. `body` may be empty when only heads are wanted.
    ///
    /// # Errors
    /// When the bytes are not a segment, which means that the row is damaged.
    pub fn decode(lane: u8, head: Vec<u8>, body: Vec<u8>) -> Result<Self, StoreError> {
        let damaged = |why: &str| StoreError(format!("a segment of lane {lane} is damaged: {why}"));
        let Some((&VERSION, rest)) = head.split_first() else {
            return Err(damaged("another version"));
        };
        let (prefix, mut rest) =
            postcard::take_from_bytes::<Prefix>(rest).map_err(|e| damaged(&e.to_string()))?;
        let mut items = Vec::with_capacity(usize::from(prefix.count));
        let mut body_at = 0u32;
        for _ in 0..prefix.count {
            let head_at = (head.len() - rest.len()) as u32;
            let (record, after) =
                postcard::take_from_bytes::<Head<'_>>(rest).map_err(|e| damaged(&e.to_string()))?;
            items.push(Item {
                seq: prefix.first_seq + u64::from(record.offset),
                head_at,
                body_at,
                body_bytes: record.body_bytes,
                priority: record.priority,
                expires_at_ms: record.expires_at_ms.unwrap_or(Millis::MAX),
            });
            body_at = body_at.saturating_add(record.body_bytes);
            rest = after;
        }
        if !body.is_empty() && body.len() != body_at as usize {
            return Err(damaged("bodies and heads disagree"));
        }
        let Prefix {
            at_ms,
            ordinal,
            first_seq,
            gone,
            ..
        } = prefix;
        let (head, body) = (Rc::new(head), Rc::new(body));
        Ok(Self {
            lane,
            first_seq,
            at_ms,
            ordinal,
            gone,
            items,
            head,
            body,
        })
    }

    /// The message's head.
    ///
    /// # Errors
    /// Never for a decoded segment.
    pub fn head(&self, item: &Item) -> Result<Head<'_>, StoreError> {
        postcard::take_from_bytes(&self.head[item.head_at as usize..])
            .map(|(head, _)| head)
            .map_err(|e| StoreError(format!("a head cannot be read twice: {e}")))
    }

    /// The message's body: shared, unless that would keep a large segment alive for a small part.
    #[must_use]
    pub fn body(&self, item: &Item) -> Blob {
        let start = item.body_at as usize;
        let end = start + item.body_bytes as usize;
        if self.body.len() > SHARED_BYTES_MAX && item.body_bytes as usize * 4 < self.body.len() {
            return Blob::from(self.body.get(start..end).unwrap_or_default().to_vec());
        }
        Blob::new(Rc::clone(&self.body), start, end)
    }

    /// The index of the message with this sequence number.
    #[must_use]
    pub fn index_of(&self, seq: u64) -> Option<u16> {
        self.items
            .binary_search_by_key(&seq, |item| item.seq)
            .ok()
            .map(|i| i as u16)
    }

    /// Whether the message at this index is gone already.
    #[must_use]
    pub fn is_gone(&self, index: u16) -> bool {
        self.gone.binary_search(&index).is_ok()
    }

    /// A hash of the message's ordering key; zero when it has none.
    #[must_use]
    pub fn key_hash(&self, item: &Item, secret: Secret) -> u64 {
        let head = self.head(item).ok();
        head.and_then(|h| h.key)
            .map_or(0, |key| hash64(secret, key.as_bytes()).max(1))
    }

    fn memory_bytes(&self) -> usize {
        self.head.len() + self.body.len() + self.items.len() * ITEM_BYTES
    }

    fn encoded_with_gone(&self, gone: &[u16]) -> Vec<u8> {
        let prefix = Prefix {
            at_ms: self.at_ms,
            ordinal: self.ordinal,
            first_seq: self.first_seq,
            count: self.items.len() as u16,
            gone: gone.to_vec(),
        };
        let mut head = postcard::to_extend(&prefix, vec![VERSION]).unwrap_or_default();
        let records = self
            .items
            .first()
            .map_or(self.head.len(), |item| item.head_at as usize);
        head.extend_from_slice(&self.head[records..]);
        head
    }
}

/// A segment that is being filled.
#[derive(Debug, Default)]
pub struct Builder {
    first_seq: u64,
    count: u16,
    heads: Vec<u8>,
    bodies: Vec<u8>,
}

impl Builder {
    /// Whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many messages were added.
    #[must_use]
    pub fn len(&self) -> u64 {
        u64::from(self.count)
    }

    /// Whether a message of this size would make the row too large.
    #[must_use]
    pub fn is_full_for(&self, draft: &Draft<'_>) -> bool {
        let attributes: usize = draft
            .attributes
            .iter()
            .map(|(n, v)| n.len() + v.len() + 8)
            .sum();
        let head = 64
            + attributes
            + draft.key.map_or(0, str::len)
            + draft.content_type.map_or(0, str::len);
        usize::from(self.count) >= SEGMENT_MESSAGES_MAX
            || self.heads.len() + head > SEGMENT_HEAD_BYTES_MAX
            || self.bodies.len() + draft.body.len() > SEGMENT_BODY_BYTES_MAX
    }

    /// Adds a message.
    pub fn push(&mut self, seq: u64, mut head: Head<'_>, body: &[u8]) {
        if self.count == 0 {
            self.first_seq = seq;
        }
        head.offset = (seq - self.first_seq) as u32;
        head.body_bytes = body.len() as u32;
        // Writing to a vector cannot fail: the format has no limits of its own.
        self.heads =
            postcard::to_extend(&head, std::mem::take(&mut self.heads)).unwrap_or_default();
        self.bodies.extend_from_slice(body);
        self.count += 1;
    }

    /// The stored form: first sequence number, head and body.
    #[must_use]
    pub fn finish(self, at_ms: Millis, ordinal: u64) -> (u64, Vec<u8>, Vec<u8>) {
        let prefix = Prefix {
            at_ms,
            ordinal,
            first_seq: self.first_seq,
            count: self.count,
            gone: Vec::new(),
        };
        let mut head = Vec::with_capacity(self.heads.len() + 32);
        head.push(VERSION);
        let mut head = postcard::to_extend(&prefix, head).unwrap_or_default();
        head.extend_from_slice(&self.heads);
        (self.first_seq, head, self.bodies)
    }
}

/// The segments of a queue: rows, and the decoded ones that were used last.
#[derive(Debug, Default)]
pub struct Segments {
    cache: HashMap<u64, Rc<Segment>>,
    used: VecDeque<u64>,
    bytes: usize,
}

impl Segments {
    /// The segment or single at `place`, whole. `None` when there is no such row.
    ///
    /// # Errors
    /// Storage.
    pub fn get(
        &mut self,
        sql: &mut dyn Sql,
        place: Place,
    ) -> Result<Option<Rc<Segment>>, StoreError> {
        let id = place.segment_id();
        if let Some(segment) = self.cache.get(&id) {
            return Ok(Some(Rc::clone(segment)));
        }
        let rows = if place.lane == SINGLE {
            sql.exec(
                "SELECT head, body FROM singles WHERE seq = ?",
                &[place.first_seq.into()],
            )?
        } else {
            sql.exec("SELECT head, body FROM segments WHERE id = ?", &[id.into()])?
        };
        let Some(row) = rows.into_iter().next() else {
            return Ok(None);
        };
        let segment = decode_row(place.lane, row)?;
        Ok(Some(self.remember(id, segment)))
    }

    /// The lane's first segment whose first sequence number is `from` or later.
    ///
    /// # Errors
    /// Storage.
    pub fn next(
        &mut self,
        sql: &mut dyn Sql,
        lane: u8,
        from: u64,
    ) -> Result<Option<Rc<Segment>>, StoreError> {
        if let Some(segment) = self.cache.get(&segment_id(lane, from)) {
            return Ok(Some(Rc::clone(segment)));
        }
        let rows = sql.exec(
            "SELECT id, head, body FROM segments WHERE id >= ? AND id < ? ORDER BY id LIMIT 1",
            &[
                segment_id(lane, from).into(),
                segment_id(lane + 1, 0).into(),
            ],
        )?;
        let Some(mut row) = rows.into_iter().next() else {
            return Ok(None);
        };
        let id = row.remove(0).uint();
        if let Some(segment) = self.cache.get(&id) {
            return Ok(Some(Rc::clone(segment)));
        }
        let segment = decode_row(lane, row)?;
        Ok(Some(self.remember(id, segment)))
    }

    /// The lane's segment that would hold `seq`.
    ///
    /// # Errors
    /// Storage.
    pub fn holding(
        &mut self,
        sql: &mut dyn Sql,
        lane: u8,
        seq: u64,
    ) -> Result<Option<Rc<Segment>>, StoreError> {
        let rows = sql.exec(
            "SELECT id FROM segments WHERE id >= ? AND id <= ? ORDER BY id DESC LIMIT 1",
            &[segment_id(lane, 0).into(), segment_id(lane, seq).into()],
        )?;
        let Some(id) = rows.first().and_then(|row| row.first()).map(Value::uint) else {
            return Ok(None);
        };
        self.get(
            sql,
            Place {
                lane,
                first_seq: id & ((1 << 48) - 1),
                index: 0,
            },
        )
    }

    /// Heads of the lane's segments from `from` on, without their bodies, for a start.
    ///
    /// # Errors
    /// Storage.
    pub fn heads_from(sql: &mut dyn Sql, lane: u8, from: u64) -> Result<Vec<Segment>, StoreError> {
        let rows = sql.exec(
            "SELECT head FROM segments WHERE id >= ? AND id < ? ORDER BY id",
            &[
                segment_id(lane, from).into(),
                segment_id(lane + 1, 0).into(),
            ],
        )?;
        rows.into_iter().map(|row| decode_head(lane, row)).collect()
    }

    /// Heads of the lane's segments from `from` up to but not including `to`, the first few of
    /// them.
    ///
    /// # Errors
    /// Storage.
    pub fn heads_between(
        sql: &mut dyn Sql,
        lane: u8,
        from: u64,
        to: u64,
    ) -> Result<Vec<Segment>, StoreError> {
        let rows = sql.exec(
            "SELECT head FROM segments WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
            &[
                segment_id(lane, from).into(),
                segment_id(lane, to).into(),
                HEADS_MAX.into(),
            ],
        )?;
        rows.into_iter().map(|row| decode_head(lane, row)).collect()
    }

    /// Stores what `builder` holds as one row, and keeps it decoded: it is likely to be wanted
    /// soon.
    ///
    /// # Errors
    /// Storage.
    pub fn append(
        &mut self,
        sql: &mut dyn Sql,
        lane: u8,
        builder: Builder,
        at_ms: Millis,
        ordinal: u64,
    ) -> Result<(), StoreError> {
        let (first_seq, head, body) = builder.finish(at_ms, ordinal);
        let id = segment_id(lane, first_seq);
        sql.exec(
            "INSERT INTO segments (id, head, body) VALUES (?, ?, ?)",
            &[id.into(), Arg::Blob(&head), Arg::Blob(&body)],
        )?;
        let segment = Segment::decode(lane, head, body)?;
        self.remember(id, segment);
        Ok(())
    }

    /// Marks messages of a segment as gone before their turn.
    ///
    /// # Errors
    /// Storage.
    pub fn mark_gone(
        &mut self,
        sql: &mut dyn Sql,
        segment: &Segment,
        indexes: &[u16],
    ) -> Result<(), StoreError> {
        let mut gone = segment.gone.clone();
        gone.extend_from_slice(indexes);
        gone.sort_unstable();
        gone.dedup();
        let head = segment.encoded_with_gone(&gone);
        let id = segment_id(segment.lane, segment.first_seq);
        sql.exec(
            "UPDATE segments SET head = ? WHERE id = ?",
            &[Arg::Blob(&head), id.into()],
        )?;
        self.forget(id);
        Ok(())
    }

    /// Deletes rows by identifier.
    ///
    /// # Errors
    /// Storage.
    pub fn delete(&mut self, sql: &mut dyn Sql, ids: &[u64]) -> Result<(), StoreError> {
        if let [id] = ids {
            sql.exec("DELETE FROM segments WHERE id = ?", &[(*id).into()])?;
        } else {
            each_list(ids, |list| {
                sql.exec(
                    "DELETE FROM segments WHERE id IN (SELECT value FROM json_each(?))",
                    &[list],
                )
            })?;
        }
        ids.iter().for_each(|id| self.forget(*id));
        Ok(())
    }

    /// Drops a decoded segment from memory.
    pub fn forget(&mut self, id: u64) {
        if let Some(segment) = self.cache.remove(&id) {
            self.bytes -= segment.memory_bytes();
        }
    }

    fn remember(&mut self, id: u64, segment: Segment) -> Rc<Segment> {
        let segment = Rc::new(segment);
        self.forget(id);
        self.bytes += segment.memory_bytes();
        self.used.push_back(id);
        self.cache.insert(id, Rc::clone(&segment));
        // First in, first out. Identifiers of segments that are gone already are passed over; one
        // that was read twice may go early, which costs a read.
        while self.bytes > SEGMENT_CACHE_BYTES_MAX || self.used.len() > 2 * self.cache.len() + 64 {
            match self.used.pop_front() {
                Some(oldest) if oldest != id => self.forget(oldest),
                Some(_) => {}
                None => break,
            }
        }
        segment
    }
}

/// Calls `run` with JSON lists of `numbers`, each short enough for one statement.
pub(super) fn each_list<T>(
    numbers: &[u64],
    mut run: impl FnMut(Arg<'_>) -> Result<T, StoreError>,
) -> Result<(), StoreError> {
    for numbers in numbers.chunks(STATEMENT_NUMBERS) {
        let list = serde_json::to_string(numbers).map_err(|e| StoreError(e.to_string()))?;
        run(Arg::Text(&list))?;
    }
    Ok(())
}

fn decode_head(lane: u8, row: Vec<Value>) -> Result<Segment, StoreError> {
    let head = row
        .into_iter()
        .next()
        .map(Value::into_blob)
        .unwrap_or_default();
    Segment::decode(lane, head, Vec::new())
}

fn decode_row(lane: u8, row: Vec<Value>) -> Result<Segment, StoreError> {
    let mut row = row.into_iter();
    let head = row.next().map(Value::into_blob).unwrap_or_default();
    let body = row.next().map(Value::into_blob).unwrap_or_default();
    Segment::decode(lane, head, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built() -> (Vec<u8>, Vec<u8>) {
        let mut builder = Builder::default();
        for (seq, key) in [(40, Some("a")), (41, None), (44, Some("b"))] {
            let head = Head {
                offset: 0,
                body_bytes: 0,
                priority: 4,
                expires_at_ms: (seq == 41).then_some(99),
                due_ms: None,
                answer: None,
                attempts: 0,
                content_type: None,
                key,
                attributes: vec![("n", "v")],
            };
            builder.push(seq, head, format!("body {seq}").as_bytes());
        }
        let (_, head, body) = builder.finish(7, 100);
        (head, body)
    }

    #[test]
    fn a_segment_survives_its_bytes() {
        let (head, body) = built();
        let segment = Segment::decode(4, head, body).unwrap();
        assert_eq!(
            (segment.first_seq, segment.at_ms, segment.ordinal),
            (40, 7, 100)
        );
        let item = segment.items[usize::from(segment.index_of(44).unwrap())];
        assert_eq!(segment.body(&item).bytes(), b"body 44");
        assert_eq!(segment.head(&item).unwrap().key, Some("b"));
        assert_eq!(segment.items[1].expires_at_ms, 99);
        let again = Segment::decode(4, segment.encoded_with_gone(&[1]), Vec::new()).unwrap();
        assert!(again.is_gone(1) && !again.is_gone(2));
        assert_eq!(
            again.head(&again.items[2]).unwrap(),
            segment.head(&item).unwrap()
        );
    }

    #[test]
    fn a_cut_segment_is_an_error() {
        let (head, body) = built();
        for end in 0..head.len() {
            assert!(
                Segment::decode(4, head[..end].to_vec(), Vec::new()).is_err(),
                "{end}"
            );
        }
        for end in 1..body.len() {
            assert!(
                Segment::decode(4, head.clone(), body[..end].to_vec()).is_err(),
                "{end}"
            );
        }
    }
}
