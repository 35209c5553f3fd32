//! A queue on a database, driven by hand: the clock moves when told, and a crash is a call.

use crate::database::Database;
use tidegate::command::reply::SinceStart;
use tidegate::command::{Accepted, Pull, Reply, Wait};
use tidegate::command::{
    Ack, AckEntry, Command, Delivery, Description, Draft, Envelope, MessageState,
};
use tidegate::engine::outcome::{Dispatch, Outcome};
use tidegate::engine::queue::Queue;
use tidegate::engine::repair::repair_queue;
use tidegate::error::{ErrorCode, Fault};
use tidegate::id::Id;

/// One queue under test.
pub struct Bench {
    pub database: Database,
    pub queue: Queue,
    pub now_ms: u64,
    /// The alarm the platform would have.
    pub alarm_at_ms: Option<u64>,
    /// How often it was armed: each costs a row.
    pub alarms_armed: u64,
    pub last: Outcome,
    /// Calls of endpoints that turns asked for, until somebody takes them.
    pub dispatches: Vec<Dispatch>,
    /// Turns that failed.
    pub failed_turns: u64,
    next_token: u32,
    pub name: &'static str,
}

impl Bench {
    /// A queue with this configuration (a JSON patch).
    pub fn new(config: &str) -> Self {
        Self::named("orders", config)
    }

    pub fn named(name: &'static str, config: &str) -> Self {
        let mut bench = Self::absent(name);
        bench.ask(Command::Configure { patch: config }).unwrap();
        bench
    }

    /// An object whose queue was never created.
    pub fn absent(name: &'static str) -> Self {
        let mut database = Database::default();
        let now_ms = 1_700_000_000_000;
        let queue = Queue::open(&mut database, name, [7; 16], now_ms).unwrap();
        let last = Outcome::default();
        Self {
            database,
            queue,
            now_ms,
            alarm_at_ms: None,
            alarms_armed: 0,
            last,
            dispatches: Vec::new(),
            failed_turns: 0,
            next_token: 1,
            name,
        }
    }

    /// A queue that lives in this database.
    pub fn on(database: Database, now_ms: u64) -> Self {
        let mut bench = Self::absent("orders");
        bench.database = database;
        bench.now_ms = now_ms;
        bench.reopen();
        bench
    }

    /// Throws memory away and opens the queue from what is stored.
    pub fn reopen(&mut self) {
        let opened = Queue::open(&mut self.database, self.name, [9; 16], self.now_ms);
        self.queue = opened.unwrap_or_else(|_| {
            self.repair();
            Queue::open(&mut self.database, self.name, [9; 16], self.now_ms).unwrap()
        });
    }

    /// What the host does when a turn met damage. How much was found; the queue is opened anew by
    /// who calls.
    pub fn repair(&mut self) -> u64 {
        let (name, now_ms) = (self.name, self.now_ms);
        self.database
            .transact(|sql| repair_queue(sql, name, [9; 16], now_ms))
            .unwrap()
    }

    /// Rows of segments that hold a message which is not final; the others wait to be written over.
    pub fn live_segments(&self) -> u64 {
        self.database.count("segments") - self.queue.spare_rows()
    }

    /// Runs one turn with these commands; their tokens are returned in order.
    pub fn turn(&mut self, commands: Vec<Command<'_>>) -> Vec<u32> {
        let mut tokens = Vec::new();
        let mut requests = Vec::new();
        for command in commands {
            let token = self.next_token;
            self.next_token += 1;
            tokens.push(token);
            let envelope = Envelope::between_objects(self.name, command);
            requests.push((token, envelope));
        }
        if self.alarm_at_ms.is_some_and(|at| at <= self.now_ms) {
            self.alarm_at_ms = None;
        }
        let (queue, now_ms) = (&mut self.queue, self.now_ms);
        let ran = self
            .database
            .transact(|sql| queue.run(sql, now_ms, requests, SinceStart::default()));
        match ran {
            Ok(mut outcome) => {
                self.dispatches.append(&mut outcome.dispatches);
                self.alarms_armed += u64::from(outcome.alarm_at_ms.is_some());
                self.alarm_at_ms = outcome.alarm_at_ms.or(self.alarm_at_ms);
                self.last = outcome;
            }
            Err(_) => {
                self.last = Outcome::default();
                self.failed_turns += 1;
                self.reopen();
            }
        }
        tokens
    }

    /// One command, one turn, and those that have to follow at once; panics when the answer does not
    /// come by then.
    pub fn ask(&mut self, command: Command<'_>) -> Result<Reply, Fault> {
        let token = self.turn(vec![command])[0];
        loop {
            if let Some(answer) = self.answer(token) {
                return answer;
            }
            let goes_on = self.last.timer_at_ms.is_some_and(|at| at <= self.now_ms);
            assert!(goes_on, "no answer, and no turn follows");
            self.turn(Vec::new());
        }
    }

    /// The answer to `token`, if the last turn gave it.
    pub fn answer(&mut self, token: u32) -> Option<Result<Reply, Fault>> {
        let at = self.last.replies.iter().position(|(t, _)| *t == token)?;
        Some(self.last.replies.remove(at).1)
    }

    /// Moves the clock, stopping for every alarm on the way, as the platform would.
    pub fn pass(&mut self, ms: u64) {
        let until = self.now_ms + ms;
        while let Some(at) = self.alarm_at_ms.filter(|at| *at <= until) {
            self.now_ms = self.now_ms.max(at);
            self.turn(Vec::new());
        }
        self.now_ms = until;
    }

    pub fn publish(&mut self, draft: Draft<'_>) -> Result<Accepted, Fault> {
        match self.ask(Command::Publish(draft))? {
            Reply::Accepted(accepted) => Ok(accepted),
            other => panic!("{other:?}"),
        }
    }

    /// Publishes a body with nothing else.
    pub fn put(&mut self, body: &str) -> Accepted {
        self.publish(draft(body)).unwrap()
    }

    pub fn pull(&mut self, batch_size: u32) -> Vec<Delivery> {
        let pull = Pull {
            batch_size,
            ..Pull::default()
        };
        match self.ask(Command::Pull(pull)).unwrap() {
            Reply::Pulled { messages, .. } => messages,
            other => panic!("{other:?}"),
        }
    }

    /// Acknowledges one delivery; the fault of its entry, if it was refused.
    pub fn ack(&mut self, lease_id: &str) -> Result<(), ErrorCode> {
        let acks = vec![AckEntry {
            lease_id: lease_id.into(),
            result: None,
            release: false,
        }];
        self.settle(Ack {
            acks,
            ..Ack::default()
        })
    }

    /// Gives one delivery back, with the queue's own backoff.
    pub fn retry(&mut self, lease_id: &str) -> Result<(), ErrorCode> {
        self.settle(Ack {
            retries: vec![(lease_id.into(), None)],
            ..Ack::default()
        })
    }

    pub fn settle(&mut self, ack: Ack<'_>) -> Result<(), ErrorCode> {
        match self.ask(Command::Ack(ack)).unwrap() {
            Reply::Acknowledged(done) => done
                .errors
                .first()
                .map_or(Ok(()), |error| Err(error.fault.code)),
            other => panic!("{other:?}"),
        }
    }

    pub fn state(&mut self, id: Id) -> Result<MessageState, Fault> {
        match self.ask(Command::Inspect {
            id,
            wait: Wait::None,
        })? {
            Reply::State(state) => Ok(state),
            other => panic!("{other:?}"),
        }
    }

    pub fn describe(&mut self) -> Description {
        match self.ask(Command::Describe).unwrap() {
            Reply::Described { description, .. } => *description,
            other => panic!("{other:?}"),
        }
    }

    pub fn browse(&mut self) -> Vec<Delivery> {
        match self
            .ask(Command::Browse {
                after_seq: 0,
                limit: 1_000,
            })
            .unwrap()
        {
            Reply::Browsed(messages) => messages,
            other => panic!("{other:?}"),
        }
    }
}

/// A draft with a body and nothing else.
pub fn draft(body: &str) -> Draft<'_> {
    Draft {
        body: body.as_bytes(),
        priority: 4,
        ..Draft::default()
    }
}

/// The body of a delivery as text.
pub fn text(delivery: &Delivery) -> String {
    String::from_utf8(delivery.body.bytes().to_vec()).unwrap()
}

/// The lease of a delivery.
pub fn lease(delivery: &Delivery) -> String {
    delivery.lease_id.unwrap().to_string()
}
