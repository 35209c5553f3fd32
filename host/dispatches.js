// What an object has under way to endpoints: an invocation of the dispatcher for each call.

import { log } from './log.js';

/**
 * A call that a turn asks for.
 * @typedef {object} Dispatch
 * @property {number} number
 * @property {number} timeoutMs
 * @property {number} sendWithinMs since the turn began, or it is not made
 * @property {string} url
 * @property {Record<string, string>} headers
 * @property {Uint8Array} body
 */

/** The calls of one object. How many there are at a time is the core's to say. */
export class Dispatches {
  /**
   * @param {{send: Function}} dispatcher
   * @param {(core: import('./core.js').Core, number: number,
   *   answer: import('./dispatcher.js').Answer) => void} answered
   */
  constructor(dispatcher, answered) {
    this.dispatcher = dispatcher;
    this.answered = answered;
  }

  /**
   * Calls that a turn of this instance, begun at `now`, asks for.
   * @param {Dispatch[]} dispatches
   */
  start(dispatches, core, now) {
    for (const dispatch of dispatches) this.make(dispatch, core, now);
  }

  async make({ number, timeoutMs, sendWithinMs, url, headers, body }, core, now) {
    const sendBy = now + sendWithinMs;
    let answer;
    try {
      answer = await this.dispatcher.send(url, { headers, body }, { timeoutMs, sendBy });
    } catch (error) {
      log('warn', 'dispatch_failed', { error });
      answer = { head: '0\n0\nerror: the call was cut\n', body: new Uint8Array(0) };
    }
    this.answered(core, number, answer);
  }
}
