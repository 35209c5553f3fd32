//! What is read back from storage, as a damaged disk would give it.

use super::Target;
use tidegate::engine::segment::{Builder, Head, Segment};
use tidegate::store::seal;

const NOW_MS: u64 = 1_700_000_000_000;

/// A segment: the length of its head in two bytes, its head, its body.
pub const SEGMENT: Target = Target {
    name: "segment",
    run: segment,
    seeds: segment_seeds,
};

fn segment(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let (head, body) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
    // With the right sums: what they let through has to be read safely too.
    let mut head = head.to_vec();
    if let Some(place) = head.get_mut(seal::SEAL_BYTES..seal::SEAL_BYTES + seal::SUM_BYTES) {
        place.copy_from_slice(&seal::sum(0, body));
    }
    seal::close(&mut head);
    let Ok(segment) = Segment::decode(4, head, Some(body.to_vec())) else {
        return;
    };
    for item in &segment.items {
        let length = segment.body(item).bytes().len();
        assert!(length <= body.len());
        let _ = segment.head(item);
    }
}

fn segment_seeds() -> Vec<Vec<u8>> {
    let mut builder = Builder::default();
    for at in 0..3 {
        let head = Head {
            offset: 0,
            body_bytes: 0,
            priority: 4,
            expires_at_ms: Some(5),
            due_ms: None,
            answer: Some((1, 2, 3)),
            attempts: 0,
            content_type: Some("text/plain"),
            key: Some("k"),
            attributes: vec![("a", "b")],
        };
        builder.push(100 + at, head, b"body");
    }
    let segment = builder.finish(4, NOW_MS, 7);
    let (head, body) = segment.stored();
    let length = u16::try_from(head.len()).expect("a seed is short");
    vec![[&length.to_le_bytes()[..], head, body].concat()]
}
