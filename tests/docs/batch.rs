//! The worked examples of `docs/BATCH.md`, against the code.

use crate::document::{at, read};
use tidegate::command::{
    Accepted, AckEntry, Acknowledged, Command, Delivery, Draft, LeaseRef, LeaseToken, Reply,
};
use tidegate::error::{ErrorCode, Fault};
use tidegate::id::Id;
use tidegate::protocol::http::binary::{ack, answer, publish, pull};

const ID: u128 = 0x018b_cfe5_6800_0000_0000_0007_4000_0001;
const LEASE: u128 = 0x0000_0000_0007_0000_0000_0005_1234_5678;
const OTHER_LEASE: u128 = 0x0000_0000_0008_0000_0000_0006_9abc_def0;
const AT_MS: u64 = 1_700_000_000_000;

/// The bytes of the example of this name.
fn example(name: &str) -> Vec<u8> {
    let document = read(at("docs/BATCH.md"));
    let fence = format!("```hex {name}\n");
    let (_, rest) = document.split_once(&fence).expect("the example is there");
    let (hex, _) = rest.split_once("```").expect("the example ends");
    let byte = |text| u8::from_str_radix(text, 16).expect("hexadecimal digits");
    hex.split_whitespace().map(byte).collect()
}

fn rendered(reply: &Reply) -> Vec<u8> {
    answer::render(reply).expect("it has a binary form").body
}

#[test]
fn messages_are_read_as_the_example_says() {
    let bytes = example("messages");
    let messages = publish::read(&bytes).expect("a batch");
    let first = Draft {
        body: b"hi",
        key: Some("k"),
        priority: 4,
        ..Draft::default()
    };
    let second = Draft {
        body: b"{}",
        content_type: Some("application/json"),
        priority: 9,
        attributes: vec![("region", "eu")],
        ..Draft::default()
    };
    assert_eq!(messages, [Ok(first), Ok(second)]);
}

#[test]
fn verdicts_are_written_as_the_example_says() {
    let accepted = Accepted {
        id: Id(ID),
        seq: 7,
        timestamp_ms: AT_MS,
        position: 1,
        waiting: None,
        ticket: None,
    };
    let refused = Fault::new(ErrorCode::SoldOut, "");
    let bytes = rendered(&Reply::Batch(vec![Ok(accepted), Err(refused)]));
    let expected = example("verdicts");
    // The example's document is cut, so its length differs, and how it ends.
    let document_at = 16 + 33 + 5;
    assert_eq!(bytes[..document_at - 2], expected[..document_at - 2]);
    let cut = &expected[document_at..expected.len() - 1];
    assert_eq!(&bytes[document_at..document_at + cut.len()], cut);
    let length = usize::from(expected[document_at - 2]);
    assert_eq!(expected.len(), document_at + length);
}

#[test]
fn deliveries_are_written_as_the_example_says() {
    let delivery = Delivery {
        id: Id(ID),
        seq: 7,
        lease_id: Some(LeaseToken(LEASE)),
        attempts: 1,
        timestamp_ms: AT_MS,
        state: None,
        body: b"hi".to_vec().into(),
        content_type: None,
        key: Some("k".to_owned()),
        priority: 4,
        attributes: Vec::new(),
    };
    let messages = vec![delivery];
    let bytes = rendered(&Reply::Pulled {
        messages,
        depth: 3,
        acknowledged: None,
    });
    assert_eq!(bytes, example("deliveries"));
}

#[test]
fn entries_are_read_as_the_example_says() {
    let bytes = example("entries");
    let ack = ack::read(&bytes).expect("an acknowledgement");
    let finished = AckEntry {
        lease_id: LeaseRef::Raw(LEASE),
        result: Some("\"ok\""),
        release: false,
    };
    assert_eq!(ack.acks, [finished]);
    assert_eq!(ack.retries, [(LeaseRef::Raw(OTHER_LEASE), Some(5_000))]);
}

#[test]
fn errors_are_written_as_the_example_says() {
    let done = Acknowledged {
        acked: 1,
        retried: 1,
        ..Acknowledged::default()
    };
    assert_eq!(rendered(&Reply::Acknowledged(done)), example("errors"));
}

#[test]
fn a_pull_is_read_as_the_example_says() {
    let bytes = example("pull");
    let Ok(Command::AckPull { ack, pull }) = pull::read(&bytes) else {
        panic!("{:?}", pull::read(&bytes));
    };
    assert_eq!(ack.acks[0].lease_id, LeaseRef::Raw(LEASE));
    assert_eq!(
        (pull.batch_size, pull.visibility_timeout_ms),
        (100, Some(10_000))
    );
}

#[test]
fn what_was_acked_and_pulled_is_written_as_the_example_says() {
    let acknowledged = Acknowledged {
        acked: 1,
        ..Acknowledged::default()
    };
    let bytes = rendered(&Reply::Pulled {
        messages: Vec::new(),
        depth: 0,
        acknowledged: Some(acknowledged),
    });
    assert_eq!(bytes, example("acked-and-pulled"));
}
