// What the platform has to load: the Worker's modules as workerd.capnp names them, compressed.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { ROOT } from '../../scripts/lib/tools.mjs';

/** @param {import('../sections.mjs').Context} context */
export async function measureBundle({ book }) {
  const configuration = readFileSync(path.join(ROOT, 'workerd.capnp'), 'utf8');
  const files = [...configuration.matchAll(/embed "([^"]+)"/g)].map(([, file]) => file);
  const sizes = files.map((file) => {
    const bytes = readFileSync(path.join(ROOT, file));
    return { plain: bytes.length, gzipped: gzipSync(bytes, { level: 9 }).length };
  });
  const sum = (key) => sizes.reduce((total, size) => total + size[key], 0) / 1000;
  const figure = { section: 'Bundle and start', unit: 'kB' };
  book.add({ ...figure, id: 'bundle/plain', title: 'bundle' }, sum('plain'));
  book.add({ ...figure, id: 'bundle/gzipped', title: 'bundle, gzipped' }, sum('gzipped'));
}
