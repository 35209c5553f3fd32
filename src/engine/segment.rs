//! The form of a segment: many messages in one row.
//!
//! A segment holds what one commit published into one lane. Its head is sealed (`store/seal.rs`):
//! the sum of the body, a prefix and one record a message; its body is the messages' bodies, one
//! after another. Heads are read without bodies at a start. A single (a delayed, held or dead
//! message) is stored in the same form, with one message. Messages that waited in the line
//! (`line.rs`) bring along when they were accepted, and those that still wait what holds once they
//! are admitted: a second version of the form, for the rows that need it. Where the rows are and
//! which are in memory is `segments.rs`'s.

use crate::command::Blob;
use crate::id::{Secret, hash64};
use crate::limits::{
    SEGMENT_BODY_BYTES_MAX, SEGMENT_HEAD_BYTES_MAX, SEGMENT_MESSAGES_MAX, SEQ_MAX,
};
use crate::store::{StoreError, seal};
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::rc::Rc;

/// Version of the stored form.
const VERSION: u8 = seal::SEALED;
/// The version with an [`Extra`] behind the prefix.
const VERSION_EXTRA: u8 = 0xA6;
/// Both as they were before there were sums. Read, never written.
const VERSION_UNSEALED: u8 = 1;
/// See [`VERSION_UNSEALED`].
const VERSION_UNSEALED_EXTRA: u8 = 2;
/// Lanes that hold segments: one for each priority.
pub const LANES: usize = 10;
/// The lane of messages that have a row of their own in `singles`.
pub const SINGLE: u8 = 10;
/// The lane of messages that wait for a place; see `line.rs`.
pub const LINE: u8 = 11;
/// Bodies of a segment that are handed out by reference however small the part: a pull of a
/// thousand messages keeps at most a thousand of these alive.
const SHARED_BYTES_MAX: usize = 16_384;
/// What a decoded message costs in the cache beside its bytes.
const ITEM_BYTES: usize = 56;

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

/// What only rows of messages that wait, or that waited, have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Extra {
    /// Acceptance of messages that were accepted before their segment was written: first index,
    /// how many, when.
    accepted: Vec<(u16, u16, Millis)>,
    /// What holds of messages in the line, for so many of them each.
    terms: Vec<(u16, Terms)>,
}

impl Extra {
    /// Dates the messages that were accepted before.
    fn date(&self, items: &mut [Item]) {
        for (first, count, at_ms) in &self.accepted {
            let waited = items.iter_mut().skip(usize::from(*first));
            waited
                .take(usize::from(*count))
                .for_each(|item| item.at_ms = *at_ms);
        }
    }
}

/// What holds of a message in the line, once it is admitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The lane it goes to, and that its identifier names.
    pub lane: u8,
    /// As published.
    pub hold_ms: Option<Millis>,
    /// As published; zero: none.
    pub delay_ms: Millis,
}

/// What is stored of a message beside its body.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// When it was accepted.
    pub at_ms: Millis,
}

/// A decoded segment.
#[derive(Debug)]
pub struct Segment {
    /// 0 to 9, or [`SINGLE`].
    pub lane: u8,
    /// First sequence number.
    pub first_seq: u64,
    /// When it was written. Its messages were accepted then, but for those that waited before.
    pub at_ms: Millis,
    /// How many messages were appended to the lane before.
    pub ordinal: u64,
    /// Indexes of messages that are gone already, ascending.
    pub gone: Vec<u16>,
    /// Its messages, by sequence number.
    pub items: Vec<Item>,
    extra: Extra,
    /// `None` for a row from before there were sums.
    body_sum: Option<[u8; seal::SUM_BYTES]>,
    head: Rc<Vec<u8>>,
    body: Rc<Vec<u8>>,
}

impl Segment {
    /// Reads a stored segment; without `body` where only heads are wanted.
    ///
    /// # Errors
    /// When the bytes are not a segment, which means that the row is damaged.
    pub fn decode(lane: u8, head: Vec<u8>, body: Option<Vec<u8>>) -> Result<Self, StoreError> {
        let damaged = |why: &str| StoreError(format!("a segment of lane {lane} is damaged: {why}"));
        let (has_extra, body_sum, rest) = opened(&head).map_err(damaged)?;
        let (prefix, mut rest) =
            postcard::take_from_bytes::<Prefix>(rest).map_err(|e| damaged(&e.to_string()))?;
        let mut extra = Extra::default();
        if has_extra {
            (extra, rest) = postcard::take_from_bytes(rest).map_err(|e| damaged(&e.to_string()))?;
        }
        if usize::from(prefix.count) > rest.len() {
            return Err(damaged("it is too short for its messages"));
        }
        let mut items = Vec::with_capacity(usize::from(prefix.count));
        let mut body_at = 0u32;
        for _ in 0..prefix.count {
            let head_at = (head.len() - rest.len()) as u32;
            let (record, after) =
                postcard::take_from_bytes::<Head<'_>>(rest).map_err(|e| damaged(&e.to_string()))?;
            let seq = prefix.first_seq.checked_add(u64::from(record.offset));
            items.push(Item {
                seq: seq
                    .filter(|seq| *seq <= SEQ_MAX)
                    .ok_or_else(|| damaged("a sequence number is out of range"))?,
                head_at,
                body_at,
                body_bytes: record.body_bytes,
                priority: record.priority,
                expires_at_ms: record.expires_at_ms.unwrap_or(Millis::MAX),
                at_ms: prefix.at_ms,
            });
            body_at = body_at.saturating_add(record.body_bytes);
            rest = after;
        }
        extra.date(&mut items);
        if let Some(body) = &body {
            let is_known = body_sum.is_none_or(|known| known == seal::sum(0, body));
            if !is_known || body.len() != body_at as usize {
                return Err(damaged("bodies and heads disagree"));
            }
        }
        let Prefix {
            at_ms,
            ordinal,
            first_seq,
            gone,
            ..
        } = prefix;
        let (head, body) = (Rc::new(head), Rc::new(body.unwrap_or_default()));
        Ok(Self {
            lane,
            first_seq,
            at_ms,
            ordinal,
            gone,
            items,
            extra,
            body_sum,
            head,
            body,
        })
    }

    /// Whether it can be what a row holds whose first message has this sequence number.
    #[must_use]
    pub fn is_consistent(&self, first_seq: u64) -> bool {
        let numbers = self.items.iter().map(|item| item.seq);
        let is_first = self.first_seq == first_seq && numbers.clone().next() == Some(first_seq);
        let is_ascending = numbers.is_sorted_by(|a, b| a < b);
        let is_gone_known = self.gone.is_sorted_by(|a, b| a < b)
            && self
                .gone
                .last()
                .is_none_or(|last| usize::from(*last) < self.items.len());
        let is_bounded = self.ordinal <= SEQ_MAX && self.at_ms <= SEQ_MAX;
        is_first && is_ascending && is_gone_known && is_bounded
    }

    /// The same segment, where it is [consistent](Self::is_consistent).
    ///
    /// # Errors
    /// It is not.
    pub fn expect_consistent(self, first_seq: u64) -> Result<Self, StoreError> {
        if self.is_consistent(first_seq) {
            return Ok(self);
        }
        let lane = self.lane;
        let why = format!("a segment of lane {lane} is damaged: it is none of {first_seq}");
        Err(StoreError(why))
    }

    /// Whether every number from its first to its last is in it, as in a log.
    #[must_use]
    pub fn is_contiguous(&self) -> bool {
        let last = self.items.last().map_or(0, |item| item.seq);
        last + 1 == self.first_seq + self.items.len() as u64
    }

    /// What holds of the message at this index once it is admitted, if it waits.
    #[must_use]
    pub fn terms(&self, index: u16) -> Terms {
        let mut before = 0;
        let mut runs = self.extra.terms.iter();
        let run = runs.find(|(count, _)| {
            before += count;
            index < before
        });
        run.map(|(_, terms)| *terms).unwrap_or_default()
    }

    /// The stored form: head and body.
    #[must_use]
    pub fn stored(&self) -> (&[u8], &[u8]) {
        (&self.head, &self.body)
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

    /// Bytes of the row, as far as they are in memory.
    #[must_use]
    pub fn row_bytes(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// What it takes in memory.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.row_bytes() + self.items.len() * ITEM_BYTES
    }

    /// The head with these indexes as those that are gone, ascending.
    #[must_use]
    pub fn encoded_with_gone(&self, gone: &[u16]) -> Vec<u8> {
        let prefix = Prefix {
            at_ms: self.at_ms,
            ordinal: self.ordinal,
            first_seq: self.first_seq,
            count: self.items.len() as u16,
            gone: gone.to_vec(),
        };
        let body_sum = self.body_sum.unwrap_or_else(|| seal::sum(0, &self.body));
        let mut head = head_of(&prefix, &self.extra, body_sum);
        let records = self
            .items
            .first()
            .map_or(self.head.len(), |item| item.head_at as usize);
        head.extend_from_slice(&self.head[records..]);
        seal::close(&mut head);
        head
    }
}

/// A segment that is being filled.
#[derive(Debug, Default)]
pub struct Builder {
    first_seq: u64,
    heads: Vec<u8>,
    bodies: Vec<u8>,
    /// Their heads are counted from the first one's.
    items: Vec<Item>,
    extra: Extra,
}

impl Builder {
    /// Whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many messages were added.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.items.len() as u64
    }

    /// The sequence number that a message right behind the last one has.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.first_seq + self.len()
    }

    /// Whether this message would make the row too large.
    #[must_use]
    pub fn is_full_for(&self, head: &Head<'_>, body: &[u8]) -> bool {
        let attributes: usize = head
            .attributes
            .iter()
            .map(|(n, v)| n.len() + v.len() + 8)
            .sum();
        let head =
            64 + attributes + head.key.map_or(0, str::len) + head.content_type.map_or(0, str::len);
        self.items.len() >= SEGMENT_MESSAGES_MAX
            || self.heads.len() + head > SEGMENT_HEAD_BYTES_MAX
            || self.bodies.len() + body.len() > SEGMENT_BODY_BYTES_MAX
    }

    /// Adds a message.
    pub fn push(&mut self, seq: u64, mut head: Head<'_>, body: &[u8]) {
        if self.items.is_empty() {
            self.first_seq = seq;
        }
        head.offset = (seq - self.first_seq) as u32;
        head.body_bytes = body.len() as u32;
        self.items.push(Item {
            seq,
            head_at: self.heads.len() as u32,
            body_at: self.bodies.len() as u32,
            body_bytes: head.body_bytes,
            priority: head.priority,
            expires_at_ms: head.expires_at_ms.unwrap_or(Millis::MAX),
            at_ms: 0,
        });
        // Writing to a vector cannot fail: the format has no limits of its own.
        self.heads =
            postcard::to_extend(&head, std::mem::take(&mut self.heads)).unwrap_or_default();
        self.bodies.extend_from_slice(body);
    }

    /// Says that the message added last was accepted at `at_ms`, before the segment is written.
    pub fn note_accepted(&mut self, at_ms: Millis) {
        let index = self.items.len() as u16 - 1;
        match self.extra.accepted.last_mut() {
            Some((first, count, at)) if *first + *count == index && *at == at_ms => *count += 1,
            _ => self.extra.accepted.push((index, 1, at_ms)),
        }
    }

    /// Says what holds of the message added last once it is admitted.
    pub fn note_terms(&mut self, terms: Terms) {
        match self.extra.terms.last_mut() {
            Some((count, same)) if *same == terms => *count += 1,
            _ => self.extra.terms.push((1, terms)),
        }
    }

    /// What [`Segment::decode`] would make of the stored form.
    #[must_use]
    pub fn finish(self, lane: u8, at_ms: Millis, ordinal: u64) -> Segment {
        let prefix = Prefix {
            at_ms,
            ordinal,
            first_seq: self.first_seq,
            count: self.items.len() as u16,
            gone: Vec::new(),
        };
        let body_sum = seal::sum(0, &self.bodies);
        let mut head = head_of(&prefix, &self.extra, body_sum);
        let mut items = self.items;
        for item in &mut items {
            item.head_at += head.len() as u32;
            item.at_ms = at_ms;
        }
        self.extra.date(&mut items);
        head.extend_from_slice(&self.heads);
        seal::close(&mut head);
        Segment {
            lane,
            first_seq: prefix.first_seq,
            at_ms,
            ordinal,
            gone: prefix.gone,
            items,
            extra: self.extra,
            body_sum: Some(body_sum),
            head: Rc::new(head),
            body: Rc::new(self.bodies),
        }
    }
}

/// Whether an [`Extra`] follows the prefix, the sum of the body, and what stands behind them.
type Opened<'a> = (bool, Option<[u8; seal::SUM_BYTES]>, &'a [u8]);

/// Looks at a stored head. On error, what is wrong with it.
fn opened(head: &[u8]) -> Result<Opened<'_>, &'static str> {
    match head.split_first() {
        Some((&VERSION_UNSEALED, rest)) => Ok((false, None, rest)),
        Some((&VERSION_UNSEALED_EXTRA, rest)) => Ok((true, None, rest)),
        Some((&version @ (VERSION | VERSION_EXTRA), _)) => {
            let payload = seal::payload(head).ok_or("its sum does not match")?;
            let (body_sum, rest) = payload.split_first_chunk().ok_or("it is cut off")?;
            Ok((version == VERSION_EXTRA, Some(*body_sum), rest))
        }
        _ => Err("another version"),
    }
}

/// Whether the sums of a stored segment match; one from before there were sums has to be readable.
#[must_use]
pub fn is_sound(head: &[u8], body: &[u8]) -> bool {
    match head.first() {
        Some(&(VERSION_UNSEALED | VERSION_UNSEALED_EXTRA)) => {
            Segment::decode(SINGLE, head.to_vec(), Some(body.to_vec())).is_ok()
        }
        _ => seal::payload(head)
            .and_then(|payload| payload.split_first_chunk())
            .is_some_and(|(known, _)| *known == seal::sum(0, body)),
    }
}

/// Whether a row begins as this version writes them, or wrote them once.
#[must_use]
pub fn is_known(head: &[u8]) -> bool {
    head.first().is_some_and(|version| {
        let known = [
            VERSION,
            VERSION_EXTRA,
            VERSION_UNSEALED,
            VERSION_UNSEALED_EXTRA,
        ];
        known.contains(version)
    })
}

/// A head without its records, to be closed behind them. Writing to a vector cannot fail: the
/// format has no limits.
fn head_of(prefix: &Prefix, extra: &Extra, body_sum: [u8; seal::SUM_BYTES]) -> Vec<u8> {
    let plain = *extra == Extra::default();
    let mut head = seal::begin(if plain { VERSION } else { VERSION_EXTRA });
    head.extend_from_slice(&body_sum);
    let head = postcard::to_extend(prefix, head).unwrap_or_default();
    if plain {
        return head;
    }
    postcard::to_extend(extra, head).unwrap_or_default()
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
        let segment = builder.finish(4, 7, 100);
        let (head, body) = segment.stored();
        let (head, body) = (head.to_vec(), body.to_vec());
        let again = Segment::decode(4, head.clone(), Some(body.clone())).unwrap();
        assert_eq!(
            (&again.items, &again.extra),
            (&segment.items, &segment.extra)
        );
        assert_eq!(
            (again.first_seq, again.at_ms, again.ordinal, again.gone),
            (
                segment.first_seq,
                segment.at_ms,
                segment.ordinal,
                segment.gone
            )
        );
        (head, body)
    }

    #[test]
    fn a_segment_survives_its_bytes() {
        let (head, body) = built();
        let segment = Segment::decode(4, head, Some(body)).unwrap();
        assert_eq!(
            (segment.first_seq, segment.at_ms, segment.ordinal),
            (40, 7, 100)
        );
        let item = segment.items[usize::from(segment.index_of(44).unwrap())];
        assert_eq!(segment.body(&item).bytes(), b"body 44");
        assert_eq!(segment.head(&item).unwrap().key, Some("b"));
        assert_eq!(segment.items[1].expires_at_ms, 99);
        let again = Segment::decode(4, segment.encoded_with_gone(&[1]), None).unwrap();
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
                Segment::decode(4, head[..end].to_vec(), None).is_err(),
                "{end}"
            );
        }
        for end in 0..body.len() {
            assert!(
                Segment::decode(4, head.clone(), Some(body[..end].to_vec())).is_err(),
                "{end}"
            );
        }
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed() {
        let (head, body) = built();
        let flipped = |bytes: &[u8], bit: usize| {
            let mut bytes = bytes.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        };
        for bit in 0..head.len() * 8 {
            assert!(
                Segment::decode(4, flipped(&head, bit), None).is_err(),
                "{bit}"
            );
        }
        for bit in 0..body.len() * 8 {
            let body = Some(flipped(&body, bit));
            assert!(Segment::decode(4, head.clone(), body).is_err(), "{bit}");
        }
    }

    /// Rows from before there were sums: read, and written anew with sums.
    #[test]
    fn an_unsealed_segment_is_read() {
        let (head, body) = built();
        let mut old = vec![VERSION_UNSEALED];
        old.extend_from_slice(&head[seal::SEAL_BYTES + seal::SUM_BYTES..]);
        let segment = Segment::decode(4, old, Some(body.clone())).unwrap();
        assert_eq!((segment.first_seq, segment.items.len()), (40, 3));
        let sealed = segment.encoded_with_gone(&[]);
        assert_eq!(sealed, head);
    }
}
