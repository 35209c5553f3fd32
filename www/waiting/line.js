// Standing in line: asks for a place, follows it, and says what happened. Knows no page.

import { Unreachable } from "./api.js";
import { cancelMessage, getMessage, publish } from "/calls.js";

/** Where streams do not get through, the state is asked for as often. */
const READ_MS = 3_000;
/** A stream that brought nothing for so long is taken for one that does not get through. */
const SILENCE_MS_MAX = 5_000;
/** Between attempts to reach a server that does not answer. */
const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 8_000;

const ENDED = ["done", "dead", "expired", "cancelled", "not-drawn"];

/** One visitor in one line. */
export class Line {
  /**
   * @param {import("./api.js").Api} api
   * @param {string} queue
   * @param {import("./place.js").Keeper} keeper
   * @param {{ onReach: (isReached: boolean) => void }} listener whether the server is there
   */
  constructor(api, queue, keeper, { onReach }) {
    this.api = api;
    this.queue = queue;
    this.keeper = keeper;
    this.onReach = onReach;
    this.canStream = true;
    /** Ends what waits at the moment, so that it is asked for anew. */
    this.nudge = new AbortController();
  }

  /** The network is back, or the lid is open: what was under way may be dead without knowing. */
  wake() {
    this.nudge.abort();
    this.nudge = new AbortController();
  }

  /**
   * Asks for a place, or for the one there is.
   * @returns {Promise<any>} the state of its message
   * @throws {import("./api.js").Problem} when there is none to be had
   */
  async join() {
    const { key, idempotencyKey, id } = this.keeper.place();
    if (id !== undefined) {
      const state = await this.#reach(() => this.api.send(getMessage(this.queue, id)))
        .catch((error) => {
          if (error.status === 404) return null;
          throw error;
        });
      if (state !== null && !["expired", "cancelled"].includes(state.body.state)) return state.body;
      this.keeper.renew();
      return this.join();
    }
    const headers = {
      "Content-Type": "text/plain",
      "Tidegate-Key": key,
      "Idempotency-Key": idempotencyKey,
    };
    const call = publish(this.queue, "a visitor of the waiting page", headers);
    const { body } = await this.#reach(() => this.api.send(call));
    // The ticket of a place in line admits nobody; the one that does comes with the admission.
    const ticket = body.state === "waiting" ? undefined : body.ticket;
    this.keeper.update({ id: body.id, ticket });
    return (await this.#reach(() => this.api.send(getMessage(this.queue, body.id)))).body;
  }

  /**
   * Follows the place until its state says that this is over.
   * @param {(state: any) => boolean} isOver
   * @param {(state: any) => void} onState on each change
   * @returns {Promise<any>} the last state
   */
  async follow(isOver, onState) {
    const { id } = this.keeper.place();
    for (;;) {
      try {
        for await (const state of this.canStream ? this.#stream(id) : this.#read(id)) {
          if (state.ticket !== undefined) this.keeper.update({ ticket: state.ticket });
          onState(state);
          if (isOver(state) || ENDED.includes(state.state)) return state;
        }
        // A stream that ends before its message has lost its object.
        await this.#pause(RETRY_MS_MIN);
      } catch (error) {
        if (error.name === "AbortError") continue;
        if (!(error instanceof Unreachable) && error.name !== "TypeError") throw error;
        this.onReach(false);
        await this.#pause(RETRY_MS_MIN);
      }
    }
  }

  /** Gives the place up. */
  async leave() {
    const { id } = this.keeper.place();
    this.wake();
    if (id !== undefined) {
      await this.#reach(() => this.api.send(cancelMessage(this.queue, id))).catch((error) => {
        // It was over already.
        if (error.status !== 409 && error.status !== 404) throw error;
      });
    }
    this.keeper.renew();
  }

  async *#stream(id) {
    const abort = new AbortController();
    const end = () => abort.abort();
    this.nudge.signal.addEventListener("abort", end, { once: true });
    let isSilent = true;
    const timer = setTimeout(() => {
      this.canStream = !isSilent;
      if (isSilent) end();
    }, SILENCE_MS_MAX);
    try {
      for await (const state of this.api.follow(this.queue, id, abort.signal)) {
        isSilent = false;
        this.onReach(true);
        yield state;
      }
    } finally {
      clearTimeout(timer);
      end();
    }
  }

  async *#read(id) {
    const { body } = await this.api.send(getMessage(this.queue, id, { wait_ms: READ_MS }),
      { signal: this.nudge.signal });
    this.onReach(true);
    yield body;
  }

  /** A call that does no harm when it is repeated, repeated until it is answered. */
  async #reach(send) {
    for (let pause = RETRY_MS_MIN; ; pause = Math.min(RETRY_MS_MAX, pause * 2)) {
      try {
        const answer = await send();
        this.onReach(true);
        return answer;
      } catch (error) {
        if (!(error instanceof Unreachable) && error.status !== 503) throw error;
        this.onReach(false);
        await this.#pause(pause * (0.75 + Math.random() / 2));
      }
    }
  }

  #pause(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.nudge.signal.addEventListener("abort", () => {
        clearTimeout(timer);
        resolve();
      }, { once: true });
    });
  }
}
