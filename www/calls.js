// Every call of the API that the pages make, as plain values: what is sent, and what is shown as
// a curl line, is the same.

/**
 * @typedef {object} Call
 * @property {string} method
 * @property {string} path with its query
 * @property {Record<string, string>} [headers]
 * @property {string} [body]
 */

const JSON_TYPE = { "content-type": "application/json" };

const get = (path) => ({ method: "GET", path });
const post = (path) => ({ method: "POST", path });
const withJson = (method, path, value) => ({
  method,
  path,
  headers: JSON_TYPE,
  body: JSON.stringify(value),
});

/** A queue's path; `/` is a level separator in names and percent-encoded in paths. */
export const queuePath = (queue) => `/v1/queues/${encodeURIComponent(queue)}`;

/** A message's path. */
export const messagePath = (queue, id) => `${queuePath(queue)}/messages/${encodeURIComponent(id)}`;

/** @param {{ cursor?: string, limit?: number }} [page] @returns {Call} */
export const listQueues = (page = {}) => get(`/v1/queues${search(page)}`);

/** @returns {Call} */
export const getQueue = (queue) => get(queuePath(queue));

/** @param {object} configuration partial @returns {Call} */
export const putQueue = (queue, configuration) => withJson("PUT", queuePath(queue), configuration);

/** @returns {Call} */
export const deleteQueue = (queue) => ({ method: "DELETE", path: queuePath(queue) });

/**
 * @param {string} queue
 * @param {string} body
 * @param {Record<string, string>} [headers] `Content-Type`, `Tidegate-Key` and so on
 * @returns {Call}
 */
export const publish = (queue, body, headers = {}) => ({
  method: "POST",
  path: `${queuePath(queue)}/messages`,
  headers,
  body,
});

/** @param {{ limit?: number, after_seq?: number }} [page] @returns {Call} */
export const browse = (queue, page = {}) => get(`${queuePath(queue)}/messages${search(page)}`);

/** @param {{ wait_ms?: number }} [options] @returns {Call} */
export const getMessage = (queue, id, options = {}) =>
  get(messagePath(queue, id) + search(options));

/** @returns {Call} the state of a message as an event stream */
export const followMessage = (queue, id) => ({
  ...get(messagePath(queue, id)),
  headers: { accept: "text/event-stream" },
});

/** @returns {Call} */
export const confirmMessage = (queue, id) => post(`${messagePath(queue, id)}/confirm`);

/** @returns {Call} */
export const cancelMessage = (queue, id) => ({ method: "DELETE", path: messagePath(queue, id) });

/**
 * @param {string} queue
 * @param {{ batch_size?: number, wait_ms?: number, visibility_timeout_ms?: number }} options
 * @returns {Call}
 */
export const pull = (queue, options) =>
  withJson("POST", `${queuePath(queue)}/messages/pull`, options);

/** @param {{ acks?: object[], retries?: object[], extends?: object[] }} outcome @returns {Call} */
export const ack = (queue, outcome) =>
  withJson("POST", `${queuePath(queue)}/messages/ack`, outcome);

/** @param {"purge" | "pause" | "resume" | "redrive" | "push/enable"} operation @returns {Call} */
export const operate = (queue, operation) => post(`${queuePath(queue)}/${operation}`);

/** A topic's path. */
export const topicPath = (topic) => `/v1/topics/${encodeURIComponent(topic)}`;

/** @param {{ cursor?: string, limit?: number }} [page] @returns {Call} */
export const listTopics = (page = {}) => get(`/v1/topics${search(page)}`);

/** @returns {Call} */
export const getTopic = (topic) => get(topicPath(topic));

/** @param {object} configuration partial @returns {Call} */
export const putTopic = (topic, configuration) => withJson("PUT", topicPath(topic), configuration);

/** @returns {Call} */
export const deleteTopic = (topic) => ({ method: "DELETE", path: topicPath(topic) });

/** As {@link publish}. @returns {Call} */
export const publishToTopic = (topic, body, headers = {}) => ({
  method: "POST",
  path: `${topicPath(topic)}/messages`,
  headers,
  body,
});

/** @returns {Call} the topic as an event stream */
export const followTopic = (topic, options) => ({
  ...get(`${topicPath(topic)}/events${search(options)}`),
  headers: { accept: "text/event-stream" },
});

const subscriptionPath = (topic, name) =>
  `${topicPath(topic)}/subscriptions/${encodeURIComponent(name)}`;

/** @returns {Call} */
export const listSubscriptions = (topic) => get(`${topicPath(topic)}/subscriptions`);

/** @param {object} configuration partial @returns {Call} */
export const putSubscription = (topic, name, configuration) =>
  withJson("PUT", subscriptionPath(topic, name), configuration);

/** @returns {Call} */
export const deleteSubscription = (topic, name) => ({
  method: "DELETE",
  path: subscriptionPath(topic, name),
});

/** @param {{ seq: number | string }} to @returns {Call} */
export const seekSubscription = (topic, name, to) =>
  withJson("POST", `${subscriptionPath(topic, name)}/seek`, to);

function search(fields) {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  return given.length === 0 ? "" : `?${new URLSearchParams(given)}`;
}
