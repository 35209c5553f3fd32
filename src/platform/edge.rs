//! The exports of an instance that is an isolate's edge.

use super::frame;
use super::memory::{fill_output, report_panics, with_input};
use super::slots::{Place, Slots};
use crate::command::directory::DirectoryCommand;
use crate::command::patterns::PatternCommand;
use crate::command::topic::{self, TopicCommand, TopicEnvelope};
use crate::command::{Command, Envelope, State, codec, placement};
use crate::edge::{Action, Call, Edge, Listing, Payload, Target, subscriptions};
use crate::id::Id;
use crate::protocol::http::Response;
use serde::Deserialize;
use std::cell::RefCell;

struct Role {
    edge: Edge,
    slots: Slots,
}

thread_local! {
    static ROLE: RefCell<Option<Role>> = const { RefCell::new(None) };
}

/// Becomes an edge. Input: the settings, a JSON object of strings. Zero, or the size of the output,
/// which says what is wrong with them.
#[unsafe(no_mangle)]
extern "C" fn edge_init(len: usize) -> usize {
    report_panics();
    match with_input(len, |input| Edge::new(&String::from_utf8_lossy(input))) {
        Ok(edge) => {
            ROLE.set(Some(Role {
                edge,
                slots: Slots::default(),
            }));
            0
        }
        Err(text) => fill_output(|out| out.extend_from_slice(text.as_bytes())),
    }
}

/// The first step of a request. Input: its head.
#[unsafe(no_mangle)]
extern "C" fn edge_open(len: usize, now_ms: f64) -> usize {
    step(len, |role, input, out| {
        let action = role.edge.open(text(input), now_ms as u64);
        role.write(out, &action);
    })
}

/// A glance at a request, before its first step: what refuses it from memory. Input: a head with
/// the headers of `edge::DECIDING` alone. Nothing: the first step has to be taken.
#[unsafe(no_mangle)]
extern "C" fn edge_peek(len: usize, now_ms: f64) -> usize {
    step(len, |role, input, out| {
        match role.edge.peek(text(input), now_ms as u64) {
            Some(response) => role.respond(out, &response),
            None => frame::words(out, &[frame::NOTHING]),
        }
    })
}

/// Until when the glance that was refused last gets the same refusal, in milliseconds of Unix time:
/// the host may give it again by itself, as long as it asks nothing else. Zero: it has to ask.
#[unsafe(no_mangle)]
extern "C" fn edge_repeats_until() -> f64 {
    ROLE.with_borrow(|role| {
        role.as_ref()
            .map_or(0.0, |role| role.edge.repeats_until_ms() as f64)
    })
}

/// The host gave the last glance's refusal again, so many times.
#[unsafe(no_mangle)]
extern "C" fn edge_repeated(count: f64, now_ms: f64) {
    ROLE.with_borrow_mut(|role| {
        if let Some(role) = role {
            role.edge.repeated(count as u64, now_ms as u64);
        }
    });
}

/// Until when there may be something to peek for, in milliseconds of Unix time.
#[unsafe(no_mangle)]
extern "C" fn edge_refuses_until() -> f64 {
    ROLE.with_borrow(|role| {
        role.as_ref()
            .map_or(0.0, |role| role.edge.refuses_until_ms() as f64)
    })
}

/// The step after the body was read. Input: head, body.
#[unsafe(no_mangle)]
extern "C" fn edge_body(head_len: usize, body_len: usize, now_ms: f64) -> usize {
    step(head_len + body_len, |role, input, out| {
        let (head, body) = input.split_at(head_len);
        let action = role.edge.body(text(head), body, now_ms as u64);
        role.write(out, &action);
    })
}

/// The response to a call that was made at `sent_ms` carried a verdict. Input: head, the header's
/// value. Nothing: the response is right as it is.
#[unsafe(no_mangle)]
extern "C" fn edge_verdict(
    head_len: usize,
    verdict_len: usize,
    sent_ms: f64,
    now_ms: f64,
) -> usize {
    step(head_len + verdict_len, |role, input, out| {
        let (head, verdict) = input.split_at(head_len);
        let (head, verdict) = (text(head), text(verdict));
        match role
            .edge
            .verdict(head, verdict, sent_ms as u64, now_ms as u64)
        {
            Some(response) => role.respond(out, &response),
            None => frame::words(out, &[frame::NOTHING]),
        }
    })
}

/// The host checked the signature of a request's token, with a key of that edition of the set. Input:
/// its head. Nothing: it was right, and the step is to be taken again.
#[unsafe(no_mangle)]
extern "C" fn edge_verified(len: usize, is_right: u32, edition: u32, now_ms: f64) -> usize {
    step(len, |role, input, out| {
        let refusal = role
            .edge
            .verified(text(input), is_right != 0, edition, now_ms as u64);
        match refusal {
            Some(response) => role.respond(out, &response),
            None => frame::words(out, &[frame::NOTHING]),
        }
    })
}

/// Whether it matters where a request without credentials comes from.
#[unsafe(no_mangle)]
extern "C" fn edge_wants_clients() -> u32 {
    ROLE.with_borrow(|role| {
        role.as_ref()
            .is_some_and(|role| role.edge.wants_clients())
            .into()
    })
}

/// A queue said whether it is public. Input: head, the header's value, empty where there is none.
#[unsafe(no_mangle)]
extern "C" fn edge_learn(head_len: usize, said_len: usize, now_ms: f64) {
    step(head_len + said_len, |role, input, _| {
        let (head, said) = input.split_at(head_len);
        role.edge.learn(text(head), text(said), now_ms as u64);
    });
}

/// The host read the key set, or could not. Input: its bytes. `max_age_ms`: negative where its
/// answer did not say.
#[unsafe(no_mangle)]
extern "C" fn edge_take_keys(len: usize, is_read: u32, max_age_ms: f64, now_ms: f64) {
    step(len, |role, input, _| {
        let max_age_ms = (max_age_ms >= 0.0).then_some(max_age_ms as u64);
        let read = (is_read != 0).then_some(input);
        role.edge.take_keys(read, max_age_ms, now_ms as u64);
    });
}

/// Calls that carry counts of refusals, one after another.
#[unsafe(no_mangle)]
extern "C" fn edge_report(now_ms: f64) -> usize {
    step(0, |role, _, out| {
        for call in role.edge.report(now_ms as u64) {
            frame::call(out, frame::CALL, &call);
        }
    })
}

/// Whether there are counts to report, now or soon.
#[unsafe(no_mangle)]
extern "C" fn edge_has_reports() -> u32 {
    ROLE.with_borrow(|role| {
        role.as_ref()
            .is_some_and(|role| role.edge.has_reports())
            .into()
    })
}

/// Calls for the descriptions of the queues, or topics, in a page of their directory, one after
/// another. Input: the page.
#[unsafe(no_mangle)]
extern "C" fn edge_describe(len: usize, topics: u32) -> usize {
    step(len, |_, input, out| {
        let page = page(input);
        for name in page.names {
            // A command that cannot be written is answered by the object, as any it cannot read.
            let call = if let Some(key) = page.subscription {
                topic_call(name, TopicCommand::Subscription { name: key })
            } else if topics == 0 {
                describe_queue(name)
            } else {
                topic_call(name, TopicCommand::Describe)
            };
            frame::call(out, frame::CALL, &call);
        }
    })
}

/// Calls for the subscriptions of the topics that were gathered, one after another. Input: the
/// gathered document of topics.
#[unsafe(no_mangle)]
extern "C" fn edge_subscriptions(len: usize) -> usize {
    step(len, |_, input, out| {
        let topics = subscriptions::topics_in(text(input)).unwrap_or_default();
        for (topic, limit) in subscriptions::asked(&topics) {
            let command = TopicCommand::Subscriptions { after: None, limit };
            frame::call(out, frame::CALL, &topic_call(topic, command));
        }
    })
}

/// Calls for the descriptions of the queues that subscriptions have of their own. Input: the
/// gathered document of topics, and what those calls brought.
#[unsafe(no_mangle)]
extern "C" fn edge_own_queues(topics_len: usize, lists_len: usize) -> usize {
    step(topics_len + lists_len, |_, input, out| {
        let (topics, lists) = input.split_at(topics_len);
        for queue in subscriptions::own_queues_in(text(topics), text(lists)).unwrap_or_default() {
            frame::call(out, frame::CALL, &describe_queue(&queue));
        }
    })
}

/// The call that has the directory forget. Input: the page, and one byte for each of its names:
/// whether the queue is gone.
#[unsafe(no_mangle)]
extern "C" fn edge_forget(page_len: usize, gone_len: usize, topics: u32) -> usize {
    step(page_len + gone_len, |_, input, out| {
        let (listing, gone) = input.split_at(page_len);
        let page = page(listing);
        // A topic that has no such subscription yet is there all the same.
        let is_listing = page.subscription.is_none();
        let names = page
            .names
            .iter()
            .zip(gone)
            .filter(|(_, gone)| is_listing && **gone != 0)
            .map(|(name, _)| *name);
        let command = DirectoryCommand::Unregister {
            names: names.collect(),
            as_of: page.as_of,
        };
        frame::call(out, frame::CALL, &to_directory(&command, topics != 0));
    })
}

/// The last step of a listing. Input: head, what was gathered as JSON.
#[unsafe(no_mangle)]
extern "C" fn edge_gathered(head_len: usize, len: usize, now_ms: f64) -> usize {
    step(head_len + len, |role, input, out| {
        let (head, gathered) = input.split_at(head_len);
        let response = role
            .edge
            .gathered(text(head), text(gathered), now_ms as u64);
        role.respond(out, &response);
    })
}

/// The next step of a stream. Input: the stream, as in the frame that began it; the body of the
/// object's last answer, or nothing at first. Output: whether the stream ends with this event, size
/// of the event; the event; the next call.
#[unsafe(no_mangle)]
extern "C" fn edge_watch(stream_len: usize, state_len: usize) -> usize {
    step(stream_len + state_len, |role, input, out| {
        let (stream, state) = input.split_at(stream_len);
        let state = text(state);
        let known = Edge::known(state);
        let event = if state.is_empty() {
            String::new()
        } else {
            Edge::event(state)
        };
        let ends = !state.is_empty() && known.is_none_or(|(state, _)| State::is_final(state));
        frame::words(out, &[ends.into(), event.len() as u32]);
        out.extend_from_slice(event.as_bytes());
        let mut parts = text(stream).splitn(4, '\n').skip(1);
        let (queue, id) = (
            parts.next().unwrap_or_default(),
            parts.next().and_then(Id::parse),
        );
        let origin = parts.next().filter(|origin| !origin.is_empty());
        if let Some(id) = id {
            frame::call(out, frame::CALL, &role.edge.watch(queue, id, known, origin));
        }
    })
}

/// The call that opens a live reader's socket. Input: the stream, as in the frame that began it.
/// `next_seq`: where to go on; negative: where the stream says. Nothing: it is no stream.
#[unsafe(no_mangle)]
extern "C" fn edge_follow(len: usize, next_seq: f64) -> usize {
    step(len, |role, input, out| {
        let next_seq = (next_seq >= 0.0).then_some(next_seq as u64);
        match role.edge.follow(text(input), next_seq) {
            Some(call) => frame::call(out, frame::CALL, &call),
            None => frame::words(out, &[frame::NOTHING]),
        }
    })
}

/// What becomes of a frame that a client sent on its socket. Input: the head that opened it, the
/// frame's text.
#[unsafe(no_mangle)]
extern "C" fn edge_frame(head_len: usize, text_len: usize, now_ms: f64) -> usize {
    step(head_len + text_len, |role, input, out| {
        let (head, frame) = input.split_at(head_len);
        let step = role.edge.frame(text(head), text(frame), now_ms as u64);
        frame::socket_step(out, &step);
    })
}

impl Role {
    fn write(&mut self, out: &mut Vec<u8>, action: &Action) {
        match action {
            Action::Respond(response) => self.respond(out, response),
            Action::Gather {
                of,
                after,
                limit,
                seen,
            } => {
                let after = after.as_deref();
                let seen = seen.as_ref();
                let command = match of {
                    Listing::Pattern { pattern, name } => {
                        let (pattern, name) = (pattern.as_str(), name.as_str());
                        DirectoryCommand::Patterns(PatternCommand::Topics {
                            pattern,
                            name,
                            after,
                        })
                    }
                    _ => DirectoryCommand::List {
                        after,
                        limit: *limit,
                        seen: seen.map(|it| it.iter().map(String::as_str).collect()),
                    },
                };
                let kind = match of {
                    Listing::Both => frame::GATHER_BOTH,
                    _ => frame::GATHER,
                };
                let topics = matches!(of, Listing::Topics | Listing::Pattern { .. });
                frame::call(out, kind, &to_directory(&command, topics));
                if *of == Listing::Both {
                    frame::call(out, frame::GATHER, &to_directory(&command, true));
                }
            }
            _ => frame::action(out, action),
        }
    }

    fn respond(&mut self, out: &mut Vec<u8>, response: &Response) {
        match self.slots.place(response) {
            Place::Known(slot) => frame::words(out, &[frame::RESPOND_AGAIN, slot]),
            Place::Fresh(slot) => frame::response(out, Some(slot), response),
            Place::Nowhere => frame::response(out, None, response),
        }
    }
}

fn step(len: usize, run: impl FnOnce(&mut Role, &[u8], &mut Vec<u8>)) -> usize {
    with_input(len, |input| {
        ROLE.with_borrow_mut(|role| {
            fill_output(|out| match role {
                Some(role) => run(role, input, out),
                None => frame::words(out, &[frame::NOTHING]),
            })
        })
    })
}

/// A page of the directory, as its object renders it.
#[derive(Default, Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    names: Vec<&'a str>,
    as_of: u64,
    /// Of each of these topics, this subscription is meant.
    #[serde(borrow, default)]
    subscription: Option<&'a str>,
}

/// A page that cannot be read has no names.
fn page(json: &[u8]) -> Page<'_> {
    serde_json::from_slice(json).unwrap_or_default()
}

fn to_directory(command: &DirectoryCommand<'_>, topics: bool) -> Call {
    let object = if topics {
        placement::TOPIC_DIRECTORY
    } else {
        placement::DIRECTORY
    };
    let command = command.encode().unwrap_or_default();
    call(Target::Directory, object.to_owned(), command)
}

fn describe_queue(name: &str) -> Call {
    let envelope = Envelope {
        queue: name,
        origin: None,
        auto_create: false,
        binary: false,
        anonymous: false,
        refused: Vec::new(),
        command: Command::Describe,
    };
    let command = codec::encode(&envelope).unwrap_or_default();
    call(Target::Queue, placement::queue_object(name), command)
}

fn topic_call(name: &str, command: TopicCommand<'_>) -> Call {
    let envelope = TopicEnvelope {
        topic: name,
        origin: None,
        auto_create: false,
        anonymous: false.into(),
        command,
    };
    let command = topic::encode(&envelope).unwrap_or_default();
    call(Target::Topic, placement::topic_object(name), command)
}

fn call(target: Target, object: String, command: Vec<u8>) -> Call {
    Call {
        target,
        object,
        command,
        payload: Payload::InCommand,
        publishes: false,
        shareable: false,
    }
}

/// The host encodes strings, and a lone surrogate as U+FFFD: this is always UTF-8.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}
