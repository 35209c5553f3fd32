// Tidegate, in two ways: through the client library, as an application uses it, and by batch calls
// made by hand, which shows what the library takes. Keys against duplicates are off: no peer has
// them here.

import { readFileSync } from 'node:fs';
import { drainBatches, publishBatches } from '../load/batches.mjs';
import { Tidegate as Client } from '../../clients/typescript/index.js';
import { Tidegate as Server } from '../servers/tidegate.mjs';
import { IN_FLIGHT, openWindow } from './window.mjs';

const PORT_DEFAULT = 9860;
const QUEUE = 'bench';
/** All that may be on the way goes in one request: half as many requests and commits as two. */
const REQUESTS = 1;
const BATCH = IN_FLIGHT / REQUESTS;

/** @type {import('./index.mjs').Peer} */
export const tidegate = {
  name: 'tidegate',
  title: 'Tidegate',
  product: 'Tidegate',
  missing,
  start: (port) => start(throughClient, port),
};

/** @type {import('./index.mjs').Peer} */
export const tidegateBatches = {
  name: 'tidegate-batches',
  title: 'Tidegate, batch calls',
  product: 'Tidegate',
  missing,
  start: (port) => start(throughBatches, port),
};

async function missing() {
  return undefined;
}

async function start(calls, port = PORT_DEFAULT) {
  const server = await Server.start(port);
  const file = new URL('../../package.json', import.meta.url);
  return {
    version: JSON.parse(readFileSync(file, 'utf8')).version,
    prepare: () => server.createQueue(QUEUE),
    stop: () => server.stop(),
    pid: server.pid,
    ...calls(port),
  };
}

function throughClient(port) {
  const client = new Client({ url: `http://127.0.0.1:${port}` });
  const options = { batchMessagesMax: BATCH, ackBatchSizeMax: BATCH, idempotent: false };
  const queue = client.queue(QUEUE, options);
  return {
    async publish(body, count) {
      const window = openWindow(count, () => {
        queue.publish(body).then(() => window.done(), window.fail);
      });
      await window.finished;
    },
    async consume(count) {
      const stop = new AbortController();
      let left = count;
      let failure;
      // What a handler returns from is acknowledged.
      const handler = () => {
        left -= 1;
        if (left === 0) stop.abort();
      };
      const onError = (error) => {
        failure ??= error;
        stop.abort();
      };
      const { signal } = stop;
      await queue.consume(handler, { concurrency: IN_FLIGHT, batchSize: BATCH, signal, onError });
      if (left > 0) throw failure;
    },
  };
}

function throughBatches(port) {
  const rest = { port, queue: QUEUE, batch: BATCH, connections: REQUESTS };
  return {
    async publish(body, count) {
      await publishBatches({ ...rest, body, count });
    },
    async consume(count) {
      await drainBatches({ ...rest, count });
    },
  };
}
