//! A topic with a log, an idempotency key and a subscription; and one whose subscription calls.

use super::{NOW_MS, dumps};
use crate::bench::draft;
use crate::database::Database;
use crate::topic::bench::Bench;
use tidegate::command::Draft;
use tidegate::command::topic::{Read, Start, TopicCommand, TopicReply};

pub fn dump() -> String {
    let mut bench = Bench::new("{}");
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

#[test]
fn topics_of_every_version_are_opened() {
    for (name, text) in dumps("topic") {
        let mut bench = Bench::on(Database::load(&text), NOW_MS);
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

/// A subscription that calls, paused, and a public topic.
pub fn dump_calling() -> String {
    let mut bench = Bench::new(r#"{"access":{"subscribe":"public"}}"#);
    let patch = r#"{"target":{"url":"https://example.com/hook","batch_size":7},"paused":true,
        "filter":"total > 5"}"#;
    let name = "mine";
    drop(bench.turn(vec![TopicCommand::Subscribe { name, patch }]));
    bench.publish("news", None);
    bench.database.dump()
}

#[test]
fn subscriptions_of_every_version_that_call_are_read() {
    for (name, text) in dumps("calling") {
        let mut bench = Bench::on(Database::load(&text), NOW_MS);
        let look = TopicCommand::Subscription { name: "mine" };
        let Ok(TopicReply::Subscription { subscription, .. }) = bench.ask(look) else {
            panic!("{name}: no subscription");
        };
        let push = subscription.push.unwrap();
        let told = (push["url"].as_str(), push["batch_size"].as_u64());
        assert_eq!(told, (Some("https://example.com/hook"), Some(7)), "{name}");
        assert_eq!((subscription.paused, subscription.lag), (true, 1), "{name}");
        assert!(subscription.filter.is_some(), "{name}");
    }
}
