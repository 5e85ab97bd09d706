'use strict';
// Runs dist/main.cjs with the code cache that scripts/prepare.ts made of it: V8 then parses and
// compiles next to nothing at start-up. V8 refuses a cache made by another version, or under other
// flags, and compiles as usual; a missing one is as good.
//
// A bundle is the expression of a function, as Node's own wrapper is, and ASCII, so that latin1 is the
// cheapest way to read it. On Linux it isn't even read: see native/start/start.c.
const { Script } = require('node:vm');

const root = __dirname.slice(0, -'bin'.length);
const folder = `${root}dist`;
const addon = { exports: {} };
if (process.platform === 'linux') {
  try {
    process.dlopen(addon, `${root}build/Release/start.node`);
  } catch {
    // not built: files are read
  }
}
const { text = () => undefined, bytes = read } = addon.exports;

function read(file) {
  try {
    return require('node:fs').readFileSync(file);
  } catch {
    return undefined;
  }
}

/** @param rest  what the bundle is given beside the arguments of Node's wrapper */
function load(name, ...rest) {
  const filename = `${folder}/${name}.cjs`;
  const source = text(filename) ?? require('node:fs').readFileSync(filename, 'latin1');
  const script = new Script(source, { filename, cachedData: bytes(`${folder}/${name}.cache`) });
  const bundle = { exports: {} };
  script.runInThisContext()(require, bundle, bundle.exports, filename, folder, ...rest);
  return bundle.exports;
}

load('main', load);
