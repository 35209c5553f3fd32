// npm run push-soak: what a push takes from publish to call, and what is left of messages and of the
// pace when the endpoint fails, hangs and is killed. Judged by what the endpoint wrote down.
//   --messages N   of the soak, 100000 unless given      --rate N   calls a second, 1500
//   --latency-s N  seconds of the latency run, 20         --only latency | soak

import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { api } from '../../tests/harness/api.mjs';
import { startServer, temporaryDirectory } from '../../tests/harness/server.mjs';

const ENDPOINT = path.join(import.meta.dirname, 'endpoint.mjs');
const BATCH = 500;
const KILL_EVERY_MS = 30_000;
const DOWN_MS = 1_000;
const SERVER_KILL_EVERY_MS = 45_000;
const POLL_MS = 250;
const CONCURRENCY = 64;
const TIMEOUT_MS = 1_000;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const at = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];

/** Publishes at a steady rate; how long each message takes to its call. */
export async function latency({ seconds, perSecond }) {
  const server = await startServer();
  const client = api(server.url);
  const taken = [];
  const endpoint = http.createServer((request, response) => {
    request.on('data', (body) => taken.push(performance.now() - Number(body)));
    request.on('end', () => response.writeHead(204).end());
  });
  endpoint.listen(0, '127.0.0.1');
  await once(endpoint, 'listening');
  const url = `http://127.0.0.1:${endpoint.address().port}/`;
  await client.putQueue('pace', { push: { url, format: 'raw', concurrency: 64 } });
  const began = performance.now();
  const open = [];
  for (let n = 0; n < seconds * perSecond; n += 1) {
    const due = began + (n * 1_000) / perSecond;
    if (due > performance.now()) await sleep(due - performance.now());
    open.push(client.publish('pace', String(performance.now())));
  }
  await Promise.all(open);
  while (taken.length < open.length) await sleep(POLL_MS);
  endpoint.closeAllConnections();
  endpoint.close();
  await server.stop();
  const sorted = taken.slice(Math.min(perSecond, taken.length >> 2)).sort((a, b) => a - b);
  return { messages: sorted.length, p50: at(sorted, 0.5), p99: at(sorted, 0.99) };
}

/** The endpoint's process, killed and started again until `stop`. */
class Victim {
  cuts = 0;

  constructor(port, log, fail, hang) {
    this.args = [String(port), log, String(fail), String(hang)];
  }

  async start() {
    this.child = fork(ENDPOINT, this.args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    await once(this.child, 'message');
  }

  async kill() {
    this.cuts += 1;
    this.child.kill('SIGKILL');
    await once(this.child, 'exit');
  }

  /** Kills it again and again. */
  async torment(everyMs) {
    while (!this.isOver) {
      await sleep(everyMs);
      if (this.isOver) return;
      await this.kill();
      await sleep(DOWN_MS);
      await this.start();
    }
  }
}

/** A free port that stays the same over restarts of who listens there. */
async function freePort() {
  const probe = http.createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

/** The soak; what the endpoint saw. */
export async function soak({ messages, rate, killEveryMs = KILL_EVERY_MS,
  serverKillEveryMs = SERVER_KILL_EVERY_MS, serverKillsMax = Infinity, say = () => {} }) {
  const server = await startServer();
  const log = path.join(temporaryDirectory(), 'calls.log');
  writeFileSync(log, '');
  const victim = new Victim(await freePort(), log, 30, 5);
  await victim.start();
  const client = api(server.url);
  await client.putQueue('soak', {
    capacity: { max_messages: messages },
    delivery: { max_attempts: 1_000, backoff: { initial_ms: 100, max_ms: 5_000 } },
    push: {
      url: `http://127.0.0.1:${victim.args[0]}/`, format: 'raw', concurrency: CONCURRENCY,
      rate_per_second: rate, timeout_ms: TIMEOUT_MS,
    },
  });
  for (let first = 0; first < messages; first += BATCH) {
    const count = Math.min(BATCH, messages - first);
    const batch = Array.from({ length: count }, (_, n) => ({ body: String(first + n) }));
    const answer = await client.publishBatch('soak', batch);
    assert.equal(answer.json?.accepted, count, answer.text);
  }
  const torment = victim.torment(killEveryMs);
  const began = performance.now();
  let serverKills = 0;
  let next = began + serverKillEveryMs;
  for (;;) {
    await sleep(POLL_MS);
    if (performance.now() > next && serverKills < serverKillsMax) {
      serverKills += 1;
      await server.kill9();
      await server.restart();
      next = performance.now() + serverKillEveryMs;
    }
    const queue = (await client.getQueue('soak')).json;
    if (queue === undefined) continue;
    say(`${queue.acked_total} of ${messages}, ${queue.endpoint.state}`);
    if (queue.depth === 0) break;
  }
  victim.isOver = true;
  const { endpoint } = (await client.getQueue('soak')).json;
  await torment;
  await victim.kill();
  await server.stop();
  const kills = { endpoint: victim.cuts - 1, server: serverKills };
  const seconds = (performance.now() - began) / 1_000;
  return { ...judge(log, { messages, rate }), kills, seconds, endpoint };
}

/** Reads what the endpoint wrote down. */
function judge(log, { messages, rate }) {
  const calls = readFileSync(log, 'utf8').trim().split('\n').map((line) => line.split(' '));
  const done = new Map();
  let cut = 0;
  for (const [, fate, body] of calls) {
    if (fate === 'done') done.set(body, (done.get(body) ?? 0) + 1);
    if (fate === 'hang') cut += 1;
  }
  const times = calls.map(([time]) => Number(time)).sort((a, b) => a - b);
  let most = 0;
  for (let first = 0, last = 0; last < times.length; last += 1) {
    while (times[last] - times[first] >= 1_000) first += 1;
    most = Math.max(most, last - first + 1);
  }
  const twice = [...done.values()].reduce((sum, count) => sum + count - 1, 0);
  return { calls: calls.length, lost: messages - done.size, twice, cut, most, rate };
}

/** Asserts what a push promises. */
export function check(result) {
  assert.equal(result.lost, 0, 'every message was acknowledged at least once');
  assert.ok(result.most <= result.rate, `${result.most} calls within a second`);
  // An answer that is on its way when either side is killed is one that was cut.
  const cut = result.cut + (result.kills.endpoint + result.kills.server) * CONCURRENCY;
  assert.ok(result.twice <= cut, `${result.twice} came twice, ${cut} were cut`);
}

async function main() {
  const { values } = parseArgs({
    options: {
      messages: { type: 'string', default: '100000' },
      rate: { type: 'string', default: '1500' },
      'latency-s': { type: 'string', default: '20' },
      'per-second': { type: 'string', default: '200' },
      only: { type: 'string', default: '' },
    },
  });
  if (values.only !== 'soak') {
    const perSecond = Number(values['per-second']);
    const { messages, p50, p99 } = await latency({ seconds: Number(values['latency-s']), perSecond });
    const figures = `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`;
    console.log(`publish → called: ${figures}, ${messages} messages, ${perSecond} a second`);
  }
  if (values.only === 'latency') return;
  let said = 0;
  const say = (line) => {
    if (performance.now() - said > 10_000) console.log(`  ${line}`);
    if (performance.now() - said > 10_000) said = performance.now();
  };
  const options = { messages: Number(values.messages), rate: Number(values.rate), say };
  const result = await soak(options);
  console.log(JSON.stringify(result));
  check(result);
  console.log('nothing lost, the pace kept, no more repeats than calls that were cut');
}

if (process.argv[1] === import.meta.filename) await main();
