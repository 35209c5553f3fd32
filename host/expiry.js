// What goes on for longer than a call ends with the token that it was asked for with.

/** Timers do not take more than 31 bits. */
const TIMER_MS_MAX = 86_400_000;

/** What is said to whom it is over for: the problem of src/edge/claims.rs. */
export const EXPIRED = JSON.stringify({
  type: 'unauthorized',
  title: 'Credentials are missing or wrong',
  status: 401,
  detail: 'the token has expired: connect again with a new one',
});

/**
 * Runs `end` once the time has come.
 * @param {number} endsAt milliseconds of Unix time; zero: never
 * @param {() => void} end
 * @returns {() => void} sees to it that it does not run
 */
export function atExpiry(endsAt, end) {
  let timer = null;
  const wait = () => {
    const left = endsAt - Date.now();
    if (left <= 0) end();
    else timer = setTimeout(wait, Math.min(left, TIMER_MS_MAX));
  };
  if (endsAt > 0) wait();
  return () => clearTimeout(timer);
}
