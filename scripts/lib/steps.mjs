// What a command prints while it works: long steps with elapsed time, failures in plain words.
// Owns the terminal line in progress. Decides nothing about what the steps do.

/** How often a step in progress reports where nobody can see a line being rewritten. */
const REPORT_EVERY_MS = 10_000;
/** How often the line of a step in progress is rewritten on a terminal. */
const REWRITE_EVERY_MS = 200;

/** A failure whose message is for the reader as it stands: no stack, no class name. */
export class Failure extends Error {
  /**
   * @param {string} message what went wrong, and what to do about it
   * @param {{ output?: string }} [details] `output`: what the failed program said
   */
  constructor(message, { output = '' } = {}) {
    super(message);
    this.output = output;
  }
}

/**
 * Runs a step that may take long. Says that it began, how long it has been at it, and how it ended.
 * @template T
 * @param {string} label what is being done, as in "Building the core"
 * @param {(progress: (detail: string) => void) => Promise<T>} work
 * @param {{ quiet?: boolean }} [options] `quiet`: print nothing at all
 * @returns {Promise<T>}
 */
export async function step(label, work, { quiet = false } = {}) {
  if (quiet) return work(() => {});
  const line = new ProgressLine(label);
  try {
    const result = await work((detail) => line.update(detail));
    line.end('done');
    return result;
  } catch (error) {
    line.end('failed');
    throw error;
  }
}

class ProgressLine {
  #label;
  #detail = '';
  #began = performance.now();
  #rewrites = Boolean(process.stdout.isTTY);
  #timer;

  constructor(label) {
    this.#label = label;
    if (this.#rewrites) this.#rewrite();
    else console.log(`${label} …`);
    const every = this.#rewrites ? REWRITE_EVERY_MS : REPORT_EVERY_MS;
    this.#timer = setInterval(() => this.#report(), every);
  }

  update(detail) {
    this.#detail = detail;
  }

  end(outcome) {
    clearInterval(this.#timer);
    const text = `${this.#label}: ${outcome} in ${seconds(performance.now() - this.#began)}`;
    console.log(this.#rewrites ? `\r\x1b[2K${text}` : text);
  }

  #text() {
    const elapsed = seconds(performance.now() - this.#began);
    return [`${this.#label} …`, this.#detail, elapsed].filter(Boolean).join('  ');
  }

  #report() {
    if (this.#rewrites) this.#rewrite();
    else console.log(`  ${this.#text()}`);
  }

  #rewrite() {
    const width = process.stdout.columns || 80;
    process.stdout.write(`\r\x1b[2K${this.#text().slice(0, width - 1)}`);
  }
}

/**
 * @param {number} ms
 * @returns {string} as in "0.4 s" or "95 s"
 */
export function seconds(ms) {
  return ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`;
}

/**
 * Runs a command's main function; a failure ends the process with exit code 1 and its message.
 * @param {() => Promise<number | void>} main resolves with the exit code, 0 when nothing
 */
export async function run(main) {
  try {
    process.exitCode = (await main()) || 0;
  } catch (error) {
    if (error instanceof Failure) {
      if (error.output) console.error(`\n${error.output.trimEnd()}`);
      console.error(`\n${error.message}\n`);
    } else {
      console.error(error);
    }
    process.exitCode = 1;
  }
}
