//! Refusing a publish by a glance at its head: the hot path of a flash sale.
//!
//! Handing all headers of a request over costs the platform more than the refusal itself. So while
//! queues refuse, the host hands over method, URL and the [few headers](DECIDING) on which a
//! refusal from memory depends, in the form of a head. What is answered to that is what
//! [`Edge::open`] would answer to the whole of it, and counted the same. Whatever else a publish
//! may be answered with is left to [`Edge::open`], the queue's probe included.

use super::Edge;
use super::request::Request;
use super::route::{self, Method, Part, Place};
use crate::error::{ErrorCode, Fault};
use crate::protocol::http::{Response, publish};
use crate::time::Millis;

/// The headers that decide whether a publish is refused from memory, and how. The host hands over
/// the same ones.
#[cfg(test)]
const DECIDING: [&str; 3] = ["authorization", "idempotency-key", "origin"];

/// A refusal that may be given again to the same glance without asking.
#[derive(Debug, Default)]
pub(super) struct Repeat {
    queue: String,
    code: Option<ErrorCode>,
    until_ms: Millis,
}

impl Edge {
    /// The refusal of a publish, from a head in which only [`DECIDING`] headers need to be; `None`
    /// when it takes the whole head to answer.
    ///
    /// What of the head was not handed over is not checked: with `HEAD_BYTES_MAX` exceeded by
    /// other headers, the publish is refused by its queue, not by the length.
    pub fn peek(&mut self, head: &str, now_ms: Millis) -> Option<Response> {
        let request = Request::parse(head)?;
        let found = route::find(request.head.path).ok()??;
        let Place::Queue(queue, Part::Messages) = &found.place else {
            return None;
        };
        let is_publish = Method::of(request.head.method) == Method::Post;
        if !is_publish || self.verdicts.is_probe_due(queue, now_ms) {
            return None;
        }
        let held = self.admit(&request, &found, now_ms).ok()?;
        let response = self.refuse(&request, queue, now_ms).ok()??;
        self.refused_last.code = None;
        let with_origin = request.origin.is_some();
        if let Some((code, until_ms)) = self.verdicts.repeats(queue, with_origin, now_ms) {
            let last = &mut self.refused_last;
            last.queue.clear();
            last.queue.push_str(queue);
            // Nor is it repeated to a token that has expired.
            let ends_at_ms = held.expires_at_ms.unwrap_or(until_ms);
            (last.code, last.until_ms) = (Some(code), until_ms.min(ends_at_ms));
        }
        Some(response)
    }

    /// Until when the glance that was refused last gets the same refusal, byte by byte, as long as
    /// nothing else is asked of this edge. Zero: it has to be asked each time.
    #[must_use]
    pub fn repeats_until_ms(&self) -> Millis {
        let last = &self.refused_last;
        last.code.map_or(0, |_| last.until_ms)
    }

    /// The refusal of the last glance was given `count` times more.
    pub fn repeated(&mut self, count: u64, now_ms: Millis) {
        let last = &self.refused_last;
        if let Some(code) = last.code {
            self.verdicts
                .count_repeats(&last.queue, code, count, now_ms);
        }
    }

    /// Until when a publish may be refused from memory: afterwards there is nothing to peek for.
    #[must_use]
    pub const fn refuses_until_ms(&self) -> Millis {
        self.verdicts.refuses_until_ms()
    }

    /// The refusal of one publish from memory, counted. A publish that may be the repeat of one
    /// that was accepted goes to the object.
    pub(super) fn refuse(
        &mut self,
        request: &Request<'_>,
        queue: &str,
        now_ms: Millis,
    ) -> Result<Option<Response>, Fault> {
        self.expect_welcome(request, queue, now_ms)?;
        let key = request
            .idempotency_key
            .map(publish::idempotency_key)
            .transpose()?;
        let Some(mut response) = self.verdicts.refuse(queue, key.as_deref(), now_ms) else {
            return Ok(None);
        };
        self.expose(&mut response, request, queue, now_ms);
        Ok(Some(response))
    }
}

#[cfg(test)]
mod tests;
