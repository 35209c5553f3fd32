//! A flash sale in a model of the platform, with the code that runs in production: the edge in every
//! isolate, the object on SQLite. Driven by one agenda of events and one seed, so that a run can be
//! repeated to the last digit.
//!
//! | file | is |
//! | --- | --- |
//! | `settings` | what is assumed, in numbers |
//! | `world`, `backend` | the run, on the edge's side and on the object's |
//! | `crowd`, `earth`, `object`, `sharing` | what it runs with |
//! | `ledger` | what really is, and everything that was wrong |
//! | `figures`, `report`, `chart` | what is said of it |

#[path = "../../tests/native/database.rs"]
#[allow(dead_code)]
mod database;

mod agenda;
mod backend;
pub mod chart;
mod crowd;
mod earth;
pub mod figures;
mod ledger;
mod object;
mod random;
pub mod report;
pub mod settings;
mod sharing;
pub mod world;
