/**
 * Every `<topic>/<name>.lua` here prints what its `.out` says, also when every call suspends, and when functions are
 * compiled as they are first called, or loops are functions of their own.
 */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { runFile } from '../support/spec.ts';

const folder = import.meta.dirname;

for (const file of globSync('*/*.lua', { cwd: folder }).sort()) {
  const path = join(folder, file);
  const expected = readFileSync(path.replace(/\.lua$/, '.out'), 'latin1');
  for (const [mode, options] of [
    ['', {}],
    [' (suspending at every call)', { suspendAll: true }],
    [' (functions later)', { later: true }],
    [' (functions later, suspending)', { later: true, suspendAll: true }],
    [' (loops apart)', { apart: true }],
    [' (loops apart, suspending)', { apart: true, suspendAll: true }],
  ] as const) {
    test(file + mode, async () => {
      const { stdout, stderr } = await runFile(path, file.replace(/.*\//, ''), options);
      assert.equal(stdout + stderr, expected);
    });
  }
}
