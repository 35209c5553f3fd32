//! The object: the production code on SQLite in memory, behind a line, with a time for its work.

use super::database::Database;
use super::settings::{MS, START_MS, Settings, Us};
use std::collections::VecDeque;
use tidegate::command::reply::SinceStart;
use tidegate::durable::QueueObject;
use tidegate::protocol::http::Response;
use tidegate::store::StoreError;

const NAME: &str = "drop#0";

/// What publishes leave of the line to all else (`host/object.js`).
const LINE_KEPT: usize = 512;

/// A call that waits for its answer; `T` is who asked.
pub struct Waiting<T> {
    pub asker: T,
    pub commands: Vec<Vec<u8>>,
    /// Whether they share the call, which is answered with all of their answers.
    pub shared: bool,
}

/// Calls with their answers; `None` where the object failed.
pub type Answers<T> = Vec<(Waiting<T>, Option<Response>)>;

/// One turn that has run.
pub struct Ran<T> {
    pub answers: Answers<T>,
    pub alarm_at_us: Option<Us>,
    pub work_us: Us,
}

/// The object and its line.
pub struct Object<T> {
    database: Database,
    /// `None` between a crash and the next turn.
    queue: Option<QueueObject>,
    line: VecDeque<Waiting<T>>,
    turn_us: Us,
    call_us: Us,
    message_us: Us,
    turn_calls_max: usize,
    line_calls_max: usize,
    starts: u8,
    /// Whether the next turn fails and is rolled back.
    pub fails_next: bool,
}

impl<T> Object<T> {
    pub fn new(settings: &Settings) -> Self {
        Self {
            database: Database::default(),
            queue: None,
            line: VecDeque::new(),
            turn_us: settings.turn_us,
            call_us: settings.call_us,
            message_us: settings.message_us,
            turn_calls_max: settings.turn_calls_max,
            line_calls_max: settings.line_calls_max,
            starts: 0,
            fails_next: false,
        }
    }

    /// Takes a call into the line; gives it back when the line is too long.
    pub fn arrive(&mut self, call: Waiting<T>) -> Result<(), T> {
        let kept = if call.shared { LINE_KEPT } else { 0 };
        if self.line.len() + kept >= self.line_calls_max {
            return Err(call.asker);
        }
        self.line.push_back(call);
        Ok(())
    }

    pub fn has_line(&self) -> bool {
        !self.line.is_empty()
    }

    /// Drops memory and the line; what was committed stays.
    pub fn crash(&mut self) -> Vec<T> {
        self.queue = None;
        self.line.drain(..).map(|it| it.asker).collect()
    }

    /// Runs one turn with what is in line.
    pub fn run(&mut self, now_us: Us) -> Ran<T> {
        let calls: Vec<Waiting<T>> = self
            .line
            .drain(..self.line.len().min(self.turn_calls_max))
            .collect();
        let work_us = self.turn_us + calls.iter().map(|it| self.work_us(it)).sum::<Us>();
        let fails = std::mem::take(&mut self.fails_next);
        let ran = self.run_calls(&calls, START_MS + now_us / MS, fails);
        match ran {
            Ok(mut turn) => {
                turn.replies.sort_unstable_by_key(|(token, _)| *token);
                let mut replies = turn.replies.into_iter().peekable();
                let mut token = 0;
                let answer = |call: Waiting<T>| {
                    let reply = replies.next_if(|(of, _)| *of == token);
                    token += call.commands.len() as u32;
                    (call, reply.map(|(_, response)| response))
                };
                let answers = calls.into_iter().map(answer).collect();
                let alarm_at_us = turn.alarm_at_ms.map(|at| at.saturating_sub(START_MS) * MS);
                Ran {
                    answers,
                    alarm_at_us,
                    work_us,
                }
            }
            Err(_) => {
                self.queue = None;
                let answers = calls.into_iter().map(|call| (call, None)).collect();
                Ran {
                    answers,
                    alarm_at_us: None,
                    work_us,
                }
            }
        }
    }

    fn run_calls(
        &mut self,
        calls: &[Waiting<T>],
        now_ms: u64,
        fails: bool,
    ) -> Result<tidegate::durable::Turn, StoreError> {
        let (starts, queue) = (&mut self.starts, &mut self.queue);
        self.database.transact(|sql| {
            let queue = match queue {
                Some(queue) => queue,
                None => {
                    *starts += 1;
                    queue.insert(QueueObject::open(sql, NAME, [*starts; 16], now_ms)?)
                }
            };
            let mut token = 0;
            for call in calls {
                if call.shared {
                    queue.push_shared(token, call.commands.iter().cloned());
                } else {
                    queue.push(token, call.commands[0].clone(), Vec::new());
                }
                token += call.commands.len() as u32;
            }
            let turn = queue.run(sql, now_ms, SinceStart::default())?;
            if fails {
                Err(StoreError("the disk is full".to_owned()))
            } else {
                Ok(turn)
            }
        })
    }

    fn work_us(&self, call: &Waiting<T>) -> Us {
        self.call_us + (call.commands.len() as u64 - 1) * self.message_us
    }
}
