//! Single values by name, sealed: the table `meta` of queues and topics.

use super::{Arg, Sql, StoreError, Value, scalar, seal};

/// The value with this name, if there is one.
///
/// # Errors
/// Whatever the database said, or that the row is damaged.
pub fn read(sql: &mut dyn Sql, name: &'static str) -> Result<Option<Vec<u8>>, StoreError> {
    let rows = sql.exec("SELECT value FROM meta WHERE name = ?", &[name.into()])?;
    let Some(sealed) = scalar(rows).map(Value::into_blob) else {
        return Ok(None);
    };
    seal::open(name, &sealed).map(|value| Some(value.to_vec()))
}

/// Sets the value with this name.
///
/// # Errors
/// Whatever the database said.
pub fn write(sql: &mut dyn Sql, name: &'static str, value: &[u8]) -> Result<(), StoreError> {
    sql.exec(
        "INSERT INTO meta (name, value) VALUES (?, ?)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        &[name.into(), Arg::Blob(&seal::seal(value))],
    )?;
    Ok(())
}
