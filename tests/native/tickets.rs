//! Tickets over time: which key signs, and how long the directory shows it.

use crate::bench::{Bench, draft};
use crate::database::Database;
use tidegate::command::{Command, Reply};
use tidegate::durable::DirectoryObject;
use tidegate::engine::key_set;
use tidegate::error::ErrorCode;
use tidegate::limits::{JWKS_CACHE_MS, JWKS_KEYS_MAX};
use tidegate::time::{DAY, MINUTE};
use tidegate::wire::base64;

const TTL_MS: u64 = DAY;
const GIVING: &str = r#"{"capacity":{"ticket_ttl_ms":86400000}}"#;

/// A queue that gives tickets, and the directory it publishes its keys in.
struct Sale {
    queue: Bench,
    database: Database,
    directory: DirectoryObject,
    /// Whether the directory can be reached.
    reachable: bool,
}

impl Sale {
    fn new() -> Self {
        let mut database = Database::default();
        let directory = DirectoryObject::open(&mut database).unwrap();
        let mut queue = Bench::absent("sale");
        queue.queue.equip([1; 32], None, Default::default());
        queue.ask(Command::Configure { patch: GIVING }).unwrap();
        let mut sale = Self {
            queue,
            database,
            directory,
            reachable: true,
        };
        sale.carry();
        sale
    }

    /// Carries calls to the directory until there are none.
    fn carry(&mut self) {
        while !self.queue.last.calls.is_empty() {
            for call in std::mem::take(&mut self.queue.last.calls) {
                let mut ok = self.reachable;
                if ok {
                    self.directory.push(1, call.command);
                    let now_ms = self.queue.now_ms;
                    let turn = self.directory.run(&mut self.database, now_ms).unwrap();
                    ok = turn.replies[0].1.status < 300;
                }
                self.queue.queue.called(call.number, ok, b"");
            }
            self.queue.turn(Vec::new());
        }
    }

    fn pass(&mut self, ms: u64) {
        self.queue.pass(ms);
        self.carry();
    }

    /// The name of the key that signs the ticket of a publish.
    fn signer(&mut self) -> String {
        let ticket = self.queue.put("x").ticket.expect("a ticket");
        self.carry();
        let header = base64::decode_url(ticket.split('.').next().unwrap()).unwrap();
        let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
        header["kid"].as_str().unwrap().to_owned()
    }

    /// The names of the keys that the directory shows at an instant.
    fn shown_at(&mut self, at_ms: u64) -> Vec<String> {
        let set = key_set::read(&mut self.database, at_ms).unwrap();
        set.keys.into_iter().map(|key| key.kid).collect()
    }

    fn shown(&mut self) -> Vec<String> {
        self.shown_at(self.queue.now_ms)
    }

    fn rotate(&mut self) -> (String, u64) {
        let rotated = self.queue.ask(Command::RotateTickets).unwrap();
        self.carry();
        match rotated {
            Reply::Rotated { kid, from_ms } => (kid, from_ms),
            other => panic!("{other:?}"),
        }
    }

    fn crash(&mut self) {
        self.queue.reopen();
        self.queue.queue.equip([2; 32], None, Default::default());
    }
}

#[test]
fn the_next_key_signs_when_every_verifier_can_know_it_and_not_before() {
    let mut sale = Sale::new();
    let old = sale.signer();
    let (next, from_ms) = sale.rotate();
    assert!(next != old && from_ms >= sale.queue.now_ms + JWKS_CACHE_MS);
    assert!(sale.shown().contains(&next), "it is shown at once");
    sale.pass(from_ms - sale.queue.now_ms - 1);
    assert_eq!(sale.signer(), old);
    sale.crash();
    assert_eq!(sale.signer(), old);
    sale.pass(1);
    assert_eq!(sale.signer(), next);
    sale.crash();
    assert_eq!(sale.signer(), next);
    let last = from_ms - 1 + TTL_MS;
    assert!(
        sale.shown_at(last).contains(&old),
        "its last ticket can be verified"
    );
}

#[test]
fn a_rotation_that_is_under_way_is_not_begun_again() {
    let mut sale = Sale::new();
    let first = sale.rotate();
    sale.pass(MINUTE);
    assert_eq!(sale.rotate(), first);
    sale.crash();
    assert_eq!(sale.rotate(), first);
    sale.pass(first.1 - sale.queue.now_ms);
    let second = sale.rotate();
    assert!(second.0 != first.0 && second.1 > first.1);
    assert_eq!(sale.signer(), first.0);
}

#[test]
fn every_ticket_can_be_verified_for_as_long_as_it_lives() {
    let mut sale = Sale::new();
    for day in 0..100 {
        let kid = sale.signer();
        let end_ms = sale.queue.now_ms + TTL_MS;
        assert!(sale.shown_at(end_ms).contains(&kid), "day {day}");
        sale.pass(DAY);
    }
    sale.pass(40 * DAY);
    assert!(sale.shown().is_empty(), "a key that nobody uses goes");
    let kid = sale.signer();
    assert_eq!(sale.shown(), [kid], "and is back when it signs");
}

#[test]
fn a_directory_that_cannot_be_reached_is_asked_again() {
    let mut sale = Sale::new();
    let old = sale.signer();
    sale.reachable = false;
    let (next, _) = sale.rotate();
    assert_eq!(sale.shown(), std::slice::from_ref(&old));
    sale.reachable = true;
    for _ in 0..10 {
        sale.pass(MINUTE);
    }
    let mut both = [old, next];
    both.sort();
    assert_eq!(sale.shown(), both);
}

#[test]
fn the_key_set_is_bounded_and_empties_by_itself() {
    let mut database = Database::default();
    key_set::open(&mut database).unwrap();
    let mut publish = |n: u64, until_ms, now_ms| {
        let kid = format!("key-{n}");
        key_set::publish(&mut database, &kid, "x", until_ms, now_ms).unwrap()
    };
    for n in 0..JWKS_KEYS_MAX {
        publish(n, 100 + n, 0).unwrap();
    }
    let refused = publish(JWKS_KEYS_MAX, 500, 0).unwrap_err();
    assert_eq!(refused.code, ErrorCode::Overloaded);
    publish(0, 5_000, 0).expect("one that is there is renewed");
    publish(JWKS_KEYS_MAX, 9_000, 101).expect("one has gone");
    let set = key_set::read(&mut database, 4_999).unwrap();
    assert_eq!(set.keys.len(), 2);
}

#[test]
fn a_queue_without_randomness_gives_no_ticket() {
    let mut bench = Bench::new(GIVING);
    let accepted = bench.publish(draft("x")).unwrap();
    assert_eq!(accepted.ticket, None);
}
