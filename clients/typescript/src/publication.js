// One message on its way to the server, in both forms it can take: an entry of a batch, or a
// request of its own.

import { badRequest } from './problem.js';
import { byteLength, encode, toBase64, wellFormed } from './text.js';

const JSON_TYPE = 'application/json';
/** An attribute whose name a header carries as it is: headers have no upper case. */
const HEADER_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;
/** A value that a header carries as it is. */
const HEADER_VALUE = /^[!-~]([ -~]*[!-~])?$/;
/** What a single publish would take apart, and a batch keeps. */
const CLOUD_EVENT = /^application\/cloudevents/i;

/** Options of a publish that are numbers: their names on the wire and in headers. */
const NUMBERS = {
  delayMs: ['delay_ms', 'tidegate-delay-ms'],
  ttlMs: ['ttl_ms', 'tidegate-ttl-ms'],
  holdMs: ['hold_ms', 'tidegate-hold-ms'],
  priority: ['priority', 'tidegate-priority'],
};
const OPTIONS = new Set([
  ...Object.keys(NUMBERS), 'contentType', 'key', 'attributes', 'idempotencyKey', 'signal',
]);

/**
 * What was given to publish, checked and kept: later changes to it change nothing.
 * @typedef {object} Publication
 * @property {string | Uint8Array} content
 * @property {Record<string, unknown>} fields its members in a batch, but for the body
 * @property {string} wire the entry of a batch, as JSON
 * @property {number} bytes of the entry
 */

/**
 * @param {unknown} body
 * @param {import('../index.js').PublishOptions} options
 * @param {string | undefined} idempotencyKey
 * @returns {Publication}
 */
export function publication(body, options, idempotencyKey) {
  for (const name of Object.keys(options)) {
    if (!OPTIONS.has(name)) throw badRequest(name, 'publish has no such option');
  }
  const { content, isJson } = contentOf(body);
  const fields = fieldsOf(options, isJson ? JSON_TYPE : undefined, idempotencyKey);
  const wire = entry(content, isJson, fields);
  return { content, fields, wire, bytes: byteLength(wire) };
}

/**
 * @param {Publication} publication
 * @returns {{ headers: Record<string, string>, body: Uint8Array } | undefined} the request of its
 *   own; nothing where headers cannot say the same
 */
export function singleRequest({ content, fields }) {
  const headers = {};
  if (fields.content_type !== undefined) headers['content-type'] = fields.content_type;
  if (fields.key !== undefined) headers['tidegate-key'] = fields.key;
  if (fields.idempotency_key?.startsWith('"')) return undefined;
  if (fields.idempotency_key !== undefined) headers['idempotency-key'] = fields.idempotency_key;
  for (const [name, header] of Object.values(NUMBERS)) {
    if (fields[name] !== undefined) headers[header] = String(fields[name]);
  }
  for (const [name, value] of Object.entries(fields.attributes ?? {})) {
    if (!HEADER_NAME.test(name)) return undefined;
    headers[`tidegate-attr-${name}`] = value;
  }
  const exact = Object.values(headers).every((value) => HEADER_VALUE.test(value));
  if (!exact || CLOUD_EVENT.test(fields.content_type ?? '')) return undefined;
  // As bytes: a string would get a content type that nobody gave.
  return { headers, body: typeof content === 'string' ? encode(content) : content };
}

function contentOf(body) {
  if (typeof body === 'string') return { content: wellFormed(body), isJson: false };
  if (body instanceof Uint8Array) return { content: body.slice(), isJson: false };
  if (body instanceof ArrayBuffer) return { content: new Uint8Array(body.slice(0)), isJson: false };
  const content = JSON.stringify(body);
  if (content === undefined) throw badRequest('body', `${typeof body} cannot be written as JSON`);
  return { content, isJson: true };
}

function fieldsOf(options, contentType, idempotencyKey) {
  const fields = {
    content_type: text('contentType', options.contentType) ?? contentType,
    key: text('key', options.key),
    idempotency_key: idempotencyKey,
  };
  for (const [name, [wireName]] of Object.entries(NUMBERS)) {
    if (options[name] !== undefined) fields[wireName] = wholeNumber(name, options[name]);
  }
  if (options.attributes) {
    const entries = Object.entries(options.attributes);
    fields.attributes = Object.fromEntries(
      entries.map(([name, value]) => [wellFormed(name), text(`attributes.${name}`, value)]),
    );
  }
  return fields;
}

function entry(content, isJson, fields) {
  const rest = JSON.stringify(fields).slice(1);
  const members = rest === '}' ? rest : `,${rest}`;
  if (typeof content !== 'string') {
    return `{"body":"${toBase64(content)}","encoding":"base64"${members}`;
  }
  // JSON goes in as it is, instead of as text that is escaped once more.
  if (isJson) return `{"body":${content},"encoding":"json"${members}`;
  return `{"body":${JSON.stringify(content)}${members}`;
}

function text(name, value) {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw badRequest(name, 'a string belongs here');
  return wellFormed(value);
}

/**
 * @param {string} name
 * @param {unknown} value
 * @returns {number}
 */
export function wholeNumber(name, value) {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw badRequest(name, 'a whole number belongs here, 0 or more');
}
