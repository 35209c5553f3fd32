// What the log says: a line of JSON an event, with nothing in it that is secret or a message's.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { log } from '../../host/log.js';
import { api, until } from '../harness/api.mjs';
import { startServer } from '../harness/server.mjs';

const ADMIN_TOKEN = 'a-token-that-is-in-no-line-0123456789';
const WRONG = 'a-wrong-token-that-is-in-no-line-either';
const SECRET = 'what-a-message-says';
/** Of host/log.js; one more says how many there were beyond. */
const LINES_PER_SECOND_MAX = 50;
const REFUSALS_PER_SECOND_MAX = 20;

const lines = (server) =>
  server.logs().split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));

const named = (server, event) => lines(server).filter((line) => line.event === event);

async function told(server, event) {
  const found = await until(() => named(server, event), (it) => it.length > 0, { what: event });
  return found[0];
}

describe('with a token', () => {
  /** @type {(t: import('node:test').TestContext) => Promise<any>} */
  async function scene(t, env = {}) {
    const server = await startServer({ env: { ADMIN_TOKEN, ...env } });
    t.after(() => server.stop());
    return { server, tide: api(server.url, { token: ADMIN_TOKEN }) };
  }

  test('refusals, changes and dead letters are told, and nothing secret of them', async (t) => {
    const { server, tide } = await scene(t);
    await tide.putQueue('orders', { delivery: { max_attempts: 1 } });
    await tide.publish('orders', SECRET, { 'tidegate-attr-a': SECRET });
    const [{ lease_id }] = (await tide.pull('orders')).json.messages;
    await tide.ack('orders', { retries: [{ lease_id }] });
    const intruder = api(server.url, { token: WRONG });
    assert.equal((await intruder.getQueue('orders')).status, 401);
    await intruder.request('GET', `/v1/topics/t/events?access_token=${WRONG}`);

    const { time, level, ...rest } = await told(server, 'access_refused');
    assert.deepEqual(rest, {
      event: 'access_refused', method: 'GET', path: '/v1/queues/orders', status: 401,
    });
    assert.equal(level, 'warn');
    assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000, time);
    assert.equal((await told(server, 'configuration_changed')).path, '/v1/queues/orders');
    const letter = await told(server, 'dead_letter');
    assert.equal(letter.queue, 'orders');
    assert.match(letter.id, /^[0-9A-Z]{26}$/);
    assert.equal(letter.attempts, 1);
    await until(() => named(server, 'access_refused').length, (count) => count === 2);
    for (const secret of [ADMIN_TOKEN, WRONG, SECRET]) assert.ok(!server.logs().includes(secret));
  });

  test('LOG_LEVEL says from where on', async (t) => {
    const { server, tide } = await scene(t, { LOG_LEVEL: 'warn' });
    await tide.putQueue('orders');
    await api(server.url, { token: WRONG }).getQueue('orders');
    await told(server, 'access_refused');
    assert.deepEqual(named(server, 'configuration_changed'), []);
    const quiet = await scene(t, { LOG_LEVEL: 'off' });
    await api(quiet.server.url, { token: WRONG }).getQueue('orders');
    assert.deepEqual(lines(quiet.server), []);
  });

  test('with a level that does not exist nothing is served', async (t) => {
    await assert.rejects(scene(t, { LOG_LEVEL: 'loud' }), /LOG_LEVEL is one of/);
  });
});

test('a crowd that is refused fills no disk: lines are bounded, and the rest is counted', (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_000_000 });
  const written = t.mock.method(console, 'warn', () => {});
  const events = () => written.mock.calls.map(({ arguments: [line] }) => JSON.parse(line));
  const crowd = (event) => {
    for (let at = 0; at < 400; at++) log('warn', event, { path: 'x'.repeat(10_000) });
  };
  crowd('access_refused');
  assert.equal(events().length, REFUSALS_PER_SECOND_MAX);
  assert.ok(JSON.stringify(events()[0]).length < 1_000, 'a text is cut');
  crowd('queue_damaged');
  assert.equal(events().length, LINES_PER_SECOND_MAX, 'who is refused leaves room for the rest');
  t.mock.timers.tick(1_000);
  crowd('queue_damaged');
  assert.equal(events().length, 2 * LINES_PER_SECOND_MAX + 1);
  const { event, lines: dropped } = events()[LINES_PER_SECOND_MAX];
  assert.deepEqual([event, dropped], ['lines_dropped', 800 - LINES_PER_SECOND_MAX]);
});
