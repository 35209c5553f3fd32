// Tokens as others make them, and the routes with what they need, as the interface tells of them.

import { createHmac, sign } from 'node:crypto';

const base64url = (value) => Buffer.from(value).toString('base64url');
const SIGNERS = {
  HS256: (text, key) => createHmac('sha256', key).update(text).digest(),
  ES256: (text, key) => sign('sha256', text, { key, dsaEncoding: 'ieee-p1363' }),
  RS256: (text, key) => sign('sha256', text, key),
  EdDSA: (text, key) => sign(null, text, key),
};

/** Seconds of Unix time, from now. */
export const inSeconds = (seconds) => Math.floor(Date.now() / 1000) + seconds;

/**
 * A token.
 * @param {object} claims `exp` is a minute ahead unless given
 * @param {string | import('node:crypto').KeyObject} key
 * @param {object} [header]
 */
export function jwt(claims, key, header = {}) {
  const full = { alg: 'HS256', typ: 'JWT', ...header };
  const parts = [full, { exp: inSeconds(60), ...claims }];
  const text = parts.map((part) => base64url(JSON.stringify(part))).join('.');
  const signer = SIGNERS[full.alg] ?? (() => Buffer.from('none'));
  return `${text}.${base64url(signer(Buffer.from(text), key))}`;
}

export const bearer = (token) => ({ authorization: `Bearer ${token}` });

const NAMES = {
  '{queue}': 'walked',
  '{topic}': 'walked',
  '{subscription}': 's',
  '{id}': '01ARZ3NDEKTSV4RRFFQ69G5FAV',
};

/**
 * Every route, from the document that the server gives out; the core's tests hold that to the table
 * that the router reads.
 * @param {object} document
 * @returns {{method: string, path: string, scopes: string[][] | null}[]} the scopes that will do,
 *   each by itself, of `walked`; `null` where it takes no token
 */
export function routesOf(document) {
  const named = (text) => text.replace(/\{\w+\}/g, (name) => NAMES[name]);
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([method]) => method !== 'parameters')
      .map(([method, { security }]) => ({
        // A stream that is let in has no end; the same without a body has.
        method: path.endsWith('/events') ? 'HEAD' : method.toUpperCase(),
        path: named(path),
        scopes: security.length === 0 ? null : security.flatMap(({ bearer: it }) => (it ? [it.map(named)] : [])),
      })),
  );
}
