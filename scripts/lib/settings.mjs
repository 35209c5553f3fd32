// Reads the settings of a local start from the environment and says who may use the server. Pure:
// takes the variables, gives values or a Failure. What the Worker's own settings may be, it checks
// itself.

import path from 'node:path';
import { Failure } from './steps.mjs';
import { readTargets } from './targets.mjs';

/** Variables of the Worker that are handed on as they are; unset stays unset. */
const HANDED_ON = [
  'ADMIN_TOKEN',
  'ALLOW_PRIVATE_TARGETS',
  'AUTH',
  'AUTO_CREATE',
  'CLIENT_ADDRESS_HEADER',
  'JWKS_URL',
  'LOG_LEVEL',
  'TICKET_KEY',
  'TOKEN_AUDIENCE',
  'TOKEN_ISSUER',
  'TOKEN_SECRET',
];

/**
 * @typedef {object} Settings
 * @property {string} host the address to listen on
 * @property {number} port 0 for any that is free
 * @property {string} dataDir absolute
 * @property {Record<string, string>} env the variables of the Worker
 * @property {import('./targets.mjs').Target[]} targets what pushes call besides URLs
 * @property {boolean} loopback whether only this machine can reach the server
 * @property {'open' | 'token' | 'closed'} access who may use it: anyone who reaches it, who has a
 *   token, nobody
 */

/**
 * @param {Record<string, string | undefined>} variables
 * @param {string} directory against which a relative DATA_DIR is taken
 * @returns {Settings}
 */
export function readSettings(variables, directory) {
  const host = (variables.HOST || '127.0.0.1').replace(/^\[(.*)\]$/, '$1');
  const loopback = isLoopback(host);
  const { targets, env: named } = readTargets(variables);
  const env = { ...workerVariables(variables, loopback), ...named };
  return {
    host,
    port: readPort(variables.PORT || '8787'),
    dataDir: path.resolve(directory, variables.DATA_DIR || '.tidegate'),
    env,
    targets,
    loopback,
    access: accessOf(env, loopback),
  };
}

function readPort(text) {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65535) return port;
  throw new Failure(`PORT is "${text}"; it must be a number from 0 (any free port) to 65535.`);
}

function workerVariables(variables, loopback) {
  const env = {};
  for (const name of HANDED_ON) if (variables[name]) env[name] = variables[name];
  if (loopback) {
    env.LOOPBACK = 'true';
    env.ALLOW_PRIVATE_TARGETS ??= 'true';
    // Open by default only where nobody but this machine can come in, and no token was asked for.
    if (!takesTokens(env)) env.AUTH ??= 'none';
  }
  return env;
}

function accessOf(env, loopback) {
  if (env.AUTH === 'none' && loopback) return 'open';
  return takesTokens(env) ? 'token' : 'closed';
}

function takesTokens(env) {
  return ['ADMIN_TOKEN', 'TOKEN_SECRET', 'JWKS_URL'].some((name) => env[name]);
}

/**
 * @param {string} host
 * @returns {boolean} whether it names this machine to itself only
 */
export function isLoopback(host) {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/**
 * @param {string} host
 * @param {number} port
 * @returns {string} the two as they stand in a URL
 */
export function authority(host, port) {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
