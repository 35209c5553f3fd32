// Listings: a page of a directory, then each of the queues or topics in it. The platform lets six calls wait at a
// time.

import { fetchObject } from './call.js';
import { readCalls } from './frames.js';
import { log } from './log.js';

const CALLS_MAX = 6;
/** See src/command/placement.rs. */
const TOPIC_DIRECTORY = '#topics';

/**
 * Gathers what a listing needs.
 * @param {import("./core.js").Core} core
 * @param {object} env
 * @param {import("./frames.js").Call} directoryCall
 * @returns {Promise<string>} as the edge reads it
 */
export async function gather(core, env, directoryCall) {
  const topics = directoryCall.object === TOPIC_DIRECTORY ? 1 : 0;
  const answer = await fetchObject(env.DIRECTORY, directoryCall);
  const page = await answer.text();
  // Taken for a page, a failure would say that there is nothing.
  if (answer.status >= 500) throw new Error(`the directory answered ${answer.status}`);
  const calls = readCalls(core, core.exports.edge_describe(core.putText(page), topics));
  const answers = await eachOf(calls, (call) => describe(env, call));
  const gone = Uint8Array.from(answers, ({ status }) => (status === 404 ? 1 : 0));
  if (gone.includes(1)) await forget(core, env, page, gone, topics);
  const size = core.exports.memory.buffer.byteLength;
  const rest = `,${membersOf(answers)},"wasm_memory_bytes":${size}}`;
  return page.slice(0, page.lastIndexOf('}')) + rest;
}

/**
 * Gathers what the metrics tell of subscriptions: how far they are, and what is in the queues of their own.
 * @param {import("./core.js").Core} core
 * @param {object} env
 * @param {string} topics what was gathered of these
 * @returns {Promise<string>} as the edge reads it
 */
export async function gatherSubscriptions(core, env, topics) {
  const listings = readCalls(core, core.exports.edge_subscriptions(core.putText(topics)));
  const lists = await eachOf(listings, (call) => describe(env, call));
  const gathered = `{"lists":[${lists.map(textOf)}]`;
  const [topicsLength, listsLength] = core.putTwo(topics, `${gathered}}`);
  const calls = readCalls(core, core.exports.edge_own_queues(topicsLength, listsLength));
  const answers = await eachOf(calls, (call) => describe(env, call));
  return `${gathered},"own":{${membersOf(answers)}}}`;
}

/** What objects say of themselves, and which of them do not though they are there, by their places. */
function membersOf(answers) {
  const isUnreadable = ({ status }) => status !== 200 && status !== 404;
  const unreadable = [...answers.keys()].filter((at) => isUnreadable(answers[at]));
  return `"queues":[${answers.map(textOf)}],"unreadable":[${unreadable}]`;
}

const textOf = ({ status, text }) => (status === 200 ? text : 'null');

/** What an object says of itself. One that cannot be reached or read does not hide the others. */
async function describe(env, call) {
  try {
    const response = await fetchObject(env[call.namespace], call);
    return { status: response.status, text: await response.text() };
  } catch (error) {
    log('warn', 'call_failed', { to: call.object, error });
    return { status: 503, text: '' };
  }
}

async function forget(core, env, page, gone, topics) {
  const [pageLength, goneLength] = core.putTwo(page, gone);
  const [call] = readCalls(core, core.exports.edge_forget(pageLength, goneLength, topics));
  await (await fetchObject(env.DIRECTORY, call)).body?.cancel();
}

/** `run` of each item, a few at a time; results in the items' order. */
async function eachOf(items, run) {
  const results = new Array(items.length);
  let next = 0;
  const lane = async () => {
    while (next < items.length) {
      const at = next++;
      results[at] = await run(items[at], at);
    }
  };
  await Promise.all(Array.from({ length: CALLS_MAX }, lane));
  return results;
}
