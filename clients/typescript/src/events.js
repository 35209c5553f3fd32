// Server-Sent Events, as far as the server uses them: the name, id and data of each.
// https://html.spec.whatwg.org/multipage/server-sent-events.html

const LINE_END = /\r\n|\n|\r/;
/** The longest events are messages: at most 1 MiB of body, escaped as JSON where need be. */
const EVENT_CHARS_MAX = 16_777_216;

/**
 * @typedef {object} Event
 * @property {string} event its name
 * @property {string | undefined} id
 * @property {string} data
 */

/**
 * @param {ReadableStream<Uint8Array>} stream
 * @param {() => void} [onBytes] called with whatever comes, comments included
 * @returns {AsyncGenerator<Event>} those that have data
 */
export async function* events(stream, onBytes = () => {}) {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  let event = fresh();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      onBytes();
      rest += decoder.decode(value, { stream: true });
      // A carriage return at the end may be half of a line end.
      const whole = rest.endsWith('\r') ? rest.slice(0, -1) : rest;
      const lines = whole.split(LINE_END);
      rest = lines.pop() + rest.slice(whole.length);
      if (rest.length > EVENT_CHARS_MAX) throw new Error('an event is too long');
      for (const line of lines) {
        if (line !== '') take(event, line);
        else {
          const { data, ...named } = event;
          event = fresh();
          if (data.length > 0) yield { ...named, data: data.join('\n') };
        }
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

const fresh = () => ({ event: 'message', id: undefined, data: [] });

function take(event, line) {
  const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line);
  if (name === 'data') event.data.push(value);
  else if (name === 'event' || name === 'id') event[name] = value;
}
