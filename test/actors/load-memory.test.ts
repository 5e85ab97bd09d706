/** Chunks that nobody refers to any more are garbage, also before the program waits for something. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { loadChunk } from '../../src/actors/load.ts';
import { ModuleLoader } from '../../src/actors/modules.ts';
import { Vm } from '../../src/actors/vm.ts';
import { library } from '../../src/modules/all.ts';

test('chunks loaded one after the other, in one job', () => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as (options: object) => void;
  const used = (): number => {
    // Not `fullCollection`: that ends the job, as far as weak references go.
    gc({ type: 'major', flavor: 'last-resort' });
    return process.memoryUsage().heapUsed;
  };
  const nothing = (): void => {};
  const vm = new Vm(library, {
    report: nothing,
    ended: nothing,
    bug: nothing,
    print: nothing,
    flush: nothing,
  });
  vm.modules = new ModuleLoader(vm, 'main', []);
  const globals = vm.newGlobals();
  const load = (count: number): void => {
    for (let i = 0; i < count; i++)
      loadChunk(`if x == ${i} then y = x end return ${i}`, 'x.lua', globals);
  };
  load(500);
  const before = used();
  load(2500);
  const grown = used() - before;
  vm.close();
  // Some 3 KB of each, if they were kept; what tells of their end is kept, some 250 bytes.
  assert.ok(grown < 2500 * 600, `${grown} bytes more`);
});
