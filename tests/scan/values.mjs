// Values that a schema allows, and values that are none of its: what a scan fills requests with.

import { resolve } from './schema.mjs';

/** How far a value that may nest does. */
const DEPTH_MAX = 4;
/** Integers without an upper bound stay below this, so that no call waits for long. */
const INTEGER_MAX = 20;

/** What has made parsers stumble. */
const HOSTILE = [
  '', ' ', '0', '-1', '1e309', '1.5', 'NaN', 'null', 'true', '[]', '{}', '"', "' OR 1=1 --",
  '../../etc/passwd', '..', '.', '//', 'a//b', '/a', 'a/', '%', '%00', '%2F', '%zz', 'a\\b',
  '<img src=x onerror=alert(1)>', '${7*7}', 'ü', '🦀', '\u202e', '\ufeff', 'a'.repeat(129),
  'a'.repeat(5000), '9007199254740993', '18446744073709551616', '-0', '0x10', '１',
  '__proto__', 'constructor', '\u0001', 'a\tb', '\u007f', 'a;b', 'a,b', '#', '?', '*',
];

/**
 * @param {any} document the OpenAPI document
 * @param {import('../chaos/random.mjs').Random} random
 * @param {Record<string, string[]>} known strings seen in answers, by the name they stand under
 */
export function values(document, random, known) {
  const shapes = {
    object: (schema, depth) => object(schema, depth),
    array: (schema, depth) => {
      const least = schema.minItems ?? 0;
      const count = random.between(least, Math.min(schema.maxItems ?? least + 3, least + 3));
      return Array.from({ length: count }, () => valid(schema.items ?? {}, '', depth + 1));
    },
    string: (schema, _, name) => string(schema, name),
    integer: (schema) => integer(schema),
    number: (schema) => Math.max(schema.minimum ?? schema.exclusiveMinimum ?? 0, 1) + 0.5,
    boolean: () => random.chance(0.5),
    null: () => null,
  };

  /** A value that the schema allows; `name` is the field it is for. */
  function valid(schema, name = '', depth = 0) {
    if (schema.$ref) return valid(resolve(document, schema.$ref), name, depth);
    if ('const' in schema) return schema.const;
    if (schema.enum) return random.pick(schema.enum);
    const parts = schema.oneOf ?? schema.anyOf;
    if (parts) return valid(random.pick(parts), name, depth);
    if (schema.allOf) return Object.assign({}, ...schema.allOf.map((it) => valid(it, name, depth)));
    const type = schema.type ? random.pick([schema.type].flat()) : anyType(depth);
    return shapes[type](schema, depth, name);
  }

  const anyType = (depth) =>
    random.pick(depth < DEPTH_MAX ? Object.keys(shapes) : ['string', 'integer', 'null']);

  function object(schema, depth) {
    const out = {};
    for (const [name, member] of Object.entries(schema.properties ?? {})) {
      const needed = schema.required?.includes(name);
      if (needed || (depth < DEPTH_MAX && random.chance(0.3))) {
        out[name] = valid(member, name, depth + 1);
      }
    }
    const rest = schema.additionalProperties ?? (schema.properties ? false : {});
    if (rest && random.chance(0.3)) out[`x${random.between(0, 9)}`] = valid(rest, '', depth + 1);
    return out;
  }

  function integer({ minimum = 0, maximum = minimum + INTEGER_MAX }) {
    if (random.chance(0.2)) return minimum;
    return minimum + random.between(0, Math.min(maximum - minimum, INTEGER_MAX));
  }

  function string({ minLength = 0, format }, name) {
    if (known[name]?.length && random.chance(0.8)) return random.pick(known[name]);
    // A closed port of this machine: nothing that is made up may be called.
    if (format === 'uri') return 'http://127.0.0.1:9/';
    const text = random.pick(['a', 'eu', 'a = 1', 'x-y', 'Zürich', 'b'.repeat(40), '']);
    return text.padEnd(minLength, 'z');
  }

  /** A value with a mistake somewhere in it. */
  function spoilt(value) {
    if (Array.isArray(value) && value.length > 0 && random.chance(0.7)) {
      const at = random.between(0, value.length - 1);
      return value.with(at, spoilt(value[at]));
    }
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
      return spoiltObject(value);
    }
    return random.pick([...HOSTILE, null, true, -1, 1.5, 2 ** 53, 1e300, [], {}, [[[]]]]);
  }

  function spoiltObject(value) {
    const names = Object.keys(value);
    if (names.length === 0 || random.chance(0.2)) {
      return { ...value, [random.pick(HOSTILE)]: random.pick(HOSTILE) };
    }
    const name = random.pick(names);
    if (random.chance(0.2)) {
      const { [name]: _, ...rest } = value;
      return rest;
    }
    return { ...value, [name]: spoilt(value[name]) };
  }

  return { valid, spoilt, hostile: () => random.pick(HOSTILE) };
}
