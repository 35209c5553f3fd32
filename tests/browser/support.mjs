// What the browser tests share: a server and one browser a file, a fresh tab a visit, and the
// complaints that a tab gives rise to.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { chromium } from 'playwright-core';
import { browserBinary } from '../../scripts/lib/browser.mjs';
import { api } from '../harness/api.mjs';
import { startServer } from '../harness/server.mjs';

/** The longest that any one thing on a page may take to come about. */
const WAIT_MS = 15_000;
export const BROWSER_ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A server with its pages, and a browser to look at them. */
export class Stage {
  #env;
  #token;

  /** @param {Record<string, string>} [env] settings of the deployment */
  constructor(env = {}) {
    this.#env = env;
    this.#token = env.ADMIN_TOKEN;
  }

  async open() {
    [this.server, this.browser] = await Promise.all([
      startServer({ env: this.#env }),
      chromium.launch({ executablePath: await browserBinary(), args: BROWSER_ARGS }),
    ]);
    this.api = api(this.server.url, { token: this.#token });
  }

  async close() {
    await this.browser?.close();
    await this.server?.stop();
  }

  /** Deletes all queues, so that a test can begin with none. */
  async clear() {
    const { queues } = (await this.api.listQueues()).json;
    for (const { name } of queues) await this.api.deleteQueue(name);
  }

  /**
   * Opens a page in a tab that shares nothing with others, and closes it after the test. An
   * exception that nobody catches on the page fails the test.
   * @param {import('node:test').TestContext} t
   * @param {string} path
   * @returns {Promise<import('playwright-core').Page>}
   */
  async visit(t, path) {
    const context = await this.browser.newContext({ reducedMotion: 'reduce' });
    context.setDefaultTimeout(WAIT_MS);
    const page = await context.newPage();
    const thrown = [];
    page.on('pageerror', (error) => thrown.push(error.stack));
    t.after(async () => {
      await context.close();
      assert.deepEqual(thrown, [], 'the page threw');
    });
    await page.goto(new URL(path, this.server.url).href);
    return page;
  }
}

/** A stage for the tests of a file or of a suite. */
export function stage(env) {
  const made = new Stage(env);
  before(() => made.open());
  after(() => made.close());
  return made;
}

/** The path of a part of the console, as in `queuePage('shop/orders', 'messages')`. */
export const queuePage = (...parts) => `/#/queues/${parts.map(encodeURIComponent).join('/')}`;

/** Waits until an element's whole text is the given one. */
export async function reads(locator, text) {
  const escaped = String(text).replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  try {
    await locator.filter({ hasText: new RegExp(`^${escaped}$`) }).waitFor();
  } catch (error) {
    const found = await locator.allTextContents();
    throw new Error(`"${text}" never came; there is ${JSON.stringify(found)}`, { cause: error });
  }
}

/** Waits until an answer of the server, or anything else that is asked for, is as it should be. */
export async function until(ask, isRight) {
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    const answer = await ask();
    if (isRight(answer)) return answer;
    if (Date.now() > deadline) assert.fail(`it stayed ${JSON.stringify(answer)}`);
  }
}
