// Many WebSocket clients in a process of their own, as light as they can be: they complete the
// handshake, say what they are told to, and count messages. Ordered about by fanout.mjs.

import net from 'node:net';

/** Handshakes under way at a time. */
const OPENING_MAX = 64;
const NEEDLE = Buffer.from('"type":"message"');
const HEAD_END = '\r\n\r\n';
/** A mask of zeroes leaves a frame as it is. */
const MASKED = 0x80;
const TEXT = 0x81;
const SHORT_MAX = 125;

let messages = 0;
let latest = 0;
const sockets = [];

/** A client's text frame; its texts are short. */
function frameOf(text) {
  const bytes = Buffer.from(text);
  if (bytes.length > SHORT_MAX) throw new Error('the text is too long');
  return Buffer.concat([Buffer.from([TEXT, MASKED | bytes.length, 0, 0, 0, 0]), bytes]);
}

function open({ port, path, says }) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: '127.0.0.1', port, noDelay: true });
    let head = '';
    let rest = Buffer.alloc(0);
    const count = (bytes) => {
      const all = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      let end = 0;
      for (let at = all.indexOf(NEEDLE); at >= 0; at = all.indexOf(NEEDLE, end)) {
        messages += 1;
        end = at + NEEDLE.length;
      }
      latest = performance.now();
      rest = Buffer.from(all.subarray(Math.max(end, all.length - NEEDLE.length + 1)));
    };
    const greet = (bytes) => {
      head += bytes.toString('latin1');
      const end = head.indexOf(HEAD_END);
      if (end < 0) return;
      if (!head.startsWith('HTTP/1.1 101')) {
        reject(new Error(head));
        return;
      }
      socket.off('data', greet).on('data', count);
      if (says) socket.write(frameOf(says));
      resolve(socket);
    };
    socket.on('data', greet);
    socket.on('error', (error) => reject(new Error(`socket ${sockets.length}: ${error.message}`)));
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
    );
  });
}

async function openAll({ count, ...rest }) {
  const lane = async () => {
    while (sockets.length + opening < count) {
      opening += 1;
      const socket = await open(rest);
      opening -= 1;
      sockets.push(socket);
    }
  };
  let opening = 0;
  await Promise.all(Array.from({ length: OPENING_MAX }, lane));
}

process.on('message', async ({ what, ...rest }) => {
  if (what === 'open') await openAll(rest);
  if (what === 'reset') messages = 0;
  if (what === 'close') for (const socket of sockets.splice(0)) socket.destroy();
  process.send({ messages, latest: performance.timeOrigin + latest, sockets: sockets.length });
});
