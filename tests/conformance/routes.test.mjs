// Every route there is, walked with no, wrong, expired, narrower, foreign and right credentials. The
// routes come from the interface's own document, so that a new one is walked, too.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { bearer, inSeconds, jwt, routesOf } from './jwt.mjs';
import { Tide, assertProblem } from './support.mjs';

const ADMIN = 'correct-horse-battery-staple';
const SECRET = 'a secret of thirty-two bytes or more';
const VERBS = ['publish', 'consume', 'subscribe', 'manage', 'observe'];
const UNAUTHORIZED = { status: 401, type: 'unauthorized' };
const FORBIDDEN = { status: 403, type: 'forbidden' };

describe('every route', () => {
  const tide = new Tide();
  let routes = [];
  before(async () => {
    await tide.start({ ADMIN_TOKEN: ADMIN, TOKEN_SECRET: SECRET });
    const document = await tide.request('GET', '/v1/openapi.json', { headers: bearer(ADMIN) });
    routes = routesOf(document.json);
    assert.ok(routes.length > 35, `${routes.length} routes`);
  });
  after(() => tide.stop());

  const ask = ({ method, path }, token) =>
    tide.request(method, path, { headers: token === undefined ? {} : bearer(token) });
  const closed = () => routes.filter(({ scopes }) => scopes !== null);
  const scoped = () => closed().filter(({ scopes }) => scopes[0].length > 0);

  const refuse = async (route, token, expected, what) => {
    const answer = await ask(route, token);
    const name = `${route.method} ${route.path}: ${what}`;
    assert.equal(answer.status, expected.status, `${name}: ${answer}`);
    if (route.method !== 'HEAD') assertProblem(answer, expected);
    if (expected === UNAUTHORIZED) assert.match(answer.headers['www-authenticate'], /^Bearer\b/);
    const secret = token?.split('.').at(-1);
    if (secret) assert.ok(!answer.text.includes(secret), `${name}: the token is in the answer`);
  };

  test('takes no request without credentials, but for those that are for everybody', async () => {
    for (const route of closed()) await refuse(route, undefined, UNAUTHORIZED, 'nothing');
    const open = routes.filter(({ scopes }) => scopes === null).map(({ path }) => path);
    assert.deepEqual(open.sort(), ['/.well-known/jwks.json', '/healthz']);
    for (const path of open) assert.equal((await ask({ method: 'GET', path })).status, 200, path);
  });

  test('takes no wrong or expired token', async () => {
    const scope = VERBS.map((verb) => `${verb}:*`).join(' ');
    const wrong = [
      jwt({ scope }, `${SECRET}r`),
      jwt({ scope, exp: inSeconds(-31) }, SECRET),
      jwt({ scope, nbf: inSeconds(60) }, SECRET),
      jwt({ scope, exp: undefined }, SECRET),
      jwt({ scope }, SECRET, { alg: 'none' }),
      `${jwt({ scope }, SECRET).split('.').slice(0, 2).join('.')}.`,
      `${ADMIN}x`,
    ];
    for (const route of closed()) {
      for (const token of wrong) await refuse(route, token, UNAUTHORIZED, token);
    }
  });

  test('takes no token of a scope that is too narrow, or of another name', async () => {
    for (const route of scoped()) {
      const enough = route.scopes.map(([scope]) => scope.split(':')[0]);
      const lacking = VERBS.filter((verb) => !enough.includes(verb));
      const all = route.scopes[0][0].endsWith(':*');
      const narrow = [
        '', lacking.map((verb) => `${verb}:*`).join(' '),
        enough.flatMap((verb) => [`${verb}:other`, `${verb}:walked/#x`, `${verb}:walked/+`]).join(' '),
        enough.map((verb) => `${verb}:${all ? '+' : 'walke'}`).join(' '),
      ];
      for (const scope of narrow) await refuse(route, jwt({ scope }, SECRET), FORBIDDEN, scope);
    }
  });

  test('takes a token of each scope that it says will do', async () => {
    for (const route of closed()) {
      for (const [scope = ''] of route.scopes) {
        const wider = scope.replace('walked', 'walk*');
        for (const scopes of [scope, `openid ${wider}`, [wider]]) {
          const answer = await ask(route, jwt({ scope: scopes }, SECRET));
          const name = `${route.method} ${route.path} with ${scopes}`;
          assert.ok(![401, 403].includes(answer.status) && answer.status < 500, `${name}: ${answer}`);
        }
      }
      const answer = await ask(route, ADMIN);
      assert.ok(![401, 403].includes(answer.status), `${route.method} ${route.path}: ${answer}`);
    }
  });
});
