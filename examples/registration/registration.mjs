// The registration of the message-queue textbooks: a user is written, then gets a mail and a text
// message. Three ways to do it; each promise resolves when the user may be answered.

import { setTimeout as wait } from 'node:timers/promises';

/** What writing a user, sending a mail and sending a text message take. */
export const STEP_MS = 50;

/** What the steps did, by user; somebody else's servers, as a rule. */
export class World {
  users = new Set();
  mails = [];
  texts = [];

  async write(user) {
    await wait(STEP_MS);
    this.users.add(user);
  }

  async mail(user) {
    await wait(STEP_MS);
    this.mails.push(user);
  }

  async text(user) {
    await wait(STEP_MS);
    this.texts.push(user);
  }
}

/** 150 ms: one after another. */
export async function serially(world, user) {
  await world.write(user);
  await world.mail(user);
  await world.text(user);
}

/** 100 ms: mail and text message at a time. */
export async function inParallel(world, user) {
  await world.write(user);
  await Promise.all([world.mail(user), world.text(user)]);
}

/**
 * Little over 50 ms: the user is written, and that it was is published. Mail and text message
 * follow, however long they take and whether or not they work at this moment.
 * @param {import('../../clients/typescript/index.js').Topic} registered
 */
export async function throughTidegate(world, user, registered) {
  await world.write(user);
  await registered.publish({ user }, { key: user, idempotencyKey: user });
}

/**
 * The two services that follow, each with a durable subscription of its own.
 * @param {import('../../clients/typescript/index.js').Topic} registered
 * @param {AbortSignal} signal ends them
 * @returns {Promise<{ ended: Promise<unknown> }>} once both are subscribed
 */
export async function services(world, registered, signal) {
  const follow = async (name, serve) => {
    const subscription = registered.subscription(name);
    await subscription.configure({ from: 'earliest' });
    return () => subscription.consume((message) => serve(message.json().user), { signal });
  };
  const ready = await Promise.all([
    follow('mail', (user) => world.mail(user)),
    follow('text', (user) => world.text(user)),
  ]);
  // Both are subscribed from here on: nothing that is published now can miss them.
  return { ended: Promise.all(ready.map((run) => run())) };
}
