// A Worker that hands batches to a consumer, as Cloudflare Queues does: a POST to /QUEUE with
// [{ id, text | json | base64 }, …] is answered with what the consumer said of them.

const bodyOf = ({ text, json, base64 }) =>
  text ?? json ?? Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));

export default {
  async fetch(request, env) {
    const queue = decodeURIComponent(new URL(request.url).pathname.slice(1));
    const messages = (await request.json()).map((it) => ({
      id: it.id, timestamp: new Date(), attempts: 1, body: bodyOf(it),
    }));
    return Response.json(await env.TIDEGATE.queue(queue, messages));
  },
};
