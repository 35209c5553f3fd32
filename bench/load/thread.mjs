// A thread that makes load: some connections, each with one request at a time, either as fast as
// answers come (closed loop) or at a given rate whatever the answers do (open loop). Started by
// generator.mjs, with what to do as its data.

import { parentPort, workerData } from 'node:worker_threads';
import { Connection } from './connection.mjs';
import { Histogram } from './histogram.mjs';

/** @typedef {import('./generator.mjs').Load} Load */

const load = /** @type {Load} */ (workerData);
const requests = load.requests.map((bytes) => Buffer.from(bytes));
const histogram = new Histogram();
const statuses = new Map();
let next = 0;
let measuring = false;
let done = 0;

const connections = await Promise.all(
  Array.from({ length: load.connections }, () => Connection.open(load.port)),
);
for (const connection of connections) {
  connection.onFailure = (error) => {
    throw error;
  };
}
const play = load.perSecond === undefined ? closedLoop() : openLoop(load.perSecond);
// The other side reads its counters when told that measuring begins, so this is said, not assumed.
setTimeout(begin, load.warmUpMs);

function begin() {
  measuring = true;
  const began = performance.now();
  parentPort.postMessage({ began: true });
  setTimeout(() => end(began), load.durationMs);
}

function end(began) {
  measuring = false;
  const ms = performance.now() - began;
  play.stop();
  for (const connection of connections) connection.close();
  parentPort.postMessage({
    done,
    ms,
    statuses: [...statuses],
    counts: histogram.counts,
  });
}

/** Takes the requests in turn. */
function nextRequest() {
  const request = requests[next];
  next = (next + 1) % requests.length;
  return request;
}

function record(status, dueAt) {
  if (!measuring) return;
  done += 1;
  statuses.set(status, (statuses.get(status) ?? 0) + 1);
  histogram.record(performance.now() - dueAt);
}

function closedLoop() {
  let running = true;
  const send = (connection) => {
    connection.dueAt = performance.now();
    connection.send(nextRequest());
  };
  for (const connection of connections) {
    connection.onAnswer = (status) => {
      record(status, connection.dueAt);
      if (running) send(connection);
    };
    send(connection);
  }
  return { stop: () => (running = false) };
}

/**
 * Requests are due at even intervals. A latency counts from when its request was due, not from when
 * a connection was free to send it: a server that stalls cannot hide behind requests never sent.
 */
function openLoop(perSecond) {
  const everyMs = 1000 / perSecond;
  const idle = [...connections];
  const waiting = [];
  let due = performance.now() + everyMs;
  let running = true;
  const send = (connection, dueAt) => {
    connection.dueAt = dueAt;
    connection.send(nextRequest());
  };
  for (const connection of connections) {
    connection.onAnswer = (status) => {
      record(status, connection.dueAt);
      if (waiting.length > 0) send(connection, waiting.shift());
      else idle.push(connection);
    };
  }
  // Timers have a resolution of 1 ms, which is about what is measured: so the thread polls.
  const poll = () => {
    for (const now = performance.now(); due <= now; due += everyMs) {
      if (idle.length > 0) send(idle.pop(), due);
      else waiting.push(due);
    }
    if (running) setImmediate(poll);
  };
  poll();
  return { stop: () => (running = false) };
}
