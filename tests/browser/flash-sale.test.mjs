// The flash sale of the demo page, held for real in a browser: exactly the stock is admitted, most
// of the refused are refused at the edge, and the page's figures are the server's.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reads, stage, until } from './support.mjs';

const SALE = '/demo/flash-sale/';
const scene = stage();

const button = (page, name) => page.getByRole('button', { name, exact: true });
const counter = (page, name) => page.locator(`[data-counter="${name}"] .value`);
const verdict = (page) => page.locator('[data-verdict]');

/** Fills the form in and opens the shop. */
async function go(page, { stock, crowd, pace }) {
  await page.getByLabel('Stock', { exact: true }).fill(String(stock));
  await page.getByLabel('Crowd', { exact: true }).fill(String(crowd));
  await page.getByLabel('Backend\'s pace', { exact: true }).fill(String(pace));
  await button(page, 'Go').click();
}

async function sold(page, title) {
  await verdict(page).getByRole('heading').waitFor();
  assert.equal(await verdict(page).getByRole('heading').textContent(), title);
  return verdict(page).textContent();
}

/** The table of the two counts: its rows as `{ Accepted: ['50', '50', 'agrees'] }`. */
async function comparison(page) {
  const rows = await page.locator('[data-comparison-rows] tr').evaluateAll((found) =>
    found.map((row) => [...row.cells].map((cell) => cell.textContent)));
  return Object.fromEntries(rows.map(([name, ...cells]) => [name, cells]));
}

const queuesOfSales = async () =>
  (await scene.api.listQueues()).json.queues.filter(({ name }) => name.startsWith('demo/'));

test('2,000 buyers for 50 items: 50 are admitted, and the edge refuses the others', async (t) => {
  await scene.clear();
  const page = await scene.visit(t, SALE);
  await go(page, { stock: 50, crowd: 2000, pace: 500 });
  const text = await sold(page, 'Sold out, exactly');
  assert.match(text, /50 of 50 admitted, 0 over, no buyer has more than 1\./);
  assert.match(text, /1,950 refused/);
  assert.match(text, /Nothing lost: 50 consumed\./);
  assert.match(text, /The server's own counters say the same\./);
  assert.doesNotMatch(text, /no proper answer|last failure/);
  await reads(counter(page, 'attempts'), '2,000');
  await reads(counter(page, 'admitted'), '50');
  await reads(counter(page, 'refused'), '1,950');
  await reads(counter(page, 'consumed'), '50');
  assert.deepEqual(await comparison(page), {
    Accepted: ['50', '50', 'agrees'],
    Refused: ['1,950', '1,950', 'agrees'],
    Acknowledged: ['50', '50', 'agrees'],
    'Not done yet': ['0', '0', 'agrees'],
  });
  await page.getByText(/^your order #\d+$/).first().waitFor();

  const [queue] = await queuesOfSales();
  const figures = (await scene.api.getQueue(queue.name)).json;
  const { accepted_total: accepted, acked_total: acked, depth, rejected } = figures;
  assert.deepEqual({ accepted, acked, depth }, { accepted: 50, acked: 50, depth: 0 });
  const atEdge = rejected.filter((part) => part.decided_by === 'edge')
    .reduce((sum, { total }) => sum + total, 0);
  assert.ok(atEdge > 0.9 * 1950, `the edge refused ${atEdge} of 1,950`);
  const said = Number(text.match(/([\d.]+) % of them at the edge/)[1]);
  assert.ok(Math.abs(said - (atEdge / 1950) * 100) < 0.1, `the page says ${said} %, not ${atEdge}`);
});

test('more stock than buyers: everybody is let in', async (t) => {
  const page = await scene.visit(t, SALE);
  await go(page, { stock: 100, crowd: 30, pace: 500 });
  const text = await sold(page, 'Everybody who came was let in');
  assert.match(text, /30 of 100 admitted, 0 over/);
  assert.match(text, /Nobody was refused\./);
});

test('a sale can be stopped, the next one held, and the queues of both deleted', async (t) => {
  await scene.clear();
  const page = await scene.visit(t, SALE);
  await go(page, { stock: 1000, crowd: 50000, pace: 5 });
  await page.waitForFunction(() =>
    Number(document.querySelector('[data-counter="admitted"] .value').textContent) > 0);
  await button(page, 'Stop').click();
  const text = await sold(page, 'Stopped');
  const admitted = Number(text.match(/([\d,]+) of 1,000 admitted/)[1].replace(',', ''));
  const [stopped] = await queuesOfSales();
  const kept = (await scene.api.getQueue(stopped.name)).json;
  assert.ok(kept.accepted_total >= admitted, `${admitted} admitted, ${kept.accepted_total} kept`);
  assert.equal(kept.depth, kept.accepted_total - kept.acked_total, 'an accepted one is gone');
  assert.ok(kept.accepted_total + kept.rejected_total < 50_000, 'the crowd went on');
  assert.equal(await page.getByText('differs').count(), 0, 'an unread answer is called an error');

  await go(page, { stock: 5, crowd: 40, pace: 500 });
  await sold(page, 'Sold out, exactly');
  assert.equal((await queuesOfSales()).length, 2);
  await button(page, 'Delete the 2 queues').click();
  await button(page, 'Deleted').waitFor();
  await until(queuesOfSales, (queues) => queues.length === 0);
});

test('the queue of a sale is opened in the console, and deleted', async (t) => {
  await scene.clear();
  const page = await scene.visit(t, SALE);
  await go(page, { stock: 5, crowd: 20, pace: 500 });
  await sold(page, 'Sold out, exactly');
  const [queue] = await queuesOfSales();
  const link = page.getByRole('link', { name: 'Open its queue in the console' });
  assert.equal(await link.getAttribute('href'), `/#/queues/${encodeURIComponent(queue.name)}`);
  await button(page, 'Delete its queue').click();
  await button(page, 'Deleted').waitFor();
  assert.equal((await scene.api.getQueue(queue.name)).status, 404);
});
