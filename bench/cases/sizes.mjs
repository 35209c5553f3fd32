// Messages a second with 256 on the way, by size of the body, against the peers: in, and out with
// an acknowledgement. In each round every system has its turn, alone on the machine.

import { textBody } from '../body.mjs';
import { within } from '../load/deadline.mjs';
import { PEERS } from '../peers/index.mjs';
import { IN_FLIGHT } from '../peers/window.mjs';

export const SIZES = [128, 512, 1024, 10_240];
export const OPERATIONS = ['in', 'out'];

/** A system that takes longer is left out. */
const RUN_MS_MAX = 600_000;

export const OPERATION_TITLES = { in: 'enqueue', out: 'dequeue and ack' };

/** @param {import('../sections.mjs').Context} context */
export async function measureSizes(context) {
  const { plan, book, say } = context;
  const peers = [];
  for (const peer of PEERS) {
    const why = await peer.missing();
    if (why) book.skip(peer.title, why);
    else peers.push(peer);
  }
  for (let round = 1; round <= plan.rounds; round += 1) {
    for (const peer of peers) {
      say(`round ${round} of ${plan.rounds}: ${peer.title}`);
      await measurePeer(peer, context);
    }
  }
}

async function measurePeer(peer, { plan, book, versions }) {
  const { count, warmUpMs } = plan;
  let running;
  try {
    running = await peer.start();
    versions[peer.product] = running.version;
    await warmUp(running, warmUpMs);
    for (const size of SIZES) {
      await running.prepare();
      const body = textBody(size);
      const published = await rate(count, () => running.publish(body, count));
      add(book, { peer, size, operation: 'in' }, published);
      const consumed = await rate(count, () => running.consume(count));
      add(book, { peer, size, operation: 'out' }, consumed);
    }
  } catch (error) {
    if (peer.name.startsWith('tidegate')) throw error;
    book.skip(peer.title, error.message);
  } finally {
    await running?.stop();
  }
}

/** Rounds of a few messages until the time is over. */
async function warmUp(running, ms) {
  const until = performance.now() + ms;
  const body = textBody(SIZES[0]);
  while (performance.now() < until) {
    await running.prepare();
    await running.publish(body, IN_FLIGHT * 4);
    await running.consume(IN_FLIGHT * 4);
  }
}

async function rate(count, run) {
  const began = performance.now();
  await within(RUN_MS_MAX, run(), `a run of ${count} messages`);
  return count / ((performance.now() - began) / 1000);
}

function add(book, { peer, size, operation }, value) {
  const figure = {
    id: sizeId(peer.name, size, operation),
    section: `${IN_FLIGHT} in flight`,
    title: `${OPERATION_TITLES[operation]}, ${sizeTitle(size)}: ${peer.title}`,
    unit: 'msg/s',
    of: peer.name === 'tidegate' ? undefined : sizeId('tidegate', size, operation),
  };
  book.add(figure, value);
}

/**
 * @param {string} peer
 * @param {number} size
 * @param {string} operation
 * @returns {string} the figure's id
 */
export function sizeId(peer, size, operation) {
  return `size/${size}/${operation}/${peer}`;
}

/**
 * @param {number} size
 * @returns {string} as in "10 KiB"
 */
export function sizeTitle(size) {
  return size < 1024 ? `${size} B` : `${size / 1024} KiB`;
}
