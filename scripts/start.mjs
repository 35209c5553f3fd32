// npm start: installs what is missing, builds what is not up to date, serves until it is stopped.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { buildCore } from './lib/core.mjs';
import { launch } from './lib/server.mjs';
import { readSettings } from './lib/settings.mjs';
import { Failure, run } from './lib/steps.mjs';
import { ROOT, installPackages } from './lib/tools.mjs';
import { welcome } from './lib/welcome.mjs';

/** npm hands on the signal that the terminal sends to us too; what comes this soon is the same. */
const SAME_SIGNAL_MS = 500;
const PARENT_POLL_MS = 500;

/** Of what workerd says when it dies, this many lines are shown. */
const LAST_WORDS_LINES = 20;

run(async () => {
  const settings = readSettings(process.env, process.cwd());
  await installPackages();
  await buildCore();
  const onSpawn = (server) => {
    stopOnSignals(server);
    stopWithParent(server);
  };
  const server = await launch(settings, { onSpawn, onLine: showWhatMatters });
  if (!server.stopping) console.log(welcome(settings, server, version()));
  const { code, signal } = await server.exited;
  if (server.stopping) {
    console.log('Stopped. The data is kept.');
    return 0;
  }
  const output = server.logs().trimEnd().split('\n').slice(-LAST_WORDS_LINES).join('\n');
  throw new Failure(`workerd ended by itself (${signal ?? `exit code ${code}`}).`, { output });
});

function version() {
  return JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')).version;
}

/** What the Worker prints, and errors; not workerd's notes on clients that hung up. */
function showWhatMatters(line, stream) {
  if (stream === 'stdout') console.log(line);
  else if (/\b(error|fatal)\b/i.test(line) && !/disconnected|NOSENTRY/i.test(line)) {
    console.error(line);
  }
}

function stopOnSignals(server) {
  let first;
  const stop = () => {
    if (first === undefined) {
      first = performance.now();
      console.log('\nStopping: requests in progress may finish. Ctrl-C again ends them.');
      server.stop();
    } else if (performance.now() - first > SAME_SIGNAL_MS) {
      server.kill();
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop);
}

/** An npm that is killed outright must leave no server behind. */
function stopWithParent(server) {
  if (!process.env.npm_lifecycle_event) return;
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent && !server.stopping) server.stop();
  }, PARENT_POLL_MS).unref();
}
