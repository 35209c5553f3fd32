//! What comes to a relay: publishes from below, answers from above.

use super::Target;
use super::command::{encoded, split};
use tidegate::command::{Command, Draft};
use tidegate::relay::{Outcome, Relay};

const NOW_MS: u64 = 1_700_000_000_000;
/// Time between steps: longer than a relay's pace.
const STEP_MS: u64 = 200;

/// Commands and answers by turns, each behind its length.
pub const RELAY: Target = Target {
    name: "relay",
    run: relay,
    seeds,
};

fn relay(bytes: &[u8]) {
    let mut relay = Relay::new("q#0@weur/AMS");
    let mut now_ms = NOW_MS;
    let (mut asked, mut answered) = (0u32, 0usize);
    for pair in split(bytes).chunks(2) {
        relay.push_shared(asked, std::iter::once(pair[0].to_vec()));
        asked += 1;
        let step = relay.run(now_ms);
        answered += step.replies.len();
        if let (Some(call), Some(answer)) = (step.call, pair.get(1)) {
            relay.called(call.number, Outcome::Answered, answer);
            answered += relay.run(now_ms).replies.len();
        }
        now_ms += STEP_MS;
    }
    // Whatever came, everybody is answered, and once.
    for _ in 0..4 {
        now_ms += 60_000;
        let step = relay.run(now_ms);
        answered += step.replies.len();
        if let Some(call) = step.call {
            relay.called(call.number, Outcome::Failed, b"");
        }
        answered += relay.run(now_ms).replies.len();
    }
    assert_eq!(answered, asked as usize, "calls answered");
}

fn seeds() -> Vec<Vec<u8>> {
    let publish = encoded(Command::Publish(Draft {
        body: b"x",
        idempotency_key: Some("once"),
        ..Draft::default()
    }));
    let report = encoded(Command::Report);
    let parts: [&[u8]; 6] = [
        &publish,
        b"202\nlocation: /v1\n\n{\"id\":1}",
        &publish,
        b"410\ntidegate-verdict: AAAA\n\n",
        &report,
        b"503\n\n{}",
    ];
    let framed = |part: &&[u8]| {
        let length = u16::try_from(part.len()).expect("a seed is short");
        [&length.to_le_bytes()[..], part].concat()
    };
    vec![parts.iter().flat_map(framed).collect()]
}
