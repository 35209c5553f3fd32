//! The draw: as many as there is room for, and nobody can have chosen them.

use crate::bench::{Bench, draft};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use tidegate::command::reply::DrawFigures;
use tidegate::command::{Command, Draft, Reply, State, Wait};
use tidegate::error::ErrorCode;
use tidegate::id::Id;

const OPENED_MS: u64 = 1_700_000_000_000;

fn sale(stock: u64) -> Bench {
    Bench::new(&format!(
        r#"{{"capacity":{{"max_accepted":{stock},"admission":"draw","max_waiting":1000000,
            "draw_at_ms":{}}}}}"#,
        OPENED_MS + 60_000
    ))
}

fn take_part(bench: &mut Bench, count: usize) -> Vec<Id> {
    let mut ids = Vec::new();
    while ids.len() < count {
        let n = (count - ids.len()).min(1_000);
        let drafts = (0..n).map(|_| Ok(draft("me"))).collect();
        let Reply::Batch(verdicts) = bench.ask(Command::PublishBatch(drafts)).unwrap() else {
            panic!()
        };
        ids.extend(verdicts.into_iter().map(|verdict| verdict.unwrap().id));
    }
    ids
}

fn figures(bench: &mut Bench) -> DrawFigures {
    bench.describe().draw.unwrap()
}

/// Who has won, found from what the queue publishes and nothing else.
fn winners(ids: &[Id], draw: &DrawFigures) -> Vec<Id> {
    let drawn = draw.drawn.unwrap();
    assert_eq!(
        <[u8; 32]>::from(Sha256::digest(drawn.seed)),
        draw.commitment
    );
    assert_eq!(drawn.participants, ids.len() as u64);
    let mut ranks = BTreeMap::new();
    for id in ids {
        let mut text = drawn.seed.to_vec();
        text.extend_from_slice(id.to_string().as_bytes());
        ranks.insert(<[u8; 32]>::from(Sha256::digest(&text)), *id);
    }
    let smallest: Vec<Id> = ranks.values().take(drawn.drawn as usize).copied().collect();
    let up_to = ranks
        .iter()
        .filter(|(rank, _)| Some(**rank) <= drawn.threshold);
    assert_eq!(up_to.map(|(_, id)| *id).collect::<Vec<_>>(), smallest);
    let mut smallest = smallest;
    smallest.sort_unstable();
    smallest
}

fn states(bench: &mut Bench, ids: &[Id], state: State) -> Vec<Id> {
    let mut found = Vec::new();
    for id in ids {
        if bench.state(*id).unwrap().state == state {
            found.push(*id);
        }
    }
    found
}

fn finish(bench: &mut Bench) -> DrawFigures {
    for _ in 0..100 {
        bench.turn(Vec::new());
        let draw = figures(bench);
        if draw.drawn.is_some() && bench.describe().waiting == 0 {
            return draw;
        }
    }
    panic!("the draw does not end")
}

#[test]
fn anyone_can_check_who_has_won() {
    let mut bench = sale(7);
    let before = figures(&mut bench);
    assert_eq!((before.at_ms, before.drawn), (OPENED_MS + 60_000, None));
    let ids = take_part(&mut bench, 100);
    let state = bench.state(ids[3]).unwrap();
    assert_eq!((state.state, state.position), (State::Waiting, None));
    assert_eq!(state.draw_at_ms, Some(before.at_ms));
    bench.pass(60_001);
    let draw = figures(&mut bench);
    assert_eq!(draw.commitment, before.commitment);
    let won = winners(&ids, &draw);
    assert_eq!(won.len(), 7);
    for _ in 0..2 {
        assert_eq!(states(&mut bench, &ids, State::Queued), won);
        assert_eq!(states(&mut bench, &ids, State::NotDrawn).len(), 93);
        bench.reopen();
    }
    let seqs: Vec<Id> = bench.pull(100).iter().map(|d| d.id).collect();
    assert_eq!(seqs, won, "in the order they came");
    let id = *ids.iter().find(|id| !won.contains(id)).unwrap();
    let code = bench.ask(Command::Cancel { id }).unwrap_err().code;
    assert_eq!(code, ErrorCode::WrongState);
    let code = bench.publish(draft("late")).unwrap_err().code;
    assert_eq!(code, ErrorCode::SoldOut, "from now on, who comes first");
}

#[test]
fn a_restart_at_any_step_draws_the_same() {
    let mut both = Vec::new();
    for restarts in [false, true] {
        let mut bench = sale(1_000);
        let ids = take_part(&mut bench, 50_000);
        bench.now_ms = OPENED_MS + 60_000;
        // Many must not be one long turn: this takes several, and who takes part stays.
        let code = bench.ask(Command::Cancel { id: ids[0] }).unwrap_err().code;
        assert_eq!(code, ErrorCode::Overloaded);
        for turn in 0..20 {
            if restarts && turn % 5 == 1 {
                bench.reopen();
            }
            bench.turn(Vec::new());
        }
        let draw = figures(&mut bench);
        let won = winners(&ids, &draw);
        assert_eq!(won.len(), 1_000);
        assert_eq!(states(&mut bench, &ids[..500], State::Queued), {
            let mut first = won.clone();
            first.retain(|id| *id <= ids[499]);
            first
        });
        assert_eq!(bench.describe().depth, 1_000);
        both.push(won);
    }
    assert_eq!(both[0], both[1]);
}

#[test]
fn a_statement_that_fails_in_the_middle_changes_nothing() {
    let mut expected = None;
    for fail in 0..25 {
        let mut bench = sale(5);
        let ids = take_part(&mut bench, 60);
        bench.now_ms = OPENED_MS + 60_000;
        bench.database.fail_at = Some(bench.database.statements + fail + 1);
        bench.turn(Vec::new());
        bench.database.fail_at = None;
        let draw = finish(&mut bench);
        let won = winners(&ids, &draw);
        assert_eq!(states(&mut bench, &ids, State::Queued), won);
        assert_eq!(&won, expected.get_or_insert_with(|| won.clone()), "{fail}");
    }
}

#[test]
fn who_waits_for_the_outcome_is_told() {
    let mut bench = sale(0);
    let id = take_part(&mut bench, 3)[1];
    let wait = Wait::Final { wait_ms: 30_000 };
    bench.now_ms = OPENED_MS + 50_000;
    let token = bench.turn(vec![Command::Inspect { id, wait }])[0];
    assert!(bench.answer(token).is_none());
    let alarm_at_ms = bench.alarm_at_ms.unwrap();
    assert!(alarm_at_ms <= OPENED_MS + 60_000);
    bench.now_ms = OPENED_MS + 60_000;
    bench.turn(Vec::new());
    let Some(Ok(Reply::State(state))) = bench.answer(token) else {
        panic!("no answer")
    };
    assert_eq!(state.state, State::NotDrawn);
}

#[test]
fn room_that_is_left_goes_to_who_comes_first_and_losers_are_out() {
    let mut bench = sale(10);
    let ids = take_part(&mut bench, 4);
    bench.pass(60_001);
    assert_eq!(states(&mut bench, &ids, State::Queued), ids);
    assert!(bench.publish(draft("late")).unwrap().waiting.is_none());
    let mut bench = sale(2);
    let ids = take_part(&mut bench, 4);
    bench.pass(60_001);
    let won = states(&mut bench, &ids, State::Queued);
    bench.ask(Command::Cancel { id: won[0] }).unwrap();
    assert_eq!(states(&mut bench, &ids, State::NotDrawn).len(), 2);
    assert!(bench.publish(draft("late")).unwrap().waiting.is_none());
}

#[test]
fn a_participation_counts_for_its_key_and_bodies_for_the_bytes() {
    let mut bench = Bench::new(&format!(
        r#"{{"capacity":{{"max_bytes":25,"max_per_key":1,"admission":"draw","draw_at_ms":{}}}}}"#,
        OPENED_MS + 1_000
    ));
    let keyed = |key: &'static str| Draft {
        key: Some(key),
        ..draft("0123456789")
    };
    let ids: Vec<Id> = ["a", "b", "c", "d"]
        .map(|key| bench.publish(keyed(key)).unwrap().id)
        .to_vec();
    let code = bench.publish(keyed("a")).unwrap_err().code;
    assert_eq!(code, ErrorCode::KeyLimit);
    bench.pass(1_001);
    let draw = figures(&mut bench);
    assert_eq!(winners(&ids, &draw).len(), 2, "two bodies fit 25 bytes");
}

#[test]
fn a_draw_that_is_dropped_admits_as_they_came_and_a_later_one_is_a_new_one() {
    let mut bench = sale(2);
    let ids = take_part(&mut bench, 4);
    let first = figures(&mut bench).commitment;
    let moved = format!(r#"{{"capacity":{{"draw_at_ms":{}}}}}"#, OPENED_MS + 90_000);
    bench.ask(Command::Configure { patch: &moved }).unwrap();
    assert_eq!(
        figures(&mut bench).commitment,
        first,
        "moved, not made anew"
    );
    let patch = r#"{"capacity":{"admission":"fifo"}}"#;
    bench.ask(Command::Configure { patch }).unwrap();
    assert_eq!(states(&mut bench, &ids, State::Queued), ids[..2]);
    let patch = format!(
        r#"{{"capacity":{{"admission":"draw","draw_at_ms":{}}}}}"#,
        bench.now_ms
    );
    let fault = bench.ask(Command::Configure { patch: &patch }).unwrap_err();
    assert_eq!(fault.figures.field.as_deref(), Some("capacity.draw_at_ms"));
    let patch = r#"{"capacity":{"admission":"draw"}}"#;
    bench.ask(Command::Configure { patch }).unwrap();
    assert_ne!(figures(&mut bench).commitment, first);
}

#[test]
fn a_purge_while_it_is_drawn_leaves_nobody_in_line() {
    let mut bench = sale(1_000);
    take_part(&mut bench, 50_000);
    bench.now_ms = OPENED_MS + 60_000;
    bench.turn(Vec::new());
    assert!(
        figures(&mut bench).drawn.is_none(),
        "it takes several turns"
    );
    bench.ask(Command::Purge).unwrap();
    let draw = finish(&mut bench);
    assert_eq!(draw.drawn.map(|it| it.participants), Some(0));
    assert_eq!(bench.describe().waiting, 0);
    // What comes now finds all the room there is.
    let accepted = bench.put("after");
    assert_eq!(bench.state(accepted.id).unwrap().state, State::Queued);
}
