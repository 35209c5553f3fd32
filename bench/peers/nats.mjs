// NATS JetStream: a stream stored in files and a durable pull consumer. Publishes wait for the
// server's acknowledgement; deliveries are acknowledged one by one, as its clients do, and the
// last one is awaited.

import { findProgram, versionOf } from '../servers/programs.mjs';
import { Process, removeDirectory, temporaryDirectory } from '../servers/process.mjs';
import { Stream } from './stream.mjs';
import { IN_FLIGHT, openWindow } from './window.mjs';

const PORT = 9862;
const STREAM = 'BENCH';
const SUBJECT = 'bench';
const CONSUMER = 'workers';
const INBOX = '_INBOX.bench';
/** Deliveries asked for at a time, so that asking overlaps with delivering. */
const PULL_COUNT = IN_FLIGHT / 4;
const CALL_MS_MAX = 10_000;

/** @type {import('./index.mjs').Peer} */
export const nats = {
  name: 'nats',
  title: 'NATS JetStream, file',
  product: 'NATS',
  async missing() {
    return findProgram('nats-server') ? undefined : 'nats-server is not installed';
  },
  start,
};

async function start() {
  const directory = temporaryDirectory();
  const args = ['--addr', '127.0.0.1', '--port', String(PORT), '--jetstream'];
  const server = new Process(findProgram('nats-server'), [...args, '--store_dir', directory]);
  await server.listening(PORT);
  return {
    version: await versionOf(findProgram('nats-server'), ['--version'], /v([\d.]+)/),
    prepare,
    publish,
    consume,
    async stop() {
      await server.stop();
      removeDirectory(directory);
    },
  };
}

async function prepare() {
  const connection = await Connection.open();
  await connection.call(`$JS.API.STREAM.DELETE.${STREAM}`, '');
  const stream = { name: STREAM, subjects: [SUBJECT], storage: 'file', retention: 'workqueue' };
  checked(await connection.call(`$JS.API.STREAM.CREATE.${STREAM}`, JSON.stringify(stream)));
  const config = { durable_name: CONSUMER, ack_policy: 'explicit', max_ack_pending: IN_FLIGHT };
  const consumer = JSON.stringify({ stream_name: STREAM, config });
  const subject = `$JS.API.CONSUMER.DURABLE.CREATE.${STREAM}.${CONSUMER}`;
  checked(await connection.call(subject, consumer));
  connection.close();
}

function checked(text) {
  const { error } = JSON.parse(text);
  if (error) throw new Error(`nats-server says: ${error.description}`);
}

async function publish(body, count) {
  const connection = await Connection.open();
  const window = openWindow(count, () => {
    connection.write(encode(SUBJECT, `${INBOX}.p`, body));
  });
  connection.onFailure = window.fail;
  connection.onMessage = (message) => {
    if (message.text().includes('"error"')) window.fail(new Error(message.text()));
    else window.done();
  };
  await window.finished;
  connection.close();
}

async function consume(count) {
  const connection = await Connection.open();
  const next = `$JS.API.CONSUMER.MSG.NEXT.${STREAM}.${CONSUMER}`;
  const pull = encode(next, `${INBOX}.d`, JSON.stringify({ batch: PULL_COUNT }));
  let received = 0;
  await new Promise((resolve, reject) => {
    connection.onFailure = reject;
    connection.onMessage = (message) => {
      if (message.subject === `${INBOX}.a`) {
        resolve();
        return;
      }
      received += 1;
      const last = received === count;
      connection.write(encode(message.reply, last ? `${INBOX}.a` : '', '+ACK'));
      if (received % PULL_COUNT === 0 && received + IN_FLIGHT - PULL_COUNT < count) {
        connection.write(pull);
      }
    };
    for (let asked = 0; asked < IN_FLIGHT; asked += PULL_COUNT) connection.write(pull);
  });
  connection.close();
}

/** A connection that is subscribed to its inbox. */
class Connection {
  #stream;
  /** @type {(message: { subject: string, reply: string, text: () => string }) => void} */
  onMessage = () => {};
  /** @type {(error: Error) => void} */
  onFailure = () => {};

  static async open() {
    const connection = new Connection();
    connection.#stream = await Stream.open(PORT);
    connection.#stream.follow(
      (stream) => connection.#read(stream),
      (error) => connection.onFailure(error),
    );
    const options = { verbose: false, pedantic: false, lang: 'bench', version: '1', protocol: 1 };
    connection.write(`CONNECT ${JSON.stringify(options)}\r\nSUB ${INBOX}.* 1\r\n`);
    return connection;
  }

  write(bytes) {
    this.#stream.write(bytes);
  }

  close() {
    this.#stream.close();
  }

  /** @returns {Promise<string>} the answer */
  call(subject, text) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer to ${subject}`)), CALL_MS_MAX);
      this.onFailure = reject;
      this.onMessage = (message) => {
        clearTimeout(timer);
        resolve(message.text());
      };
      this.write(encode(subject, `${INBOX}.c`, text));
    });
  }

  #read(stream) {
    for (;;) {
      const end = stream.bytes.indexOf('\r\n', stream.at);
      if (end < 0) return;
      const line = stream.bytes.latin1Slice(stream.at, end);
      if (line.startsWith('MSG ')) {
        if (!this.#message(stream, line, end + 2)) return;
      } else {
        stream.at = end + 2;
        if (line === 'PING') this.write('PONG\r\n');
        if (line.startsWith('-ERR')) throw new Error(`nats-server says: ${line}`);
      }
    }
  }

  #message(stream, line, from) {
    const words = line.split(' ');
    const length = Number(words.at(-1));
    if (from + length + 2 > stream.bytes.length) return false;
    stream.at = from + length + 2;
    const { bytes } = stream;
    const text = () => bytes.utf8Slice(from, from + length);
    this.onMessage({ subject: words[1], reply: words.length === 5 ? words[3] : '', text });
    return true;
  }
}

function encode(subject, reply, body) {
  const head = `PUB ${subject} ${reply ? `${reply} ` : ''}${Buffer.byteLength(body)}\r\n`;
  return Buffer.from(`${head}${body}\r\n`);
}
