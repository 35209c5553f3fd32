//! How answers to the host are laid out: little-endian words of 32 bits at fixed places, then texts
//! and bytes one after another. `host/frames.js` reads what is written here.

use crate::command::placement::{DIRECTORY, TOPIC_DIRECTORY};
use crate::durable::{How, Turn};
use crate::edge::{Action, Call, Payload, SocketStep, Target};
use crate::engine::outcome::{self, Dispatch};
use crate::protocol::http::{Response, binary};
use crate::relay::Step;
use crate::time::Millis;
use crate::wire::base64;

/// Kinds of frames an edge answers with.
pub const RESPOND: u32 = 0;
/// See [`RESPOND`].
pub const RESPOND_AGAIN: u32 = 1;
/// See [`RESPOND`].
pub const NEED_BODY: u32 = 2;
/// See [`RESPOND`].
pub const CALL: u32 = 3;
/// See [`RESPOND`].
pub const GATHER: u32 = 4;
/// See [`RESPOND`].
pub const STREAM: u32 = 5;
/// See [`RESPOND`].
pub const ASSET: u32 = 6;
/// See [`RESPOND`].
pub const NOTHING: u32 = 7;
/// See [`RESPOND`].
pub const FOLLOW: u32 = 8;
/// See [`RESPOND`].
pub const SOCKET: u32 = 9;
/// See [`RESPOND`]. Another call follows the frame's.
pub const GATHER_BOTH: u32 = 10;
/// See [`RESPOND`].
pub const LISTEN: u32 = 11;
/// See [`RESPOND`].
pub const VERIFY: u32 = 12;
/// See [`RESPOND`].
pub const READ_KEYS: u32 = 13;
/// See [`RESPOND`].
pub const AWAIT_KEYS: u32 = 14;
/// See [`RESPOND`].
pub const LEARN: u32 = 15;
/// See [`RESPOND`].
pub const DOCUMENT: u32 = 16;

/// Kinds of frames that say what becomes of a client's frame.
pub const SEND: u32 = 0;
/// See [`SEND`].
pub const PUBLISH: u32 = 1;
/// See [`SEND`].
pub const SUBSCRIBE: u32 = 2;
/// See [`SEND`].
pub const LEAVE: u32 = 3;

/// A command up to this many bytes travels in a header: a call with a body costs the platform more.
const HEADER_COMMAND_BYTES_MAX: usize = 6_144;
/// A call's command is text, and travels in a header.
const IN_HEADER: u32 = 1;
/// A call may travel with others to the same object.
const SHAREABLE: u32 = 2;
/// A response's body is bytes: no string can hold it. Beside the status, which has three digits.
const BYTES: u32 = 1 << 16;
/// A call goes to a directory.
const TO_DIRECTORY: u32 = 4;
/// A call goes to a topic.
const TO_TOPIC: u32 = 8;
const PUBLISHES: u32 = 16;
/// Whom an object's call is for: a queue, a directory, a relay or a topic.
const FOR_QUEUE: u32 = 0;
/// See [`FOR_QUEUE`].
const FOR_DIRECTORY: u32 = 1;
/// See [`FOR_QUEUE`].
const FOR_RELAY: u32 = 2;
/// See [`FOR_QUEUE`].
const FOR_TOPIC: u32 = 3;
/// A piece is for clients themselves. Beside whether it is the last.
const DIRECT: u32 = 2;
/// Each line of a piece is a frame.
const BY_LINE: u32 = 4;
/// Stands for "none" where a word is a size.
const NONE: u32 = u32::MAX;

/// Appends words.
pub fn words(out: &mut Vec<u8>, words: &[u32]) {
    for word in words {
        out.extend_from_slice(&word.to_le_bytes());
    }
}

/// A size as a word: all of memory has 32-bit addresses where this is read.
fn size(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(NONE)
}

/// The answer to the client: kind, slot, status, size of the headers' text, size of the body;
/// headers as `name: value` lines; the body. A response that is kept in a slot can be given again
/// by its slot alone.
pub fn response(out: &mut Vec<u8>, slot: Option<u32>, response: &Response) {
    words(out, &[RESPOND, slot.unwrap_or(NONE)]);
    tail(out, response);
}

/// Status (with a flag where the body is no text), sizes, headers and body.
fn tail(out: &mut Vec<u8>, response: &Response) {
    let is_text = response.header("content-type") != Some(binary::MEDIA_TYPE);
    let status = u32::from(response.status) | if is_text { 0 } else { BYTES };
    let headers: usize = response
        .headers
        .iter()
        .map(|(name, value)| name.len() + value.len() + 3)
        .sum();
    words(out, &[status, headers as u32, size(&response.body)]);
    for (name, value) in &response.headers {
        for part in [name, ": ", value.as_str(), "\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
    out.extend_from_slice(&response.body);
}

/// A call: kind, size of the object's name, size of the command, most bytes of the client's body
/// (none: they do not go along), flags (its command is text for a header, it may travel with others,
/// which kind of object it goes to); name; command.
pub fn call(out: &mut Vec<u8>, kind: u32, call: &Call) {
    let body_max = match call.payload {
        Payload::InCommand => NONE,
        Payload::ClientBody { bytes_max } => bytes_max as u32,
    };
    // The client's body takes the place where a large command would go.
    let in_header = call.command.len() <= HEADER_COMMAND_BYTES_MAX || body_max != NONE;
    let text;
    let command = if in_header {
        text = base64::encode_url(&call.command);
        text.as_bytes()
    } else {
        &call.command
    };
    let how = match (in_header, call.shareable) {
        (false, _) => 0,
        (true, false) => IN_HEADER,
        (true, true) => IN_HEADER | SHAREABLE,
    };
    let publishes = if call.publishes { PUBLISHES } else { 0 };
    let flags = how
        | publishes
        | match call.target {
            Target::Queue => 0,
            Target::Directory => TO_DIRECTORY,
            Target::Topic => TO_TOPIC,
        };
    words(
        out,
        &[
            kind,
            size(call.object.as_bytes()),
            size(command),
            body_max,
            flags,
        ],
    );
    out.extend_from_slice(call.object.as_bytes());
    out.extend_from_slice(command);
}

/// The next step of a request, but for [`Action::Respond`] and [`Action::Gather`], which need more
/// than the action.
pub fn action(out: &mut Vec<u8>, action: &Action) {
    match action {
        Action::Respond(it) => response(out, None, it),
        Action::NeedBody { bytes_max } => words(out, &[NEED_BODY, *bytes_max as u32]),
        Action::Call(it) => call(out, CALL, it),
        Action::Listen {
            call: it,
            ends_at_ms,
        } => {
            call(out, LISTEN, it);
            instant(out, *ends_at_ms);
        }
        Action::Gather { .. } | Action::Asset => words(out, &[ASSET]),
        Action::Stream {
            object,
            queue,
            id,
            origin,
            ends_at_ms,
        } => {
            let text = [
                object,
                queue,
                &id.to_string(),
                origin.as_deref().unwrap_or_default(),
            ]
            .join("\n");
            lasting(out, STREAM, &text, *ends_at_ms);
        }
        Action::Follow { stream, ends_at_ms } => lasting(out, FOLLOW, stream, *ends_at_ms),
        Action::Socket { grant, ends_at_ms } => lasting(out, SOCKET, grant, *ends_at_ms),
        Action::Verify(check) => {
            let parts = [check.algorithm, &check.jwk, &check.signed];
            words(out, &[VERIFY, size(&check.signature)]);
            words(out, &parts.map(|part| size(part.as_bytes())));
            words(out, &[check.edition]);
            out.extend_from_slice(&check.signature);
            for part in parts {
                out.extend_from_slice(part.as_bytes());
            }
        }
        Action::ReadKeys { url } => {
            words(out, &[READ_KEYS, size(url.as_bytes())]);
            out.extend_from_slice(url.as_bytes());
        }
        Action::AwaitKeys => words(out, &[AWAIT_KEYS]),
        Action::Document => words(out, &[DOCUMENT]),
        Action::Learn(it) => call(out, LEARN, it),
    }
}

/// What goes on for longer than a call: kind, size of its text, when it ends (two words, as a
/// number; zero: by itself); the text.
fn lasting(out: &mut Vec<u8>, kind: u32, text: &str, ends_at_ms: Option<Millis>) {
    words(out, &[kind, size(text.as_bytes())]);
    instant(out, ends_at_ms);
    out.extend_from_slice(text.as_bytes());
}

/// An instant as a number; zero where there is none.
fn instant(out: &mut Vec<u8>, at_ms: Option<Millis>) {
    out.extend_from_slice(&(at_ms.unwrap_or(0) as f64).to_le_bytes());
}

/// What becomes of a client's frame: kind, sizes of two texts, the texts; then the call of a
/// publish. The texts are what is sent and nothing; or a `ref`, and the stream or the topic.
pub fn socket_step(out: &mut Vec<u8>, step: &SocketStep) {
    let (kind, first, second) = match step {
        SocketStep::Send(text) => (SEND, text.as_str(), ""),
        SocketStep::Publish { reference, .. } => (PUBLISH, reference.as_str(), ""),
        SocketStep::Follow {
            reference, stream, ..
        } => (SUBSCRIBE, reference.as_str(), stream.as_str()),
        SocketStep::Leave { reference, topic } => (LEAVE, reference.as_str(), topic.as_str()),
    };
    words(
        out,
        &[kind, size(first.as_bytes()), size(second.as_bytes())],
    );
    out.extend_from_slice(first.as_bytes());
    out.extend_from_slice(second.as_bytes());
    if let SocketStep::Publish { call: it, .. } = step {
        call(out, CALL, it);
    }
}

/// A turn: number of replies, number of calls, whether to wipe, number of pushes, number of
/// dispatches; the alarm's and the timer's instants as `f64` (negative: none). Each reply: token,
/// then as in [`response`]. Each call: number, whom it is for, how many publishes share it (none: it
/// is a command of its own), size of the object's name, size of the command; name; command. Each
/// push: number of tokens, size of the text, size of the memory, flags (it is the last, it is for
/// clients, each line is a frame); tokens; text; memory. Each dispatch: number, how long the call
/// may take, within what time it begins, sizes of URL, headers' text and body; URL; headers as
/// `name: value` lines; body.
pub fn turn(out: &mut Vec<u8>, turn: &Turn) {
    let counts = [
        turn.replies.len(),
        turn.calls.len(),
        usize::from(turn.wipe),
        turn.pushes.len(),
        turn.dispatches.len(),
    ];
    turn_head(out, counts, [turn.alarm_at_ms, turn.timer_at_ms]);
    replies(out, &turn.replies);
    for outcome::Call {
        number,
        object,
        command,
    } in &turn.calls
    {
        let (kind, object) = callee(object);
        turn_call(out, (*number, kind, 0), object, command);
    }
    for push in &turn.pushes {
        words(
            out,
            &[
                push.tokens.len() as u32,
                size(&push.text),
                size(&push.memory),
                u32::from(push.is_last) | of_push(push.how),
            ],
        );
        words(out, &push.tokens);
        out.extend_from_slice(&push.text);
        out.extend_from_slice(&push.memory);
    }
    turn.dispatches.iter().for_each(|it| dispatch(out, it));
}

fn dispatch(out: &mut Vec<u8>, it: &Dispatch) {
    let request = &it.request;
    let mut headers = String::new();
    for (name, value) in &request.headers {
        for part in [name, ": ", value.as_str(), "\n"] {
            headers.push_str(part);
        }
    }
    let sizes = [request.url.as_bytes(), headers.as_bytes(), &request.body].map(size);
    let times = [it.timeout_ms, it.send_within_ms].map(|ms| u32::try_from(ms).unwrap_or(NONE));
    words(out, &[it.number, times[0], times[1]]);
    words(out, &sizes);
    for part in [request.url.as_bytes(), headers.as_bytes(), &request.body] {
        out.extend_from_slice(part);
    }
}

fn of_push(how: How) -> u32 {
    match how {
        How::Piece => 0,
        How::Batch => DIRECT,
        How::Frames => DIRECT | BY_LINE,
    }
}

/// Whom an object calls, and by which name; see `command/placement.rs`.
fn callee(object: &str) -> (u32, &str) {
    match object.strip_prefix('/') {
        Some(topic) => (FOR_TOPIC, topic),
        None if object == DIRECTORY || object == TOPIC_DIRECTORY => (FOR_DIRECTORY, object),
        None => (FOR_QUEUE, object),
    }
}

/// What a relay wants done, in the form of a turn. The commands of its call are text.
pub fn step(out: &mut Vec<u8>, step: &Step) {
    let counts = [
        step.replies.len(),
        usize::from(step.call.is_some()),
        0,
        0,
        0,
    ];
    turn_head(out, counts, [None, step.timer_at_ms]);
    replies(out, &step.replies);
    if let Some(call) = &step.call {
        let to = if call.to_relay { FOR_RELAY } else { FOR_QUEUE };
        let commands: Vec<String> = call
            .commands
            .iter()
            .map(|it| base64::encode_url(it))
            .collect();
        let what = (call.number, to, call.commands.len() as u32);
        turn_call(out, what, &call.object, commands.join(",").as_bytes());
    }
}

fn turn_head(out: &mut Vec<u8>, counts: [usize; 5], instants: [Option<Millis>; 2]) {
    words(out, &counts.map(|count| count as u32));
    for instant in instants {
        out.extend_from_slice(&instant.map_or(-1.0, |at: Millis| at as f64).to_le_bytes());
    }
}

fn replies(out: &mut Vec<u8>, replies: &[(u32, Response)]) {
    for (token, response) in replies {
        words(out, &[*token]);
        tail(out, response);
    }
}

fn turn_call(out: &mut Vec<u8>, what: (u32, u32, u32), object: &str, command: &[u8]) {
    let (number, to, shared) = what;
    let sizes = [size(object.as_bytes()), size(command)];
    words(out, &[number, to, shared, sizes[0], sizes[1]]);
    out.extend_from_slice(object.as_bytes());
    out.extend_from_slice(command);
}
