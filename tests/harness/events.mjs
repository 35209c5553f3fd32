// Server-Sent Events for tests: blocks as they come, and the right to leave at any moment.

/**
 * @param {string} url
 * @param {Record<string, string>} [headers]
 */
export async function openEvents(url, headers = {}) {
  const abort = new AbortController();
  const response = await fetch(url, { headers, signal: abort.signal });
  if (response.status !== 200) {
    throw Object.assign(new Error(`status ${response.status}`), { response });
  }
  return new Events(response, abort);
}

class Events {
  constructor(response, abort) {
    this.response = response;
    this.abort = abort;
    this.reader = response.body.getReader();
    this.decoder = new TextDecoder();
    this.text = '';
  }

  /**
   * The next block: `{event, id, data}`, or `{comment: true}`; `null` at the end of the stream.
   * @returns {Promise<any>}
   */
  async block() {
    for (;;) {
      const end = this.text.indexOf('\n\n');
      if (end >= 0) {
        const block = this.text.slice(0, end);
        this.text = this.text.slice(end + 2);
        return parse(block);
      }
      const { done, value } = await this.reader.read().catch(() => ({ done: true }));
      if (done) return null;
      this.text += this.decoder.decode(value, { stream: true });
    }
  }

  /** The next block that is an event. */
  async next() {
    for (;;) {
      const block = await this.block();
      if (block === null || !block.comment) return block;
    }
  }

  close() {
    this.abort.abort();
  }
}

function parse(block) {
  if (block.startsWith(':')) return { comment: true };
  const fields = { event: 'message', id: null };
  const data = [];
  for (const line of block.split('\n')) {
    const [name, value] = [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)];
    if (name === 'data') data.push(value);
    else fields[name] = value;
  }
  return { ...fields, data: JSON.parse(data.join('\n')) };
}
