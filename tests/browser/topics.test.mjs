// The console's pages of topics: everything that can be done to one is done by hand here, and the
// server is asked whether it has happened.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { reads, stage, until } from './support.mjs';

const TABS = 3;
const scene = stage();

const tab = (page, name) => page.locator('nav.tabs').getByRole('link', { name, exact: true });
const button = (page, name) => page.getByRole('button', { name, exact: true });
const field = (page, label) => page.getByLabel(label, { exact: true });
const figure = (page, name) => page.locator(`[data-figure="${name}"]`);
const rows = (page) => page.locator('table.messages tbody tr');
const notice = (page, text) => page.locator('.notice', { hasText: text }).waitFor();
const topicPage = (...parts) => `/#/topics/${parts.map(encodeURIComponent).join('/')}`;
const path = (topic, rest = '') => `/v1/topics/${encodeURIComponent(topic)}${rest}`;
const described = async (topic) => (await scene.api.request('GET', path(topic))).json;
const subscription = async (topic, name) =>
  (await scene.api.request('GET', path(topic, `/subscriptions/${name}`))).json;

async function publish(topic, body, headers = {}) {
  const all = { 'content-type': 'text/plain', ...headers };
  const options = { body, headers: all };
  const { status } = await scene.api.request('POST', path(topic, '/messages'), options);
  assert.equal(status, 202);
}

describe('topics in the console', { concurrency: TABS }, () => {
  test('a topic is made from the form, and listed with its figures', async (t) => {
    const page = await scene.visit(t, '/');
    await tab(page, 'Topics').click();
    await field(page, 'Name').fill('shop/made');
    await field(page, 'Persistence').selectOption('memory');
    await button(page, 'Create').click();
    await page.getByRole('heading', { name: 'shop/made', level: 1 }).waitFor();
    assert.equal((await described('shop/made')).persistence, 'memory');
    await publish('shop/made', 'x');
    await page.getByRole('link', { name: '← All topics' }).click();
    const row = page.locator('tr[data-topic="shop/made"]');
    await reads(row.locator('[data-heading="Messages"]'), '1');
    await reads(row.locator('.tag'), 'memory');
  });

  test('the tail shows what was and what comes, through a filter', async (t) => {
    for (const n of [1, 2, 3]) await publish('shop/tail', `n${n}`, { 'tidegate-attr-n': `${n}` });
    const page = await scene.visit(t, topicPage('shop/tail'));
    await rows(page).nth(2).waitFor();
    assert.deepEqual(await page.locator('td[data-heading="Body"]').allTextContents(),
      ['n3', 'n2', 'n1']);
    await publish('shop/tail', '<b>n4</b>', { 'tidegate-attr-n': '4', 'tidegate-key': 'k' });
    await reads(page.locator('tr[data-seq="4"] td[data-heading="Body"]'), '<b>n4</b>');
    await field(page, 'Filter').fill("n = '2' OR n = '5'");
    await button(page, 'Follow').click();
    await reads(page.locator('form .small', { hasText: 'seen' }), '1 seen');
    await publish('shop/tail', 'n5', { 'tidegate-attr-n': '5' });
    await rows(page).nth(1).waitFor();
    await field(page, 'Filter').fill('this is none');
    await button(page, 'Follow').click();
    await page.locator('[aria-invalid="true"][name="filter"]').waitFor();
    await field(page, 'Filter').fill('{"key": ');
    await button(page, 'Follow').click();
    await page.getByText('This is no JSON').waitFor();
  });

  test('the tail goes on when it is told to, and stops with the page', async (t) => {
    await publish('shop/stop', 'one');
    const page = await scene.visit(t, topicPage('shop/stop'));
    await rows(page).first().waitFor();
    await until(() => described('shop/stop'), ({ readers }) => readers === 1);
    await button(page, 'Stop').click();
    await until(() => described('shop/stop'), ({ readers }) => readers === 0);
    await button(page, 'Go on').click();
    await reads(page.locator('form .tag'), 'open');
    await tab(page, 'Configuration').click();
    await until(() => described('shop/stop'), ({ readers }) => readers === 0);
  });

  test('a message is published, with its key and attributes', async (t) => {
    const page = await scene.visit(t, topicPage('shop/publish', 'publish'));
    await field(page, 'Body').fill('{"n": 1}');
    await field(page, 'Key').fill('ada');
    await field(page, 'Attributes').fill('region=eu');
    await button(page, 'Publish').click();
    await page.getByText('In the log as number 1.').waitFor();
    const { messages } = (await scene.api.request('GET', path('shop/publish', '/messages'))).json;
    const [{ body, key, attributes }] = messages;
    assert.deepEqual([body, key, attributes], ['{"n": 1}', 'ada', { region: 'eu' }]);
    await reads(figure(page, 'last'), '1');
  });

  test('a subscription is made, paused, sought and deleted', async (t) => {
    await publish('shop/subscribe', 'one', { 'tidegate-attr-region': 'eu' });
    const page = await scene.visit(t, topicPage('shop/subscribe', 'subscriptions'));
    await page.getByText('There are none yet.').waitFor();
    await field(page, 'Name').fill('audit');
    await field(page, 'From').fill('earliest');
    await field(page, 'Filter').fill("region = 'eu'");
    await button(page, 'Create').click();
    const card = page.locator('[data-subscription="audit"]');
    await card.getByText('up to date').waitFor();
    const made = await subscription('shop/subscribe', 'audit');
    assert.deepEqual([made.filter, made.delivered_total], ["region = 'eu'", 1]);
    await button(page, 'Pause: audit').click();
    await notice(page, 'audit: paused.');
    for (const body of ['two', 'three']) await publish('shop/subscribe', body);
    await card.getByText('2 behind').waitFor();
    await card.getByLabel('Replay from').fill('latest');
    await button(page, 'Seek: audit').click();
    await card.getByText('0 behind').waitFor();
    await card.getByLabel('Replay from').fill('tomorrow');
    await button(page, 'Seek: audit').click();
    await card.locator('.problem', { hasText: 'seq' }).waitFor();
    await button(page, 'Resume: audit').click();
    await card.getByText('up to date').waitFor();
    assert.equal((await subscription('shop/subscribe', 'audit')).paused, false);
    await button(page, 'Delete: audit').click();
    await page.getByRole('dialog').locator('input').fill('audit');
    await button(page, 'Delete the subscription').click();
    await card.waitFor({ state: 'detached' });
    assert.equal((await subscription('shop/subscribe', 'audit')).type, 'not-found');
  });

  test('a configuration is changed, and the topic deleted after its name was typed', async (t) => {
    await publish('shop/change', 'x');
    const page = await scene.visit(t, topicPage('shop/change', 'configuration'));
    await page.waitForFunction(() => document.querySelector('[name=max_messages]').value !== '');
    await field(page, 'Messages').fill('7');
    await button(page, 'Apply').click();
    await page.getByText('Applied. It holds from now on.').waitFor();
    assert.equal((await described('shop/change')).max_messages, 7);
    await tab(page, 'Operations').click();
    await button(page, 'Delete…').click();
    await page.getByRole('dialog').locator('input').fill('shop/change');
    await button(page, 'Delete the topic').click();
    await page.getByRole('heading', { name: 'Topics', level: 1 }).waitFor();
    assert.equal((await described('shop/change')).type, 'not-found');
  });
});
