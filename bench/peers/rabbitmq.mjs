// RabbitMQ: a durable queue, persistent messages, publisher confirms, manual acknowledgements. It
// runs from its own directories with a port mapper of its own, beside any that is there already.

import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { findProgram } from '../servers/programs.mjs';
import { Process, removeDirectory, temporaryDirectory } from '../servers/process.mjs';
import { AmqpChannel, encodePublish } from './amqp.mjs';
import { IN_FLIGHT, openWindow } from './window.mjs';

const PORT = 9863;
const DISTRIBUTION_PORT = 9864;
const MAPPER_PORT = 9865;
const QUEUE = 'bench';
/** Deliveries acknowledged at a time. */
const ACK_COUNT = IN_FLIGHT / 4;

/** The one that packages put in PATH changes the user; this one is behind it. */
const OWN_PLACES = ['/usr/lib/rabbitmq/bin'];

/** @type {import('./index.mjs').Peer} */
export const rabbitmq = {
  name: 'rabbitmq',
  title: 'RabbitMQ, durable, confirms',
  product: 'RabbitMQ',
  async missing() {
    if (!findProgram('rabbitmq-server', OWN_PLACES)) return 'rabbitmq-server is not installed';
    return findProgram('epmd') ? undefined : "Erlang's epmd is not installed";
  },
  start,
};

async function start() {
  const directory = temporaryDirectory();
  const mapper = new Process(findProgram('epmd'), [
    ...['-address', '127.0.0.1', '-port', String(MAPPER_PORT), '-relaxed_command_check'],
  ]);
  await mapper.listening(MAPPER_PORT);
  const server = new Process(findProgram('rabbitmq-server', OWN_PLACES), [], {
    env: environment(directory),
    cwd: directory,
  });
  const stop = async () => {
    await server.stop();
    await mapper.stop();
    removeDirectory(directory);
  };
  try {
    await server.listening(PORT);
    return { version: await serverVersion(), prepare, publish, consume, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function environment(directory) {
  for (const name of ['mnesia', 'log']) mkdirSync(path.join(directory, name));
  const plugins = path.join(directory, 'enabled_plugins');
  writeFileSync(plugins, '[].\n');
  const { PATH, LANG = 'C.UTF-8' } = process.env;
  return {
    PATH,
    LANG,
    HOME: directory,
    ERL_EPMD_PORT: String(MAPPER_PORT),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: 'tidegate-bench@localhost',
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(PORT),
    RABBITMQ_DIST_PORT: String(DISTRIBUTION_PORT),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
    RABBITMQ_MNESIA_BASE: path.join(directory, 'mnesia'),
    RABBITMQ_LOG_BASE: path.join(directory, 'log'),
    RABBITMQ_LOGS: '-',
    RABBITMQ_ENABLED_PLUGINS_FILE: plugins,
    RABBITMQ_CONF_ENV_FILE: path.join(directory, 'none.conf'),
    RABBITMQ_CONFIG_FILE: path.join(directory, 'none'),
  };
}

/** Its tools would say it too, but leave a port mapper behind. */
async function serverVersion() {
  const channel = await AmqpChannel.open(PORT);
  channel.close();
  return channel.serverVersion;
}

async function prepare() {
  const channel = await AmqpChannel.open(PORT);
  await channel.declare(QUEUE);
  await channel.purge(QUEUE);
  channel.close();
}

async function publish(body, count) {
  const channel = await AmqpChannel.open(PORT);
  await channel.confirmPublishes();
  const window = openWindow(count, () => channel.publish(encodePublish(QUEUE, Buffer.from(body))));
  channel.onFailure = window.fail;
  // A confirm of several covers all up to its tag; single ones may come in any order, and one that
  // was counted may be covered again, so the tags that are known stay known.
  const early = new Set();
  let base = 0;
  channel.onConfirm = (tag, multiple) => {
    const before = base + early.size;
    if (!multiple) early.add(tag);
    else for (; base < tag; base += 1) early.delete(base + 1);
    while (early.delete(base + 1)) base += 1;
    window.done(base + early.size - before);
  };
  await window.finished;
  channel.close();
}

async function consume(count) {
  const channel = await AmqpChannel.open(PORT);
  let received = 0;
  const finished = new Promise((resolve, reject) => {
    channel.onFailure = reject;
    channel.onDelivery = (tag) => {
      received += 1;
      if (received % ACK_COUNT === 0 || received === count) channel.ackUpTo(tag);
      if (received === count) resolve();
    };
  });
  await channel.consume(QUEUE, IN_FLIGHT);
  await finished;
  // What is behind the last acknowledgement on the channel is answered after it was taken.
  await channel.declare(QUEUE);
  channel.close();
}
