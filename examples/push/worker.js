// A function behind a queue, as a Worker, on Cloudflare or on workerd: see worker.capnp.
//
// A queue calls it for each order that was published, and what it answers becomes the order's
// result. The secret SECRET is the queue's `push.secret`. Deliveries may be repeated: whoever does
// more than this one remembers `webhook-id`, in a Durable Object or a database.

const TOLERANCE_S = 300;

export default {
  async fetch(request, env) {
    const body = await request.arrayBuffer();
    if (!(await isGenuine(request.headers, body, env.SECRET))) {
      return new Response(null, { status: 401 });
    }
    const order = JSON.parse(new TextDecoder().decode(body));
    return Response.json({ result: { receipt: `receipt over ${order.amount}` } });
  },
};

/** Whether one of the signatures is that of the secret, and not an old one sent again. */
async function isGenuine(headers, body, secret) {
  const timestamp = headers.get('webhook-timestamp');
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) <= TOLERANCE_S)) return false;
  const head = new TextEncoder().encode(`${headers.get('webhook-id')}.${timestamp}.`);
  const signed = new Uint8Array(head.length + body.byteLength);
  signed.set(head);
  signed.set(new Uint8Array(body), head.length);
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const bytes = fromBase64(secret.replace(/^whsec_/, ''));
  const key = await crypto.subtle.importKey('raw', bytes, algorithm, false, ['verify']);
  for (const each of (headers.get('webhook-signature') ?? '').split(' ')) {
    const [version, signature] = each.split(',');
    if (version !== 'v1') continue;
    // In constant time, as a comparison of texts is not.
    if (await crypto.subtle.verify(algorithm, key, fromBase64(signature), signed)) return true;
  }
  return false;
}

function fromBase64(text = '') {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return new Uint8Array(0);
  }
}
