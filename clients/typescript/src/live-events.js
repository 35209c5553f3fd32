// One event stream of a topic, as the frames a socket would bring.

import { ConnectionError, TidegateError } from './errors.js';
import { events } from './events.js';
import { onAbort } from './time.js';

/** The server comments every 15 s: one that says nothing for so long is gone. */
const SILENT_MS_MAX = 45_000;

/**
 * @param {import('./http.js').Http} http
 * @param {string} path with its query
 * @param {AbortSignal} [signal]
 * @returns {AsyncGenerator<Record<string, any>, void>} until the connection ends
 */
export async function* overEvents(http, path, signal) {
  const own = new AbortController();
  const forget = onAbort(signal, () => own.abort());
  if (signal?.aborted) own.abort();
  let timer;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => own.abort(), SILENT_MS_MAX);
  };
  try {
    const headers = { accept: 'text/event-stream' };
    const stream = await http.stream(path, { headers, signal: own.signal });
    heard();
    yield { type: 'subscribed' };
    for await (const { event, data } of events(stream, heard)) {
      yield { ...JSON.parse(data), type: event };
    }
  } catch (error) {
    throw error instanceof TidegateError ? error : new ConnectionError(error);
  } finally {
    clearTimeout(timer);
    forget();
    own.abort();
  }
}
