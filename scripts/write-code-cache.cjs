'use strict';
// Preloaded by prepare.ts into one run of the launcher: when that run (or its thread) ends, writes the code
// cache of the bundle that CACHE_OF names. The run decides what is in it: every function that it called.
const { renameSync, writeFileSync } = require('node:fs');
const vm = require('node:vm');

vm.Script = class extends vm.Script {
  constructor(source, options) {
    super(source, options);
    if (!options?.filename?.endsWith(`${process.env.CACHE_OF}.cjs`)) return;
    const cacheFile = options.filename.replace(/\.cjs$/, '.cache');
    process.on('exit', () => {
      writeFileSync(`${cacheFile}.${process.pid}`, this.createCachedData());
      renameSync(`${cacheFile}.${process.pid}`, cacheFile);
    });
  }
};
