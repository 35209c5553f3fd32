// What npm start says once the server answers: where everything is, who may use it, what to try.

import { authority } from './settings.mjs';

const TOKEN_HINT = '-H "Authorization: Bearer $ADMIN_TOKEN"';

/**
 * @param {import('./settings.mjs').Settings} settings
 * @param {{ url: string, port: number }} server
 * @param {string} version
 * @returns {string}
 */
export function welcome(settings, server, version) {
  const token = settings.access === 'token' ? ` ${TOKEN_HINT}` : '';
  const listening = authority(settings.host, server.port);
  return [
    '',
    `Tidegate ${version} is ready on ${listening}`,
    '',
    `  Console   ${server.url}/`,
    `  API       ${server.url}/v1`,
    `  Data      ${settings.dataDir}`,
    ...accessLines(settings).map((line, i) => `  ${(i === 0 ? 'Access' : '').padEnd(10)}${line}`),
    '',
    `  Publish   curl${token} -d 'hello' ${server.url}/v1/queues/demo/messages`,
    '  Stop      Ctrl-C',
    '',
  ].join('\n');
}

function accessLines({ access, env }) {
  if (access === 'open') {
    return ['open to anyone on this machine; ADMIN_TOKEN=<a long secret> npm start closes it'];
  }
  if (access === 'token') return [`with the token in ADMIN_TOKEN: ${TOKEN_HINT}`];
  const why = env.AUTH === 'none' ? '; AUTH=none holds on loopback only' : '';
  return [
    `closed, since other machines can reach this address${why}`,
    'to open it, stop and set a token: ADMIN_TOKEN=<a long secret> npm start',
  ];
}
