//! What one turn hands out and looks at is bounded, whoever asks, and everybody gets what is theirs.

use crate::bench::{Bench, draft, lease, text};
use crate::random::Random;
use crate::topic::bench::Bench as TopicBench;
use std::collections::BTreeMap;
use tidegate::command::topic::{Read, Start, TopicCommand, TopicReply};
use tidegate::command::{Ack, AckEntry, Command, Delivery, Draft, Pull, Reply};
use tidegate::limits::{ANSWERS_BYTES_PER_TURN_MAX, PASSED_OVER_PER_TURN_MAX, PULL_BYTES_MAX};

const MIB: usize = 1 << 20;
const LARGE: &str = r#"{"max_message_bytes": 1048576}"#;

fn pull(filter: Option<&str>, wait_ms: u64) -> Command<'_> {
    Command::Pull(Pull {
        batch_size: 1_000,
        wait_ms,
        filter,
        ..Pull::default()
    })
}

/// What a client gets to see of these, but for names and punctuation.
fn bytes_of(messages: &[Delivery]) -> usize {
    let attributes = messages.iter().flat_map(|it| &it.attributes);
    let bodies = messages.iter().map(|it| it.body.bytes().len());
    bodies
        .chain(attributes.map(|(n, v)| n.len() + v.len()))
        .sum()
}

/// Publishes a message whose key is its kind.
fn put(bench: &mut Bench, kind: &str, body: &str) {
    let draft = Draft {
        key: Some(kind),
        ..draft(body)
    };
    bench.publish(draft).unwrap();
}

/// So many messages of one kind, without a body.
fn fill(bench: &mut Bench, kind: &str, count: usize) {
    let mut left = count;
    while left > 0 {
        let some = left.min(1_000);
        let drafts = (0..some).map(|_| {
            Ok(Draft {
                key: Some(kind),
                ..draft("")
            })
        });
        bench.ask(Command::PublishBatch(drafts.collect())).unwrap();
        left -= some;
    }
}

/// What each of these pulls was given by the turns until none is due, and how many bytes the most
/// generous of them handed out.
fn run_on(bench: &mut Bench, into: &mut BTreeMap<u32, Vec<Delivery>>) -> usize {
    let mut most = 0;
    for _ in 0..1_000 {
        let mut bytes = 0;
        for (token, reply) in std::mem::take(&mut bench.last.replies) {
            if let Ok(Reply::Pulled { messages, .. }) = reply {
                bytes += bytes_of(&messages);
                into.insert(token, messages);
            }
        }
        most = most.max(bytes);
        if bench.last.timer_at_ms.is_none_or(|at| at > bench.now_ms) {
            return most;
        }
        bench.turn(Vec::new());
    }
    panic!("the queue keeps itself awake");
}

#[test]
fn what_a_filter_looks_for_is_found_behind_what_it_passes_over() {
    let only_b = Some(r#"{"key":["b"]}"#);
    for wait_ms in [0, 30_000] {
        for (count, again) in [(PASSED_OVER_PER_TURN_MAX + 1, false), (17_500, true)] {
            let mut bench = Bench::new("{}");
            fill(&mut bench, "a", count);
            put(&mut bench, "b", "found");
            if again {
                // They are ready, and no longer in their lane.
                let mut none = BTreeMap::new();
                bench.turn(vec![pull(Some(r#"{"key":["c"]}"#), 0)]);
                run_on(&mut bench, &mut none);
            }
            let token = bench.turn(vec![pull(only_b, wait_ms)])[0];
            let mut got = BTreeMap::new();
            run_on(&mut bench, &mut got);
            let bodies: Vec<_> = got[&token].iter().map(text).collect();
            assert_eq!(bodies, ["found"], "{count} before it, waiting {wait_ms} ms");
        }
    }
}

#[test]
fn who_does_not_wait_is_not_held_up_by_who_waits_for_something_else() {
    let mut bench = Bench::new("{}");
    let waits = bench.turn(vec![pull(Some(r#"{"key":["b"]}"#), 30_000)])[0];
    put(&mut bench, "a", "for anybody");
    assert_eq!(bench.pull(1).len(), 1);
    put(&mut bench, "b", "for who waits");
    assert!(bench.answer(waits).is_some());
}

#[test]
fn what_came_with_a_pull_is_answered_with_it_however_long_it_looks() {
    let mut bench = Bench::new("{}");
    put(&mut bench, "a", "first");
    let lease_id = lease(&bench.pull(1)[0]);
    fill(&mut bench, "a", PASSED_OVER_PER_TURN_MAX * 2);
    let ack = Ack {
        acks: vec![AckEntry {
            lease_id: lease_id.as_str().into(),
            ..AckEntry::default()
        }],
        ..Ack::default()
    };
    let only_b = Pull {
        batch_size: 1,
        filter: Some(r#"{"key":["b"]}"#),
        ..Pull::default()
    };
    let answer = bench.ask(Command::AckPull { ack, pull: only_b }).unwrap();
    let Reply::Pulled {
        messages,
        acknowledged,
        ..
    } = answer
    else {
        panic!("no pull")
    };
    assert!(messages.is_empty());
    assert_eq!(acknowledged.map(|it| it.acked), Some(1));
}

#[test]
fn a_turn_hands_out_no_more_than_its_bytes_and_everybody_is_answered() {
    let mut bench = Bench::new(LARGE);
    let body = "x".repeat(MIB);
    for _ in 0..60 {
        bench.put(&body);
    }
    let tokens = bench.turn((0..20).map(|at| pull(None, at % 2 * 1_000)).collect());
    let mut got = BTreeMap::new();
    let most = run_on(&mut bench, &mut got);
    assert!(most <= ANSWERS_BYTES_PER_TURN_MAX, "{most}");
    assert!(most > PULL_BYTES_MAX, "more than one a turn");
    let seqs: Vec<_> = tokens
        .iter()
        .filter_map(|token| got.get(token))
        .flatten()
        .map(|it| it.seq)
        .collect();
    assert_eq!(seqs, (1..=60).collect::<Vec<_>>(), "in order, each once");
}

#[test]
fn attributes_count_as_bodies_do() {
    let mut bench = Bench::new("{}");
    let value = "v".repeat(16_000);
    for _ in 0..500 {
        let attributes = vec![("a", value.as_str())];
        bench
            .publish(Draft {
                attributes,
                ..draft("")
            })
            .unwrap();
    }
    let bytes = bytes_of(&bench.pull(1_000));
    assert!(bytes <= PULL_BYTES_MAX + 16_384, "{bytes}");
}

/// JSON writes one of them as six bytes.
#[test]
fn control_characters_count_as_what_they_become() {
    let mut bench = Bench::new(LARGE);
    let body = "\u{1}".repeat(MIB);
    for _ in 0..6 {
        bench.put(&body);
    }
    let rendered: usize = bench
        .pull(6)
        .iter()
        .map(|it| 6 * it.body.bytes().len())
        .sum();
    assert!(rendered <= 2 * PULL_BYTES_MAX, "{rendered}");
}

#[test]
fn calls_of_an_endpoint_count_as_well() {
    let mut bench = Bench::absent("orders");
    bench.queue.equip([1; 32], None, crate::push::reach());
    let config = r#"{"max_message_bytes": 1048576,
        "push": {"url": "http://127.0.0.1:9/", "concurrency": 100, "format": "raw"}}"#;
    bench.ask(Command::Configure { patch: config }).unwrap();
    bench.ask(Command::Pause).unwrap();
    let body = "x".repeat(MIB);
    for _ in 0..40 {
        bench.put(&body);
    }
    bench.ask(Command::Resume).unwrap();
    let mut calls = 0;
    loop {
        let made = crate::push::calls(&mut bench);
        let bytes: usize = made.iter().map(|it| it.request.body.len()).sum();
        assert!(bytes <= ANSWERS_BYTES_PER_TURN_MAX, "{bytes}");
        calls += made.len();
        if bench.last.timer_at_ms.is_none_or(|at| at > bench.now_ms) {
            break;
        }
        bench.turn(Vec::new());
    }
    assert_eq!(calls, 40);
}

#[test]
fn listings_count_as_well_and_are_refused_where_there_is_no_room() {
    let mut bench = Bench::new(LARGE);
    let body = "x".repeat(MIB);
    for _ in 0..12 {
        bench.put(&body);
    }
    let browse = || Command::Browse {
        after_seq: 0,
        limit: 1_000,
    };
    bench.turn((0..10).map(|_| browse()).collect());
    let replies = std::mem::take(&mut bench.last.replies);
    let bytes: usize = replies
        .iter()
        .map(|(_, reply)| match reply {
            Ok(Reply::Browsed(messages)) => bytes_of(messages),
            _ => 0,
        })
        .sum();
    assert_eq!((bytes, replies.len()), (2 * PULL_BYTES_MAX, 10));
    assert_eq!(bench.browse().len(), 6, "alone there is room");
}

#[test]
fn a_topic_reads_no_more_a_turn_than_its_bytes_and_answers_everybody() {
    let mut bench = TopicBench::new(LARGE);
    let body = "x".repeat(MIB);
    for _ in 0..8 {
        bench.publish(&body, None);
    }
    let read = |wait_ms| {
        TopicCommand::Read(Read {
            start: Start::Earliest,
            limit: 1_000,
            wait_ms,
            filter: None,
        })
    };
    let mut out = bench
        .turn((0..9).map(|at| read(at % 2 * 1_000)).collect())
        .unwrap();
    let mut answered = 0;
    while answered < 9 {
        let mut bytes = 0;
        for (_, reply) in std::mem::take(&mut out) {
            let Ok(TopicReply::Read { page, .. }) = reply else {
                panic!("{reply:?}")
            };
            assert_eq!(page.messages.len(), 6);
            bytes += bytes_of(&page.messages);
            answered += 1;
        }
        assert!(bytes > 0 && bytes <= ANSWERS_BYTES_PER_TURN_MAX, "{bytes}");
        if answered < 9 {
            assert!(bench.timer_at_ms.is_some_and(|at| at <= bench.now_ms));
            out = bench.turn(Vec::new()).unwrap();
        }
    }
}

/// Each message is looked at for more pulls than one turn has looks for.
#[test]
fn who_waits_behind_many_others_gets_what_is_for_it() {
    let mut bench = Bench::new("{}");
    let filters: Vec<_> = (0..PASSED_OVER_PER_TURN_MAX + 1_000)
        .map(|n| format!(r#"{{"key":["{n}"]}}"#))
        .collect();
    let pulls = filters.iter().map(|filter| pull(Some(filter), 30_000));
    let last = *bench.turn(pulls.collect()).last().unwrap();
    put(&mut bench, &(filters.len() - 1).to_string(), "for the last");
    let mut turns = 0;
    while bench.answer(last).is_none() {
        turns += 1;
        assert!(turns < 10, "it starves");
        put(&mut bench, "nobody's", "");
    }
}

/// One message of the property below.
#[derive(Clone, Debug)]
struct Made {
    kind: &'static str,
    key: Option<&'static str>,
    lease_id: Option<String>,
}

/// Whether something of this kind may be delivered now.
fn is_there(made: &BTreeMap<u64, Made>, kind: &str, by_key: bool) -> bool {
    let blocks = |seq: u64, key: Option<&str>| {
        let before =
            |(at, it): (&u64, &Made)| it.key == key && (it.lease_id.is_some() || *at < seq);
        by_key && key.is_some() && made.iter().any(before)
    };
    made.iter()
        .any(|(seq, it)| it.kind == kind && it.lease_id.is_none() && !blocks(*seq, it.key))
}

const KINDS: [&str; 4] = ["a", "b", "c", "d"];

/// A message of one of the kinds, with any priority and in any of three lines or none.
fn publish_one(bench: &mut Bench, random: &mut Random, made: &mut BTreeMap<u64, Made>) {
    let it = Made {
        kind: KINDS[random.below(4) as usize],
        key: [None, Some("k"), Some("l"), Some("m")][random.below(4) as usize],
        lease_id: None,
    };
    let accepted = bench.publish(Draft {
        attributes: vec![("kind", it.kind)],
        priority: random.below(10) as u8,
        key: it.key,
        ..draft(it.kind)
    });
    made.insert(accepted.unwrap().seq, it);
}

/// Finishes one of those that are held, or gives it back.
fn settle_one(bench: &mut Bench, random: &mut Random, made: &mut BTreeMap<u64, Made>) {
    let held = made.iter().filter(|(_, it)| it.lease_id.is_some());
    let held: Vec<u64> = held.map(|(seq, _)| *seq).collect();
    if held.is_empty() {
        return;
    }
    let seq = held[random.below(held.len() as u64) as usize];
    let lease_id = made.get_mut(&seq).and_then(|it| it.lease_id.take());
    let lease_id = lease_id.unwrap();
    let mut ack = Ack::default();
    if random.below(2) == 0 {
        ack.retries.push((lease_id.as_str().into(), Some(0)));
    } else {
        made.remove(&seq);
        ack.acks.push(AckEntry {
            lease_id: lease_id.as_str().into(),
            ..AckEntry::default()
        });
    }
    bench.turn(vec![Command::Ack(ack)]);
}

/// Pulls of several kinds that wait, messages of those kinds that come, go and come back, with
/// priorities and in lines: nobody waits while there is something for it.
#[test]
fn nobody_waits_while_something_is_there_for_it() {
    let filters = KINDS.map(|kind| format!(r#"{{"attributes":{{"kind":["{kind}"]}}}}"#));
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let by_key = seed % 2 == 1;
        let order = if by_key { "key" } else { "best_effort" };
        let config = format!(r#"{{"delivery":{{"order":"{order}","max_attempts":1000}}}}"#);
        let mut bench = Bench::new(&config);
        let mut waiting: BTreeMap<u32, &str> = BTreeMap::new();
        let mut made: BTreeMap<u64, Made> = BTreeMap::new();
        for step in 0..300 {
            match random.below(5) {
                0 | 1 => publish_one(&mut bench, &mut random, &mut made),
                2 => {
                    let at = random.below(4) as usize;
                    let command = Command::Pull(Pull {
                        batch_size: 1 + random.below(3) as u32,
                        wait_ms: 30_000,
                        filter: Some(&filters[at]),
                        ..Pull::default()
                    });
                    waiting.insert(bench.turn(vec![command])[0], KINDS[at]);
                }
                3 => settle_one(&mut bench, &mut random, &mut made),
                _ => drop(bench.turn(Vec::new())),
            }
            let mut got = BTreeMap::new();
            run_on(&mut bench, &mut got);
            for (token, messages) in got {
                let kind = waiting.remove(&token).unwrap();
                for message in messages {
                    assert_eq!(text(&message), kind);
                    let it = made.get_mut(&message.seq).unwrap();
                    assert!(it.lease_id.replace(lease(&message)).is_none(), "once");
                }
            }
            for kind in waiting.values() {
                let is_missed = is_there(&made, kind, by_key);
                assert!(!is_missed, "seed {seed}, step {step}: {kind} is waited for");
            }
        }
    }
}

/// A crowd of reads whose filters match nothing costs a publish no more than one turn's looks.
#[test]
fn reads_that_wait_look_no_further_in_a_turn_than_all_of_them_may() {
    let mut bench = TopicBench::new("{}");
    let filters: Vec<_> = (0..50).map(|n| format!(r#"{{"key":["{n}"]}}"#)).collect();
    let reads = filters.iter().map(|filter| {
        TopicCommand::Read(Read {
            start: Start::Latest,
            limit: 10,
            wait_ms: 30_000,
            filter: Some(filter),
        })
    });
    assert!(bench.turn(reads.collect()).unwrap().is_empty());
    let drafts = (0..1_000).map(|n| {
        Ok(Draft {
            key: (n == 999).then_some("49"),
            ..draft("x")
        })
    });
    let publish = TopicCommand::PublishBatch(drafts.collect());
    let mut answered = bench.turn(vec![publish]).unwrap().len() - 1;
    let mut turns = 1;
    while answered == 0 && bench.timer_at_ms.is_some_and(|at| at <= bench.now_ms) {
        answered += bench.turn(Vec::new()).unwrap().len();
        turns += 1;
    }
    // 50,000 looks, of 20,000 a turn.
    assert_eq!((answered, turns), (1, 3));
}
