//! A flash sale in a model of the platform, with the code that runs in production: the edge in every
//! isolate, the object on SQLite. Driven by one agenda of events and one seed, so that a run can be
//! repeated to the last digit.
//!
//! | file | is |
//! | --- | --- |
//! | `settings` | what is assumed, in numbers |
//! | `world`, `isolates`, `backend`, `relays` | the run: buyers, edges, the object, what lies between |
//! | `crowd`, `earth`, `object` | what it runs with |
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
mod isolates;
mod ledger;
mod object;
mod random;
mod relays;
pub mod report;
pub mod settings;
pub mod world;
