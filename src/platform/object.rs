//! The exports of an instance that is an object.

use super::frame;
use super::memory::{fill_output, report_panics, say, with_input};
use super::sql::HostSql;
use crate::command::reply::SinceStart;
use crate::crypto::ticket::{SEED_BYTES, TicketKey};
use crate::durable::{DirectoryObject, QueueObject, Reach, TopicObject};
use crate::relay::{Outcome, Relay};
use crate::store::StoreError;
use crate::wire::base64;
use std::cell::RefCell;

/// `object_open`'s `kind` for a directory; anything not listed here is a queue.
const DIRECTORY: u32 = 1;
/// See [`DIRECTORY`].
const TOPIC: u32 = 2;
/// See [`DIRECTORY`].
const RELAY: u32 = 3;
/// What became of a call, as `object_called` has it; anything else is that it failed.
const ANSWERED: u32 = 1;
/// See [`ANSWERED`].
const OVERLOADED: u32 = 2;
/// Random bytes before the object's name in `object_open`'s input.
const ENTROPY_BYTES: usize = 16;
/// Bytes of a page of Wasm memory.
const PAGE_BYTES: usize = 65_536;

enum Role {
    Queue(Box<QueueObject>),
    Directory(DirectoryObject),
    Topic(Box<TopicObject>),
    Relay(Box<Relay>),
}

thread_local! {
    static ROLE: RefCell<Option<Role>> = const { RefCell::new(None) };
}

/// Becomes an object, within a transaction: reads what is stored. Input: 16 random bytes and the
/// object's name. Zero, or the size of the output, which says what failed.
#[unsafe(no_mangle)]
extern "C" fn object_open(len: usize, kind: u32, now_ms: f64) -> usize {
    report_panics();
    // Copied: what is read from storage comes in through the same buffer.
    let input = with_input(len, <[u8]>::to_vec);
    let (entropy, name) = input
        .split_first_chunk()
        .unwrap_or((&[0; ENTROPY_BYTES], &[]));
    let (name, now_ms) = (String::from_utf8_lossy(name), now_ms as u64);
    let opened = match kind {
        DIRECTORY => DirectoryObject::open(&mut HostSql).map(Role::Directory),
        RELAY => Ok(Role::Relay(Box::new(Relay::new(&name)))),
        TOPIC => TopicObject::open(&mut HostSql, &name, *entropy, now_ms)
            .map(|topic| Role::Topic(Box::new(topic))),
        _ => QueueObject::open(&mut HostSql, &name, *entropy, now_ms)
            .map(|queue| Role::Queue(Box::new(queue))),
    };
    match opened {
        Ok(role) => {
            ROLE.set(Some(role));
            0
        }
        Err(error) => failure(&error),
    }
}

/// The latest instant that an object knew of when it was opened, or has had a turn at; zero: it
/// keeps no time.
#[unsafe(no_mangle)]
extern "C" fn object_clock() -> f64 {
    ROLE.with_borrow(|role| match role {
        Some(Role::Queue(queue)) => queue.now_ms() as f64,
        Some(Role::Topic(topic)) => topic.now_ms() as f64,
        _ => 0.0,
    })
}

/// Brings damaged rows into order, within a transaction of its own, in an instance that is dropped
/// after it. Input as `object_open`'s. How many were damaged; zero: none, and nothing changed;
/// negative: the size of the output, which says what failed.
#[unsafe(no_mangle)]
extern "C" fn object_repair(len: usize, kind: u32, now_ms: f64) -> isize {
    report_panics();
    let input = with_input(len, <[u8]>::to_vec);
    let (entropy, name) = input
        .split_first_chunk()
        .unwrap_or((&[0; ENTROPY_BYTES], &[]));
    let (name, now_ms) = (String::from_utf8_lossy(name), now_ms as u64);
    let repaired = match kind {
        DIRECTORY | RELAY => Ok(0),
        TOPIC => TopicObject::repair(&mut HostSql, *entropy, now_ms),
        _ => QueueObject::repair(&mut HostSql, &name, *entropy, now_ms),
    };
    match repaired {
        Ok(count) => isize::try_from(count).unwrap_or(isize::MAX),
        Err(error) => -failure(&error).cast_signed(),
    }
}

/// Gives an object what only the host has. Input: 32 random bytes, then lines with the settings
/// `PUSH_WORKERS` and `PUSH_QUEUES`, then `TICKET_KEY`, each of them or nothing; and whether
/// endpoints on private networks may be called. Zero, or the size of the output,
/// which says what is wrong with the setting.
#[unsafe(no_mangle)]
extern "C" fn object_equip(len: usize, allows_private: u32) -> usize {
    let input = with_input(len, <[u8]>::to_vec);
    let (entropy, texts) = input.split_first_chunk().unwrap_or((&[0; SEED_BYTES], &[]));
    let texts = String::from_utf8_lossy(texts);
    let mut texts = texts.splitn(3, '\n');
    let mut text = || texts.next().unwrap_or_default();
    let reach = Reach::new(allows_private != 0, text(), text());
    let key = match text() {
        "" => Ok(None),
        jwk => TicketKey::from_jwk(jwk).map(Some),
    };
    match key {
        Ok(key) => {
            ROLE.with_borrow_mut(|role| match role {
                Some(Role::Queue(queue)) => queue.equip(*entropy, key, reach),
                Some(Role::Topic(topic)) => topic.equip(reach),
                Some(Role::Directory(directory)) => directory.equip(reach),
                Some(Role::Relay(_)) | None => {}
            });
            0
        }
        Err(fault) => failure(&StoreError(fault.to_string())),
    }
}

/// Takes a request into the next turn. Input: the command, then a message's body where it travels
/// beside the command. Where `is_text`, the command is base64url, and a body may follow it there
/// after a dot.
#[unsafe(no_mangle)]
extern "C" fn object_push(command_len: usize, body_len: usize, token: u32, is_text: u32) {
    let (command, body) = with_input(command_len + body_len, |input| {
        let (command, body) = input.split_at(command_len);
        if is_text == 0 {
            return (command.to_vec(), body.to_vec());
        }
        match command.iter().position(|byte| *byte == b'.') {
            Some(dot) => (decode(&command[..dot]), decode(&command[dot + 1..])),
            None => (decode(command), body.to_vec()),
        }
    });
    ROLE.with_borrow_mut(|role| match role {
        Some(Role::Queue(queue)) => queue.push(token, command, body),
        Some(Role::Topic(topic)) => topic.push(token, command, body),
        Some(Role::Directory(directory)) => directory.push(token, command),
        // A relay takes calls of several commands only; the host knows.
        Some(Role::Relay(_)) | None => {}
    });
}

/// Takes publishes that share a call into the next turn. Input: their commands as
/// base64url, with commas between. The first has the token `first`, under which the call is
/// answered.
#[unsafe(no_mangle)]
extern "C" fn object_push_shared(len: usize, first: u32) {
    // Decoded in place of a copy: nothing is read from storage meanwhile.
    with_input(len, |input| {
        ROLE.with_borrow_mut(|role| {
            let commands = input.split(|byte| *byte == b',').map(decode);
            match role {
                Some(Role::Queue(queue)) => queue.push_shared(first, commands),
                Some(Role::Relay(relay)) => relay.push_shared(first, commands),
                _ => {}
            }
        });
    });
}

/// Runs a turn, within a transaction. `rows_read`, `rows_written` and `commits` count since this
/// instance began. The size of the output: a turn's frame; or the negative size of a text that says
/// what failed, upon which the transaction is rolled back and this instance dropped.
#[unsafe(no_mangle)]
extern "C" fn object_run(now_ms: f64, rows_read: f64, rows_written: f64, commits: f64) -> isize {
    let since = SinceStart {
        object_requests_total: 0,
        rows_written_total: rows_written as u64,
        rows_read_total: rows_read as u64,
        commits_total: commits as u64,
        wasm_memory_bytes: (core::arch::wasm32::memory_size(0) * PAGE_BYTES) as u64,
    };
    if let Some(step) = ROLE.with_borrow_mut(|role| match role {
        Some(Role::Relay(relay)) => Some(relay.run(now_ms as u64)),
        _ => None,
    }) {
        return fill_output(|out| frame::step(out, &step)).cast_signed();
    }
    let turn = ROLE.with_borrow_mut(|role| match role {
        Some(Role::Queue(queue)) => queue.run(&mut HostSql, now_ms as u64, since),
        Some(Role::Topic(topic)) => topic.run(&mut HostSql, now_ms as u64, since),
        Some(Role::Directory(directory)) => directory.run(&mut HostSql, now_ms as u64),
        Some(Role::Relay(_)) | None => Err(StoreError("the object was never opened".into())),
    });
    match turn {
        Ok(turn) => {
            turn.events.iter().for_each(|event| say(event));
            fill_output(|out| frame::turn(out, &turn)).cast_signed()
        }
        Err(error) => -failure(&error).cast_signed(),
    }
}

/// The caller of a waiting request, or a live reader, has gone.
#[unsafe(no_mangle)]
extern "C" fn object_cancel(token: u32) {
    ROLE.with_borrow_mut(|role| match role {
        Some(Role::Queue(queue)) => queue.cancel(token),
        Some(Role::Topic(topic)) => topic.cancel(token),
        Some(Role::Directory(directory)) => directory.cancel(token),
        _ => {}
    });
}

/// A live reader whose socket slept. Input: what the socket remembers. 1, or 0 where that cannot be
/// read: then the socket is of no use.
#[unsafe(no_mangle)]
extern "C" fn object_attach(len: usize, token: u32) -> u32 {
    with_input(len, |memory| {
        ROLE.with_borrow_mut(|role| match role {
            Some(Role::Topic(topic)) => topic.attach(token, memory).into(),
            _ => 0,
        })
    })
}

/// A live reader has taken so many pieces.
#[unsafe(no_mangle)]
extern "C" fn object_credit(token: u32, pieces: u32) {
    ROLE.with_borrow_mut(|role| {
        if let Some(Role::Topic(topic)) = role {
            topic.credit(token, pieces);
        }
    });
}

/// What became of a call of an endpoint, of an earlier turn. Input: its head as
/// `push::outcome::Answer::parse` reads it, then the first bytes of its body.
#[unsafe(no_mangle)]
extern "C" fn object_dispatched(head_len: usize, body_len: usize, number: u32) {
    with_input(head_len + body_len, |input| {
        let (head, body) = input.split_at(head_len);
        ROLE.with_borrow_mut(|role| {
            if let Some(Role::Queue(queue)) = role {
                queue.dispatched(number, &String::from_utf8_lossy(head), body);
            }
        });
    });
}

/// Whether clients that listen to a topic are still being sent what an earlier turn had for them:
/// until they have it, no turn has more.
#[unsafe(no_mangle)]
extern "C" fn object_hold(held: u32) {
    ROLE.with_borrow_mut(|role| {
        if let Some(Role::Topic(topic)) = role {
            topic.hold(held != 0);
        }
    });
}

/// What became of a call of an earlier turn: 0 it failed, 1 its status was a success and the input
/// is its body, 2 too much is waiting there.
#[unsafe(no_mangle)]
extern "C" fn object_called(len: usize, number: u32, outcome: u32) {
    with_input(len, |body| {
        ROLE.with_borrow_mut(|role| match role {
            Some(Role::Queue(queue)) => queue.called(number, outcome == ANSWERED, body),
            Some(Role::Topic(topic)) => topic.called(number, outcome == ANSWERED, body),
            Some(Role::Relay(relay)) => {
                let outcome = match outcome {
                    ANSWERED => Outcome::Answered,
                    OVERLOADED => Outcome::Overloaded,
                    _ => Outcome::Failed,
                };
                relay.called(number, outcome, body);
            }
            Some(Role::Directory(directory)) => directory.called(number, outcome == ANSWERED, body),
            None => {}
        });
    });
}

/// What is no base64url is no command either: the object says so when it reads the command.
fn decode(text: &[u8]) -> Vec<u8> {
    std::str::from_utf8(text)
        .ok()
        .and_then(base64::decode_url)
        .unwrap_or_default()
}

fn failure(error: &StoreError) -> usize {
    fill_output(|out| out.extend_from_slice(error.to_string().as_bytes()))
}
