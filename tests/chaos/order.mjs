// The order that a queue promises: within its line (the queue itself, or a key) a message is handed
// out only when all that were accepted before it are finished.

import { groupBy } from './view.mjs';

/**
 * @param {import('./view.mjs').View} view
 * @param {import('./history.mjs').History} history
 * @param {(rule: string, detail: string) => void} report
 */
export function checkOrder({ messages }, { deliveries, order, isLine }, report) {
  // Who waited in line comes in by another order than that of the numbers.
  if (order === 'best_effort' || isLine) return;
  const deliveriesOf = groupBy(deliveries, ({ id }) => id);
  for (const line of groupBy(messages, (it) => lineOf(it, order)).values()) {
    line.forEach((later, index) => {
      for (const delivery of deliveriesOf.get(later.id) ?? []) {
        const passed = line.slice(0, index).find((earlier) => mustBeOver(earlier, delivery));
        if (passed === undefined) continue;
        report('order', `${later.id} was handed out before ${passed.id} was finished`);
      }
    });
  }
}

const lineOf = ({ publish }, order) => (order === 'fifo' ? '' : publish.key);

/** What is held or delayed holds up nobody; everything else has to have ended by then. */
function mustBeOver({ publish, ended }, delivery) {
  const isPlain = publish.hold_ms === null && publish.delay_ms === null;
  return isPlain && !(ended?.from <= delivery.ended_at);
}
