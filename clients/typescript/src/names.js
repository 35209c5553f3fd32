// Names on the wire are snake_case, names here are camelCase. Only names of the interface are
// translated: what a user chose (attributes, filters, bodies, results) never comes through here.

/** Members whose own members are names that a user chose. */
const OPAQUE = new Set(['headers', 'filter']);

const toCamel = memoized((name) => name.replace(/_([a-z0-9])/g, (_, c) => c.toUpperCase()));
const toSnake = memoized((name) => name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`));

/**
 * @param {any} value parsed JSON of the server
 * @returns {any} the same with names in camelCase
 */
export function fromWire(value) {
  return renamed(value, toCamel);
}

/**
 * @param {any} value
 * @returns {any} the same with names in snake_case
 */
export function toWire(value) {
  return renamed(value, toSnake);
}

function renamed(value, rename) {
  if (Array.isArray(value)) return value.map((item) => renamed(item, rename));
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).map(([name, item]) => [
    rename(name),
    OPAQUE.has(name) ? item : renamed(item, rename),
  ]);
  return Object.fromEntries(entries);
}

/** Names repeat; there are as many as the interface has, so they are few, but a mistake may add. */
function memoized(rename) {
  const NAMES_MAX = 1000;
  const known = new Map();
  return (name) => {
    let renamedName = known.get(name);
    if (renamedName === undefined) {
      renamedName = rename(name);
      if (known.size < NAMES_MAX) known.set(name, renamedName);
    }
    return renamedName;
  };
}
