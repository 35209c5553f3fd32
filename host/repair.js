// Repair of an object's rows: has the core move what is damaged into quarantine. Decides only when
// that is worth a try.

import { log } from './log.js';
import { Core } from './core.js';
import { sqlImport } from './sql.js';

/** How long nothing is looked for after a look that found nothing. */
const PAUSE_MS = 60_000;
const ENTROPY_BYTES = 16;
/** What SQLite says of a file that it cannot read. */
const UNREADABLE = /malformed|corrupt|not a database/i;

/** The repairs of one object. */
export class Repair {
  constructor(ctx, kind) {
    this.ctx = ctx;
    this.kind = kind;
    this.pausedUntil = 0;
  }

  /**
   * Looks at every row, after a turn has failed and not because a statement did. Whether something
   * was damaged and is now out of the way: then the turn is worth another try.
   * @param {{failure: string | null}} work of the turn
   * @param {number} now
   */
  mend(work, now) {
    const { storage, id } = this.ctx;
    if (work.failure !== null || now < this.pausedUntil) return false;
    try {
      const damaged = storage.transactionSync(() => this.run(now));
      if (damaged > 0) {
        log('error', 'rows_quarantined', { object: id.name, rows: damaged });
        return true;
      }
    } catch (error) {
      log('error', 'repair_failed', { object: id.name, error });
    }
    this.pausedUntil = now + PAUSE_MS;
    return false;
  }

  run(now) {
    const work = { rowsRead: 0, rowsWritten: 0, failure: null };
    const core = new Core(sqlImport(this.ctx.storage.sql, work));
    const entropy = crypto.getRandomValues(new Uint8Array(ENTROPY_BYTES));
    const [, nameLength] = core.putTwo(entropy, this.ctx.id.name ?? '');
    const damaged = core.exports.object_repair(entropy.length + nameLength, this.kind, now);
    if (damaged < 0) throw new Error(core.text(core.exports.output(), -damaged));
    return damaged;
  }
}

/**
 * What clients are told after a turn has failed.
 * @param {{failure: string | null}} work of the turn
 */
export function detailOf({ failure }) {
  if (failure !== null && UNREADABLE.test(failure)) {
    return 'the storage behind this name is damaged beyond its rows; restore it from a backup';
  }
  return 'the queue failed and starts anew; try again';
}
