// Every page in every state that a visitor comes to: it loads without complaint, can be read in
// both colour schemes, fits a phone, names its controls, and can be used without a mouse.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { CONTRAST_MIN, contrasts, nameless, overflowing } from './appearance.mjs';
import { queuePage, reads, stage } from './support.mjs';

const SALE = '/demo/flash-sale/';
const CHAT = '/demo/chat/';
const ORDERS = '/demo/orders/';
/** Pages that are looked at at a time. */
const TABS = 3;
const WIDE = { width: 1280, height: 900 };
const PHONE = { width: 360, height: 740 };
/** As long as a name may be, and nowhere to break it. */
const QUEUE = `shop/${'summersale'.repeat(13).slice(0, 123)}`;

const topicPage = (...parts) => `/#/topics/${parts.map(encodeURIComponent).join('/')}`;

const scene = stage();

/** Notes what a tab has to complain of. To be asked before it goes anywhere. */
async function complaintsOf(page) {
  const complaints = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('requestfailed', (request) => complaints.push(`no answer: ${request.url()}`));
  page.on('response', (response) => {
    if (response.status() >= 400) complaints.push(`${response.status()}: ${response.url()}`);
  });
  await page.exposeFunction('noteViolation', (text) => complaints.push(text));
  await page.addInitScript(() =>
    document.addEventListener('securitypolicyviolation', (event) =>
      window.noteViolation(`${event.violatedDirective} forbids ${event.blockedURI}`)));
  return complaints;
}

async function opened(t, path, ready) {
  const page = await scene.visit(t, 'about:blank');
  const complaints = await complaintsOf(page);
  await page.goto(scene.server.url + path);
  await ready(page);
  return { page, complaints };
}

/** Each state: where it is, and how to come to it once the page is loaded. */
const STATES = {
  'the list of queues': ['/', (page) => page.locator('tr[data-queue]').first().waitFor()],
  'publishing, with everything open': [queuePage(QUEUE, 'publish'), async (page) => {
    await page.locator('details summary').click();
    await page.getByLabel('Hold', { exact: true }).waitFor();
    await reads(page.locator('[data-figure="accepted"]'), '3');
  }],
  'the messages of a queue': [queuePage(QUEUE, 'messages'), (page) =>
    page.locator('table.messages tbody tr').first().waitFor()],
  'one message': [queuePage(QUEUE, 'messages'), async (page) => {
    await page.locator('table.messages tbody a').last().click();
    await page.locator('main .tag').last().waitFor();
    await page.locator('pre.content').waitFor();
  }],
  'a lease': [queuePage(QUEUE, 'deliveries'), async (page) => {
    await page.getByLabel('At most', { exact: true }).fill('1');
    await page.getByRole('button', { name: 'Pull', exact: true }).click();
    await page.locator('ul.leases > li').waitFor();
  }],
  'the configuration': [queuePage(QUEUE, 'configuration'), async (page) => {
    await page.locator('details summary').click();
    await page.waitForFunction(() => document.querySelector('[name$=max_attempts]').value !== '');
  }],
  'the operations': [queuePage(QUEUE, 'operations'), (page) =>
    page.getByRole('button', { name: 'Delete…' }).waitFor()],
  'the question before a deletion': [queuePage(QUEUE, 'operations'), async (page) => {
    await page.getByRole('button', { name: 'Delete…' }).click();
    await page.getByRole('dialog').waitFor();
  }],
  'the flash sale before it opens': [SALE, async (page) => {
    await page.locator('details summary').click();
    await page.getByLabel('Tries of each buyer').waitFor();
  }],
  'the flash sale when it is over': [SALE, async (page) => {
    await page.getByLabel('Stock', { exact: true }).fill('8');
    await page.getByLabel('Crowd', { exact: true }).fill('8');
    await page.getByRole('button', { name: 'Go' }).click();
    await page.locator('[data-verdict] h2', { hasText: 'Sold out, exactly' }).waitFor();
  }],
  'the list of topics': ['/#/topics', (page) =>
    page.locator('tr[data-topic]').first().waitFor()],
  'the tail of a topic': [topicPage(QUEUE), (page) =>
    page.locator('table.messages tbody tr').nth(2).waitFor()],
  'publishing to a topic': [topicPage(QUEUE, 'publish'), (page) =>
    page.getByRole('button', { name: 'Publish', exact: true }).waitFor()],
  'the subscriptions of a topic': [topicPage(QUEUE, 'subscriptions'), (page) =>
    page.locator('[data-subscription]').first().waitFor()],
  'the configuration of a topic': [topicPage(QUEUE, 'configuration'), (page) =>
    page.waitForFunction(() => document.querySelector('[name=max_messages]').value !== '')],
  'the chat asking for a name': [CHAT, (page) => page.getByRole('dialog').waitFor()],
  'the chat with something said': [CHAT, async (page) => {
    await page.getByLabel('Name', { exact: true }).fill('somebodywithalongname'.repeat(2));
    await page.getByRole('button', { name: 'Go in' }).click();
    await page.locator('.people li').first().waitFor({ state: 'attached' });
    await page.getByLabel('Message', { exact: true }).fill('anunbrokenword'.repeat(40));
    await page.keyboard.press('Enter');
    await page.locator('.said:not(.pending) .text').first().waitFor();
  }],
  'the shop with orders': [ORDERS, async (page) => {
    await page.getByRole('button', { name: 'Place an order' }).click();
    await page.locator('td.done').nth(3).waitFor();
    await page.locator('[data-one]:not(:disabled)').waitFor();
  }],
};

async function inspect(page) {
  assert.deepEqual(await nameless(page), [], 'without a name');
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    const found = await contrasts(page);
    assert.ok(found.some(({ text }) => text.startsWith('button: ')), 'no button was found');
    const faint = found.filter(({ contrast }) => !(contrast >= CONTRAST_MIN));
    assert.deepEqual(faint, [], `hard to read in ${colorScheme}`);
  }
  for (const size of [WIDE, PHONE]) {
    await page.setViewportSize(size);
    assert.deepEqual(await overflowing(page), [], `too wide at ${size.width} px`);
  }
}

describe('each page', { concurrency: TABS }, () => {
  before(async () => {
    const { putQueue, publish } = scene.api;
    await putQueue(QUEUE, { delivery: { visibility_timeout_ms: 600_000 } });
    for (let number = 0; number < 3; number += 1) {
      const headers = { 'tidegate-key': 'buyer-'.repeat(20), 'content-type': 'text/plain' };
      const { status } = await publish(QUEUE, 'anunbrokenbody'.repeat(60), headers);
      assert.equal(status, 202);
    }
    const topic = `/v1/topics/${encodeURIComponent(QUEUE)}`;
    const body = 'anunbrokenbody'.repeat(60);
    const attributes = { long: 'anunbrokenvalue'.repeat(20) };
    const messages = Array(3).fill({ body, key: 'buyer-'.repeat(20), attributes });
    await scene.api.sendJson('POST', `${topic}/messages/batch`, { messages });
    const filter = { attributes: { long: ['anunbrokenvalue'.repeat(20)] } };
    const name = 's'.repeat(100);
    await scene.api.sendJson('PUT', `${topic}/subscriptions/${name}`, { filter });
  });

  for (const [name, [path, come]] of Object.entries(STATES)) {
    test(`${name}: no complaint, readable, labelled, fits a phone`, async (t) => {
      const { page, complaints } = await opened(t, path, come);
      await inspect(page);
      assert.deepEqual(complaints, []);
    });
  }

  test('a wrong value is readable, too', async (t) => {
    const { page } = await opened(t, ...STATES['the configuration']);
    await page.getByLabel('Attempts', { exact: true }).fill('0');
    await page.getByRole('button', { name: 'Apply', exact: true }).click();
    await page.locator('[aria-invalid="true"]').waitFor();
    await inspect(page);
  });

  test('the colours that were chosen stay', async (t) => {
    const { page } = await opened(t, ...STATES['the list of queues']);
    const colours = page.getByRole('button', { name: /^Colours: / });
    await page.emulateMedia({ colorScheme: 'light' });
    await colours.click();
    await colours.click();
    await reads(colours, 'Colours: dark');
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await ground();
    await page.goto(scene.server.url + SALE);
    await reads(colours, 'Colours: dark');
    assert.equal(await ground(), dark);
    await colours.click();
    assert.notEqual(await ground(), dark);
  });
});

describe('with the keyboard alone', () => {
  /** Presses Tab until the element has the focus, and says after how many times. */
  async function tabTo(page, locator) {
    for (let presses = 1; presses <= 30; presses += 1) {
      await page.keyboard.press('Tab');
      if (await locator.evaluate((element) => element === document.activeElement)) {
        const outline = await locator.evaluate((element) => getComputedStyle(element).outlineStyle);
        assert.notEqual(outline, 'none', 'the focus cannot be seen');
        return presses;
      }
    }
    return assert.fail('Tab never came to it');
  }

  test('a sale is started', async (t) => {
    const { page } = await opened(t, SALE, (opening) => opening.getByText('Ready.').waitFor());
    await tabTo(page, page.getByLabel('Crowd', { exact: true }));
    await page.keyboard.type('120');
    await tabTo(page, page.getByRole('button', { name: 'Go', exact: true }));
    await page.keyboard.press('Enter');
    await page.locator('[data-verdict] h2', { hasText: 'Sold out, exactly' }).waitFor();
    assert.match(await page.locator('[data-verdict]').textContent(), /100 of 100 admitted, 0 over/);
  });

  test('the example queue is made, and the way goes past the header', async (t) => {
    await scene.clear();
    const { page, complaints } = await opened(t, '/', (opening) =>
      opening.getByRole('heading', { name: 'No queues yet' }).waitFor());
    await inspect(page);
    assert.deepEqual(complaints, []);
    const skip = page.getByRole('link', { name: 'To the content' });
    assert.equal(await tabTo(page, skip), 1);
    await tabTo(page, page.getByRole('button', { name: 'Make an example queue' }));
    await page.keyboard.press('Enter');
    await page.locator('table.messages tbody tr').first().waitFor();
  });
});
