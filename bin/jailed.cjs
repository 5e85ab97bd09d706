'use strict';
// The supervisor of subprocess actors: dist/jailed.cjs, compiled from its text. See bin/start.cjs.
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { Script } = require('node:vm');

const folder = join(__dirname, '..', 'dist');
const filename = join(folder, 'jailed.cjs');
const bundle = { exports: {} };
new Script(readFileSync(filename, 'latin1'), { filename }).runInThisContext()(
  require,
  bundle,
  bundle.exports,
  filename,
  folder,
);
