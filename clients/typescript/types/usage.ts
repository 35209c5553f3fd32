// What the types must allow and what they must not: compiled, never run. A line that must
// not compile is marked; one that does is a mistake in the types.

import {
  type Accepted, type LeasedMessage, type MessageState, NoResultError, type Queue, SoldOutError,
  Tidegate, TidegateError,
} from 'tidegate';

interface Order {
  sku: string;
}

const client = new Tidegate({
  url: new URL('https://example.com'),
  token: async () => 'secret',
  fetch,
  headers: { 'x-team': 'sales' },
  timeoutMs: 5_000,
  retry: { attempts: 3, refusals: true },
});
const queue: Queue = client.queue('orders', { lingerMs: 2, ordered: true, ackLingerMs: 1 });

export async function publishing(signal: AbortSignal): Promise<string> {
  const order: Order = { sku: 'A-1' };
  const accepted: Accepted = await queue.publish(order, {
    key: 'ada', priority: 9, attributes: { region: 'eu' }, idempotencyKey: null, signal,
  });
  await queue.publish('text', { delayMs: 1, ttlMs: 2, holdMs: 3, contentType: 'text/plain' });
  await queue.publish(new Uint8Array(1));
  await queue.ready({ signal });
  await queue.flush();
  await queue.close();
  const position: number | undefined = accepted.position;
  return `${accepted.id} ${accepted.seq} ${position}`;
}

export async function consuming(signal: AbortSignal): Promise<void> {
  const filter = "region = 'eu'";
  const messages: LeasedMessage[] = await queue.pull({ batchSize: 10, waitMs: 1, filter });
  for (const message of messages) {
    const { sku } = message.json<Order>();
    const bytes: Uint8Array = message.body;
    await message.extend(30_000);
    if (bytes.length === 0) await message.retry({ delayMs: 1_000 });
    else if (message.attempts > 1) await message.release();
    else await message.ack({ sku });
  }
  await queue.consume(
    async (message, context) => {
      context.signal.throwIfAborted();
      return { text: message.text() };
    },
    { concurrency: 8, autoExtend: false, signal, onError: (error, from) => [error, from?.id] },
  );
  for await (const message of queue.messages({ batchSize: 5, signal })) await message.ack();
}

export async function following(id: string): Promise<MessageState> {
  const message = queue.message(id);
  const result: Order = await message.result<Order>();
  for await (const { state, position } of message.states()) {
    if (state === 'queued') String(position);
  }
  await message.confirm();
  await message.cancel();
  return { ...(await message.state({ waitMs: 1_000 })), result };
}

export async function operating(): Promise<void> {
  const { capacity, depth } = await queue.configure({
    capacity: { maxAccepted: 100, overflow: 'reject', publishRate: { perSecond: 1, per: 'key' } },
    delivery: { backoff: { initialMs: 10 }, order: 'fifo', deadLetterQueue: null },
  });
  const most: number | null | undefined = capacity.maxAccepted;
  const moved: number = (await queue.redrive()).moved;
  for await (const { name } of client.queues({ pageSize: 10 })) name.toUpperCase();
  for (const message of await queue.browse({ limit: 1, afterSeq: 7 })) message.text();
  await Promise.all([queue.purge(), queue.pause(), queue.resume(), queue.delete()]);
  await queue.describe();
  String([depth, most, moved]);
}

export function failing(error: unknown): number | undefined {
  if (error instanceof SoldOutError) return error.status;
  if (error instanceof NoResultError) return error.state.length;
  return error instanceof TidegateError && error.retryable ? error.retryAfterMs : undefined;
}

export async function refused(): Promise<void> {
  // @ts-expect-error a client needs to know where its server is
  new Tidegate({});
  // @ts-expect-error the options have units
  await queue.publish('x', { delay: 5 });
  // @ts-expect-error there is no message in nothing
  await queue.publish(undefined);
  // @ts-expect-error an order is one of three
  await queue.configure({ delivery: { order: 'random' } });
  // @ts-expect-error what was looked at is not leased
  await (await queue.browse())[0]?.ack();
  // @ts-expect-error queues come from a client
  new (await import('tidegate')).Queue();
}

export async function topics(signal: AbortSignal): Promise<string> {
  const chat = client.topic('chat/lounge', { lingerMs: 1 });
  await chat.configure({ persistence: 'memory', maxMessages: null });
  const { seq } = await chat.publish({ text: 'hi' }, { key: 'ada', expectSeq: 0, signal });
  const { messages, nextSeq } = await chat.read({ fromSeq: 'last_per_key', limit: 10, waitMs: 5 });
  for await (const message of chat.log({ fromSeq: nextSeq, filter: { key: ['ada'] } })) {
    message.text();
  }
  const options = { fromSeq: seq, member: 'ada', transport: 'events', signal } as const;
  for await (const message of chat.subscribe({
    ...options,
    onState: (state, error) => [state === 'open', error?.type],
    onPresence: (members, { joined, left }) => [members.length, joined[0], left[0]],
    onLagged: ({ behind, missed }) => behind + missed,
  })) {
    message.json<Order>().sku.toUpperCase();
  }
  const mail = chat.subscription('mail', { ackLingerMs: 1 });
  await mail.configure({ filter: "wants = 'mail'", from: 'earliest', delivery: { order: 'key' } });
  await mail.consume(async (message) => message.text(), { signal, concurrency: 2 });
  await Promise.all([mail.pause(), mail.resume(), mail.seek({ atMs: 0 }), mail.delete()]);
  for await (const { name, lag } of chat.subscriptions({ pageSize: 3 })) `${name}${lag}`;
  for await (const { name, lastSeq } of client.topics()) `${name}${lastSeq}`;
  const { status, json } = await client.request('GET', '/healthz', { signal });
  return `${messages[0]?.seq} ${status} ${json.status}`;
}

export async function refusedOfTopics(): Promise<void> {
  const topic = client.topic('t');
  // @ts-expect-error a log has no place for a delay
  await topic.publish('x', { delayMs: 5 });
  // @ts-expect-error a message of a topic is not leased
  for await (const message of topic.subscribe()) await message.ack();
  // @ts-expect-error one of two
  await topic.subscription('s').seek({ seq: 'tomorrow' });
}
