// The bare Workers that mark the platform's limits, and workerd's own queue, each in a workerd
// process.

import { fileURLToPath } from 'node:url';
import { workerdBinary } from '../../scripts/lib/tools.mjs';
import { Process, removeDirectory, temporaryDirectory } from './process.mjs';

/**
 * @typedef {object} BareServer
 * @property {number} port
 * @property {number} pid
 * @property {() => Promise<void>} stop
 */

/**
 * Starts one of the Workers in workers/. Does not wait until it answers.
 * @param {'hello' | 'hop' | 'pair' | 'queue'} name
 * @param {number} port
 * @returns {BareServer & { listening: () => Promise<void> }}
 */
export function spawnWorker(name, port) {
  const directory = name === 'hello' ? undefined : temporaryDirectory();
  const file = fileURLToPath(new URL(`../workers/${name}.capnp`, import.meta.url));
  const args = ['serve', '--experimental', file, '--socket-addr', `http=127.0.0.1:${port}`];
  if (directory) args.push('--directory-path', `data=${directory}`);
  const server = new Process(workerdBinary(), args);
  return {
    port,
    pid: server.pid,
    listening: () => server.listening(port),
    async stop() {
      await server.stop();
      if (directory) removeDirectory(directory);
    },
  };
}

/**
 * Starts one of the Workers in workers/ and waits until it listens.
 * @param {'hello' | 'hop' | 'pair' | 'queue'} name
 * @param {number} port
 * @returns {Promise<BareServer>}
 */
export async function startWorker(name, port) {
  const server = spawnWorker(name, port);
  await server.listening();
  return server;
}
