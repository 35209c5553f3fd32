//! What a queue may be told, and whether a publish fits: the tables of the contract, one rule a
//! line.

use super::{At, First, Message, Model};
use tidegate::error::ErrorCode;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Order {
    BestEffort,
    Fifo,
    Key,
}

/// The configuration, as far as the model goes.
#[derive(Clone, Debug)]
pub struct Limits {
    pub max_messages: u64,
    pub max_bytes: u64,
    pub max_accepted: Option<u64>,
    pub max_per_key: Option<u64>,
    pub overflow: &'static str,
    pub max_waiting: u64,
    pub draw_at_ms: Option<u64>,
    pub opens_at_ms: Option<u64>,
    pub closes_at_ms: Option<u64>,
    /// Publishes a second, and at once.
    pub rate: Option<(u64, u64)>,
    pub lease_ms: u64,
    pub max_attempts: u32,
    /// First delay, and longest; each is twice the one before.
    pub backoff_ms: (u64, u64),
    pub order: Order,
    pub retention_ms: u64,
    pub result_retention_ms: u64,
    pub dedup_window_ms: u64,
    pub max_message_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_messages: 100_000,
            max_bytes: 1_073_741_824,
            max_accepted: None,
            max_per_key: None,
            overflow: "reject",
            max_waiting: 100_000,
            draw_at_ms: None,
            opens_at_ms: None,
            closes_at_ms: None,
            rate: None,
            lease_ms: 30_000,
            max_attempts: 5,
            backoff_ms: (0, 900_000),
            order: Order::BestEffort,
            retention_ms: 345_600_000,
            result_retention_ms: 600_000,
            dedup_window_ms: 300_000,
            max_message_bytes: 262_144,
        }
    }
}

impl Limits {
    /// The whole of it as a patch.
    pub fn to_json(&self) -> String {
        let number = |n: Option<u64>| n.map_or("null".to_owned(), |n| n.to_string());
        let rate = self.rate.map_or("null".to_owned(), |(per_second, burst)| {
            format!(r#"{{"per_second":{per_second},"burst":{burst},"per":"queue"}}"#)
        });
        let order = match self.order {
            Order::BestEffort => "best_effort",
            Order::Fifo => "fifo",
            Order::Key => "key",
        };
        format!(
            r#"{{"capacity":{{"max_messages":{},"max_bytes":{},"max_accepted":{},"max_per_key":{},
                "overflow":"{}","max_waiting":{},"admission":"{}","draw_at_ms":{},"opens_at_ms":{},"closes_at_ms":{},"publish_rate":{rate}}},
              "delivery":{{"visibility_timeout_ms":{},"max_attempts":{},
                "backoff":{{"initial_ms":{},"max_ms":{},"multiplier":2}},"order":"{order}"}},
              "retention_ms":{},"result_retention_ms":{},"dedup_window_ms":{},"max_message_bytes":{}}}"#,
            self.max_messages,
            self.max_bytes,
            number(self.max_accepted),
            number(self.max_per_key),
            self.overflow,
            self.max_waiting,
            if self.draw_at_ms.is_some() {
                "draw"
            } else {
                "fifo"
            },
            number(self.draw_at_ms),
            number(self.opens_at_ms),
            number(self.closes_at_ms),
            self.lease_ms,
            self.max_attempts,
            self.backoff_ms.0,
            self.backoff_ms.1,
            self.retention_ms,
            self.result_retention_ms,
            self.dedup_window_ms,
            self.max_message_bytes,
        )
    }

    /// The delay after this many deliveries.
    pub fn backoff_after(&self, attempts: u32) -> u64 {
        (self.backoff_ms.0 << attempts.saturating_sub(1).min(30)).min(self.backoff_ms.1)
    }
}

/// A publish.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    pub body: String,
    pub key: Option<String>,
    pub idempotency_key: Option<String>,
    pub delay_ms: u64,
    pub ttl_ms: Option<u64>,
    pub hold_ms: Option<u64>,
    pub priority: u8,
}

impl Model {
    /// Changes the configuration. What was taken before is ordered anew where the order changes.
    pub fn configure(&mut self, limits: &Limits) -> Result<(), ErrorCode> {
        let known = self.draw.as_ref().map(|draw| draw.at_ms);
        if limits.draw_at_ms.is_some_and(|at| at <= self.now_ms) && limits.draw_at_ms != known {
            return Err(ErrorCode::BadRequest);
        }
        let pending = self.draw.as_ref().is_some_and(|draw| !draw.is_over);
        if pending && limits.draw_at_ms.is_some() && limits.max_bytes < self.limits.max_bytes {
            // Who waits for a draw has to fit.
            return Err(ErrorCode::BadRequest);
        }
        if limits.order != self.limits.order {
            for message in self.messages.values_mut().filter(|m| m.taken) {
                message.lane = message.priority;
            }
        }
        self.remembered_ms = self.remembered_ms.min(limits.result_retention_ms);
        if limits.retention_ms < self.limits.retention_ms {
            for message in self.messages.values_mut() {
                if let At::Ended(end) = &mut message.at {
                    end.by_age = true;
                }
            }
        }
        self.retained_ms = self.retained_ms.min(limits.retention_ms);
        if limits.max_per_key.is_some() != self.limits.max_per_key.is_some() {
            // It counts from when it is set.
            self.keys.clear();
        }
        self.limits = limits.clone();
        self.plan_draw();
        self.admit();
        Ok(())
    }

    /// What the contract says to this publish: its place, or why not.
    pub fn publish(&mut self, wish: &Wish) -> Result<First, ErrorCode> {
        let answer = self.publish_once(wish);
        self.totals.rejected += u64::from(answer.is_err());
        answer
    }

    fn publish_once(&mut self, wish: &Wish) -> Result<First, ErrorCode> {
        let window_ms = self.limits.dedup_window_ms;
        if let Some(first) = wish
            .idempotency_key
            .as_ref()
            .and_then(|key| self.firsts.get(key))
            && self.now_ms < first.at_ms + window_ms
        {
            return Ok(*first);
        }
        let waits = self.check(wish)?;
        self.take_token()?;
        while !waits && self.is_backlog_full(wish.body.len() as u64) {
            let oldest = self.oldest_queued().expect("checked before");
            self.end(oldest, tidegate::command::State::Expired, false, true, None);
        }
        let first = self.accept(wish, waits);
        if window_ms > 0
            && let Some(key) = &wish.idempotency_key
        {
            self.firsts.insert(key.clone(), first);
        }
        Ok(first)
    }

    /// Whether the publish is accepted, and has to wait for its place.
    fn check(&self, wish: &Wish) -> Result<bool, ErrorCode> {
        let limits = &self.limits;
        if wish.body.len() as u64 > limits.max_message_bytes {
            return Err(ErrorCode::MessageTooLarge);
        }
        if limits.max_per_key.is_some() && wish.key.is_none() {
            return Err(ErrorCode::BadRequest);
        }
        if limits.opens_at_ms.is_some_and(|at| self.now_ms < at) {
            return Err(ErrorCode::NotOpen);
        }
        if limits.closes_at_ms.is_some_and(|at| self.now_ms >= at) {
            return Err(ErrorCode::Closed);
        }
        let waits = self.check_room(wish)?;
        let share = wish
            .key
            .as_ref()
            .and_then(|key| self.keys.get(key))
            .copied()
            .unwrap_or(0);
        if limits.max_per_key.is_some_and(|max| share >= max) {
            return Err(ErrorCode::KeyLimit);
        }
        Ok(waits)
    }

    fn check_room(&self, wish: &Wish) -> Result<bool, ErrorCode> {
        let limits = &self.limits;
        let bytes = wish.body.len() as u64;
        let over = if self.is_sold_out() {
            Some(ErrorCode::SoldOut)
        } else {
            self.is_backlog_full(bytes).then_some(ErrorCode::QueueFull)
        };
        let waiting = self.line().count() as u64;
        let overflow = match &self.draw {
            Some(draw) if !draw.is_over => "draw",
            _ => limits.overflow,
        };
        match (overflow, over) {
            (_, None) if waiting == 0 && overflow != "draw" => Ok(false),
            ("wait" | "draw", _) if waiting < limits.max_waiting && bytes <= limits.max_bytes => {
                Ok(true)
            }
            ("drop_oldest", Some(ErrorCode::QueueFull))
                if waiting == 0 && self.could_make_room(bytes) =>
            {
                Ok(false)
            }
            (_, over) => Err(over.unwrap_or(ErrorCode::QueueFull)),
        }
    }

    pub fn is_backlog_full(&self, body_bytes: u64) -> bool {
        let bytes = self.bytes() + body_bytes;
        self.depth() >= self.limits.max_messages || bytes > self.limits.max_bytes
    }

    /// Whether this publish would fit if every queued message were dropped.
    fn could_make_room(&self, body_bytes: u64) -> bool {
        let mut bare = self.clone();
        bare.messages.retain(|_, m| m.at != At::Queued);
        !bare.is_backlog_full(body_bytes)
    }

    fn take_token(&mut self) -> Result<(), ErrorCode> {
        let Some((per_second, burst)) = self.limits.rate else {
            return Ok(());
        };
        let interval_us = 1_000_000 / per_second;
        let full_us = self.rate_us.max(self.now_ms * 1_000);
        if full_us - self.now_ms * 1_000 > interval_us * (burst - 1) {
            return Err(ErrorCode::RateLimited);
        }
        self.rate_us = full_us + interval_us;
        Ok(())
    }

    fn accept(&mut self, wish: &Wish, waits: bool) -> First {
        let (seq, now_ms) = (self.next_seq, self.now_ms);
        self.next_seq += 1;
        let at = self.placed(wish.hold_ms, wish.delay_ms);
        let is_plain = at == At::Queued;
        let position = match at {
            _ if waits => self.place_of_next(),
            At::Queued => self.position_of_next(wish.priority),
            _ => 0,
        };
        let strict = self.limits.order != Order::BestEffort;
        let message = Message {
            lane: if strict && is_plain { 4 } else { wish.priority },
            id: tidegate::id::Id(0),
            at: if waits { At::InLine } else { at },
            body: wish.body.clone().into_bytes(),
            key: wish.key.clone(),
            priority: wish.priority,
            at_ms: now_ms,
            attempts: 0,
            expires_at_ms: wish.ttl_ms.map(|ttl| now_ms + ttl),
            due_ms: (wish.delay_ms > 0).then_some(now_ms + wish.delay_ms),
            wish: (wish.hold_ms, wish.delay_ms),
            taken: false,
            kept_from_ms: now_ms,
            revived: false,
        };
        self.messages.insert(seq, message);
        if !waits {
            self.accepted += 1;
            self.totals.accepted += 1;
        }
        if self.limits.max_per_key.is_some()
            && let Some(key) = &wish.key
        {
            *self.keys.entry(key.clone()).or_default() += 1;
        }
        First {
            seq,
            at_ms: now_ms,
            position,
            waits,
        }
    }
}
