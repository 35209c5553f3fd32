// Live readers that are cut off thousands of times while the server is killed under them: each of
// them hears every message once and in order, whichever way it listens.

import { setTimeout as sleep } from 'node:timers/promises';
import { History } from './history.mjs';
import { Queue } from './queue.mjs';
import { Random } from './random.mjs';
import { READERS } from './readers.mjs';
import { Subject, now } from './server.mjs';
import { checkReaders, readLog } from './topic-check.mjs';

/** Readers of each kind. */
const READERS_EACH = 2;
/** Between two messages. */
const PACE_MS = 2;
/** A reader leaves after so many messages at most. */
const STAY_MESSAGES_MAX = 5;
const POLL_MS = 20;
/** Every reader is up to date within this time after the last message. */
const END_MS_MAX = 60_000;
/** How the server is ended, in turn. */
const ENDS = [
  undefined,
  { fault: { kind: 'powerCut', classes: ['write', 'sync', 'change'], countdown: 5 } },
  { fault: { kind: 'killTorn', classes: ['write', 'sync', 'change'], countdown: 9 } },
];

/**
 * @param {object} options
 * @param {number} options.cuts connections that readers cut, in all
 * @param {number} options.kills spread over them
 * @param {number} [options.seed]
 * @param {number} [options.port] any free one unless given
 * @param {(done: { cuts: number, kills: number }) => void} [options.onKill]
 * @returns {Promise<{ violations: import('./check.mjs').Violation[],
 *   counts: Record<string, number> }>}
 */
export async function reconnects({ cuts, kills, seed = 1, port = 0, onKill = () => {} }) {
  const subject = await Subject.start(port);
  const path = '/v1/topics/news';
  const topic = new Queue(subject, path);
  topic.history = new History(0, {});
  const reading = {
    url: () => subject.url + path, random: new Random(seed),
    messagesMax: STAY_MESSAGES_MAX, last: null, cuts: 0,
  };
  const heard = {};
  try {
    await topic.must('PUT', '', {});
    const stop = new AbortController();
    const readers = ['events', 'socket', 'listening'].flatMap((kind) =>
      Array.from({ length: READERS_EACH }, (_, n) =>
        READERS[kind](reading, (heard[`${kind} ${n + 1}`] = []))));
    const publisher = publishUntil(stop.signal, topic);
    for (let kill = 1; kill <= kills; kill += 1) {
      while (reading.cuts < (kill * cuts) / (kills + 1)) await sleep(POLL_MS);
      const crash = ENDS[kill % ENDS.length];
      if (crash) crash.fault.seed = kill;
      topic.history.havoc.kills.push(await subject.crash(crash));
      onKill({ cuts: reading.cuts, kills: kill });
    }
    while (reading.cuts < cuts) await sleep(POLL_MS);
    stop.abort();
    await publisher;
    reading.last = (await topic.must('GET')).last_seq;
    await Promise.race([Promise.all(readers), sleep(END_MS_MAX, null, { ref: false })]);
    const log = await readLog(topic);
    topic.history.end = { at: now(), log, figures: await topic.must('GET') };
    const counts = {
      cuts: reading.cuts, kills, messages: log.length,
      heard: Object.values(heard).reduce((sum, all) => sum + all.length, 0),
    };
    return { violations: checkReaders(topic.history, heard), counts };
  } finally {
    await subject.stop();
  }
}

/** One message after the other; one without an answer is repeated under its key. */
async function publishUntil(signal, topic) {
  for (let n = 0; !signal.aborted; n += 1) {
    const order = { key: 'news', idempotencyKey: `news-${n}` };
    const record = topic.history.publish(order);
    record.expect_seq = null;
    do await topic.publish([{ order, record }]);
    while (record.attempts.at(-1).outcome === 'lost');
    await sleep(PACE_MS);
  }
}
