//! The row of a subscription: written, read, and told from one that is damaged.

use super::subscription::{Config, Subscription, Totals};
use super::target::Target;
use super::{Topic, Turn};
use crate::engine::filter::Filter;
use crate::push::config::PushConfig;
use crate::store::{Arg, StoreError, seal};
use serde::de::IgnoredAny;
use std::fmt::Display;
use std::rc::Rc;

impl Subscription {
    pub fn read(config: &[u8], next: u64, totals: &[u8]) -> Result<Self, StoreError> {
        let (config, push) = read_config(config)?;
        let totals = seal::decode("a subscription's totals", totals)?;
        let filter = config.filter.as_deref().map(Filter::compile).transpose();
        let filter = filter.map_err(|fault| damaged(fault.detail))?;
        Ok(Self {
            push,
            ..Self::new(config, filter, next, totals)
        })
    }
}

impl Topic {
    pub(super) fn store(&mut self, turn: &mut Turn<'_>, name: &str) -> Result<(), StoreError> {
        let Some(it) = self.subscriptions.by_name.get(name) else {
            return Ok(());
        };
        let config = match &it.push {
            None => seal::encode(&it.config)?,
            Some(push) => seal::encode(&(&it.config, push.stored().to_string()))?,
        };
        let totals = seal::encode(&it.totals)?;
        turn.sql.exec(
            "INSERT OR REPLACE INTO subscriptions (name, config, next_seq, cursor)
             VALUES (?, ?, ?, ?)",
            &[
                name.into(),
                Arg::Blob(&config),
                it.next.into(),
                Arg::Blob(&totals),
            ],
        )?;
        Ok(())
    }
}

/// Whether stored values are a subscription's. What is well-formed and refused may be of a later
/// version.
pub(in crate::engine) fn is_subscription(config: &[u8], totals: &[u8]) -> bool {
    let is_json = |text: &str| serde_json::from_str::<IgnoredAny>(text).is_ok();
    let is_push =
        |rest: &[u8]| rest.is_empty() || postcard::from_bytes::<&str>(rest).is_ok_and(is_json);
    let is_config = |it: &Config| {
        [&it.filter, &it.delivery]
            .into_iter()
            .flatten()
            .all(|text| is_json(text))
    };
    seal::payload(config)
        .and_then(|bytes| postcard::take_from_bytes::<Config>(bytes).ok())
        .is_some_and(|(config, rest)| is_config(&config) && is_push(rest))
        && seal::decode::<Totals>("a subscription's totals", totals).is_ok()
}

fn damaged(error: impl Display) -> StoreError {
    StoreError(format!("a subscription is damaged: {error}"))
}

/// What is stored of a subscription, and behind it what its own queue calls, as JSON text, where it
/// calls anything.
fn read_config(sealed: &[u8]) -> Result<(Config, Option<Rc<PushConfig>>), StoreError> {
    let bytes = seal::open("a subscription", sealed)?;
    let (config, rest) = postcard::take_from_bytes(bytes).map_err(damaged)?;
    if rest.is_empty() {
        return Ok((config, None));
    }
    let text: String = postcard::from_bytes(rest).map_err(damaged)?;
    let stored = serde_json::from_str(&text).map_err(damaged)?;
    let push = Target::read_push(&stored).map_err(|fault| damaged(fault.detail))?;
    Ok((config, push))
}
