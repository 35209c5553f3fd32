//! What released versions stored is opened by this one.
//!
//! `tests/stored/` has a dump of each version's database of a queue and of a topic, as SQL. A release
//! adds its own: `VERSION=0.1.0 cargo test --test native stored -- --ignored`. None is ever changed.

use crate::bench::{Bench, draft};
use crate::database::Database;
use crate::topic::bench::Bench as TopicBench;
use std::path::Path;
use tidegate::command::topic::{Read, Start, TopicCommand, TopicReply};
use tidegate::command::{Ack, AckEntry, Command, Draft, Pull, Reply};

/// When they were written, and a little later.
const NOW_MS: u64 = 1_700_000_000_000 + 1_000;

/// Writes what this version stores of a queue with one of everything: two segments, a delayed and a
/// held message, a lease, a retry, a result, a dead letter, keys, an idempotency key, an expiry.
fn queue_dump() -> String {
    let mut bench = Bench::new(
        r#"{"delivery":{"max_attempts":2,"visibility_timeout_ms":3600000},
            "capacity":{"max_accepted":100,"max_per_key":50},"dedup_window_ms":86400000}"#,
    );
    let publish = |bench: &mut Bench, body: &str, change: &dyn Fn(&mut Draft<'_>)| {
        let mut draft = draft(body);
        draft.key = Some("k");
        change(&mut draft);
        let Ok(Reply::Accepted(accepted)) = bench.ask(Command::Publish(draft)) else {
            panic!("{body} is not accepted");
        };
        accepted.id
    };
    let take = |bench: &mut Bench| {
        let pull = Pull {
            batch_size: 1,
            ..Pull::default()
        };
        let Ok(Reply::Pulled { mut messages, .. }) = bench.ask(Command::Pull(pull)) else {
            panic!("no pull");
        };
        messages.remove(0).lease_id.unwrap().to_string()
    };
    let give_back = |bench: &mut Bench, lease: &str, delay_ms| {
        let mut ack = Ack::default();
        ack.retries.push((lease.into(), delay_ms));
        bench.ask(Command::Ack(ack)).unwrap();
    };
    publish(&mut bench, "done", &|_| {});
    let lease = take(&mut bench);
    let mut ack = Ack::default();
    ack.acks.push(AckEntry {
        lease_id: (&lease[..]).into(),
        result: Some("{\"total\":5}"),
        release: false,
    });
    bench.ask(Command::Ack(ack)).unwrap();
    publish(&mut bench, "dead", &|_| {});
    for _ in 0..2 {
        let lease = take(&mut bench);
        give_back(&mut bench, &lease, None);
    }
    publish(&mut bench, "retried", &|_| {});
    let lease = take(&mut bench);
    give_back(&mut bench, &lease, Some(60_000));
    publish(&mut bench, "leased", &|_| {});
    take(&mut bench);
    publish(&mut bench, "delayed", &|it| it.delay_ms = 60_000);
    publish(&mut bench, "held", &|it| it.hold_ms = Some(3_600_000));
    publish(&mut bench, "once", &|it| it.idempotency_key = Some("i"));
    publish(&mut bench, "urgent", &|it| it.priority = 9);
    publish(&mut bench, "brief", &|it| it.ttl_ms = Some(30_000));
    bench.database.dump()
}

fn topic_dump() -> String {
    let mut bench = TopicBench::new("{}");
    for at in 0..3 {
        let body = format!("news {at}");
        let publish = TopicCommand::PublishBatch(vec![Ok(Draft {
            idempotency_key: (at == 0).then_some("i"),
            ..draft(&body)
        })]);
        bench.ask(publish).unwrap();
    }
    let patch = r#"{"target":{"queue":"orders"}}"#;
    let name = "mine";
    drop(bench.ask(TopicCommand::Subscribe { name, patch }));
    bench.database.dump()
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stored"))
}

fn dumps(kind: &str) -> Vec<(String, String)> {
    let files = std::fs::read_dir(folder()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mine = names.filter(|name| name.starts_with(kind));
    let read = |name: String| {
        let text = std::fs::read_to_string(folder().join(&name)).unwrap();
        (name, text)
    };
    mine.map(read).collect()
}

#[test]
#[ignore = "writes what a release stores"]
fn write_what_this_version_stores() {
    let version = std::env::var("VERSION").unwrap();
    for (kind, text) in [("queue", queue_dump()), ("topic", topic_dump())] {
        std::fs::write(folder().join(format!("{kind}-{version}.sql")), text).unwrap();
    }
}

fn bodies_of(bench: &mut Bench) -> Vec<String> {
    let pull = Pull {
        batch_size: 100,
        ..Pull::default()
    };
    let Ok(Reply::Pulled { messages, .. }) = bench.ask(Command::Pull(pull)) else {
        panic!("no pull");
    };
    let body = |it: &tidegate::command::Delivery| String::from_utf8(it.body.bytes().to_vec());
    messages.iter().map(|it| body(it).unwrap()).collect()
}

#[test]
fn queues_of_every_version_are_opened() {
    let found = dumps("queue");
    assert!(!found.is_empty());
    for (name, text) in found {
        let mut bench = Bench::on(Database::load(&text), NOW_MS);
        let it = bench.describe();
        let figures = (
            it.depth,
            it.in_flight,
            it.delayed,
            it.held,
            it.dead,
            it.accepted,
        );
        assert_eq!(figures, (7, 1, 2, 1, 1, 9), "{name}");
        assert_eq!(bodies_of(&mut bench), ["urgent", "once", "brief"], "{name}");
        let again = Draft {
            key: Some("k"),
            idempotency_key: Some("i"),
            ..draft("once")
        };
        let Ok(Reply::Accepted(again)) = bench.ask(Command::Publish(again)) else {
            panic!("{name}: the key is not known");
        };
        assert_eq!(
            bench.describe().accepted,
            9,
            "{name}: {} is the first",
            again.id
        );
        bench.pass(61_000);
        let mut due = bodies_of(&mut bench);
        due.sort();
        assert_eq!(due, ["delayed", "retried"], "{name}");
        assert_eq!(bench.repair(), 0, "{name}");
        bench.pass(3_600_000);
        assert_eq!(bench.describe().held, 0, "{name}: the hold ran out");
    }
}

#[test]
fn topics_of_every_version_are_opened() {
    let found = dumps("topic");
    assert!(!found.is_empty());
    for (name, text) in found {
        let mut bench = TopicBench::on(Database::load(&text), NOW_MS);
        let read = TopicCommand::Read(Read {
            start: Start::Earliest,
            limit: 10,
            wait_ms: 0,
            filter: None,
        });
        let Ok(TopicReply::Read { page, .. }) = bench.ask(read) else {
            panic!("{name}: no page");
        };
        let bodies: Vec<_> = page
            .messages
            .iter()
            .map(|it| it.body.bytes().to_vec())
            .collect();
        assert_eq!(bodies, [b"news 0", b"news 1", b"news 2"], "{name}");
    }
}
