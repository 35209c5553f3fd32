// A Worker that calls the object a path names, which stores nothing, or one row for each request
// where the query says so: what one object's flood does to another one on the platform itself.

import { DurableObject } from 'cloudflare:workers';

/** Keeps the last body, or none. */
export class Row extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    ctx.storage.sql.exec('CREATE TABLE IF NOT EXISTS bodies (id INTEGER PRIMARY KEY, body TEXT)');
  }

  async fetch(request) {
    const body = await request.text();
    if (request.url.endsWith('?row')) {
      this.ctx.storage.sql.exec('INSERT INTO bodies (body) VALUES (?)', body);
    }
    return new Response('hello');
  }
}

export default {
  fetch(request, env) {
    return env.ROW.getByName(new URL(request.url).pathname).fetch(request);
  },
};
