/** A process that waits gives memory back. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { MAIN } from '../support/spec.ts';

const residentMegabytes = (pid: number): number =>
  Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))![1]) / 1024;

test('what a busy start left is given back while nothing goes on', {
  skip: process.platform !== 'linux' && 'reads /proc',
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-idle-'));
  const file = join(folder, 'main.lua');
  writeFileSync(
    file,
    `local time = require 'time'
     time.sleep(0.2)
     local keep
     for round = 1, 20 do
       keep = {}
       for i = 1, 50000 do keep[i] = { i, tostring(i) } end
     end
     keep = nil
     print 'ready'
     time.sleep(60)`,
  );
  const child = spawn(process.execPath, [MAIN, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => {
    child.kill();
    rmSync(folder, { recursive: true });
  });
  await new Promise((ready) => child.stdout.once('data', ready));
  const before = residentMegabytes(child.pid!);
  for (let waited = 0; residentMegabytes(child.pid!) > before - 10; waited += 100) {
    assert.ok(waited < 20_000, 'nothing was given back');
    await setTimeout(100);
  }
});
