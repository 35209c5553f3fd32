// What a request asks beside its path, and listings that come page by page.

import { fromWire } from './names.js';

/**
 * @param {Record<string, string | number | undefined>} query
 * @returns {string} with its question mark; empty when there is nothing to ask
 */
export function queryOf(query) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text && `?${text}`;
}

/**
 * @param {object | string | undefined} filter
 * @returns {string | undefined} as a query carries it: JSON, so that nothing is taken for another
 */
export function filterText(filter) {
  return filter === undefined ? undefined : JSON.stringify(filter);
}

/**
 * All of a listing, page after page.
 * @param {import('./http.js').Http} http
 * @param {string} path
 * @param {string} member that a page's items are in
 * @param {{ pageSize?: number, signal?: AbortSignal }} [options]
 */
export async function* listing(http, path, member, { pageSize, signal } = {}) {
  for (let cursor; ; ) {
    const query = queryOf({ limit: pageSize, cursor });
    const { json } = await http.request('GET', path + query, { signal });
    yield* json[member].map(fromWire);
    cursor = json.cursor;
    if (cursor === undefined || cursor === null) return;
  }
}
