// `node bench/flight.mjs [peer …] [--size BYTES] [--count MESSAGES] [--rounds N]`: messages with 256
// on the way, as in the table of the same name, with the CPU time that each end spends on one.
// Figures of a single size, in turns, for whoever works on them.

import { parseArgs } from 'node:util';
import { textBody } from './body.mjs';
import { PEERS } from './peers/index.mjs';
import { IN_FLIGHT } from './peers/window.mjs';
import { cpuMs } from './servers/process.mjs';

const WARM_UP_MESSAGES = 20_000;
const MICROSECONDS_PER_MS = 1000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    size: { type: 'string', default: '128' },
    count: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '3' },
    port: { type: 'string' },
  },
});
const body = textBody(Number(values.size));
const count = Number(values.count);
const names = positionals.length > 0 ? positionals : ['tidegate', 'tidegate-batches'];

/** One run of `count` messages: rate, and CPU time at both ends. */
async function measure(pid, run) {
  const server = pid === undefined ? undefined : cpuMs(pid);
  const own = process.cpuUsage();
  const began = performance.now();
  await run();
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(own);
  const spent = server === undefined ? undefined : cpuMs(pid) - server;
  return {
    rate: count / seconds,
    client: (user + system) / count,
    server: spent === undefined ? undefined : (spent * MICROSECONDS_PER_MS) / count,
  };
}

function line(name, operation, { rate, client, server }) {
  const cpu = server === undefined ? '' : `  server ${server.toFixed(2)} µs/msg`;
  const figures = `${Math.round(rate).toLocaleString('en').padStart(9)} msg/s`;
  console.log(`${name.padEnd(18)} ${operation.padEnd(4)} ${figures}  client ${client.toFixed(2)}${cpu}`);
}

for (let round = 1; round <= Number(values.rounds); round += 1) {
  for (const name of names) {
    const peer = PEERS.find((each) => each.name === name);
    if (!peer) throw new Error(`no peer is called ${name}`);
    const running = await peer.start(values.port && Number(values.port));
    try {
      await running.prepare();
      await running.publish(body, Math.max(IN_FLIGHT, WARM_UP_MESSAGES));
      await running.consume(Math.max(IN_FLIGHT, WARM_UP_MESSAGES));
      // A pull that was given up may have been answered on its way: what it leased comes back late.
      await running.prepare();
      line(name, 'in', await measure(running.pid, () => running.publish(body, count)));
      line(name, 'out', await measure(running.pid, () => running.consume(count)));
    } finally {
      await running.stop();
    }
  }
}
