//! Reading the log: from a cursor on, what a filter lets through, a piece at a time.

use super::last_value::LastValues;
use super::log::end_of;
use super::{Topic, Turn};
use crate::command::Delivery;
use crate::command::topic::{Page, Read, Start, TopicReply};
use crate::engine::Stop;
use crate::engine::filter::{Filter, Subject};
use crate::engine::pull::look_cost;
use crate::engine::segment::{Item, Segment};
use crate::engine::waiter::expect_place;
use crate::id::Id;
use crate::limits::{
    BROWSE_MESSAGES_MAX, PULL_BYTES_MAX, PULL_LOOK_MS_MAX, READ_LOOKS_PER_TURN_MAX,
    READ_SCAN_MESSAGES_MAX, WAIT_MS_MAX,
};
use crate::store::StoreError;
use crate::time::Millis;
use serde::{Deserialize, Serialize};

/// How far a reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// The next number it looks at.
    pub next: u64,
    /// Whether it still looks at the last message of each key only.
    pub last_per_key: bool,
}

/// What a reader wants.
pub(super) struct Want<'f> {
    pub filter: Option<&'f Filter>,
    pub messages_max: u32,
    pub bytes_max: usize,
}

/// A read that waits for a message.
pub(super) struct Waiting {
    pub token: u32,
    pub until_ms: Millis,
    /// Whose client has no credentials.
    pub anonymous: bool,
    cursor: Cursor,
    filter: Option<Filter>,
    limit: u32,
    missed: u64,
    /// It waits only for a turn that has room for what it reads.
    is_brief: bool,
}

impl Turn<'_> {
    /// Whether this turn reads for one more who asks.
    fn may_read(&self) -> bool {
        self.answers.has_room() && self.read_looks < READ_LOOKS_PER_TURN_MAX
    }
}

impl Topic {
    pub(super) fn read(
        &mut self,
        turn: &mut Turn<'_>,
        token: u32,
        read: &Read<'_>,
        anonymous: bool,
    ) -> Result<Option<TopicReply>, Stop> {
        let filter = read.filter.map(Filter::compile).transpose()?;
        let limit = read.limit.clamp(1, BROWSE_MESSAGES_MAX);
        let cursor = self.start(turn, read.start)?;
        // What this turn's publishes brought is read from what is stored.
        self.flush(turn)?;
        let want = Want {
            filter: filter.as_ref(),
            messages_max: limit,
            bytes_max: PULL_BYTES_MAX,
        };
        let has_room = turn.may_read();
        let (page, cursor) = if has_room {
            self.read_page(turn, cursor, &want)?
        } else {
            (Page::default(), cursor)
        };
        let is_brief = read.wait_ms == 0;
        let is_at_end = page.messages.is_empty() && cursor.next >= self.log.next_seq;
        if !has_room || (is_at_end && !is_brief) {
            expect_place(self.waiting.len())?;
            let wait_ms = if is_brief {
                PULL_LOOK_MS_MAX
            } else {
                read.wait_ms
            };
            let until_ms = turn.now_ms + wait_ms.min(WAIT_MS_MAX);
            let missed = page.missed;
            self.waiting.push(Waiting {
                token,
                until_ms,
                anonymous,
                cursor,
                filter,
                limit,
                missed,
                is_brief,
            });
            return Ok(None);
        }
        Ok(Some(self.reply(turn, page)))
    }

    fn reply(&mut self, turn: &mut Turn<'_>, page: Page) -> TopicReply {
        turn.answers.add_all(&page.messages);
        self.state.delivered_total += page.messages.len() as u64;
        let (first_seq, last_seq) = (self.log.first_seq, self.log.next_seq - 1);
        TopicReply::Read {
            page,
            first_seq,
            last_seq,
        }
    }

    /// Gives what was published to reads that wait for it, and ends those whose time is over.
    pub(super) fn serve_waiting(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        // Those that this turn does not get to go first in the next one.
        let (mut next, mut is_behind) = (Vec::new(), false);
        for mut waiting in std::mem::take(&mut self.waiting) {
            let is_over = waiting.until_ms <= turn.now_ms || waiting.is_brief;
            if waiting.cursor.next >= self.log.next_seq && !is_over {
                self.waiting.push(waiting);
                continue;
            }
            if !turn.may_read() {
                next.push(waiting);
                continue;
            }
            let want = Want {
                filter: waiting.filter.as_ref(),
                messages_max: waiting.limit,
                bytes_max: PULL_BYTES_MAX,
            };
            let (mut page, cursor) = self.read_page(turn, waiting.cursor, &want)?;
            page.missed += waiting.missed;
            if page.messages.is_empty() && !is_over {
                // One look goes only so far.
                is_behind |= cursor.next < self.log.next_seq;
                waiting.cursor = cursor;
                waiting.missed = page.missed;
                self.waiting.push(waiting);
                continue;
            }
            let reply = self.reply(turn, page);
            turn.out.replies.push((waiting.token, Ok(reply)));
        }
        self.is_read_cut = is_behind || !next.is_empty();
        next.append(&mut self.waiting);
        self.waiting = next;
        Ok(())
    }

    /// The cursor of a reader that begins there.
    pub(super) fn start(
        &mut self,
        turn: &mut Turn<'_>,
        start: Start,
    ) -> Result<Cursor, StoreError> {
        let next = match start {
            Start::Earliest | Start::LastPerKey => self.log.first_seq,
            Start::Latest => self.log.next_seq,
            // No message has the number 0: who asks for it has missed nothing.
            Start::Seq(0) => self.log.first_seq.min(1),
            Start::Seq(seq) => seq,
            Start::At(at_ms) => {
                self.flush(turn)?;
                self.log.first_since(turn.sql, at_ms)?
            }
        };
        Ok(Cursor {
            next,
            last_per_key: start == Start::LastPerKey,
        })
    }

    /// A page for one of those who read.
    fn read_page(
        &mut self,
        turn: &mut Turn<'_>,
        cursor: Cursor,
        want: &Want<'_>,
    ) -> Result<(Page, Cursor), StoreError> {
        let before = turn.looks;
        let page = self.page(turn, cursor, want)?;
        turn.read_looks += turn.looks - before;
        Ok(page)
    }

    /// Messages from the cursor on, and where it is then. Bounded by what is wanted and by how far
    /// one read looks.
    pub(super) fn page(
        &mut self,
        turn: &mut Turn<'_>,
        mut cursor: Cursor,
        want: &Want<'_>,
    ) -> Result<(Page, Cursor), StoreError> {
        let missed = self.log.first_seq.saturating_sub(cursor.next);
        cursor.next += missed;
        let mut missed = if cursor.last_per_key { 0 } else { missed };
        let (mut messages, mut bytes, mut scanned) = (Vec::new(), 0, 0);
        'segments: while cursor.next < self.log.next_seq && scanned < READ_SCAN_MESSAGES_MAX {
            let seq = match self.next_of(turn, cursor)? {
                Some(seq) => seq,
                None => {
                    cursor = Cursor {
                        next: self.log.next_seq,
                        last_per_key: false,
                    };
                    break;
                }
            };
            let segment = self.log.at(turn.sql, seq)?;
            let from = (seq - segment.first_seq) as usize;
            let to = if cursor.last_per_key {
                from + 1
            } else {
                segment.items.len()
            };
            for (index, item) in (0..).zip(&segment.items).take(to).skip(from) {
                if scanned >= READ_SCAN_MESSAGES_MAX {
                    break;
                }
                let looks = look_cost(want.filter, item);
                scanned += looks;
                turn.looks += want.filter.map_or(0, |_| looks);
                if segment.is_gone(index) {
                    missed += 1;
                    cursor.next = item.seq + 1;
                    continue;
                }
                if item.expires_at_ms > turn.now_ms && matches(&segment, item, want.filter)? {
                    let is_full = messages.len() >= want.messages_max as usize
                        || (bytes + item.body_bytes as usize > want.bytes_max
                            && !messages.is_empty());
                    if is_full {
                        cursor.next = item.seq;
                        break 'segments;
                    }
                    messages.push(self.delivery(&segment, item)?);
                    bytes += messages.last().map_or(0, |it| it.answer_bytes(bytes));
                }
                cursor.next = item.seq + 1;
            }
        }
        let next_seq = cursor.next;
        Ok((
            Page {
                messages,
                next_seq,
                missed,
            },
            cursor,
        ))
    }

    /// The next message that the cursor looks at.
    fn next_of(&mut self, turn: &mut Turn<'_>, cursor: Cursor) -> Result<Option<u64>, StoreError> {
        if !cursor.last_per_key {
            return Ok(Some(cursor.next));
        }
        let last_values = match &self.last_values {
            Some(known) => known,
            None => self
                .last_values
                .insert(LastValues::of(&self.log, turn.sql)?),
        };
        Ok(last_values.from(cursor.next))
    }

    fn delivery(&self, segment: &Segment, item: &Item) -> Result<Delivery, StoreError> {
        let head = segment.head(item)?;
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Ok(Delivery {
            id: Id::mint(self.secret, segment.at_ms, item.seq, 0),
            seq: item.seq,
            lease_id: None,
            attempts: 1,
            timestamp_ms: segment.at_ms,
            state: None,
            body: segment.body(item),
            content_type: owned(head.content_type),
            key: owned(head.key),
            priority: item.priority,
            attributes: owned_pairs(&head.attributes),
        })
    }

    /// When the message with this number was accepted; `None` when none can be read there.
    pub(super) fn accepted_ms(
        &mut self,
        turn: &mut Turn<'_>,
        seq: u64,
    ) -> Result<Option<Millis>, StoreError> {
        if !(self.log.first_seq..self.log.next_seq).contains(&seq) {
            return Ok(None);
        }
        let segment = self.log.at(turn.sql, seq)?;
        debug_assert!(end_of(&segment) > seq);
        Ok(Some(segment.at_ms))
    }
}

/// Whether a message passes.
pub(super) fn matches(
    segment: &Segment,
    item: &Item,
    filter: Option<&Filter>,
) -> Result<bool, StoreError> {
    let Some(filter) = filter else {
        return Ok(true);
    };
    let head = segment.head(item)?;
    let attributes = owned_pairs(&head.attributes);
    let body = filter.needs_body().then(|| segment.body(item));
    Ok(filter.matches(&Subject {
        attributes: &attributes,
        body: body.as_ref().map_or(&[], |body| body.bytes()),
        content_type: head.content_type,
        key: head.key,
    }))
}

fn owned_pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}
