// The console's pages and files, and the client library that they use. On Cloudflare the binding
// ASSETS is its store of static assets and holds both, on workerd ASSETS and CLIENT are directories
// of the disk; all are asked for plain files, and everything about the answer is set here.

import { problem } from './problem.js';

/** What is served, by ending. Nothing else is: the directory is not listed either. */
const TYPES = {
  css: 'text/css; charset=utf-8',
  html: 'text/html; charset=utf-8',
  ico: 'image/x-icon',
  js: 'text/javascript; charset=utf-8',
  json: 'application/json',
  md: 'text/markdown; charset=utf-8',
  png: 'image/png',
  svg: 'image/svg+xml',
  txt: 'text/plain; charset=utf-8',
  webp: 'image/webp',
  woff2: 'font/woff2',
};

const SECURITY = {
  'content-security-policy':
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

/** The waiting page is one file for all queues; the queue's name is the rest of its path. */
const WAIT = '/wait/';
const WAITING_PAGE = '/waiting/index.html';
/** Where pages find the client library. */
const CLIENT = '/client/';

/**
 * Serves the file at the request's path.
 * @param {Request} request
 * @param {object} env
 * @returns {Promise<Response>}
 */
export async function serveAsset(request, env) {
  if (!URL.canParse(request.url)) return noUrl();
  const { pathname } = new URL(request.url);
  const path = fileAt(pathname);
  const type = TYPES[path.slice(path.lastIndexOf('.') + 1)];
  // Hidden files are nobody's, whatever a directory holds; `..` is gone from a parsed URL.
  if (type === undefined || path.includes('/.')) return notFound(pathname);
  const found = await stored(path, env);
  if (found.status !== 200) {
    await found.body?.cancel();
    return notFound(pathname);
  }
  const headers = new Headers({ ...SECURITY, 'content-type': type, 'cache-control': 'no-cache' });
  const tag = tagOf(found.headers);
  if (tag !== null) headers.set('etag', tag);
  if (tag !== null && request.headers.get('if-none-match')?.includes(tag)) {
    await found.body?.cancel();
    return new Response(null, { status: 304, headers });
  }
  return new Response(found.body, { headers });
}

function stored(path, env) {
  const isApart = path.startsWith(CLIENT) && env.CLIENT !== undefined;
  return isApart
    ? env.CLIENT.fetch(`http://client/${path.slice(CLIENT.length)}`)
    : env.ASSETS.fetch(`http://assets${path}`);
}

function fileAt(pathname) {
  const isLine = pathname.startsWith(WAIT) && /^[^/]+$/.test(pathname.slice(WAIT.length));
  if (isLine) return WAITING_PAGE;
  return pathname.endsWith('/') ? `${pathname}index.html` : pathname;
}

/** The store's own tag, or one made of what a disk knows of a file. */
function tagOf(headers) {
  const tag = headers.get('etag');
  if (tag !== null) return tag;
  const modified = headers.get('last-modified');
  return modified === null ? null : `W/"${Date.parse(modified)}-${headers.get('content-length')}"`;
}

function notFound(path) {
  return problem(404, 'not-found', 'There is no such thing', `nothing is at ${path}`);
}

/** Two `Host` headers, for one. */
function noUrl() {
  const detail = 'host and path are no URL; the header Host stands there once';
  return problem(400, 'bad-request', 'The request is malformed', detail);
}
