//! What can be asked of the topics' directory about patterns, and what it tells topics.
//!
//! A subscription of a pattern lives in the directory, which knows the topics; each topic that the
//! pattern stands for keeps a cursor of its own. What a topic is told is all that it has to know of
//! patterns, as of a version: told twice or too late, it changes nothing.

use super::topic::Start;
use crate::time::Millis;
use serde::{Deserialize, Serialize};

/// A command about patterns. In all of them `name` is the subscription's; it is unique for its
/// pattern.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PatternCommand<'a> {
    /// Create or change a subscription. Answered when all topics know, or after a while.
    Put {
        pattern: &'a str,
        name: &'a str,
        patch: &'a str,
    },
    /// The topics it stands for, a page of them, with the subscription itself.
    Topics {
        pattern: &'a str,
        name: &'a str,
        after: Option<&'a str>,
    },
    /// The subscriptions of a pattern, from the one after `after`.
    List {
        pattern: &'a str,
        after: Option<&'a str>,
        limit: u32,
    },
    /// Delete a subscription.
    Delete { pattern: &'a str, name: &'a str },
    /// Have it go on from elsewhere, in all topics.
    Seek {
        pattern: &'a str,
        name: &'a str,
        to: Start,
    },
    /// Somebody follows the pattern: topics hand what is published to the pattern's own object.
    Watch { pattern: &'a str },
    /// Nobody does any more.
    Unwatch { pattern: &'a str },
}

/// All that a topic has to know of patterns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatternSet {
    /// A later one counts, an earlier one does not.
    pub version: u64,
    /// The subscriptions whose pattern stands for the topic.
    pub subscriptions: Vec<PatternSubscription>,
}

/// A subscription of a pattern, as a topic knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatternSubscription {
    /// Which topics it is for.
    pub pattern: String,
    /// Empty: those who follow the pattern live.
    pub name: String,
    /// The filter's JSON text.
    pub filter: Option<String>,
    /// A queue that it feeds; `None`: one of its own, or the pattern's object.
    pub target: Option<String>,
    /// Whether nothing is handed on just now.
    pub paused: bool,
    /// Where it begins, or went to.
    pub start: Start,
    /// When it was told to.
    pub since_ms: Millis,
    /// Another one: it went elsewhere.
    pub epoch: u64,
}

/// A subscription of a pattern, as its directory knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatternState {
    /// Which topics it is for.
    pub pattern: String,
    /// Unique for its pattern.
    pub name: String,
    /// The filter's JSON text.
    pub filter: Option<String>,
    /// The queue its messages go to; `None`: they are pulled from the subscription itself.
    pub target: Option<String>,
    /// What its own queue calls, without what is secret.
    pub push: Option<serde_json::Value>,
    /// How things stand with what is called, as far as its queue was asked.
    pub endpoint: Option<serde_json::Value>,
    /// Whether it hands nothing on.
    pub paused: bool,
    /// Whether all topics know of it as it is.
    pub settled: bool,
}

/// What the directory answers.
#[derive(Debug, PartialEq, Eq)]
pub enum PatternReply {
    /// A subscription; `created` when this call made it.
    Subscription { state: PatternState, created: bool },
    /// A page of them, and whether there are more.
    Subscriptions {
        states: Vec<PatternState>,
        more: bool,
    },
    /// A page of the topics it stands for, and where the next one begins.
    Topics {
        state: PatternState,
        names: Vec<String>,
        cursor: Option<String>,
    },
    /// Nothing to say: it is done.
    Done,
}
