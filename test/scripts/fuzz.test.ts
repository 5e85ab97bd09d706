/** The differential fuzzer: what is generated can be run, always the same for a seed, and compared. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { sameLine } from '../../scripts/fuzz/same.ts';
import { programOf } from '../../scripts/fuzz.ts';

const run = promisify(execFile);

test('a seed makes one program', () => {
  assert.equal(programOf(6), programOf(6));
  assert.notEqual(programOf(6), programOf(8));
});

test('two batches of programs print the same here and in LuaJIT', {
  skip: spawnSync('luajit', ['-v']).error !== undefined && 'luajit is not installed',
}, async () => {
  const { stdout } = await run(process.execPath, [
    join(import.meta.dirname, '..', '..', 'scripts', 'fuzz.ts'),
    '--programs',
    '100',
    '--seed',
    '1',
  ]);
  assert.match(stdout, /100 programs \(.*\), 0 differences\n$/);
});

test('places that LuaJIT puts before errors from coroutine.wrap are no difference, other places are', () => {
  const passedOn = '1: false, "main.lua:8: main.lua:5: dead" "main.lua:3: e"';
  assert.equal(sameLine(passedOn, '1: false, "main.lua:5: dead" "main.lua:3: e"', []), true);
  assert.equal(sameLine(passedOn, '1: false, "main.lua:6: dead" "main.lua:3: e"', []), false);
  assert.equal(sameLine(passedOn, '1: false, "main.lua:5: dead" "main.lua:4: e"', []), false);
});
