//! A topic on a database, driven by hand. A live reader here does what `host/feed.js` does: it keeps
//! the number it is at, and its socket remembers what it was told to.

use crate::database::Database;
use std::collections::{BTreeMap, BTreeSet};
use tidegate::command::reply::SinceStart;
use tidegate::command::topic::{
    Anonymous, Follow, Form, Frame, News, Read, Start, TopicCommand, TopicEnvelope, TopicReply,
};
use tidegate::command::{Accepted, Draft};
use tidegate::engine::outcome::Call;
use tidegate::engine::topic::{Topic, TopicOutcome};
use tidegate::error::Fault;

pub const NAME: &str = "news";

/// A live reader.
#[derive(Debug, Default)]
pub struct Reader {
    pub next_seq: u64,
    pub seqs: Vec<u64>,
    pub missed: u64,
    pub lagged: u64,
    /// Who is here, as far as it was told.
    pub members: BTreeSet<String>,
    memory: Vec<u8>,
    taken: u32,
}

pub struct Bench {
    pub database: Database,
    pub topic: Topic,
    pub now_ms: u64,
    pub alarm_at_ms: Option<u64>,
    /// When the last turn asked for the next one.
    pub timer_at_ms: Option<u64>,
    pub readers: BTreeMap<u32, Reader>,
    /// Calls of the last turns that nobody has answered.
    pub calls: Vec<Call>,
    /// What the log was told.
    pub events: Vec<String>,
    pub failed_turns: u64,
    /// Frames of the last turn that say who is here.
    pub presence_frames: usize,
    pub next_token: u32,
    /// Who asks.
    pub anonymous: Anonymous,
}

impl Bench {
    pub fn new(config: &str) -> Self {
        let mut database = Database::default();
        let now_ms = 1_700_000_000_000;
        let topic = Topic::open(&mut database, NAME, [7; 16], now_ms).unwrap();
        let mut bench = Self {
            database,
            topic,
            now_ms,
            alarm_at_ms: None,
            timer_at_ms: None,
            readers: BTreeMap::new(),
            calls: Vec::new(),
            events: Vec::new(),
            failed_turns: 0,
            presence_frames: 0,
            next_token: 1,
            anonymous: Anonymous::default(),
        };
        bench
            .ask(TopicCommand::Configure { patch: config })
            .unwrap();
        bench
    }

    /// A topic that lives in this database.
    pub fn on(database: Database, now_ms: u64) -> Self {
        let mut bench = Self::new("{}");
        bench.database = database;
        bench.now_ms = now_ms;
        bench.reopen();
        bench
    }

    /// Throws memory away; sockets remember what they were told to, calls are lost.
    pub fn reopen(&mut self) {
        self.database.fail_at = None;
        self.calls.clear();
        self.topic = Topic::open(&mut self.database, NAME, [9; 16], self.now_ms).unwrap();
        for (token, reader) in &self.readers {
            assert!(self.topic.attach(*token, &reader.memory));
        }
    }

    /// One turn; `None` when storage failed in it.
    pub fn turn(
        &mut self,
        commands: Vec<TopicCommand<'_>>,
    ) -> Option<Vec<(u32, Result<TopicReply, Fault>)>> {
        let mut requests = Vec::new();
        for command in commands {
            let envelope = TopicEnvelope {
                topic: NAME,
                origin: None,
                auto_create: true,
                anonymous: self.anonymous,
                command,
            };
            requests.push((self.next_token, envelope));
            self.next_token += 1;
        }
        if self.alarm_at_ms.is_some_and(|at| at <= self.now_ms) {
            self.alarm_at_ms = None;
        }
        let (topic, now_ms) = (&mut self.topic, self.now_ms);
        let ran = self
            .database
            .transact(|sql| topic.run(sql, now_ms, requests, SinceStart::default()));
        let Ok(outcome) = ran else {
            self.failed_turns += 1;
            self.reopen();
            return None;
        };
        Some(self.perform(outcome))
    }

    fn perform(&mut self, outcome: TopicOutcome) -> Vec<(u32, Result<TopicReply, Fault>)> {
        self.alarm_at_ms = outcome.alarm_at_ms.or(self.alarm_at_ms);
        self.timer_at_ms = outcome.timer_at_ms;
        self.calls.extend(outcome.calls);
        self.events.extend(outcome.events);
        for (token, reply) in &outcome.replies {
            if matches!(reply, Ok(TopicReply::Following)) {
                self.readers.insert(*token, Reader::default());
            }
        }
        let is_presence = |it: &&Frame| matches!(it.news, News::Here(_) | News::Presence(_));
        self.presence_frames = outcome.frames.iter().filter(is_presence).count();
        for frame in &outcome.frames {
            for token in &frame.tokens {
                if let Some(reader) = self.readers.get_mut(token) {
                    reader.take(frame);
                }
            }
        }
        outcome.replies
    }

    /// Readers say what they took since they last did; whether they took anything.
    pub fn say_what_was_taken(&mut self) -> bool {
        let mut said = false;
        for (token, reader) in &mut self.readers {
            let taken = std::mem::take(&mut reader.taken);
            said |= taken > 0;
            if taken > 0 {
                self.topic.credit(*token, taken);
            }
        }
        said
    }

    /// Readers say what they took, and turns go on until nobody gets anything new.
    pub fn settle(&mut self) {
        for _ in 0..10_000 {
            let said = self.say_what_was_taken();
            let before: usize = self.readers.values().map(|it| it.seqs.len()).sum();
            let due = self.alarm_at_ms.is_some_and(|at| at <= self.now_ms);
            self.turn(Vec::new());
            let after: usize = self.readers.values().map(|it| it.seqs.len()).sum();
            if !said && before == after && !due {
                return;
            }
        }
        panic!("it never settles");
    }

    /// One command, one turn.
    pub fn ask(&mut self, command: TopicCommand<'_>) -> Result<TopicReply, Fault> {
        let replies = self.turn(vec![command]).expect("a turn");
        replies.into_iter().next().expect("an answer").1
    }

    pub fn publish(&mut self, body: &str, key: Option<&str>) -> Accepted {
        match self.ask(publish(body, key)).unwrap() {
            TopicReply::Accepted(accepted) => accepted,
            other => panic!("{other:?}"),
        }
    }

    /// Opens a live reader; its token.
    pub fn follow(&mut self, start: Start, filter: Option<&str>) -> u32 {
        self.follow_as(Form::Lines, start, filter)
    }

    pub fn follow_as(&mut self, form: Form, start: Start, filter: Option<&str>) -> u32 {
        let token = self.next_token;
        let follow = Follow {
            start,
            filter,
            form,
            member: None,
        };
        self.ask(TopicCommand::Follow(follow)).unwrap();
        token
    }

    pub fn read(&mut self, start: Start, filter: Option<&str>) -> (Vec<(u64, String)>, u64) {
        let (mut found, mut next, mut missed) = (Vec::new(), start, 0);
        loop {
            let read = Read {
                start: next,
                limit: 1_000,
                wait_ms: 0,
                filter,
            };
            let Ok(TopicReply::Read { page, last_seq, .. }) = self.ask(TopicCommand::Read(read))
            else {
                panic!("no page");
            };
            missed += page.missed;
            for message in &page.messages {
                let body = String::from_utf8(message.body.bytes().to_vec()).unwrap();
                found.push((message.seq, body));
            }
            if page.next_seq > last_seq {
                return (found, missed);
            }
            next = Start::Seq(page.next_seq);
        }
    }
}

impl Reader {
    fn hear(&mut self, changes: &[(String, bool)]) {
        for (member, joined) in changes {
            let is_new = match joined {
                true => self.members.insert(member.clone()),
                false => self.members.remove(member),
            };
            assert!(is_new, "{member} told what it is told again");
        }
    }

    fn take(&mut self, frame: &Frame) {
        if !frame.memory.is_empty() {
            self.memory.clone_from(&frame.memory);
        }
        let (page, lagged) = match &frame.news {
            News::Messages { page, lagged, .. } => (page, lagged),
            News::Here(members) => {
                self.members = members.iter().cloned().collect();
                return;
            }
            News::Presence(changes) => return self.hear(changes),
            _ => return,
        };
        self.taken += 1;
        if self.next_seq == 0 {
            self.next_seq = frame.from_seq;
        }
        if frame.from_seq != self.next_seq {
            assert!(page.next_seq <= self.next_seq, "a piece is missing");
            return;
        }
        self.next_seq = page.next_seq;
        self.missed += page.missed;
        self.lagged += u64::from(lagged.is_some());
        self.seqs.extend(page.messages.iter().map(|it| it.seq));
    }
}

pub fn publish<'a>(body: &'a str, key: Option<&'a str>) -> TopicCommand<'a> {
    let draft = Draft {
        body: body.as_bytes(),
        key,
        priority: 4,
        ..Draft::default()
    };
    TopicCommand::Publish {
        draft,
        expect_seq: None,
    }
}
