//! Queues of a sale: a line before a stock that is gone, with tickets; and a draw that is to come.

use super::{NOW_MS, dumps, note, noted};
use crate::bench::{Bench, draft, lease};
use crate::database::Database;
use sha2::{Digest, Sha256};
use tidegate::command::{Ack, AckEntry, Command, Draft, LeaseRef, State};
use tidegate::id::Id;
use tidegate::wire::base64;

const BUYERS: [&str; 5] = ["ada", "grace", "edsger", "barbara", "donald"];
const DRAW_AT_MS: u64 = 1_700_000_000_000 + 60_000;

/// Answers calls to the directory, which shows the key that signs tickets.
fn carry(bench: &mut Bench) {
    while !bench.last.calls.is_empty() {
        for call in std::mem::take(&mut bench.last.calls) {
            bench.queue.called(call.number, true, b"");
        }
        bench.turn(Vec::new());
    }
}

/// The name of the key that signed a ticket.
fn signer(ticket: &str) -> String {
    let header = base64::decode_url(ticket.split('.').next().unwrap()).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

/// Two have a place and a ticket each, three wait.
pub fn dump() -> String {
    let mut bench = Bench::absent("orders");
    bench.queue.equip([1; 32], None, Default::default());
    let patch = r#"{"capacity":{"max_accepted":2,"max_per_key":1,"overflow":"wait",
        "ticket_ttl_ms":86400000}}"#;
    bench.ask(Command::Configure { patch }).unwrap();
    carry(&mut bench);
    let mut ids = Vec::new();
    let mut tickets = Vec::new();
    for buyer in BUYERS {
        let key = Some(buyer);
        let accepted = bench
            .publish(Draft {
                key,
                ..draft(buyer)
            })
            .unwrap();
        ids.push(accepted.id.to_string());
        tickets.extend(accepted.ticket);
    }
    note("ids", &ids.join(" ")) + &note("signer", &signer(&tickets[0])) + &bench.database.dump()
}

#[test]
fn lines_of_every_version_move_up() {
    for (name, text) in dumps("sale") {
        let ids: Vec<Id> = ids_of(&text);
        let mut bench = Bench::on(Database::load(&text), NOW_MS);
        bench.queue.equip([2; 32], None, Default::default());
        let it = bench.describe();
        assert_eq!((it.accepted, it.waiting), (2, 3), "{name}");
        for (at, id) in ids[2..].iter().enumerate() {
            let state = bench.state(*id).unwrap();
            let place = (state.state, state.position);
            assert_eq!(place, (State::Waiting, Some(at as u64 + 1)), "{name}");
        }
        let first = &bench.pull(1)[0];
        let leased = lease(first);
        bench.settle(giving_back(&leased)).unwrap();
        assert_eq!(bench.state(ids[2]).unwrap().state, State::Queued, "{name}");
        bench
            .ask(Command::Configure {
                patch: r#"{"capacity":{"max_accepted":10}}"#,
            })
            .unwrap();
        carry(&mut bench);
        let key = Some("alan");
        let more = bench
            .publish(Draft {
                key,
                ..draft("alan")
            })
            .unwrap();
        let signed = signer(&more.ticket.unwrap());
        assert_eq!(signed, noted(&text, "signer"), "{name}: the same key signs");
        let key = Some("donald");
        let again = bench.publish(Draft {
            key,
            ..draft("again")
        });
        assert!(again.is_err(), "{name}: who waited has a place now");
    }
}

fn giving_back(lease_id: &str) -> Ack<'_> {
    Ack {
        acks: vec![AckEntry {
            lease_id: LeaseRef::Text(lease_id),
            release: true,
            ..AckEntry::default()
        }],
        ..Ack::default()
    }
}

fn ids_of(text: &str) -> Vec<Id> {
    let ids = noted(text, "ids").split(' ');
    ids.map(|id| Id::parse(id).unwrap()).collect()
}

/// Twenty take part in a draw of five places.
pub fn dump_draw() -> String {
    let mut bench = Bench::new(&format!(
        r#"{{"capacity":{{"max_accepted":5,"admission":"draw","draw_at_ms":{DRAW_AT_MS}}}}}"#
    ));
    let publish = |_| bench.put("me").id.to_string();
    let ids: Vec<String> = (0..20).map(publish).collect();
    let commitment = hex(&bench.describe().draw.unwrap().commitment);
    note("ids", &ids.join(" ")) + &note("commitment", &commitment) + &bench.database.dump()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn draws_of_every_version_are_drawn_as_they_promised() {
    for (name, text) in dumps("draw") {
        let ids = ids_of(&text);
        let mut bench = Bench::on(Database::load(&text), NOW_MS);
        bench.turn(Vec::new());
        bench.pass(DRAW_AT_MS - NOW_MS + 1);
        bench.turn(Vec::new());
        let draw = bench.describe().draw.unwrap();
        let drawn = draw.drawn.unwrap();
        let promised = noted(&text, "commitment");
        assert_eq!(hex(&Sha256::digest(drawn.seed)), promised, "{name}");
        assert_eq!((drawn.participants, drawn.drawn), (20, 5), "{name}");
        let mut won = ids.clone();
        won.sort_by_key(|id| {
            let rank = Sha256::new().chain_update(drawn.seed);
            rank.chain_update(id.to_string()).finalize()
        });
        won.truncate(5);
        won.sort();
        let pulled: Vec<Id> = bench.pull(20).iter().map(|it| it.id).collect();
        assert_eq!(pulled, won, "{name}");
    }
}
