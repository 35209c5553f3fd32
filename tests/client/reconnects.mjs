// Live readers of the client under cuts and kills: `npm run reconnects` cuts 10,000 connections and
// kills the server 50 times, `-- --cuts N --kills N` as often as that. Every reader has to see every
// number once, in order.

import assert from 'node:assert/strict';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { Tidegate } from '../../clients/typescript/index.js';
import { openProxy } from '../harness/proxy.mjs';
import { startServer } from '../harness/server.mjs';
import { TestWebSocket } from '../harness/web-socket.mjs';

const READERS_EACH = 4;
const TRANSPORTS = ['websocket', 'events'];
const RETRY = { attempts: 200, initialMs: 2, maxMs: 50 };
/** Messages at a time, the time between those, and the longest time between two cuts of a reader. */
const MESSAGES = 10;
const PUBLISH_MS = 4;
const CUT_MS_MAX = 60;
const CAUGHT_UP_MS_MAX = 60_000;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** One reader, behind a proxy of its own. */
class Cuttable {
  seqs = [];
  cuts = 0;
  #stop = new AbortController();
  #seen = 0;

  async open(server, topic, transport) {
    this.transport = transport;
    this.proxy = await openProxy(() => server.port);
    const client = new Tidegate({ url: this.proxy.url, retry: RETRY, WebSocket: TestWebSocket });
    const { signal } = this.#stop;
    const messages = client.topic(topic).subscribe({ transport, fromSeq: 1, signal });
    this.ended = (async () => {
      for await (const { seq } of messages) this.seqs.push(seq);
    })();
    this.ended.catch(() => {});
    return this;
  }

  /** Only what has brought something new is worth a cut. */
  cut() {
    if (this.seqs.length === this.#seen) return;
    this.#seen = this.seqs.length;
    this.cuts += this.proxy.cut() > 0 ? 1 : 0;
  }

  async close() {
    this.#stop.abort();
    await this.ended;
    this.proxy.close();
  }
}

/**
 * @param {{ cuts: number, kills: number, onProgress?: (text: string) => void }} settings
 * @returns {Promise<{ published: number, cuts: number, kills: number, faults: string[] }>}
 */
export async function campaign({ cuts, kills, onProgress = () => {} }) {
  const server = await startServer();
  const writer = new Tidegate({ url: server.url, retry: RETRY }).topic('storm', { ordered: true });
  await writer.configure();
  const forms = TRANSPORTS.flatMap((transport) => Array(READERS_EACH).fill(transport));
  const readers = await Promise.all(forms.map((form) => new Cuttable().open(server, 'storm', form)));
  const total = () => readers.reduce((sum, reader) => sum + reader.cuts, 0);
  const isOver = () => total() >= cuts;
  let published = 0;
  let killed = 0;
  const publishing = (async () => {
    for (; !isOver() || killed < kills; await sleep(PUBLISH_MS)) {
      const sent = Array.from({ length: MESSAGES }, () => writer.publish('x'));
      published = (await Promise.all(sent)).at(-1).seq;
    }
  })();
  const cutting = readers.map(async (reader) => {
    for (; !isOver(); await sleep(Math.random() * CUT_MS_MAX)) reader.cut();
  });
  for (; killed < kills; killed += 1) {
    // Kills are spread over the cuts.
    while (total() < (cuts * (killed + 1)) / (kills + 1)) await sleep(20);
    await server.restart({ wait: false });
    onProgress(`${total()} cuts, ${killed + 1} kills, ${published} messages`);
  }
  await Promise.all([publishing, ...cutting]);
  const faults = await judge(readers, published);
  await Promise.all(readers.map((reader) => reader.close()));
  await server.kill9();
  await server.stop();
  return { published, cuts: total(), kills: killed, faults };
}

/** What any reader missed or saw twice, once they had time to catch up. */
async function judge(readers, published) {
  const deadline = Date.now() + CAUGHT_UP_MS_MAX;
  const isBehind = ({ seqs }) => (seqs.at(-1) ?? 0) < published;
  while (readers.some(isBehind) && Date.now() < deadline) await sleep(20);
  return readers.flatMap(({ seqs, transport }) => {
    const wrong = seqs.findIndex((seq, at) => seq !== at + 1);
    if (wrong >= 0) return [`${transport}: ${seqs[wrong]} in the place of ${wrong + 1}`];
    return seqs.length < published ? [`${transport}: ends at ${seqs.length}`] : [];
  });
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({
    options: {
      cuts: { type: 'string', default: '10000' },
      kills: { type: 'string', default: '50' },
    },
  });
  const settings = { cuts: Number(values.cuts), kills: Number(values.kills) };
  const began = performance.now();
  const outcome = await campaign({ ...settings, onProgress: console.log });
  const seconds = Math.round((performance.now() - began) / 1000);
  console.log(`${JSON.stringify(outcome)} in ${seconds} s`);
  assert.deepEqual(outcome.faults, []);
  process.exit(0);
}
