// What a kill may repeat: a message whose consumer was done with it and had no answer yet. Each of
// them was leased when the server ended, so there are never more than leases at that moment.

import { groupBy } from './view.mjs';

/**
 * @param {import('./history.mjs').History} history of a queue, or of a topic's subscription
 * @returns {{ outstanding: number, duplicates: number }} over all kills
 */
export function repeatsOf({ deliveries, actions, havoc }) {
  const actionsOf = groupBy(actions, ({ lease_id }) => lease_id);
  const sum = { outstanding: 0, duplicates: 0 };
  for (const kill of havoc.kills) {
    const leased = deliveries.filter((it) => mayBeOut(it, actionsOf.get(it.lease_id) ?? [], kill));
    sum.outstanding += leased.length;
    for (const [n, own] of groupBy(leased, (it) => it.n)) {
      const isDone = own.some(({ lease_id }) => isUnanswered(actionsOf.get(lease_id) ?? [], kill));
      const again = deliveries.some((it) => it.n === n && it.sent_at >= kill.gone_at);
      if (isDone && again) sum.duplicates += 1;
    }
  }
  return sum;
}

/** @param {(rule: string, detail: string) => void} report */
export function checkRepeats(history, report) {
  const { outstanding, duplicates } = repeatsOf(history);
  if (duplicates > outstanding) {
    report('duplicate', `${duplicates} messages came again, and ${outstanding} were leased`);
  }
}

/** Whether a lease was there when the server ended. */
function mayBeOut(delivery, own, kill) {
  const isSettled = own.some(({ ok, kind, ended_at }) =>
    ok && kind !== 'extend' && ended_at < kill.from);
  const extended = own.filter(({ kind, ok }) => kind === 'extend' && ok !== false)
    .map(({ ended_at, visibility_ms }) => ended_at + visibility_ms);
  const until = Math.max(delivery.ended_at + delivery.visibility_ms, ...extended);
  return !isSettled && delivery.sent_at <= kill.gone_at && until >= kill.from;
}

const isUnanswered = (own, kill) => own.some(({ kind, ok, sent_at, ended_at }) =>
  kind === 'ack' && ok === null && sent_at <= kill.gone_at && ended_at >= kill.from);
