// The types of Tidegate's client. Durations are in milliseconds and end in `Ms`, instants are Unix
// milliseconds and end in `AtMs`; the same names in snake_case go over the wire.

/** Any value that JSON can write. */
export type Json = string | number | boolean | null | Json[] | { [name: string]: Json };

export interface TidegateOptions {
  /** Of the deployment, as in `http://127.0.0.1:8787`; a path in it is kept. */
  url: string | URL;
  /** A bearer token, or what gets one for each request. */
  token?: string | (() => string | undefined | Promise<string | undefined>);
  /** Instead of the platform's `fetch`, or, in Node, of its HTTP client, which costs less. */
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
  /** Instead of the platform's `WebSocket`. */
  WebSocket?: new (url: string) => WebSocketLike;
  /** Sent with every request, but not over a WebSocket. */
  headers?: Record<string, string>;
  /** How long one try may take, beside the wait the server is asked for. Default 10000. */
  timeoutMs?: number;
  retry?: Partial<RetryPolicy>;
}

/** What is used of a WebSocket. */
export interface WebSocketLike {
  send(data: string): void;
  close(code?: number): void;
  addEventListener(type: string, listener: (event: any) => void): void;
}

/** When the way to the server fails (no answer, 502, 503, 504), a request is tried again. */
export interface RetryPolicy {
  /** Tries in all. Default 5; 1 turns repetition off. */
  attempts: number;
  /** The longest wait before the second try; doubles with each further one. Default 100. */
  initialMs: number;
  /** That it doubles to at most. Default 10000. */
  maxMs: number;
  /** Whether publishes refused as `queue-full` or `rate-limited` are tried again. Default false. */
  refusals: boolean;
}

export declare class Tidegate {
  constructor(options: TidegateOptions);
  /** A queue to publish to and consume from. Make it once and keep it: it is what batches. */
  queue(name: string, options?: QueueOptions): Queue;
  /** All queues of the deployment, page after page. */
  queues(options?: { pageSize?: number; signal?: AbortSignal }): AsyncGenerator<QueueSummary, void>;
  /** A topic to publish to and to follow. Make it once and keep it, as a queue. */
  topic(name: string, options?: PublisherOptions): Topic;
  /** All topics of the deployment, page after page. */
  topics(options?: { pageSize?: number; signal?: AbortSignal }): AsyncGenerator<TopicSummary, void>;
  /**
   * Any call of the HTTP interface, with credentials, time-outs, repetition and errors as all
   * others. What goes and comes is as on the wire, in snake_case.
   */
  request(method: string, path: string, options?: RequestOptions): Promise<RequestAnswer>;
}

export interface RequestOptions extends WithSignal {
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  /** A body instead, sent as JSON. */
  json?: unknown;
  /** How long the server is asked to wait, on top of the time-out. */
  waitMs?: number;
  /** Whether it does no harm to do it twice. Default: false for `POST`, else true. */
  repeatable?: boolean;
}

export interface RequestAnswer {
  status: number;
  /** The answer, where it is JSON. */
  json: any;
}

export interface PublisherOptions {
  /** How long a message waits for others to go with it; 0: to the end of the turn. Default 0. */
  lingerMs?: number;
  /** Most messages in one request, 1 to 1000. Default 1000. */
  batchMessagesMax?: number;
  /** Most bytes in one request, up to 4 MiB; one message may be larger. Default 1048576. */
  batchBytesMax?: number;
  /** Requests on their way at a time. Default 4. */
  batchesInFlightMax?: number;
  /** One request at a time: messages are accepted in the order of `publish`. Default false. */
  ordered?: boolean;
  /** Messages published and not decided yet; beyond it `publish` waits. Default 10000. */
  bufferMessagesMax?: number;
  /** Their bytes. Default 16777216. */
  bufferBytesMax?: number;
  /** Whether each message gets an idempotency key of its own. Default true. */
  idempotent?: boolean;
}

export interface AckOptions {
  /** How long an ack waits for others to go with it; 0: to the end of the turn. Default 0. */
  ackLingerMs?: number;
  /** Most acks, retries and extensions in one call, 1 to 1000. Default 1000. */
  ackBatchSizeMax?: number;
}

export interface QueueOptions extends PublisherOptions, AckOptions {}

export interface WithSignal {
  /** Ends the call; it rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** Text and bytes go as they are, anything else as JSON. */
export type Body = string | Uint8Array | ArrayBuffer | object | number | boolean | null;

export interface PublishOptions extends WithSignal {
  /** Default: `application/json` for what goes as JSON, else none. */
  contentType?: string;
  /** Orders messages among themselves (`order: "key"`), and is what `maxPerKey` counts. */
  key?: string;
  attributes?: Record<string, string>;
  /** 0 to 9, higher first. Default 4. */
  priority?: number;
  delayMs?: number;
  /** Time to live: undelivered after it, the message expires. */
  ttlMs?: number;
  /** Takes a place now, and is delivered only once `confirm`ed, within this time. */
  holdMs?: number;
  /** The same key within the queue's `dedupWindowMs` is the same message. `null`: none at all. */
  idempotencyKey?: string | null;
}

export interface Accepted {
  /** A ULID, unique in its queue. */
  id: string;
  /** Only grows. */
  seq: number;
  /** When it was accepted. */
  timestampMs?: number;
  /** 1 is next. In line, or of a message that went alone and is neither held nor delayed. */
  position?: number;
  /** Proof of the place: a JSON Web Token. With `ticketTtlMs`. */
  ticket?: string;
  /** There is no room yet: the message waits in line. */
  state?: 'waiting';
  /** How long it will wait, at the pace of late. */
  estimatedWaitMs?: number;
  /** When a draw decides whether it gets a place. */
  drawAtMs?: number;
}

export interface PullOptions extends WithSignal {
  /** 1 to 1000. Default 10. */
  batchSize?: number;
  /** How long to wait for the first message, up to 30000. Default 0. */
  waitMs?: number;
  /** How long the messages are leased, 100 to 43200000. Default: the queue's. */
  visibilityTimeoutMs?: number;
  /** An event pattern, or a selector; see docs/FILTERS.md. */
  filter?: object | string;
}

export interface HandlerContext {
  /** Aborted when the lease is lost: the message is, or will be, with another consumer. */
  signal: AbortSignal;
}

/** What it returns becomes the message's result; when it throws, the message is retried. */
export type Handler = (message: LeasedMessage, context: HandlerContext) => unknown;

export interface ConsumeOptions extends WithSignal {
  /** Handlers at a time. Default 16. */
  concurrency?: number;
  /** Most messages of one pull. Default: as many as handlers. */
  batchSize?: number;
  /** How long one pull waits, up to 30000. Default 20000. */
  waitMs?: number;
  /** How long messages are leased. Default: as the queue says when consuming begins. */
  visibilityTimeoutMs?: number;
  /** Prolongs leases while handlers run. Default true. */
  autoExtend?: boolean;
  filter?: object | string;
  /** What went wrong; with the message where it is about one. Default: `console.error`. */
  onError?: (error: unknown, message?: LeasedMessage) => void;
}

export interface MessagesOptions extends PullOptions {
  /** Messages pulled at a time; they are leased while they wait for their turn. Default 1. */
  batchSize?: number;
  /** Default 20000. */
  waitMs?: number;
}

export declare class Queue {
  private constructor();
  readonly name: string;

  /** Resolves once the message is durable, rejects with why it was refused. */
  publish(body: Body, options?: PublishOptions): Promise<Accepted>;
  /** Resolves once `publish` would not wait for room in the buffer. */
  ready(options?: WithSignal): Promise<void>;
  /** Resolves once everything published and settled up to now has its answer. Never rejects. */
  flush(): Promise<void>;
  /** Flushes, and takes no publish from now on. */
  close(): Promise<void>;

  pull(options?: PullOptions): Promise<LeasedMessage[]>;
  /**
   * Handles messages until the signal comes; resolves when the last handler has ended. Rejects
   * when the server refuses to deliver at all (401, 403, a wrong option).
   */
  consume(handler: Handler, options?: ConsumeOptions): Promise<void>;
  /** Messages one after the other, yours to settle; ends with the signal. */
  messages(options?: MessagesOptions): AsyncGenerator<LeasedMessage, void>;

  /** One message of this queue, by its id. Asks nothing yet. */
  message(id: string): TrackedMessage;
  /** Looks at messages without leasing them, in the order of `seq`. */
  browse(options?: WithSignal & { limit?: number; afterSeq?: number }): Promise<Message[]>;

  /** Makes the queue, or changes what is named. */
  configure(patch: QueueConfiguration, options?: WithSignal): Promise<QueueDescription>;
  describe(options?: WithSignal): Promise<QueueDescription>;
  /** Deletes the queue with all its messages. */
  delete(options?: WithSignal): Promise<void>;
  /** Drops all messages. */
  purge(options?: WithSignal): Promise<void>;
  /** Stops deliveries; publishing goes on. */
  pause(options?: WithSignal): Promise<void>;
  resume(options?: WithSignal): Promise<void>;
  /** Moves dead letters back: all, or a selection. `afterSeq` is there when more of it may follow. */
  redrive(options?: Redrive & WithSignal): Promise<{ moved: number; afterSeq?: number }>;
}

/** Which dead letters come back. */
export interface Redrive {
  /** Given up at this instant or later. */
  fromAtMs?: number;
  /** Given up before this instant. */
  toAtMs?: number;
  /** An event pattern or a selector. */
  filter?: object | string;
  /** As the answer before had it: goes on behind it. */
  afterSeq?: number;
}

export type State =
  | 'waiting' | 'held' | 'queued' | 'delayed' | 'leased'
  | 'done' | 'dead' | 'expired' | 'cancelled' | 'not-drawn';

/** Its fields are getters: spreading it and `JSON.stringify` do not show them. */
export declare class Message {
  protected constructor();
  readonly id: string;
  readonly seq: number;
  /** Deliveries so far, this one included. */
  readonly attempts: number;
  readonly timestampMs: number;
  readonly contentType: string | undefined;
  readonly key: string | undefined;
  readonly priority: number;
  readonly attributes: Record<string, string>;
  readonly state: State | undefined;
  /** Where a live reader got it from: a pattern (`orders/+`, `orders/#`) follows many topics. */
  readonly topic: string | undefined;
  /** Decoded on first use. */
  readonly body: Uint8Array;
  /** The body as text. */
  text(): string;
  /** The body as JSON. */
  json<T = any>(): T;
}

export declare class LeasedMessage extends Message {
  private constructor();
  readonly leaseId: string;
  /** Whether it was acknowledged, released or given back here. */
  readonly settled: boolean;
  /** Finished. `result`, any JSON up to 16 KiB, is for whoever waits for it. */
  ack(result?: unknown): Promise<void>;
  /** Finished, and its place in `maxAccepted` is free again. */
  release(result?: unknown): Promise<void>;
  /** Gives it back, to be delivered again after `delayMs`, or the queue's backoff. */
  retry(options?: { delayMs?: number }): Promise<void>;
  /** Prolongs the lease to `ms` from now, or to the queue's `visibilityTimeoutMs`. */
  extend(ms?: number): Promise<void>;
}

export interface MessageState {
  id: string;
  seq: number;
  state: State;
  timestampMs: number;
  attempts?: number;
  /** While queued or waiting; 1 is next. */
  position?: number;
  /** While waiting, at the pace of late. */
  estimatedWaitMs?: number;
  /** While waiting for a draw. */
  drawAtMs?: number;
  /** Proof of the place, with `ticketTtlMs`. */
  ticket?: string;
  /** The queue's own, where it has one. */
  redirectUrl?: string;
  /** Of a message that is done, if its consumer left one. */
  result?: any;
  /** Whether it will never change again. */
  isFinal: boolean;
}

export declare class TrackedMessage {
  private constructor();
  readonly id: string;
  /** Where it stands now; with `waitMs`, once that is final or the wait, up to 30000, is over. */
  state(options?: WithSignal & { waitMs?: number }): Promise<MessageState>;
  /**
   * Waits until the message is done. Rejects with NoResultError when it is dead, expired or
   * cancelled instead, and with NotFoundError when the queue has forgotten it.
   */
  result<T = any>(options?: WithSignal): Promise<T>;
  /** Each change of state and position, up to the final one. */
  states(options?: WithSignal): AsyncGenerator<MessageState, void>;
  /** Makes a held message deliverable. */
  confirm(options?: WithSignal): Promise<void>;
  /** Takes back a message that is held, delayed or queued. */
  cancel(options?: WithSignal): Promise<void>;
}

/** All optional; what is not named keeps its value. Ranges and defaults: docs/LIMITS.md. */
export interface QueueConfiguration {
  capacity?: {
    maxMessages?: number | null;
    maxBytes?: number | null;
    maxAccepted?: number | null;
    overflow?: 'reject' | 'redirect' | 'drop_oldest' | 'dead_letter' | 'wait' | null;
    maxWaiting?: number | null;
    admission?: 'fifo' | 'draw' | null;
    drawAtMs?: number | null;
    redirectUrl?: string | null;
    retryAfterMs?: number | null;
    maxPerKey?: number | null;
    opensAtMs?: number | null;
    closesAtMs?: number | null;
    publishRate?: { perSecond: number; burst?: number; per: 'queue' | 'key' } | null;
    ticketTtlMs?: number | null;
  };
  delivery?: {
    visibilityTimeoutMs?: number | null;
    maxAttempts?: number | null;
    backoff?: { initialMs?: number | null; maxMs?: number | null; multiplier?: number | null };
    deadLetterQueue?: string | null;
    callbackQueue?: string | null;
    failureCallbackQueue?: string | null;
    order?: 'best_effort' | 'fifo' | 'key' | null;
  };
  retentionMs?: number | null;
  resultRetentionMs?: number | null;
  dedupWindowMs?: number | null;
  maxMessageBytes?: number | null;
  corsOrigins?: string[] | null;
  push?: object | null;
}

export interface QueueFigures {
  name: string;
  /** All that is not final: queued, delayed, held and leased. */
  depth: number;
  inFlight: number;
  delayed: number;
  backlogBytes: number;
  oldestAtMs: number | null;
  acceptedTotal: number;
  rejectedTotal: number;
  ackedTotal: number;
  deadTotal: number;
}

/** What a list says of a queue; more than its name and depth where the server tells it. */
export type QueueSummary = Pick<QueueFigures, 'name' | 'depth'> & Partial<QueueFigures>;

/** Configuration with its defaults, live figures, and whatever further ones the server tells. */
export interface QueueDescription extends QueueFigures {
  capacity: NonNullable<QueueConfiguration['capacity']>;
  delivery: NonNullable<QueueConfiguration['delivery']>;
  retentionMs: number;
  resultRetentionMs: number;
  dedupWindowMs: number;
  maxMessageBytes: number;
  corsOrigins: string[];
  [further: string]: unknown;
}

export interface TopicPublishOptions
  extends Omit<PublishOptions, 'delayMs' | 'holdMs'> {
  /** Only if this is the last number given, 0 for none; else SeqMismatchError. Goes by itself. */
  expectSeq?: number;
}

/** Where reading begins; without either, each call has its own default. */
export interface Place {
  /** A number, or `last_per_key`: the last message of each key first. */
  fromSeq?: number | 'earliest' | 'latest' | 'last_per_key';
  /** An instant. */
  fromAtMs?: number;
}

export interface ReadOptions extends WithSignal, Place {
  /** Most messages, 1 to 1000. Default 100. */
  limit?: number;
  /** How long to wait for the first message, up to 30000. Default 0. */
  waitMs?: number;
  /** An event pattern, or a selector; see docs/FILTERS.md. */
  filter?: object | string;
}

export interface Page {
  messages: Message[];
  /** Where the next read goes on. */
  nextSeq: number;
  /** The first and the last number that can be read. */
  firstSeq: number;
  lastSeq: number;
  /** Messages that were asked for, and that retention had let go. */
  missed: number;
}

export interface LogOptions extends WithSignal {
  /** Default `earliest`. */
  fromSeq?: number | 'earliest';
  fromAtMs?: number;
  /** Most messages of one read, 1 to 1000. Default 500. */
  batchSize?: number;
  filter?: object | string;
}

export interface SubscribeOptions extends WithSignal, Place {
  filter?: object | string;
  /** A name to be shown to other readers. */
  member?: string;
  /**
   * `auto`: a WebSocket where the platform has one and no token has to stand in its address, else
   * events. Default `auto`.
   */
  transport?: 'auto' | 'websocket' | 'events';
  /** How the connection stands; with what went wrong, where something did. */
  onState?: (state: 'open' | 'reconnecting', error?: TidegateError) => void;
  /** Who is here, and what of that is new. Told to readers that have a `member` themselves. */
  onPresence?: (members: string[], change: { joined: string[]; left: string[] }) => void;
  /** The reader is slow, or was away for long: messages behind, and those it will never see. */
  onLagged?: (figures: { behind: number; missed: number }) => void;
}

export declare class Topic {
  private constructor();
  readonly name: string;

  /** Resolves once the message is in the log, rejects with why it was refused. */
  publish(body: Body, options?: TopicPublishOptions): Promise<Accepted>;
  /** Resolves once `publish` would not wait for room in the buffer. */
  ready(options?: WithSignal): Promise<void>;
  /** Resolves once everything published up to now has its answer. Never rejects. */
  flush(): Promise<void>;
  /** Flushes, and takes no publish from now on. */
  close(): Promise<void>;

  /** One read of the log; from its beginning, unless said otherwise. */
  read(options?: ReadOptions): Promise<Page>;
  /** The log, from a place to its end as it is at the first read. */
  log(options?: LogOptions): AsyncGenerator<Message, void>;
  /**
   * Messages as they are published, without end: after a broken connection it goes on where it
   * was. Begins with the first that is asked for, with what is published from then on, unless said
   * otherwise. Ends with the signal; throws what the server refuses, and NotFoundError when the
   * topic is deleted.
   */
  subscribe(options?: SubscribeOptions): AsyncGenerator<Message, void>;

  /** A durable subscription, by its name. Asks nothing yet. */
  subscription(name: string, options?: AckOptions): Subscription;
  /** All durable subscriptions, page after page. */
  subscriptions(
    options?: WithSignal & { pageSize?: number },
  ): AsyncGenerator<SubscriptionDescription, void>;

  /** Makes the topic, or changes what is named. */
  configure(patch?: TopicConfiguration, options?: WithSignal): Promise<TopicDescription>;
  describe(options?: WithSignal): Promise<TopicDescription>;
  /** Deletes the topic with its messages and subscriptions. */
  delete(options?: WithSignal): Promise<void>;
}

/** Consumed as a queue. */
export declare class Subscription {
  private constructor();
  readonly name: string;

  pull(options?: PullOptions): Promise<LeasedMessage[]>;
  /** As of a queue; messages are leased for 30 s unless `visibilityTimeoutMs` says otherwise. */
  consume(handler: Handler, options?: ConsumeOptions): Promise<void>;
  messages(options?: MessagesOptions): AsyncGenerator<LeasedMessage, void>;
  /** Resolves once everything settled up to now has its answer. Never rejects. */
  flush(): Promise<void>;

  /** Makes the subscription, or changes what is named. */
  configure(
    patch?: SubscriptionConfiguration, options?: WithSignal,
  ): Promise<SubscriptionDescription>;
  /** Configuration and figures: how far it is, and how far behind. */
  describe(options?: WithSignal): Promise<SubscriptionDescription>;
  /** Hands nothing on; the topic keeps its place. */
  pause(options?: WithSignal): Promise<void>;
  resume(options?: WithSignal): Promise<void>;
  /** Replays or skips: goes on at a number or an instant. */
  seek(
    to: { seq: number | 'earliest' | 'latest' } | { atMs: number }, options?: WithSignal,
  ): Promise<void>;
  delete(options?: WithSignal): Promise<void>;
}

/** All optional; what is not named keeps its value. Ranges and defaults: docs/LIMITS.md. */
export interface TopicConfiguration {
  retentionMs?: number | null;
  maxMessages?: number | null;
  maxBytes?: number | null;
  maxMessageBytes?: number | null;
  /** Chosen at creation. */
  persistence?: 'durable' | 'memory' | null;
  dedupWindowMs?: number | null;
  corsOrigins?: string[] | null;
}

export interface TopicFigures {
  name: string;
  messages: number;
  bytes: number;
  firstSeq: number;
  lastSeq: number;
  oldestAtMs: number | null;
  acceptedTotal: number;
  deliveredTotal: number;
  rejectedTotal: number;
  /** Live readers, and the names that some of them have. */
  readers: number;
  members: string[];
  /** Durable ones. */
  subscriptions: number;
  /** The lag of the subscription that is furthest behind. */
  lagMax: number;
}

export type TopicSummary = Pick<TopicFigures, 'name'> & Partial<TopicFigures>;

/** Configuration with its defaults, live figures, and whatever further ones the server tells. */
export interface TopicDescription extends TopicFigures {
  retentionMs: number;
  maxMessages: number;
  maxBytes: number;
  maxMessageBytes: number;
  persistence: 'durable' | 'memory';
  dedupWindowMs: number;
  corsOrigins: string[];
  [further: string]: unknown;
}

export interface SubscriptionConfiguration {
  filter?: object | string | null;
  /** Feeds a queue, or calls a URL; a queue of its own, to be consumed here, if left out. */
  target?: { queue: string } | { url: string; [option: string]: unknown };
  /** Where a new one begins. Default `latest`. */
  from?: number | 'earliest' | 'latest' | 'last_per_key';
  fromAtMs?: number;
  /** Of its own queue. */
  delivery?: QueueConfiguration['delivery'];
  paused?: boolean;
}

export interface SubscriptionDescription {
  name: string;
  filter: object | string | null;
  target: object | null;
  paused: boolean;
  /** Its queue does not take what it is handed, just now. */
  retrying: boolean;
  nextSeq: number;
  /** Numbers not looked at yet. */
  lag: number;
  oldestAtMs: number | null;
  deliveredTotal: number;
  /** Retention was faster. */
  missedTotal: number;
  [further: string]: unknown;
}

/** A problem that the server told, or one on the way to it. */
export declare class TidegateError extends Error {
  constructor(problem: { type: string; [member: string]: unknown }, options?: ErrorOptions);
  /** A stable slug, as in docs/ERRORS.md; or one of this client's own. */
  readonly type: string;
  /** Of HTTP; undefined where no answer came, or none was asked for. */
  readonly status: number | undefined;
  readonly title: string | undefined;
  readonly detail: string | undefined;
  /** The option, header or member that is at fault. */
  readonly field?: string;
  readonly limit?: number;
  readonly depth?: number;
  /** When to come back, from now. */
  readonly retryAfterMs?: number;
  readonly estimatedWaitMs?: number;
  readonly opensAtMs?: number;
  /** Who refused. */
  readonly decidedBy?: 'edge' | 'object';
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  /** Whether it may have been carried out all the same: the answer to an earlier try was lost. */
  readonly uncertain: boolean;
}

export declare class BadRequestError extends TidegateError {}
export declare class UnauthorizedError extends TidegateError {}
export declare class ForbiddenError extends TidegateError {}
export declare class NotFoundError extends TidegateError {}
export declare class MessageTooLargeError extends TidegateError {}
export declare class QueueFullError extends TidegateError {}
export declare class SoldOutError extends TidegateError {}
export declare class KeyLimitError extends TidegateError {}
export declare class NotOpenError extends TidegateError {}
export declare class ClosedError extends TidegateError {}
export declare class RateLimitedError extends TidegateError {}
export declare class LeaseExpiredError extends TidegateError {}
export declare class WrongStateError extends TidegateError {}
/** `expectSeq` was not the last number given. */
export declare class SeqMismatchError extends TidegateError {
  readonly lastSeq: number;
}
export declare class OverloadedError extends TidegateError {}
export declare class UnavailableError extends TidegateError {}

/** `overflow: "redirect"`: the queue has no room and sends its publishers to another place. */
export declare class RedirectedError extends TidegateError {
  /** Undefined in browsers for a message that went alone: they do not tell. */
  readonly redirectUrl?: string;
  /** `queue-full` or `sold-out`, for a message that went in a batch. */
  readonly reason?: string;
}

/** No answer came: the network failed, or the server went away. */
export declare class ConnectionError extends TidegateError {
  constructor(cause: unknown);
}

/** No answer came within `timeoutMs`. */
export declare class TimeoutError extends TidegateError {
  constructor(timeoutMs: number);
  readonly timeoutMs: number;
}

/** A message ended without being done. */
export declare class NoResultError extends TidegateError {
  constructor(message: { id: string; state: State });
  readonly id: string;
  readonly state: 'dead' | 'expired' | 'cancelled';
}

/** `publish` after `close`. */
export declare class ClientClosedError extends TidegateError {
  constructor();
}
