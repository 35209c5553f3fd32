// Launches workerd on the repository's configuration and looks after the process: its readiness,
// its last words, its end. Used by npm start and by the tests. Prints nothing.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import { lockDataDirectory } from './data-directory.mjs';
import { authority } from './settings.mjs';
import { Failure } from './steps.mjs';
import { withTargets } from './targets.mjs';
import { ROOT, workerdBinary } from './tools.mjs';

/** The names under which workerd.capnp knows its socket, its storage, its pages and what they use. */
const SOCKET = 'http';
const STORAGE = 'data';
const PAGES = 'www';
const CLIENT = 'client';

const CONFIGURATION = path.join(ROOT, 'workerd.capnp');
const READY_MS_MAX = 30_000;
const READY_POLL_MS = 20;
const ASK_MS_MAX = 2000;

/** Requests in progress get this long to finish before the process is ended. */
const STOP_MS_MAX = 10_000;

/** Of what workerd says this much is kept, from the end. */
const LOG_CHARS_MAX = 100_000;

/** Variables that workerd gets besides the Worker's own: where programs and certificates are. */
const INHERITED = ['PATH', 'HOME', 'TMPDIR', 'SSL_CERT_FILE'];

/**
 * Starts a server and waits until it answers, or has been stopped before it could.
 * @param {import('./settings.mjs').Settings} settings
 * @param {object} [options]
 * @param {(server: Server) => void} [options.onSpawn] is given the server as soon as there is a
 *   process, so that whoever ends before it answers can end it too
 * @param {(line: string, stream: 'stdout' | 'stderr') => void} [options.onLine]
 * @param {string} [options.configuration] of workerd; the repository's own unless given
 * @param {string[]} [options.flags] of workerd, beside what it always gets
 * @returns {Promise<Server>}
 */
export async function launch(settings, { onSpawn, onLine, configuration, flags } = {}) {
  await refuseTakenPort(settings.host, settings.port);
  const lock = lockDataDirectory(settings.dataDir);
  try {
    const server = new Server(settings, lock, onLine, configuration, flags);
    onSpawn?.(server);
    await server.ready();
    return server;
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** A running workerd. */
export class Server {
  /** The exit of the process: `{ code, signal }`. Settles once. */
  exited;
  #child;
  #host;
  #log = '';
  #port;
  #stopping = false;

  constructor(settings, lock, onLine, configuration = CONFIGURATION, flags = []) {
    this.#host = settings.host;
    const args = ['serve', withTargets(configuration, settings.targets), ...flags];
    args.push('--socket-addr', `${SOCKET}=${authority(settings.host, settings.port)}`);
    args.push('--directory-path', `${STORAGE}=${settings.dataDir}`);
    args.push('--directory-path', `${PAGES}=${path.join(ROOT, 'www')}`);
    args.push('--directory-path', `${CLIENT}=${path.join(ROOT, 'clients', 'typescript')}`);
    args.push('--control-fd=3');
    const inherited = INHERITED.filter((name) => process.env[name] !== undefined);
    const env = Object.fromEntries(inherited.map((name) => [name, process.env[name]]));
    this.#child = spawn(workerdBinary(), args, {
      cwd: ROOT,
      env: { ...env, ...settings.env },
      // A group of its own: Ctrl-C in a terminal reaches us alone, and we let requests finish.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
    this.exited = new Promise((resolve) => {
      this.#child.once('error', (error) => {
        this.#log += error.message;
        resolve({ code: null, signal: null });
      });
      this.#child.once('close', (code, signal) => {
        lock.release();
        resolve({ code, signal });
      });
    });
    if (this.#child.pid) lock.record(this.#child.pid);
    this.#follow(this.#child.stdout, 'stdout', onLine);
    this.#follow(this.#child.stderr, 'stderr', onLine);
    this.#child.stdio[3].setEncoding('utf8').on('data', (text) => this.#hear(text));
  }

  /** @returns {number} the process id */
  get pid() {
    return this.#child.pid;
  }

  /** @returns {number} the port it listens on */
  get port() {
    return this.#port;
  }

  /** @returns {string} its address, without a slash at the end */
  get url() {
    // Who listens on every address is reached on this machine's own.
    const host = { '0.0.0.0': '127.0.0.1', '*': '127.0.0.1', '::': '::1' }[this.#host];
    return `http://${authority(host ?? this.#host, this.#port)}`;
  }

  /** @returns {boolean} whether the process has been told to end */
  get stopping() {
    return this.#stopping;
  }

  /** @returns {string} what it said lately, on both streams */
  logs() {
    return this.#log;
  }

  /** Waits until it answers on /healthz, or has been told to end. */
  async ready() {
    const deadline = performance.now() + READY_MS_MAX;
    let gone = false;
    this.exited.then(() => (gone = true));
    while (performance.now() < deadline) {
      if (this.#stopping) return;
      if (gone) throw new Failure('workerd did not start.', { output: this.#log });
      const health = this.#port ? await ask(`${this.url}/healthz`) : undefined;
      if (health?.ok) return;
      if (health) await this.#giveUp(`The server does not serve: ${health.reason}`);
      await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
    }
    await this.#giveUp(`The server did not answer on /healthz in ${READY_MS_MAX / 1000} s.`);
  }

  async #giveUp(message) {
    this.kill();
    await this.exited;
    throw new Failure(message, { output: this.#log });
  }

  /** Lets requests in progress finish, for a while, and ends the process. */
  async stop() {
    this.#end('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS_MAX);
    await this.exited;
    clearTimeout(timer);
  }

  /** Ends the process at once, as a power cut would. */
  kill() {
    this.#end('SIGKILL');
  }

  /** Lets this process end although the server still runs. */
  unref() {
    for (const handle of this.#handles()) handle.unref();
  }

  #end(signal) {
    this.#stopping = true;
    // Whoever ends it wants to see the end.
    for (const handle of this.#handles()) handle.ref();
    this.#child.kill(signal);
  }

  #handles() {
    return [this.#child, ...this.#child.stdio.slice(1)];
  }

  #hear(text) {
    for (const line of text.split('\n').filter(Boolean)) {
      const event = JSON.parse(line);
      if (event.event === 'listen' && event.socket === SOCKET) this.#port = event.port;
    }
  }

  #follow(stream, name, onLine) {
    let partial = '';
    stream.setEncoding('utf8').on('data', (text) => {
      this.#log = (this.#log + text).slice(-LOG_CHARS_MAX);
      const lines = (partial + text).split('\n');
      partial = lines.pop();
      for (const line of lines) onLine?.(line, name);
    });
  }
}

/** @returns what the server says of itself, undefined as long as it says nothing */
async function ask(url) {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ASK_MS_MAX) });
    const text = await response.text();
    if (response.ok) return { ok: true };
    const isProblem = response.headers.get('content-type')?.startsWith('application/problem+json');
    return { ok: false, reason: isProblem ? JSON.parse(text).detail : `status ${response.status}` };
  } catch {
    return undefined;
  }
}

/** Says in plain words what workerd would say in a stack trace. */
async function refuseTakenPort(host, port) {
  const probe = net.createServer();
  try {
    probe.listen({ host: host === '*' ? undefined : host, port, exclusive: true });
    await once(probe, 'listening');
  } catch (error) {
    throw new Failure(portMessage(error.code, host, port));
  }
  probe.close();
  await once(probe, 'close');
}

function portMessage(code, host, port) {
  const other = `Choose another: PORT=${port === 8787 ? 8788 : 8787} npm start`;
  if (code === 'EADDRINUSE') return `Port ${port} on ${host} is in use. ${other}`;
  if (code === 'EACCES') return `Port ${port} may not be opened by this user. ${other}`;
  return `Cannot listen on ${host}, port ${port}: ${code}. Set HOST to an address of this machine.`;
}
