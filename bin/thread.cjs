'use strict';
// A thread for VMs: dist/thread.cjs, with its code cache. See bin/start.cjs.
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { Script } = require('node:vm');

const folder = join(__dirname, '..', 'dist');
const filename = join(folder, 'thread.cjs');
let cachedData;
try {
  cachedData = readFileSync(join(folder, 'thread.cache'));
} catch {
  // compiled from its text
}
const bundle = { exports: {} };
const script = new Script(readFileSync(filename, 'latin1'), { filename, cachedData });
script.runInThisContext()(require, bundle, bundle.exports, filename, folder);
