//! The key set: public keys that verify tickets, in one table of the directory's object.
//!
//! A queue publishes its keys and renews them while it signs; a key that nobody renews goes when
//! the last ticket signed with it is over.

use crate::error::{ErrorCode, Fault};
use crate::limits::JWKS_KEYS_MAX;
use crate::store::{Sql, StoreError, Value, scalar};
use crate::time::Millis;
use serde::Serialize;

/// A JSON Web Key Set (RFC 7517, 5).
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct KeySet {
    /// In order of their names.
    pub keys: Vec<PublicKey>,
}

/// A public key (RFC 8037, 2).
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct PublicKey {
    kty: &'static str,
    crv: &'static str,
    alg: &'static str,
    #[serde(rename = "use")]
    purpose: &'static str,
    /// Its name.
    pub kid: String,
    /// Itself, as base64url.
    pub x: String,
}

/// Makes the table where there is none.
///
/// # Errors
/// Whatever the database said.
pub fn open(sql: &mut dyn Sql) -> Result<(), StoreError> {
    let table = "CREATE TABLE IF NOT EXISTS ticket_keys
        (kid TEXT PRIMARY KEY, x TEXT NOT NULL, until_ms INTEGER NOT NULL) WITHOUT ROWID";
    sql.exec(table, &[]).map(drop)
}

/// Shows a key until `until_ms`, or for longer than before.
///
/// # Errors
/// Storage; inside, `overloaded` when there are too many keys.
pub fn publish(
    sql: &mut dyn Sql,
    kid: &str,
    x: &str,
    until_ms: Millis,
    now_ms: Millis,
) -> Result<Result<(), Fault>, StoreError> {
    sql.exec(
        "DELETE FROM ticket_keys WHERE until_ms <= ?",
        &[now_ms.into()],
    )?;
    let others = sql.exec(
        "SELECT count(*) FROM ticket_keys WHERE kid <> ?",
        &[kid.into()],
    )?;
    if scalar(others).as_ref().map_or(0, Value::uint) >= JWKS_KEYS_MAX {
        let detail = "there are as many ticket keys as may be: set TICKET_KEY to share one";
        return Ok(Err(Fault::new(ErrorCode::Overloaded, detail)));
    }
    sql.exec(
        "INSERT INTO ticket_keys (kid, x, until_ms) VALUES (?, ?, ?)
         ON CONFLICT (kid) DO UPDATE SET until_ms = max(until_ms, excluded.until_ms)",
        &[kid.into(), x.into(), until_ms.into()],
    )?;
    Ok(Ok(()))
}

/// The keys that are shown now.
///
/// # Errors
/// Storage.
pub fn read(sql: &mut dyn Sql, now_ms: Millis) -> Result<KeySet, StoreError> {
    let rows = sql.exec(
        "SELECT kid, x FROM ticket_keys WHERE until_ms > ? ORDER BY kid LIMIT ?",
        &[now_ms.into(), JWKS_KEYS_MAX.into()],
    )?;
    let key = |row: &Vec<Value>| PublicKey {
        kty: "OKP",
        crv: "Ed25519",
        alg: "EdDSA",
        purpose: "sig",
        kid: row[0].text().to_owned(),
        x: row[1].text().to_owned(),
    };
    Ok(KeySet {
        keys: rows.iter().map(key).collect(),
    })
}
