//! An object as its host runs it: a database that lasts, an instance that may go at any moment, one
//! alarm, and calls whose answers count only for the instance that made them.

use super::{Answer, From};
use crate::database::Database;
use std::collections::HashMap;
use tidegate::command::Verdict;
use tidegate::command::reply::SinceStart;
use tidegate::durable::{DirectoryObject, QueueObject, TopicObject, Turn};
use tidegate::engine::outcome::{Call, Dispatch};
use tidegate::push::target::Reach;
use tidegate::store::StoreError;
use tidegate::wire::base64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Queue,
    Topic,
    Directory,
}

enum Core {
    Queue(Box<QueueObject>),
    Topic(Box<TopicObject>),
    Directory(DirectoryObject),
}

/// What goes wrong in a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// The storage fails at so many statements from now: the turn is rolled back.
    Storage(u64),
    /// The instance goes right after the commit: nobody hears of it.
    Crash,
}

/// What a turn brought about.
#[derive(Default)]
pub struct Done {
    /// Responses that were committed, by whom they are for.
    pub answers: Vec<(From, Answer)>,
    pub calls: Vec<Call>,
    /// Calls of the endpoint.
    pub dispatches: Vec<Dispatch>,
    /// Whether anybody is told: not, if the instance went after the commit.
    pub is_told: bool,
}

pub struct Node {
    /// As others call it.
    pub name: &'static str,
    pub kind: Kind,
    pub database: Database,
    core: Option<Core>,
    /// How many instances there were.
    pub instance: u32,
    pub alarm_at_ms: Option<u64>,
    /// The latest instant it knew.
    pub now_ms: u64,
    waiting: HashMap<u32, From>,
    last_token: u32,
}

impl Node {
    pub fn new(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            kind,
            database: Database::default(),
            core: None,
            instance: 0,
            alarm_at_ms: None,
            now_ms: 0,
            waiting: HashMap::new(),
            last_token: 0,
        }
    }

    /// Memory goes; whoever waits for an answer gets none.
    pub fn evict(&mut self) -> Vec<From> {
        self.core = None;
        self.database.fail_at = None;
        self.waiting.drain().map(|(_, from)| from).collect()
    }

    /// The answer to a call that this instance made.
    pub fn called(&mut self, number: u32, ok: bool, body: &[u8]) {
        match &mut self.core {
            Some(Core::Queue(it)) => it.called(number, ok, body),
            Some(Core::Topic(it)) => it.called(number, ok, body),
            Some(Core::Directory(it)) => it.called(number, ok, body),
            None => {}
        }
    }

    /// The answer to a call of the endpoint that this instance made. Whether anybody is there.
    pub fn dispatched(&mut self, number: u32, head: &str) -> bool {
        match &mut self.core {
            Some(Core::Queue(it)) => it.dispatched(number, head, &[]),
            _ => return false,
        }
        true
    }

    /// One turn in one transaction. `Err`: it is rolled back, and these get no answer.
    pub fn turn(
        &mut self,
        asked: Vec<(From, Vec<Vec<u8>>)>,
        now_ms: u64,
        fault: Fault,
    ) -> Result<Done, Vec<From>> {
        if let Fault::Storage(after) = fault {
            self.database.fail_at = Some(self.database.statements + 1 + after);
        }
        let mut arrivals = Vec::new();
        for (from, commands) in asked {
            let first = self.last_token + 1;
            self.last_token += commands.len() as u32;
            self.waiting.insert(first, from);
            arrivals.push((first, from, commands));
        }
        let (mut core, name, kind) = (self.core.take(), self.name, self.kind);
        let is_new = core.is_none();
        self.instance += u32::from(is_new);
        // Chosen by nobody twice: a queue keeps its first one as its secret.
        let mut entropy = [self.instance as u8; 16];
        entropy[..4].copy_from_slice(&name.as_bytes()[..4]);
        let ran = self.database.transact(|sql| {
            let core = match &mut core {
                Some(core) => core,
                none => none.insert(Core::open(sql, name, kind, entropy, now_ms)?),
            };
            for (first, from, commands) in arrivals {
                core.push(first, from, commands);
            }
            core.run(sql, now_ms)
        });
        let Ok(turn) = ran else {
            return Err(self.evict());
        };
        self.database.fail_at = None;
        self.now_ms = core.as_ref().map_or(now_ms, |it| it.now_ms(now_ms));
        self.alarm_at_ms = turn.alarm_at_ms.or(self.alarm_at_ms);
        self.core = core;
        let mut done = Done {
            calls: turn.calls,
            dispatches: turn.dispatches,
            is_told: fault != Fault::Crash,
            ..Done::default()
        };
        for (token, response) in turn.replies {
            if let Some(from) = self.waiting.remove(&token) {
                let answer = Answer {
                    status: response.status,
                    verdict: response.header(VERDICT).map(str::to_owned),
                    body: response.body,
                };
                done.answers.push((from, answer));
            }
        }
        Ok(done)
    }
}

/// The header by which an object has the edge render a refusal.
pub const VERDICT: &str = tidegate::command::verdict::HEADER;

/// What that header says.
pub fn verdict(header: &str) -> Option<Verdict> {
    Verdict::decode(&base64::decode_url(header)?)
}

impl Core {
    fn open(
        sql: &mut Database,
        name: &str,
        kind: Kind,
        entropy: [u8; 16],
        now_ms: u64,
    ) -> Result<Self, StoreError> {
        let object = name.trim_start_matches('/');
        Ok(match kind {
            Kind::Queue => {
                let mut queue = Box::new(QueueObject::open(sql, object, entropy, now_ms)?);
                let reach = Reach {
                    allows_private: true,
                    ..Reach::default()
                };
                queue.equip([1; 32], None, reach);
                Self::Queue(queue)
            }
            Kind::Topic => Self::Topic(Box::new(TopicObject::open(sql, object, entropy, now_ms)?)),
            Kind::Directory => Self::Directory(DirectoryObject::open(sql)?),
        })
    }

    fn push(&mut self, token: u32, from: From, mut commands: Vec<Vec<u8>>) {
        if let (Self::Queue(it), From::Relay { .. }) = (&mut *self, from) {
            return it.push_shared(token, commands.into_iter());
        }
        let command = commands.swap_remove(0);
        match self {
            Self::Queue(it) => it.push(token, command, Vec::new()),
            Self::Topic(it) => it.push(token, command, Vec::new()),
            Self::Directory(it) => it.push(token, command),
        }
    }

    fn run(&mut self, sql: &mut Database, now_ms: u64) -> Result<Turn, StoreError> {
        match self {
            Self::Queue(it) => it.run(sql, now_ms, SinceStart::default()),
            Self::Topic(it) => it.run(sql, now_ms, SinceStart::default()),
            Self::Directory(it) => it.run(sql, now_ms),
        }
    }

    fn now_ms(&self, now_ms: u64) -> u64 {
        match self {
            Self::Queue(it) => it.now_ms(),
            Self::Topic(it) => it.now_ms(),
            Self::Directory(_) => now_ms,
        }
    }
}
