// The document of the interface. It is a section of the core's file, beside its code and not in its
// memory, of which each object has its own.

import module from '../build/tidegate.wasm';

const [bytes] = WebAssembly.Module.customSections(module, 'openapi');
const headers = {
  'content-type': 'application/json',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
};

/** @returns {Response} */
export function document() {
  return new Response(bytes, { headers });
}
