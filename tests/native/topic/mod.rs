//! Topics on a database: the log and its readers against a model, subscriptions against a queue.

mod bench;
mod handing;
mod log;
mod patterns;
