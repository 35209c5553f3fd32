// The console does what its buttons say: everything that can be done to a queue is done by hand
// here, and the server is asked whether it has happened.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { queuePage, reads, stage } from './support.mjs';

const ADMIN_TOKEN = 'a-token-that-is-in-no-address-0123456789';

/** Tests that run at a time: each has queues of its own. */
const TABS = 3;

const tab = (page, name) => page.locator('nav.tabs').getByRole('link', { name, exact: true });
const button = (page, name) => page.getByRole('button', { name, exact: true });
const field = (page, label) => page.getByLabel(label, { exact: true });
const figure = (page, name) => page.locator(`[data-figure="${name}"]`);
const cell = (page, queue, heading) =>
  page.locator(`tr[data-queue="${queue}"] td[data-heading="${heading}"]`);

/** Waits for one of the short notices at the page's edge. */
const notice = (page, text) => page.locator('.notice', { hasText: text }).waitFor();

async function pull(page) {
  await tab(page, 'Pull & acknowledge').click();
  await button(page, 'Pull').click();
}

const scene = stage();

/** A queue of the test's own with messages in it. */
async function queueWith(name, bodies, configuration = {}) {
  await scene.api.putQueue(name, configuration);
  for (const body of bodies) {
    const { status } = await scene.api.publish(name, body, { 'content-type': 'text/plain' });
    assert.equal(status, 202);
  }
}

const described = async (name) => (await scene.api.getQueue(name)).json;

test('with no queues it offers an example, and makes it', async (t) => {
  await scene.clear();
  const page = await scene.visit(t, '/');
  await page.getByRole('heading', { name: 'No queues yet' }).waitFor();
  await button(page, 'Make an example queue').click();
  await page.getByRole('heading', { name: 'example/orders', level: 1 }).waitFor();
  await reads(figure(page, 'waiting'), '3');
  assert.equal(await page.locator('table.messages tbody tr').count(), 3);
  assert.equal((await described('example/orders')).accepted_total, 3);
});

describe('the console', { concurrency: TABS }, () => {
  test('a queue is created from the form', async (t) => {
    const page = await scene.visit(t, '/');
    await field(page, 'Name').fill('shop/new');
    await field(page, 'Total stock').fill('7');
    await button(page, 'Create').click();
    await page.getByRole('heading', { name: 'shop/new', level: 1 }).waitFor();
    assert.equal((await described('shop/new')).capacity.max_accepted, 7);
  });

  test('a name that is taken changes nothing and is told at the name', async (t) => {
    await queueWith('shop/taken', [], { capacity: { max_accepted: 5 } });
    const page = await scene.visit(t, '/');
    await field(page, 'Name').fill('shop/taken');
    await field(page, 'Total stock').fill('9');
    await button(page, 'Create').click();
    await page.getByText('There is a queue of this name already.').waitFor();
    assert.equal(await field(page, 'Name').getAttribute('aria-invalid'), 'true');
    assert.equal((await described('shop/taken')).capacity.max_accepted, 5);
  });

  test('the list shows figures as they change', async (t) => {
    await queueWith('shop/live', ['one']);
    const page = await scene.visit(t, '/');
    await reads(cell(page, 'shop/live', 'Waiting'), '1');
    await queueWith('shop/live', ['two', 'three']);
    await reads(cell(page, 'shop/live', 'Waiting'), '3');
    await scene.api.pull('shop/live', { batch_size: 2 });
    await reads(cell(page, 'shop/live', 'In flight'), '2');
    await reads(cell(page, 'shop/live', 'Waiting'), '1');
    await scene.api.pause('shop/live');
    await page.locator('tr[data-queue="shop/live"]').getByText('paused').waitFor();
  });

  test('a wrong value is told at the field it is in, a right one is applied', async (t) => {
    await queueWith('shop/settings', []);
    const page = await scene.visit(t, queuePage('shop/settings', 'configuration'));
    await reads(page.getByRole('heading', { level: 1 }), 'shop/settings');
    const attempts = field(page, 'Attempts');
    await page.waitForFunction(() => document.querySelector('[name$=max_attempts]').value === '5');
    await attempts.fill('0');
    await button(page, 'Apply').click();
    const invalid = page.locator('[aria-invalid="true"]');
    await invalid.waitFor();
    assert.equal(await invalid.count(), 1);
    assert.equal(await invalid.getAttribute('name'), 'delivery.max_attempts');
    const said = page.locator('.field', { has: invalid }).locator('.error');
    assert.match(await said.textContent(), /\S/);
    assert.equal(await attempts.evaluate((input) => input === document.activeElement), true);
    assert.equal((await described('shop/settings')).delivery.max_attempts, 5);
    await attempts.fill('3');
    await button(page, 'Apply').click();
    await page.getByText('Applied. It holds from now on.').waitFor();
    assert.equal(await invalid.count(), 0);
    assert.equal((await described('shop/settings')).delivery.max_attempts, 3);
  });

  test('a message is published, browsed and followed', async (t) => {
    await queueWith('shop/lamps', []);
    const page = await scene.visit(t, queuePage('shop/lamps', 'publish'));
    await field(page, 'Body').fill('{"item":"a lamp"}');
    await field(page, 'Key').fill('ada');
    await button(page, 'Publish').click();
    await page.getByText('202 Accepted.').waitFor();
    await reads(figure(page, 'waiting'), '1');
    await tab(page, 'Messages').click();
    const row = page.locator('table.messages tbody tr');
    await row.getByText('a lamp').waitFor();
    await row.getByText('ada').waitFor();
    await row.getByRole('link').click();
    await page.locator('main .tag', { hasText: 'queued' }).waitFor();
    await page.locator('pre.content', { hasText: 'a lamp' }).waitFor();
  });

  test('a publish without room is told with its problem', async (t) => {
    await queueWith('shop/full', ['one'], { capacity: { max_accepted: 1 } });
    const page = await scene.visit(t, queuePage('shop/full', 'publish'));
    await button(page, 'Publish').click();
    await page.locator('.problem code', { hasText: '410 sold-out' }).waitFor();
    assert.equal((await described('shop/full')).accepted_total, 1);
  });

  test('a result that is acknowledged reaches whoever follows the message', async (t) => {
    await queueWith('shop/results', ['one']);
    const [{ id }] = (await scene.api.browse('shop/results')).json.messages;
    const publisher = await scene.visit(t, queuePage('shop/results', 'messages', id));
    await publisher.locator('main .tag', { hasText: 'queued' }).waitFor();
    const page = await scene.visit(t, queuePage('shop/results', 'deliveries'));
    await pull(page);
    await page.getByText('1 leased, 1 in the backlog.').waitFor();
    await field(page, 'Result, as JSON').fill('{"order": ');
    await button(page, 'Acknowledge message 1').click();
    await page.getByText('This is no JSON').waitFor();
    await field(page, 'Result, as JSON').fill('{"order": 41}');
    await button(page, 'Acknowledge message 1').click();
    await notice(page, 'Acknowledged: number 1.');
    await reads(figure(page, 'acked'), '1');
    await publisher.locator('[data-result]', { hasText: '"order": 41' }).waitFor();
    const { json } = await scene.api.getMessage('shop/results', id);
    assert.deepEqual([json.state, json.result], ['done', { order: 41 }]);
  });

  test('a message that is given back is delivered again', async (t) => {
    await queueWith('shop/again', ['one']);
    const page = await scene.visit(t, queuePage('shop/again', 'deliveries'));
    await pull(page);
    await page.getByText('first attempt').waitFor();
    await reads(figure(page, 'waiting'), '0');
    await button(page, 'Retry message 1').click();
    await notice(page, 'Given back: number 1.');
    await reads(figure(page, 'in_flight'), '0');
    await reads(figure(page, 'waiting'), '1');
    await pull(page);
    await page.getByText('attempt 2').waitFor();
  });

  test('a dead letter is redriven', async (t) => {
    await queueWith('shop/dead', ['one'], { delivery: { max_attempts: 1 } });
    const page = await scene.visit(t, queuePage('shop/dead', 'deliveries'));
    await pull(page);
    await button(page, 'Retry message 1').click();
    await reads(figure(page, 'dead'), '1');
    await reads(figure(page, 'waiting'), '0');
    await tab(page, 'Operations').click();
    await button(page, 'Redrive dead letters').click();
    await page.getByText('1 moved back.').waitFor();
    await reads(figure(page, 'waiting'), '1');
    await pull(page);
    await page.locator('ul.leases pre.content', { hasText: 'one' }).waitFor();
  });

  test('nothing is delivered between pause and resume', async (t) => {
    await queueWith('shop/paused', ['one']);
    const page = await scene.visit(t, queuePage('shop/paused', 'deliveries'));
    await button(page, 'Pause').click();
    await page.locator('main .tag.warn', { hasText: 'paused' }).waitFor();
    assert.equal((await described('shop/paused')).paused, true);
    await pull(page);
    await page.getByText('Nothing to deliver.').waitFor();
    await button(page, 'Resume').click();
    await button(page, 'Pause').waitFor();
    await pull(page);
    await page.getByText('1 leased, 1 in the backlog.').waitFor();
  });

  test('a purge asks for the name first', async (t) => {
    await queueWith('shop/purged', ['one', 'two']);
    const page = await scene.visit(t, queuePage('shop/purged', 'operations'));
    await button(page, 'Purge…').click();
    const dialog = page.getByRole('dialog');
    const yes = button(dialog, 'Drop all messages');
    assert.equal(await yes.isDisabled(), true);
    await dialog.getByRole('textbox').fill('shop/purge');
    assert.equal(await yes.isDisabled(), true);
    await button(dialog, 'Keep it').click();
    await dialog.waitFor({ state: 'detached' });
    assert.equal((await described('shop/purged')).depth, 2);
    await button(page, 'Purge…').click();
    await dialog.getByRole('textbox').fill('shop/purged');
    await yes.click();
    await notice(page, 'shop/purged: Purged.');
    await reads(figure(page, 'waiting'), '0');
    assert.equal((await described('shop/purged')).depth, 0);
  });

  test('a deletion asks for the name first', async (t) => {
    await queueWith('shop/gone', ['one']);
    const page = await scene.visit(t, queuePage('shop/gone', 'operations'));
    await button(page, 'Delete…').click();
    const dialog = page.getByRole('dialog');
    assert.equal(await button(dialog, 'Delete the queue').isDisabled(), true);
    await dialog.getByRole('textbox').fill('shop/gone');
    await button(dialog, 'Delete the queue').click();
    await page.getByRole('heading', { name: 'Queues', exact: true }).waitFor();
    await page.locator('tr[data-queue]').first().waitFor();
    assert.equal(await page.locator('tr[data-queue="shop/gone"]').count(), 0);
    assert.equal((await scene.api.getQueue('shop/gone')).status, 404);
  });
});

describe('the console of a server with an admin token', () => {
  const guarded = stage({ ADMIN_TOKEN });

  test('asks for the token, sends it as a header, and never has it in an address', async (t) => {
    await guarded.api.putQueue('shop/secret');
    const page = await guarded.visit(t, '/');
    const sent = [];
    page.on('request', (request) => sent.push(request));
    const token = field(page, 'Admin token');
    await token.fill('not-the-token-but-something-else-000');
    await button(page, 'Use it').click();
    await page.getByText('The server does not know this token.').waitFor();
    assert.equal(await page.locator('tr[data-queue]').count(), 0);
    await token.fill(ADMIN_TOKEN);
    await token.press('Enter');
    await page.getByRole('link', { name: 'shop/secret' }).click();
    await token.waitFor({ state: 'hidden' });
    await button(page, 'Publish').click();
    await page.getByText('202 Accepted.').waitFor();
    const addresses = [page.url(), ...sent.map((request) => request.url())];
    assert.deepEqual(addresses.filter((url) => url.includes(ADMIN_TOKEN)), []);
    const publish = sent.find((request) => request.method() === 'POST');
    assert.equal(publish.headers().authorization, `Bearer ${ADMIN_TOKEN}`);
    assert.equal((await page.content()).includes(ADMIN_TOKEN), false, 'the page shows the token');
  });

  test('keeps the token over a reload, until it is told to forget it', async (t) => {
    await guarded.api.putQueue('shop/kept');
    const page = await guarded.visit(t, queuePage('shop/kept'));
    await field(page, 'Admin token').fill(ADMIN_TOKEN);
    await button(page, 'Use it').click();
    await reads(figure(page, 'waiting'), '0');
    await page.reload();
    await reads(figure(page, 'waiting'), '0');
    assert.equal(await field(page, 'Admin token').isVisible(), false);
    await button(page, 'Forget token').click();
    await field(page, 'Admin token').waitFor();
    await page.reload();
    await field(page, 'Admin token').waitFor();
  });
});
