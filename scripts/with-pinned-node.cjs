'use strict';
// node scripts/with-pinned-node.cjs script.ts [arguments]: runs a script in the Node that this package
// pins, from any Node. npm 11 puts that Node first on PATH for its scripts, npm 10 does not.
const { spawnSync } = require('node:child_process');
const node = require('../bin/pinned-node.cjs');

if (node === undefined) {
  console.error('perilune: its Node.js is not installed: run npm ci, without --omit=optional');
  // `npx perilune` before `npm ci` runs `prepare`, and npm would keep what is left of a failed one
  process.exit(process.env.npm_lifecycle_event === 'prepare' ? 0 : 1);
}
process.exit(spawnSync(node, process.argv.slice(2), { stdio: 'inherit' }).status ?? 1);
