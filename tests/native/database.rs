//! SQLite as the platform gives it to an object: its limits, its transactions, its crashes.

use rusqlite::limits::Limit;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql};
use tidegate::store::{Arg, Sql, StoreError, Value};

/// One object's database. It lives in memory and outlives the queue that is opened on it.
pub struct Database {
    connection: Connection,
    /// Rows inserted, updated and deleted so far; index rows are not counted.
    pub rows_written: u64,
    /// Rows handed back so far.
    pub rows_read: u64,
    /// Statements run so far.
    pub statements: u64,
    /// Fail the statement with this number, as a full disk would. `None`: never.
    pub fail_at: Option<u64>,
}

struct Bound<'a>(&'a Arg<'a>);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Arg::Null => ValueRef::Null,
            Arg::Int(n) => {
                assert!(
                    n.unsigned_abs() < 1 << 53,
                    "{n} is no exact JavaScript number"
                );
                ValueRef::Integer(*n)
            }
            Arg::Text(s) => ValueRef::Text(s.as_bytes()),
            Arg::Blob(b) => ValueRef::Blob(b),
        }))
    }
}

impl Default for Database {
    fn default() -> Self {
        let connection = Connection::open_in_memory().unwrap();
        // The platform's limits (workerd, `SqliteDatabase::setupSecurity`); rows at the documented
        // 2 MB.
        for (limit, value) in [
            (Limit::SQLITE_LIMIT_LENGTH, 2_000_000),
            (Limit::SQLITE_LIMIT_SQL_LENGTH, 100_000),
            (Limit::SQLITE_LIMIT_COLUMN, 100),
            (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
            (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 5),
            (Limit::SQLITE_LIMIT_VDBE_OP, 25_000),
            (Limit::SQLITE_LIMIT_FUNCTION_ARG, 32),
            (Limit::SQLITE_LIMIT_ATTACHED, 0),
            (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50),
            (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 100),
            (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 10),
        ] {
            connection.set_limit(limit, value).unwrap();
        }
        Self {
            connection,
            rows_written: 0,
            rows_read: 0,
            statements: 0,
            fail_at: None,
        }
    }
}

impl Database {
    /// Runs `work` in a transaction that is rolled back when it fails.
    pub fn transact<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.connection.execute_batch("BEGIN").unwrap();
        let result = work(self);
        let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
        self.connection.execute_batch(end).unwrap();
        result
    }

    /// Changes one value of a table, that of the row so far from the first; whether there is one.
    pub fn damage(
        &mut self,
        table: &str,
        column: &str,
        row: u64,
        change: impl FnOnce(&mut Vec<u8>),
    ) -> bool {
        let key = key_of(table);
        let select = format!("SELECT {column} FROM {table} ORDER BY {key} LIMIT 1 OFFSET {row}");
        let found = self.connection.query_row(&select, [], |row| row.get(0));
        let Ok::<Vec<u8>, _>(mut value) = found else {
            return false;
        };
        change(&mut value);
        let update = format!(
            "UPDATE {table} SET {column} = ? WHERE ({key}) =
             (SELECT {key} FROM {table} ORDER BY {key} LIMIT 1 OFFSET {row})"
        );
        self.connection.execute(&update, [value]).unwrap() == 1
    }

    /// Deletes one row of a table, so far from the first; whether there was one.
    pub fn lose(&mut self, table: &str, row: u64) -> bool {
        let key = key_of(table);
        let delete = format!(
            "DELETE FROM {table} WHERE ({key}) =
             (SELECT {key} FROM {table} ORDER BY {key} LIMIT 1 OFFSET {row})"
        );
        self.connection.execute(&delete, []).unwrap() == 1
    }

    /// All of it as SQL: what [`Database::load`] reads.
    pub fn dump(&self) -> String {
        let all = |statement: &str| -> Vec<Vec<String>> {
            let mut prepared = self.connection.prepare(statement).unwrap();
            let columns = prepared.column_count();
            let rows = prepared.query_map([], |row| (0..columns).map(|at| row.get(at)).collect());
            rows.unwrap().collect::<Result<_, _>>().unwrap()
        };
        let mut text = String::new();
        for made in all("SELECT sql FROM sqlite_master WHERE sql NOT NULL ORDER BY rowid") {
            text += &format!("{};\n", made[0]);
        }
        for table in all("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name") {
            let table = &table[0];
            let columns = all(&format!("SELECT name FROM pragma_table_info('{table}')"));
            let quoted: Vec<String> = columns
                .iter()
                .map(|it| format!("quote({})", it[0]))
                .collect();
            let quoted = quoted.join(", ");
            for row in all(&format!("SELECT {quoted} FROM {table} ORDER BY 1")) {
                text += &format!("INSERT INTO {table} VALUES ({});\n", row.join(", "));
            }
        }
        text
    }

    /// A database with what [`Database::dump`] wrote.
    pub fn load(text: &str) -> Self {
        let database = Self::default();
        database.connection.execute_batch(text).unwrap();
        database
    }

    /// How many rows a table has.
    pub fn count(&self, table: &str) -> u64 {
        let statement = format!("SELECT count(*) FROM {table}");
        self.connection
            .query_row(&statement, [], |row| row.get::<_, i64>(0))
            .unwrap()
            .cast_unsigned()
    }
}

fn key_of(table: &str) -> &'static str {
    match table {
        "segments" => "id",
        "singles" | "dead" => "seq",
        "journal" | "attempts" => "slot",
        "checkpoint" => "page",
        "outcomes" => "chunk",
        "expiry" => "at_ms, first_seq",
        "idempotency" => "number",
        "meta" | "subscriptions" => "name",
        "patterns" => "pattern, name",
        "keys" => "key",
        other => panic!("no table {other}"),
    }
}

impl Sql for Database {
    fn exec(
        &mut self,
        statement: &'static str,
        args: &[Arg<'_>],
    ) -> Result<Vec<Vec<Value>>, StoreError> {
        let upper = statement.trim_start().to_ascii_uppercase();
        let banned = [
            "BEGIN",
            "COMMIT",
            "ROLLBACK",
            "SAVEPOINT",
            "PRAGMA",
            "ATTACH",
            "VACUUM",
        ];
        assert!(
            !banned.iter().any(|word| upper.starts_with(word)),
            "not on the platform: {statement}"
        );
        self.statements += 1;
        if self.fail_at == Some(self.statements) {
            return Err(StoreError("disk I/O error".into()));
        }
        let failed = |e: rusqlite::Error| StoreError(format!("{e} in {statement}"));
        let before = self.connection.total_changes();
        let mut prepared = self.connection.prepare_cached(statement).map_err(failed)?;
        let columns = prepared.column_count();
        let bound: Vec<Bound<'_>> = args.iter().map(Bound).collect();
        let mut rows = prepared
            .query(rusqlite::params_from_iter(bound))
            .map_err(failed)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let values = (0..columns).map(|at| match row.get_ref_unwrap(at) {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(n) => Value::Int(n),
                ValueRef::Real(n) => panic!("{n}: a real number in {statement}"),
                ValueRef::Text(s) => Value::Text(String::from_utf8(s.to_vec()).unwrap()),
                ValueRef::Blob(b) => Value::Blob(b.to_vec()),
            });
            found.push(values.collect());
        }
        drop(rows);
        drop(prepared);
        self.rows_written += self.connection.total_changes() - before;
        self.rows_read += found.len() as u64;
        Ok(found)
    }
}
