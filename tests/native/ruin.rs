//! A queue of which many rows are damaged at once, and one may be missing besides: it is repaired, hands
//! out nothing that is wrong, gives no number twice, says of no message that is lost that it is
//! done, and keeps what it accepts from then on. That what is lost is said to be `damaged` is judged
//! where one row is damaged, in `damage.rs`: where many are, what would tell of it may be gone too.

use crate::bench::{Bench, draft};
use crate::damage::{Known, VALUES, ask, played};
use crate::random::Random;
use tidegate::command::{Command, Pull, Reply};
use tidegate::engine::queue::Queue;
use tidegate::store::Sql;

/// Values that are damaged at a time, at most.
const DAMAGES_MAX: u64 = 12;

/// Damages one value; whether it is one without which nothing that was stored can be told: the
/// configuration, the secret.
fn ruin(bench: &mut Bench, random: &mut Random) -> bool {
    let (table, column) = VALUES[random.below(VALUES.len() as u64) as usize];
    let row = random.below(bench.database.count(table).max(1));
    let is_there = bench.database.damage(table, column, row, |value| {
        let at = random.below(value.len().max(1) as u64) as usize;
        match random.below(4) {
            0 => value.truncate(at),
            1 => value.clear(),
            2 => value.extend_from_slice(&[0; 9]),
            _ => value
                .iter_mut()
                .skip(at)
                .take(3)
                .for_each(|byte| *byte ^= 0x55),
        }
    });
    is_there && table == "meta"
}

/// Deletes the row of a segment, one that a later one of its lane tells of.
fn lose(bench: &mut Bench, random: &mut Random) {
    let row = random.below(bench.database.count("segments").max(1));
    let select = "SELECT id >> 48 FROM segments ORDER BY id LIMIT 2 OFFSET ?";
    let lanes = bench.database.exec(select, &[row.into()]).unwrap();
    if lanes.len() == 2 && lanes[0] == lanes[1] {
        bench.database.lose("segments", row);
    }
}

fn play(seed: u64) {
    println!("TIDEGATE_SEED={seed} TIDEGATE_RUNS=1");
    let mut random = Random::new(seed);
    let (order, mut bench, mut known) = played(&mut random, 200);
    let mut is_lost = false;
    for _ in 0..2 + random.below(DAMAGES_MAX - 1) {
        is_lost |= ruin(&mut bench, &mut random);
    }
    if random.below(2) == 0 {
        lose(&mut bench, &mut random);
    }
    known.forget_leases();
    bench.reopen();
    // Where its configuration is lost, somebody has to say it again.
    let patch = r#"{"capacity":{"closes_at_ms":null}}"#;
    ask(&mut bench, || Command::Configure { patch }).unwrap();
    if is_lost {
        ask(&mut bench, || Command::Purge).unwrap();
        known = Known::default();
    }
    let before = known.not_done();
    (0..20).for_each(|_| known.publish(&mut bench, &mut random));
    known.drain(&mut bench);
    let lost: Vec<_> = known.not_done().difference(&before).copied().collect();
    assert!(
        lost.is_empty(),
        "seed {seed}, {order}: {lost:?} are new and lost"
    );
    known.judge_ends(&mut bench, &format!("seed {seed}, {order}"));
}

/// A queue with six rows of one lane that no row of the journal knows.
fn six_rows() -> (Bench, Vec<u64>) {
    let mut bench = Bench::new("{}");
    let publish = |bench: &mut Bench| bench.publish(draft("hello")).unwrap().id.seq();
    let given = (0..6).map(|_| publish(&mut bench)).collect();
    assert_eq!(bench.database.count("segments"), 6);
    (bench, given)
}

#[test]
fn a_number_of_a_row_that_nothing_tells_of_is_not_given_again_after_a_repair() {
    let (mut bench, given) = six_rows();
    bench.database.lose("segments", 5);
    bench
        .database
        .damage("segments", "head", 2, |head| head.truncate(9));
    assert!(bench.repair() > 0);
    bench.reopen();
    let next = bench.publish(draft("new")).unwrap().id.seq();
    assert!(!given.contains(&next), "{next} was given twice");
}

#[test]
fn a_missing_row_is_met_before_anything_is_written_behind_it() {
    let (mut bench, _) = six_rows();
    bench.database.lose("segments", 2);
    let (name, now_ms) = (bench.name, bench.now_ms);
    let opened = bench
        .database
        .transact(|sql| Queue::open(sql, name, [9; 16], now_ms));
    assert!(opened.is_err(), "nobody noticed");
    assert!(bench.repair() > 0);
    bench.reopen();
    bench.publish(draft("new")).unwrap();
    let pull = Command::Pull(Pull {
        batch_size: 10,
        ..Pull::default()
    });
    let Ok(Reply::Pulled { messages, .. }) = bench.ask(pull) else {
        panic!("no pull");
    };
    assert_eq!(messages.len(), 6);
}

#[test]
fn a_queue_with_many_damaged_rows_goes_on() {
    let setting = |name: &str, default| {
        let text = std::env::var(name).ok();
        text.and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let first = setting("TIDEGATE_SEED", 1);
    for seed in first..first + setting("TIDEGATE_RUNS", 100) {
        play(seed);
    }
}
