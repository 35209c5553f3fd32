//! Stored values that are changed at will, and what is tried until a repair has come to an end of it.

use crate::database::Database;
use tidegate::store::{StoreError, seal};

/// Values that one input changes; what is behind them is not read.
const CHANGES_MAX: usize = 16;
/// Tries until one is not met by damage: each repair leaves less of it.
const TRIES_MAX: usize = 8;
/// The sum is made right.
const SEALED: u8 = 1;
/// What follows is cut off.
const CUT: u8 = 2;

/// Changes tables and columns among `values` as `bytes` say: which one, of which row, from which byte on,
/// whether its sum is made right and what follows is cut off, how many bytes, the bytes.
pub fn change(database: &mut Database, values: &[(&str, &str)], mut bytes: &[u8]) {
    for _ in 0..CHANGES_MAX {
        let Some(([which, row, at, flags, length], rest)) = bytes.split_first_chunk::<5>() else {
            break;
        };
        let (value, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        bytes = rest;
        let (table, column) = values[usize::from(*which) % values.len()];
        let row = u64::from(*row) % database.count(table).max(1);
        database.damage(table, column, row, |stored| {
            let from = usize::from(*at).min(stored.len());
            let to = match flags & CUT {
                0 => (from + value.len()).min(stored.len()),
                _ => stored.len(),
            };
            stored.splice(from..to, value.iter().copied());
            if flags & SEALED > 0 && !is_of_a_later_version(table, stored) {
                // Another version byte would say that it is of a later one as well.
                if let Some(version) = stored.first_mut() {
                    *version = seal::SEALED;
                }
                seal::close(stored);
            }
        });
    }
}

/// Whether it is a configuration that may be another version's: such a one stays.
fn is_of_a_later_version(table: &str, stored: &[u8]) -> bool {
    let payload = stored.get(seal::SEAL_BYTES..).unwrap_or_default();
    table == "meta" && serde_json::from_slice::<serde_json::Value>(payload).is_ok()
}

/// Inputs that change each of so many values: its sum, its length, its end, its middle.
pub fn seeds(values: usize) -> Vec<Vec<u8>> {
    let of = |change: &[u8]| {
        let change = |which| [&[which], change].concat();
        (0..values as u8).flat_map(change).collect()
    };
    vec![
        vec![0; 5],
        of(&[0, 0, CUT, 3, 1, 2, 3]),
        of(&[0, 20, SEALED | CUT, 0]),
        of(&[0, 20, SEALED | CUT, 4, 255, 255, 255, 127]),
        of(&[1, 10, SEALED, 3, 255, 255, 127]),
    ]
}

/// As the host does it: what fails is tried again after a repair.
pub fn until_sound<T>(
    database: &mut Database,
    attempt: impl Fn(&mut Database) -> Result<T, StoreError>,
    repair: impl Fn(&mut Database),
) -> T {
    let mut last = String::new();
    for _ in 0..TRIES_MAX {
        match attempt(database) {
            Ok(it) => return it,
            Err(error) => last = error.0,
        }
        repair(database);
    }
    panic!("it does not come back: {last}");
}
