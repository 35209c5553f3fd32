// What it takes to know whether a token is genuine: the key set at JWKS_URL, and signatures made
// with its keys. When it is read and what a token says is decided in the core (src/edge/auth.rs).

import { readAtMost } from './body.js';
import { log } from './log.js';

const WORD = 4;
/** As in src/limits.rs: KEY_SET_BYTES_MAX, KEY_SET_READ_MS_MAX. */
const KEY_SET_BYTES_MAX = 65_536;
const KEY_SET_READ_MS_MAX = 5_000;
/** How soon who waits for the key set looks again. */
const AWAIT_MS = 25;
/** Keys kept as the platform has them: as many as a key set may have. */
const KEYS_MAX = 64;

/** By the names of RFC 7518 and RFC 8037: what the Web Cryptography API calls them. */
const ALGORITHMS = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  EdDSA: { name: 'Ed25519' },
};

const encoder = new TextEncoder();
/** @type {Map<string, CryptoKey>} by the text of the public key */
const keys = new Map();

/**
 * Checks the signature at `at`, and tells the core.
 * @param {import("./core.js").Core} core
 * @param {number} at
 * @param {string} head the request's
 * @returns {Promise<boolean>} whether the core has a refusal in its output
 */
export async function verify(core, at, head) {
  const check = readCheck(core, at);
  const isRight = await isGenuine(check).catch(() => false);
  const length = core.putText(head);
  return core.exports.edge_verified(length, isRight ? 1 : 0, check.edition, Date.now());
}

/** Signature, algorithm, key, what is signed and the edition of the keys, as src/platform/frame.rs writes them. */
function readCheck(core, at) {
  const sizes = [1, 2, 3, 4].map((word) => core.view.getUint32(at + word * WORD, true));
  const edition = core.view.getUint32(at + 5 * WORD, true);
  let start = at + 6 * WORD;
  const signature = core.copy(start, sizes[0]);
  start += sizes[0];
  const texts = sizes.slice(1).map((size) => {
    start += size;
    return core.text(start - size, size);
  });
  return { signature, algorithm: texts[0], jwk: texts[1], signed: texts[2], edition };
}

async function isGenuine({ signature, algorithm, jwk, signed }) {
  const how = ALGORITHMS[algorithm];
  let key = keys.get(jwk);
  if (key === undefined) {
    key = await crypto.subtle.importKey('jwk', JSON.parse(jwk), how, false, ['verify']);
    if (keys.size >= KEYS_MAX) keys.clear();
    keys.set(jwk, key);
  }
  return crypto.subtle.verify(how, key, signature, encoder.encode(signed));
}

/**
 * Reads the key set at the URL that the core names, and hands it over.
 * @param {import("./core.js").Core} core
 * @param {number} at
 * @param {object} env
 */
export async function readKeys(core, at, env) {
  const url = core.text(at + 2 * WORD, core.view.getUint32(at + WORD, true));
  let read = null;
  let maxAge = -1;
  try {
    // The operator's own choice, which may well lie in a private network.
    const get = env.OUTBOUND ? (to, how) => env.OUTBOUND.fetch(to, how) : fetch;
    const response = await get(url, {
      headers: { accept: 'application/jwk-set+json, application/json' },
      // Where it is moved to is not where the operator said that the keys are.
      redirect: 'manual',
      signal: AbortSignal.timeout(KEY_SET_READ_MS_MAX),
    });
    if (response.status === 200) {
      const bytes = await readAtMost(response.body, KEY_SET_BYTES_MAX);
      if (bytes.length <= KEY_SET_BYTES_MAX) read = bytes;
      maxAge = maxAgeOf(response.headers.get('cache-control') ?? '');
    } else {
      await response.body?.cancel();
    }
    if (read === null) log('warn', 'key_set_unreadable', { status: response.status });
  } catch (error) {
    log('warn', 'key_set_unreadable', { error });
  }
  const length = read === null ? 0 : core.putTwo(read, '')[0];
  core.exports.edge_take_keys(length, read === null ? 0 : 1, maxAge, Date.now());
}

/** Milliseconds for which an answer is fresh (RFC 9111, 5.2.2.1); negative where it does not say. */
function maxAgeOf(cacheControl) {
  if (/(^|[,\s])no-(store|cache)($|[,\s])/i.test(cacheControl)) return 0;
  const found = /(?:^|[,\s])max-age=(\d{1,10})(?:$|[,\s])/i.exec(cacheControl);
  return found === null ? -1 : Number(found[1]) * 1_000;
}

/** Waits for somebody else's reading. */
export function awaitKeys() {
  return new Promise((resolve) => setTimeout(resolve, AWAIT_MS));
}
