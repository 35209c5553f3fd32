// A Worker that calls an object which stores nothing: what the platform can do at most with one
// object.

import { DurableObject } from 'cloudflare:workers';

/** Answers without looking at anything. */
export class Empty extends DurableObject {
  async fetch() {
    return new Response('hello');
  }
}

export default {
  async fetch(request, env) {
    return env.EMPTY.getByName('one').fetch(request);
  },
};
