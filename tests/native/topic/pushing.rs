//! A subscription that calls an endpoint, and its own queue: changes, seeks and deletions at any
//! moment, calls of the queue that fail or are lost, and starts of the topic. Whatever was answered
//! with success holds at the queue at that moment, and in the end the queue is as the subscription.

use super::bench::Bench;
use super::handing::{NO_PATTERNS, deliver};
use crate::bench::Bench as QueueBench;
use crate::random::Random;
use serde_json::Value;
use std::collections::BTreeMap;
use tidegate::command::topic::{Start, TopicCommand, TopicReply};
use tidegate::command::{Command, codec};
use tidegate::engine::topic::Topic;
use tidegate::error::{ErrorCode, Fault};
use tidegate::limits::{NAME_CHARS_MAX, SUBSCRIPTIONS_MAX};
use tidegate::push::target::Reach;
use tidegate::store::meta;

const QUEUE: &str = "news~s";
const HOOKS: [&str; 2] = ["https://a.example/", "https://b.example/"];

/// What the subscription should be; the test's own account of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Wanted {
    exists: bool,
    hook: Option<usize>,
    paused: bool,
}

impl Wanted {
    /// What is called, as long as nothing else is asked for.
    fn called(self) -> Option<usize> {
        self.hook.filter(|_| self.exists && !self.paused)
    }
}

/// Who waits for an answer.
enum Waits {
    Put,
    Seek,
    Delete,
    DeleteTopic,
}

struct World {
    topic: Bench,
    queue: QueueBench,
    random: Random,
    wanted: Wanted,
    waiting: BTreeMap<u32, Waits>,
    published: u64,
    is_gone: bool,
}

fn own_queue() -> QueueBench {
    let mut queue = QueueBench::absent(QUEUE);
    queue.queue.equip([1; 32], None, Reach::default());
    queue
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            topic: Bench::new("{}"),
            queue: own_queue(),
            random: Random::new(seed),
            wanted: Wanted::default(),
            waiting: BTreeMap::new(),
            published: 0,
            is_gone: false,
        }
    }

    /// What the queue calls just now.
    fn called(&mut self) -> Option<usize> {
        let Ok(_) = self.queue.ask(Command::Describe) else {
            return None;
        };
        let config = self.queue.describe().config;
        let url = config.get("push")?.get("url")?.as_str()?.to_owned();
        HOOKS.iter().position(|hook| *hook == url)
    }

    fn turn(&mut self, command: Option<(TopicCommand<'_>, Waits)>) {
        let mut commands = Vec::new();
        if let Some((command, waits)) = command {
            self.waiting.insert(self.topic.next_token, waits);
            commands.push(command);
        }
        let replies = self
            .topic
            .turn(commands)
            .expect("storage does not fail here");
        for (token, reply) in replies {
            let waits = self.waiting.remove(&token);
            self.judge(waits, &reply);
        }
    }

    fn judge(&mut self, waits: Option<Waits>, reply: &Result<TopicReply, Fault>) {
        match (waits, reply) {
            (Some(Waits::Put), Ok(_)) => assert_eq!(self.called(), self.wanted.called()),
            (Some(Waits::Delete), Ok(_)) if !self.wanted.exists => assert_eq!(self.called(), None),
            (Some(Waits::DeleteTopic), Ok(_)) => {
                self.is_gone = true;
                assert_eq!(
                    self.called(),
                    None,
                    "the topic is gone, and somebody is called"
                );
            }
            (_, Err(fault)) => assert!(
                matches!(fault.code, ErrorCode::Unavailable | ErrorCode::NotFound),
                "{fault:?}"
            ),
            _ => {}
        }
    }

    /// A call arrives at the queue, and its answer, or the topic's object, may be lost.
    fn run_calls(&mut self, may_fail: bool) {
        for call in std::mem::take(&mut self.topic.calls) {
            if call.object.starts_with('#') {
                self.topic.topic.called(call.number, true, NO_PATTERNS);
                continue;
            }
            let fate = if may_fail { self.random.below(8) } else { 7 };
            if fate == 0 {
                self.topic.topic.called(call.number, false, b"");
                continue;
            }
            let (ok, body) = self.arrive(&call.command);
            match fate {
                1 => self.topic.topic.called(call.number, false, b""),
                2 => {
                    self.topic.reopen();
                    self.waiting.clear();
                    return;
                }
                _ => self.topic.topic.called(call.number, ok, &body),
            }
        }
    }

    fn arrive(&mut self, command: &[u8]) -> (bool, Vec<u8>) {
        let is_deletion = codec::decode(command).unwrap().command == Command::Delete;
        let answer = deliver(&mut self.queue, command);
        if is_deletion {
            self.queue = own_queue();
            self.queue.now_ms = self.topic.now_ms;
        }
        answer
    }

    fn step(&mut self) {
        match self.random.below(12) {
            0..=2 => self.put(),
            3 => {
                self.published += 1;
                self.topic.publish("x", None);
            }
            4 if self.wanted.exists => {
                let (name, to) = ("s", Start::Earliest);
                self.turn(Some((TopicCommand::Seek { name, to }, Waits::Seek)));
            }
            5 if self.wanted.exists => {
                let was_called = self.wanted.hook.is_some();
                self.wanted = Wanted::default();
                let command = TopicCommand::Unsubscribe { name: "s" };
                if was_called {
                    self.turn(Some((command, Waits::Delete)));
                } else {
                    self.topic.turn(vec![command]);
                }
            }
            6 if self.random.below(8) == 0 => {
                self.wanted = Wanted::default();
                self.turn(Some((TopicCommand::Delete, Waits::DeleteTopic)));
            }
            7 => self.topic.now_ms += 1 + self.random.below(20_000),
            _ => self.run_calls(true),
        }
        if !self.is_gone {
            self.turn(None);
        }
    }

    fn put(&mut self) {
        let mut patch = serde_json::Map::new();
        if self.random.below(3) > 0 {
            self.wanted.hook = match self.random.below(3) {
                2 => None,
                n => Some(n as usize),
            };
            let target = self
                .wanted
                .hook
                .map(|n| serde_json::json!({"url": HOOKS[n]}));
            patch.insert("target".to_owned(), target.unwrap_or(Value::Null));
        } else if !self.wanted.exists {
            self.wanted.hook = None;
        }
        if self.random.below(3) == 0 {
            self.wanted.paused = !self.wanted.paused;
            patch.insert("paused".to_owned(), self.wanted.paused.into());
        }
        self.wanted.exists = true;
        let patch = Value::Object(patch).to_string();
        self.turn(Some((
            TopicCommand::Subscribe {
                name: "s",
                patch: &patch,
            },
            Waits::Put,
        )));
    }

    /// Nothing fails any more: everything that is owed happens.
    fn settle(&mut self) {
        for _ in 0..200 {
            self.run_calls(false);
            self.turn(None);
            if self.topic.calls.is_empty() {
                let Some(at) = self.topic.alarm_at_ms.filter(|at| {
                    // Retention is later than any retry.
                    *at < self.topic.now_ms + 3_600_000
                }) else {
                    return;
                };
                self.topic.now_ms = self.topic.now_ms.max(at);
            }
        }
    }
}

#[test]
fn what_was_answered_holds_at_the_queue() {
    for seed in 0..150 {
        let mut world = World::new(seed);
        for _ in 0..120 {
            world.step();
            if world.is_gone {
                break;
            }
        }
        if world.is_gone {
            continue;
        }
        world.settle();
        assert_eq!(world.called(), world.wanted.called(), "seed {seed}");
        if !world.wanted.exists {
            assert!(
                world.queue.ask(Command::Describe).is_err(),
                "seed {seed}: a queue is left"
            );
            continue;
        }
        // All of the log goes through it once more, and nothing of before is beside it.
        let patch = r#"{"target":null,"paused":false}"#;
        world.wanted = Wanted {
            exists: true,
            ..Wanted::default()
        };
        world.turn(Some((
            TopicCommand::Subscribe { name: "s", patch },
            Waits::Put,
        )));
        world.settle();
        let (name, to) = ("s", Start::Earliest);
        world.turn(Some((TopicCommand::Seek { name, to }, Waits::Seek)));
        world.settle();
        assert_eq!(world.queue.describe().depth, world.published, "seed {seed}");
    }
}

#[test]
fn a_queue_that_could_not_be_deleted_is_so_later_whoever_has_its_name() {
    let mut bench = Bench::new("{}");
    let hook = r#"{"target":{"url":"https://a.example/"}}"#;
    let sink = r#"{"target":{"queue":"sink"}}"#;
    let subscribe = |patch| TopicCommand::Subscribe { name: "s", patch };
    let is_deletion = |command: &[u8]| {
        codec::decode(command).is_ok_and(|it| it.queue == QUEUE && it.command == Command::Delete)
    };
    bench.turn(vec![subscribe(hook)]);
    bench.calls.clear();
    bench.reopen();
    bench.turn(vec![TopicCommand::Unsubscribe { name: "s" }]);
    let deletion = bench.calls.iter().find(|it| is_deletion(&it.command));
    let number = deletion.expect("it is deleted").number;
    bench.topic.called(number, false, b"");
    let replies = bench.turn(vec![subscribe(sink)]).unwrap();
    let codes = replies
        .iter()
        .map(|(_, it)| it.as_ref().err().map(|fault| fault.code));
    assert_eq!(
        codes.collect::<Vec<_>>(),
        [Some(ErrorCode::Unavailable), None]
    );
    bench.calls.clear();
    bench.reopen();
    bench.now_ms += 600_000;
    bench.turn(Vec::new());
    assert!(bench.calls.iter().any(|it| is_deletion(&it.command)));
}

/// The queues that calls of the last turns delete, by the numbers of these.
fn deletions(bench: &Bench) -> Vec<(u32, String)> {
    let calls = bench.calls.iter();
    let deletions = calls.filter_map(|it| {
        let envelope = codec::decode(&it.command).ok()?;
        let is_deletion = envelope.command == Command::Delete;
        is_deletion.then(|| (it.number, envelope.queue.to_owned()))
    });
    deletions.collect()
}

/// The one queue that is deleted; it is.
fn delete_queue(bench: &mut Bench) -> String {
    let mut deletions = deletions(bench);
    assert_eq!(deletions.len(), 1);
    let (number, queue) = deletions.remove(0);
    bench.topic.called(number, true, b"");
    bench.calls.clear();
    queue
}

#[test]
fn as_many_queues_as_there_can_be_go_with_their_topic() {
    let mut bench = Bench::new("{}");
    let topic = "t".repeat(NAME_CHARS_MAX);
    bench.topic = Topic::open(&mut bench.database, &topic, [7; 16], bench.now_ms).unwrap();
    let name = |n| format!("{n:0>0$}", NAME_CHARS_MAX);
    let names: Vec<String> = (0..SUBSCRIPTIONS_MAX).map(name).collect();
    let patch = r#"{"target":{"url":"https://a.example/"}}"#;
    let subscribe = |name| TopicCommand::Subscribe { name, patch };
    bench.turn(names.iter().map(|name| subscribe(name)).collect());
    bench.calls.clear();
    bench.topic = Topic::open(&mut bench.database, &topic, [7; 16], bench.now_ms).unwrap();
    bench.turn(vec![TopicCommand::Delete]);
    assert_eq!(bench.failed_turns, 0, "its state fits no row");
    let refused = bench.ask(subscribe("another")).unwrap_err();
    assert_eq!(refused.code, ErrorCode::Overloaded);
    assert_eq!(delete_queue(&mut bench), format!("{topic}~{}", names[0]));
    let replies = bench.turn(vec![subscribe("another")]).unwrap();
    assert!(
        replies.iter().all(|(_, reply)| reply.is_ok()),
        "{replies:?}"
    );
}

#[test]
fn a_queue_that_an_older_row_names_in_full_is_deleted() {
    let mut bench = Bench::new("{}");
    let patch = r#"{"target":{"url":"https://a.example/"}}"#;
    bench.turn(vec![TopicCommand::Subscribe { name: "s", patch }]);
    bench.calls.clear();
    bench.reopen();
    bench.turn(vec![TopicCommand::Unsubscribe { name: "s" }]);
    let mut state = meta::read(&mut bench.database, "state").unwrap().unwrap();
    let end = state.len() - b"\x02~s".len();
    assert_eq!(state.split_off(end), b"\x02~s");
    state.extend(b"\x06news~s");
    meta::write(&mut bench.database, "state", &state).unwrap();
    bench.reopen();
    bench.turn(Vec::new());
    assert_eq!(delete_queue(&mut bench), QUEUE);
    bench.turn(Vec::new());
    bench.reopen();
    bench.now_ms += 600_000;
    bench.turn(Vec::new());
    assert!(deletions(&bench).is_empty());
}
