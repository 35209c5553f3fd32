//! Topics on a database: the log and its readers against a model, subscriptions against a queue.

mod aside;
pub mod bench;
mod damage;
mod follow;
pub mod handing;
mod log;
mod patterns;
mod pushing;
