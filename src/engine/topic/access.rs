//! What of a topic takes no credentials, and what becomes of those without when that changes.

use super::{Topic, Turn};
use crate::command::topic::TopicCommand;
use crate::engine::access::{TopicAccess, Who};
use crate::error::{ErrorCode, Fault};

impl Topic {
    /// What is open to all, where anything is.
    #[must_use]
    pub fn public(&self) -> Option<&TopicAccess> {
        let access = self.config.as_ref().map(|config| &config.access);
        access.filter(|it| [it.base.publish, it.subscribe].contains(&Who::Public))
    }

    /// Lets a command of somebody without credentials through where it is for all.
    pub(super) fn expect_public(&self, command: &TopicCommand<'_>) -> Result<(), Fault> {
        let access = self.config().access;
        let who = match command {
            TopicCommand::Publish { .. } | TopicCommand::PublishBatch(_) => access.base.publish,
            TopicCommand::Read(_) | TopicCommand::Follow(_) => access.subscribe,
            _ => Who::Token,
        };
        match who {
            Who::Public => Ok(()),
            Who::Token => Err(takes_a_token()),
        }
    }

    /// Lets those go who read without credentials, once that is no longer for all.
    pub(super) fn dismiss_anonymous(&mut self, turn: &mut Turn<'_>) {
        if self.config().access.subscribe == Who::Public {
            return;
        }
        self.dismiss_anonymous_readers(turn);
        self.waiting.retain(|waiting| {
            if waiting.anonymous {
                let refusal = Err(takes_a_token());
                turn.out.replies.push((waiting.token, refusal));
            }
            !waiting.anonymous
        });
    }
}

/// What is said to whom it is not, or no longer, open.
pub(super) fn takes_a_token() -> Fault {
    let detail = "this topic takes this with a token only";
    Fault::new(ErrorCode::Unauthorized, detail)
}
