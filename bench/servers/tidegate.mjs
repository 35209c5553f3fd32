// Tidegate itself, started as npm start does it, in a directory of its own; and what the harness
// asks of it besides load: queues to work on, and its counters.

import os from 'node:os';
import { lockDataDirectory } from '../../scripts/lib/data-directory.mjs';
import { Server } from '../../scripts/lib/server.mjs';
import { readSettings } from '../../scripts/lib/settings.mjs';
import { removeDirectory, temporaryDirectory } from './process.mjs';

const running = new Set();
process.on('exit', () => {
  for (const server of running) server.kill();
});

/** Room for whatever the harness publishes: what is measured is not a limit. */
const ROOMY = { capacity: { max_messages: 100_000_000, max_bytes: 100_000_000_000 } };

/** A Tidegate on a port. */
export class Tidegate {
  #server;
  #ownDirectory;

  /**
   * Starts the process and does not wait until it answers.
   * @param {number} port
   * @param {{ directory?: string }} [options] a new directory, gone with it, unless one is given
   */
  constructor(port, { directory } = {}) {
    this.port = port;
    this.#ownDirectory = directory ? undefined : temporaryDirectory();
    const dataDir = directory ?? this.#ownDirectory;
    const settings = readSettings({ PORT: String(port), DATA_DIR: dataDir }, os.tmpdir());
    const server = new Server(settings, lockDataDirectory(dataDir));
    running.add(server);
    server.exited.then(() => running.delete(server));
    this.#server = server;
  }

  /**
   * @param {number} port
   * @param {{ directory?: string }} [options]
   * @returns {Promise<Tidegate>} one that answers
   */
  static async start(port, options) {
    const tidegate = new Tidegate(port, options);
    await tidegate.#server.ready();
    return tidegate;
  }

  /** @returns {number} */
  get pid() {
    return this.#server.pid;
  }

  /** Ends it in good order. */
  async stop() {
    await this.#server.stop();
    if (this.#ownDirectory) removeDirectory(this.#ownDirectory);
  }

  /**
   * Makes a queue, anew if there is one of that name.
   * @param {string} name
   * @param {object} [configuration]
   */
  async createQueue(name, configuration = ROOMY) {
    await this.deleteQueue(name);
    await this.#ask('PUT', `/v1/queues/${name}`, configuration);
  }

  /** @param {string} name of a queue that may be gone already */
  async deleteQueue(name) {
    await this.#ask('DELETE', `/v1/queues/${name}`, undefined, [404]);
  }

  /**
   * @param {string} name of the queue
   * @param {string} body
   * @returns {Promise<{ id: string }>}
   */
  async publish(name, body) {
    return (await this.#ask('POST', `/v1/queues/${name}/messages`, body)).json();
  }

  /**
   * @param {string} queue
   * @returns {Promise<Counters>} from /metrics
   */
  async counters(queue) {
    const text = await (await this.#ask('GET', '/metrics')).text();
    const read = (metric) => {
      const series = `tidegate_${metric}\\{queue="${queue}"\\}`;
      const match = text.match(new RegExp(`^${series} (\\S+)$`, 'm'));
      if (!match) throw new Error(`/metrics does not say ${metric} of ${queue}`);
      return Number(match[1]);
    };
    return {
      accepted: read('accepted_total'),
      rowsWritten: read('rows_written_total'),
      rowsRead: read('rows_read_total'),
      objectRequests: read('object_requests_total'),
      commits: read('commits_total'),
    };
  }

  async #ask(method, path, body, alsoRight = []) {
    const isText = typeof body === 'string' || body === undefined;
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, {
      method,
      headers: isText ? {} : { 'Content-Type': 'application/json' },
      body: isText ? body : JSON.stringify(body),
    });
    if (!response.ok && !alsoRight.includes(response.status)) {
      throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    }
    return response;
  }
}

/**
 * @typedef {object} Counters
 * @property {number} accepted
 * @property {number} rowsWritten
 * @property {number} rowsRead
 * @property {number} objectRequests
 * @property {number} commits
 */
