// A limit on how long something may take, so that no server can keep the harness waiting for ever.

/**
 * @template T
 * @param {number} ms
 * @param {Promise<T>} work whose outcome is dropped when it comes too late
 * @param {string} what is being done, as in "publishing"
 * @returns {Promise<T>}
 */
export async function within(ms, work, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took more than ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
