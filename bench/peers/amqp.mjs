// As much of AMQP 0-9-1 as publishing with confirms and consuming with acknowledgements takes: one
// channel, no heartbeats, bodies of one frame. Section numbers are those of the specification.

import { Stream } from './stream.mjs';

const HEADER = Buffer.from('AMQP\0\0\x09\x01', 'latin1');
const FRAME_METHOD = 1;
const FRAME_HEADER = 2;
const FRAME_BODY = 3;
const FRAME_END = 0xce;
/** Type, channel and size before a payload, the end octet behind it (2.3.5). */
const FRAME_OVERHEAD = 8;
const FRAME_BYTES_MAX = 131_072;
const CHANNEL = 1;

/** Methods as class * 65536 + method. */
const method = (classId, id) => classId * 65_536 + id;
const CONNECTION_START = method(10, 10);
const CONNECTION_START_OK = method(10, 11);
const CONNECTION_TUNE = method(10, 30);
const CONNECTION_TUNE_OK = method(10, 31);
const CONNECTION_OPEN = method(10, 40);
const CONNECTION_OPEN_OK = method(10, 41);
const CONNECTION_CLOSE = method(10, 50);
const CHANNEL_OPEN = method(20, 10);
const CHANNEL_OPEN_OK = method(20, 11);
const CHANNEL_CLOSE = method(20, 40);
const QUEUE_DECLARE = method(50, 10);
const QUEUE_DECLARE_OK = method(50, 11);
const QUEUE_PURGE = method(50, 30);
const QUEUE_PURGE_OK = method(50, 31);
const BASIC_QOS = method(60, 10);
const BASIC_QOS_OK = method(60, 11);
const BASIC_CONSUME = method(60, 20);
const BASIC_CONSUME_OK = method(60, 21);
const BASIC_PUBLISH = method(60, 40);
const BASIC_DELIVER = method(60, 60);
const BASIC_ACK = method(60, 80);
const CONFIRM_SELECT = method(85, 10);
const CONFIRM_SELECT_OK = method(85, 11);

const QUEUE_DURABLE = 2;
const ACK_MULTIPLE = 1;
/** A content header that has only the delivery mode, which is persistent (2.3.5.2, 4.2.6.1). */
const PROPERTY_DELIVERY_MODE = 0x1000;
const PERSISTENT = 2;

/** A connection with an open channel. */
export class AmqpChannel {
  /** @type {(tag: number, multiple: boolean) => void} a publish was confirmed */
  onConfirm = () => {};
  /** @type {(tag: number) => void} a message was delivered whole */
  onDelivery = () => {};
  /** @type {(error: Error) => void} */
  onFailure = () => {};
  /** As the server's greeting says; empty when it does not. */
  serverVersion = '';
  #stream;
  #awaited;
  #tag = 0;
  #bodyLeft = 0;

  /**
   * @param {number} port
   * @returns {Promise<AmqpChannel>}
   */
  static async open(port) {
    const channel = new AmqpChannel();
    channel.#stream = await Stream.open(port);
    const started = channel.#expect(CONNECTION_START);
    channel.#stream.follow(
      (stream) => channel.#read(stream),
      (error) => channel.#fail(error),
    );
    channel.#stream.write(HEADER);
    await started;
    const credentials = longText('\0guest\0guest');
    const login = [longText(''), shortText('PLAIN'), credentials, shortText('en_US')];
    await channel.#call(0, CONNECTION_START_OK, login, CONNECTION_TUNE);
    const tuned = [short(CHANNEL), long(FRAME_BYTES_MAX), short(0)];
    channel.#stream.write(methodFrame(0, CONNECTION_TUNE_OK, tuned));
    const host = [shortText('/'), shortText(''), octet(0)];
    await channel.#call(0, CONNECTION_OPEN, host, CONNECTION_OPEN_OK);
    await channel.#call(CHANNEL, CHANNEL_OPEN, [shortText('')], CHANNEL_OPEN_OK);
    return channel;
  }

  /** @param {string} queue a durable one, made if need be and emptied */
  async declare(queue) {
    const words = [short(0), shortText(queue), octet(QUEUE_DURABLE), long(0)];
    await this.#call(CHANNEL, QUEUE_DECLARE, words, QUEUE_DECLARE_OK);
  }

  /** @param {string} queue */
  async purge(queue) {
    const words = [short(0), shortText(queue), octet(0)];
    await this.#call(CHANNEL, QUEUE_PURGE, words, QUEUE_PURGE_OK);
  }

  async confirmPublishes() {
    await this.#call(CHANNEL, CONFIRM_SELECT, [octet(0)], CONFIRM_SELECT_OK);
  }

  /**
   * @param {string} queue
   * @param {number} prefetch unacknowledged deliveries at a time
   */
  async consume(queue, prefetch) {
    const limits = [long(0), short(prefetch), octet(0)];
    await this.#call(CHANNEL, BASIC_QOS, limits, BASIC_QOS_OK);
    const words = [short(0), shortText(queue), shortText(''), octet(0), long(0)];
    await this.#call(CHANNEL, BASIC_CONSUME, words, BASIC_CONSUME_OK);
  }

  /** @param {number} tag the last of the deliveries that are acknowledged */
  ackUpTo(tag) {
    const words = [long(0), long(tag), octet(ACK_MULTIPLE)];
    this.#stream.write(methodFrame(CHANNEL, BASIC_ACK, words));
  }

  /** @param {Buffer} frames as `encodePublish` makes them */
  publish(frames) {
    this.#stream.write(frames);
  }

  close() {
    this.#stream.close();
  }

  #call(channel, id, words, answer) {
    const answered = this.#expect(answer);
    this.#stream.write(methodFrame(channel, id, words));
    return answered;
  }

  #expect(id) {
    return new Promise((resolve, reject) => {
      this.#awaited = { id, resolve, reject };
    });
  }

  #fail(error) {
    this.#awaited?.reject(error);
    this.onFailure(error);
  }

  #read(stream) {
    const { bytes } = stream;
    while (bytes.length - stream.at >= FRAME_OVERHEAD) {
      const length = bytes.readUInt32BE(stream.at + 3);
      if (bytes.length - stream.at < length + FRAME_OVERHEAD) return;
      const payload = stream.at + 7;
      const type = bytes[stream.at];
      stream.at = payload + length + 1;
      if (type === FRAME_METHOD) this.#method(bytes, payload, length);
      else if (type === FRAME_HEADER) this.#bodyLeft = Number(bytes.readBigUInt64BE(payload + 4));
      else if (type === FRAME_BODY) this.#body(length);
    }
  }

  #method(bytes, at, length) {
    const id = bytes.readUInt32BE(at);
    if (id === BASIC_ACK) {
      this.onConfirm(Number(bytes.readBigUInt64BE(at + 4)), bytes[at + 12] === ACK_MULTIPLE);
    } else if (id === BASIC_DELIVER) {
      const consumerTagLength = bytes[at + 4];
      this.#tag = Number(bytes.readBigUInt64BE(at + 5 + consumerTagLength));
    } else if (id === CHANNEL_CLOSE || id === CONNECTION_CLOSE) {
      const text = bytes.latin1Slice(at + 7, at + Math.min(length, 7 + bytes[at + 6]));
      this.#fail(new Error(`RabbitMQ says: ${text}`));
    } else if (this.#awaited?.id === id) {
      if (id === CONNECTION_START) this.serverVersion = versionIn(bytes, at, length);
      this.#awaited.resolve();
      this.#awaited = undefined;
    }
  }

  #body(length) {
    this.#bodyLeft -= length;
    if (this.#bodyLeft === 0) this.onDelivery(this.#tag);
  }
}

/**
 * @param {string} queue
 * @param {Buffer} body not empty, and of one frame
 * @returns {Buffer} the frames that publish a persistent message
 */
export function encodePublish(queue, body) {
  const words = [short(0), shortText(''), shortText(queue), octet(0)];
  const properties = [short(PROPERTY_DELIVERY_MODE), octet(PERSISTENT)];
  const header = [short(60), short(0), long(0), long(body.length), ...properties];
  return Buffer.concat([
    methodFrame(CHANNEL, BASIC_PUBLISH, words),
    frame(FRAME_HEADER, CHANNEL, header),
    frame(FRAME_BODY, CHANNEL, [body]),
  ]);
}

/** A table's field is its name, an S, and a long string (4.2.5.5). */
function versionIn(bytes, at, length) {
  const greeting = bytes.latin1Slice(at, at + length);
  return greeting.match(/\x07versionS\0\0\0.([\d.]+)/s)?.[1] ?? '';
}

function methodFrame(channel, id, words) {
  return frame(FRAME_METHOD, channel, [long(id), ...words]);
}

function frame(type, channel, parts) {
  const payload = Buffer.concat(parts);
  const head = [octet(type), short(channel), long(payload.length)];
  return Buffer.concat([...head, payload, octet(FRAME_END)]);
}

function octet(value) {
  return Buffer.from([value]);
}

function short(value) {
  return Buffer.from([value >> 8, value & 255]);
}

function long(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function shortText(text) {
  return Buffer.concat([octet(text.length), Buffer.from(text, 'latin1')]);
}

/** Also an empty table, which is written the same way. */
function longText(text) {
  return Buffer.concat([long(text.length), Buffer.from(text, 'latin1')]);
}
