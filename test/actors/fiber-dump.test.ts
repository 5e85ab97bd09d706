import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { MAIN, runProgram, spec } from '../support/spec.ts';

spec(
  'a panic tells who started the fiber, and who started that one',
  `
  local function child() error('deep') end
  local function parent()
    local f = spawn(child)
    f:detach()
  end
  local f = spawn(parent)
  f:join()
`,
  '',
  {
    stderr:
      "Fiber 0x3 panicked: 'main.lua:2: deep'\nstack traceback:\n\tmain.lua:2: in function 'child'\nspawned by fiber 0x2:\n\tmain.lua:4: in function 'parent'\nspawned by fiber 0x1:\n\tmain.lua:7: in main chunk\n",
    once: true,
  },
);

test('--fiber-dump prints the fibers that are left at the end', async () => {
  const { stderr } = await runProgram(
    `
local p, f = require('future').new()
KEEP = p
local function waiter() f:get() end
spawn(waiter)
spawn(function()
  coroutine.wrap(function() f:get() end)()
end)
`,
    { flags: ['--fiber-dump'] },
  );
  assert.match(
    stderr,
    /^VM 0x1: 2 fibers\nfiber 0x2 waits for future 0x[0-9a-f]+\n\t\S+main\.lua:4: in function 'waiter'\n\tspawned at \S+main\.lua:5: in main chunk, by fiber 0x1\nfiber 0x3 waits for future/,
  );
  assert.match(
    stderr,
    /main\.lua:7: in function <\S+main\.lua:7>\n\t\S+main\.lua:7: in function <\S+main\.lua:6>/,
  );
});

/** A program ends when its input does: that is when it has told of its fibers. */
const WAITS = `pcall(system.in_.read_some, system.in_, byte_span.new(1))`;

/** Sends the signal once something has been printed, and then makes `mark`, if there is one to make. */
async function dumped(
  file: string,
  mark?: string,
): Promise<{ stdout: string; stderr: string; code: unknown }> {
  const child = spawn(process.execPath, [MAIN, file], { stdio: 'pipe' });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data) => {
    stdout += data;
  });
  child.stderr.on('data', (data) => {
    stderr += data;
    if (/waits for a timer or a descriptor\n/.test(stderr)) child.stdin.end();
  });
  child.stdout.once('data', () => {
    child.kill('SIGUSR1');
    if (mark !== undefined) mkdirSync(mark);
  });
  const code = await new Promise((done) => child.on('close', done));
  return { stdout, stderr, code };
}

test('SIGUSR1 to a program that computes: the fibers come when it waits, and no debugger', {
  timeout: 300_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-test-'));
  try {
    const file = join(folder, 'main.lua');
    writeFileSync(
      file,
      `local system, fs = require 'system', require 'filesystem'
       local mark = _FILE.parent_path / 'mark'
       print(('x'):rep(65536)) -- so much is written at once
       this_fiber.forbid_suspend()
       while not fs.exists(mark) do end
       this_fiber.allow_suspend()
       ${WAITS}`,
    );
    const { stderr, code } = await dumped(file, join(folder, 'mark'));
    assert.equal(code, 0);
    assert.match(
      stderr,
      /^VM 0x1: 1 fiber\nfiber 0x1 \(main\) waits for a timer or a descriptor\n/,
    );
    assert.doesNotMatch(stderr, /Debugger/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('SIGUSR1 prints all fibers, and the program goes on', { timeout: 300_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-test-'));
  try {
    const file = join(folder, 'main.lua');
    writeFileSync(
      file,
      `local time, system = require 'time', require 'system'
print('up')
local done
spawn(function() while not done do time.sleep(0.01) end end)
${WAITS} done = true print('end')`,
    );
    const { stdout, stderr, code } = await dumped(file);
    assert.equal(code, 0);
    assert.equal(stdout, 'up\nend\n');
    assert.match(
      stderr,
      /VM 0x1: 2 fibers\nfiber 0x1 \(main\) waits for a timer or a descriptor\n\t\S+main\.lua:5: in main chunk\nfiber 0x2 waits for a timer/,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

spec(
  'the traceback is there also if the fiber has waited, in scopes, groups, comparators and handlers',
  `
  local function fail() this_fiber.yield() error('x') end
  local function deep() fail() return 1 end
  local function run(f) spawn(f):detach() for i = 1, 8 do this_fiber.yield() end end
  run(function() scope(function() scope_cleanup_push(this_fiber.yield) deep() end) return 1 end)
  run(function() table.sort({ 1, 2 }, function() deep() end) return 1 end)
  run(function() print(('x'):gsub('x', deep)) return 1 end)
  run(function() require_not_needed = coroutine.wrap(deep)() return 1 end)
  run(function() assert(pcall(print, pcall(deep))) deep() return 1 end)
  scope(function() scope_cleanup_push(function() deep() return 1 end) end)
`,
  'false\tmain.lua:2: x\n',
  {
    stderr: new RegExp(
      [5, 6, 7, 8, 9]
        .map(
          (line, i) =>
            `Fiber 0x${i + 2} panicked: 'main\\.lua:2: x'\nstack traceback:\n\tmain\\.lua:2: in function 'fail'\n\tmain\\.lua:3: in function (?:<main\\.lua:3>|'\\w+')\n(?:\t.*\n)*?${line === 8 ? '' : `\tmain\\.lua:${line}: in function <main\\.lua:${line}>\n`}spawned by fiber 0x1:\n\tmain\\.lua:4: in function 'run'\n`,
        )
        .join('') +
        "VM .* forcibly closed due to .*\n'main\\.lua:2: x'\nstack traceback:\n\tmain\\.lua:2: in function 'fail'\n\tmain\\.lua:3: in function 'deep'\n\tmain\\.lua:10: in function <main\\.lua:10>\n\t\\[C\\]: in function 'scope'\n\tmain\\.lua:10: in main chunk\n$",
    ),
    code: 1,
    once: true,
  },
);

spec(
  'who started a fiber is told across groups and time limits, too',
  `
  local group, timeout = require 'fiber_group', require 'timeout'
  group(function(g)
    g:spawn(function()
      timeout(60, function()
        spawn(function() error('deep') end):detach()
        this_fiber.yield() this_fiber.yield()
      end)
    end)
  end)
`,
  '',
  {
    stderr:
      "Fiber 0x4 panicked: 'main.lua:6: deep'\nstack traceback:\n\tmain.lua:6: in function <main.lua:6>\nspawned by fiber 0x3:\n\tmain.lua:6: in function <main.lua:5>\nspawned by fiber 0x2\nspawned by fiber 0x1:\n\tmain.lua:4: in function <main.lua:3>\n",
    once: true,
  },
);

test('of more than 200 fibers the others are counted by place, in dumps and in reports of deadlocks', async () => {
  const { stderr } = await runProgram(
    `
local m, ch = require('mutex').new(), require('channel').new()
m:lock()
for i = 1, 300 do
  spawn(function() m:lock() end)
  spawn(function() ch:receive() end)
end`,
    { flags: ['--fiber-dump'] },
  );
  const [dump, deadlock] = stderr.split('Possible deadlock') as [string, string];
  assert.match(dump, /^VM 0x1: 600 fibers\nfiber 0x2 waits for mutex /);
  assert.equal(dump.match(/^fiber 0x/gm)?.length, 200);
  assert.match(
    dump,
    /\n\t\d+ more wait for a mutex at .*main\.lua:5\n\t\d+ more wait for a fiber_channel at .*main\.lua:6\n$/,
  );
  assert.match(
    deadlock,
    /\n\t\d+ more wait for a mutex at .*main\.lua:5\n\t\d+ more wait for a fiber_channel at .*main\.lua:6\n\tNo scheduled fibers remaining to unlock mutex 0x\w+\n$/,
  );
  const counted = [...deadlock.matchAll(/^\t(\d+) more /gm)].reduce((sum, m) => sum + +m[1]!, 0);
  assert.equal(counted, 400);
});
