// Publishes that travel together, and how they are told what became of them: all at once, or, where
// other objects are in use beside theirs, in slices. Clients that are answered together come again
// together, and whoever asks for another object stands behind all of them.

/** Publishes that are told together beside neighbours. */
const SLICE_PUBLISHES = 4;
/** Beyond so many slices they hold more. */
const SLICES_MAX = 32;

/** Publishes that will travel together. Made by the conductor that they wait for. */
export class Gathering {
  /** @param {boolean} isSliced whether they are told in slices */
  constructor(isSliced) {
    /** @type {string[]} */
    this.commands = [];
    /** When they left; 0 before. */
    this.leftAt = 0;
    /** @type {Promise<string[] | null>[]} settled while the conductor lives */
    this.answers = [];
    this.settles = [];
    for (let slice = 0; slice < (isSliced ? SLICES_MAX : 1); slice++) {
      this.answers.push(new Promise((resolve) => this.settles.push(resolve)));
    }
  }

  /**
   * @param {string} command
   * @returns {number} where it stands
   */
  take(command) {
    return this.commands.push(command) - 1;
  }

  /**
   * What who stands at `at` waits for.
   * @param {number} at
   * @returns {Promise<string[] | null>} the answers to all
   */
  told(at) {
    return this.answers[Math.floor(at / SLICE_PUBLISHES) % this.answers.length];
  }

  /**
   * Tells each slice its answers.
   * @param {string[]} answers
   * @param {(count: number) => Promise<void>} between waits once so many were told
   */
  async tell(answers, between) {
    const slices = Math.ceil(this.commands.length / SLICE_PUBLISHES);
    const last = Math.min(this.settles.length, slices) - 1;
    for (let slice = 0; slice < last; slice++) {
      this.settles[slice](answers);
      await between(this.commands.length / (last + 1));
    }
    this.settles[last](answers);
  }

  /**
   * Tells all of them at once.
   * @param {string[] | null} answers
   */
  tellAll(answers) {
    for (const settle of this.settles) settle(answers);
  }
}
