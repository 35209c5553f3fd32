// What pushes call besides URLs, on workerd by itself: settings say which names are bound to which
// addresses, and the configuration of workerd gets a service and a binding for each.

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Failure } from './steps.mjs';
import { ROOT } from './tools.mjs';

/** Settings, and what a binding of each is to workerd. */
const KINDS = { PUSH_WORKERS: 'service', PUSH_QUEUES: 'queue' };
const EXAMPLES = { PUSH_WORKERS: 'BILLING=127.0.0.1:9000', PUSH_QUEUES: 'ORDERS=127.0.0.1:9001' };
const ENTRY = /^([A-Za-z_]\w*)=((?:[\w.-]+|\[[\da-fA-F:]+\]):\d{1,5})$/;

/**
 * @typedef {object} Target
 * @property {string} name of the binding
 * @property {string} address host and port
 * @property {string} kind of the binding
 */

/**
 * Reads both settings: `NAME=HOST:PORT`, separated by commas.
 * @param {Record<string, string | undefined>} variables
 * @returns {{targets: Target[], env: Record<string, string>}} and the names, as the Worker wants them
 */
export function readTargets(variables) {
  const targets = [];
  const env = {};
  for (const [setting, kind] of Object.entries(KINDS)) {
    const entries = (variables[setting] ?? '').split(',').map((text) => text.trim());
    const named = entries.filter(Boolean).map((text) => read(setting, kind, text));
    targets.push(...named);
    if (named.length > 0) env[setting] = named.map(({ name }) => name).join(',');
  }
  const names = targets.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice) throw new Failure(`PUSH_WORKERS and PUSH_QUEUES name ${twice} more than once.`);
  return { targets, env };
}

function read(setting, kind, text) {
  const [, name, address] = ENTRY.exec(text) ?? [];
  if (name) return { name, address, kind };
  const example = EXAMPLES[setting];
  throw new Failure(`${setting} has "${text}"; it must be NAME=HOST:PORT, as in ${example}.`);
}

/**
 * A configuration of workerd with these bound: another file, where there are any.
 * @param {string} configuration
 * @param {Target[]} targets
 * @returns {string}
 */
export function withTargets(configuration, targets) {
  if (targets.length === 0) return configuration;
  const directory = path.join(ROOT, 'build');
  const from = path.relative(directory, path.dirname(configuration));
  const text = readFileSync(configuration, 'utf8')
    .replaceAll(/embed "([^"]+)"/g, (_, file) => `embed "${path.posix.join(from, file)}"`);
  for (const { name } of targets) {
    if (!text.includes(`(name = "${name}"`)) continue;
    throw new Failure(`PUSH_WORKERS and PUSH_QUEUES cannot name ${name}: it is Tidegate's own.`);
  }
  const services = targets.map(({ name, address }) =>
    `\n    (name = "push-${name}", external = (address = "${address}", http = ())),`);
  const bindings = targets.map(({ name, kind }) =>
    `\n    (name = "${name}", ${kind} = "push-${name}"),`);
  const bound = text
    .replace('services = [', () => `services = [${services.join('')}`)
    .replace('bindings = [', () => `bindings = [${bindings.join('')}`);
  const sum = createHash('sha256').update(bound).digest('hex').slice(0, 16);
  const file = path.join(directory, `targets-${sum}.capnp`);
  mkdirSync(directory, { recursive: true });
  writeFileSync(file, bound);
  return file;
}
