/**
 * What programs become for a debugger: they do the same, line by line of Lua, with the program's names. How a
 * debugger sees it: test/cli/inspect.test.ts.
 */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { inspection } from '../../src/actors/inspection.ts';
import { runFile } from '../support/spec.ts';

const folder = join(import.meta.dirname, '../conformance');

before(() => {
  inspection.debugs = true;
});
after(() => {
  inspection.debugs = false;
});

for (const file of globSync('*/*.lua', { cwd: folder }).sort()) {
  const path = join(folder, file);
  const expected = readFileSync(path.replace(/\.lua$/, '.out'), 'latin1');
  for (const suspendAll of [false, true]) {
    // Each continuation of its long functions is compiled when its site suspends.
    if (suspendAll && file.startsWith('limits/')) continue;
    test(`${file}${suspendAll ? ' (suspending at every call)' : ''}`, async () => {
      const { stdout, stderr } = await runFile(path, file.replace(/.*\//, ''), { suspendAll });
      assert.equal(stdout + stderr, expected);
    });
  }
}
