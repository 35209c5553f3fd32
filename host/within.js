// Waiting with an end.

/**
 * What a promise brings, or `null` where it takes longer or fails. The timer is the waiting
 * request's own: the platform takes one for hung that only waits for what another one made.
 * @template T
 * @param {Promise<T>} promise
 * @param {number} ms
 * @returns {Promise<T | null>}
 */
export async function within(promise, ms) {
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, ms, null)));
  try {
    return await Promise.race([promise, late]);
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
  }
}
