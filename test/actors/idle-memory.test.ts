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
    `local time, system, file = require 'time', require 'system', require 'file'
     local path = require('filesystem').path.new
     time.sleep(0.2)
     local keep
     for round = 1, 20 do
       keep = {}
       for i = 1, 50000 do keep[i] = { i, tostring(i) } end
     end
     keep = nil
     -- Read here: it may be idle for a while before anybody else looks.
     local status, text = file.stream.new(), byte_span.new(4096)
     status:open(path '/proc/self/status', {'read_only'})
     print(tostring(text:first(status:read_some(text))):match 'VmRSS:%s*(%d+)')
     system.in_:read_some(byte_span.new(1))`,
  );
  const child = spawn(process.execPath, [MAIN, file], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => {
    child.kill();
    rmSync(folder, { recursive: true });
  });
  const said = await new Promise((ready) => {
    child.stdout.once('data', ready);
    child.once('close', () => ready('nothing'));
  });
  const before = Number(String(said)) / 1024;
  assert.ok(before > 60, `${before} MB`);
  for (let waited = 0; residentMegabytes(child.pid!) > before - 10; waited += 100) {
    assert.ok(waited < 60_000, 'nothing was given back');
    await setTimeout(100);
  }
});
