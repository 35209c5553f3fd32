// A way to a server that can be cut: a TCP proxy on a port of its own.

import { once } from 'node:events';
import net from 'node:net';

/** @param {() => number} portOf the port of the server behind it, asked at each connection */
export async function openProxy(portOf) {
  const pairs = new Set();
  const proxy = { connections: 0, isOpen: true };
  const server = net.createServer((near) => {
    proxy.connections += 1;
    if (!proxy.isOpen) return near.destroy();
    const far = net.connect(portOf(), '127.0.0.1');
    const pair = [near, far];
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      for (const socket of pair) socket.destroy();
    };
    for (const socket of pair) socket.on('error', end).on('close', end);
    near.pipe(far).pipe(near);
    return undefined;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(proxy, {
    url: `http://127.0.0.1:${server.address().port}`,
    /** Cuts all that go through it, without a word; says how many those were. */
    cut() {
      const { size } = pairs;
      for (const pair of pairs) for (const socket of pair) socket.destroy();
      return size;
    },
    close() {
      proxy.cut();
      server.close();
    },
  });
}
