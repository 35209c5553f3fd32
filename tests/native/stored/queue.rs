//! A queue with one of everything that one queue can have at a time.

use super::{NOW_MS, dumps};
use crate::bench::{Bench, draft};
use crate::database::Database;
use tidegate::command::{Ack, AckEntry, Command, Delivery, Draft, Pull, Reply};

/// Two segments, a delayed and a
/// held message, a lease, a retry, a result, a dead letter, keys, an idempotency key, an expiry.
pub fn dump() -> String {
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

fn bodies_of(bench: &mut Bench) -> Vec<String> {
    let pull = Pull {
        batch_size: 100,
        ..Pull::default()
    };
    let Ok(Reply::Pulled { messages, .. }) = bench.ask(Command::Pull(pull)) else {
        panic!("no pull");
    };
    let body = |it: &Delivery| String::from_utf8(it.body.bytes().to_vec());
    messages.iter().map(|it| body(it).unwrap()).collect()
}

#[test]
fn queues_of_every_version_are_opened() {
    for (name, text) in dumps("queue") {
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
