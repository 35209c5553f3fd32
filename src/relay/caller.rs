//! Calls that wait in a relay for their answers: one answer for each of their publishes, joined to
//! one when the last is there.

use super::line::Item;
use crate::command::{Verdict, verdict};
use crate::limits::VERDICT_MS_MAX;
use crate::protocol::http::Response;
use crate::protocol::http::joined::Joined;
use crate::time::Millis;
use crate::wire::base64;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

/// The answer to one publish.
#[derive(Clone, Debug)]
pub enum Answer {
    /// As it came from above.
    Text(Rc<[u8]>),
    /// A refusal for everybody: what is left of its validity is handed on when it leaves.
    Refused(Rc<Refused>),
}

/// A verdict, and until when it holds here; `None`: it is this relay's own and says for how long.
#[derive(Debug)]
pub struct Refused {
    pub verdict: Verdict,
    pub until_ms: Option<Millis>,
}

#[derive(Debug, Default)]
struct Caller {
    answers: Vec<Option<Answer>>,
    /// Publishes that are in line or on their way.
    open: usize,
    /// Publishes that can be refused once nothing is open.
    deferred: Vec<Item>,
}

/// All calls that wait.
#[derive(Debug, Default)]
pub struct Callers {
    waiting: HashMap<u32, Caller>,
    /// Calls of which nothing is open.
    ready: VecDeque<u32>,
}

impl Callers {
    /// A call of so many publishes has come. All of them are open.
    pub fn begin(&mut self, token: u32, publishes: usize) {
        let answers = vec![None; publishes];
        // One more than there are: nothing is ready while they are being looked at.
        let caller = Caller {
            answers,
            open: publishes + 1,
            deferred: Vec::new(),
        };
        self.waiting.insert(token, caller);
    }

    /// All publishes of a call have been looked at.
    pub fn close(&mut self, token: u32) {
        self.settled(token);
    }

    /// One publish has its answer.
    pub fn answer(&mut self, (token, place): (u32, u32), answer: Answer) {
        if let Some(caller) = self.waiting.get_mut(&token) {
            caller.answers[place as usize] = Some(answer);
        }
        self.settled(token);
    }

    /// One publish can be refused when the others of its call have their answers.
    pub fn defer(&mut self, item: Item) {
        let (token, _) = item.at;
        if let Some(caller) = self.waiting.get_mut(&token) {
            caller.deferred.push(item);
        }
        self.settled(token);
    }

    fn settled(&mut self, token: u32) {
        if let Some(caller) = self.waiting.get_mut(&token) {
            caller.open = caller.open.saturating_sub(1);
            if caller.open == 0 {
                self.ready.push_back(token);
            }
        }
    }

    /// A call of which nothing is open.
    pub fn next_ready(&mut self) -> Option<u32> {
        self.ready.pop_front()
    }

    /// What was put aside of a call: all of that is open again, until the call is closed anew.
    pub fn reopen(&mut self, token: u32) -> Vec<Item> {
        let Some(caller) = self.waiting.get_mut(&token) else {
            return Vec::new();
        };
        let deferred = std::mem::take(&mut caller.deferred);
        if !deferred.is_empty() {
            caller.open = deferred.len() + 1;
        }
        deferred
    }

    /// The response to a call of which everything is answered.
    pub fn finish(&mut self, token: u32, now_ms: Millis) -> Option<Response> {
        let caller = self.waiting.remove(&token)?;
        Some(join(&caller.answers, now_ms))
    }
}

fn join(answers: &[Option<Answer>], now_ms: Millis) -> Response {
    let mut joined = Joined::default();
    let mut said: Option<(usize, &Rc<Refused>)> = None;
    for answer in answers {
        match answer {
            Some(Answer::Refused(refused)) => match said {
                Some((place, same)) if Rc::ptr_eq(same, refused) => joined.repeat(place),
                _ => said = Some((joined.add(&response(refused, now_ms)), refused)),
            },
            Some(Answer::Text(text)) => {
                joined.add_text(text);
            }
            None => {
                joined.add_text(b"503\n\n");
            }
        }
    }
    joined.finish()
}

/// A refusal in the form in which an object gives it.
fn response(refused: &Refused, now_ms: Millis) -> Response {
    let valid_ms = match refused.until_ms {
        Some(until_ms) => until_ms.saturating_sub(now_ms),
        None => refused.verdict.valid_ms,
    };
    let verdict = Verdict {
        valid_ms: valid_ms.min(VERDICT_MS_MAX),
        ..refused.verdict.clone()
    };
    let status = verdict
        .fault
        .as_ref()
        .map_or(503, |fault| fault.code.status());
    let text = verdict.encode().map(|bytes| base64::encode_url(&bytes));
    Response {
        status,
        ..Response::default()
    }
    .with(verdict::HEADER, text.unwrap_or_default())
}
