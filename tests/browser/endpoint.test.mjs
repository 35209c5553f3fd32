// The page of a queue that pushes: how its endpoint is, and calling it again.

import { test } from 'node:test';
import { Receiver } from '../conformance/receiver.mjs';
import { queuePage, reads, stage } from './support.mjs';

const scene = stage();

test('a disabled endpoint is shown, and called again at a button', async (t) => {
  const endpoint = await new Receiver(() => ({ status: 410 })).start();
  t.after(() => endpoint.stop());
  await scene.api.putQueue('shop/hook', { push: { url: endpoint.url, secret: null } });
  await scene.api.publish('shop/hook', 'x');
  const page = await scene.visit(t, queuePage('shop/hook'));
  await reads(page.locator('code', { hasText: endpoint.url }), endpoint.url);
  await page.getByText('disabled: gone').waitFor();
  endpoint.answer = () => ({});
  await page.getByRole('button', { name: 'Call it again', exact: true }).click();
  await page.getByText('1 succeeded, 1 failed, 0 under way').waitFor();
});
