// A server as there are many: it does its work well, ten times a second, and falls over when more
// is asked of it. node server.mjs

import http from 'node:http';

const PER_SECOND = 10;
const { PORT = '8081' } = process.env;
const calls = [];
const orders = [];

http.createServer(async (request, response) => {
  if (request.method === 'GET') {
    response.end(JSON.stringify({ orders, fallen: orders.includes(null) }));
    return;
  }
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const now = performance.now();
  calls.push(now);
  const busy = calls.filter((at) => now - at < 1000).length > PER_SECOND;
  // Once too many, and the order is gone.
  orders.push(busy ? null : Buffer.concat(chunks).toString());
  response.writeHead(busy ? 500 : 204).end();
}).listen(Number(PORT), '127.0.0.1');
