//! Calls that several publishes share: the answers of one turn, joined to one.
//!
//! A publish is always answered in the turn that takes it, and so is a report of refusals, which a
//! relay sends along; so a shared call waits for nothing but its turn. How publishes come to share
//! a call is `host/share.js`'s.

use crate::command::Command;
use crate::error::{ErrorCode, Fault};
use crate::protocol::http::joined::Joined;
use crate::protocol::http::{DecidedBy, Response, problem};

/// One call and the tokens of its publishes.
#[derive(Debug)]
pub struct Share {
    first: u32,
    answers: Vec<Option<Response>>,
}

impl Share {
    /// A call whose publishes have the tokens from `first` on.
    pub const fn new(first: u32) -> Self {
        Self {
            first,
            answers: Vec::new(),
        }
    }

    /// The token of the next publish.
    pub fn next_token(&mut self) -> u32 {
        self.answers.push(None);
        // Tokens begin anew after the last of them.
        self.first.wrapping_add(self.answers.len() as u32 - 1)
    }

    fn place(&self, token: u32) -> Option<usize> {
        let place = token.wrapping_sub(self.first) as usize;
        (place < self.answers.len()).then_some(place)
    }

    /// All answers as one.
    fn joined(&mut self) -> Response {
        let mut joined = Joined::default();
        let mut said: Option<(usize, Response)> = None;
        for answer in self.answers.drain(..) {
            let answer = answer.unwrap_or_else(unanswered);
            match &said {
                Some((place, same)) if *same == answer => joined.repeat(*place),
                _ => said = Some((joined.add(&answer), answer)),
            }
        }
        joined.finish()
    }
}

/// How many calls brought `commands` commands.
pub fn calls(shares: &[Share], commands: usize) -> u64 {
    let shared: usize = shares.iter().map(|share| share.answers.len()).sum();
    (commands - shared + shares.len()) as u64
}

/// Refuses what cannot share a call: its answer might have to wait, and the others' with it.
///
/// # Errors
/// `internal`: it is a defect of the caller.
pub fn admit(shares: &[Share], token: u32, command: &Command<'_>) -> Result<(), Fault> {
    let is_shared = shares.iter().any(|share| share.place(token).is_some());
    if is_shared && !matches!(command, Command::Publish(_) | Command::Report) {
        let detail = "only publishes and reports share a call";
        return Err(Fault::new(ErrorCode::Internal, detail));
    }
    Ok(())
}

/// Puts one answer for each call in the place of those of its publishes.
pub fn join(replies: &mut Vec<(u32, Response)>, shares: &mut [Share]) {
    if shares.is_empty() {
        return;
    }
    for (token, response) in std::mem::take(replies) {
        let place = shares
            .iter_mut()
            .find_map(|share| share.place(token).map(|at| &mut share.answers[at]));
        match place {
            Some(answer) => *answer = Some(response),
            None => replies.push((token, response)),
        }
    }
    for share in shares {
        replies.push((share.first, share.joined()));
    }
}

/// Nothing is known of the publish: as when the object could not be reached.
fn unanswered() -> Response {
    let detail = "the queue did not answer; try again";
    problem::response(
        &Fault::new(ErrorCode::Unavailable, detail),
        DecidedBy::Object,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &str) -> Response {
        Response {
            status,
            headers: vec![("a", "b".into())],
            body: body.into(),
        }
    }

    fn share(first: u32, count: usize) -> Share {
        let mut share = Share::new(first);
        for _ in 0..count {
            share.next_token();
        }
        share
    }

    #[test]
    fn answers_go_to_their_calls_in_the_order_of_their_publishes() {
        let mut shares = [share(u32::MAX, 2), share(7, 1)];
        let mut replies = vec![
            (0, response(202, "second")),
            (3, response(404, "alone")),
            (7, response(410, "other")),
            (u32::MAX, response(409, "first")),
        ];
        join(&mut replies, &mut shares);
        let texts: Vec<_> = replies
            .iter()
            .map(|(token, it)| (*token, it.status, String::from_utf8_lossy(&it.body)))
            .collect();
        assert_eq!(
            texts,
            [
                (3, 404, "alone".into()),
                (
                    u32::MAX,
                    200,
                    "409\na: b\n\nfirst\u{1e}202\na: b\n\nsecond".into()
                ),
                (7, 200, "410\na: b\n\nother".into()),
            ]
        );
    }

    #[test]
    fn a_publish_without_an_answer_is_unavailable() {
        let mut replies = vec![(1, response(202, "x"))];
        join(&mut replies, &mut [share(1, 2)]);
        let body = String::from_utf8_lossy(&replies[0].1.body).into_owned();
        assert!(body.starts_with("202\na: b\n\nx\u{1e}503\n"), "{body}");
    }

    #[test]
    fn what_was_just_said_is_not_said_again() {
        let mut replies = vec![
            (0, response(202, "x")),
            (1, response(410, "y")),
            (2, response(410, "y")),
            (3, response(410, "y")),
            (4, response(202, "x")),
        ];
        join(&mut replies, &mut [share(0, 5)]);
        assert_eq!(
            String::from_utf8_lossy(&replies[0].1.body),
            "202\na: b\n\nx\u{1e}410\na: b\n\ny\u{1e}=1\u{1e}=1\u{1e}202\na: b\n\nx"
        );
    }

    #[test]
    fn a_shared_call_counts_once() {
        assert_eq!(calls(&[share(1, 5), share(6, 2)], 9), 4);
        assert_eq!(calls(&[], 3), 3);
    }

    #[test]
    fn only_publishes_share() {
        let shares = [share(1, 2)];
        assert!(admit(&shares, 2, &Command::Purge).is_err());
        assert!(admit(&shares, 3, &Command::Purge).is_ok());
    }
}
