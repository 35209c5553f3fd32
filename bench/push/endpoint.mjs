// An endpoint in a process of its own, so that it can be killed: it fails, it hangs, and it writes
// down every call the moment its head comes in. Usage: endpoint.mjs PORT LOG FAIL_PERCENT HANG_PERCENT

import { openSync, writeSync } from 'node:fs';
import http from 'node:http';

const [port, log, failPercent, hangPercent] = process.argv.slice(2);
const file = openSync(log, 'a');
const BEGAN = performance.timeOrigin;

const server = http.createServer((request, response) => {
  const at = BEGAN + performance.now();
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const dice = Math.random() * 100;
    const fate = dice < failPercent ? 'fail' : dice < +failPercent + +hangPercent ? 'hang' : 'done';
    // Written before the answer: what was acknowledged is in the log, whatever happens next.
    writeSync(file, `${at.toFixed(3)} ${fate} ${Buffer.concat(chunks)}\n`);
    if (fate === 'hang') return;
    response.writeHead(fate === 'fail' ? 500 : 204);
    response.end();
  });
});
server.keepAliveTimeout = 60_000;
server.listen(Number(port), '127.0.0.1', () => process.send?.('ready'));
