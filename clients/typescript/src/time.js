// Waiting: for a while, for the end of this turn, and with an eye on a signal.

/**
 * Runs something after all that can run now has run. Sooner than a timer where the platform has it.
 * @type {(run: () => void) => void}
 */
export const soon =
  typeof setImmediate === 'function'
    ? (run) => void setImmediate(run)
    : (run) => void setTimeout(run, 0);

/**
 * @param {number} ms
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>} rejects with the signal's reason
 */
export function sleep(ms, signal) {
  return unlessAborted(signal, (resolve) => {
    const timer = setTimeout(resolve, ms);
    return () => clearTimeout(timer);
  });
}

/** Who wants to know of which signal: it has one listener, however many wait for it. */
const watchers = new WeakMap();

/**
 * @param {AbortSignal | undefined} signal not aborted yet
 * @param {() => void} run once, when it is
 * @returns {() => void} takes it back
 */
export function onAbort(signal, run) {
  if (!signal) return () => {};
  let runs = watchers.get(signal);
  if (!runs) {
    watchers.set(signal, (runs = new Set()));
    signal.addEventListener('abort', () => runs.forEach((each) => each()), { once: true });
  }
  // Of its own, since the same function may be given twice.
  const each = () => run();
  runs.add(each);
  return () => void runs.delete(each);
}

/**
 * A promise that a signal can end before its time.
 * @template T
 * @param {AbortSignal | undefined} signal
 * @param {(resolve: (value: T) => void, reject: (error: unknown) => void) => () => void} begin
 *   returns what has to be done when the signal comes first
 * @returns {Promise<T>}
 */
export function unlessAborted(signal, begin) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    let giveUp;
    const forget = onAbort(signal, () => {
      giveUp?.();
      reject(signal.reason);
    });
    const settle = (outcome) => (value) => {
      forget();
      outcome(value);
    };
    giveUp = begin(settle(resolve), settle(reject));
  });
}
