//! The engine on real SQLite under the platform's limits, with a clock that moves when told.

// What a test's helpers cannot do is the test's failure.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod agreement;
mod answers;
mod bench;
mod callback;
mod capacity;
mod crash;
mod damage;
mod database;
mod dead_letter;
mod delivery;
mod directory;
mod draw;
mod limits;
mod line;
mod model;
mod push;
mod random;
mod reply;
mod rows;
mod ruin;
mod soak;
mod stored;
mod tickets;
mod time;
mod topic;
mod wire;
mod world;
