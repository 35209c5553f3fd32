//! Faults: what can be wrong with a request, in words every module and every protocol shares.
//!
//! A [`Fault`] is an answer, not an accident: it changes nothing and says what would help. Its code
//! is a stable slug that clients match on; the list is frozen by a test, and a retired code is
//! never reused.

use crate::time::Millis;
use serde::{Deserialize, Serialize};

/// Who has to act on a fault. Each protocol maps these classes, and refines by code where it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The request is wrong and will be wrong again.
    Client,
    /// The request is right but the state does not allow it.
    Conflict,
    /// There is no room now; later there may be.
    Overload,
    /// Something here failed.
    Server,
}

macro_rules! error_codes {
    ($(
        $name:ident $number:literal $slug:literal $status:literal $class:ident $title:literal;
    )*) => {
        /// The registry of error codes: name, number, slug (`type` of a problem document), HTTP
        /// status.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum ErrorCode { $(#[doc = $title] $name = $number,)* }

        impl ErrorCode {
            /// Every code, in the order of the numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
            /// The slug that clients match on.
            #[must_use]
            pub const fn slug(self) -> &'static str { match self { $(Self::$name => $slug,)* } }
            /// A short sentence for people, the same for every occurrence.
            #[must_use]
            pub const fn title(self) -> &'static str { match self { $(Self::$name => $title,)* } }
            /// The HTTP status of the problem document.
            #[must_use]
            pub const fn status(self) -> u16 { match self { $(Self::$name => $status,)* } }
            /// Who has to act.
            #[must_use]
            pub const fn class(self) -> Class { match self { $(Self::$name => Class::$class,)* } }
        }
    };
}

error_codes! {
    BadRequest 1 "bad-request" 400 Client
        "The request is malformed";
    Unauthorized 2 "unauthorized" 401 Client
        "Credentials are missing or wrong";
    Forbidden 3 "forbidden" 403 Client
        "The credentials do not allow this";
    NotFound 4 "not-found" 404 Client
        "There is no such thing";
    MethodNotAllowed 5 "method-not-allowed" 405 Client
        "The path does not take this method";
    MessageTooLarge 6 "message-too-large" 413 Client
        "The message is larger than the queue takes";
    RequestTooLarge 7 "request-too-large" 413 Client
        "The request is larger than the interface takes";
    UnsupportedMedia 8 "unsupported-media" 415 Client
        "The content type is not understood here";
    QueueFull 9 "queue-full" 429 Overload
        "The queue has no room";
    SoldOut 10 "sold-out" 410 Conflict
        "Everything there was has been given out";
    KeyLimit 11 "key-limit" 409 Conflict
        "This key has had its share";
    NotOpen 12 "not-open" 409 Conflict
        "The queue is not open yet";
    Closed 13 "closed" 410 Conflict
        "The queue has closed";
    RateLimited 14 "rate-limited" 429 Overload
        "Too many publishes at once";
    LeaseExpired 15 "lease-expired" 409 Conflict
        "The lease has run out";
    WrongState 16 "wrong-state" 409 Conflict
        "The message is not in a state that allows this";
    Overloaded 17 "overloaded" 503 Overload
        "Too much is waiting; try again shortly";
    Unavailable 18 "unavailable" 503 Server
        "The queue could not be reached; try again";
    Internal 19 "internal" 500 Server
        "Something failed here";
    SeqMismatch 20 "seq-mismatch" 412 Conflict
        "The topic's last number is another one";
}

/// The figures that go with a fault; all optional, all shown in a problem document under these
/// names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultFigures {
    /// The field, header or parameter that is at fault.
    pub field: Option<String>,
    /// When a retry makes sense, from now. Zero means at once.
    pub retry_after_ms: Option<Millis>,
    /// Messages (or bytes) in the backlog.
    pub depth: Option<u64>,
    /// The limit that was met.
    pub limit: Option<u64>,
    /// How long until a place is likely to be free, from the rate of acknowledgement.
    pub estimated_wait_ms: Option<Millis>,
    /// When the queue opens.
    pub opens_at_ms: Option<Millis>,
    /// The last number that was given.
    pub last_seq: Option<u64>,
    /// Where a refused publisher is sent instead of getting a problem document.
    pub redirect_url: Option<String>,
    /// How long this verdict holds for every other publisher too; the edge may repeat it until
    /// then.
    pub verdict_ms: Option<Millis>,
}

/// A refusal or failure, with a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{}: {detail}", code.slug())]
pub struct Fault {
    /// What kind of fault.
    pub code: ErrorCode,
    /// What exactly, in one sentence that helps.
    pub detail: String,
    /// Figures that help.
    pub figures: Box<FaultFigures>,
}

impl Fault {
    /// A fault without figures.
    #[must_use]
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            figures: Box::default(),
        }
    }

    /// A malformed `field` (a header, a JSON path, a query parameter).
    #[must_use]
    pub fn bad(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::BadRequest, detail).with(|f| f.field = Some(field.into()))
    }

    /// Sets figures in place.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut FaultFigures)) -> Self {
        set(&mut self.figures);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_frozen() {
        let list: Vec<String> = ErrorCode::ALL
            .iter()
            .map(|c| format!("{} {} {}", *c as u16, c.slug(), c.status()))
            .collect();
        assert_eq!(
            list.join("\n"),
            "1 bad-request 400\n2 unauthorized 401\n3 forbidden 403\n4 not-found 404\n\
             5 method-not-allowed 405\n6 message-too-large 413\n7 request-too-large 413\n\
             8 unsupported-media 415\n9 queue-full 429\n10 sold-out 410\n11 key-limit 409\n\
             12 not-open 409\n13 closed 410\n14 rate-limited 429\n15 lease-expired 409\n\
             16 wrong-state 409\n17 overloaded 503\n18 unavailable 503\n19 internal 500\n20 seq-mismatch 412"
        );
    }
}
