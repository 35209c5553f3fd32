//! Time as the engine sees it: an argument, never a call.
//!
//! All instants are Unix milliseconds and all durations are milliseconds, both `u64`. The shell
//! reads the platform's clock once a batch and hands the value in.

/// An instant or a duration in milliseconds. Names say which: `…_at_ms` or `…_until_ms` is an
/// instant.
pub type Millis = u64;

/// One second.
pub const SECOND: Millis = 1_000;
/// One minute.
pub const MINUTE: Millis = 60 * SECOND;
/// One hour.
pub const HOUR: Millis = 60 * MINUTE;
/// One day.
pub const DAY: Millis = 24 * HOUR;
