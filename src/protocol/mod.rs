//! What Tidegate speaks, sans-io: requests in, commands out; replies in, responses out.
//!
//! A protocol knows the words of `command` and the codecs of `wire`. It keeps no state and never
//! sees the engine: the two meet in `command`.

pub mod http;
