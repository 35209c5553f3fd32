// JSON Schema, as far as the OpenAPI document uses it: checks a value against a schema. A keyword
// that is not known here is an error, never skipped: what is not checked must not look checked.

/** Keywords that say nothing about what is valid. */
const REMARKS = ['description', 'default', 'format', 'contentEncoding', 'examples', 'title'];

/**
 * @param {any} document the OpenAPI document that references point into
 * @param {string} reference as in `#/components/schemas/Problem`
 * @returns {any}
 */
export function resolve(document, reference) {
  const parts = reference.slice(2).split('/');
  const unescape = (part) => part.replaceAll('~1', '/').replaceAll('~0', '~');
  const found = parts.reduce((at, part) => at?.[unescape(part)], document);
  if (found === undefined) throw new Error(`${reference} leads nowhere`);
  return found;
}

/**
 * @param {any} document
 * @param {any} schema
 * @param {unknown} value
 * @param {string} [at] where the value stands, for the words
 * @returns {string[]} what is wrong, nothing where the value is valid
 */
export function faults(document, schema, value, at = '$') {
  if (schema === true) return [];
  return Object.entries(schema).flatMap(([keyword, operand]) => {
    if (REMARKS.includes(keyword)) return [];
    const check = CHECKS[keyword];
    if (!check) throw new Error(`the keyword ${keyword} is not understood, at ${at}`);
    return check(operand, value, { document, schema, at });
  });
}

const isObject = (value) => kindOf(value) === 'object';

function kindOf(value) {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value;
}

function hasType(type, value) {
  return type === 'integer' ? Number.isInteger(value) : kindOf(value) === type;
}

/** What is wrong, in words, unless `holds`. */
const unless = (holds, at, words) => (holds ? [] : [`${at} ${words}`]);

const bound = (kind, measure, holds, word) => (operand, value, { at }) =>
  kindOf(value) === kind
    ? unless(holds(measure(value), operand), at, `is ${word} ${operand}: ${short(value)}`)
    : [];

const atLeast = (a, b) => a >= b;
const atMost = (a, b) => a <= b;
const characters = (text) => [...text].length;

const CHECKS = {
  $ref: (reference, value, { document, at }) =>
    faults(document, resolve(document, reference), value, at),
  type: (types, value, { at }) =>
    unless([types].flat().some((type) => hasType(type, value)), at,
      `is not of type ${types}: ${short(value)}`),
  enum: (values, value, { at }) =>
    unless(values.includes(value), at, `is none of ${values}: ${short(value)}`),
  const: (only, value, { at }) => unless(value === only, at, `is not ${only}: ${short(value)}`),
  minimum: bound('number', Number, atLeast, 'below'),
  maximum: bound('number', Number, atMost, 'above'),
  exclusiveMinimum: bound('number', Number, (a, b) => a > b, 'not above'),
  minLength: bound('string', characters, atLeast, 'shorter than'),
  maxLength: bound('string', characters, atMost, 'longer than'),
  minItems: bound('array', (list) => list.length, atLeast, 'shorter than'),
  maxItems: bound('array', (list) => list.length, atMost, 'longer than'),
  maxProperties: bound('object', (it) => Object.keys(it).length, atMost, 'larger than'),
  pattern: (pattern, value, { at }) =>
    typeof value === 'string'
      ? unless(new RegExp(pattern, 'u').test(value), at, `does not match: ${short(value)}`)
      : [],
  required: (names, value, { at }) =>
    isObject(value)
      ? names.flatMap((name) => unless(Object.hasOwn(value, name), at, `has no ${name}`))
      : [],
  properties: (schemas, value, { document, at }) =>
    isObject(value)
      ? Object.entries(schemas).flatMap(([name, schema]) =>
          Object.hasOwn(value, name) ? faults(document, schema, value[name], `${at}.${name}`) : [])
      : [],
  additionalProperties: (rest, value, { document, schema, at }) => {
    if (!isObject(value)) return [];
    const known = schema.properties ?? {};
    const others = Object.keys(value).filter((name) => !Object.hasOwn(known, name));
    return others.flatMap((name) =>
      rest === false
        ? [`${at} has a ${name} that is not in its schema`]
        : faults(document, rest, value[name], `${at}.${name}`));
  },
  items: (item, value, { document, at }) =>
    Array.isArray(value)
      ? value.flatMap((entry, index) => faults(document, item, entry, `${at}[${index}]`))
      : [],
  allOf: (schemas, value, { document, at }) =>
    schemas.flatMap((schema) => faults(document, schema, value, at)),
  anyOf: (schemas, value, { document, at }) => some(schemas, document, value, at, (n) => n > 0),
  oneOf: (schemas, value, { document, at }) => some(schemas, document, value, at, (n) => n === 1),
};

function some(schemas, document, value, at, enough) {
  const tried = schemas.map((schema) => faults(document, schema, value, at));
  const fitting = tried.filter((it) => it.length === 0).length;
  return enough(fitting) ? [] : [`${at} fits ${fitting} of ${schemas.length}: ${tried.flat()}`];
}

function short(value) {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
