// The systems that are compared message by message, and what each can do for the comparison.

import { nats } from './nats.mjs';
import { rabbitmq } from './rabbitmq.mjs';
import { redis } from './redis.mjs';
import { tidegate, tidegateBatches } from './tidegate.mjs';

/**
 * @typedef {object} Peer
 * @property {string} name
 * @property {string} title
 * @property {string} product as versions are given of it
 * @property {() => Promise<string | undefined>} missing why it cannot run here, if it cannot
 * @property {(port?: number) => Promise<RunningPeer>} start
 */

/**
 * @typedef {object} RunningPeer
 * @property {string} version
 * @property {number} [pid] of its server, where that is one process
 * @property {() => Promise<void>} prepare makes its queue, or empties it
 * @property {(body: string, count: number) => Promise<void>} publish with `IN_FLIGHT` on the way;
 *   resolves when the server has confirmed every message
 * @property {(count: number) => Promise<void>} consume with `IN_FLIGHT` delivered and not yet
 *   acknowledged; resolves when every acknowledgement has been taken
 * @property {() => Promise<void>} stop
 */

/** @type {Peer[]} */
export const PEERS = [
  tidegate,
  tidegateBatches,
  redis('everysec'),
  redis('always'),
  rabbitmq,
  nats,
];
