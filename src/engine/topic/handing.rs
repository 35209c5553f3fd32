//! How durable subscriptions are handed on: the calls of a topic's object, and their answers.

use super::live::forward_live;
use super::pace::Backlog;
use super::patterns::{callee, is_live, own_queue};
use super::read::Want;
use super::subscription::{Sent, Step, Subscription};
use super::{Topic, Turn};
use crate::command::placement::{TOPIC_DIRECTORY, of_pattern, subscription_queue};
use crate::command::topic::{Page, TOPIC, TOPIC_ID, TOPIC_SEQ};
use crate::command::{Command, Draft, Envelope, Forwarded};
use crate::engine::Stop;
use crate::engine::outcome::{Call, encoded};
use crate::error::{ErrorCode, Fault};
use crate::limits::{BATCH_BYTES_MAX, FORWARD_MESSAGES_MAX};
use crate::store::StoreError;
use crate::time::{Millis, SECOND};
use serde::Deserialize;
use std::ops::Bound;

/// Calls that prepare queues, under way at a time.
const STEPS_MAX: usize = 16;
/// As for dead letters: after this time a call's answer is no longer expected.
pub(super) const CALL_LOST_MS: Millis = 30 * SECOND;
/// So soon an object that died while messages waited for the pace wakes and goes on.
const RESUME_MS: Millis = 2 * SECOND;

impl Topic {
    /// The answer to a call of an earlier turn, for the next one.
    pub fn called(&mut self, number: u32, ok: bool, body: &[u8]) {
        self.subscriptions.answers.push((number, ok, body.to_vec()));
    }

    /// Applies the answers to calls of earlier turns.
    pub(super) fn settle_calls(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        for (number, ok, body) in std::mem::take(&mut self.subscriptions.answers) {
            if self.subscriptions.registering == Some(number) {
                self.subscriptions.registering = None;
                let ok = self.registered(turn, ok, &body)?;
                self.settle_own(turn, ok);
            } else if self.rested(number, ok) {
                self.state_changed |= ok;
            } else if self.looked(turn, number, ok, &body)? {
                // Somebody looks at a subscription: nothing changes.
            } else if let Some((_, queue)) = self
                .subscriptions
                .leaving
                .take_if(|(leaving, _)| *leaving == number)
            {
                if ok {
                    self.forget_leaving(&queue);
                }
                self.settle_own(turn, ok);
                self.left(turn, &queue, ok);
            } else {
                self.settle_subscription(turn, number, ok, &body)?;
            }
        }
        Ok(())
    }

    fn settle_own(&mut self, turn: &mut Turn<'_>, ok: bool) {
        self.state_changed |= ok;
        if ok {
            self.subscriptions.own_failures = 0;
            self.subscriptions.own_retry_at_ms = 0;
        } else {
            self.subscriptions.own_failed(turn.now_ms);
        }
    }

    fn settle_subscription(
        &mut self,
        turn: &mut Turn<'_>,
        number: u32,
        ok: bool,
        body: &[u8],
    ) -> Result<(), StoreError> {
        let is_its = |it: &&mut Subscription| it.call.as_ref().is_some_and(|(n, _)| *n == number);
        let orphans = &mut self.subscriptions.orphans;
        if let Some(at) = orphans.iter().position(|(orphan, _)| *orphan == number) {
            orphans.swap_remove(at);
            self.subscriptions.calls_open -= 1;
            return Ok(());
        }
        let mut all = self.subscriptions.by_name.iter_mut();
        let Some((name, it)) = all.find(|(_, it)| is_its(it)) else {
            return Ok(());
        };
        let name = name.clone();
        let Some((_, sent)) = it.call.take() else {
            return Ok(());
        };
        self.subscriptions.calls_open -= 1;
        match sent {
            Sent::Stale => return Ok(()),
            Sent::Step if ok => {
                it.failures = 0;
                it.config.step = it.config.step.next();
            }
            Sent::Step => it.failed(turn.now_ms),
            Sent::Messages { seqs, next, missed } => {
                let moved = if ok { moved(body).min(seqs.len()) } else { 0 };
                it.arrived(&seqs[..], moved, next, missed, turn.now_ms);
                self.state.delivered_total += moved as u64;
                if moved == 0 {
                    return Ok(());
                }
            }
        }
        let failed = it.failures > 0;
        if failed || it.config.step == Step::Ready {
            for (token, created) in std::mem::take(&mut it.asked) {
                self.answer_asked(turn, token, &name, created, failed)?;
            }
        }
        self.store(turn, &name)
    }

    /// Answers who created or changed a subscription: its queue is as it should be, or not yet.
    fn answer_asked(
        &mut self,
        turn: &mut Turn<'_>,
        token: u32,
        name: &str,
        created: bool,
        failed: bool,
    ) -> Result<(), StoreError> {
        let reply = if failed {
            let detail = "the subscription is there, but its queue could not be reached yet";
            Err(Fault::new(ErrorCode::Unavailable, detail))
        } else {
            Stop::answer(self.state_of(turn, name, created))?
        };
        turn.out.replies.push((token, reply));
        Ok(())
    }

    /// Starts the calls that are due.
    pub(super) fn make_calls(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let calls = &mut self.subscriptions;
        if calls.lost_at_ms > 0 && calls.lost_at_ms <= turn.now_ms && calls.calls_open == 0 {
            calls.lost_at_ms = 0;
        }
        if turn.now_ms >= calls.own_retry_at_ms {
            self.call_for_itself(turn)?;
        }
        self.make_steps(turn)?;
        self.hand_on(turn)
    }

    /// What queues of subscriptions have to be told first: somebody may be waiting for it.
    fn make_steps(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let all = self.subscriptions.by_name.iter();
        let steps = all.filter(|(_, it)| it.config.step != Step::Ready);
        let steps = steps.filter(|(name, it)| self.is_idle(turn.now_ms, name, it));
        let names: Vec<String> = steps
            .take(STEPS_MAX)
            .map(|(name, _)| name.clone())
            .collect();
        for name in names {
            if self.subscriptions.calls_open >= STEPS_MAX {
                break;
            }
            self.call_for(turn, &name)?;
        }
        Ok(())
    }

    fn is_idle(&self, now_ms: Millis, name: &str, it: &Subscription) -> bool {
        it.call.is_none() && it.retry_at_ms <= now_ms && !self.is_haunted(name)
    }

    /// Hands messages on, as far as the pace allows.
    fn hand_on(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let next_seq = self.log.next_seq;
        let all = self.subscriptions.by_name.values();
        let behind = all.filter(|it| is_behind(it, next_seq));
        let backlog = behind.fold(Backlog::default(), |sum, it| Backlog {
            subscriptions: sum.subscriptions + 1,
            lag: sum.lag.max(next_seq - it.next),
        });
        if backlog.subscriptions == 0 {
            return Ok(());
        }
        let calls = &mut self.subscriptions;
        let Some(slice) = calls.pace.slice(turn.now_ms, backlog, calls.calls_open) else {
            return Ok(());
        };
        let calls_max = calls.calls_open + slice.calls;
        let had_more_work = self.more_work;
        for _ in 0..slice.looks {
            if self.subscriptions.calls_open >= calls_max {
                break;
            }
            // From where the last look ended, and round.
            let all = &self.subscriptions.by_name;
            let last = self.subscriptions.last_looked.as_str();
            let later = all.range::<str, _>((Bound::Excluded(last), Bound::Unbounded));
            let mut round =
                later.chain(all.range::<str, _>((Bound::Unbounded, Bound::Included(last))));
            let next = round
                .find(|(name, it)| is_behind(it, next_seq) && self.is_idle(turn.now_ms, name, it));
            let Some(name) = next.map(|(name, _)| name.clone()) else {
                break;
            };
            self.call_for(turn, &name)?;
            self.subscriptions.last_looked = name;
        }
        if self.subscriptions.pace.is_on(turn.now_ms) {
            // It goes on with the next slice.
            self.more_work = had_more_work;
        } else {
            self.more_work |= self.subscriptions.calls_open < calls_max && self.owes(turn.now_ms);
        }
        Ok(())
    }

    /// Whether there is something to hand on that nothing stands in the way of.
    fn owes(&self, now_ms: Millis) -> bool {
        let next_seq = self.log.next_seq;
        let mut all = self.subscriptions.by_name.iter();
        all.any(|(name, it)| is_behind(it, next_seq) && self.is_idle(now_ms, name, it))
    }

    /// When the next message may be handed on, where publishers go first.
    pub(super) fn slice_ms(&self, now_ms: Millis) -> Option<Millis> {
        let calls = &self.subscriptions;
        let next_ms = calls.pace.next_ms(now_ms, calls.calls_open)?;
        self.owes(now_ms).then_some(next_ms)
    }

    /// A queue to be deleted that no call is under way to.
    fn next_leaving(&self) -> Option<String> {
        self.leaving().find(|it| !self.has_orphan(it))
    }

    fn has_orphan(&self, queue: &str) -> bool {
        self.subscriptions.orphans.iter().any(|(_, it)| it == queue)
    }

    /// Whether something that concerns an earlier subscription of this name is not done yet.
    fn is_haunted(&self, name: &str) -> bool {
        let queue = own_queue(&self.name, name);
        let leaving = &self.subscriptions.leaving;
        leaving.as_ref().is_some_and(|(_, it)| *it == queue) || self.has_orphan(&queue)
    }

    /// Its name to the directory; queues of subscriptions that are gone.
    fn call_for_itself(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        if !self.state.registered && self.subscriptions.registering.is_none() {
            let command = self.registration().encode();
            let command = command.map_err(|e| StoreError(e.to_string()))?;
            let number = self.subscriptions.number();
            self.subscriptions.registering = Some(number);
            turn.out.calls.push(Call {
                number,
                object: TOPIC_DIRECTORY.to_owned(),
                command,
            });
        }
        if self.subscriptions.leaving.is_none()
            && let Some(queue) = self.next_leaving()
        {
            let number = self.subscriptions.number();
            let call = Call::of_queue(number, &queue, Command::Delete)?;
            self.subscriptions.leaving = Some((number, queue));
            turn.out.calls.push(call);
        }
        Ok(())
    }

    fn call_for(&mut self, turn: &mut Turn<'_>, name: &str) -> Result<(), StoreError> {
        let Some(it) = self.subscriptions.by_name.get(name) else {
            return Ok(());
        };
        let queue = it.config.target.clone();
        let queue = queue.unwrap_or_else(|| own_queue(&self.name, name));
        let step = |command| {
            encoded(&Envelope::between_objects(&queue, command)).map(|it| (it, Sent::Step))
        };
        let (command, sent) = match it.config.step {
            Step::Delete => step(Command::Delete)?,
            Step::Purge => step(Command::Purge)?,
            Step::Configure => step(Command::Configure {
                patch: &it.own_queue_patch(),
            })?,
            Step::Ready => match self.next_forward(turn, name, &queue)? {
                Some(forward) => forward,
                None => return Ok(()),
            },
        };
        let number = self.subscriptions.number();
        self.subscriptions.calls_open += 1;
        if let Some(it) = self.subscriptions.by_name.get_mut(name) {
            it.call = Some((number, sent));
        }
        turn.out.calls.push(Call {
            number,
            object: callee(name, &queue),
            command,
        });
        Ok(())
    }

    /// The next messages for a subscription's queue. `None` when its filter lets none through: then
    /// its cursor has moved on by itself.
    fn next_forward(
        &mut self,
        turn: &mut Turn<'_>,
        name: &str,
        queue: &str,
    ) -> Result<Option<(Vec<u8>, Sent)>, StoreError> {
        let Some(mut it) = self.subscriptions.by_name.remove(name) else {
            return Ok(None);
        };
        let want = Want {
            filter: it.filter.as_ref(),
            messages_max: FORWARD_MESSAGES_MAX as u32,
            bytes_max: BATCH_BYTES_MAX / 2,
        };
        let read = self.page(turn, it.cursor(), &want);
        let source = format!("{}~{name}@{}", self.name, it.config.epoch);
        let forward = read.and_then(|(page, next)| {
            if page.messages.is_empty() {
                it.totals.missed += page.missed;
                it.move_to(next);
                return Ok(None);
            }
            let command = forward(&self.name, name, queue, &source, &page)?;
            let seqs = page.messages.iter().map(|message| message.seq).collect();
            Ok(Some((
                command,
                Sent::Messages {
                    seqs,
                    next,
                    missed: page.missed,
                },
            )))
        });
        self.more_work |= matches!(forward, Ok(None)) && it.next < self.log.next_seq;
        self.subscriptions.by_name.insert(name.to_owned(), it);
        forward
    }

    /// When calls have to be made, or made again, even if nothing else happens.
    pub(super) fn calls_wakeup_ms(&mut self, now_ms: Millis) -> Option<Millis> {
        let next_seq = self.log.next_seq;
        let waits = self.subscriptions.pace.is_on(now_ms) && self.owes(now_ms);
        let calls = &mut self.subscriptions;
        // Should this object start anew meanwhile, nothing but its alarm wakes it.
        let is_under_way =
            calls.calls_open > 0 || calls.registering.is_some() || calls.leaving.is_some();
        if is_under_way && calls.lost_at_ms <= now_ms {
            calls.lost_at_ms = now_ms + CALL_LOST_MS;
        }
        if waits {
            if calls.resume_at_ms <= now_ms {
                calls.resume_at_ms = now_ms + RESUME_MS;
            }
            return Some(calls.resume_at_ms);
        }
        if is_under_way {
            return Some(calls.lost_at_ms);
        }
        let own = !self.state.registered || !self.state.leaving.is_empty();
        let due = calls.by_name.values().filter(|it| it.is_due(next_seq));
        let own = own.then_some(calls.own_retry_at_ms.max(now_ms));
        due.map(|it| it.retry_at_ms.max(now_ms)).chain(own).min()
    }

    /// Queues of subscriptions go with the topic. A call that is lost leaves one behind that nobody
    /// can reach; a subscription of that name begins by deleting it.
    pub(super) fn delete_queues(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let all = self.subscriptions.by_name.iter();
        // Those of patterns are the directory's.
        // None of these pushes: those that did are gone.
        let own = all.filter(|(name, it)| it.config.target.is_none() && of_pattern(name).is_none());
        let own = own.map(|(name, _)| subscription_queue(&self.name, name));
        let queues: Vec<String> = own.chain(self.leaving()).collect();
        for queue in queues {
            let number = self.subscriptions.number();
            let call = Call::of_queue(number, &queue, Command::Delete)?;
            turn.out.calls.push(call);
        }
        Ok(())
    }
}

/// Whether a subscription's queue is ready, and lacks messages of the log.
fn is_behind(it: &Subscription, next_seq: u64) -> bool {
    it.config.step == Step::Ready && it.is_due(next_seq)
}

fn forward(
    topic: &str,
    name: &str,
    queue: &str,
    source: &str,
    page: &Page,
) -> Result<Vec<u8>, StoreError> {
    let texts = page
        .messages
        .iter()
        .map(|it| (it.seq.to_string(), it.id.to_string()));
    let texts: Vec<(String, String)> = texts.collect();
    let to_live = is_live(name);
    let messages = page
        .messages
        .iter()
        .zip(&texts)
        .map(|(message, (seq, id))| {
            let pairs = message
                .attributes
                .iter()
                .map(|(n, v)| (n.as_str(), v.as_str()));
            let mut attributes: Vec<(&str, &str)> = pairs
                .filter(|(name, _)| !matches!(*name, TOPIC | TOPIC_SEQ | TOPIC_ID))
                .collect();
            attributes.extend([(TOPIC, topic), (TOPIC_SEQ, seq.as_str())]);
            if to_live {
                attributes.push((TOPIC_ID, id));
            }
            let draft = Draft {
                body: message.body.bytes(),
                content_type: message.content_type.as_deref(),
                key: message.key.as_deref(),
                priority: message.priority,
                attributes,
                ..Draft::default()
            };
            Forwarded {
                id: message.id,
                keeps_place: false,
                draft,
            }
        });
    let messages = messages.collect();
    if to_live {
        return forward_live(queue, source, messages);
    }
    // The queue of a pattern's subscription is made and deleted by the directory.
    let auto_create = of_pattern(name).is_none();
    encoded(&Envelope {
        auto_create,
        ..Envelope::between_objects(queue, Command::Forward { source, messages })
    })
}

/// How many messages the answer of a forward says were taken.
fn moved(body: &[u8]) -> usize {
    #[derive(Deserialize)]
    struct Moved {
        moved: usize,
    }
    serde_json::from_slice::<Moved>(body).map_or(0, |it| it.moved)
}
