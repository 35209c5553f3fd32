// Nothing that anybody publishes is taken for a part of the page: what would be a script elsewhere
// stands there as text.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { queuePage, stage } from './support.mjs';

const SCRIPT = '<img src=x onerror="window.taken=1"><script>window.taken=1</script>';
const QUEUE = 'hostile';
const PAGES = ['/', '/demo/flash-sale/', '/waiting/index.html', '/console/main.js', '/logo.svg'];

const scene = stage();

test('a message made of HTML is shown, not run', async (t) => {
  const { api } = scene;
  const message = {
    body: SCRIPT,
    content_type: 'text/html',
    key: SCRIPT,
    attributes: { [SCRIPT]: SCRIPT, link: 'javascript:window.taken=1' },
  };
  await api.putQueue(QUEUE, { delivery: { max_attempts: 1 } });
  const { accepted, messages } = (await api.publishBatch(QUEUE, [message, message])).json;
  assert.equal(accepted, 2);
  // One of them as a dead letter, the other with a result.
  const [first, second] = (await api.pull(QUEUE, { batch_size: 2 })).json.messages;
  await api.ack(QUEUE, {
    acks: [{ lease_id: first.lease_id, result: { html: SCRIPT } }],
    retries: [{ lease_id: second.lease_id, delay_ms: 0 }],
  });
  await api.publishBatch(QUEUE, [message]);

  const page = await scene.visit(t, queuePage(QUEUE, 'messages'));
  await page.locator('table.messages tbody tr').getByText('<img src=x').first().waitFor();
  await page.locator('table.messages tbody tr').first().getByRole('link').first().click();
  await page.locator('pre.content', { hasText: '<script>' }).waitFor();
  const made = page.locator('main img, main script');
  assert.equal(await page.evaluate(() => window.taken), undefined);
  assert.equal(await made.count(), 0);
  const key = encodeURIComponent(SCRIPT);
  await page.goto(`${scene.server.url}/wait/${QUEUE}?key=${key}`);
  await page.waitForLoadState();
  assert.equal(await page.evaluate(() => window.taken), undefined);
  assert.ok(messages.every((it) => it.id));
});

test('a script that got into a page would not run there', async (t) => {
  const page = await scene.visit(t, '/');
  const ran = await page.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'window.taken = 1';
    document.body.append(script);
    const div = document.createElement('div');
    div.innerHTML = '<img src="data:," onerror="window.taken = 1">';
    document.body.append(div);
    return new Promise((resolve) => setTimeout(() => resolve(window.taken), 200));
  });
  assert.equal(ran, undefined);
});

test('what the interface answers is no page, and no frame of one', async () => {
  const { api } = scene;
  const { id } = (await api.publish(QUEUE, SCRIPT, { 'content-type': 'text/html' })).json;
  const messages = `/v1/queues/${QUEUE}/messages`;
  for (const path of [messages, `${messages}/${id}`, '/metrics']) {
    const { headers } = await api.request('GET', path);
    assert.match(headers.get('content-type'), /^(application\/json|text\/plain)/, path);
    assert.equal(headers.get('x-content-type-options'), 'nosniff', path);
    assert.equal(headers.get('cache-control'), 'no-store', path);
  }
});

for (const path of PAGES) {
  test(`${path} says what it may load, and who may frame it`, async () => {
    const { status, headers } = await scene.api.request('GET', path);
    assert.equal(status, 200);
    const policy = headers.get('content-security-policy');
    for (const rule of [
      "default-src 'self'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'",
    ]) {
      assert.ok(policy?.includes(rule), `${path}: ${policy}`);
    }
    assert.doesNotMatch(policy, /unsafe-inline|unsafe-eval|\*/);
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.equal(headers.get('referrer-policy'), 'no-referrer');
  });
}
