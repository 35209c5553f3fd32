//! The binary form of batches, which an object reads as a client sent it.

use super::Target;
use tidegate::limits::{ACK_ENTRIES_MAX, BATCH_MESSAGES_MAX, MESSAGE_BYTES_MAX, PRIORITY_MAX};
use tidegate::protocol::http::binary::{ack, publish, pull};

/// Batches of messages, acknowledgements and pulls.
pub const BATCH: Target = Target {
    name: "batch",
    run: batch,
    seeds: || {
        let whole = b"TGB\x01\x01\0\x02\0\
            \x02\0\0\0\x7f\x04\x01\0\x03\0a/b\x01\0k\x01\0i\
            \x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x01\0n\x01\0vhi\
            \0\0\0\0\x40\x09\0\0";
        let mut whole = whole.to_vec();
        // Every flag but the one that excludes the first.
        whole[12] = 0x3f;
        let acks = b"TGB\x01\x04\0\x03\0\
            \0\x030123456789abcdef\x02\0{}\
            \x01\x010123456789abcdef\x05\0\0\0\0\0\0\0\
            \x02\x000123456789abcdef";
        vec![
            whole,
            b"TGB\x01\x01\0\x01\0\x01\0\0\0\0\x04\0\0x".to_vec(),
            acks.to_vec(),
            b"TGB\x01\x06\0\x01\0\x64\0\0\0\x03\0\x10\x27\0\0\0\0\0\0\x02\0{}\
                \0\x000123456789abcdef"
                .to_vec(),
        ]
    },
};

fn batch(bytes: &[u8]) {
    if let Ok(messages) = publish::read(bytes) {
        assert!((1..=BATCH_MESSAGES_MAX).contains(&messages.len()));
        for message in messages.iter().flatten() {
            assert!(message.body.len() <= MESSAGE_BYTES_MAX && message.priority <= PRIORITY_MAX);
        }
        assert!(publish::read(&bytes[..bytes.len() - 1]).is_err());
    }
    if let Ok(ack) = ack::read(bytes) {
        let entries = ack.acks.len() + ack.retries.len() + ack.extends.len();
        assert!((1..=ACK_ENTRIES_MAX).contains(&entries));
        assert!(ack::read(&bytes[..bytes.len() - 1]).is_err());
    }
    if pull::read(bytes).is_ok() {
        assert!(pull::read(&bytes[..bytes.len() - 1]).is_err());
    }
}

#[test]
fn the_seeds_are_read() {
    let seeds = (BATCH.seeds)();
    assert!(
        publish::read(&seeds[0])
            .expect("a batch")
            .iter()
            .all(Result::is_ok)
    );
    assert!(ack::read(&seeds[2]).is_ok());
    assert!(pull::read(&seeds[3]).is_ok());
}
