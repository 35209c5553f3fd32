//! What is asked of a subscription's own queue on somebody's behalf, who waits: how things stand with
//! the endpoint that it calls, and that it goes.
//!
//! A queue that pushes is deleted before its deletion is answered, and before its topic goes: nothing
//! may be called for what is no more. That it has to go is stored with the topic's state until it has.

use super::patterns::own_queue;
use super::subscription::{Step, no_subscription};
use super::{Topic, Turn};
use crate::command::Command;
use crate::command::placement::subscription_queue;
use crate::command::topic::TopicReply;
use crate::engine::Stop;
use crate::engine::outcome::Call;
use crate::engine::waiter::expect_place;
use crate::error::{ErrorCode, Fault};
use crate::limits::SUBSCRIPTIONS_MAX;
use crate::store::StoreError;
use serde::Deserialize;
use serde_json::Value;

/// Who waits for an answer of a subscription's own queue.
#[derive(Debug, Default)]
pub(super) struct Asking {
    /// Tokens of those who look at a subscription, with the number of the call and its name.
    looks: Vec<(u32, u32, String)>,
    /// Tokens of those who delete one, with its queue.
    leaving: Vec<(u32, String)>,
    /// Tokens of those who delete the topic.
    deletes: Vec<u32>,
}

impl Asking {
    /// Whether one more may wait.
    pub fn expect_place(&self) -> Result<(), Fault> {
        expect_place(self.looks.len() + self.leaving.len() + self.deletes.len())
    }

    pub fn cancel(&mut self, token: u32) {
        self.looks.retain(|(it, ..)| *it != token);
        self.leaving.retain(|(it, _)| *it != token);
        self.deletes.retain(|it| *it != token);
    }
}

impl Topic {
    /// A subscription; of one that pushes, how things stand with the endpoint.
    pub(super) fn subscription(
        &mut self,
        turn: &mut Turn<'_>,
        token: u32,
        name: &str,
    ) -> Result<Option<TopicReply>, Stop> {
        self.flush(turn)?;
        let it = self.subscriptions.by_name.get(name);
        let calls = it.is_some_and(|it| {
            it.push.is_some() && !it.config.paused && it.config.step == Step::Ready
        });
        if !calls {
            return self.state_of(turn, name, false).map(Some);
        }
        self.subscriptions.asking.expect_place()?;
        let queue = own_queue(&self.name, name);
        let number = self.call_queue(turn, &queue, Command::Describe)?;
        let look = (token, number, name.to_owned());
        self.subscriptions.asking.looks.push(look);
        Ok(None)
    }

    fn call_queue(
        &mut self,
        turn: &mut Turn<'_>,
        queue: &str,
        command: Command<'_>,
    ) -> Result<u32, StoreError> {
        let number = self.subscriptions.number();
        turn.out.calls.push(Call::of_queue(number, queue, command)?);
        Ok(number)
    }

    /// Answers who looks at a subscription; whether `number` was such a call.
    pub(super) fn looked(
        &mut self,
        turn: &mut Turn<'_>,
        number: u32,
        ok: bool,
        body: &[u8],
    ) -> Result<bool, StoreError> {
        let looks = &mut self.subscriptions.asking.looks;
        let Some(at) = looks.iter().position(|(_, of, _)| *of == number) else {
            return Ok(false);
        };
        let (token, _, name) = looks.swap_remove(at);
        let endpoint = ok.then(|| endpoint_of(body)).flatten();
        let mut reply = Stop::answer(self.state_of(turn, &name, false))?;
        if let Ok(TopicReply::Subscription { subscription, .. }) = &mut reply {
            subscription.endpoint = endpoint;
        }
        turn.out.replies.push((token, reply));
        Ok(true)
    }

    /// Deletes a subscription; its own queue follows. Where that calls an endpoint, the answer waits
    /// until it has gone.
    pub(super) fn unsubscribe(
        &mut self,
        turn: &mut Turn<'_>,
        token: u32,
        name: &str,
    ) -> Result<Option<TopicReply>, Stop> {
        self.subscriptions.asking.expect_place()?;
        let Some(pushes) = self.remove(turn, name)? else {
            return Err(no_subscription(name).into());
        };
        if !pushes {
            return Ok(Some(TopicReply::Done));
        }
        let queue = subscription_queue(&self.name, name);
        self.subscriptions.asking.leaving.push((token, queue));
        self.subscriptions.own_retry_at_ms = 0;
        Ok(None)
    }

    /// Removes a subscription, and has its own queue deleted; whether that may call.
    fn remove(&mut self, turn: &mut Turn<'_>, name: &str) -> Result<Option<bool>, StoreError> {
        let subscription = self.subscriptions.by_name.remove(name);
        let is_aside = self.subscriptions.aside.remove(name).is_some();
        if subscription.is_none() && !is_aside {
            return Ok(None);
        }
        turn.sql
            .exec("DELETE FROM subscriptions WHERE name = ?", &[name.into()])?;
        let Some(subscription) = subscription else {
            // It may have had a queue of its own, and that may call.
            self.state.leaving.push(after_topic(name));
            self.state_changed = true;
            return Ok(Some(true));
        };
        for (token, _) in &subscription.asked {
            turn.out.replies.push((*token, Err(no_subscription(name))));
        }
        let queue = subscription_queue(&self.name, name);
        if let Some((number, _)) = subscription.call {
            self.subscriptions.orphans.push((number, queue.clone()));
        }
        if subscription.config.target.is_none() {
            self.state.leaving.push(after_topic(name));
            self.state_changed = true;
        }
        Ok(Some(subscription.may_call()))
    }

    /// A queue has gone, or could not be reached.
    pub(super) fn left(&mut self, turn: &mut Turn<'_>, queue: &str, ok: bool) {
        let asking = &mut self.subscriptions.asking;
        let mut answered: Vec<u32> = Vec::new();
        asking.leaving.retain(|(token, of)| {
            // Those behind one that cannot be reached wait as long as it does.
            let is_over = !ok || of == queue;
            answered.extend(is_over.then_some(*token));
            !is_over
        });
        if !ok {
            answered.append(&mut asking.deletes);
        }
        for token in answered {
            let reply = if ok {
                Ok(TopicReply::Done)
            } else {
                Err(unreached())
            };
            turn.out.replies.push((token, reply));
        }
    }

    /// A subscription of that name has come again: it deletes the queue itself, first of all.
    pub(super) fn stays(&mut self, turn: &mut Turn<'_>, queue: &str) {
        self.forget_leaving(queue);
        self.state_changed = true;
        self.left(turn, queue, true);
    }

    pub(super) fn forget_leaving(&mut self, queue: &str) {
        let after_topic = queue.strip_prefix(&self.name);
        self.state
            .leaving
            .retain(|it| Some(it.as_str()) != after_topic);
    }

    /// The queues that are to be deleted.
    pub(super) fn leaving(&self) -> impl Iterator<Item = String> {
        self.state
            .leaving
            .iter()
            .map(|it| format!("{}{it}", self.name))
    }

    /// Whether there is room for one more subscription: what it leaves behind one day has to fit
    /// beside what others have left.
    ///
    /// # Errors
    /// `overloaded`.
    pub(super) fn expect_room(&self, name: &str) -> Result<(), Fault> {
        let after_topic = after_topic(name);
        let leaving = self.state.leaving.iter();
        let leaving = leaving.filter(|it| **it != after_topic).count();
        // One that stands aside has its place.
        let others =
            self.subscriptions.len() - usize::from(self.subscriptions.aside.contains_key(name));
        if others + leaving < SUBSCRIPTIONS_MAX {
            return Ok(());
        }
        let also = match leaving {
            0 => String::new(),
            _ => format!("; {leaving} that were deleted are still being cleared away"),
        };
        let detail = format!("a topic has at most {SUBSCRIPTIONS_MAX} subscriptions{also}");
        let fault = Fault::new(ErrorCode::Overloaded, detail);
        Err(fault.with(|f| f.limit = Some(SUBSCRIPTIONS_MAX as u64)))
    }

    /// What has to go before the topic; whether there is any. `token` is answered when it is gone.
    pub(super) fn delete_pushing(
        &mut self,
        turn: &mut Turn<'_>,
        token: u32,
    ) -> Result<bool, StoreError> {
        let all = self.subscriptions.by_name.iter();
        let pushing = all.filter(|(_, it)| it.may_call());
        let pushing = pushing.map(|(name, _)| name);
        let aside = self.subscriptions.aside.keys();
        let pushing: Vec<String> = pushing.chain(aside).cloned().collect();
        for name in &pushing {
            self.remove(turn, name)?;
        }
        if self.state.leaving.is_empty() {
            return Ok(false);
        }
        self.subscriptions.asking.deletes.push(token);
        self.subscriptions.own_retry_at_ms = 0;
        Ok(true)
    }

    /// Deletes the topic once the queues that had to go first are gone.
    pub(super) fn finish_deletion(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        if !self.state.leaving.is_empty() {
            return Ok(());
        }
        for token in std::mem::take(&mut self.subscriptions.asking.deletes) {
            if self.config.is_none() {
                turn.out.replies.push((token, Ok(TopicReply::Done)));
            } else if let Some(reply) = self.delete(turn, token)? {
                turn.out.replies.push((token, Ok(reply)));
            }
        }
        Ok(())
    }
}

/// What follows the topic's name in that of a subscription's queue.
fn after_topic(name: &str) -> String {
    subscription_queue("", name)
}

/// Leaves of the name of a subscription's queue what follows the topic's.
pub(super) fn shorten(queue: &mut String) {
    let after_topic = queue.find('~').unwrap_or(0);
    queue.drain(..after_topic);
}

fn unreached() -> Fault {
    let detail = "it is being deleted, but its queue could not be reached yet; try again";
    Fault::new(ErrorCode::Unavailable, detail)
}

/// How things stand with the endpoint, as a queue describes itself.
pub fn endpoint_of(description: &[u8]) -> Option<Value> {
    #[derive(Deserialize)]
    struct Description {
        endpoint: Option<Value>,
    }
    let description: Description = serde_json::from_slice(description).ok()?;
    description.endpoint
}
