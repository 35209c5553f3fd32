// What became of messages: every accepted one is there or ended as its history says, none was
// handed out that must not be, and at the end the figures add up to the unit.

import { groupBy } from './view.mjs';

/** Rounding of the clocks. */
const CLOCK_MS = 25;

/** The state of each message at the end follows from what was done to it. */
export function checkStates({ messages }, { actions, end, seen }, report) {
  const actionsOf = groupBy(actions, ({ id }) => id);
  const there = new Set(seen.map(({ id }) => id));
  for (const message of messages) {
    const { id, state, ended, confirmed, publish } = message;
    const own = actionsOf.get(id) ?? [];
    const said = (kind) => own.some((action) => action.kind === kind && action.ok);
    const lost = (why) => report('lost', `${id} (publish ${publish.n}) is ${state}: ${why}`);
    const isOver = ['done', 'cancelled', 'expired'].includes(state);
    if (end.states[id]?.status !== 200) lost('unknown');
    else if (isOver && ended === null) lost('nobody did that');
    else if (!isOver && !['queued', 'delayed'].includes(state)) lost('it must not be');
    else if (!isOver && !there.has(id)) lost('but it is not listed');
    else if (isOver && there.has(id)) lost('but it is listed');
    if (said('ack') && state !== 'done') lost('it was acknowledged');
    if (said('cancel') && state !== 'cancelled') lost('it was cancelled');
    if (publish.hold_ms === null) continue;
    if (said('confirm') && state === 'expired') lost('it was confirmed');
    if (['queued', 'delayed', 'done'].includes(state) && confirmed === null) {
      lost('nobody confirmed it');
    }
  }
}

/** Nothing unknown, unconfirmed, ended or leased to somebody else is handed out. */
export function checkDeliveries({ messages }, history, report) {
  const { deliveries, actions, publishes } = history;
  const known = new Map(messages.map((message) => [message.id, message]));
  const published = new Map(publishes.map((publish) => [publish.n, publish]));
  for (const delivery of deliveries) {
    const { id, n, key, sent_at, ended_at } = delivery;
    const message = known.get(id);
    const wrong = (why) => report('delivery', `${id} (publish ${n}): ${why}`);
    if (published.get(n)?.key !== key) wrong('nobody published this');
    if (message === undefined) continue;
    const { confirmed, ended, publish, state } = message;
    if (publish.hold_ms !== null && !(confirmed?.from <= ended_at)) wrong('it was not confirmed');
    if (ended?.until < sent_at) wrong(`handed out after it was ${state}`);
  }
  const settled = groupBy(actions.filter(({ ok }) => ok !== false), ({ lease_id }) => lease_id);
  for (const [id, own] of groupBy(deliveries, (delivery) => delivery.id)) {
    checkLeases(id, own, settled, history, report);
  }
  checkFences(history, report);
  for (const [id, acks] of groupBy(actions.filter(isFinished), (action) => action.id)) {
    if (acks.length > 1) report('delivery', `${id} was acknowledged ${acks.length} times`);
  }
}

const isFinished = ({ kind, ok }) => kind === 'ack' && ok === true;

/** Of any two leases of a message one ended before the other began. */
export function checkLeases(id, deliveries, settled, history, report) {
  const mayFollow = (first, second) =>
    second.ended_at >= earliestEnd(first, second, settled, history);
  deliveries.forEach((one, index) => {
    for (const other of deliveries.slice(index + 1)) {
      if (one.lease_id === other.lease_id) report('delivery', `${id}: a lease was given twice`);
      else if (!mayFollow(one, other) && !mayFollow(other, one)) {
        report('delivery', `${id} was leased to two at a time`);
      }
    }
  });
}

function earliestEnd(lease, next, settled, history) {
  const own = settled.get(lease.lease_id) ?? [];
  const isGivenBack = own.some(({ kind, sent_at }) => kind === 'retry' && sent_at <= next.ended_at);
  if (isGivenBack) return -Infinity;
  const extended = own.filter(({ kind, ok }) => kind === 'extend' && ok === true)
    .map(({ sent_at, visibility_ms }) => sent_at + visibility_ms);
  const gained = history.gained(lease.sent_at, next.ended_at);
  return Math.max(lease.sent_at + lease.visibility_ms, ...extended) - CLOCK_MS - gained;
}

/** Nothing is done under a lease that is surely over: run out, or followed by another one. */
export function checkFences(history, report) {
  const { deliveries, actions } = history;
  const leases = new Map(deliveries.map((delivery) => [delivery.lease_id, delivery]));
  const deliveriesOf = groupBy(deliveries, ({ id }) => id);
  const actionsOf = groupBy(actions, ({ lease_id }) => lease_id);
  for (const { kind, id, lease_id, sent_at, ok } of actions) {
    const lease = leases.get(lease_id);
    if (!ok || lease === undefined) continue;
    const isFollowed = deliveriesOf.get(id)
      .some((other) => other.sent_at > lease.ended_at && other.ended_at < sent_at);
    if (isFollowed) report('fence', `${id}: ${kind} under a lease that another one followed`);
    else if (sent_at > latestEnd(lease, actionsOf.get(lease_id), history)) {
      report('fence', `${id}: ${kind} under a lease that had run out`);
    }
  }
}

/** A lease began with its answer at the latest; each extension may have counted. */
function latestEnd(lease, actions, history) {
  const endOf = ({ ended_at, visibility_ms }) =>
    ended_at + visibility_ms + history.late(visibility_ms);
  const extended = actions.filter(({ kind, ok }) => kind === 'extend' && ok !== false)
    .map(endOf);
  return Math.max(endOf(lease), ...extended) + CLOCK_MS;
}

/** The server's own figures, the room that was left, and what the drain brought. */
export function checkEnd({ messages, unresolved, totals }, { end }, acceptedBefore, report) {
  const { figures, figuresAfter, probes, probed, left, drained } = end;
  const equal = (what, found, wanted, slack = 0) => {
    if (found < wanted || found > wanted + slack) {
      report('stock', `${what}: the server says ${found}, the history ${wanted}`);
    }
  };
  // A time to live that ran out unseen keeps its place.
  const timed = unresolved.filter(({ ttl_ms }) => ttl_ms !== null).length;
  equal('accepted', figures.accepted, totals.places, timed);
  equal('depth', figures.depth, totals.depth);
  equal('held', figures.held, 0);
  equal('in_flight', figures.in_flight, 0);
  const accepted = figures.accepted_total - acceptedBefore;
  const sure = messages.filter(({ isUnsure }) => !isUnsure).length;
  equal('accepted_total', accepted, sure, messages.length - sure + unresolved.length);
  equal('waiting', figures.waiting, 0);
  for (const { what, room, taken } of probes) {
    const slack = Math.min(room, timed);
    if (taken < room - slack || taken > room) {
      report('stock', `${what}: room for ${room}, and ${taken} were let in`);
    }
  }
  checkDrain(left, drained, report);
  const released = drained.filter(({ settle }) => settle === 'release').length;
  equal('depth after all', figuresAfter.depth, 0);
  equal('accepted after all', figuresAfter.accepted, figures.accepted + probed - released);
  equal('accepted_total after all', figuresAfter.accepted_total, figures.accepted_total + probed);
}

/** What was there, once each, and nothing else. */
function checkDrain(left, drained, report) {
  const found = groupBy(drained, ({ id }) => id);
  for (const id of left) {
    if (!found.has(id)) report('lost', `${id} was there, and never handed out`);
  }
  const expected = new Set(left);
  for (const [id, deliveries] of found) {
    const times = deliveries.length;
    if (times > 1) report('delivery', `${id} came ${times} times in the end`);
    if (!expected.has(id)) report('delivery', `${id} came in the end, and was not there`);
  }
}
