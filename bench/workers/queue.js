// HTTP in front of the queue that comes with workerd: one message a request, or a batch of them in
// the form that Tidegate takes.

export default {
  async fetch(request, env) {
    if (request.url.endsWith('/batch')) {
      const { messages } = await request.json();
      await env.QUEUE.sendBatch(messages.map(({ body }) => ({ body, contentType: 'text' })));
    } else {
      await env.QUEUE.send(await request.text(), { contentType: 'text' });
    }
    return new Response(null, { status: 202 });
  },
};
