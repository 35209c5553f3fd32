//! Dead letters: where they go, that each arrives once, and how they come home.

use crate::bench::{Bench, draft, lease, text};
use tidegate::command::placement::DIRECTORY;
use tidegate::command::{Ack, AckEntry, Command, Delivery, Draft, Reply, Selection, State, codec};
use tidegate::engine::outcome::Call;
use tidegate::error::ErrorCode;

const CONFIG: &str = r#"{"delivery":{"dead_letter_queue":"graves","max_attempts":1}}"#;

/// A queue, its dead-letter queue, and the calls between them.
pub struct Pair {
    pub home: Bench,
    pub graves: Bench,
}

impl Pair {
    pub fn new(home: &str, graves: &str) -> Self {
        let (home, graves) = (Bench::named("orders", home), Bench::named("graves", graves));
        let mut pair = Self { home, graves };
        pair.run();
        pair
    }

    /// Carries calls to and fro until there are none. Gives the answers to clients on the way.
    pub fn run(&mut self) -> Vec<Reply> {
        let mut replies = Vec::new();
        loop {
            let from_home = std::mem::take(&mut self.home.last.calls);
            let from_graves = std::mem::take(&mut self.graves.last.calls);
            if from_home.is_empty() && from_graves.is_empty() {
                return replies;
            }
            from_home
                .iter()
                .for_each(|call| carry(call, &mut self.home, &mut self.graves));
            from_graves
                .iter()
                .for_each(|call| carry(call, &mut self.graves, &mut self.home));
            for bench in [&mut self.home, &mut self.graves] {
                replies.extend(
                    bench
                        .last
                        .replies
                        .drain(..)
                        .filter_map(|(_, reply)| reply.ok()),
                );
            }
        }
    }

    fn redrive(&mut self) -> u64 {
        self.home.turn(vec![Command::Redrive]);
        let moved = self.run().into_iter().find_map(|r| {
            if let Reply::Moved(n) = r {
                Some(n)
            } else {
                None
            }
        });
        moved.expect("an answer to the redrive")
    }
}

/// Has a call answered by the object it is for.
fn carry(call: &Call, from: &mut Bench, to: &mut Bench) {
    let answer = if call.object == DIRECTORY {
        None
    } else {
        let envelope = codec::decode(&call.command).unwrap();
        let (earlier, later) = (std::mem::take(&mut to.last.calls), envelope.command);
        let reply = to.ask(later).unwrap();
        to.last.calls.splice(0..0, earlier);
        Some(reply)
    };
    let body = match answer {
        Some(Reply::Moved(n)) => format!(r#"{{"moved":{n}}}"#),
        None => String::new(),
        other => panic!("{other:?}"),
    };
    from.queue.called(call.number, true, body.as_bytes());
    let calls = std::mem::take(&mut from.last.calls);
    from.turn(Vec::new());
    from.last.calls.splice(0..0, calls);
}

fn attribute<'a>(delivery: &'a Delivery, name: &str) -> Option<&'a str> {
    delivery
        .attributes
        .iter()
        .find(|(n, _)| n == name)
        .map(|(_, value)| value.as_str())
}

#[test]
fn a_dead_letter_goes_to_its_queue_with_its_history_and_comes_home_without() {
    let mut pair = Pair::new(CONFIG, "{}");
    let sent = Draft {
        key: Some("k"),
        attributes: vec![("colour", "red")],
        priority: 7,
        ..draft("body")
    };
    let id = pair.home.publish(sent).unwrap().id;
    let delivery = pair.home.pull(1).remove(0);
    pair.home.retry(&lease(&delivery)).unwrap();
    assert_eq!(pair.home.state(id).unwrap().state, State::Dead);
    pair.home.turn(Vec::new());
    pair.home.reopen();
    pair.home.turn(Vec::new());
    pair.run();
    assert_eq!(
        (pair.home.describe().dead, pair.home.describe().depth),
        (0, 0)
    );
    assert_eq!(pair.home.database.count("dead"), 0);
    let listed = pair.graves.browse().remove(0);
    assert_eq!(
        (text(&listed), listed.key.as_deref(), listed.priority),
        ("body".into(), Some("k"), 7)
    );
    for (name, value) in [
        ("colour", "red"),
        ("tidegate-dead-queue", "orders"),
        ("tidegate-dead-id", &id.to_string()),
        ("tidegate-dead-attempts", "1"),
        ("tidegate-dead-reason", "max_attempts"),
    ] {
        assert_eq!(attribute(&listed, name), Some(value));
    }
    assert_eq!(pair.redrive(), 1);
    pair.run();
    assert_eq!(pair.graves.describe().depth, 0);
    let again = pair.home.pull(1).remove(0);
    assert_eq!((text(&again), again.attempts), ("body".into(), 1));
    assert_eq!(again.attributes, [("colour".to_owned(), "red".to_owned())]);
}

#[test]
fn a_call_that_is_repeated_is_taken_once_and_an_answer_that_is_lost_is_repeated() {
    let mut pair = Pair::new(CONFIG, "{}");
    pair.home.put("x");
    let delivery = pair.home.pull(1).remove(0);
    pair.home.retry(&lease(&delivery)).unwrap();
    let calls = std::mem::take(&mut pair.home.last.calls);
    assert_eq!(calls.len(), 1);
    for _ in 0..3 {
        let envelope = codec::decode(&calls[0].command).unwrap();
        assert!(matches!(
            pair.graves.ask(envelope.command),
            Ok(Reply::Moved(1))
        ));
        pair.graves.reopen();
    }
    // The answer never came. The alarm has it sent again.
    pair.home.reopen();
    pair.home.now_ms = pair
        .home
        .alarm_at_ms
        .expect("an alarm for what is on its way");
    pair.home.turn(Vec::new());
    assert_eq!(pair.home.last.calls.len(), 1);
    pair.run();
    assert_eq!(
        (
            pair.graves.describe().depth,
            pair.graves.describe().accepted_total
        ),
        (1, 1)
    );
    assert_eq!(pair.home.describe().dead, 0);
}

#[test]
fn dead_letters_wait_while_their_queue_is_full() {
    let mut pair = Pair::new(CONFIG, r#"{"capacity":{"max_messages":2}}"#);
    for n in 0..5 {
        pair.home.put(&n.to_string());
    }
    for delivery in pair.home.pull(9) {
        pair.home.retry(&lease(&delivery)).unwrap();
        pair.run();
    }
    assert_eq!(
        (pair.graves.describe().depth, pair.home.describe().dead),
        (2, 3)
    );
    for delivery in pair.graves.pull(9) {
        pair.graves.ack(&lease(&delivery)).unwrap();
    }
    let retry_at_ms = pair.home.alarm_at_ms.unwrap();
    assert!(retry_at_ms > pair.home.now_ms, "not at once, in a loop");
    pair.home.now_ms = retry_at_ms;
    pair.home.turn(Vec::new());
    pair.run();
    assert_eq!(
        (pair.graves.describe().depth, pair.home.describe().dead),
        (2, 1)
    );
}

#[test]
fn overflow_goes_to_the_dead_letter_queue_and_takes_no_place() {
    let config = r#"{"capacity":{"max_messages":1,"max_accepted":2,"overflow":"dead_letter"},
        "delivery":{"dead_letter_queue":"graves"}}"#;
    let mut pair = Pair::new(config, "{}");
    pair.home.put("in");
    let over = pair
        .home
        .publish(Draft {
            idempotency_key: Some("o"),
            ..draft("over")
        })
        .unwrap();
    pair.run();
    let again = pair
        .home
        .publish(Draft {
            idempotency_key: Some("o"),
            ..draft("over")
        })
        .unwrap();
    assert_eq!(over, again);
    pair.run();
    let description = pair.home.describe();
    assert_eq!(
        (
            description.depth,
            description.accepted,
            description.accepted_total
        ),
        (1, 1, 2)
    );
    assert_eq!(pair.home.state(over.id).unwrap().state, State::Dead);
    let listed = pair.graves.browse();
    assert_eq!(listed.len(), 1);
    assert_eq!(
        attribute(&listed[0], "tidegate-dead-reason"),
        Some("overflow")
    );
}

#[test]
fn a_redriven_message_lives_on_and_keeps_when_it_was_accepted() {
    let mut bench = Bench::new(r#"{"delivery":{"max_attempts":1}}"#);
    let accepted = bench
        .publish(Draft {
            ttl_ms: Some(5_000),
            delay_ms: 10,
            ..draft("x")
        })
        .unwrap();
    bench.pass(10);
    let delivery = bench.pull(1).remove(0);
    bench.now_ms += 1_000;
    // It dies and comes back in one turn.
    let ack = tidegate::command::Ack {
        retries: vec![(delivery.lease_id.unwrap().into(), None)],
        ..Default::default()
    };
    let tokens = bench.turn(vec![Command::Ack(ack), Command::Redrive]);
    assert!(matches!(bench.answer(tokens[1]), Some(Ok(Reply::Moved(1)))));
    bench.reopen();
    bench.pass(60_000);
    let again = bench.pull(1).remove(0);
    assert_eq!(
        (again.attempts, again.timestamp_ms),
        (1, accepted.timestamp_ms)
    );
    assert_eq!(attribute(&again, "tidegate-dead-queue"), Some("orders"));
    bench.ack(&lease(&again)).unwrap();
    assert_eq!(
        bench.state(accepted.id).unwrap().state,
        State::Done,
        "its first end is forgotten"
    );
}

#[test]
fn a_second_redrive_leaves_alone_what_is_home_already() {
    let mut bench = Bench::new(r#"{"delivery":{"max_attempts":1}}"#);
    bench.put("x");
    let delivery = bench.pull(1).remove(0);
    bench.retry(&lease(&delivery)).unwrap();
    for moved in [1, 0] {
        assert!(matches!(bench.ask(Command::Redrive), Ok(Reply::Moved(n)) if n == moved));
        bench.pass(1);
    }
    assert_eq!((bench.describe().depth, bench.describe().dead), (1, 0));
}

#[test]
fn a_redrive_stops_where_there_is_no_room() {
    let mut bench = Bench::new(r#"{"delivery":{"max_attempts":1}}"#);
    for n in 0..3 {
        bench.put(&n.to_string());
    }
    for delivery in bench.pull(9) {
        bench.retry(&lease(&delivery)).unwrap();
    }
    bench
        .ask(Command::Configure {
            patch: r#"{"capacity":{"max_messages":2}}"#,
        })
        .unwrap();
    assert!(matches!(bench.ask(Command::Redrive), Ok(Reply::Moved(2))));
    bench.pass(1);
    assert_eq!((bench.describe().depth, bench.describe().dead), (2, 1));
    assert_eq!(
        bench.publish(draft("y")).unwrap_err().code,
        ErrorCode::QueueFull
    );
}

#[test]
fn an_answer_to_what_was_purged_counts_for_nothing() {
    let mut pair = Pair::new(CONFIG, "{}");
    let die = |home: &mut Bench, body: &str| {
        home.put(body);
        let delivery = home.pull(1).remove(0);
        home.retry(&lease(&delivery)).unwrap();
        std::mem::take(&mut home.last.calls)
    };
    let calls = die(&mut pair.home, "purged");
    pair.home.ask(Command::Purge).unwrap();
    let later = die(&mut pair.home, "kept");
    pair.home
        .queue
        .called(calls[0].number, true, br#"{"moved":1}"#);
    pair.home.turn(Vec::new());
    assert_eq!(pair.home.describe().dead, 1);
    pair.home.last.calls = later;
    pair.run();
    assert_eq!(
        pair.graves.browse().iter().map(text).collect::<Vec<_>>(),
        ["kept"]
    );
}

#[test]
fn a_dead_letter_comes_home_to_a_sold_out_queue_and_takes_no_second_place() {
    let sold_out = r#"{"capacity":{"max_accepted":1,"max_per_key":1},
        "delivery":{"dead_letter_queue":"graves","max_attempts":1}}"#;
    let mut pair = Pair::new(sold_out, "{}");
    let keyed = |body| Draft {
        key: Some("k"),
        ..draft(body)
    };
    pair.home.publish(keyed("body")).unwrap();
    let delivery = pair.home.pull(1).remove(0);
    pair.home.retry(&lease(&delivery)).unwrap();
    pair.run();
    let refused = pair.home.publish(keyed("more")).unwrap_err();
    assert_eq!(refused.code, ErrorCode::SoldOut);
    assert_eq!(pair.redrive(), 1);
    pair.run();
    pair.home.reopen();
    assert_eq!(pair.home.describe().accepted, 1);
    let again = pair.home.pull(1).remove(0);
    assert_eq!(text(&again), "body");
    let lease_id = lease(&again);
    let acks = vec![AckEntry {
        lease_id: (&lease_id).into(),
        result: None,
        release: true,
    }];
    pair.home
        .settle(Ack {
            acks,
            ..Ack::default()
        })
        .unwrap();
    assert_eq!(pair.home.describe().accepted, 0);
    pair.home.publish(keyed("the place is free again")).unwrap();
}

#[test]
fn what_overflowed_needs_a_place_when_it_comes_home() {
    let config = r#"{"capacity":{"max_accepted":1,"overflow":"dead_letter"},
        "delivery":{"dead_letter_queue":"graves"}}"#;
    let mut pair = Pair::new(config, "{}");
    pair.home.put("in");
    pair.home.put("over");
    pair.run();
    assert_eq!(pair.graves.describe().depth, 1);
    pair.redrive();
    pair.run();
    assert_eq!(pair.home.describe().accepted, 1, "not one more");
}

#[test]
fn a_redrive_leaves_an_ordinary_queue_as_it_is_and_empties_a_paused_dead_letter_queue() {
    let mut pair = Pair::new(CONFIG, "{}");
    pair.home.put("body");
    let delivery = pair.home.pull(1).remove(0);
    pair.home.retry(&lease(&delivery)).unwrap();
    pair.run();
    pair.home.put("fresh");
    pair.graves.ask(Command::Pause).unwrap();
    let before = pair.home.database.rows_written;
    assert_eq!(pair.redrive(), 1);
    pair.run();
    assert!(pair.home.database.rows_written - before <= 4);
    assert_eq!(pair.graves.describe().depth, 0);
    assert!(pair.graves.describe().paused);
    assert_eq!(pair.home.describe().depth, 2);
}

/// A selection, as a redrive takes it.
fn some(from_at_ms: Option<u64>, to_at_ms: Option<u64>, filter: Option<&str>) -> Selection<'_> {
    Selection {
        from_at_ms,
        to_at_ms,
        filter,
        after_seq: 0,
    }
}

/// Buries five messages, one every ten milliseconds; when the first of them was.
fn bury_five(bench: &mut Bench) -> u64 {
    let began = bench.now_ms;
    for n in 0..5u32 {
        let colour = if n % 2 == 0 { "red" } else { "blue" };
        let sent = Draft {
            attributes: vec![("colour", colour)],
            ..draft("")
        };
        let body = n.to_string();
        bench
            .publish(Draft {
                body: body.as_bytes(),
                ..sent
            })
            .unwrap();
        let delivery = bench.pull(1).remove(0);
        bench.retry(&lease(&delivery)).unwrap();
        bench.pass(10);
    }
    began
}

/// The bodies that can be pulled, in order.
fn pulled(bench: &mut Bench) -> Vec<String> {
    let mut bodies: Vec<String> = bench.pull(9).iter().map(text).collect();
    bodies.sort();
    bodies
}

#[test]
fn a_selection_of_what_is_kept_here_comes_back_and_the_rest_stays() {
    for (from, to, filter, expected) in [
        (None, None, Some("\"colour = 'red'\""), vec!["0", "2", "4"]),
        (Some(10), Some(30), None, vec!["1", "2"]),
        (
            Some(20),
            None,
            Some(r#"{"attributes":{"colour":["blue"]}}"#),
            vec!["3"],
        ),
        (None, Some(0), None, vec![]),
        (None, None, Some("\"colour = 'green'\""), vec![]),
        (None, None, Some(r#"{"body":[3]}"#), vec!["3"]),
    ] {
        let mut bench = Bench::new(r#"{"delivery":{"max_attempts":1}}"#);
        let began = bury_five(&mut bench);
        let at = |offset: u64| began + offset;
        let selection = some(from.map(at), to.map(at), filter);
        let moved = bench.ask(Command::RedriveSome(selection));
        let count = expected.len() as u64;
        assert!(
            matches!(moved, Ok(Reply::Moved(n)) if n == count),
            "{moved:?} of {expected:?}"
        );
        bench.pass(1);
        bench.reopen();
        assert_eq!(pulled(&mut bench), expected);
        assert_eq!(bench.describe().dead, 5 - count);
    }
}

#[test]
fn a_selection_comes_home_from_the_dead_letter_queue() {
    let mut pair = Pair::new(CONFIG, "{}");
    let began = bury_five(&mut pair.home);
    // The calls that burying made are forgotten.
    pair.home.reopen();
    pair.home.turn(Vec::new());
    pair.run();
    assert_eq!(pair.graves.describe().depth, 5);
    let selection = some(Some(began + 10), None, Some("\"colour = 'red'\""));
    pair.home.turn(vec![Command::RedriveSome(selection)]);
    let moved = pair.run();
    assert!(
        moved.iter().any(|it| matches!(it, Reply::Moved(2))),
        "{moved:?}"
    );
    assert_eq!(pulled(&mut pair.home), ["2", "4"]);
    assert_eq!(pair.graves.describe().depth, 3);
}

#[test]
fn a_selection_that_is_far_down_is_found_in_several_calls() {
    let bodies = "x".repeat(1 << 18);
    let mut bench = Bench::new(r#"{"delivery":{"max_attempts":1}}"#);
    for n in 0..280 {
        let rare = if n == 279 { "yes" } else { "no" };
        let sent = Draft {
            attributes: vec![("rare", rare)],
            ..draft(&bodies)
        };
        bench.publish(sent).unwrap();
        let delivery = bench.pull(1).remove(0);
        bench.retry(&lease(&delivery)).unwrap();
    }
    let (mut calls, mut found) = (0, 0);
    let mut selection = some(None, None, Some("\"rare = 'yes'\""));
    loop {
        calls += 1;
        match bench.ask(Command::RedriveSome(selection)) {
            Ok(Reply::MovedTo { moved, after_seq }) => {
                assert!(after_seq > selection.after_seq);
                (found, selection.after_seq) = (found + moved, after_seq);
            }
            Ok(Reply::Moved(moved)) => {
                found += moved;
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((calls, found), (3, 1));
}

#[test]
fn a_selection_that_cannot_be_read_changes_nothing() {
    let mut bench = Bench::new(r#"{"delivery":{"max_attempts":1}}"#);
    bury_five(&mut bench);
    let fault = bench.ask(Command::RedriveSome(some(
        None,
        None,
        Some("\"colour = \""),
    )));
    assert_eq!(fault.unwrap_err().code, ErrorCode::BadRequest);
    assert_eq!(bench.describe().dead, 5);
}

#[test]
fn a_selection_passes_over_none() {
    let mut bench = Bench::new(r#"{"delivery":{"max_attempts":1}}"#);
    for _ in 0..250 {
        bench.put("x");
    }
    for delivery in bench.pull(250) {
        bench.retry(&lease(&delivery)).unwrap();
    }
    let moved = bench.ask(Command::RedriveSome(some(Some(0), None, None)));
    assert!(matches!(moved, Ok(Reply::Moved(250))), "{moved:?}");
}

/// Has a message die for the dead-letter queue that the configuration names then.
fn bury_for(bench: &mut Bench, target: &str) {
    let patch = format!(r#"{{"delivery":{{"dead_letter_queue":"{target}","max_attempts":1}}}}"#);
    bench.ask(Command::Configure { patch: &patch }).unwrap();
    bench.put("x");
    let lease_id = lease(&bench.pull(1)[0]);
    bench.retry(&lease_id).unwrap();
}

#[test]
fn a_dead_letter_queue_that_takes_nothing_holds_up_no_other() {
    let mut bench = Bench::new("{}");
    let mut sent: Vec<Call> = Vec::new();
    let mut to_a = 0;
    for round in 0..6 {
        for target in ["a", "b", "c"] {
            bury_for(&mut bench, target);
            sent.append(&mut bench.last.calls);
            // The first of them cannot be reached; the directory and the others can.
            while let Some(call) = sent.pop() {
                let ok = call.object != "a#0";
                to_a += u64::from(!ok);
                bench.queue.called(call.number, ok, br#"{"moved":1}"#);
                bench.turn(Vec::new());
                sent.append(&mut bench.last.calls);
            }
        }
        assert_eq!(bench.describe().dead, round + 1, "those for the first");
    }
    assert_eq!(to_a, 1, "it is tried again later");
    let retry_at_ms = bench.alarm_at_ms.unwrap();
    assert!(retry_at_ms > bench.now_ms && retry_at_ms <= bench.now_ms + 4_000);
    bench.now_ms = retry_at_ms;
    bench.turn(Vec::new());
    assert_eq!(bench.last.calls.len(), 1);
    bench
        .queue
        .called(bench.last.calls[0].number, true, br#"{"moved":6}"#);
    bench.turn(Vec::new());
    assert_eq!(bench.describe().dead, 0);
}

#[test]
fn a_dead_letter_that_never_fits_is_kept_there_and_holds_up_nothing() {
    let mut pair = Pair::new(CONFIG, r#"{"capacity":{"max_bytes":10}}"#);
    for body in ["much too large for that", "small"] {
        pair.home.put(body);
        let lease_id = lease(&pair.home.pull(1)[0]);
        pair.home.retry(&lease_id).unwrap();
        pair.run();
    }
    assert_eq!(pair.home.describe().dead, 0);
    let figures = pair.graves.describe();
    assert_eq!(
        (figures.depth, figures.backlog_bytes, figures.dead),
        (1, 5, 1)
    );
    let Reply::Browsed(kept) = pair
        .graves
        .ask(Command::BrowseDead {
            after_seq: 0,
            limit: 10,
        })
        .unwrap()
    else {
        panic!("a listing")
    };
    assert_eq!(text(&kept[0]), "much too large for that");
    assert_eq!(attribute(&kept[0], "tidegate-dead-queue"), Some("orders"));
    assert_eq!(
        attribute(&kept[0], "tidegate-dead-reason"),
        Some("max_attempts")
    );
    // Once there is room for it, it comes back as the dead letter that it is.
    let patch = r#"{"capacity":{"max_bytes":100}}"#;
    pair.graves.ask(Command::Configure { patch }).unwrap();
    pair.graves.turn(vec![Command::Redrive]);
    pair.run();
    assert_eq!(pair.home.describe().depth, 1, "the small one is home");
    pair.graves.pass(10);
    assert_eq!(pair.redrive(), 1);
    assert_eq!(pair.home.describe().depth, 2);
}

#[test]
fn many_dead_letter_queues_that_take_nothing_cost_no_turn_after_turn() {
    let mut bench = Bench::new("{}");
    let mut calls: Vec<Call> = Vec::new();
    let targets: Vec<String> = (0..150).map(|n| format!("down{n:03}")).collect();
    let fail_all = |bench: &mut Bench, calls: &mut Vec<Call>| {
        calls.append(&mut bench.last.calls);
        while let Some(call) = calls.pop() {
            bench
                .queue
                .called(call.number, !call.object.starts_with("down"), b"");
            bench.turn(Vec::new());
            calls.append(&mut bench.last.calls);
        }
    };
    for target in &targets {
        bury_for(&mut bench, target);
        fail_all(&mut bench, &mut calls);
    }
    // Its alarms come when the next one is tried again, and not at once, over and over.
    let armed = bench.alarms_armed;
    for _ in 0..20 {
        let at = bench.alarm_at_ms.expect("they are tried again");
        bench.now_ms = bench.now_ms.max(at);
        bench.turn(Vec::new());
        fail_all(&mut bench, &mut calls);
    }
    assert!(bench.now_ms > 1_700_000_000_000 + 1_000, "time passed");
    assert!(
        bench.alarms_armed - armed <= 400,
        "{}",
        bench.alarms_armed - armed
    );
    while bench.alarm_at_ms.is_some_and(|at| at <= bench.now_ms) {
        bench.turn(Vec::new());
        fail_all(&mut bench, &mut calls);
    }
    let before = bench.database.statements;
    bench.turn(Vec::new());
    let statements = bench.database.statements - before;
    assert!(statements <= 4, "an idle turn makes {statements}");
    // One that can be reached is not held up by them.
    bury_for(&mut bench, "up");
    calls.append(&mut bench.last.calls);
    while calls.iter().all(|call| call.object != "up#0") {
        let at = bench.alarm_at_ms.expect("it goes on");
        assert!(at <= bench.now_ms, "at once");
        bench.turn(Vec::new());
        calls.append(&mut bench.last.calls);
    }
}

#[test]
fn a_redrive_passes_over_what_never_fits_and_what_has_no_place() {
    let config = r#"{"capacity":{"max_accepted":1,"max_messages":9,"overflow":"wait"},
        "delivery":{"max_attempts":1}}"#;
    let mut bench = Bench::new(config);
    bench.put("first");
    let never = bench.put("too large for what comes");
    let lease_id = lease(&bench.pull(1)[0]);
    bench.retry(&lease_id).unwrap();
    let configure = |bench: &mut Bench, patch: &str| {
        bench.ask(Command::Configure { patch }).unwrap();
    };
    // Sold out, so it waits; made larger, it would be its turn, and it does not fit any more.
    configure(
        &mut bench,
        r#"{"capacity":{"max_bytes":10,"max_accepted":2}}"#,
    );
    assert_eq!(bench.state(never.id).unwrap().state, State::Dead);
    assert_eq!((bench.describe().dead, bench.describe().accepted), (2, 1));
    configure(&mut bench, r#"{"capacity":{"max_accepted":1}}"#);
    let moved = |bench: &mut Bench| match bench.ask(Command::Redrive).unwrap() {
        Reply::Moved(n) | Reply::MovedTo { moved: n, .. } => n,
        other => panic!("{other:?}"),
    };
    assert_eq!(moved(&mut bench), 1, "the other one has its place");
    // Now it would fit, and all places are taken.
    configure(&mut bench, r#"{"capacity":{"max_bytes":1000}}"#);
    assert_eq!(moved(&mut bench), 0);
    assert_eq!((bench.describe().dead, bench.describe().accepted), (1, 1));
    configure(&mut bench, r#"{"capacity":{"max_accepted":2}}"#);
    assert_eq!(moved(&mut bench), 1);
    assert_eq!((bench.describe().dead, bench.describe().accepted), (0, 2));
    assert!(bench.put("third").waiting.is_some(), "sold out");
    bench.reopen();
    bench.pass(10);
    assert_eq!(bench.pull(9).len(), 2);
}

#[test]
fn what_no_longer_fits_at_home_is_kept_there_with_its_place() {
    let mut pair = Pair::new(CONFIG, "{}");
    pair.home.put("much too large for that");
    let lease_id = lease(&pair.home.pull(1)[0]);
    pair.home.retry(&lease_id).unwrap();
    pair.run();
    let configure = |bench: &mut Bench, patch: &str| {
        bench.ask(Command::Configure { patch }).unwrap();
    };
    configure(&mut pair.home, r#"{"capacity":{"max_bytes":10}}"#);
    assert_eq!(pair.redrive(), 1);
    let figures = pair.home.describe();
    assert_eq!((figures.depth, figures.dead, figures.accepted), (0, 1, 1));
    assert_eq!(pair.graves.describe().depth, 0);
    assert_eq!(pair.redrive(), 0, "it does not go round");
    configure(&mut pair.home, r#"{"capacity":{"max_bytes":1000}}"#);
    assert_eq!(pair.redrive(), 1);
    let figures = pair.home.describe();
    assert_eq!((figures.depth, figures.dead, figures.accepted), (1, 0, 1));
}
