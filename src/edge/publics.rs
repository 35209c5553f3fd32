//! Queues, or topics, that are open to everybody: which they are, for what, and how often each
//! address may.
//!
//! Only the queue knows, so it is asked, at most once a second where it is public and at most
//! `PUBLIC_ASKS_PER_SECOND_MAX` others a second, whatever is made up. The queue looks again at each
//! request: what is closed is closed at once. Rates are counted here, so that refusing costs no call.

use super::auth;
use crate::command::scope::Verb;
use crate::error::{ErrorCode, Fault};
use crate::limits::{
    PUBLIC_ADDRESSES_MAX, PUBLIC_ASKS_PER_SECOND_MAX, PUBLIC_QUEUES_MAX, VERDICT_MS_MAX,
};
use crate::time::{Millis, SECOND};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

/// What one isolate knows of queues, or of topics.
#[derive(Debug, Default)]
pub struct Publics {
    queues: HashMap<String, Known>,
    /// The second in which was asked, and how often.
    asked: (Millis, u32),
    /// By queue and address: the instant, in microseconds, up to which its requests are paid for.
    paid_us: HashMap<String, u64>,
}

#[derive(Debug)]
struct Known {
    /// Nothing where nothing is open.
    open: Option<Open>,
    until_ms: Millis,
}

/// How often one address may come, and for what.
#[derive(Clone, Debug, PartialEq)]
struct Open {
    per_second: f64,
    burst: u64,
    verbs: Vec<Verb>,
}

impl Open {
    /// `None` where `text` says that nothing is open.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let (per_second, burst) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let mut verbs: Vec<_> = words.filter_map(Verb::of).collect();
        if verbs.is_empty() {
            verbs.push(Verb::Publish);
        }
        (per_second > 0.0 && burst > 0).then_some(Self {
            per_second,
            burst,
            verbs,
        })
    }
}

/// What is known of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Everybody may.
    Open,
    /// Nobody without a token.
    Closed,
    /// It has to be asked.
    Ask,
}

impl Publics {
    /// Whether `queue` is open for any of `verbs`.
    pub fn look(&mut self, queue: &str, verbs: &[Verb], now_ms: Millis) -> Look {
        let known = self.queues.get(queue);
        let open = known.and_then(|it| it.open.as_ref());
        let is_open = open.is_some_and(|it| verbs.iter().any(|verb| it.verbs.contains(verb)));
        match known {
            Some(it) if now_ms < it.until_ms && is_open => Look::Open,
            Some(it) if now_ms < it.until_ms => Look::Closed,
            // Whatever is made up does not keep those out that are known to be public.
            Some(_) if open.is_some() => Look::Ask,
            _ => self.may_ask(now_ms),
        }
    }

    fn may_ask(&mut self, now_ms: Millis) -> Look {
        let second = now_ms / SECOND;
        if self.asked.0 != second {
            self.asked = (second, 0);
        }
        if self.asked.1 >= PUBLIC_ASKS_PER_SECOND_MAX {
            return Look::Closed;
        }
        self.asked.1 += 1;
        Look::Ask
    }

    /// What the queue said: requests a second and at once, and for which verbs they are (publishing,
    /// where none is named), with a space between; nothing where it is not public.
    pub fn learn(&mut self, queue: &str, said: &str, now_ms: Millis) {
        let open = Open::parse(said);
        if self.queues.len() >= PUBLIC_QUEUES_MAX && !self.queues.contains_key(queue) {
            self.queues
                .retain(|_, it| it.open.is_some() || now_ms < it.until_ms);
            if self.queues.len() >= PUBLIC_QUEUES_MAX {
                self.queues.clear();
            }
        }
        let until_ms = now_ms + VERDICT_MS_MAX;
        self.queues
            .insert(queue.to_owned(), Known { open, until_ms });
    }

    /// Lets one request from `client` through, or says when the next one is.
    ///
    /// # Errors
    /// `rate-limited`; `unauthorized` where nothing is open, as far as was heard.
    pub fn charge(&mut self, queue: &str, client: &str, now_ms: Millis) -> Result<(), Fault> {
        self.charge_for(1, queue, client, now_ms)
    }

    /// As [`Self::charge`], for all messages of a batch but the first, which its request has paid for.
    ///
    /// # Errors
    /// As there; `request-too-large` for a batch that is more than comes at once at any time.
    pub fn charge_batch(
        &mut self,
        messages: u64,
        queue: &str,
        client: &str,
        now_ms: Millis,
    ) -> Result<(), Fault> {
        let open = self.queues.get(queue).and_then(|it| it.open.as_ref());
        if let Some(burst) = open.map(|it| it.burst).filter(|burst| messages > *burst) {
            let detail = format!("without a token a batch has at most {burst} messages here");
            let fault = Fault::new(ErrorCode::RequestTooLarge, detail);
            return Err(fault.with(|figures| figures.limit = Some(burst)));
        }
        self.charge_for(messages.saturating_sub(1), queue, client, now_ms)
    }

    /// The generic cell rate algorithm.
    fn charge_for(
        &mut self,
        count: u64,
        queue: &str,
        client: &str,
        now_ms: Millis,
    ) -> Result<(), Fault> {
        let Some(open) = self.queues.get(queue).and_then(|it| it.open.as_ref()) else {
            return Err(auth::no_token());
        };
        let now_us = now_ms * 1_000;
        if self.paid_us.len() >= PUBLIC_ADDRESSES_MAX {
            self.paid_us.retain(|_, paid_us| *paid_us > now_us);
            if self.paid_us.len() >= PUBLIC_ADDRESSES_MAX {
                self.paid_us.clear();
            }
        }
        let each_us = (1_000_000.0 / open.per_second) as u64;
        let cost_us = each_us.saturating_mul(count);
        let ahead_us = each_us.saturating_mul(open.burst);
        let name = format!("{queue} {}", address(client));
        let paid_us = self.paid_us.entry(name).or_default();
        let from_us = (*paid_us).max(now_us);
        let until_us = from_us.saturating_add(cost_us);
        let Some(early_us) = (until_us - now_us).checked_sub(ahead_us.saturating_add(1)) else {
            *paid_us = until_us;
            return Ok(());
        };
        let detail = "too many requests from this address; a token has no such limit";
        let fault = Fault::new(ErrorCode::RateLimited, detail);
        let retry_after_ms = (early_us + 1).div_ceil(1_000);
        Err(fault.with(|figures| figures.retry_after_ms = Some(retry_after_ms)))
    }
}

/// Who shares a rate: an address, or a network of IPv6, of which one client has 2^64 addresses.
pub(super) fn address(client: &str) -> String {
    // workerd tells the port as well.
    let ip = client.parse::<SocketAddr>().map(|it| it.ip());
    match ip
        .or_else(|_| client.parse::<IpAddr>())
        .map(|it| it.to_canonical())
    {
        Ok(IpAddr::V4(address)) => address.to_string(),
        Ok(IpAddr::V6(address)) => format!("{:x?}", &address.segments()[..4]),
        // Those whose address is not known share one.
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = 1_700_000_000_000;

    fn look(it: &mut Publics, queue: &str, now_ms: Millis) -> Look {
        it.look(queue, &[Verb::Publish], now_ms)
    }

    #[test]
    fn what_is_open_is_what_was_said() {
        let mut it = Publics::default();
        for (said, publish, subscribe) in [
            ("1 1", Look::Open, Look::Closed),
            ("1 1 subscribe", Look::Closed, Look::Open),
            ("1 1 publish subscribe", Look::Open, Look::Open),
            ("", Look::Closed, Look::Closed),
            ("1", Look::Closed, Look::Closed),
            ("0 1 publish", Look::Closed, Look::Closed),
        ] {
            it.learn("chat", said, NOW);
            assert_eq!(it.look("chat", &[Verb::Publish], NOW), publish, "{said}");
            assert_eq!(
                it.look("chat", &[Verb::Subscribe], NOW),
                subscribe,
                "{said}"
            );
        }
    }

    #[test]
    fn names_that_are_made_up_cause_few_questions() {
        let mut it = Publics::default();
        it.learn("sale", "10 20", NOW);
        let mut asked = 0;
        for at in 0..10_000 {
            let now_ms = NOW + at;
            asked += u32::from(look(&mut it, &format!("x{at}"), now_ms) == Look::Ask);
            it.learn(&format!("x{at}"), "", now_ms);
            if look(&mut it, "sale", now_ms) == Look::Ask {
                it.learn("sale", "10 20", now_ms);
            }
            assert_eq!(look(&mut it, "sale", now_ms), Look::Open);
            assert!(it.queues.len() <= PUBLIC_QUEUES_MAX);
        }
        assert_eq!(asked, 10 * PUBLIC_ASKS_PER_SECOND_MAX);
        it.learn("sale", "", NOW);
        assert_eq!(look(&mut it, "sale", NOW), Look::Closed);
    }

    #[test]
    fn a_batch_pays_for_each_message() {
        let mut it = Publics::default();
        it.learn("chat", "10 5 publish", NOW);
        let mut batch = |messages, now_ms| {
            it.charge("chat", "192.0.2.1", now_ms)
                .and_then(|()| it.charge_batch(messages, "chat", "192.0.2.1", now_ms))
                .map_err(|fault| (fault.code, fault.figures.retry_after_ms))
        };
        assert_eq!(batch(5, NOW), Ok(()));
        let limited = |ms| Err((ErrorCode::RateLimited, Some(ms)));
        assert_eq!(batch(1, NOW), limited(100));
        assert_eq!(batch(3, NOW + 200), limited(100));
        assert_eq!(batch(0, NOW + 1_000), Ok(()));
        assert_eq!(
            batch(6, NOW + 1_000),
            Err((ErrorCode::RequestTooLarge, None))
        );
    }

    #[test]
    fn each_address_has_its_rate() {
        let mut it = Publics::default();
        it.learn("sale", "10 3", NOW);
        for client in ["192.0.2.1", "192.0.2.2", "2001:db8::1"] {
            for _ in 0..3 {
                assert_eq!(it.charge("sale", client, NOW), Ok(()));
            }
            let fault = it.charge("sale", client, NOW).unwrap_err();
            assert_eq!(fault.code, ErrorCode::RateLimited);
            assert_eq!(fault.figures.retry_after_ms, Some(100));
        }
        assert!(
            it.charge("sale", "2001:db8::2", NOW).is_err(),
            "one network"
        );
        assert!(it.charge("sale", "2001:db8:0:1::2", NOW).is_ok());
        for same in ["::ffff:192.0.2.1", "192.0.2.1:4567", "[2001:db8::7]:80"] {
            assert!(it.charge("sale", same, NOW).is_err(), "{same}");
        }
        assert!(it.charge("sale", "192.0.2.1", NOW + 99).is_err());
        assert!(it.charge("sale", "192.0.2.1", NOW + 100).is_ok());
        assert!(it.charge("other", "192.0.2.1", NOW).is_err(), "not open");
        for number in 0..PUBLIC_ADDRESSES_MAX as u32 + 10 {
            let client = std::net::Ipv4Addr::from(number).to_string();
            let _ = it.charge("sale", &client, NOW);
            assert!(it.paid_us.len() <= PUBLIC_ADDRESSES_MAX);
        }
    }
}
