// The server that users register at: POST /serial, /parallel or /tidegate, with a name as the body.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { inParallel, serially, throughTidegate } from './registration.mjs';

const NAME_BYTES_MAX = 256;

/**
 * @param {import('./registration.mjs').World} world
 * @param {import('../../clients/typescript/index.js').Topic} registered
 * @returns {Promise<{ url: string, close: () => void }>}
 */
export async function openServer(world, registered) {
  const ways = {
    '/serial': serially,
    '/parallel': inParallel,
    '/tidegate': throughTidegate,
  };
  const server = createServer(async (request, response) => {
    const register = request.method === 'POST' && ways[request.url];
    try {
      const name = await bodyOf(request);
      if (!register || name === '') {
        response.writeHead(register ? 400 : 404).end();
        return;
      }
      await register(world, name, registered);
      response.writeHead(201).end();
    } catch (error) {
      response.writeHead(503, { 'content-type': 'text/plain' }).end(`${error.message}\n`);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${server.address().port}`, close };
}

async function bodyOf(request) {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk;
    if (text.length > NAME_BYTES_MAX) throw new Error('the name is too long');
  }
  return text.trim();
}
