//! `docs/ERRORS.md`: the registry of errors, and what to do about each.

use std::fmt::Write as _;
use tidegate::error::{Class, ErrorCode};

const BEFORE: &str = "\
# Errors

<!-- Made by tests/docs/ from src/error.rs: UPDATE=1 cargo test --test docs -->

Every error is a problem document (RFC 9457, `application/problem+json`). Match on `type`: it is
stable, and a retired one is never used again. `title` and `detail` are for people and may change.
The same documents stand under `error` in the answers to batches and acknowledgements, for one
entry alone.

```json
{\"type\": \"queue-full\", \"title\": \"The queue has no room\", \"status\": 429,
 \"detail\": \"the backlog has 100 messages, which is all it may have\",
 \"limit\": 100, \"depth\": 100, \"retry_after_ms\": 1000}
```

| type | status | whose turn | means | what to do |
| --- | --- | --- | --- | --- |
";

const AFTER: &str = "
*Whose turn*: **you** – the request is wrong, and will be again. **state** – the request is right,
but the state of the queue or the message does not allow it; repeating it helps only when that
changes. **later** – there is no room now; repeat it after `Retry-After`. **server** – something
failed on this side.

Which fields a problem document has beside these is in [HTTP.md](HTTP.md#errors).
";

/// The document.
pub fn document() -> String {
    let mut out = String::from(BEFORE);
    for code in ErrorCode::ALL {
        let (slug, status, title) = (code.slug(), code.status(), code.title());
        let (turn, advice) = (turn(code.class()), advice(*code));
        let _ = writeln!(out, "| `{slug}` | {status} | {turn} | {title} | {advice} |");
    }
    out.push_str(AFTER);
    out
}

fn turn(class: Class) -> &'static str {
    match class {
        Class::Client => "you",
        Class::Conflict => "state",
        Class::Overload => "later",
        Class::Server => "server",
    }
}

fn advice(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::BadRequest => "Correct what `field` names; `detail` says what belongs there.",
        ErrorCode::Unauthorized => {
            "Send `Authorization: Bearer` with the deployment's token. Where there is none yet, \
             `detail` says how to set one."
        }
        ErrorCode::Forbidden => {
            "A page of another site: add its origin to the queue's `cors_origins`. An open server \
             on loopback: call it as `localhost`, or set `ADMIN_TOKEN`."
        }
        ErrorCode::NotFound => {
            "Check path, name and id. A message's end is forgotten after a while. Where \
             `AUTO_CREATE` is `false`, create the queue first."
        }
        ErrorCode::MethodNotAllowed => "Use one of the methods in `Allow`.",
        ErrorCode::MessageTooLarge => {
            "Send at most `limit` bytes, or raise `max_message_bytes`. Keep large data elsewhere, \
             and its address in the message."
        }
        ErrorCode::RequestTooLarge => {
            "Split the batch or the acknowledgement; shorten URL and headers."
        }
        ErrorCode::UnsupportedMedia => "Send the `Content-Type` that `detail` names.",
        ErrorCode::QueueFull => {
            "Repeat after `Retry-After`, with an `Idempotency-Key`. As the owner: drain faster, \
             raise `max_messages` or `max_bytes`, or choose another `overflow`."
        }
        ErrorCode::SoldOut => {
            "Stop: nothing is left. A cancellation, a hold that runs out, an acknowledgement with \
             `release` or a higher `max_accepted` makes room again."
        }
        ErrorCode::KeyLimit => "Stop for this key. Cancelling one of its messages frees a place.",
        ErrorCode::NotOpen => {
            "Come back after `Retry-After`; the edge spreads these over up to a second past the \
             opening."
        }
        ErrorCode::Closed => "Stop. The owner may move `closes_at_ms`.",
        ErrorCode::RateLimited => "Repeat after `Retry-After`.",
        ErrorCode::LeaseExpired => {
            "Drop the work, or make sure that doing it twice is harmless: the message may be with \
             another consumer. Ask for longer leases, or extend them."
        }
        ErrorCode::WrongState => {
            "Read the message's state; what was asked is too late, or too early."
        }
        ErrorCode::Overloaded => "Repeat a little later, and less often.",
        ErrorCode::Unavailable => {
            "Repeat, with an `Idempotency-Key`: the request may have been carried out. If it \
             stays, the server's log says why."
        }
        ErrorCode::Internal => "Report it, with the server's log of that moment.",
        ErrorCode::SeqMismatch => {
            "Somebody published in between: `last_seq` is the number to expect. Read what is new, \
             decide again, and publish with that number in `Tidegate-Expect-Seq`."
        }
    }
}
