//! What the object's code costs by itself, natively: commands in, finished responses out.
//!
//! `cargo run --release --example engine -- [--batch N] [--rounds N] [--body BYTES] [--order NAME]`
//! publishes, pulls and acknowledges batches, and prints the time of each step for a message.
//! Instructions, which no neighbour on the machine disturbs, are counted by
//! `valgrind --tool=callgrind --toggle-collect='*one_turn*' target/release/examples/engine`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../tests/native/database.rs"]
#[allow(dead_code)]
mod database;

use database::Database;
use std::time::{Duration, Instant};
use tidegate::command::reply::SinceStart;
use tidegate::command::{Ack, AckEntry, Command, Draft, Envelope, LeaseRef, Pull, codec};
use tidegate::durable::{QueueObject, Turn};
use tidegate::store::StoreError;

const NAME: &str = "bench#0";
const START_MS: u64 = 1_700_000_000_000;

struct Options {
    batch: usize,
    rounds: usize,
    body: usize,
    order: String,
}

/// One object, driven by encoded commands.
struct Bench {
    database: Database,
    object: QueueObject,
    now_ms: u64,
}

impl Bench {
    fn new(order: &str) -> Self {
        let mut database = Database::default();
        let object = QueueObject::open(&mut database, NAME, [7; 16], START_MS).unwrap();
        let mut bench = Self {
            database,
            object,
            now_ms: START_MS,
        };
        let patch = format!(
            r#"{{"delivery":{{"order":"{order}"}},"capacity":{{"max_messages":10000000}}}}"#
        );
        bench.ask(&encoded(Command::Configure { patch: &patch }));
        bench
    }

    /// One command in a turn of its own; the body of its answer, and how long the turn took.
    fn ask(&mut self, command: &[u8]) -> (Vec<u8>, Duration) {
        self.now_ms += 1;
        let command = command.to_vec();
        let began = Instant::now();
        let turn = self.one_turn(command);
        let took = began.elapsed();
        let (_, response) = turn.unwrap().replies.pop().expect("an answer");
        assert!(response.status < 300, "{}", response.status);
        (response.body, took)
    }

    /// What is counted, by this name.
    #[inline(never)]
    fn one_turn(&mut self, command: Vec<u8>) -> Result<Turn, StoreError> {
        let (object, now_ms) = (&mut self.object, self.now_ms);
        self.database.transact(|sql| {
            object.push(1, command, Vec::new());
            object.run(sql, now_ms, SinceStart::default())
        })
    }
}

fn draft<'a>(body: &'a str, key: Option<&'a String>) -> Draft<'a> {
    Draft {
        body: body.as_bytes(),
        content_type: Some("text/plain"),
        key: key.map(String::as_str),
        priority: 4,
        ..Draft::default()
    }
}

fn encoded(command: Command<'_>) -> Vec<u8> {
    let envelope = Envelope::between_objects("bench", command);
    codec::encode(&envelope).unwrap()
}

fn main() {
    let options = read(std::env::args().skip(1));
    let mut bench = Bench::new(&options.order);
    let body = "x".repeat(options.body);
    let key = |n: usize| format!("key {}", n % 997);
    let keys: Vec<String> = (0..options.batch).map(key).collect();
    let has_keys = options.order == "key";
    let drafts: Vec<Draft<'_>> = keys
        .iter()
        .map(|key| draft(&body, has_keys.then_some(key)))
        .collect();
    let publish = match options.batch {
        1 => encoded(Command::Publish(drafts[0].clone())),
        _ => encoded(Command::PublishBatch(
            drafts.iter().cloned().map(Ok).collect(),
        )),
    };
    let pull = encoded(Command::Pull(Pull {
        batch_size: options.batch as u32,
        ..Pull::default()
    }));
    let mut took = [Duration::ZERO; 3];
    let mut done = 0;
    for round in 0..options.rounds {
        // The first tenth warms up.
        if round == options.rounds / 10 {
            took = [Duration::ZERO; 3];
            done = 0;
        }
        took[0] += bench.ask(&publish).1;
        let (answer, pulled) = bench.ask(&pull);
        took[1] += pulled;
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        let messages = answer["messages"].as_array().unwrap();
        let acks = messages.iter().map(|message| AckEntry {
            lease_id: LeaseRef::Text(message["lease_id"].as_str().unwrap()),
            ..AckEntry::default()
        });
        let ack = Ack {
            acks: acks.collect(),
            ..Ack::default()
        };
        took[2] += bench.ask(&encoded(Command::Ack(ack))).1;
        done += messages.len();
    }
    for (name, took) in ["publish", "pull", "ack"].into_iter().zip(took) {
        println!(
            "{name:8}{:8.3} us a message",
            took.as_secs_f64() * 1e6 / done as f64
        );
    }
}

fn read(mut args: impl Iterator<Item = String>) -> Options {
    let mut options = Options {
        batch: 100,
        rounds: 1_000,
        body: 128,
        order: "best_effort".to_owned(),
    };
    while let Some(name) = args.next() {
        let value = args.next().expect("a value after each option");
        let number = || value.parse().expect("a whole number");
        match name.as_str() {
            "--batch" => options.batch = number(),
            "--rounds" => options.rounds = number(),
            "--body" => options.body = number(),
            "--order" => options.order = value,
            _ => panic!("--batch, --rounds, --body or --order, not {name}"),
        }
    }
    options
}
