//! What many live readers of a topic are sent in a turn: a share each, and no more than there is to
//! tell.

use super::bench::{Bench, publish};
use tidegate::command::topic::{Follow, Form, Start, TopicCommand};

fn follow<'a>(start: Start, filter: Option<&'a str>, member: Option<&'a str>) -> TopicCommand<'a> {
    let form = Form::Lines;
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
