// Copies the databases of a data directory, each as it is at one instant, while a server may be
// writing to them. Runs in a Node that has SQLite (`backup.mjs` finds one): `node copy-databases.mjs
// FROM TO`. Prints how many it copied.
//
// SQLite itself makes each copy (VACUUM INTO): a read transaction sees one commit and all before
// it, whatever a writer in another process adds meanwhile. Copying files would not be safe, nor
// would closing the server's own descriptors: so no file of a database is opened but by SQLite.

import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** How long a copy waits for a writer's lock. */
const BUSY_MS = 10_000;
/** Alarms; copied last, so that every object that is in the copy has its alarm there. */
const ALARMS = 'metadata.sqlite';

/** Names of the databases in a folder, that of the alarms last. */
function databasesIn(folder) {
  const names = readdirSync(folder).filter((name) => name.endsWith('.sqlite') && name !== ALARMS);
  return existsSync(path.join(folder, ALARMS)) ? [...names, ALARMS] : names;
}

function copy(from, to) {
  // Read only: the last reader to close tidies up nothing that a server is about to open.
  const database = new DatabaseSync(from, { readOnly: true });
  try {
    database.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
    database.prepare('VACUUM INTO ?').run(to);
  } finally {
    database.close();
  }
}

const [from, to] = process.argv.slice(2);
let copied = 0;
for (const entry of readdirSync(from, { withFileTypes: true })) {
  if (!entry.isDirectory()) continue;
  mkdirSync(path.join(to, entry.name), { recursive: true });
  for (const name of databasesIn(path.join(from, entry.name))) {
    const database = path.join(from, entry.name, name);
    try {
      copy(database, path.join(to, entry.name, name));
      copied += 1;
    } catch (error) {
      // A queue that was deleted while the copy was under way has no file any more.
      if (existsSync(database)) throw error;
    }
  }
}
console.log(copied);
