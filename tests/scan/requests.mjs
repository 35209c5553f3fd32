// Makes requests of the OpenAPI document's operations: some as it allows them, some with mistakes
// in path, query, headers, body or method. What answers bring (ids, leases) is used again.

import { resolve } from './schema.mjs';
import { values } from './values.mjs';

/** Few names, so that requests meet each other's queues. */
const NAMES = ['a', 'b', 'a/b', 'sale-1'];
/** How many strings of a kind are remembered. */
const KNOWN_MAX = 200;
/** Among so many of the latest messages, requests of one choose, so that they meet it early. */
const LATEST_MAX = 10;
/** Of the requests, this share has no mistake on purpose. */
const VALID_SHARE = 0.4;
/** Nests deeper than any parser should follow. */
const DEEP = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
/** A hold that is over before anybody can confirm it shows little. */
const HOLD = 'Tidegate-Hold-Ms';
const HOLD_MS = 60_000;
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'];
/** Under these names answers bring what later requests take. */
const KEPT = ['id', 'lease_id', 'cursor'];
/** Would be refused by every client before it is sent: no part of a header's value. */
const NOT_IN_HEADERS = /[^\t\x20-\x7e\x80-\xff]+/u;

/**
 * @typedef {object} ScanRequest
 * @property {string} operation as in `GET /v1/queues/{queue}`
 * @property {string} method
 * @property {string} path with its query
 * @property {Record<string, string>} headers
 * @property {string | Buffer | undefined} body
 */

/**
 * @param {any} document the OpenAPI document
 * @param {import('../chaos/random.mjs').Random} random
 */
export function requests(document, random) {
  const known = { queue: NAMES, topic: NAMES, subscription: ['s', 't'] };
  /** The latest messages: the queue of each, and its identifier. */
  let latest = [];
  const make = values(document, random, known);
  const operations = operationsOf(document);

  /** @returns {ScanRequest} */
  function next() {
    const operation = random.pick(operations);
    const mistake = random.chance(VALID_SHARE)
      ? null
      : random.pick(['path', 'query', 'header', 'body', 'body', 'method']);
    const parameters = { path: {}, query: {}, header: {} };
    for (const parameter of operation.parameters) {
      const { name, schema, required } = parameter;
      if (required || random.chance(0.3)) parameters[parameter.in][name] = make.valid(schema, name);
    }
    if (HOLD in parameters.header) parameters.header[HOLD] = HOLD_MS;
    if ('id' in parameters.path && latest.length > 0 && random.chance(0.8)) {
      Object.assign(parameters.path, random.pick(latest));
    }
    if (mistake && parameters[mistake]) spoil(parameters[mistake], mistake);
    const request = {
      operation: `${operation.method} ${operation.path}`,
      method: mistake === 'method' ? random.pick(METHODS) : operation.method,
      path: pathOf(operation.path, parameters),
      headers: headersOf(parameters.header),
      body: undefined,
    };
    // A socket is opened by a handshake, which other tests make.
    if (operation.requestBody) addBody(request, operation.requestBody, mistake === 'body');
    return request;
  }

  function spoil(given, kind) {
    const name = random.pick([...Object.keys(given), kind === 'header' ? 'Tidegate-None' : 'none']);
    if (kind !== 'path' || name !== 'none') given[name] = make.hostile();
  }

  function addBody(request, { content }, isSpoilt) {
    const types = Object.keys(content);
    const type = random.pick(types);
    const { schema } = content[type];
    request.headers['content-type'] = type === '*/*' ? 'text/plain' : type;
    const value = make.valid(schema ?? {});
    request.body = asText(type, isSpoilt && random.chance(0.6) ? make.spoilt(value) : value);
    if (isSpoilt && random.chance(0.5)) breakForm(request);
  }

  function breakForm(request) {
    const half = request.body.slice(0, request.body.length >> 1);
    random.pick([
      () => (request.body = half),
      () => (request.body = Buffer.from([0xff, 0xfe, 0x22])),
      () => (request.body = DEEP),
      () => (request.body = ''),
      () => (request.body = `${request.body}${request.body}`),
      () => (request.headers['content-type'] = make.hostile().replace(NOT_IN_HEADERS, '')),
      () => (request.headers['content-encoding'] = random.pick(['gzip', 'br', 'identity', '?'])),
    ])();
  }

  /** Takes note of what the answer to a request brings. */
  function learn(value, request) {
    if (Array.isArray(value)) value.forEach((it) => learn(it, request));
    if (value === null || typeof value !== 'object') return;
    const queue = /^\/v1\/queues\/([^/?]+)\/messages(\?|$)/.exec(request.path)?.[1];
    const isPublish = request.method === 'POST' && queue !== undefined;
    if (isPublish && typeof value.id === 'string') {
      const message = { queue: decodeURIComponent(queue), id: value.id };
      latest = [message, ...latest].slice(0, LATEST_MAX);
    }
    for (const [name, member] of Object.entries(value)) {
      if (KEPT.includes(name) && typeof member === 'string') {
        known[name] = [member, ...(known[name] ?? [])].slice(0, KNOWN_MAX);
      } else if (name !== 'result') {
        learn(member, request);
      }
    }
  }

  return { next, learn };
}

/** @returns {{ method: string, path: string, parameters: any[], requestBody?: any }[]} */
export function operationsOf(document) {
  const whole = (value) => (value.$ref ? resolve(document, value.$ref) : value);
  return Object.entries(document.paths).flatMap(([path, { parameters = [], ...methods }]) =>
    Object.entries(methods).map(([method, operation]) => ({
      ...operation,
      method: method.toUpperCase(),
      path,
      parameters: [...parameters, ...(operation.parameters ?? [])].map(whole)
        // Whether a token is right is another test's.
        .filter(({ name }) => name !== 'access_token' && name !== 'Authorization'),
    })));
}

function pathOf(template, { path, query }) {
  const filled = template.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(path[name]));
  const search = new URLSearchParams(Object.entries(query)
    .map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]));
  return search.size > 0 ? `${filled}?${search}` : filled;
}

function headersOf(given) {
  const entries = Object.entries(given).map(([name, value]) => [name, String(value)]);
  return Object.fromEntries(entries.filter(([, value]) => !NOT_IN_HEADERS.test(value)));
}

function asText(type, value) {
  if (type.includes('ndjson')) return [value].flat().map((line) => JSON.stringify(line)).join('\n');
  if (type.includes('json')) return JSON.stringify(value);
  return String(value);
}
