// One message on its way to the server: what of it is checked here, and the forms it takes where it
// is no part of a binary batch.

import { unwritten } from './batch.js';
import { badRequest } from './problem.js';
import { decodeExactly, toBase64, wellFormed } from './text.js';

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
const NOTHING = {};
const OPTIONS = new Set([
  ...Object.keys(NUMBERS), 'contentType', 'key', 'attributes', 'idempotencyKey', 'signal',
]);

/**
 * @typedef {object} Publication what was given to publish, checked
 * @property {string | Uint8Array} content bytes are the caller's own still
 * @property {Record<string, any> | undefined} fields as in JSON, but for the body; if there are any
 */

/**
 * @param {unknown} body
 * @param {import('../index.js').PublishOptions | undefined} options
 * @param {string | undefined} idempotencyKey
 * @returns {Publication}
 */
export function publication(body, options, idempotencyKey) {
  const { content, contentType } = contentOf(body);
  if (!options && !contentType && idempotencyKey === undefined) return { content };
  return { content, fields: fieldsOf(options ?? NOTHING, contentType, idempotencyKey) };
}

/**
 * @param {import('./batch.js').Written} written
 * @returns {{ headers: Record<string, string>, body: Uint8Array } | undefined} the request of its
 *   own; nothing where headers cannot say the same
 */
export function singleRequest(written) {
  const { body, fields } = unwritten(written);
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
  return { headers, body };
}

/**
 * @param {import('./batch.js').Written[]} batch
 * @returns {string} the same as JSON, for a server that takes no other form
 */
export function jsonBatch(batch) {
  const messages = batch.map((written) => {
    const { body, fields } = unwritten(written);
    const text = decodeExactly(body);
    return text === undefined
      ? { body: toBase64(body), encoding: 'base64', ...fields }
      : { body: text, ...fields };
  });
  return JSON.stringify({ messages });
}

function contentOf(body) {
  if (typeof body === 'string' || body instanceof Uint8Array) return { content: body };
  if (body instanceof ArrayBuffer) return { content: new Uint8Array(body) };
  const content = JSON.stringify(body);
  if (content === undefined) throw badRequest('body', `${typeof body} cannot be written as JSON`);
  return { content, contentType: JSON_TYPE };
}

function fieldsOf(options, contentType, idempotencyKey) {
  for (const name of Object.keys(options)) {
    if (!OPTIONS.has(name)) throw badRequest(name, 'publish has no such option');
  }
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
