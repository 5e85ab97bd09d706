/**
 * Files on a disk that takes as long as it likes: test/support/slowfs.c, a server of FUSE that holds all reads until a file
 * named `go` is looked for. What other fibers do meanwhile, and what becomes of the reads; in io_uring and in the pool.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { useRing } from '../../src/io/uring.ts';
import { nativeFailure } from '../../src/sys/native.ts';
import { openReactor } from '../support/faulty.ts';
import { outputOf } from '../support/output.ts';
import { MAIN } from '../support/spec.ts';
import { inFolder } from './file-programs.ts';

await openReactor();
const folder = mkdtempSync(join(tmpdir(), 'perilune-slow-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const MB = 2 ** 20;
const disk = join(folder, 'disk');
const slowfs = join(folder, 'slowfs');
mkdirSync(disk);

const NAMESPACE = [
  'timeout',
  '--signal=KILL',
  '280',
  'unshare',
  '--kill-child',
  '--user',
  '--map-root-user',
  '--mount',
];
const onDisk = (...command: readonly string[]): string[] => [
  ...NAMESPACE,
  slowfs,
  disk,
  String(64 * MB),
  'hold',
  ...command,
];

function cannot(): string | false {
  const native = nativeFailure();
  if (native !== undefined) return native;
  const source = join(import.meta.dirname, '../support/slowfs.c');
  const compiler = process.env['CC'] ?? 'cc';
  if (spawnSync(compiler, ['--version']).error) return `${compiler} is missing`;
  const built = spawnSync(compiler, ['-O2', '-Wall', '-Wextra', '-Werror', '-o', slowfs, source], {
    encoding: 'utf8',
  });
  assert.equal(built.status, 0, built.stderr);
  const [command, ...args] = onDisk('true');
  const run = spawnSync(command!, args, { encoding: 'utf8' });
  if (run.status === 0) return false;
  return `FUSE can't be mounted here: ${run.error?.message ?? run.stderr.trim()}`;
}

const skip = cannot();
const ways = skip === false && useRing(true) ? ['ring', 'pool'] : ['pool'];
const runner = join(import.meta.dirname, '../support/run-file.ts');

const SETUP = `
  local file, stream, time, fs = require 'file', require 'stream', require 'time', require 'filesystem'
  ${inFolder(folder)}
  local disk, MB = '${disk}', 2^20
  -- The disk answers what it was asked, and from then on at once.
  local function go() fs.exists(fs.path.new(disk .. '/go')) end
  -- A byte is its position modulo 251.
  local function is_right(b, at)
    for _, i in ipairs { 1, 2, 4096, #b / 2, #b } do
      if b[i] ~= (at + i - 1) % 251 then return false end
    end
    return true
  end
  local function descriptors()
    local n = 0
    for _ in fs.directory_iterator(fs.path.new('/proc/self/fd')) do n = n + 1 end
    return n
  end
  -- Time goes by: what could end would have ended.
  local function ticks(n)
    for i = 1, n do time.sleep(0.001) end
  end
`;

function onSlowDisk(name: string, program: string, expected: string): void {
  for (const way of ways) {
    test(`${name} (${way})`, { skip, timeout: 300_000 }, async () => {
      const main = join(mkdtempSync(join(folder, 'own-')), 'main.lua');
      writeFileSync(main, `local way = '${way}'\n${SETUP}${program}`);
      const [command, ...args] = onDisk(process.execPath, '--stack-size=3900', runner, way, main);
      const ended = await outputOf(command!, args);
      assert.deepEqual(ended, { stdout: expected, stderr: '', code: 0, signal: null });
    });
  }
}

onSlowDisk(
  'while 16 fibers read, another one ticks, and so do timers, pipes and files elsewhere',
  `
  local pipe = require 'pipe'
  local taken, arrived, right, readers = 0, 0, true, {}
  for i = 1, 16 do
    readers[i] = spawn(function()
      local f, b = random_of(disk .. '/slow', 'read_only'), byte_span.new(MB)
      while taken < 64 do
        local at = taken * MB
        taken = taken + 1
        file.read_all_at(f, at, b)
        arrived = arrived + 1
        right = right and is_right(b, at)
      end
      f:close()
    end)
  end
  ticks(50)
  local r, w = pipe.pair()
  local b = byte_span.new(5)
  spawn(function() stream.write_all(w, 'piped') end):detach()
  stream.read_all(r, b)
  -- The pool's few threads are all with this disk.
  if way == 'ring' then stream.write_all(stream_of(name(), 'create', 'write_only'), 'on another disk') end
  print(tostring(b), taken, arrived)
  go()
  for i = 1, 16 do readers[i]:join() end
  print(taken, arrived, right)
`,
  'piped\t16\t0\n64\t64\ttrue\n',
);

onSlowDisk(
  'a read is interrupted, cancelled or its file closed at once, however long the disk takes',
  `
  local function reader()
    local f, b = random_of(disk .. '/slow', 'read_only'), byte_span.new(MB)
    local fib = spawn(function()
      local ok, e = pcall(f.read_some_at, f, 0, b)
      return e
    end)
    ticks(5)
    return f, fib
  end
  local before = descriptors()
  local f, fib = reader()
  fib:interrupt()
  print(fib:join(), f.is_open)
  f:close()
  local f, fib = reader()
  f:cancel()
  print(fib:join(), f.is_open)
  f:close()
  local f, fib = reader()
  f:close()
  print(fib:join(), f.is_open, descriptors() - before)
  go()
  -- The disk has let go of them.
  while descriptors() > before do time.sleep(0.001) end
`,
  `Fiber interrupted\ttrue
Operation canceled\ttrue
Operation canceled\tfalse\t3
`,
);

onSlowDisk(
  'a stream that was given up in a read goes on where it was; the bytes come from there',
  `
  local f, b = stream_of(disk .. '/slow', 'read_only'), byte_span.new(100000)
  local fib = spawn(function() f:read_some(b) end)
  ticks(5)
  fib:interrupt()
  pcall(fib.join, fib)
  local at = f:seek(0, 'cur')
  go()
  stream.read_all(f, b)
  print(at, is_right(b, 0), f:seek(0, 'cur'))
`,
  '0\ttrue\t100000\n',
);

onSlowDisk(
  'a disk that keeps nothing in memory holds nobody up either',
  `
  local f, b = random_of(disk .. '/short', 'read_only'), byte_span.new(MB)
  local fib = spawn(function() return f:read_some_at(7, b) end)
  ticks(5)
  print 'ticked'
  go()
  print(fib:join(), is_right(b, 7))
`,
  'ticked\n1048576\ttrue\n',
);

onSlowDisk(
  'a disk that fails in the middle, and a file that is shorter than its size says',
  `
  go()
  local half, b = 32 * MB, byte_span.new(2 * MB)
  local f = random_of(disk .. '/broken', 'read_only')
  print(f:read_some_at(half - 10, b), pcall(f.read_some_at, f, half, b))
  print(pcall(file.read_all_at, f, half - MB, b))
  local f = stream_of(disk .. '/short', 'read_only')
  print(f.size == 64 * MB, f:seek(half - MB, 'set') == half - MB)
  local n = 0
  local ok, e = pcall(function() while true do n = n + f:read_some(b) end end)
  print(n == MB, e, e == ae.misc.eof)
`,
  `10\tfalse\tInput/output error
false\tInput/output error
true\ttrue
true\tEnd of file\ttrue
`,
);

test('a program ends while the disk owes it reads, and takes its exit code with it', {
  skip,
  timeout: 300_000,
}, async () => {
  const main = join(mkdtempSync(join(folder, 'own-')), 'main.lua');
  writeFileSync(
    main,
    `${SETUP}
    for i = 1, 8 do
      spawn(function()
        random_of(disk .. '/' .. (i % 2 == 0 and 'slow' or 'short'), 'read_only'):read_some_at(i * MB, byte_span.new(MB))
        print 'never'
      end):detach()
    end
    ticks(10)
    print 'done'
    require('system').exit(3)
  `,
  );
  const [command, ...args] = onDisk(process.execPath, '--stack-size=3900', MAIN, main);
  const ended = await outputOf(command!, args);
  assert.deepEqual(ended, { stdout: 'done\n', stderr: '', code: 3, signal: null });
});
