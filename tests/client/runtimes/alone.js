// The body as a program of its own, for Deno and Bun: `… alone.js http://127.0.0.1:8787`.

import * as tidegate from '../../../clients/typescript/index.js';
import { exercise } from './body.js';

const url = (globalThis.Deno?.args ?? process.argv.slice(2))[0];
console.log((await exercise(tidegate, url)).join(' '));
