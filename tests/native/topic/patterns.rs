//! A small world of objects: the directory, topics that a pattern stands for, the queues of its
//! subscriptions. Calls fail, are carried out without being answered, come late and in any order;
//! objects start anew at any moment. What was accepted after a subscription was there arrives, once,
//! in the order of its topic.

use crate::database::Database;
use crate::random::Random;
use std::collections::BTreeMap;
use tidegate::command::directory::DirectoryCommand;
use tidegate::command::patterns::PatternCommand;
use tidegate::command::reply::SinceStart;
use tidegate::command::topic::{Follow, Form, Start, TopicCommand, TopicEnvelope, encode};
use tidegate::command::{Command, Draft, Envelope, Pull, codec};
use tidegate::durable::{DirectoryObject, QueueObject, TopicObject, Turn};
use tidegate::engine::outcome::Call;
use tidegate::limits::PATTERN_IDLE_MS;
use tidegate::protocol::http::Response;
use tidegate::store::seal;

const DIRECTORY: &str = "#topics";
const PATTERN: &str = "a/#";
const BEGIN_MS: u64 = 1_700_000_000_000;

enum Object {
    Directory(DirectoryObject),
    Topic(Box<TopicObject>),
    Queue(Box<QueueObject>),
}

/// An object and what it stored.
struct Node {
    database: Database,
    object: Object,
    alarm_at_ms: Option<u64>,
    /// How often it started anew: answers to calls of before reach nobody.
    life: u32,
}

struct Sent {
    from: String,
    life: u32,
    call: Call,
}

struct World {
    nodes: BTreeMap<String, Node>,
    sent: Vec<Sent>,
    replies: BTreeMap<u32, Response>,
    now_ms: u64,
    last_token: u32,
}

/// As callers name it: topics begin with `/`.
fn open(database: &mut Database, name: &str, now_ms: u64) -> Object {
    if name.starts_with('#') {
        return Object::Directory(DirectoryObject::open(database).unwrap());
    }
    match name.strip_prefix('/') {
        Some(topic) => {
            let it = TopicObject::open(database, topic, [7; 16], now_ms).unwrap();
            Object::Topic(Box::new(it))
        }
        None => {
            let it = QueueObject::open(database, name, [7; 16], now_ms).unwrap();
            Object::Queue(Box::new(it))
        }
    }
}

impl World {
    fn new() -> Self {
        Self {
            nodes: BTreeMap::new(),
            sent: Vec::new(),
            replies: BTreeMap::new(),
            now_ms: BEGIN_MS,
            last_token: 0,
        }
    }

    fn node(&mut self, name: &str) -> &mut Node {
        let now_ms = self.now_ms;
        self.nodes.entry(name.to_owned()).or_insert_with(|| {
            let mut database = Database::default();
            let object = open(&mut database, name, now_ms);
            Node {
                database,
                object,
                alarm_at_ms: None,
                life: 0,
            }
        })
    }

    /// Memory is gone, storage is not.
    fn restart(&mut self, name: &str) {
        let now_ms = self.now_ms;
        let node = self.node(name);
        node.database.fail_at = None;
        node.object = open(&mut node.database, name, now_ms);
        node.life += 1;
    }

    /// A request to an object, in a turn of its own; its answer, if there is one already.
    fn ask(&mut self, name: &str, command: Vec<u8>) -> (u32, Option<Response>) {
        self.last_token += 1;
        let token = self.last_token;
        match &mut self.node(name).object {
            Object::Directory(it) => it.push(token, command),
            Object::Topic(it) => it.push(token, command, Vec::new()),
            Object::Queue(it) => it.push(token, command, Vec::new()),
        }
        self.turn(name);
        (token, self.replies.remove(&token))
    }

    fn turn(&mut self, name: &str) {
        let now_ms = self.now_ms;
        let node = self.node(name);
        let (object, database) = (&mut node.object, &mut node.database);
        let since = SinceStart::default();
        let fired = node.alarm_at_ms.take_if(|at| *at <= now_ms).is_some();
        let ran = database.transact(|sql| match object {
            Object::Directory(it) => it.run(sql, now_ms),
            Object::Topic(it) => it.run(sql, now_ms, since),
            Object::Queue(it) => it.run(sql, now_ms, since),
        });
        let Ok(turn) = ran else {
            // The platform fires an alarm again whose turn failed.
            node.alarm_at_ms = node.alarm_at_ms.or(fired.then_some(now_ms + 5_000));
            self.restart(name);
            return;
        };
        self.perform(name, turn);
    }

    fn perform(&mut self, name: &str, turn: Turn) {
        let node = self.node(name);
        let life = node.life;
        node.alarm_at_ms = turn.alarm_at_ms.or(node.alarm_at_ms);
        if turn.wipe {
            node.database = Database::default();
            node.alarm_at_ms = None;
            self.restart(name);
        }
        self.replies.extend(turn.replies);
        self.sent.extend(turn.calls.into_iter().map(|call| Sent {
            from: name.to_owned(),
            life,
            call,
        }));
    }

    /// Carries out a call; whether it is answered, and before or after a start, is chance.
    fn deliver(&mut self, at: usize, luck: u64) {
        let Sent { from, life, call } = self.sent.swap_remove(at);
        let mut answer = (false, Vec::new());
        if luck != 0 {
            if let (_, Some(reply)) = self.ask(&call.object, call.command) {
                answer = (reply.status < 300, reply.body);
            } else {
                // A watch that waits: not in this world.
                return;
            }
        }
        if luck == 1 {
            answer = (false, Vec::new());
        }
        let node = self.node(&from);
        if node.life != life {
            return;
        }
        match &mut node.object {
            Object::Directory(it) => it.called(call.number, answer.0, &answer.1),
            Object::Topic(it) => it.called(call.number, answer.0, &answer.1),
            Object::Queue(it) => it.called(call.number, answer.0, &answer.1),
        }
        self.turn(&from);
    }

    /// Goes on until nothing is left to do.
    fn settle(&mut self) {
        for _ in 0..20_000 {
            if !self.sent.is_empty() {
                self.deliver(0, 9);
                continue;
            }
            let due = self.nodes.iter();
            let due = due.filter_map(|(name, node)| Some((node.alarm_at_ms?, name.clone())));
            // Retention is days away; what has to be done is not.
            let Some((at_ms, name)) = due.min().filter(|(at, _)| *at < self.now_ms + 900_000)
            else {
                return;
            };
            self.now_ms = self.now_ms.max(at_ms);
            self.turn(&name);
        }
        let alarms = self.nodes.iter();
        let alarms = alarms.filter_map(|(name, it)| Some((it.alarm_at_ms?, name)));
        let next = alarms.min();
        let callee = self.sent.first().map(|it| &it.call.object);
        panic!("it never settles at {}: {next:?} {callee:?}", self.now_ms);
    }

    fn publish(&mut self, topic: &str, body: &str) -> bool {
        let draft = Draft {
            body: body.as_bytes(),
            priority: 4,
            ..Draft::default()
        };
        let command = TopicCommand::Publish {
            draft,
            expect_seq: None,
        };
        let envelope = TopicEnvelope {
            topic,
            origin: None,
            auto_create: true,
            anonymous: false.into(),
            command,
        };
        let callee = format!("/{topic}#0");
        let (_, reply) = self.ask(&callee, encode(&envelope).unwrap());
        reply.is_some_and(|reply| reply.status == 202)
    }

    fn directory(&mut self, command: PatternCommand<'_>) -> (u32, Option<Response>) {
        let command = DirectoryCommand::Patterns(command).encode().unwrap();
        self.ask(DIRECTORY, command)
    }

    /// Bodies that a queue holds, by the topic they came from, in order.
    fn contents(&mut self, queue: &str) -> BTreeMap<String, Vec<String>> {
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        loop {
            let pull = Pull {
                batch_size: 1_000,
                ..Pull::default()
            };
            let envelope = Envelope {
                queue,
                origin: None,
                auto_create: false,
                binary: false,
                anonymous: false,
                refused: Vec::new(),
                command: Command::Pull(pull),
            };
            let (_, reply) = self.ask(&format!("{queue}#0"), codec::encode(&envelope).unwrap());
            let body = reply.expect("an answer").body;
            let answer: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let messages = answer["messages"].as_array().cloned().unwrap_or_default();
            if messages.is_empty() {
                return found;
            }
            for message in messages {
                let topic = message["attributes"]["tidegate-topic"].as_str().unwrap();
                let body = message["body"].as_str().unwrap();
                found
                    .entry(topic.to_owned())
                    .or_default()
                    .push(body.to_owned());
            }
        }
    }
}

fn put<'a>(name: &'a str, patch: &'a str) -> PatternCommand<'a> {
    PatternCommand::Put {
        pattern: PATTERN,
        name,
        patch,
    }
}

fn wanted(accepted: &[(String, String)]) -> BTreeMap<String, Vec<String>> {
    let mut wanted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (topic, body) in accepted {
        wanted.entry(topic.clone()).or_default().push(body.clone());
    }
    wanted
}

/// A subscription that came in between, and how much was accepted before it was answered.
struct Late {
    name: String,
    token: u32,
    since: Option<usize>,
}

fn play(seed: u64) {
    let mut random = Random::new(seed);
    let mut world = World::new();
    let mut accepted = Vec::new();
    // One that reads all there ever was; one that begins somewhere in between.
    world.directory(put("all", r#"{"from":"earliest"}"#));
    let mut late: Vec<Late> = Vec::new();
    for n in 0..400_u32 {
        match random.below(14) {
            0..=4 => {
                let topic = ["a", "a/b", "a/b/c", "a/d", "b"][random.below(5) as usize];
                let body = n.to_string();
                if world.publish(topic, &body) && topic != "b" {
                    accepted.push((topic.to_owned(), body));
                }
            }
            5..=10 if !world.sent.is_empty() => {
                let at = random.below(world.sent.len() as u64) as usize;
                world.deliver(at, random.below(8));
            }
            11 => {
                let at = random.below(world.nodes.len() as u64) as usize;
                let name = world.nodes.keys().nth(at).unwrap().clone();
                world.restart(&name);
            }
            12 => {
                world.now_ms += random.below(3_000);
                let now_ms = world.now_ms;
                let due = world.nodes.iter();
                let due = due.filter(|(_, node)| node.alarm_at_ms.is_some_and(|at| at <= now_ms));
                for name in due.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
                    world.turn(&name);
                }
            }
            13 if n > 100 && late.len() < 5 => {
                let name = format!("late{}", late.len());
                let patch = format!(r#"{{"target":{{"queue":"{name}"}}}}"#);
                let (token, _) = world.directory(put(&name, &patch));
                let since = None;
                late.push(Late { name, token, since });
            }
            _ => {
                let at = random.below(world.nodes.len() as u64) as usize;
                let name = world.nodes.keys().nth(at).unwrap().clone();
                let node = world.node(&name);
                node.database.fail_at = Some(node.database.statements + 1 + random.below(6));
                world.turn(&name);
                world.node(&name).database.fail_at = None;
            }
        }
        for it in &mut late {
            if it.since.is_none() && world.replies.contains_key(&it.token) {
                it.since = Some(accepted.len());
            }
        }
    }
    world.settle();
    assert_eq!(world.contents("a/#~all"), wanted(&accepted), "seed {seed}");
    for Late { name, since, .. } in late {
        let got = world.contents(&name);
        let since = since.unwrap_or(accepted.len());
        for (topic, bodies) in wanted(&accepted[since..]) {
            let got = got.get(&topic).cloned().unwrap_or_default();
            assert!(
                got.ends_with(&bodies),
                "seed {seed}: {name} {topic} {got:?} {bodies:?}"
            );
        }
    }
}

#[test]
fn whatever_fails_a_pattern_gets_each_message_once_and_in_order() {
    for seed in 0..60 {
        play(seed);
    }
}

#[test]
fn a_thousand_topics_are_told_a_few_at_a_time_and_a_row_each() {
    let mut world = World::new();
    for n in 0..1_000 {
        world.publish(&format!("a/{n}"), "x");
    }
    world.publish("b", "x");
    world.settle();
    let before = world.node(DIRECTORY).database.rows_written;
    let (token, reply) = world.directory(put("s", r#"{"target":{"queue":"sink"}}"#));
    assert!(reply.is_none() && world.sent.len() <= 16);
    world.settle();
    assert_eq!(world.replies[&token].status, 201);
    // A row for each topic and its end, the subscription, the number of the change.
    let written = world.node(DIRECTORY).database.rows_written - before;
    assert!((2_000..2_020).contains(&written), "{written} rows");
    // From now on a publish is what it was: one row, one call of the queue, no directory.
    let asked = world.node(DIRECTORY).database.statements;
    let rows = world.node("/a/7#0").database.rows_written;
    assert!(world.publish("a/7", "y"));
    assert_eq!(world.node("/a/7#0").database.rows_written - rows, 1);
    world.settle();
    assert_eq!(world.node(DIRECTORY).database.statements, asked);
    assert_eq!(
        world.contents("sink"),
        wanted(&[("a/7".into(), "y".into())])
    );
}

#[test]
fn a_directory_that_was_lost_or_is_an_older_one_is_heard_by_topics_that_are_configured() {
    for is_lost in [true, false] {
        replace_the_directory(is_lost);
    }
}

fn replace_the_directory(is_lost: bool) {
    let mut world = World::new();
    let mut earlier = Database::default();
    let to = |queue: &str| format!(r#"{{"target":{{"queue":"{queue}"}}}}"#);
    for n in 0..20 {
        world.publish(&format!("a/{n}"), "x");
        world.directory(put(&format!("s{n}"), &to("before")));
        world.settle();
        if n == 9 && !is_lost {
            earlier = Database::load(&world.node(DIRECTORY).database.dump());
        }
    }
    world.node(DIRECTORY).database = earlier;
    world.restart(DIRECTORY);
    let envelope = TopicEnvelope {
        topic: "a/1",
        origin: None,
        auto_create: true,
        anonymous: false.into(),
        command: TopicCommand::Configure { patch: "{}" },
    };
    world.ask("/a/1#0", encode(&envelope).unwrap());
    world.settle();
    world.now_ms += 1;
    let (token, _) = world.directory(put("again", &to("after")));
    world.settle();
    assert_eq!(world.replies[&token].status, 201);
    assert!(world.publish("a/1", "y"));
    world.settle();
    let y = wanted(&[("a/1".into(), "y".into())]);
    assert_eq!(world.contents("after"), y);
    // From those alone that the directory still has.
    let before = world.contents("before");
    assert_eq!(before.values().flatten().any(|it| it == "y"), !is_lost);
}

#[test]
fn a_seek_and_a_deletion_reach_all_topics() {
    let mut world = World::new();
    world.directory(put("s", "{}"));
    world.settle();
    for topic in ["a/1", "a/2"] {
        world.publish(topic, "x");
    }
    world.settle();
    let both = wanted(&[("a/1".into(), "x".into()), ("a/2".into(), "x".into())]);
    assert_eq!(world.contents("a/#~s"), both);
    world.directory(PatternCommand::Seek {
        pattern: PATTERN,
        name: "s",
        to: Start::Earliest,
    });
    world.settle();
    assert_eq!(world.contents("a/#~s"), both);
    let (token, _) = world.directory(PatternCommand::Delete {
        pattern: PATTERN,
        name: "s",
    });
    world.settle();
    assert_eq!(world.replies[&token].status, 204);
    world.publish("a/1", "y");
    world.settle();
    assert_eq!(world.node("/a/1#0").database.count("subscriptions"), 0);
    assert_eq!(world.node(DIRECTORY).database.count("patterns"), 0);
    assert_eq!(world.node(DIRECTORY).database.count("owed"), 0);
}

#[test]
fn a_subscription_is_answered_once_every_topic_has_heard_of_it() {
    let mut world = World::new();
    world.publish("a/1", "before");
    world.settle();
    world.directory(put("first", r#"{"target":{"queue":"first"}}"#));
    assert_eq!(world.sent.len(), 1);
    // While the topic hears of the first, there is more to tell it.
    let (second, _) = world.directory(put("second", r#"{"target":{"queue":"second"}}"#));
    world.directory(put("third", r#"{"target":{"queue":"third"}}"#));
    world.deliver(0, 9);
    assert!(!world.replies.contains_key(&second), "it was not told yet");
    while !world.replies.contains_key(&second) {
        world.deliver(0, 9);
    }
    world.publish("a/1", "after");
    world.settle();
    let after = wanted(&[("a/1".into(), "after".into())]);
    assert_eq!(world.contents("second"), after);
}

#[test]
fn who_reads_a_pattern_again_while_it_is_being_left_is_fed_by_new_topics_too() {
    let watch = || PatternCommand::Watch { pattern: PATTERN };
    let leave = || PatternCommand::Unwatch { pattern: PATTERN };
    let join = |name| DirectoryCommand::Join { name }.encode().unwrap();
    for told_before in [true, false] {
        let mut world = World::new();
        world.ask(DIRECTORY, join("a/1"));
        world.directory(watch());
        if told_before {
            world.deliver(0, 9);
        }
        world.directory(leave());
        let (again, _) = world.directory(watch());
        world.settle();
        assert!(world.replies.contains_key(&again));
        let (_, known) = world.ask(DIRECTORY, join("a/2"));
        let body = String::from_utf8(known.unwrap().body).unwrap();
        assert!(body.contains(r#""pattern":"a/#""#), "{body}");
        // And once it is left for good, they are not.
        world.directory(watch());
        world.directory(leave());
        world.settle();
        let (_, known) = world.ask(DIRECTORY, join("a/3"));
        let body = String::from_utf8(known.unwrap().body).unwrap();
        assert!(!body.contains("a/#"), "{body}");
    }
}

#[test]
fn who_leaves_a_pattern_while_topics_are_told_of_it_is_forgotten_by_all() {
    let mut world = World::new();
    let join = |name| DirectoryCommand::Join { name }.encode().unwrap();
    world.ask(DIRECTORY, join("a/1"));
    world.directory(PatternCommand::Watch { pattern: PATTERN });
    world.directory(PatternCommand::Unwatch { pattern: PATTERN });
    let (_, known) = world.ask(DIRECTORY, join("a/2"));
    let body = String::from_utf8(known.unwrap().body).unwrap();
    assert!(!body.contains("a/#"), "{body}");
    world.settle();
    assert_eq!(world.node(DIRECTORY).database.count("patterns"), 0);
}

#[test]
fn who_reads_a_pattern_no_more_says_so_once_and_sleeps_until_that_is_answered() {
    let mut world = World::new();
    let name = "/a/##0";
    let follow = TopicCommand::Follow(Follow {
        start: Start::Latest,
        filter: None,
        form: Form::Lines,
        member: None,
    });
    let envelope = TopicEnvelope {
        topic: PATTERN,
        origin: None,
        auto_create: true,
        anonymous: false.into(),
        command: follow,
    };
    let (reader, _) = world.ask(name, encode(&envelope).unwrap());
    world.deliver(0, 9);
    assert!(world.replies.contains_key(&reader), "it is fed");
    let Object::Topic(topic) = &mut world.node(name).object else {
        panic!("a topic")
    };
    topic.cancel(reader);
    world.turn(name);
    world.now_ms += PATTERN_IDLE_MS;
    world.turn(name);
    assert_eq!(world.sent.len(), 1, "nobody reads any more");
    let (now_ms, alarm) = (world.now_ms, world.node(name).alarm_at_ms);
    assert!(alarm.is_some_and(|at| at > now_ms), "{alarm:?} at {now_ms}");
    world.settle();
    assert_eq!(world.node(DIRECTORY).database.count("patterns"), 0);
}

#[test]
fn a_subscription_whose_row_is_damaged_is_gone_and_takes_no_other_along() {
    let mut world = World::new();
    for name in ["hurt", "sound"] {
        let patch = format!(r#"{{"target":{{"queue":"{name}"}}}}"#);
        world.directory(put(name, &patch));
        world.settle();
    }
    let cut = |stored: &mut Vec<u8>| stored.truncate(20);
    let cut_with_a_sum = |stored: &mut Vec<u8>| {
        stored.truncate(20);
        seal::close(stored);
    };
    // Topics would refuse it each time that they are told.
    let with_a_filter_that_is_none = |stored: &mut Vec<u8>| {
        let text = String::from_utf8_lossy(seal::open("a row", stored).unwrap());
        assert!(text.contains(r#""filter":null"#), "{text}");
        *stored = seal::seal(
            text.replacen(r#""filter":null"#, r#""filter":"7""#, 1)
                .as_bytes(),
        );
    };
    let changes: [fn(&mut Vec<u8>); 3] = [cut, cut_with_a_sum, with_a_filter_that_is_none];
    for change in changes {
        let node = world.node(DIRECTORY);
        node.database.damage("patterns", "subscription", 0, change);
        world.restart(DIRECTORY);
        world.publish("a/1", "x");
        world.settle();
        let got = world.contents("sound").remove("a/1").unwrap_or_default();
        assert!(got.ends_with(&["x".to_owned()]), "{got:?}");
        let hurt = r#"{"target":{"queue":"hurt"}}"#;
        let (token, _) = world.directory(put("hurt", hurt));
        world.settle();
        assert_eq!(world.replies[&token].status, 201, "it can be made again");
        world.publish("a/1", "y");
        world.settle();
        for name in ["hurt", "sound"] {
            let got = world.contents(name).remove("a/1").unwrap_or_default();
            assert!(got.ends_with(&["y".to_owned()]), "{name}: {got:?}");
        }
    }
}
