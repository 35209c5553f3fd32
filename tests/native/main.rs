//! The engine on real SQLite under the platform's limits, with a clock that moves when told.

mod agreement;
mod bench;
mod capacity;
mod crash;
mod database;
mod dead_letter;
mod delivery;
mod model;
mod random;
mod rows;
mod soak;
mod time;
