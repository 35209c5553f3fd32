// Puts the console's pages and the client library that they use into one directory, as Cloudflare's
// store of assets wants it. workerd serves them from where they are.

import { cpSync, mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from './tools.mjs';

/** The directory that wrangler.toml names. */
const TARGET = path.join(ROOT, 'build', 'www');
/** What of the library a page can load. */
const CLIENT_PARTS = ['index.js', 'src'];

/** Makes build/www anew. */
export function assemblePages() {
  rmSync(TARGET, { recursive: true, force: true });
  mkdirSync(TARGET, { recursive: true });
  cpSync(path.join(ROOT, 'www'), TARGET, { recursive: true });
  for (const part of CLIENT_PARTS) {
    const from = path.join(ROOT, 'clients', 'typescript', part);
    cpSync(from, path.join(TARGET, 'client', part), { recursive: true });
  }
}
