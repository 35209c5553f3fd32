// The import `sql`: runs one statement of the core in the object's SQLite, and hands its rows over
// in the input buffer. An exception becomes a value: none may unwind through the core.

const NULL = 0;
const NUMBER = 1;
const TEXT = 2;
const BLOB = 3;
const ARG_BYTES = 16;

/** Statements by address: they are constants of the core, at the same place in every instance. */
const statements = new Map();

/**
 * @param {SqlStorage} sql
 * @param {{rowsRead: number, rowsWritten: number, failure: string | null}} work what was done so far,
 * as the platform bills it, and the first statement's error
 * @returns {(core: import("./core.js").Core) => Function}
 */
export function sqlImport(sql, work) {
  return (core) => (statementAt, statementLength, argsAt, argsLength) => {
    try {
      const statement = statementOf(core, statementAt, statementLength);
      const cursor = sql.exec(statement.text, ...readArgs(core, argsAt, argsLength));
      const rows = statement.hasRows ? cursor.raw().toArray() : [];
      work.rowsRead += cursor.rowsRead;
      work.rowsWritten += cursor.rowsWritten;
      return rows.length === 0 ? 0 : writeRows(core, rows);
    } catch (error) {
      work.failure ??= `${error}`;
      // Never empty, so that it is told from "no rows".
      return -core.putText(`${error}`);
    }
  };
}

function statementOf(core, at, length) {
  let statement = statements.get(at);
  if (statement === undefined) {
    const text = core.text(at, length);
    statement = { text, hasRows: /^\s*(SELECT|WITH)\b|\bRETURNING\b/i.test(text) };
    statements.set(at, statement);
  }
  return statement;
}

function readArgs(core, at, count) {
  const { view, bytes } = core;
  const args = [];
  for (let i = 0; i < count; i++, at += ARG_BYTES) {
    const length = view.getUint32(at + 4, true);
    const place = view.getUint32(at + 8, true);
    switch (view.getUint32(at, true)) {
      case NULL:
        args.push(null);
        break;
      case NUMBER:
        args.push(view.getFloat64(at + 8, true));
        break;
      case TEXT:
        args.push(core.text(place, length));
        break;
      default:
        // A view, not a copy: the statement has taken the bytes by the time the core goes on.
        args.push(bytes.subarray(place, place + length));
    }
  }
  return args;
}

const encoder = new TextEncoder();

function writeRows(core, rows) {
  const values = [];
  let size = 4;
  for (const row of rows) {
    for (const value of row) {
      const form = formOf(value);
      values.push(form);
      size += 1 + (form === null ? 0 : typeof form === 'number' ? 8 : 4 + form.bytes.length);
    }
  }
  let at = core.exports.input(size);
  const { view, bytes } = core;
  view.setUint32(at, rows[0].length, true);
  at += 4;
  for (const form of values) {
    if (form === null) {
      bytes[at++] = NULL;
    } else if (typeof form === 'number') {
      bytes[at] = NUMBER;
      view.setFloat64(at + 1, form, true);
      at += 9;
    } else {
      bytes[at] = form.tag;
      view.setUint32(at + 1, form.bytes.length, true);
      bytes.set(form.bytes, at + 5);
      at += 5 + form.bytes.length;
    }
  }
  return size;
}

function formOf(value) {
  if (value === null || typeof value === 'number') return value;
  if (typeof value === 'string') return { tag: TEXT, bytes: encoder.encode(value) };
  return { tag: BLOB, bytes: new Uint8Array(value) };
}
