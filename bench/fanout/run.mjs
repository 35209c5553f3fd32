// npm run fanout: many sockets on one topic. What they take in memory, how many messages a second
// reach them, what a publisher notices of them, and that they sleep. Prints a table in Markdown.
//
//   npm run fanout -- --sockets 10000 --port 24100

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT, workerdBinary } from '../../scripts/lib/tools.mjs';
import { Process, cpuMs, residentBytes } from '../servers/process.mjs';
import { Tidegate } from '../servers/tidegate.mjs';

const KIB = 1024;
const BODY = 'x'.repeat(128);
const BATCH = 100;
/** An idle object leaves memory after ten seconds. */
const ASLEEP_MS = 13_000;
/** What is delivered in each measurement, at least; publishes of a latency and time between two. */
const DELIVERIES = 200_000;
const PUBLISHES = 60;
const PACE_MS = 500;
const SETTLE_MS = 1_000;
/** Descriptors that workerd has besides those of connections. */
const OTHER_FILES = 100;
const TOPIC = '/v1/topics/fanout';

const { values } = parseArgs({
  options: {
    sockets: { type: 'string', default: '10000' },
    port: { type: 'string', default: '18950' },
  },
});
const port = Number(values.port);
const sockets = Math.min(Number(values.sockets), socketsMax());
const base = `http://127.0.0.1:${port}`;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** How many sockets the system allows one workerd, which takes two descriptors for each. */
function socketsMax() {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  const files = Number(/^Max open files +\S+ +(\d+)/m.exec(limits)?.[1] ?? Infinity);
  return Math.floor((files - OTHER_FILES) / 2);
}

/** The clients' process. */
class Clients {
  constructor() {
    this.child = fork(path.join(import.meta.dirname, 'clients.mjs'));
    const gone = new AbortController();
    this.child.once('exit', () => gone.abort());
    this.gone = gone.signal;
  }

  async ask(what, rest = {}) {
    this.child.send({ what, ...rest });
    const [answer] = await once(this.child, 'message', { signal: this.gone });
    return answer;
  }

  /** Waits until that many messages have come; when the last of them did, in the page's time. */
  async have(count) {
    for (;;) {
      const { messages, latest } = await this.ask('count');
      if (messages >= count) return latest;
      await sleep(10);
    }
  }

  end() {
    this.child.kill();
  }
}

async function post(where, body, headers = {}) {
  const response = await fetch(base + where, { method: 'POST', headers, body });
  const text = await response.text();
  if (!response.ok) throw new Error(`${where}: ${response.status} ${text}`);
  return text;
}

const one = () => post(`${TOPIC}/messages`, BODY);
const many = () => {
  const messages = Array.from({ length: BATCH }, () => ({ body: BODY }));
  const headers = { 'content-type': 'application/json' };
  return post(`${TOPIC}/messages/batch`, JSON.stringify({ messages }), headers);
};

/** Publishes until enough is delivered; deliveries a second, and the server's CPU time for each. */
async function rate(server, clients, count, publish, each) {
  await clients.ask('reset');
  const publishes = Math.max(2, Math.ceil(DELIVERIES / (count * each)));
  const cpu = cpuMs(server.pid);
  const begin = performance.timeOrigin + performance.now();
  for (let n = 0; n < publishes; n += 1) await publish();
  const deliveries = publishes * count * each;
  const seconds = ((await clients.have(deliveries)) - begin) / 1000;
  const micros = ((cpuMs(server.pid) - cpu) * 1000) / deliveries;
  return { 'deliveries/s': Math.round(deliveries / seconds), 'CPU µs each': micros.toFixed(1) };
}

/** Milliseconds until a publish is answered, two a second. */
async function latency() {
  const times = [];
  for (let n = 0; n < PUBLISHES; n += 1) {
    const begin = performance.now();
    await one();
    times.push(performance.now() - begin);
    await sleep(PACE_MS);
  }
  times.sort((a, b) => a - b);
  const at = (part) => times[Math.floor(part * times.length)].toFixed(1);
  return `${at(0.5)} / ${at(0.99)}`;
}

/** Opens sockets; how many KiB of the server's memory each of them takes. */
async function opened(server, clients, count, where, says) {
  await sleep(SETTLE_MS);
  const before = residentBytes(server.pid);
  await clients.ask('open', { port, path: where, count, says });
  await sleep(SETTLE_MS);
  return ((residentBytes(server.pid) - before) / KIB / count).toFixed(1);
}

/** What the object has done since it started: it starts anew when it was gone. */
const requests = async () => (await (await fetch(base + TOPIC)).json()).object_requests_total;

async function withTidegate(run) {
  const server = await Tidegate.start(port);
  const clients = new Clients();
  try {
    await one();
    return await run(server, clients);
  } finally {
    clients.end();
    await server.stop();
  }
}

async function bare() {
  const args = ['serve', path.join(import.meta.dirname, 'bare.capnp')];
  const server = new Process(workerdBinary(), [...args, '--socket-addr', `http=127.0.0.1:${port}`]);
  const clients = new Clients();
  try {
    await server.listening(port);
    await post('/', '');
    const kib = await opened(server, clients, sockets, '/');
    const measured = await rate(server, clients, sockets, () => post('/', ''), 1);
    return [{ way: 'runtime alone', sockets, 'a publish': 1, ...measured, 'KiB a socket': kib }];
  } finally {
    clients.end();
    await server.stop();
  }
}

async function listening() {
  const rows = [];
  const notes = [];
  await withTidegate(async (server, clients) => {
    notes.push(`publish without sockets, p50 / p99: ${await latency()} ms`);
    const kib = await opened(server, clients, sockets, `${TOPIC}/socket?from_seq=latest`);
    const row = async (publish, each) => {
      const measured = await rate(server, clients, sockets, publish, each);
      const way = 'listens: the object sends';
      rows.push({ way, sockets, 'a publish': each, ...measured, 'KiB a socket': kib });
    };
    await row(one, 1);
    await row(many, BATCH);
    notes.push(`publish with ${sockets} sockets, p50 / p99: ${await latency()} ms`);
    const before = await requests();
    // Not before all of them have what was published last.
    await sleep(SETTLE_MS);
    await sleep(ASLEEP_MS);
    const after = await requests();
    notes.push(`asleep after ${ASLEEP_MS / 1000} s: ${after < before}; ${before} requests, ${after}`);
    await clients.ask('reset');
    await one();
    await clients.have(sockets);
    notes.push(`all ${sockets} have the next message`);
  });
  await withTidegate(async (server, clients) => {
    const where = `${TOPIC}/socket?from_seq=latest&batch=true`;
    const kib = await opened(server, clients, sockets, where);
    const measured = await rate(server, clients, sockets, many, BATCH);
    const way = 'listens, batch=true';
    rows.push({ way, sockets, 'a publish': BATCH, ...measured, 'KiB a socket': kib });
  });
  return { rows, notes };
}

async function subscribed() {
  const count = Math.min(sockets, 2_000);
  const rows = [];
  await withTidegate(async (server, clients) => {
    const says = JSON.stringify({ type: 'subscribe', ref: 1 });
    const kib = await opened(server, clients, count, `${TOPIC}/socket`, says);
    for (const [publish, each] of [[one, 1], [many, BATCH]]) {
      const measured = await rate(server, clients, count, publish, each);
      const way = 'subscribes: through the Worker';
      rows.push({ way, sockets: count, 'a publish': each, ...measured, 'KiB a socket': kib });
    }
  });
  return rows;
}

function table(rows) {
  const names = Object.keys(rows[0]);
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const body = rows.map((row) => line(names.map((name) => row[name])));
  return [line(names), line(names.map(() => '---')), ...body].join('\n');
}

process.chdir(ROOT);
const { rows, notes } = await listening();
const all = [...(await bare()), ...rows, ...(await subscribed())];
console.log(`${table(all)}\n\n${notes.map((note) => `- ${note}`).join('\n')}`);
process.exit(0);
