// The body in a Worker: everything happens within one request.

import * as tidegate from './clients/typescript/index.js';
import { exercise } from './body.js';

export default {
  async fetch(request) {
    const url = new URL(request.url).searchParams.get('url');
    try {
      return new Response((await exercise(tidegate, url)).join(' '));
    } catch (error) {
      return new Response(`${error.stack}`, { status: 500 });
    }
  },
};
