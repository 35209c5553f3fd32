// Stops with a readable message on a Node that is too old. Loaded before everything else by the
// commands in package.json, so it keeps to syntax that any Node ever released can parse.
'use strict';

var NEEDED = 20;
var found = process.versions.node;

if (parseInt(found, 10) < NEEDED) {
  console.error(
    '\nNode ' + found + ' found, ' + NEEDED + ' or newer needed.\n' +
    'Get it from https://nodejs.org, or with a version manager: nvm install ' + NEEDED + '\n'
  );
  process.exit(1);
}
