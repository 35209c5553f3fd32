// The waiting page in Chromium: visitors with a browser each, in one line; who is let in lands on
// the shop's page with what the shop needs, the others move up, and a reload keeps the place.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { reads, stage } from './support.mjs';

const scene = stage();
const shop = createServer((request, response) => {
  response.writeHead(200, { 'content-type': 'text/html' });
  response.end('<!doctype html><title>Shop</title><link rel="icon" href="data:,"><h1>Shop</h1>');
});
let shopUrl;

before(async () => {
  await new Promise((resolve) => shop.listen(0, '127.0.0.1', resolve));
  shopUrl = `http://127.0.0.1:${shop.address().port}/checkout?lang=en`;
});
after(() => shop.close());

const number = (page) => page.locator('[data-number]');
const heading = (page) => page.getByRole('heading', { level: 1 });
const pathOf = (queue, query = '') => `/wait/${encodeURIComponent(queue)}${query}`;

/** A visitor with a browser of their own, whose page must not complain of anything. */
async function visitor(t, queue, query) {
  const page = await scene.visit(t, 'about:blank');
  const complaints = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  t.after(() => assert.deepEqual(complaints, [], 'the console of the page'));
  await page.goto(scene.server.url + pathOf(queue, query));
  return page;
}

/** A line whose visitors are served one after the other, by a backend that acknowledges them. */
async function serveNext(queue) {
  const { messages: [message] } = (await scene.api.pull(queue, { batch_size: 1 })).json;
  await scene.api.ack(queue, { acks: [{ lease_id: message.lease_id, result: { ok: true } }] });
  return message.id;
}

async function landed(page) {
  await page.waitForURL(`${shopUrl}&*`);
  await reads(heading(page), 'Shop');
  return new URL(page.url()).searchParams;
}

test('the first is let in, the second moves up, and a reload keeps the place', async (t) => {
  const queue = 'line/one';
  await scene.api.putQueue(queue, { capacity: { redirect_url: shopUrl } });
  const first = await visitor(t, queue, '?until=served');
  await reads(number(first), '1');
  await reads(first.locator('[data-caption]'), 'You are next');
  const second = await visitor(t, queue, '?until=served&redirect_url=https://evil.example/');
  await reads(number(second), '2');
  await second.reload();
  await reads(number(second), '2');
  assert.equal((await scene.api.getQueue(queue)).json.depth, 2, 'a reload takes no second place');

  const id = await serveNext(queue);
  const told = await landed(first);
  assert.equal(told.get('message_id'), id);
  assert.equal(told.get('queue'), queue);
  assert.equal(told.get('lang'), 'en', 'what the shop\'s address said is kept');
  await reads(number(second), '1');
  const next = await serveNext(queue);
  assert.equal((await landed(second)).get('message_id'), next);

  await second.goBack();
  await reads(heading(second), 'It is your turn');
  await reads(second.locator('[data-detail]'), 'You have been let in before.');
  const link = second.getByRole('link', { name: 'Continue' });
  assert.match(await link.getAttribute('href'), /checkout/);
});

test('places that come free admit the line in order, onto the shop\'s page', async (t) => {
  const queue = 'sale/line';
  const capacity = {
    max_accepted: 1, max_per_key: 1, overflow: 'wait', redirect_url: shopUrl, ticket_ttl_ms: 60_000,
  };
  await scene.api.putQueue(queue, { capacity });
  const taken = await scene.api.publish(queue, 'somebody', { 'tidegate-key': 'somebody' });
  const [first, second] = [await visitor(t, queue), await visitor(t, queue)];
  // Who asked first is first; which of the two pages that was does not matter here.
  const places = await Promise.all([first, second].map(async (page) => {
    await number(page).filter({ hasText: /^[12]$/ }).waitFor();
    return number(page).textContent();
  }));
  assert.deepEqual(places.toSorted(), ['1', '2']);
  const [next, last] = places[0] === '1' ? [first, second] : [second, first];
  await last.reload();
  await reads(number(last), '2');

  await scene.api.cancel(queue, taken.json.id);
  const told = await landed(next);
  const { json } = await scene.api.getMessage(queue, told.get('message_id'));
  assert.equal(json.state, 'queued', 'it has the place');
  const claims = JSON.parse(Buffer.from(told.get('ticket').split('.')[1], 'base64url'));
  assert.equal(claims.id, told.get('message_id'));
  assert.equal(claims.queue, queue);
  assert.equal('state' in claims, false, 'the ticket is that of the admission, not of the line');
  await reads(number(last), '1');
  await reads(last.locator('[data-caption]'), 'You are next');
  const { accepted, waiting } = (await scene.api.getQueue(queue)).json;
  assert.deepEqual({ accepted, waiting }, { accepted: 1, waiting: 1 });
});

test('who takes part in a draw is told when it is, and what came of it', async (t) => {
  const queue = 'line-lot';
  const draw_at_ms = Date.now() + 4_000;
  const capacity = { max_accepted: 1, admission: 'draw', draw_at_ms };
  await scene.api.putQueue(queue, { capacity });
  const pages = [await visitor(t, queue), await visitor(t, queue)];
  await reads(heading(pages[0]), 'You are taking part');
  await pages[0].locator('[data-detail]').filter({ hasText: /^The draw is at / }).waitFor();
  const outcome = /^(It is your turn|You were not drawn)$/;
  const told = await Promise.all(pages.map(async (page) => {
    await heading(page).filter({ hasText: outcome }).waitFor();
    return heading(page).textContent();
  }));
  assert.deepEqual(told.toSorted(), ['It is your turn', 'You were not drawn']);
});

test('who leaves gives the place up, and may join again at the end', async (t) => {
  const queue = 'line-two';
  await scene.api.putQueue(queue, {});
  const first = await visitor(t, queue, '?until=served');
  await reads(number(first), '1');
  const second = await visitor(t, queue, '?until=served');
  await reads(number(second), '2');
  await first.getByRole('button', { name: 'Leave the line' }).click();
  await reads(heading(first), 'You have left the line');
  await reads(number(second), '1');
  await first.getByRole('button', { name: 'Try again' }).click();
  await reads(number(first), '2');
});

test('a server that goes away and comes back finds everybody in their places', async (t) => {
  const queue = 'line-three';
  await scene.api.putQueue(queue, {});
  const page = await scene.visit(t, pathOf(queue, '?until=served'));
  await reads(number(page), '1');
  await scene.server.kill9();
  await page.getByText('The connection is gone.').waitFor();
  await scene.server.restart();
  await page.getByText('The connection is gone.').waitFor({ state: 'hidden' });
  await reads(number(page), '1');
  await serveNext(queue);
  await reads(heading(page), 'It is your turn');
});

test('a refusal says why and when, and the page lets its visitor in by itself', async (t) => {
  const queue = 'line-four';
  await scene.api.putQueue(queue, { capacity: { opens_at_ms: Date.now() + 3_000 } });
  const page = await scene.visit(t, pathOf(queue));
  await reads(heading(page), 'Not open yet');
  assert.match(await page.locator('[data-detail]').textContent(), /It opens in 0:0[1-4]\./);
  await reads(heading(page), 'It is your turn');

  await scene.api.putQueue('line-five', { capacity: { max_accepted: 0 } });
  const late = await scene.visit(t, pathOf('line-five'));
  await reads(heading(late), 'Everything is taken');
  await scene.api.putQueue('line-five', { capacity: { max_accepted: 1 } });
  await late.getByRole('button', { name: 'Try again' }).click();
  await reads(heading(late), 'It is your turn');
  assert.equal((await scene.api.getQueue('line-five')).json.accepted, 1);
});

test('a brand changes words and colours, but never makes the page unreadable', async (t) => {
  const query = '?until=served&shop=Caf%C3%A9%20Nord&note=%3Cb%3ESoon%3C/b%3E&accent=aa3300'
    + '&ground=222222&ink=333333&theme=dark';
  const page = await visitor(t, 'line-six', query);
  await reads(number(page), '1');
  await reads(page.locator('[data-shop]'), 'Café Nord');
  await reads(page.locator('[data-note]'), '<b>Soon</b>');
  const style = (name) => page.evaluate((property) =>
    getComputedStyle(document.documentElement).getPropertyValue(property), name);
  assert.equal(await style('--wait-accent'), '#aa3300');
  assert.notEqual(await style('--wait-ink'), '#333333', 'ink too close to its ground');
});
