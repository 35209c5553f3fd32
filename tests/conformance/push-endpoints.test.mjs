// A queue must not become a way into the network that it stands in: which URLs it refuses to call.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertProblem, useServer } from './support.mjs';

const tide = useServer({ ALLOW_PRIVATE_TARGETS: 'false' });

/** What leads inside, or may be read as leading somewhere else than it says: by what it is. */
const REFUSED = {
  'not HTTP over TLS': ['http://example.com/', 'HTTP://example.com/', 'ws://example.com/'],
  'another scheme': [
    'ftp://example.com/', 'file:///etc/passwd', 'gopher://example.com:70/_', 'data:text/plain,x',
    'javascript:alert(1)', 'dict://example.com:11211/', 'ldap://example.com/', 'blob:https://a.b/c',
  ],
  'no URL': ['', 'example.com', '//example.com/', '/hook', 'https:', 'https:/example.com'],
  'no host': ['https://', 'https:///x', 'https://?x', 'https://:443/'],
  'credentials': [
    'https://user@example.com/', 'https://user:secret@example.com/',
    'https://example.com@127.0.0.1/', 'https://127.0.0.1@example.com/',
  ],
  'a parser’s trap': [
    'https://example.com\\@127.0.0.1/', 'https://example.com\\.evil.example/',
    'https://exa mple.com/', 'https://example.com/a b', 'https://exa\tmple.com/',
    'https://example.com/\r\nHost: inside', 'https://example.com/\u0000', 'https://[::1',
    'https://[::1]x/', 'https://[example.com]/', 'https://example.com#@127.0.0.1/',
  ],
  'a port': [
    'https://example.com:0/', 'https://example.com:22/', 'https://example.com:25/',
    'https://example.com:99999/', 'https://example.com:/', 'https://example.com:+443/',
    'https://example.com:0x1bb/', 'https://example.com:443:443/',
  ],
  'this host by name': [
    'https://localhost/', 'https://LOCALHOST/', 'https://localhost./', 'https://a.localhost/',
    'https://localhost.localdomain/',
  ],
  'a network of one’s own by name': [
    'https://printer.local/', 'https://router.home.arpa/', 'https://db.internal/',
    'https://wiki.corp/', 'https://nas.lan/', 'https://a.intranet/', 'https://database/',
  ],
  'metadata of a cloud by name': [
    'https://metadata.google.internal/computeMetadata/v1/', 'https://metadata/',
    'https://instance-data.ec2.internal/',
  ],
  'this host by address': [
    'https://127.0.0.1/', 'https://127.0.0.1./', 'https://127.255.255.254/', 'https://0.0.0.0/',
  ],
  'an address written in another way': [
    'https://127.1/', 'https://127.0.1/', 'https://2130706433/', 'https://017700000001/',
    'https://0x7f000001/', 'https://0x7f.0.0.1/', 'https://0177.0.0.1/', 'https://127.0.0.01/',
    'https://127.0.0.1.0/', 'https://256.1.1.1/', 'https://0X7F.1/', 'https://1.1.1.1e0/',
  ],
  'a private address': [
    'https://10.1.2.3/', 'https://172.16.0.1/', 'https://172.31.255.255/', 'https://192.168.1.1/',
  ],
  'a shared or link-local address': [
    'https://100.64.0.1/', 'https://100.127.255.255/', 'https://169.254.0.1/',
  ],
  'metadata of a cloud by address': [
    'https://169.254.169.254/latest/meta-data/', 'https://169.254.170.2/v2/credentials/',
    'https://100.100.100.200/', 'https://168.63.129.16/', 'https://192.0.0.192/',
  ],
  'an address for documents, tests or protocols': [
    'https://192.0.2.1/', 'https://198.51.100.1/', 'https://203.0.113.1/', 'https://198.18.0.1/',
    'https://192.0.0.1/', 'https://192.88.99.1/',
  ],
  'an address of many': ['https://224.0.0.1/', 'https://240.0.0.1/', 'https://255.255.255.255/'],
  'this host in IPv6': ['https://[::1]/', 'https://[0:0:0:0:0:0:0:1]/', 'https://[::]/'],
  'IPv4 within IPv6': [
    'https://[::ffff:127.0.0.1]/', 'https://[::ffff:7f00:1]/', 'https://[::127.0.0.1]/',
    'https://[::ffff:0:127.0.0.1]/', 'https://[64:ff9b::7f00:1]/', 'https://[64:ff9b:1::7f00:1]/',
    'https://[2002:7f00:1::]/', 'https://[2001::1]/', 'https://[::ffff:169.254.169.254]/',
  ],
  'an address in IPv6 that is not public': [
    'https://[fe80::1]/', 'https://[fe80::1%25eth0]/', 'https://[fc00::1]/',
    'https://[fd00:ec2::254]/', 'https://[fec0::1]/', 'https://[ff02::1]/', 'https://[2001:db8::1]/',
    'https://[100::1]/', 'https://[3fff::1]/', 'https://[5f00::1]/',
  ],
  'a name that is none': [
    'https://%6c%6f%63alhost/', 'https://ⓛocalhost/', 'https://127。0。0。1/', 'https://１２７.0.0.1/',
    'https://example..com/', 'https://.example.com/', 'https://-example.com/',
    `https://${'a'.repeat(64)}.example/`, `https://${'a.'.repeat(127)}example/`,
    `https://example.com/${'a'.repeat(2_048)}`,
  ],
};

for (const [what, urls] of Object.entries(REFUSED)) {
  test(`not called: ${what}`, async () => {
    for (const url of urls) {
      const queue = await tide.queue();
      const answer = await queue.request('PUT', '', { json: { push: { url } } });
      const problem = assertProblem(answer, {
        status: 400, type: 'bad-request', field: 'push.url',
      });
      assert.ok(problem.detail.length > 10, `${url}: ${problem.detail}`);
      assert.equal((await queue.request('GET')).status, 404, `${url} made a queue`);
      const subscription = `/v1/topics/${queue.name}/subscriptions/s`;
      const json = { target: { url } };
      const refused = await tide.request('PUT', subscription, { json });
      assertProblem(refused, { status: 400, type: 'bad-request', field: 'target.url' });
      const topic = await tide.request('GET', `/v1/topics/${queue.name}`);
      assert.equal(topic.status, 404, `${url} made a topic`);
    }
  });
}

test('there are as many as a reader would think of, and more', () => {
  assert.ok(Object.values(REFUSED).flat().length >= 100);
});

test('a public URL is taken', async () => {
  for (const url of [
    'https://example.com/hook?a=b', 'https://example.com:8443/', 'https://93.184.216.34/',
    'https://[2606:4700::1111]/', 'https://xn--bcher-kva.example/', `https://a_b.example.co.uk/~x`,
  ]) {
    const queue = await tide.queue();
    const { status, json } = await queue.request('PUT', '', { json: { push: { url } } });
    assert.deepEqual([status, json.push?.url], [201, url]);
  }
});

test('not called by a pattern’s subscription either, nor by one that is changed', async () => {
  const path = `/v1/topics/${tide.name('p')}%2F%23/subscriptions/s`;
  const put = (url) => tide.request('PUT', path, { json: { target: { url } } });
  const field = 'target.url';
  assertProblem(await put('https://10.1.2.3/'), { status: 400, type: 'bad-request', field });
  assert.equal((await tide.request('GET', path)).status, 404);
  assert.equal((await put('https://example.com/')).status, 201);
  assertProblem(await put('https://10.1.2.3/'), { status: 400, type: 'bad-request', field });
  assert.equal((await tide.request('GET', path)).json.target.url, 'https://example.com/');
});
