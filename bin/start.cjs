'use strict';
// Runs dist/main.cjs with the code cache that scripts/prepare.ts made of it: V8 then parses and
// compiles next to nothing at start-up. V8 refuses a cache made by another version, or under other
// flags, and compiles as usual; a missing one is as good.
//
// The bundle is the expression of a function, as Node's own wrapper is, and ASCII, so that latin1 is the
// cheapest way to read it.
const { readFileSync } = require('node:fs');
const { Script } = require('node:vm');

const folder = `${__dirname.slice(0, -'bin'.length)}dist`;
const filename = `${folder}/main.cjs`;
const source = readFileSync(filename, 'latin1');
let cachedData;
try {
  cachedData = readFileSync(`${folder}/main.cache`);
} catch {
  // compiled from its text
}
const script = new Script(source, { filename, cachedData });
const bundle = { exports: {} };
script.runInThisContext()(require, bundle, bundle.exports, filename, folder);
