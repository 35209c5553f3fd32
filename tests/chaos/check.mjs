// The judge of a history. It shares no code with the engine and knows none of its structures: it
// asks of each answer whether any order of the events, as far as their times leave it open, could
// have led to it. What it reports cannot be explained by any.

import { checkBounds, checkRefusals, checkWaits } from './bounds.mjs';
import { checkRepeats } from './duplicates.mjs';
import { checkDeliveries, checkEnd, checkStates } from './fates.mjs';
import { checkOrder } from './order.mjs';
import { groupBy, view } from './view.mjs';

/**
 * @typedef {object} Violation
 * @property {string} rule one of {@link RULES}
 * @property {string} detail
 */

/** The rules, as the table at the end of a test names them. */
export const RULES = {
  limit: 'a place over a limit',
  key: 'a place over a key\'s limit',
  refusal: 'a refusal while there was room',
  repeat: 'a repeat that took a second place',
  order: 'an acceptance or a delivery out of order',
  lost: 'an accepted message lost',
  delivery: 'a delivery that must not be',
  duplicate: 'more repeats than leases at a kill',
  fence: 'something done under a lease that was over',
  stock: 'places not conserved',
  log: 'a topic\'s log with a gap or a stranger',
  gap: 'a reader that missed a message',
  twice: 'a reader that heard a message twice',
};

/**
 * @param {import('./history.mjs').History} history of one epoch, with its end
 * @param {number} acceptedBefore `accepted_total` when the epoch began
 * @returns {Violation[]}
 */
export function check(history, acceptedBefore) {
  const seen = view(history);
  const violations = [];
  const report = (rule, detail) => violations.push({ rule, detail });
  checkIdentity(seen, report);
  checkBounds(seen, history, report);
  checkRefusals(seen, history, report);
  checkWaits(seen, history, report);
  checkStates(seen, history, report);
  checkDeliveries(seen, history, report);
  checkOrder(seen, history, report);
  checkRepeats(history, report);
  checkEnd(seen, history, acceptedBefore, report);
  return violations;
}

/** One publish, one message; one message, one publish; later ones behind earlier ones. */
function checkIdentity({ messages, conflicts }, report) {
  for (const { publish, ids } of conflicts) {
    report('repeat', `publish ${publish.n} (${publish.idempotency_key}) became ${ids.join(', ')}`);
  }
  for (const field of ['id', 'seq']) {
    for (const [value, same] of groupBy(messages, (message) => message[field])) {
      if (same.length > 1) report('repeat', `${field} ${value} was given out ${same.length} times`);
    }
  }
  for (const { id, published, accepted, isUnsure } of messages) {
    const spans = isUnsure ? [published] : [published, accepted];
    if (spans.some(({ from, until }) => from > until)) {
      report('order', `${id} has a seq before that of one that was accepted earlier`);
    }
  }
}
