// The till of the demo page: items in hands, paid for, walked away from and left too long, and a
// line that gets every one that comes back; and its draw.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reads, stage } from './support.mjs';

const scene = stage();
const PATH = '/demo/flash-sale/';

const figure = (page, name) => page.locator(`[data-till-${name}]`);
const buyer = (page, name) => page.locator('[data-till-buyers] li').filter({ hasText: name });
const says = (page, name) => buyer(page, name).locator('.says');
const press = (page, name) => page.getByRole('button', { name, exact: true }).click();

/** All four figures, as they come to be. */
async function counts(page, { left, held, sold, waiting }) {
  for (const [name, value] of Object.entries({ left, held, sold, waiting })) {
    await reads(figure(page, name), value);
  }
  await page.getByText(`${left} + ${held} + ${sold} = 3, as it has to be`).waitFor();
}

test('who pays keeps it, who walks away gives it to the next in line', async (t) => {
  await scene.clear();
  const page = await scene.visit(t, PATH);
  await press(page, 'Send a buyer');
  await counts(page, { left: 2, held: 1, sold: 0, waiting: 0 });
  await press(page, 'Send four');
  await counts(page, { left: 0, held: 3, sold: 0, waiting: 2 });
  await reads(says(page, 'Barbara'), 'Next in line');
  await reads(says(page, 'Alan'), 'Number 2 in line');

  await press(page, 'Pay: Ada');
  await reads(says(page, 'Ada'), 'Bought');
  await counts(page, { left: 0, held: 2, sold: 1, waiting: 2 });
  await press(page, 'Walk away: Grace');
  await reads(says(page, 'Grace'), 'Walked away');
  await says(page, 'Barbara').filter({ hasText: /^\d+ s to pay$/ }).waitFor();
  await reads(says(page, 'Alan'), 'Next in line');
  await counts(page, { left: 0, held: 2, sold: 1, waiting: 1 });

  const { queues: [queue] } = (await scene.api.listQueues()).json;
  assert.equal(queue.accepted, 3);
  const link = page.getByRole('link', { name: 'Stand in line yourself' });
  assert.equal(await link.getAttribute('href'),
    `/wait/${encodeURIComponent(queue.name)}?shop=Flash%20sale`);
});

test('time that runs out gives the item to the next in line', async (t) => {
  const page = await scene.visit(t, PATH);
  await press(page, 'Send four');
  await counts(page, { left: 0, held: 3, sold: 0, waiting: 1 });
  await reads(says(page, 'Barbara'), 'Next in line');
  await press(page, 'Pay: Grace');
  await press(page, 'Pay: Edsger');
  await says(page, 'Ada').filter({ hasText: /^Too slow/ }).waitFor({ timeout: 30_000 });
  await press(page, 'Pay: Barbara');
  await counts(page, { left: 0, held: 0, sold: 3, waiting: 0 });
});

test('a draw is held, and checked in the page against what was committed to', async (t) => {
  const page = await scene.visit(t, PATH);
  await press(page, 'Hold a draw');
  await page.locator('[data-draw-commitment]').filter({ hasText: /^[0-9a-f]{64}$/ }).waitFor();
  await page.getByText('3 of 24 were drawn. Checked by this page').waitFor();
  assert.equal(await page.locator('[data-draw-people] [data-won="true"]').count(), 3);
  assert.equal(await page.locator('[data-draw-people] [data-won="false"]').count(), 21);
});
