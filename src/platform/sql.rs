//! The object's own SQLite, through the host.

use super::memory::with_input;
use super::rows::{self, RawArg};
use crate::store::{Arg, Sql, StoreError, Value};

#[link(wasm_import_module = "host")]
unsafe extern "C" {
    /// Runs a statement. Zero: no rows. Positive: so many bytes of rows are in the input buffer.
    /// Negative: it failed, and so many bytes of text there say why.
    fn sql(statement: *const u8, statement_len: usize, args: *const RawArg, args_len: usize)
    -> i32;
}

/// The database of the object this instance is.
#[derive(Debug)]
pub struct HostSql;

impl Sql for HostSql {
    fn exec(
        &mut self,
        statement: &'static str,
        args: &[Arg<'_>],
    ) -> Result<Vec<Vec<Value>>, StoreError> {
        let raw: Vec<RawArg> = args.iter().copied().map(RawArg::from).collect();
        // SAFETY: the host reads the statement, the arguments and what they point to before it
        // returns, and they are borrowed until then. It writes nowhere but to the input buffer.
        let answer = unsafe { sql(statement.as_ptr(), statement.len(), raw.as_ptr(), raw.len()) };
        let len = answer.unsigned_abs() as usize;
        match answer {
            0 => Ok(Vec::new()),
            1.. => with_input(len, rows::read),
            _ => Err(with_input(len, |text| {
                StoreError(String::from_utf8_lossy(text).into_owned())
            })),
        }
    }
}
