//! Publishing to a topic: a message gets the next number, and is stored with what was published in
//! the same commit.

use super::config::Persistence;
use super::{Topic, Turn};
use crate::command::topic::TopicReply;
use crate::command::{Accepted, Draft};
use crate::engine::Stop;
use crate::engine::idempotency::Answer;
use crate::engine::segment::Head;
use crate::error::{ErrorCode, Fault};
use crate::id::{Id, print};
use crate::limits::PRIORITY_MAX;
use crate::store::StoreError;
use crate::time::Millis;

/// Numbers that a topic in memory sets aside with one row: after a start it goes on behind them.
const RESERVED_SEQS: u64 = 10_000;

impl Topic {
    pub(super) fn publish(
        &mut self,
        turn: &mut Turn<'_>,
        draft: &Draft<'_>,
        expect_seq: Option<u64>,
    ) -> Result<Accepted, Stop> {
        let published = self.publish_once(turn, draft, expect_seq);
        if let Err(Stop::Fault(fault)) = &published {
            let rejected = &mut self.state.rejected;
            match rejected.iter_mut().find(|(code, _)| *code == fault.code) {
                Some((_, total)) => *total += 1,
                None => rejected.push((fault.code, 1)),
            }
        }
        published
    }

    pub(super) fn publish_batch(
        &mut self,
        turn: &mut Turn<'_>,
        drafts: Vec<Result<Draft<'_>, Fault>>,
    ) -> Result<TopicReply, Stop> {
        let mut verdicts = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let draft = draft.map_err(Stop::Fault);
            match draft.and_then(|draft| self.publish(turn, &draft, None)) {
                Ok(accepted) => verdicts.push(Ok(accepted)),
                Err(Stop::Fault(fault)) => verdicts.push(Err(fault)),
                Err(stop) => return Err(stop),
            }
        }
        Ok(TopicReply::Batch(verdicts))
    }

    fn publish_once(
        &mut self,
        turn: &mut Turn<'_>,
        draft: &Draft<'_>,
        expect_seq: Option<u64>,
    ) -> Result<Accepted, Stop> {
        let window_ms = self.config().dedup_window_ms;
        let key = draft.idempotency_key.filter(|_| window_ms > 0);
        let print = key.map(|key| print(self.secret, key));
        if let Some(print) = print {
            // Before anything else: the first answer again, whatever was published since.
            let since_ms = (turn.now_ms + 1).saturating_sub(window_ms);
            if let Some(first) = self.idempotency.find(turn.sql, print, since_ms)? {
                return Ok(self.accepted(&first));
            }
        }
        self.check(draft)?;
        let last_seq = self.log.next_seq - 1;
        if let Some(expected) = expect_seq.filter(|expected| *expected != last_seq) {
            let detail = format!("the last number is {last_seq}, not {expected}");
            let fault = Fault::new(ErrorCode::SeqMismatch, detail);
            return Err(fault
                .with(|figures| figures.last_seq = Some(last_seq))
                .into());
        }
        let expires_at_ms = draft.ttl_ms.map(|ttl_ms| turn.now_ms + ttl_ms);
        let seq = self.append(turn, draft, print, expires_at_ms)?;
        self.subscriptions.pace.published(turn.now_ms);
        if let Some(last_values) = &mut self.last_values {
            last_values.note(draft.key, seq);
        }
        let at_ms = turn.now_ms;
        let answer = Answer {
            print: print.unwrap_or_default(),
            seq,
            lane: 0,
            at_ms,
            position: 0,
        };
        if print.is_some() {
            self.idempotency.insert(answer);
        }
        Ok(self.accepted(&answer))
    }

    /// Puts a message at the end of the log; its number.
    pub(super) fn append(
        &mut self,
        turn: &mut Turn<'_>,
        draft: &Draft<'_>,
        print: Option<(u64, u64)>,
        expires_at_ms: Option<Millis>,
    ) -> Result<u64, Stop> {
        let head = Head {
            offset: 0,
            body_bytes: 0,
            priority: draft.priority.min(PRIORITY_MAX),
            expires_at_ms,
            due_ms: None,
            answer: print.map(|(a, b)| (a, b, 0)),
            attempts: 0,
            content_type: draft.content_type,
            key: draft.key,
            attributes: draft.attributes.clone(),
        };
        if self.log.is_full_for(draft, &head) {
            self.flush(turn)?;
        }
        let seq = self.log.push(draft, head)?;
        self.state.accepted_total += 1;
        Ok(seq)
    }

    fn check(&self, draft: &Draft<'_>) -> Result<(), Fault> {
        let config = self.config();
        let (_, bytes_max) = config.bounds();
        let limit = config.max_message_bytes.min(bytes_max);
        if draft.body.len() as u64 > limit {
            let bytes = draft.body.len();
            let detail = format!("the body has {bytes} bytes; this topic takes {limit}");
            let fault = Fault::new(ErrorCode::MessageTooLarge, detail);
            return Err(fault.with(|figures| figures.limit = Some(limit)));
        }
        let why = "a topic's messages can be read at once; publish to a queue for this";
        if draft.delay_ms > 0 {
            return Err(Fault::bad("delay_ms", why));
        }
        if draft.hold_ms.is_some() {
            return Err(Fault::bad("hold_ms", why));
        }
        Ok(())
    }

    fn accepted(&self, answer: &Answer) -> Accepted {
        Accepted {
            id: Id::mint(self.secret, answer.at_ms, answer.seq, 0),
            seq: answer.seq,
            timestamp_ms: answer.at_ms,
            position: 0,
            waiting: None,
            ticket: None,
        }
    }

    /// In memory: sees to it that no number is ever given twice, whatever is forgotten.
    pub(super) fn reserve(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let is_memory = self.config().persistence == Persistence::Memory;
        if is_memory && self.log.next_seq > self.state.reserved_seq {
            self.state.reserved_seq = self.log.next_seq + RESERVED_SEQS;
            self.save(turn)?;
        }
        Ok(())
    }
}
