// Message bodies: text of a given size that looks like data and is the same in every run.

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_';

/**
 * @param {number} size in bytes
 * @returns {string}
 */
export function textBody(size) {
  // A linear congruential generator (Numerical Recipes' constants): the top six bits choose.
  let state = 1;
  return Array.from({ length: size }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return LETTERS[state >>> 26];
  }).join('');
}
