//! Calls to other objects: the queue's name and its public keys to the directory, dead letters to
//! their queues, what was recalled.
//!
//! At most one of each kind is under way. The receiver takes each dead letter once, so sending again
//! after a lost answer is harmless. A queue that takes none is tried again later, and holds up no
//! other.

use super::dead_letter::{OF_ONE_CALL, first_dead, forwarded};
use super::outcome::Call;
use super::queue::{Queue, Turn};
use super::segment::{SINGLE, Segment};
use super::segments::each_list;
use crate::command::directory::DirectoryCommand;
use crate::command::placement::DIRECTORY;
use crate::command::{Command, Reply};
use crate::error::{ErrorCode, Fault};
use crate::store::{StoreError, Value, scalar};
use crate::time::{MINUTE, Millis, SECOND};
use std::collections::BTreeMap;

/// After this time a call's answer is no longer expected. The platform answers or fails much
/// sooner; this is for an object that was evicted in between, which has nothing but its alarm to
/// wake it.
const CALL_LOST_MS: Millis = 30 * SECOND;

/// Queues looked at for one that may be sent to, in one turn.
const TARGETS_MAX: usize = 64;

/// Dead letters under way.
#[derive(Debug)]
struct Sending {
    number: u32,
    seqs: Vec<u64>,
    target: String,
}

/// Calls to other objects: at most one of each kind at a time.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    next_number: u32,
    registering: Option<u32>,
    sending: Option<Sending>,
    /// The queue that was sent to last: the next one is after it, and round.
    last_target: String,
    /// Queues that did not take all: how often in a row, and when they are tried again.
    troubled: BTreeMap<String, (u32, Millis)>,
    /// There is nothing to be sent before then: all others are troubled.
    rests_until_ms: Millis,
    /// Queues looked at one after another that may not be sent to yet.
    looked_in_vain: usize,
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
    /// When a call has to be made or tried again; whether there are dead letters to send, and
    /// whether there is anything for the directory.
    pub fn wakeup_ms(&self, has_letters: bool, has_more: bool) -> Option<Millis> {
        let lost_ms = self.is_under_way().then_some(self.lost_at_ms);
        let letters_ms = (has_letters && self.sending.is_none()).then_some(self.rests_until_ms);
        let more_ms = (has_more && lost_ms.is_none()).then_some(self.retry_at_ms);
        [lost_ms, letters_ms, more_ms].into_iter().flatten().min()
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
        self.troubled.clear();
        self.rests_until_ms = 0;
    }

    /// There is one more dead letter to be sent there.
    pub fn wake_for(&mut self, target: &str) {
        if !self.troubled.contains_key(target) {
            self.rests_until_ms = 0;
        }
    }

    /// Whether this queue, the next one that is looked at, may be sent to. Once all in a row may
    /// not, there is nothing to do until one may.
    fn is_due(&mut self, target: &str, now_ms: Millis) -> bool {
        let troubled = self.troubled.get(target);
        if troubled.is_none_or(|(_, at_ms)| *at_ms <= now_ms) {
            self.looked_in_vain = 0;
            return true;
        }
        self.looked_in_vain += 1;
        if self.looked_in_vain > self.troubled.len() {
            self.looked_in_vain = 0;
            // What is due by now has nothing to be sent.
            self.troubled.retain(|_, (_, at_ms)| *at_ms > now_ms);
            let next_ms = self.troubled.values().map(|(_, at_ms)| *at_ms).min();
            self.rests_until_ms = next_ms.unwrap_or(0);
        }
        false
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
            if let Some(sent) = self.sending.take() {
                self.not_taken(&sent.target, now_ms);
            }
            self.registering = None;
            self.publishing = None;
            self.failed(now_ms);
        }
    }

    fn failed(&mut self, now_ms: Millis) {
        self.failures = (self.failures + 1).min(8);
        self.retry_at_ms = now_ms + backoff_ms(self.failures);
    }

    /// A queue did not take all that it was sent.
    fn not_taken(&mut self, target: &str, now_ms: Millis) {
        let (failures, at_ms) = self.troubled.entry(target.to_owned()).or_default();
        *failures = (*failures + 1).min(8);
        *at_ms = now_ms + backoff_ms(*failures);
    }
}

fn backoff_ms(failures: u32) -> Millis {
    (SECOND << failures).min(5 * MINUTE)
}

impl Queue {
    /// The answer to a call of an earlier turn, for the next one.
    pub fn called(&mut self, number: u32, ok: bool, body: &[u8]) {
        self.outbox.answers.push((number, ok, body.to_vec()));
    }

    /// Applies the answers to calls of earlier turns.
    pub(super) fn settle_calls(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        for (number, ok, body) in std::mem::take(&mut self.outbox.answers) {
            if self.outbox.registering == Some(number) {
                self.outbox.registering = None;
                if ok {
                    self.meta.registered = true;
                    self.meta_changed = true;
                    self.outbox.failures = 0;
                } else {
                    self.outbox.failed(turn.now_ms);
                }
            } else if let Some(sent) = self.outbox.sending.take_if(|it| it.number == number) {
                self.settle_sent(turn, &sent, if ok { moved(&body) } else { 0 })?;
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
        sent: &Sending,
        moved: u64,
    ) -> Result<(), StoreError> {
        let gone = &sent.seqs[..sent.seqs.len().min(moved as usize)];
        if !gone.is_empty() {
            self.outbox.troubled.remove(&sent.target);
        }
        if gone.len() < sent.seqs.len() {
            // The other queue is full or out of reach: the rest stays here, and is tried again.
            self.outbox.not_taken(&sent.target, turn.now_ms);
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
        let rests = self.outbox.rests_until_ms > turn.now_ms;
        if self.meta.dead_leaving > 0 && self.outbox.sending.is_none() && !rests {
            self.send_dead(turn)?;
        }
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
        Ok(())
    }

    /// The next queue that may be sent to, after the one that was looked at last, and round.
    fn next_target(&mut self, turn: &mut Turn<'_>) -> Result<Option<String>, StoreError> {
        for _ in 0..TARGETS_MAX {
            if self.outbox.rests_until_ms > turn.now_ms {
                break;
            }
            let found = turn.sql.exec(
                "SELECT target FROM dead WHERE target > ? ORDER BY target LIMIT 1",
                &[self.outbox.last_target.as_str().into()],
            )?;
            let Some(target) = scalar(found).map(|it| it.text().to_owned()) else {
                if self.outbox.last_target.is_empty() {
                    self.meta.dead_leaving = 0;
                    return Ok(None);
                }
                self.outbox.last_target.clear();
                continue;
            };
            self.outbox.last_target.clone_from(&target);
            if self.outbox.is_due(&target, turn.now_ms) {
                return Ok(Some(target));
            }
        }
        Ok(None)
    }

    fn send_dead(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let Some(target) = self.next_target(turn)? else {
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
        self.outbox.sending = Some(Sending {
            number,
            seqs,
            target,
        });
        Ok(())
    }
}

/// The figure of a `{"moved": n}` document.
fn moved(body: &[u8]) -> u64 {
    let document: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    document
        .and_then(|d| d.get("moved").and_then(serde_json::Value::as_u64))
        .unwrap_or(0)
}
