// A function behind a queue, for Node: node function.mjs. Needs `npm install standardwebhooks`.
//
// A queue calls it for each order that was published, and what it answers becomes the order's
// result. SECRET is the queue's `push.secret`.

import http from 'node:http';
import { Webhook } from 'standardwebhooks';

const { SECRET, PORT = '8080' } = process.env;
const webhook = new Webhook(SECRET);
/** Receipts by message: a delivery is repeated when its answer was lost. */
const receipts = new Map();

http.createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString();
  let order;
  try {
    order = webhook.verify(body, request.headers);
  } catch {
    response.writeHead(401).end();
    return;
  }
  const id = request.headers['webhook-id'];
  if (!receipts.has(id)) receipts.set(id, `receipt ${receipts.size + 1} over ${order.amount}`);
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ result: { receipt: receipts.get(id) } }));
}).listen(Number(PORT), '127.0.0.1');
