//! What a relay does, step by step; the whole tree is in `bench/simulate`.

use super::*;
use crate::command::{Draft, verdict};
use crate::limits::{RELAY_CALL_PUBLISHES_MAX, RELAY_LINE_MAX};

const NOW: Millis = 1_000_000;
const NAME: &str = "q#0@weur/AMS";

fn command(command: Command<'_>, refused: Vec<(ErrorCode, u64)>) -> Vec<u8> {
    codec::encode(&Envelope {
        refused,
        ..Envelope::between_objects("q", command)
    })
    .unwrap()
}

fn publish(key: Option<&str>) -> Vec<u8> {
    let draft = Draft {
        idempotency_key: key,
        body: b"x",
        ..Draft::default()
    };
    command(Command::Publish(draft), Vec::new())
}

fn push(relay: &mut Relay, token: u32, count: usize) {
    relay.push_shared(token, (0..count).map(|_| publish(None)));
}

fn sold_out(valid_ms: Millis) -> Vec<u8> {
    let verdict = Verdict {
        fault: Some(Fault::new(ErrorCode::SoldOut, "gone")),
        answered: None,
        valid_ms,
        is_repeated: false,
        cors_origins: Vec::new(),
    };
    let text = base64::encode_url(&verdict.encode().unwrap());
    format!("410\n{}: {text}\n\n", verdict::HEADER).into_bytes()
}

fn answers(parts: &[&[u8]]) -> Vec<u8> {
    parts.join(&0x1e)
}

const ACCEPTED: &[u8] = b"202\n\n{}";

/// Status, verdict's validity and whether it is repeated, of each answer of a reply.
fn read_reply(response: &Response) -> Vec<(u16, Option<(Millis, bool)>)> {
    let all = joined::split(&response.body).unwrap();
    let one = |text: &&[u8]| {
        let verdict = joined::header(text, verdict::HEADER)
            .map(|it| Verdict::decode(&base64::decode_url(it).unwrap()).unwrap());
        let said = verdict.map(|it| (it.valid_ms, it.is_repeated));
        (joined::status(text), said)
    };
    all.iter().map(one).collect()
}

/// A relay that has just been told, 50 ms after it asked, that everything is sold out.
fn closed() -> Relay {
    let mut relay = Relay::new(NAME);
    push(&mut relay, 1, 1);
    let call = relay.run(NOW).call.unwrap();
    relay.called(call.number, Outcome::Answered, &sold_out(1_000));
    let step = relay.run(NOW + 50);
    assert_eq!(read_reply(&step.replies[0].1), [(410, Some((950, false)))]);
    relay
}

#[test]
fn what_arrives_while_a_call_is_out_travels_as_one() {
    let mut relay = Relay::new(NAME);
    push(&mut relay, 1, 1);
    let first = relay.run(NOW).call.unwrap();
    assert_eq!((first.object.as_str(), first.to_relay), ("q#0@weur", true));
    push(&mut relay, 2, 3);
    push(&mut relay, 5, 2);
    assert!(relay.run(NOW + 1).call.is_none(), "one at a time");
    relay.called(first.number, Outcome::Answered, ACCEPTED);
    let step = relay.run(NOW + 10);
    assert_eq!(read_reply(&step.replies[0].1), [(202, None)]);
    assert!(step.call.is_none(), "not so soon");
    assert_eq!(step.timer_at_ms, Some(NOW + RELAY_PACE_MS));
    let second = relay.run(NOW + RELAY_PACE_MS).call.unwrap();
    assert_eq!(second.commands.len(), 5);
    let body = answers(&[ACCEPTED, b"409\n\na", b"=1", ACCEPTED, b"409\n\nb"]);
    relay.called(second.number, Outcome::Answered, &body);
    let step = relay.run(NOW + 60);
    let said: Vec<_> = step
        .replies
        .iter()
        .map(|(token, it)| (*token, read_reply(it)))
        .collect();
    let plain = |status| (status, None);
    assert_eq!(
        said,
        [
            (2, vec![plain(202), plain(409), plain(409)]),
            (5, vec![plain(202), plain(409)])
        ]
    );
}

#[test]
fn a_verdict_counts_from_the_question_and_what_is_left_is_handed_on() {
    let mut relay = closed();
    push(&mut relay, 2, 2);
    let step = relay.run(NOW + 700);
    let repeated = (410, Some((300, true)));
    assert_eq!(read_reply(&step.replies[0].1), [repeated, repeated]);
    assert!(step.call.is_none());
    push(&mut relay, 3, 1);
    let step = relay.run(NOW + 1_000);
    assert!(step.replies.is_empty(), "it is over");
    assert_eq!(step.call.unwrap().commands.len(), 2, "with the counts");
}

#[test]
fn one_probe_goes_up_before_the_end_and_nothing_waits_for_it() {
    let mut relay = closed();
    push(&mut relay, 2, 1);
    let step = relay.run(NOW + 800);
    assert!(step.replies.is_empty());
    let probe = step.call.unwrap();
    push(&mut relay, 3, 1);
    let step = relay.run(NOW + 810);
    assert_eq!(read_reply(&step.replies[0].1), [(410, Some((190, true)))]);
    relay.called(
        probe.number,
        Outcome::Answered,
        &answers(&[&sold_out(1_000), b"204\n\n"]),
    );
    relay.run(NOW + 850);
    push(&mut relay, 4, 1);
    let step = relay.run(NOW + 900);
    assert_eq!(read_reply(&step.replies[0].1), [(410, Some((900, true)))]);
}

#[test]
fn who_may_have_been_accepted_goes_up_and_the_rest_of_the_call_is_decided_last() {
    let mut relay = closed();
    let commands = [publish(None), publish(Some("order-1"))];
    relay.push_shared(2, commands.into_iter());
    let step = relay.run(NOW + 125);
    assert!(step.replies.is_empty());
    let call = step.call.unwrap();
    assert_eq!(call.commands.len(), 1);
    relay.called(call.number, Outcome::Answered, ACCEPTED);
    let step = relay.run(NOW + 400);
    assert_eq!(
        read_reply(&step.replies[0].1),
        [(410, Some((600, true))), (202, None)]
    );

    let commands = [publish(None), publish(Some("order-1"))];
    relay.push_shared(4, commands.into_iter());
    let call = relay.run(NOW + 600).call.unwrap();
    relay.called(
        call.number,
        Outcome::Answered,
        &answers(&[ACCEPTED, b"204\n\n"]),
    );
    let step = relay.run(NOW + 1_200);
    assert!(step.replies.is_empty(), "no verdict holds any more");
    assert_eq!(step.call.unwrap().commands.len(), 1);
}

#[test]
fn after_a_refusal_calls_are_far_apart() {
    let mut relay = closed();
    relay.push_shared(2, std::iter::once(publish(Some("order-1"))));
    let step = relay.run(NOW + 51);
    assert!(step.call.is_none());
    assert_eq!(step.timer_at_ms, Some(NOW + RELAY_REFUSED_PACE_MS));
    assert!(relay.run(NOW + RELAY_REFUSED_PACE_MS).call.is_some());
}

#[test]
fn counts_are_added_up_and_travel_along_or_after_a_second() {
    let mut relay = closed();
    let count = vec![(ErrorCode::SoldOut, 7)];
    relay.push_shared(2, std::iter::once(command(Command::Report, count.clone())));
    push(&mut relay, 3, 2);
    let step = relay.run(NOW + 100);
    assert_eq!(read_reply(&step.replies[0].1), [(204, None)]);
    assert_eq!(step.timer_at_ms, Some(NOW + 1_100));
    let call = relay.run(NOW + 1_100).call.unwrap();
    let report = codec::decode(&call.commands[0]).unwrap();
    assert_eq!(report.command, Command::Report);
    assert_eq!(report.refused, [(ErrorCode::SoldOut, 9)]);
}

#[test]
fn a_call_and_the_line_have_bounds() {
    let mut relay = Relay::new(NAME);
    push(&mut relay, 1, RELAY_LINE_MAX + 3);
    let step = relay.run(NOW);
    assert!(step.replies.is_empty());
    assert_eq!(step.call.unwrap().commands.len(), RELAY_CALL_PUBLISHES_MAX);
    push(&mut relay, 2, RELAY_CALL_PUBLISHES_MAX + 2);
    relay.run(NOW + 1);
    push(&mut relay, 3, 1);
    let step = relay.run(NOW + 2);
    let [(503, Some((valid_ms, true)))] = read_reply(&step.replies[0].1)[..] else {
        panic!("{step:?}")
    };
    assert!((500..=1_000).contains(&valid_ms));
    // Nobody waits for ever, whatever becomes of the call that is out.
    let late = relay.run(NOW + RELAY_WAIT_MS_MAX + 2);
    assert!(relay.line.is_empty() && late.call.is_none());
    let lost = relay.run(NOW + RELAY_CALL_MS_MAX);
    let tokens: Vec<u32> = lost.replies.iter().map(|(token, _)| *token).collect();
    assert_eq!(tokens, [1]);
}

#[test]
fn overload_above_is_remembered_and_says_less_than_a_verdict() {
    let mut relay = Relay::new(NAME);
    push(&mut relay, 1, 1);
    let call = relay.run(NOW).call.unwrap();
    relay.called(call.number, Outcome::Overloaded, b"");
    relay.run(NOW + 10);
    relay.push_shared(2, std::iter::once(publish(Some("order-1"))));
    let step = relay.run(NOW + 20);
    assert_eq!(read_reply(&step.replies[0].1)[0].0, 503, "with a key, too");

    let mut relay = closed();
    relay.push_shared(2, std::iter::once(publish(Some("order-1"))));
    let call = relay.run(NOW + 200).call.unwrap();
    relay.called(call.number, Outcome::Overloaded, b"");
    relay.run(NOW + 210);
    push(&mut relay, 3, 1);
    let step = relay.run(NOW + 220);
    assert_eq!(read_reply(&step.replies[0].1)[0].0, 410);
}

#[test]
fn a_call_that_fails_is_the_answer_of_all_that_were_in_it() {
    let mut relay = Relay::new(NAME);
    push(&mut relay, 1, 2);
    let call = relay.run(NOW).call.unwrap();
    push(&mut relay, 3, 1);
    relay.run(NOW + 1);
    relay.called(call.number, Outcome::Answered, ACCEPTED);
    let step = relay.run(NOW + 2);
    assert_eq!(read_reply(&step.replies[0].1), [(503, None), (503, None)]);
    let next = relay.run(step.timer_at_ms.unwrap()).call.unwrap();
    assert_eq!(next.commands.len(), 1, "what waited goes on");
    relay.called(call.number, Outcome::Failed, b"");
    assert!(relay.run(NOW + 500).replies.is_empty(), "not its own");
}

#[test]
fn a_place_for_somebody_new_ends_a_verdict_and_one_for_a_repeat_does_not() {
    for (key, at_ms, open) in [(None, 800, true), (Some("order-1"), 200, false)] {
        let mut relay = closed();
        relay.push_shared(2, std::iter::once(publish(key)));
        let call = relay.run(NOW + at_ms).call.unwrap();
        relay.called(call.number, Outcome::Answered, ACCEPTED);
        relay.run(NOW + at_ms + 50);
        push(&mut relay, 3, 1);
        assert_eq!(relay.run(NOW + at_ms + 60).replies.is_empty(), open);
    }
}

#[test]
fn what_is_no_publish_does_not_go_through() {
    let mut relay = Relay::new(NAME);
    let commands = [command(Command::Purge, Vec::new()), vec![9], Vec::new()];
    relay.push_shared(1, commands.into_iter());
    let step = relay.run(NOW);
    let statuses: Vec<u16> = read_reply(&step.replies[0].1)
        .iter()
        .map(|(status, _)| *status)
        .collect();
    assert_eq!(statuses, [500, 503, 503]);
    assert!(step.call.is_none());
}
