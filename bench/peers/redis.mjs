// Redis: a stream with a consumer group, and the append-only file, synced every second or on every
// write. Publishes are pipelined, deliveries are read and acknowledged many at a time.

import { findProgram, versionOf } from '../servers/programs.mjs';
import { Process, removeDirectory, temporaryDirectory } from '../servers/process.mjs';
import { Stream } from './stream.mjs';
import { IN_FLIGHT, openWindow } from './window.mjs';

const PORT = 9861;
const STREAM = 'bench';
const GROUP = 'workers';
/** Deliveries in one read; two reads' worth is never exceeded. */
const READ_COUNT = IN_FLIGHT / 2;

/** @typedef {import('./index.mjs').Peer} Peer */

/**
 * @param {'everysec' | 'always'} sync
 * @returns {Peer}
 */
export function redis(sync) {
  return {
    name: `redis-${sync}`,
    title: `Redis, AOF ${sync}`,
    product: 'Redis',
    async missing() {
      return findProgram('redis-server') ? undefined : 'redis-server is not installed';
    },
    start: () => start(sync),
  };
}

async function start(sync) {
  const directory = temporaryDirectory();
  const args = ['--port', String(PORT), '--bind', '127.0.0.1', '--dir', directory];
  args.push('--appendonly', 'yes', '--appendfsync', sync, '--save', '', '--daemonize', 'no');
  const server = new Process(findProgram('redis-server'), args);
  await server.listening(PORT);
  return {
    version: await versionOf(findProgram('redis-server'), ['--version'], /v=([\d.]+)/),
    async prepare() {
      const connection = await Connection.open();
      await connection.call('DEL', STREAM);
      await connection.call('XGROUP', 'CREATE', STREAM, GROUP, '0', 'MKSTREAM');
      connection.close();
    },
    pid: server.pid,
    publish,
    consume,
    async stop() {
      await server.stop();
      removeDirectory(directory);
    },
  };
}

async function publish(body, count) {
  const connection = await Connection.open();
  const window = openWindow(count, () => {
    connection.send(encode('XADD', STREAM, '*', 'body', body), () => window.done());
  });
  connection.onFailure = window.fail;
  await window.finished;
  connection.close();
}

async function consume(count) {
  const connections = await Promise.all([Connection.open(), Connection.open()]);
  let left = count;
  await Promise.all(
    connections.map(async (connection, index) => {
      while (left > 0) {
        const command = ['XREADGROUP', 'GROUP', GROUP, `c${index}`, 'COUNT', String(READ_COUNT)];
        const answer = await connection.call(...command, 'STREAMS', STREAM, '>');
        const entries = answer?.[0][1] ?? [];
        if (entries.length === 0) break;
        await connection.call('XACK', STREAM, GROUP, ...entries.map(([id]) => id));
        left -= entries.length;
      }
    }),
  );
  for (const connection of connections) connection.close();
  if (left > 0) throw new Error(`${left} messages did not come`);
}

/** A connection on which answers come in the order of the commands. */
class Connection {
  #stream;
  #waiting = [];
  #first = 0;
  /** @type {(error: Error) => void} */
  onFailure = () => {};

  static async open() {
    const connection = new Connection();
    connection.#stream = await Stream.open(PORT);
    connection.#stream.follow(
      (stream) => connection.#read(stream),
      (error) => connection.onFailure(error),
    );
    return connection;
  }

  /** @returns {Promise<any>} the answer: a string, a number, null, or an array of these */
  call(...words) {
    return new Promise((resolve, reject) => {
      this.onFailure = reject;
      this.send(encode(...words), resolve);
    });
  }

  send(command, onAnswer) {
    this.#waiting.push(onAnswer);
    this.#stream.write(command);
  }

  close() {
    this.#stream.close();
  }

  #read(stream) {
    for (;;) {
      const began = stream.at;
      const answer = parse(stream);
      if (answer === undefined) {
        stream.at = began;
        return;
      }
      const onAnswer = this.#waiting[this.#first];
      this.#first += 1;
      if (this.#first === IN_FLIGHT) {
        this.#waiting = this.#waiting.slice(this.#first);
        this.#first = 0;
      }
      onAnswer(answer);
    }
  }
}

function encode(...words) {
  const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return Buffer.from(`*${words.length}\r\n${parts.join('')}`);
}

/** Takes one value of the Redis protocol; undefined when it has not arrived whole. */
function parse(stream) {
  const end = stream.bytes.indexOf('\r\n', stream.at);
  if (end < 0) return undefined;
  const kind = stream.bytes[stream.at];
  const line = stream.bytes.latin1Slice(stream.at + 1, end);
  stream.at = end + 2;
  switch (String.fromCharCode(kind)) {
    case '+':
      return line;
    case ':':
      return Number(line);
    case '$':
      return parseBulk(stream, Number(line));
    case '*':
      return parseArray(stream, Number(line));
    default:
      throw new Error(`redis says: ${line}`);
  }
}

function parseBulk(stream, length) {
  if (length < 0) return null;
  const end = stream.at + length;
  if (end + 2 > stream.bytes.length) return undefined;
  const text = stream.bytes.utf8Slice(stream.at, end);
  stream.at = end + 2;
  return text;
}

function parseArray(stream, length) {
  if (length < 0) return null;
  const values = [];
  for (let i = 0; i < length; i += 1) {
    const value = parse(stream);
    if (value === undefined) return undefined;
    values.push(value);
  }
  return values;
}
