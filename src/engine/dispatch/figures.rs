//! What there is to know of an endpoint and of a message's attempts.

use super::settle::BUCKETS_MS;
use crate::command::Reply;
use crate::command::reply::{AttemptFigures, EndpointFigures};
use crate::engine::Stop;
use crate::engine::queue::{Queue, Turn};
use crate::id::Id;
use crate::push::circuit::Reason;

impl Queue {
    /// The endpoint, where the queue has one.
    pub(in crate::engine) fn endpoint_figures(&self, turn: &Turn<'_>) -> Option<EndpointFigures> {
        self.config().push.as_ref()?;
        let state = &self.dispatches.state;
        let (circuit, totals) = (&state.circuit, &state.totals);
        let bounds = BUCKETS_MS.iter().map(|most| Some(*most)).chain([None]);
        Some(EndpointFigures {
            state: circuit.name(turn.now_ms),
            since_ms: circuit.since_ms(),
            reason: circuit.reason().map(Reason::name),
            failures: circuit.failures(),
            next_ms: circuit.next_ms(turn.now_ms),
            under_way: state.ledger.under_way() as u64,
            succeeded: totals.succeeded,
            failed: totals.failed,
            timed_out: totals.timed_out,
            cut: totals.cut,
            duration_ms: totals.duration_ms,
            durations: bounds.zip(totals.buckets).collect(),
        })
    }

    /// What became of a message's calls, as far as that is remembered.
    pub(in crate::engine) fn attempts_of(
        &mut self,
        turn: &mut Turn<'_>,
        id: Id,
    ) -> Result<Reply, Stop> {
        // One that is unknown has no attempts to ask for.
        self.state_of(turn, id)?;
        let found = self.dispatches.attempts.of(turn.sql, id.seq())?;
        let attempts = found.into_iter().map(|(number, it)| AttemptFigures {
            number,
            at_ms: it.at_ms,
            duration_ms: it.duration_ms,
            status: it.status,
            error: it.error,
            answer: it.answer,
        });
        Ok(Reply::Attempts(attempts.collect()))
    }
}
