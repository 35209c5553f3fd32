// What the client has to do in every runtime there is: one function, which uses nothing but what it
// is given and what the web has, so that it can be handed to a page as text.

/**
 * @param {typeof import('../../../clients/typescript/index.js')} tidegate
 * @param {string} url of a server that is open to anyone
 * @returns {Promise<string[]>} what was done, in order; rejects with what did not come out
 */
export async function exercise(tidegate, url) {
  const { SoldOutError, Tidegate } = tidegate;
  const done = [];
  const client = new Tidegate({ url });
  const name = `everywhere-${Math.random().toString(36).slice(2)}`;
  const equal = (found, wanted) => {
    const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
    if (a !== b) throw new Error(`${b} was expected, there is ${a}, after ${done.join(', ')}`);
  };
  const until = async (holds) => {
    for (let left = 500; !holds(); left -= 1) {
      if (left === 0) throw new Error(`it never came about, after ${done.join(', ')}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const queue = client.queue(name);
  const { capacity } = await queue.configure({ capacity: { maxAccepted: 101 } });
  equal(capacity.maxAccepted, 101);

  const single = await queue.publish({ n: 0 }, { key: 'k', attributes: { region: 'eu' } });
  equal([single.seq, single.position], [1, 1]);
  done.push('publish');

  const numbers = Array.from({ length: 100 }, (_, n) => n + 1);
  const accepted = await Promise.all(numbers.map((n) => queue.publish({ n })));
  equal(accepted.map(({ seq }) => seq), numbers.map((n) => n + 1));
  done.push('batch');

  const refusal = await queue.publish('too late').catch((error) => error);
  equal([refusal instanceof SoldOutError, refusal.status], [true, 410]);
  done.push('refusal');

  const result = queue.message(single.id).result();
  const stop = new AbortController();
  const seen = [];
  await queue.consume(async (message) => {
    seen.push(message.json().n);
    if (seen.length === 101) stop.abort();
    return { doubled: message.json().n * 2, key: message.key };
  }, { signal: stop.signal, concurrency: 50 });
  equal(seen.sort((a, b) => a - b), [0, ...numbers]);
  done.push('consume', 'ack');
  equal(await result, { doubled: 0, key: 'k' });
  done.push('result');

  const gone = new AbortController();
  const waiting = queue.pull({ waitMs: 20_000, signal: gone.signal }).catch((error) => error);
  setTimeout(() => gone.abort(new Error('enough')), 50);
  equal((await waiting).message, 'enough');
  done.push('abort');

  const topic = client.topic(name);
  const ways = typeof WebSocket === 'undefined' ? ['events'] : ['events', 'websocket'];
  for (const transport of ways) {
    const leave = new AbortController();
    const heard = [];
    let isOpen = false;
    const onState = (state) => (isOpen = state === 'open');
    const reading = (async () => {
      const options = { transport, signal: leave.signal, onState };
      for await (const message of topic.subscribe(options)) heard.push(message.text());
    })();
    await until(() => isOpen);
    for (const body of ['one', 'ünï🌊']) await topic.publish(body);
    await until(() => heard.length === 2);
    leave.abort();
    await reading;
    equal(heard, ['one', 'ünï🌊']);
    done.push(transport);
  }
  const log = [];
  for await (const { seq } of topic.log()) log.push(seq);
  equal(log.length, 2 * ways.length);
  done.push('log');
  await Promise.all([queue.delete(), topic.delete()]);
  return done;
}
