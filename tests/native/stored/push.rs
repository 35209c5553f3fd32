//! A queue that pushes: what was called, what is called just now, and what is to be called again.

use super::{NOW_MS, dumps, note, noted};
use crate::bench::Bench;
use crate::database::Database;
use crate::push::{calls, queue, reach};
use tidegate::command::{Command, Reply, State};
use tidegate::id::Id;

/// One message is done, one failed once and waits, one is under way.
pub fn dump() -> String {
    let mut bench = queue(
        r#", "format": "raw", "concurrency": 2, "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD""#,
        r#", "delivery": {"backoff": {"initial_ms": 60000, "max_ms": 60000}}"#,
    );
    let mut ids = Vec::new();
    for (body, head) in [
        ("done", Some("200\n7\ncontent-type: application/json\n")),
        ("failed", Some("500\n9\n")),
        ("under way", None),
    ] {
        ids.push(bench.put(body).id.to_string());
        let made = calls(&mut bench);
        if let Some(head) = head {
            let answer = br#"{"result": 7}"#;
            bench.queue.dispatched(made[0].number, head, answer);
            bench.turn(Vec::new());
        }
    }
    note("ids", &ids.join(" ")) + &bench.database.dump()
}

#[test]
fn pushes_of_every_version_go_on() {
    for (name, text) in dumps("push") {
        let ids: Vec<_> = noted(&text, "ids").split(' ').collect();
        let [done, failed, under_way] = [0, 1, 2].map(|at| Id::parse(ids[at]).unwrap());
        let mut bench = Bench::on(Database::load(&text), NOW_MS);
        bench.queue.equip([3; 32], None, reach());
        bench.turn(Vec::new());
        let result = bench.state(done).unwrap().result;
        assert_eq!(result.as_deref(), Some("7"), "{name}");
        assert_eq!(bench.state(under_way).unwrap().state, State::Leased);
        let Ok(Reply::Attempts(attempts)) = bench.ask(Command::Attempts { id: failed }) else {
            panic!("{name}: no attempts");
        };
        let told: Vec<_> = attempts.iter().map(|it| (it.number, it.status)).collect();
        assert_eq!(told, [(1, 500)], "{name}");
        // What was under way when the instance went is called again, and what failed.
        bench.pass(120_000);
        let mut called: Vec<_> = calls(&mut bench)
            .iter()
            .map(|call| String::from_utf8(call.request.body.clone()).unwrap())
            .collect();
        called.sort();
        called.dedup();
        assert_eq!(called, ["failed", "under way"], "{name}");
    }
}
