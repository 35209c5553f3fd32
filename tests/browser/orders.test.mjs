// The shop: whichever service is down, an order through the topic is placed, and everybody catches
// up; a shop that calls its services fails with them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reads, stage } from './support.mjs';

const scene = stage();
const SALE = '/demo/orders/';
const button = (page, name) => page.getByRole('button', { name, exact: true });
const service = (page, name) => page.getByRole('switch', { name });
const behind = (page, name) => page.locator(`[data-behind="${name}"]`);
const isFree = (page) => page.locator('[data-one]:not(:disabled)').waitFor();

test('a service that is down misses nothing, and no buyer waits for it', async (t) => {
  const page = await scene.visit(t, SALE);
  await service(page, 'Text message').uncheck();
  await button(page, 'Place 40').click();
  await reads(behind(page, 'text'), '40');
  for (const name of ['mail', 'points', 'delivery']) await reads(behind(page, name), '0');
  await isFree(page);
  assert.equal(await page.locator('tbody tr', { hasText: 'failed' }).count(), 0);
  await service(page, 'Text message').check();
  await reads(behind(page, 'text'), '0');
  await reads(page.locator('[data-sum]'), '40 placed. Everybody is up to date.');
  const done = page.locator('.services .muted', { hasText: /done$/ });
  assert.deepEqual(await done.allTextContents(), Array(4).fill('40 done'));
  const { topics } = (await scene.api.request('GET', '/v1/topics')).json;
  assert.equal(topics.find(({ name }) => name.startsWith('demo/orders-')).last_seq, 40);
  await button(page, 'Delete topic and queues').click();
  await page.getByText('Deleted.').waitFor();
  assert.deepEqual((await scene.api.listQueues()).json.queues, []);
});

test('a shop that calls its services fails when one of them is down', async (t) => {
  const page = await scene.visit(t, SALE);
  await service(page, 'Points').uncheck();
  await page.getByRole('radio', { name: 'one after another' }).check();
  await button(page, 'Place an order').click();
  await page.locator('tbody tr', { hasText: 'failed: Points is down' }).waitFor();
  await page.getByRole('radio', { name: 'through Tidegate' }).check();
  await isFree(page);
  await button(page, 'Place an order').click();
  await page.locator('tbody tr[data-order="2"] td.done').nth(2).waitFor();
  await reads(behind(page, 'points'), '1');
});

test('the three ways are measured as a buyer waits', async (t) => {
  const page = await scene.visit(t, SALE);
  await button(page, 'Measure all three').click();
  await page.locator('[data-compare]:disabled').waitFor();
  await page.locator('[data-compare]:not(:disabled)').waitFor();
  const waits = await page.locator('[data-wait]').allTextContents();
  const [serial, parallel, topic] = waits.map((text) => Number.parseInt(text, 10));
  assert.ok(serial >= 245 && parallel >= 95 && parallel < serial, waits.join());
  assert.ok(topic >= 45 && topic < serial, waits.join());
});
