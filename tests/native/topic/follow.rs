//! What many live readers of a topic are sent in a turn: a share each, and no more than there is to
//! tell.

use super::bench::{Bench, publish};
use crate::random::Random;
use tidegate::command::topic::{Follow, Form, Start, TopicCommand, TopicReply};

fn follow<'a>(start: Start, filter: Option<&'a str>, member: Option<&'a str>) -> TopicCommand<'a> {
    let form = Form::Frames;
    TopicCommand::Follow(Follow {
        start,
        filter,
        form,
        member,
    })
}

/// Readers that all read the past, each with a filter of its own.
#[test]
fn readers_with_filters_of_their_own_advance_together() {
    const READERS: u32 = 200;
    let mut bench = Bench::new("{}");
    for _ in 0..20 {
        bench.turn((0..100).map(|_| publish("x", Some("k"))).collect());
    }
    let filters = (0..READERS).map(|n| format!(r#"{{"key":[{{"anything-but":["{n}"]}}]}}"#));
    let filters: Vec<String> = filters.collect();
    let tokens: Vec<u32> = (bench.next_token..).take(filters.len()).collect();
    let follow = |filter| follow(Start::Earliest, Some(filter), None);
    bench.turn(filters.iter().map(|it| follow(it)).collect());
    for _ in 0..40 {
        let seen = |token: &u32| bench.readers[token].seqs.len();
        let most = tokens.iter().map(seen).max().unwrap();
        let least = tokens.iter().map(seen).min().unwrap();
        assert!(most - least <= 200, "one has {most}, another {least}");
        bench.say_what_was_taken();
        bench.turn(Vec::new());
    }
    bench.settle();
    assert!(
        tokens
            .iter()
            .all(|it| bench.readers[it].seqs.len() == 2_000)
    );
}

/// Members that come in one turn.
fn come(bench: &mut Bench, members: &[String]) -> Vec<u32> {
    let tokens = (bench.next_token..).take(members.len()).collect();
    let all = members.iter();
    bench.turn(
        all.map(|it| follow(Start::Latest, None, Some(it)))
            .collect(),
    );
    tokens
}

fn go(bench: &mut Bench, token: u32) {
    bench.topic.detach(token);
    bench.readers.remove(&token);
}

/// What all are told of who is here is who is here.
fn expect_agreement(bench: &mut Bench) {
    let Ok(TopicReply::Described { description, .. }) = bench.ask(TopicCommand::Describe) else {
        panic!("no description");
    };
    for (token, reader) in &bench.readers {
        assert!(
            reader.members.iter().eq(&description.members),
            "{token} was told otherwise"
        );
    }
}

#[test]
fn a_crowd_that_comes_and_goes_is_told_of_in_few_frames() {
    let mut bench = Bench::new("{}");
    let names = |prefix: &str| (0..500).map(|n| format!("{prefix}{n}")).collect::<Vec<_>>();
    let first = come(&mut bench, &names("a"));
    expect_agreement(&mut bench);
    let second = come(&mut bench, &names("b"));
    assert_eq!(bench.presence_frames, 1);
    expect_agreement(&mut bench);
    assert_eq!(bench.presence_frames, 0, "nobody came and nobody went");
    first.into_iter().for_each(|token| go(&mut bench, token));
    bench.turn(Vec::new());
    assert_eq!(bench.presence_frames, 1);
    go(&mut bench, second[0]);
    come(&mut bench, &["b0".to_owned()]);
    assert_eq!(bench.presence_frames, 1);
    expect_agreement(&mut bench);
    bench.ask(TopicCommand::Delete).unwrap();
    bench.readers.clear();
    let alone = come(&mut bench, &["b0".to_owned()])[0];
    let members = &bench.readers[&alone].members;
    assert_eq!(
        members.len(),
        1,
        "who followed a topic that is gone is not here"
    );
}

#[test]
fn whoever_comes_and_goes_all_are_told_who_is_here() {
    for seed in 0..20 {
        let mut random = Random::new(seed);
        let mut bench = Bench::new("{}");
        for _ in 0..200 {
            let tokens: Vec<u32> = bench.readers.keys().copied().collect();
            let some = tokens
                .get(random.below(tokens.len().max(1) as u64) as usize)
                .copied();
            match (random.below(8), some) {
                (0, Some(token)) => bench.topic.credit(token, 0),
                (1, _) => bench.topic.hold(true),
                (2 | 3, Some(_)) => {
                    let gone = random.below(tokens.len() as u64 + 1) as usize;
                    tokens[..gone]
                        .iter()
                        .for_each(|token| go(&mut bench, *token));
                }
                (4, _) => {
                    bench.topic.hold(false);
                    tokens
                        .iter()
                        .for_each(|token| bench.topic.credit(*token, 1));
                    expect_agreement(&mut bench);
                    if random.below(4) == 0 {
                        bench.reopen();
                    }
                }
                (5, _) => {
                    bench.publish("x", None);
                }
                _ => {
                    let count = random.below(30);
                    let names = (0..count).map(|_| format!("m{}", random.below(40)));
                    let names: Vec<String> = names.collect();
                    come(&mut bench, &names);
                }
            }
        }
    }
}
