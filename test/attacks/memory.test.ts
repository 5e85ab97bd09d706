/** A sandbox that wants more memory than there is takes nobody along: the kernel ends it first. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { noSandboxes } from '../support/sandboxes.ts';
import { MAIN } from '../support/spec.ts';

const MB = 2 ** 20;
/** Of a group of processes; less than sandboxes may have, so that it is the machine's memory that runs out. */
const ALL = 512 * MB;
/** Of that the program holds more than a sandbox can get. */
const HELD = 224 * MB;

/** A group of its own for a program, with so much memory. @returns undefined: nobody may make one here */
function memoryGroup(): string | undefined {
  const own = readFileSync('/proc/self/cgroup', 'latin1');
  const older = /^\d+:(?:[\w,]*,)?memory(?:,\w+)*:(.*)$/m.exec(own)?.[1];
  const newer = /^0::(.*)$/m.exec(own)?.[1];
  const parents =
    older !== undefined
      ? ['/sys/fs/cgroup/memory', `/sys/fs/cgroup/memory${older}`]
      : [`/sys/fs/cgroup${newer}`, '/sys/fs/cgroup'];
  for (const parent of parents) {
    const folder = join(parent, `perilune-test-${process.pid}`);
    try {
      mkdirSync(folder);
    } catch {
      continue;
    }
    try {
      // Without the swap, which would be used first where there is one.
      for (const [most, noSwap, swap] of [
        ['memory.limit_in_bytes', 'memory.memsw.limit_in_bytes', ALL],
        ['memory.max', 'memory.swap.max', 0],
      ] as const) {
        try {
          writeFileSync(join(folder, most), `${ALL}`);
        } catch {
          continue;
        }
        try {
          writeFileSync(join(folder, noSwap), `${swap}`);
        } catch {
          // the kernel counts none
        }
        return folder;
      }
    } catch {
      // not delegated
    }
    rmdirSync(folder);
  }
  return undefined;
}

const PROGRAM = `
local inbox = require 'inbox'
if _CONTEXT == 'worker' then
  local m = inbox:receive()
  if m.hog then
    local t = {}
    for i = 1, 1e6 do t[i] = byte_span.append(('x'):rep(2^20)) end
  end
  m.home:send 'works'
  return
end
local held, piece = {}, ('held'):rep(2^18)
for i = 1, ${HELD / MB} do held[i] = byte_span.append(piece) end
local function new(hog)
  local c = spawn_vm{module = '.', subprocess = {sandbox = 'inbox', limits = {memory = 2^30}}}
  c:monitor()
  c:send{home = inbox, hog = hog}
  local answer = inbox:receive()
  print(type(answer) == 'table' and answer.reason or answer)
  if type(answer) ~= 'table' then inbox:receive() end
end
for i = 1, 2 do
  new(true)
  new(false)
end
print(#held, tostring(held[1]:last(4)))
`;

test('memory that runs out is taken from a sandbox, and not from who made it', {
  skip: noSandboxes(),
  timeout: 300_000,
}, (t) => {
  const group = memoryGroup();
  if (group === undefined) return t.skip('no group with a limit of memory can be made: cgroups(7)');
  const folder = mkdtempSync(join(tmpdir(), 'perilune-memory-'));
  try {
    const main = join(folder, 'main.lua');
    writeFileSync(main, PROGRAM);
    const command = `echo $$ > ${group}/cgroup.procs && exec "$@"`;
    const program = [process.execPath, '--stack-size=3900', MAIN, main];
    const ended = spawnSync('sh', ['-c', command, 'sh', ...program], {
      encoding: 'utf8',
      timeout: 240_000,
    });
    assert.equal(ended.signal, null, ended.stderr);
    // PID 1 of the namespace tells how the actor was ended: 128 + SIGKILL.
    assert.equal(ended.stdout, `${'exit status 137\nworks\n'.repeat(2)}${HELD / MB}\theld\n`);
    assert.equal(ended.status, 0);
  } finally {
    rmSync(folder, { recursive: true });
    // Who has just ended may be in it still.
    for (let tries = 0; tries < 100; tries++) {
      if (spawnSync('rmdir', [group]).status === 0) break;
      spawnSync('sleep', ['0.1']);
    }
  }
});
