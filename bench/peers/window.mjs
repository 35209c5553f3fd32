// Keeps a number of things on the way until a count of them is done: the loop that all publishers
// share.

/** So much of the count may be on the way at a time. */
export const IN_FLIGHT = 256;

/**
 * @param {number} count
 * @param {(index: number) => void} send puts the one with this index on the way
 * @param {number} [width]
 * @returns {{ finished: Promise<void>, done: (items?: number) => void, fail: (e: Error) => void }}
 *   `done` says that so many of those on the way have arrived
 */
export function openWindow(count, send, width = IN_FLIGHT) {
  let sent = 0;
  let completed = 0;
  let resolve;
  let fail;
  const finished = new Promise((onDone, onFail) => {
    resolve = onDone;
    fail = onFail;
  });
  const fill = () => {
    while (sent < count && sent - completed < width) {
      send(sent);
      sent += 1;
    }
  };
  const done = (items = 1) => {
    completed += items;
    if (completed >= count) resolve();
    else fill();
  };
  // After the caller has the functions, which sending may call.
  queueMicrotask(fill);
  return { finished, done, fail };
}
