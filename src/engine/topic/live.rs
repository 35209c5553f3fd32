//! The object of a pattern: a log of what is published to the topics that it stands for, while
//! somebody follows it live. Topics hand it their messages as they do to a queue.
//!
//! Its numbers are its own. They begin at the clock, a hundred to the millisecond, so that an object
//! that went and came again gives none twice. It goes when nobody has read for a while.

use super::config::TopicConfig;
use super::handing::CALL_LOST_MS;
use super::{Topic, Turn};
use crate::command::Forwarded;
use crate::command::directory::DirectoryCommand;
use crate::command::pattern::is_pattern;
use crate::command::patterns::PatternCommand;
use crate::command::placement::TOPIC_DIRECTORY;
use crate::command::topic::{
    Anonymous, Follow, Form, Start, TopicCommand, TopicEnvelope, TopicReply, encode,
};
use crate::engine::Stop;
use crate::engine::idempotency::Answer;
use crate::engine::outcome::Call;
use crate::engine::waiter::expect_place;
use crate::error::{ErrorCode, Fault};
use crate::id::print;
use crate::limits::{PATTERN_IDLE_MS, SEQ_MAX};
use crate::store::StoreError;
use crate::time::Millis;

/// Numbers of a millisecond.
const SEQS_PER_MS: u64 = 100;

// Until the year 2059.
const _: () = assert!(2_814_000_000_000 * SEQS_PER_MS < SEQ_MAX);

/// A reader that waits until the object is being fed.
#[derive(Debug)]
struct Asking {
    token: u32,
    start: Start,
    filter: Option<String>,
    form: Form,
}

/// What only an object of a pattern has.
#[derive(Debug, Default)]
pub(super) struct Live {
    asking: Vec<Asking>,
    /// Since when nobody reads.
    idle_since_ms: Option<Millis>,
    /// The number of the call that ends the feeding, and when its answer is no longer expected.
    ending: Option<(u32, Millis)>,
    /// It has ended.
    ended: bool,
}

impl Live {
    pub fn cancel(&mut self, token: u32) {
        self.asking.retain(|it| it.token != token);
    }
}

/// What an object of a pattern is like: it remembers for as long as it outlives its last reader.
pub(super) fn config() -> TopicConfig {
    TopicConfig {
        retention_ms: PATTERN_IDLE_MS,
        max_messages: 100_000,
        max_bytes: 64 << 20,
        ..TopicConfig::default()
    }
}

impl Topic {
    /// The first number of a log that comes into being.
    pub(super) fn first_seq(&self, now_ms: Millis) -> u64 {
        if is_pattern(&self.name) {
            now_ms * SEQS_PER_MS
        } else {
            1
        }
    }

    /// A reader of a pattern begins when all topics know that somebody reads.
    pub(super) fn follow_or_wait(
        &mut self,
        turn: &mut Turn<'_>,
        token: u32,
        follow: &Follow<'_>,
        anonymous: Anonymous,
    ) -> Result<Option<TopicReply>, Stop> {
        if !is_pattern(&self.name) || self.state.registered {
            return self.follow(turn, token, follow, anonymous).map(Some);
        }
        expect_place(self.live.asking.len())?;
        self.live.asking.push(Asking {
            token,
            start: follow.start,
            filter: follow.filter.map(str::to_owned),
            form: follow.form,
        });
        Ok(None)
    }

    /// Topics know, or the directory could not be reached.
    pub(super) fn watched(&mut self, turn: &mut Turn<'_>, ok: bool) -> Result<(), StoreError> {
        for it in std::mem::take(&mut self.live.asking) {
            let follow = Follow {
                start: it.start,
                filter: it.filter.as_deref(),
                form: it.form,
                member: None,
            };
            let reply = if ok {
                self.follow(turn, it.token, &follow, Anonymous::default())
            } else {
                let detail = "the topics could not be reached just now; try again";
                Err(Fault::new(ErrorCode::Unavailable, detail).into())
            };
            turn.out.replies.push((it.token, Stop::answer(reply)?));
        }
        Ok(())
    }

    /// Takes messages of a topic, each once.
    pub(super) fn gather(
        &mut self,
        turn: &mut Turn<'_>,
        source: &str,
        messages: &[Forwarded<'_>],
    ) -> Result<TopicReply, Stop> {
        for message in messages {
            let print = print(self.secret, &format!("\u{1}{source}\u{1}{}", message.id));
            let since_ms = turn.now_ms.saturating_sub(PATTERN_IDLE_MS);
            if self.idempotency.find(turn.sql, print, since_ms)?.is_some() {
                continue;
            }
            let seq = self.append(turn, &message.draft, Some(print), None)?;
            self.idempotency.insert(Answer {
                print,
                seq,
                lane: 0,
                at_ms: turn.now_ms,
                position: 0,
            });
        }
        Ok(TopicReply::Moved(messages.len()))
    }

    /// Lets the topics know when nobody has read for a while.
    pub(super) fn rest(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        if !is_pattern(&self.name) {
            return Ok(());
        }
        if self.followers.len() > 0 || !self.live.asking.is_empty() || !self.state.registered {
            self.live.idle_since_ms = None;
            return Ok(());
        }
        let since_ms = *self.live.idle_since_ms.get_or_insert(turn.now_ms);
        if since_ms + PATTERN_IDLE_MS > turn.now_ms || self.live.ending.is_some() {
            return Ok(());
        }
        let ending = DirectoryCommand::Patterns(PatternCommand::Unwatch {
            pattern: &self.name,
        });
        let command = ending.encode().map_err(|e| StoreError(e.to_string()))?;
        let number = self.subscriptions.number();
        self.live.ending = Some((number, turn.now_ms + CALL_LOST_MS));
        turn.out.calls.push(Call {
            number,
            object: TOPIC_DIRECTORY.to_owned(),
            command,
        });
        Ok(())
    }

    /// The answer to the call that ends the feeding: whether it was that.
    pub(super) fn rested(&mut self, number: u32, ok: bool) -> bool {
        if self.live.ending.take_if(|(it, _)| *it == number).is_none() {
            return false;
        }
        self.live.idle_since_ms = None;
        self.live.ended = ok;
        true
    }

    /// It is fed no longer: it goes, unless somebody came meanwhile.
    pub(super) fn end(&mut self, turn: &mut Turn<'_>) {
        if !std::mem::take(&mut self.live.ended) {
            return;
        }
        if self.followers.len() == 0 && self.live.asking.is_empty() {
            turn.out.wipe = true;
            self.config = None;
        } else {
            self.state.registered = false;
            self.state_changed = true;
        }
    }

    /// When to look whether somebody reads.
    pub(super) fn rest_wakeup_ms(&self) -> Option<Millis> {
        let since_ms = self.live.idle_since_ms?;
        // While the directory is being told, its answer is what comes next; should this object start
        // anew meanwhile, it has to say so again.
        let again_ms = self.live.ending.map(|(_, lost_at_ms)| lost_at_ms);
        Some(again_ms.unwrap_or(since_ms + PATTERN_IDLE_MS))
    }
}

/// The command that brings messages to the object of the pattern `pattern`.
pub(super) fn forward_live(
    pattern: &str,
    source: &str,
    messages: Vec<Forwarded<'_>>,
) -> Result<Vec<u8>, StoreError> {
    let envelope = TopicEnvelope {
        topic: pattern,
        origin: None,
        auto_create: false,
        anonymous: Anonymous::default(),
        command: TopicCommand::Forward { source, messages },
    };
    encode(&envelope).map_err(|fault| StoreError(fault.detail))
}
