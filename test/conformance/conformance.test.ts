/** Every `<topic>/<name>.lua` here prints what its `.out` says, also when every call suspends. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { runFile } from '../support/spec.ts';

const folder = import.meta.dirname;

for (const file of globSync('*/*.lua', { cwd: folder }).sort()) {
  const path = join(folder, file);
  const expected = readFileSync(path.replace(/\.lua$/, '.out'), 'latin1');
  for (const suspendAll of [false, true]) {
    test(`${file}${suspendAll ? ' (suspending at every call)' : ''}`, async () => {
      const { stdout, stderr } = await runFile(path, file.replace(/.*\//, ''), { suspendAll });
      assert.equal(stdout + stderr, expected);
    });
  }
}
