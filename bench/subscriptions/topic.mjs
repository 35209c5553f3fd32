// A topic with many durable subscriptions, for measurements: makes them, and waits until they have
// been handed everything.

/** Requests at a time. */
const AT_ONCE = 16;
/** Between two looks at a topic. */
const LOOK_MS = 100;
/** Without any progress for this long nothing comes any more. */
const STUCK_MS = 60_000;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** One request with JSON; its answer's document. */
export async function call(url, method, path, json) {
  const headers = json === undefined ? {} : { 'content-type': 'application/json' };
  const body = json === undefined ? undefined : JSON.stringify(json);
  const answer = await fetch(url + path, { method, headers, body });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text === '' ? {} : JSON.parse(text);
}

/** Does something for each number below `count`, a few at a time. */
export async function atOnce(count, act) {
  let next = 0;
  const some = async () => {
    while (next < count) {
      next += 1;
      await act(next - 1);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, some));
}

/**
 * @param {string} url of the server
 * @param {string} topic
 * @param {number} count
 * @param {(n: number) => object} config of the nth
 */
export function subscribeAll(url, topic, count, config) {
  const path = (n) => `/v1/topics/${topic}/subscriptions/s${n}`;
  return atOnce(count, (n) => call(url, 'PUT', path(n), config(n)));
}

/** Waits until a topic's subscriptions lag no more. */
export async function allHandedOn(url, topic) {
  let moved = -1;
  let movedAt = Date.now();
  for (;;) {
    const it = await call(url, 'GET', `/v1/topics/${topic}`);
    if (it.lag_max === 0) return;
    if (it.delivered_total !== moved) [moved, movedAt] = [it.delivered_total, Date.now()];
    else if (Date.now() - movedAt > STUCK_MS) throw new Error(`${topic} hands on no more`);
    await pause(LOOK_MS);
  }
}
