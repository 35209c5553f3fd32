// The chat: what people in a room see of each other, and that nothing is lost or doubled when the
// server goes away in the middle of it.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { reads, stage, until } from './support.mjs';

const scene = stage();

const field = (page) => page.getByLabel('Message', { exact: true });
const said = (page) => page.locator('.said .text').allTextContents();
const isSaid = (page, text) => page.locator('.said:not(.pending) .text', { hasText: text }).waitFor();

async function comeIn(t, name, room) {
  const page = await scene.visit(t, `/demo/chat/#${room}`);
  await page.getByLabel('Name', { exact: true }).fill(name);
  await page.getByRole('button', { name: 'Go in' }).click();
  await page.locator('.people li', { hasText: 'you' }).waitFor();
  return page;
}

async function say(page, text) {
  await field(page).fill(text);
  await field(page).press('Enter');
}

test('two people see each other, what they write, and that they write', async (t) => {
  const ada = await comeIn(t, 'Ada', 'first');
  const grace = await comeIn(t, 'Grace', 'first');
  await reads(ada.locator('[data-here-short]'), 'Here with Grace');
  await reads(ada.locator('.note-line'), 'Grace came in');
  await say(ada, '<img src=x onerror="alert(1)"> & <b>bold</b>');
  await isSaid(grace, '<img src=x onerror="alert(1)"> & <b>bold</b>');
  assert.equal(await grace.locator('.text *').count(), 0, 'markup stays text');
  await field(grace).pressSequentially('hm');
  await reads(ada.locator('[data-typing]'), 'Grace is typing…');
  await field(grace).press('Enter');
  await isSaid(ada, 'hm');
  await reads(ada.locator('[data-typing]'), '');
  await grace.close();
  await reads(ada.locator('.note-line').last(), 'Grace left');
  await reads(ada.locator('[data-here-count]'), '1');
});

test('a reload keeps history and name, and rooms are apart', async (t) => {
  const page = await comeIn(t, 'Ada', 'second');
  for (const text of ['one', 'two', 'three']) await say(page, text);
  await isSaid(page, 'three');
  await page.reload();
  await isSaid(page, 'three');
  assert.deepEqual(await said(page), ['one', 'two', 'three']);
  await page.getByLabel('Name of a new room').fill('garden');
  await page.getByRole('button', { name: 'Open' }).click();
  await reads(page.locator('[data-room-name]'), 'garden');
  await page.getByText('Nobody has said anything here yet.').waitFor();
  await say(page, 'only here');
  await isSaid(page, 'only here');
  await page.locator('[data-rooms] a', { hasText: 'second' }).click();
  await isSaid(page, 'three');
  assert.deepEqual(await said(page), ['one', 'two', 'three']);
});

test('there is a way back to what was said before', async (t) => {
  const topic = '/v1/topics/demo%2Fchat%2Flong/messages/batch';
  const messages = Array.from({ length: 120 }, (_, n) => ({
    body: { ref: `r${n}`, name: 'Ada', text: `line ${n}` }, encoding: 'json', key: 'aaaaaaaa',
  }));
  await scene.api.sendJson('POST', topic, { messages });
  const page = await comeIn(t, 'Grace', 'long');
  await isSaid(page, 'line 119');
  assert.equal((await said(page))[0], 'line 70');
  const earlier = page.getByRole('button', { name: 'Earlier messages' });
  await earlier.click();
  await isSaid(page, 'line 20');
  await earlier.click();
  await earlier.waitFor({ state: 'hidden' });
  assert.deepEqual(await said(page), messages.map(({ body }) => body.text));
});

test('a server that is killed is missed, and nothing that was said is', async (t) => {
  const ada = await comeIn(t, 'Ada', 'storm');
  const grace = await comeIn(t, 'Grace', 'storm');
  await say(ada, 'before');
  await isSaid(grace, 'before');
  await scene.server.kill9();
  await ada.getByText('Connection lost.').waitFor();
  await say(ada, 'in between');
  await reads(ada.locator('.said.pending .fate'), 'sending…');
  await scene.server.restart();
  await isSaid(ada, 'in between');
  await say(grace, 'after');
  const all = ['before', 'in between', 'after'];
  for (const page of [ada, grace]) await until(() => said(page), (now) => now.length >= 3);
  assert.deepEqual([await said(ada), await said(grace)], [all, all]);
  await reads(ada.locator('[data-here-short]'), 'Here with Grace');
  await ada.locator('[data-connection]').waitFor({ state: 'hidden' });
});

describe('the chat of a server with a token', () => {
  const ADMIN_TOKEN = 'a-token-that-is-in-no-address-0123456789';
  const closed = stage({ ADMIN_TOKEN });

  test('lets everybody into a room that is open to everybody', async (t) => {
    const json = { access: { publish: 'public', subscribe: 'public' } };
    for (const name of ['demo%2Fchat%2Fplaza', 'demo%2Fchat-typing%2Fplaza']) {
      const answer = await closed.api.sendJson('PUT', `/v1/topics/${name}`, json);
      assert.equal(answer.status, 201, String(answer));
    }
    const enter = async (name) => {
      const page = await closed.visit(t, '/demo/chat/#plaza');
      await page.getByLabel('Name', { exact: true }).fill(name);
      await page.getByRole('button', { name: 'Go in' }).click();
      await page.locator('.people li', { hasText: 'you' }).waitFor();
      return page;
    };
    const ada = await enter('Ada');
    const grace = await enter('Grace');
    await reads(ada.locator('[data-here-short]'), 'Here with Grace');
    await say(ada, 'no token');
    await isSaid(grace, 'no token');
    await field(grace).pressSequentially('hm');
    await reads(ada.locator('[data-typing]'), 'Grace is typing…');
    for (const page of [ada, grace]) assert.equal(await page.getByLabel('Admin token').isVisible(), false);
  });

  test('asks for it, and never has it in an address', async (t) => {
    const page = await closed.visit(t, '/demo/chat/#guarded');
    const addresses = [];
    page.on('request', (request) => addresses.push(request.url()));
    page.on('websocket', (socket) => addresses.push(socket.url()));
    await page.getByLabel('Name', { exact: true }).fill('Ada');
    await page.getByRole('button', { name: 'Go in' }).click();
    await page.getByLabel('Admin token').fill(ADMIN_TOKEN);
    await page.getByRole('button', { name: 'Use it' }).click();
    await page.locator('.people li', { hasText: 'you' }).waitFor();
    await say(page, 'behind a door');
    await isSaid(page, 'behind a door');
    assert.ok(addresses.some((url) => url.includes('/events')));
    assert.deepEqual(addresses.filter((url) => url.includes(ADMIN_TOKEN)), []);
  });
});
