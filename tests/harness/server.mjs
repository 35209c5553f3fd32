// A server of its own for a test: the real workerd on a free loopback port, with a data directory
// that is gone afterwards. Launched by the code that npm start uses.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buildCore, coreExists } from '../../scripts/lib/core.mjs';
import { launch } from '../../scripts/lib/server.mjs';
import { readSettings } from '../../scripts/lib/settings.mjs';
import { ROOT, installPackages } from '../../scripts/lib/tools.mjs';

/** Everything that has to be gone when this process ends, however it ends. */
const running = new Set();
const temporary = new Set();

process.on('exit', () => {
  for (const server of running) server.kill();
  for (const directory of temporary) removeDirectory(directory);
});
for (const [signal, code] of [['SIGHUP', 129], ['SIGINT', 130], ['SIGTERM', 143]]) {
  process.on(signal, () => process.exit(code));
}

/**
 * @typedef {object} TestServer
 * @property {string} url as in `http://127.0.0.1:40123`
 * @property {number} pid of workerd; another after each restart
 * @property {number} port stays the same over restarts
 * @property {Promise<unknown>} exited settles when the process that runs now has ended
 * @property {string} dataDir
 * @property {() => string} logs what workerd said since it was last started
 * @property {() => Promise<void>} stop ends it in good order; a temporary data directory goes too
 * @property {() => Promise<void>} kill9 ends it at once and waits until it is gone
 * @property {(options?: { wait?: boolean }) => Promise<void>} restart starts it again on the same
 *   port and data, after stopping it in good order if it still runs; with `wait: false` it is
 *   killed instead, as in a crash
 */

/**
 * @param {object} [options]
 * @param {Record<string, string>} [options.env] variables of the Worker. What is not named is as
 *   in `npm start`: open to anyone, on loopback
 * @param {string} [options.dataDir] a new temporary one unless given; a given one is kept
 * @param {number} [options.port] any free one unless given
 * @param {boolean} [options.placed] whether the header `x-cf` says where a request comes in, as
 *   the platform would in `request.cf`: then there are relays
 * @param {Record<string, string>} [options.layer] variables of the process itself, such as those
 *   that put a layer between it and the C library
 * @param {(text: string) => string} [options.reshape] makes another configuration of workerd out of
 *   the repository's own; what it embeds is named from the folder build/. It may use what workerd
 *   calls experimental
 * @returns {Promise<TestServer>}
 */
export async function startServer(options = {}) {
  const { env = {}, dataDir, port = 0, placed = false, layer = {}, reshape } = options;
  await installPackages({ quiet: true });
  if (!coreExists()) await buildCore({ quiet: true });
  const directory = dataDir ?? temporaryDirectory();
  const change = reshape ?? (placed ? withPlaces : undefined);
  const start = (at) =>
    launchTracked({ ...env, DATA_DIR: directory, PORT: String(at) }, change, layer);
  let server = await start(port);
  const end = async (kill) => {
    if (kill) server.kill();
    else await server.stop();
    await server.exited;
    running.delete(server);
  };
  return {
    get url() {
      return server.url;
    },
    get pid() {
      return server.pid;
    },
    get port() {
      return server.port;
    },
    get exited() {
      return server.exited;
    },
    dataDir: directory,
    logs: () => server.logs(),
    kill9: () => end(true),
    async stop() {
      if (running.has(server)) await end(false);
      if (!dataDir) removeDirectory(directory);
    },
    async restart({ wait = true } = {}) {
      const at = server.port;
      if (running.has(server)) await end(!wait);
      server = await start(at);
    },
  };
}

/** @returns {string} a new directory that is gone when this process ends */
export function temporaryDirectory() {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'tidegate-'));
  temporary.add(directory);
  return directory;
}

async function launchTracked(variables, reshape, layer) {
  const settings = readSettings(variables, os.tmpdir());
  settings.env = { ...settings.env, ...layer };
  const configuration = reshape && configurationBy(reshape);
  const onSpawn = (spawned) => running.add(spawned);
  const flags = configuration ? ['--experimental'] : [];
  const server = await launch(settings, { onSpawn, configuration, flags });
  // A test that forgets to stop its server must end all the same, and the server with it.
  server.unref();
  return server;
}

/** The repository's configuration, reshaped, in a file. */
function configurationBy(reshape) {
  const text = readFileSync(path.join(ROOT, 'workerd.capnp'), 'utf8');
  const file = path.join(ROOT, 'build', `${reshape.name}.capnp`);
  writeFileSync(file, reshape(text.replaceAll('embed "', 'embed "../')));
  return file;
}

/** A header says where requests come in. */
const withPlaces = (text) =>
  text.replace('http = (forwarded', 'http = (cfBlobHeader = "x-cf", forwarded');

function removeDirectory(directory) {
  rmSync(directory, { recursive: true, force: true });
  temporary.delete(directory);
}
