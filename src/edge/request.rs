//! What every request is asked, read in one pass over its head.

use super::grant::{Grant, NOTHING};
use crate::command::Command;
use crate::error::Fault;
use crate::limits::WAIT_MS_MAX;
use crate::protocol::http::binary;
use crate::protocol::http::fields::range_words;
use crate::time::Millis;
use crate::wire::head::Head;
use crate::wire::query;
use std::ops::RangeInclusive;

/// A head with the headers that decide on its way.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// All of it.
    pub head: Head<'a>,
    /// What its credentials allow; nothing, before they were looked at.
    pub grant: &'a Grant,
    /// How long it may be let wait: no longer than its token counts.
    pub wait_ms_max: Millis,
    /// The address it comes from, as the host knows it; empty where it does not.
    pub client: &'a str,
    /// `Authorization`.
    pub authorization: Option<&'a str>,
    /// `Origin`, when a page of another site asks.
    pub origin: Option<&'a str>,
    /// `Content-Type`.
    pub content_type: Option<&'a str>,
    /// `Content-Encoding`, as sent.
    pub content_encoding: Option<&'a str>,
    /// `Content-Length`, when it is a number.
    pub content_length: Option<u64>,
    /// `Idempotency-Key`, as sent.
    pub idempotency_key: Option<&'a str>,
    /// Whether `Accept` names event streams.
    pub accepts_events: bool,
    /// Whether `Accept` names the binary form of batches.
    pub accepts_binary: bool,
    /// `Last-Event-ID`, as sent.
    pub last_event_id: Option<&'a str>,
    /// Whether the connection shall become a WebSocket.
    pub upgrades: bool,
    /// Whether a browser asks for another site's page if it may ask.
    pub is_preflight: bool,
}

impl<'a> Request<'a> {
    /// Reads a head; `None` when it is none.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let head = Head::parse(text)?;
        let mut it = Self {
            head,
            grant: &NOTHING,
            wait_ms_max: WAIT_MS_MAX,
            client: "",
            authorization: None,
            origin: None,
            content_type: None,
            content_encoding: None,
            content_length: None,
            idempotency_key: None,
            accepts_events: false,
            accepts_binary: false,
            last_event_id: None,
            upgrades: false,
            is_preflight: false,
        };
        for (name, value) in head.headers() {
            match name {
                // No client sends a header of this name: `@` stands in none.
                "@client" => it.client = value,
                "authorization" => it.authorization = Some(value),
                "origin" => {
                    it.origin = Some(value).filter(|it| !it.eq_ignore_ascii_case(head.origin))
                }
                "content-type" => it.content_type = Some(value),
                "content-encoding" => it.content_encoding = Some(value),
                "content-length" => it.content_length = value.parse().ok(),
                "idempotency-key" => it.idempotency_key = Some(value),
                "accept" => {
                    it.accepts_events = value.contains("text/event-stream");
                    it.accepts_binary = binary::is_accepted(value);
                }
                "last-event-id" => it.last_event_id = Some(value),
                "upgrade" => it.upgrades = value.eq_ignore_ascii_case("websocket"),
                "access-control-request-method" => it.is_preflight = true,
                _ => {}
            }
        }
        it.is_preflight &= it.origin.is_some() && head.method == "OPTIONS";
        Some(it)
    }

    /// The same request, of somebody with these credentials.
    #[must_use]
    pub fn by(self, grant: &'a Grant, now_ms: Millis) -> Self {
        let left_ms = grant.expires_at_ms.map(|end| end.saturating_sub(now_ms));
        Self {
            grant,
            wait_ms_max: left_ms.map_or(WAIT_MS_MAX, |left| left.min(WAIT_MS_MAX)),
            ..self
        }
    }

    /// For how long the parameter `wait_ms` lets it wait.
    ///
    /// # Errors
    /// As [`Self::number`].
    pub fn wait_ms(&self) -> Result<Millis, Fault> {
        let wait_ms = self.number("wait_ms", &(0..=WAIT_MS_MAX), 0)?;
        Ok(wait_ms.min(self.wait_ms_max))
    }

    /// A pull that waits no longer than its token counts.
    #[must_use]
    pub fn bounded<'c>(&self, mut command: Command<'c>) -> Command<'c> {
        if let Command::Pull(pull) | Command::AckPull { pull, .. } = &mut command {
            pull.wait_ms = pull.wait_ms.min(self.wait_ms_max);
        }
        command
    }

    /// The text of a query parameter.
    ///
    /// # Errors
    /// `bad-request` naming it, when it is no percent-encoded UTF-8.
    pub fn parameter(&self, name: &str) -> Result<Option<String>, Fault> {
        match query::value(self.head.query, name) {
            None => Ok(None),
            Some(Some(text)) => Ok(Some(text.into_owned())),
            Some(None) => Err(Fault::bad(name, "percent-encoded UTF-8 belongs here")),
        }
    }

    /// The number of a query parameter, or `default`.
    ///
    /// # Errors
    /// `bad-request` naming it, when it is none or out of `range`.
    pub fn number(
        &self,
        name: &str,
        range: &RangeInclusive<u64>,
        default: u64,
    ) -> Result<u64, Fault> {
        let Some(text) = self.parameter(name)? else {
            return Ok(default);
        };
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let number = digits.then(|| text.parse().ok()).flatten();
        number
            .filter(|n| range.contains(n))
            .ok_or_else(|| Fault::bad(name, range_words(range)))
    }
}
