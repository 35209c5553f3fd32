//! How arguments of a statement and its rows are laid out on the border.
//!
//! Arguments: 16 bytes each, in place. Rows: `columns: u32`, then values one after another: a tag
//! byte, then nothing (null), eight bytes (a number, as JavaScript has it) or a `u32` length and as
//! many bytes.

use crate::store::{Arg, StoreError, Value};

const NULL: u8 = 0;
const NUMBER: u8 = 1;
const TEXT: u8 = 2;
const BLOB: u8 = 3;
/// Integers beyond are not exact as JavaScript numbers.
const EXACT_MAX: f64 = 9_007_199_254_740_991.0;

/// One argument: the host reads text and bytes where they are.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RawArg {
    tag: u32,
    len: u32,
    /// Bits of a number, or an address.
    value: u64,
}

impl From<Arg<'_>> for RawArg {
    fn from(arg: Arg<'_>) -> Self {
        let place = |tag: u8, bytes: &[u8]| Self {
            tag: tag.into(),
            // Addresses and lengths have 32 bits where this is used.
            len: bytes.len() as u32,
            value: bytes.as_ptr() as u64,
        };
        match arg {
            Arg::Null => Self {
                tag: NULL.into(),
                len: 0,
                value: 0,
            },
            Arg::Int(n) => Self {
                tag: NUMBER.into(),
                len: 0,
                value: (n as f64).to_bits(),
            },
            Arg::Text(text) => place(TEXT, text.as_bytes()),
            Arg::Blob(bytes) => place(BLOB, bytes),
        }
    }
}

/// Reads rows as the host wrote them.
///
/// # Errors
/// For a number that is not whole or not exact, and for bytes that are no rows.
pub fn read(bytes: &[u8]) -> Result<Vec<Vec<Value>>, StoreError> {
    let mut rows = Vec::new();
    let mut rest = bytes;
    let columns = take_u32(&mut rest)?;
    if columns == 0 {
        return if rest.is_empty() {
            Ok(rows)
        } else {
            Err(torn())
        };
    }
    while !rest.is_empty() {
        rows.push(
            (0..columns)
                .map(|_| value(&mut rest))
                .collect::<Result<_, _>>()?,
        );
    }
    Ok(rows)
}

fn value(rest: &mut &[u8]) -> Result<Value, StoreError> {
    match take(rest, 1)?[0] {
        NULL => Ok(Value::Null),
        NUMBER => number(take(rest, 8)?),
        TEXT => {
            let len = take_u32(rest)?;
            let bytes = take(rest, len)?.to_vec();
            String::from_utf8(bytes)
                .map(Value::Text)
                .map_err(|_| torn())
        }
        BLOB => {
            let len = take_u32(rest)?;
            Ok(Value::Blob(take(rest, len)?.to_vec()))
        }
        _ => Err(torn()),
    }
}

fn number(bytes: &[u8]) -> Result<Value, StoreError> {
    let number = f64::from_le_bytes(bytes.try_into().map_err(|_| torn())?);
    if number.fract() != 0.0 || number.abs() > EXACT_MAX {
        return Err(StoreError(format!("{number} is no exact whole number")));
    }
    Ok(Value::Int(number as i64))
}

fn take_u32(rest: &mut &[u8]) -> Result<usize, StoreError> {
    let bytes = take(rest, 4)?.try_into().map_err(|_| torn())?;
    Ok(u32::from_le_bytes(bytes) as usize)
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Result<&'a [u8], StoreError> {
    let (head, tail) = rest.split_at_checked(len).ok_or_else(torn)?;
    *rest = tail;
    Ok(head)
}

fn torn() -> StoreError {
    StoreError("the host handed over bytes that are no rows".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rows of (number, text, blob, null), as `host/sql.js` writes them.
    fn sample() -> Vec<u8> {
        let mut bytes = 4u32.to_le_bytes().to_vec();
        for n in [7.0f64, -9_007_199_254_740_991.0] {
            bytes.push(NUMBER);
            bytes.extend(n.to_le_bytes());
            bytes.extend([TEXT, 2, 0, 0, 0, b'h', b'i', BLOB, 1, 0, 0, 0, 255, NULL]);
        }
        bytes
    }

    #[test]
    fn rows_are_read_as_written() {
        let row = |n| {
            vec![
                Value::Int(n),
                Value::Text("hi".into()),
                Value::Blob(vec![255]),
                Value::Null,
            ]
        };
        assert_eq!(
            read(&sample()),
            Ok(vec![row(7), row(-9_007_199_254_740_991)])
        );
        assert_eq!(read(&[0; 4]), Ok(vec![]));
    }

    #[test]
    fn torn_rows_are_errors() {
        let whole = sample();
        let row = (whole.len() - 4) / 2;
        for end in 0..whole.len() {
            assert_eq!(
                read(&whole[..end]).is_ok(),
                end >= 4 && (end - 4) % row == 0,
                "{end}"
            );
        }
    }

    #[test]
    fn inexact_numbers_are_errors() {
        for n in [0.5f64, 9_007_199_254_740_992.0, f64::NAN, f64::INFINITY] {
            let mut bytes = vec![1, 0, 0, 0, NUMBER];
            bytes.extend(n.to_le_bytes());
            assert!(read(&bytes).is_err(), "{n}");
        }
    }
}
