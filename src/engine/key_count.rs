//! How many places each key has: a row a key, exact, while there is a limit per key.

use crate::store::{Sql, StoreError, Value};
use std::collections::HashMap;

/// Keys named in one statement: 1,000 of 256 characters, escaped, stay far under the platform's 2
/// MB.
const STATEMENT_KEYS: usize = 1_000;

/// The counts this turn looked at or changed.
#[derive(Debug, Default)]
pub struct KeyCounts {
    known: HashMap<String, (u64, bool)>,
}

impl KeyCounts {
    /// Reads the counts of many keys at once.
    ///
    /// # Errors
    /// Storage.
    pub fn load(&mut self, sql: &mut dyn Sql, keys: &[&str]) -> Result<(), StoreError> {
        // What this turn changed already is not in the rows yet.
        let keys: Vec<&str> = keys
            .iter()
            .copied()
            .filter(|key| !self.known.contains_key(*key))
            .collect();
        for keys in keys.chunks(STATEMENT_KEYS) {
            let list = serde_json::to_string(keys).map_err(|e| StoreError(e.to_string()))?;
            let rows = sql.exec(
                "SELECT key, accepted FROM keys WHERE key IN (SELECT value FROM json_each(?))",
                &[list.as_str().into()],
            )?;
            for key in keys {
                self.known.entry((*key).to_owned()).or_default();
            }
            for row in rows {
                if let [Value::Text(key), Value::Int(accepted)] = &row[..] {
                    self.known
                        .insert(key.clone(), (accepted.cast_unsigned(), false));
                }
            }
        }
        Ok(())
    }

    /// The places this key has.
    ///
    /// # Errors
    /// Storage.
    pub fn get(&mut self, sql: &mut dyn Sql, key: &str) -> Result<u64, StoreError> {
        if !self.known.contains_key(key) {
            self.load(sql, &[key])?;
        }
        Ok(self.known.get(key).map_or(0, |(n, _)| *n))
    }

    /// Gives the key a place, or takes one back.
    ///
    /// # Errors
    /// Storage.
    pub fn change(
        &mut self,
        sql: &mut dyn Sql,
        key: &str,
        take_back: bool,
    ) -> Result<(), StoreError> {
        let count = self.get(sql, key)?;
        let count = if take_back {
            count.saturating_sub(1)
        } else {
            count + 1
        };
        self.known.insert(key.to_owned(), (count, true));
        Ok(())
    }

    /// Writes what changed and forgets the rest: the next turn reads what it needs.
    ///
    /// # Errors
    /// Storage.
    pub fn flush(&mut self, sql: &mut dyn Sql) -> Result<(), StoreError> {
        let known = std::mem::take(&mut self.known);
        let changed: Vec<(String, u64)> = known
            .into_iter()
            .filter(|(_, (_, dirty))| *dirty)
            .map(|(key, (n, _))| (key, n))
            .collect();
        for changed in changed.chunks(STATEMENT_KEYS) {
            let list = serde_json::to_string(changed).map_err(|e| StoreError(e.to_string()))?;
            sql.exec(
                "INSERT INTO keys (key, accepted)
                 SELECT value ->> 0, value ->> 1 FROM json_each(?) WHERE true
                 ON CONFLICT (key) DO UPDATE SET accepted = excluded.accepted",
                &[list.as_str().into()],
            )?;
        }
        Ok(())
    }
}
