//! The engine on real SQLite under the platform's limits, with a clock that moves when told.

mod bench;
mod database;
mod delivery;
