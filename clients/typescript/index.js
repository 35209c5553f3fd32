// The client of Tidegate: what an application imports. The types are in index.d.ts.

export { Tidegate } from './src/client.js';
export { Queue } from './src/queue.js';
export { Topic } from './src/topic.js';
export { Subscription } from './src/subscription.js';
export { LeasedMessage, Message } from './src/message.js';
export { TrackedMessage } from './src/tracked-message.js';
export * from './src/errors.js';
