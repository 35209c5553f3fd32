//! What the edge wants done next: the answer of every step, carried out by the host.

use crate::id::Id;
use crate::protocol::http::Response;
use crate::time::Millis;

/// The next step of one request. What goes on for longer than a call ends at `ends_at_ms`, with the
/// token it was asked for with.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Answer the client; the request is over.
    Respond(Response),
    /// Read the client's body, at most this many bytes, and call `Edge::body` with it. When there
    /// are more, the host says so by handing over the first `bytes_max + 1`.
    NeedBody { bytes_max: usize },
    /// Call an object and hand its response through, unless it carries a verdict.
    Call(Call),
    /// Ask the directories for names, then each of what they name for its description, and hand all
    /// of it to `Edge::gathered`.
    Gather {
        of: Listing,
        after: Option<String>,
        limit: u32,
        /// Patterns of the names that the asker may see; `None`: all of them.
        seen: Option<Vec<String>>,
    },
    /// Stream the states of a message: repeat the call that `Edge::watch` makes until the state is
    /// final. An answer other than `200` to the first call is handed through.
    Stream {
        object: String,
        queue: String,
        id: Id,
        origin: Option<String>,
        ends_at_ms: Option<Millis>,
    },
    /// Stream what is published to a topic as Server-Sent Events: open the socket of the call that
    /// `Edge::follow` makes of it. An answer other than a socket is handed through.
    Follow {
        stream: String,
        ends_at_ms: Option<Millis>,
    },
    /// Take the client's WebSocket, and ask `Edge::frame` about each of its frames; what its
    /// credentials allow goes along, as text, in the head's line `@grant`.
    Socket {
        grant: String,
        ends_at_ms: Option<Millis>,
    },
    /// Open the socket of this call and hand it through: from then on the object talks to the client
    /// itself. An answer other than a socket is handed through as well.
    Listen {
        call: Call,
        ends_at_ms: Option<Millis>,
    },
    /// Answer with the document of the interface.
    Document,
    /// Serve the page or file at the request's path.
    Asset,
    /// Check the signature of the request's token, call `Edge::verified`, and take the step again.
    Verify(Check),
    /// Read the key set at `url`, call `Edge::take_keys`, and take the step again.
    ReadKeys { url: String },
    /// Ask a queue or topic whether it is public, call `Edge::learn`, and take the step again.
    Learn(Call),
    /// Somebody is reading the key set: take the step again in a moment.
    AwaitKeys,
}

/// A signature to be checked, in the words of the Web Cryptography API.
#[derive(Debug, PartialEq, Eq)]
pub struct Check {
    /// `ES256`, `RS256` or `EdDSA`.
    pub algorithm: &'static str,
    /// The public key.
    pub jwk: String,
    /// The signature.
    pub signature: Vec<u8>,
    /// What is signed.
    pub signed: String,
    /// Of which edition of the key set the key is.
    pub edition: u32,
}

/// What is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listing {
    /// Queues.
    Queues,
    /// Topics.
    Topics,
    /// Queues, then topics.
    Both,
    /// How far a subscription of a pattern is in each of its topics.
    Pattern { pattern: String, name: String },
}

/// A call to an object.
#[derive(Debug, PartialEq, Eq)]
pub struct Call {
    /// Which kind of object.
    pub target: Target,
    /// The object's name.
    pub object: String,
    /// The encoded envelope.
    pub command: Vec<u8>,
    /// What goes with it.
    pub payload: Payload,
    /// Whether it publishes: of the line before an object a part is kept for all else.
    pub publishes: bool,
    /// Whether it may travel with others to the same object: one publish, all of it in the command.
    pub shareable: bool,
}

/// The kinds of objects that the edge calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A queue.
    Queue,
    /// One that knows names.
    Directory,
    /// A topic.
    Topic,
}

/// Where the bytes of a published message come from.
#[derive(Debug, PartialEq, Eq)]
pub enum Payload {
    /// They are in the command, or there are none.
    InCommand,
    /// The client's body, handed on as a stream; the object refuses more than this many bytes.
    ClientBody { bytes_max: usize },
}
