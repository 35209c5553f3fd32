// Asks the server again and again, gently: not while the page is hidden, and ever more seldom
// while the server does not answer.

const SLOWEST_MS = 30_000;

/**
 * @param {(signal: AbortSignal) => Promise<void>} ask
 * @param {object} options
 * @param {number} options.everyMs
 * @param {AbortSignal} options.signal ends it
 * @param {(error: Error | null) => void} options.onOutcome after each time
 * @returns {{ now: () => void }} `now` asks at once
 */
export function poll(ask, { everyMs, signal, onOutcome }) {
  let wake = () => {};
  let isWanted = false;
  const now = () => {
    isWanted = true;
    wake();
  };
  const onVisible = () => {
    if (!document.hidden) wake();
  };
  document.addEventListener("visibilitychange", onVisible, { signal });
  signal.addEventListener("abort", () => wake());

  const rest = (ms) =>
    new Promise((resolve) => {
      const timer = document.hidden ? null : setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
      if (isWanted || signal.aborted) wake();
    });

  (async () => {
    let failures = 0;
    while (!signal.aborted) {
      isWanted = false;
      const error = await ask(signal).then(
        () => null,
        (reason) => reason,
      );
      if (signal.aborted) return;
      failures = error === null ? 0 : failures + 1;
      onOutcome(error);
      await rest(Math.min(SLOWEST_MS, everyMs * 2 ** failures));
    }
  })();
  return { now };
}
