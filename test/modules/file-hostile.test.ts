/**
 * Files whose disk, limits or other users are against the program: the right error, nothing written
 * without being told, no descriptor left. Each in io_uring, where there is one, and in the pool.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { useRing } from '../../src/io/uring.ts';
import { EAGAIN, EINTR } from '../../src/sys/errno.ts';
import { clearFault, type Fault, injectFault } from '../../src/sys/fault.ts';
import { nativeFailure } from '../../src/sys/native.ts';
import { faultTests, openReactor } from '../support/faulty.ts';
import { outputOf } from '../support/output.ts';
import { openDescriptors, runLua, spec } from '../support/spec.ts';
import { inFolder } from './file-programs.ts';

await openReactor();
const hasRing = nativeFailure() === undefined && useRing(true);
const ways = hasRing ? ['ring', 'pool'] : ['pool'];

const folder = mkdtempSync(join(tmpdir(), 'perilune-hostile-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const setup = (folder: string): string => `
  local file, stream, time = require 'file', require 'stream', require 'time'
  ${inFolder(folder)}
  local function contents(path)
    local f = stream_of(path, 'read_only')
    local all, b = {}, byte_span.new(65536)
    local ok, e = pcall(function()
      while true do all[#all + 1] = tostring(b:first(f:read_some(b))) end
    end)
    f:close()
    if e ~= ae.misc.eof then error(e, 0) end
    return table.concat(all)
  end
  local function fails(f, ...)
    local ok, e = pcall(f, ...)
    if ok then return 'no error', e end
    if type(e) == 'string' then return e end
    return tostring(e), e.arg
  end
  -- Bytes that tell where they belong.
  local function pattern(n)
    local t = {}
    for i = 1, math.ceil(n / 8) do t[i] = ('%07d,'):format(i) end
    return table.concat(t):sub(1, n)
  end
`;
const SETUP = setup(folder);

// ── in a process of its own ────────────────────────────────────────────────────────────────────────

const NAMESPACE = ['--user', '--map-root-user', '--mount', 'sh', '-c'];

/** Whether a shell can do this in a mount namespace of its own. */
function cannot(script: string): string | false {
  if (nativeFailure() !== undefined) return nativeFailure()!;
  const run = spawnSync('unshare', [...NAMESPACE, script], { encoding: 'utf8' });
  if (run.status === 0) return false;
  return `no mount namespace here: ${run.error?.message ?? run.stderr.trim()}`;
}

const runner = join(import.meta.dirname, '../support/run-file.ts');

/**
 * @param before   shell commands; what they change is the process's own
 * @param command  runs `sh -c`
 */
function inShell(
  name: string,
  before: string,
  program: string,
  expected: string,
  command: readonly string[] = ['sh', '-c'],
  skip: string | false = nativeFailure() ?? false,
): void {
  for (const way of ways) {
    test(`${name} (${way})`, { skip, timeout: 300_000 }, async () => {
      const own = mkdtempSync(join(folder, 'own-'));
      const main = join(own, 'main.lua');
      writeFileSync(main, setup(own) + program);
      const script = `set -e\n${before}\nexec "$0" --stack-size=3900 "$@"`;
      const args = [...command.slice(1), script, process.execPath, runner, way, main];
      const ended = await outputOf(command[0]!, args);
      assert.deepEqual(ended, { stdout: expected, stderr: '', code: 0, signal: null });
    });
  }
}

inShell(
  'a file that has reached its limit: the bytes that had room are told, then EFBIG; the position is behind them',
  'ulimit -f 20', // blocks of 512 bytes
  `
  local path, data = name(), pattern(30000)
  local f = stream_of(path, 'create', 'read_write')
  local at, sizes = 1, {}
  local ok, e = pcall(function()
    while true do
      local n = f:write_some(bytes(data:sub(at, at + 4095)))
      at = at + n
      sizes[#sizes + 1] = n
    end
  end)
  print(table.concat(sizes, ' '), e, f.size, f:seek(0, 'cur'), contents(path) == data:sub(1, at - 1))
  print(fails(stream.write_all, f, 'more'))
  print(fails(f.resize, f, 20000))
  f:close()
  -- the same at the end, wherever that is
  local f = stream_of(path, 'append', 'read_write')
  f:resize(8000)
  local n = f:write_some(bytes(data:sub(8001, 14000)))
  print(n, f:seek(0, 'cur'), contents(path) == data:sub(1, 8000 + n), fails(f.write_some, f, bytes 'x'))
  local r = random_of(path, 'read_write')
  print(r:write_some_at(10000, bytes(data:sub(10001, 12000))), fails(r.write_some_at, r, 10240, bytes 'x'))
  print(fails(file.write_all_at, r, 10000, pattern(1000)))
  print(contents(path):sub(1, 10000) == data:sub(1, 10000), r.size)
`,
  `4096 4096 2048\tFile too large\t10240\t10240\ttrue
File too large\tnil
File too large\tnil
2240\t10240\ttrue\tFile too large\tnil
240\tFile too large\tnil
File too large\tnil
true\t10240
`,
);

inShell(
  'no descriptor left: the error is told, and one that is closed can be used',
  'ulimit -n 64',
  `
  local path = name()
  stream_of(path, 'create', 'write_only'):close()
  local open = {}
  local ok, e = pcall(function() while true do open[#open + 1] = stream_of(path, 'read_only') end end)
  print(ok, e, e == require('generic_error').EMFILE, #open > 10)
  open[1]:close()
  open[1] = stream_of(path, 'read_only')
  print(open[1].is_open, fails(stream_of, path, 'read_only'))
`,
  'false\tToo many open files\tfalse\ttrue\ntrue\tToo many open files\tnil\n',
);

const disk = join(folder, 'disk');
mkdirSync(disk);
const SMALL_DISK = `mount -t tmpfs -o size=64k none '${disk}'`;

inShell(
  'a full disk: what had room is told and there, then ENOSPC; when there is room again it goes on',
  SMALL_DISK,
  `
  local path, other, data = '${disk}/a', '${disk}/b', pattern(100000)
  stream.write_all(stream_of(other, 'create', 'write_only'), pattern(20000))
  local f = stream_of(path, 'create', 'write_only')
  local at = 1
  local ok, e = pcall(function()
    while true do at = at + f:write_some(bytes(data:sub(at, at + 9999))) end
  end)
  print(ok, e, at > 30000, f.size == at - 1, f:seek(0, 'cur') == at - 1, contents(path) == data:sub(1, at - 1))
  print(fails(stream.write_all, f, 'x'))
  local o = stream_of(other, 'write_only')
  o:resize(0)
  at = at + f:write_some(bytes(data:sub(at, at + 99)))
  print(f.size == at - 1, contents(path) == data:sub(1, at - 1))

  local r = random_of(other, 'read_write')
  print(fails(file.write_all_at, r, 0, data))
  print(r.size > 0, contents(other) == data:sub(1, r.size))
  -- a hole that has no room
  print(fails(r.write_some_at, r, 1000000, bytes 'x'))
  r:resize(1000000)
  local b = byte_span.append 'x'
  print(r.size, r:read_some_at(999999, b), b[1], fails(r.write_some_at, r, 999999, b))
  print(fails(stream_of, '${disk}/' .. ('n'):rep(256), 'create', 'write_only'))
`,
  `false\tNo space left on device\ttrue\ttrue\ttrue\ttrue
No space left on device\tnil
true\ttrue
No space left on device\tnil
true\ttrue
No space left on device\tnil
1000000\t1\t0\tNo space left on device\tnil
File name too long\tnil
`,
  ['unshare', ...NAMESPACE],
  cannot(SMALL_DISK),
);

const READ_ONLY = `${SMALL_DISK}; printf text > '${disk}/a'; mount -o remount,bind,ro '${disk}'`;

inShell(
  'a disk that is read-only',
  READ_ONLY,
  `
  local path = '${disk}/a'
  print(contents(path))
  for _, flags in ipairs { { 'write_only' }, { 'read_write' }, { 'append', 'write_only' }, { 'truncate', 'write_only' } } do
    print(fails(stream_of, path, unpack(flags)))
  end
  print(fails(stream_of, '${disk}/new', 'create', 'write_only'))
  print(stream_of(path, 'create', 'read_only').size)
  local f = random_of(path, 'read_only')
  print(fails(f.resize, f, 0))
  print(fails(f.write_some_at, f, 0, bytes 'x'))
  print(f:try_lock())
`,
  `text
${'Read-only file system\tnil\n'.repeat(5)}4
Invalid argument\tnil
Bad file descriptor\tnil
true
`,
  ['unshare', ...NAMESPACE],
  cannot(READ_ONLY),
);

// ── in this process ────────────────────────────────────────────────────────────────────────────────

const SLOW = { errno: 'EAGAIN', times: 10_000_000 };
const inRing = faultTests(SETUP);
const inPool = faultTests(SETUP, () => {
  useRing(false);
  return () => void useRing(true);
});

/** All reads (writes) wait: in io_uring, where there is one, and in the pool. */
function slow(name: string, call: string, program: string, expected: string): void {
  if (hasRing) inRing(`${name} (ring)`, call, SLOW, program, expected);
  inPool(`${name} (pool)`, call, SLOW, program, expected);
}

/** At once, and where all has to wait. */
function always(name: string, program: string, expected: string): void {
  spec(name, SETUP + program, expected);
  slow(name, 'preadv2', program, expected);
  slow(`${name}, writes waiting`, 'pwritev2', program, expected);
}

always(
  'sizes and positions that no file has',
  `
  local s, r = stream_of(name(), 'create', 'read_write'), random_of(name(), 'create', 'read_write')
  s:write_some(bytes 'text')
  r:write_some_at(0, bytes 'text')
  local b = byte_span.new(4)
  for _, n in ipairs { -1, 0 / 0, 1 / 0, -1 / 0, 2^63, 2^70 } do
    print(fails(r.read_some_at, r, n, b), fails(r.write_some_at, r, n, b), fails(s.seek, s, n, 'set'))
    print(fails(s.resize, s, n), (fails(r.resize, r, n)))
  end
  print(fails(r.resize, r, 2^62), (fails(r.read_some_at, r, 2^53 - 1, b)), fails(s.seek, s, -5, 'cur'))
  print(s.size, r.size, s:seek(0, 'cur'))
`,
  ['nil', '2', '2', '2', '2', '2']
    .map((arg) => `${'Invalid argument\t'.repeat(3)}${arg}\nInvalid argument\tInvalid argument\n`)
    .join('') + 'File too large\tEnd of file\tInvalid argument\tnil\n4\t4\t4\n',
);

always(
  'a sparse file beyond 4 GB',
  `
  local path = name()
  local r = random_of(path, 'create', 'read_write')
  r:resize(5 * 2^30)
  local places = { 0, 2^31 - 2, 2^32 - 2, 2^32 + 7, 5 * 2^30 - 4 }
  for i, at in ipairs(places) do file.write_all_at(r, at, 'ab' .. i .. 'z') end
  local f = stream_of(path, 'read_write')
  for i, at in ipairs(places) do
    local b = byte_span.new(4)
    assert(f:seek(at, 'set') == at)
    stream.read_all(f, b)
    assert(tostring(b) == 'ab' .. i .. 'z' and f:seek(0, 'cur') == at + 4)
  end
  print(f.size, fails(f.read_some, f, byte_span.new(1)))
  f:seek(2^32 - 1, 'set')
  stream.write_all(f, 'over')
  local b = byte_span.new(6)
  file.read_all_at(r, 2^32 - 2, b)
  print(tostring(b:first(5)), f:seek(0, 'cur') == 2^32 + 3, f:seek(-2, 'end') == 5 * 2^30 - 2, r:read_some_at(3 * 2^30, b), b[1])
  r:write_some_at(2^40, bytes '!')
  print(r.size == 2^40 + 1, r:read_some_at(2^40, b), b[1])
  r:resize(0)
`,
  '5368709120\tEnd of file\tnil\naover\ttrue\ttrue\t6\t0\ntrue\t1\t33\n',
);

always(
  'a file that grows, shrinks, is replaced and removed while it is read',
  `
  local fs = require 'filesystem'
  local path = name()
  local w = stream_of(path, 'create', 'read_write')
  local f, r = stream_of(path, 'read_only'), random_of(path, 'read_only')
  local lines = stream.scanner.new { stream = f }
  print(fails(lines.get_line, lines))
  stream.write_all(w, 'one\\ntwo\\nhalf')
  print(lines:get_line(), lines:get_line())
  print(lines:get_line()) -- the end, for now
  stream.write_all(w, ' a line\\n')
  print(lines:get_line())
  w:resize(4)
  w:seek(0, 'end')
  print(fails(lines.get_line, lines))
  print(fails(r.read_some_at, r, 4, byte_span.new(1)))
  print(f:seek(0, 'cur'))
  w:resize(25)
  local b = byte_span.new(100)
  print(f:read_some(b), b[1], f:seek(0, 'set'), f:read_some(b))
  fs.rename(fs.path.new(path), fs.path.new(path .. '2'))
  stream.write_all(stream_of(path, 'create', 'write_only'), 'another file')
  print(contents(path), f:seek(0, 'set'), f:read_some(b), f.size)
  fs.remove(fs.path.new(path .. '2'))
  print(f:seek(0, 'set'), f:read_some(b), r:read_some_at(0, b), f.size)
`,
  `End of file\tnil
one\ttwo
half
 a line
End of file\tnil
End of file\tnil
20
5\t0\t0\t25
another file\t0\t25\t25
0\t25\t25\t25
`,
);

always(
  'files of size zero that have contents',
  `
  local f = stream_of('/proc/self/maps', 'read_only')
  print(f.size, #contents('/proc/self/maps') > 4096, #contents('/proc/self/status') > 100)
  local s = stream.scanner.with_awk_defaults(f)
  local longest = 0
  local ok, e = pcall(function() while true do longest = math.max(longest, #s:get_line()) end end)
  print(e, longest >= 5, s.record_number > 10)
  local r, b = random_of('/proc/self/status', 'read_only'), byte_span.new(5)
  print(file.read_all_at(r, 0, b), b, fails(r.read_some_at, r, 2^20, b))
  print(fails(r.resize, r, 0))
  print(fails(stream_of, '/proc/self/no/such', 'read_only'))
`,
  `0\ttrue\ttrue
End of file\ttrue\ttrue
5\tName:\tEnd of file\tnil
Invalid argument\tnil
No such file or directory\tnil
`,
);

/** As `slow`, for operations that are ended: what they work on closes when the kernel has let go of it. */
function ending(name: string, call: string, program: string, expected: string): void {
  for (const way of ways) {
    test(`${name} (${way})`, { skip: nativeFailure() ?? false, timeout: 300_000 }, async () => {
      const before = openDescriptors();
      injectFault(call, { errno: EAGAIN, times: SLOW.times });
      useRing(way === 'ring');
      try {
        const outcome = await runLua(SETUP + program);
        assert.deepEqual(outcome, { stdout: expected, stderr: '', code: 0 });
      } finally {
        clearFault(call);
        useRing(true);
      }
      while (openDescriptors().length > before.length) await nextTurn();
      assert.deepEqual(openDescriptors(), before);
    });
  }
}

// ── a ring that fails ───────────────────────────────────────────────────────────────────────────────

const ring = join(folder, 'ring');
const WRITE = `
  local path, data = '${ring}', pattern(300000)
  local f = stream_of(path, 'create', 'truncate', 'read_write')
  for at = 1, #data, 50000 do stream.write_all(f, data:sub(at, at + 49999)) end
`;
const READ = `
  local path, data = '${ring}', pattern(300000)
  local f = stream_of(path, 'read_only')
  f:seek(0, 'end')
  print(f.size, f:seek(0, 'set'))
  local b = byte_span.new(#data)
  print(stream.read_all(f, b), tostring(b) == data, f:seek(0, 'cur'))
  local r, c = random_of(path, 'read_only'), byte_span.new(#data)
  local fibers = {}
  for i = 0, 9 do fibers[i] = spawn(function() file.read_all_at(r, i * 30000, c:sub(i * 30000 + 1, i * 30000 + 30000)) end) end
  for i = 0, 9 do fibers[i]:join() end
  print(tostring(c) == data)
`;
const WAS_READ = '300000\t0\n300000\ttrue\t300000\ntrue\n';

for (const [what, call, fault] of [
  ['takes nothing', 'io_uring_enter', { errno: EAGAIN, times: 1000 }],
  ['takes nothing now and then', 'io_uring_enter', { errno: EAGAIN, skip: 3, times: 2 }],
  ['takes a little at a time', 'io_uring_enter', { limit: 997, times: 100_000 }],
  ['is not told', 'io_uring_send', { errno: EAGAIN, times: 1000 }],
  ['is told of the first only', 'io_uring_send', { errno: EAGAIN, skip: 1, times: 1000 }],
  ['is told one by one', 'io_uring_send', { limit: 1, times: 1000 }],
  ['is interrupted when it is told', 'io_uring_send', { errno: EINTR, times: 100 }],
  ['is interrupted', 'io_uring', { errno: EINTR, times: 1000 }],
  ['can not, for this file', 'io_uring', { errno: EAGAIN, times: 1000 }],
] as const) {
  // A result that isn't the kernel's is no write: what has been written would be written again.
  for (const waiting of call === 'io_uring' ? ['preadv2'] : ['preadv2', 'pwritev2']) {
    test(`the ring ${what}: ${waiting} has to wait`, {
      skip: !hasRing && 'no io_uring',
      timeout: 300_000,
    }, async () => {
      const before = openDescriptors();
      try {
        injectFault(waiting, { errno: EAGAIN, times: SLOW.times });
        if (call !== 'io_uring') injectFault(call, fault);
        const written = await runLua(SETUP + WRITE);
        assert.deepEqual(written, { stdout: '', stderr: '', code: 0 });
        injectFault(call, fault);
        const read = await runLua(SETUP + READ);
        assert.deepEqual(read, { stdout: WAS_READ, stderr: '', code: 0 });
      } finally {
        clearFault(waiting);
        clearFault(call);
      }
      assert.deepEqual(openDescriptors(), before);
    });
  }
}

/** @returns how often the ring was told of something, and how often a read was tried at once */
async function countCalls(
  fault: Fault & { times: number },
  program: string,
): Promise<[number, number]> {
  injectFault('preadv2', fault);
  injectFault('io_uring_send', { times: 1000 });
  const { stderr } = await runLua(SETUP + program);
  const told = 1000 - clearFault('io_uring_send');
  const tried = fault.times - clearFault('preadv2');
  assert.equal(stderr, '');
  return [told, tried];
}

test('the ring is told together of what fibers read that run together', {
  skip: !hasRing && 'no io_uring',
  timeout: 300_000,
}, async () => {
  const [told] = await countCalls(
    { errno: EAGAIN, times: 1000 },
    `
    local path, data = name(), pattern(2 * 40 * 1000)
    local f = stream_of(path, 'create', 'read_write')
    stream.write_all(f, data)
    local r, b, fibers = random_of(path, 'read_only'), byte_span.new(#data), {}
    for i = 0, 39 do
      fibers[i] = spawn(function()
        for k = 0, 1 do
          local at = (2 * i + k) * 1000
          file.read_all_at(r, at, b:sub(at + 1, at + 1000))
        end
      end)
    end
    for i = 0, 39 do fibers[i]:join() end
    assert(tostring(b) == data)`,
  );
  assert.ok(told >= 2 && told <= 20, String(told));
});

const ONE_BY_ONE = `
  local path = name()
  local f = stream_of(path, 'create', 'read_write')
  stream.write_all(f, 'some bytes')
  local r, b = random_of(path, 'read_only'), byte_span.new(10)
  for i = 1, 400 do
    assert(r:read_some_at(0, b) == 10 and tostring(b) == 'some bytes')
    b:fill(0)
  end
`;

test('a file that is not in memory is not asked each time', {
  skip: !hasRing && 'no io_uring',
  timeout: 300_000,
}, async () => {
  const [told, tried] = await countCalls({ errno: EAGAIN, times: 1000 }, ONE_BY_ONE);
  assert.ok(told >= 400 && told <= 402, String(told)); // and what is written before
  assert.ok(tried >= 8 && tried < 8 + 400 / 16 + 8, String(tried));
});

test('a file that has come into memory is read at once again', {
  skip: !hasRing && 'no io_uring',
  timeout: 300_000,
}, async () => {
  const [told, tried] = await countCalls({ errno: EAGAIN, times: 12 }, ONE_BY_ONE);
  assert.equal(tried, 12);
  assert.ok(told > 12 && told < 100, String(told));
});

// ── ended at every point ───────────────────────────────────────────────────────────────────────────

/**
 * Each operation is ended in each way, after each number of turns that it may have come to. It has completed, or
 * raised the error of that way; a position has moved by what was told, and by nothing else.
 */
const EVERY_POINT = `
  local DATA = pattern(200000)
  local aborted = ae.basic.operation_aborted
  local path = name()
  stream.write_all(stream_of(path, 'create', 'write_only'), DATA)
  local OPERATIONS = {
    read_some = function(f, b) return f:read_some(b) end,
    write_some = function(f, b) return f:write_some(b) end,
    read_all = function(f, b) return stream.read_all(f, b) end,
    write_all = function(f, b) return stream.write_all(f, b) end,
    read_some_at = function(f, b) return f:read_some_at(16, b) end,
    write_some_at = function(f, b) return f:write_some_at(16, b) end,
    read_all_at = function(f, b) return file.read_all_at(f, 16, b) end,
    write_all_at = function(f, b) return file.write_all_at(f, 16, b) end,
  }
  local WAYS = {
    interrupt = function(f, fiber) fiber:interrupt() end,
    cancel = function(f) f:cancel() end,
    close = function(f) f:close() end,
    release = function(f) f:release():close() end,
  }
  local SIZE = 40000
  local counts = { completed = 0, ended = 0 }
  for what, operation in pairs(OPERATIONS) do
    for how, finish in pairs(WAYS) do
      for turns = 0, 4 do
        local writes = what:sub(1, 5) == 'write'
        local target = path
        if writes then target = name() stream.write_all(stream_of(target, 'create', 'write_only'), DATA) end
        local make = what:sub(-3) == '_at' and random_of or stream_of
        local f = make(target, 'read_write')
        local b = writes and bytes(('w'):rep(SIZE)) or bytes(('-'):rep(SIZE))
        local outcome
        local fiber = spawn(function() return operation(f, b) end)
        for i = 1, turns do
          this_fiber.yield()
          if i > 2 then time.sleep(0) end
        end
        finish(f, fiber)
        local ok, result = pcall(fiber.join, fiber)
        local ended = fiber.interruption_caught
        if not ok then
          ended = true
          assert(result == aborted or (result.code == 9 and turns == 0), tostring(result) .. what .. how .. turns)
        end
        if ended then
          counts.ended = counts.ended + 1
          if what == 'read_some' or what == 'read_some_at' then assert(tostring(b) == ('-'):rep(SIZE)) end
        else
          counts.completed = counts.completed + 1
          assert(result > 0 and result <= SIZE)
          local from = what:sub(-3) == '_at' and 17 or 1
          if not writes then assert(tostring(b:first(result)) == DATA:sub(from, from + result - 1)) end
        end
        if f.is_open then
          assert(how == 'interrupt' or how == 'cancel')
          if make == stream_of and not writes then
            local at = f:seek(0, 'cur')
            if not ended then assert(at == result) end
            -- what comes next is what follows what was told
            local c = byte_span.new(100)
            f:read_some(c)
            assert(tostring(c) == DATA:sub(at + 1, at + 100), what .. how .. turns)
          end
          f:close()
        end
      end
    end
  end
  print(counts.completed + counts.ended, counts.ended > 20)
`;
ending('reads are ended at every point', 'preadv2', EVERY_POINT, '160\ttrue\n');
ending('writes are ended at every point', 'pwritev2', EVERY_POINT, '160\ttrue\n');

/** The VM ends while operations of all kinds are under way. */
const END = `
  local path = name()
  stream.write_all(stream_of(path, 'create', 'write_only'), pattern(100000))
  for i = 1, 10 do
    local s, r, l = stream_of(path, 'read_write'), random_of(path, 'read_write'), random_of(path, 'read_write')
    if i == 1 then l:lock() end
    for _, f in ipairs {
      function() s:read_some(byte_span.new(50000)) end, function() s:write_some(byte_span.new(50000)) end,
      function() r:read_some_at(0, byte_span.new(50000)) end, function() r:write_some_at(0, byte_span.new(50000)) end,
      function() stream.read_all(s, byte_span.new(90000)) end, function() l:lock() end,
    } do
      spawn(f):detach()
    end
  end
  this_fiber.yield()
  print 'end'
  require('system').exit()
`;
ending('the VM ends while files are read', 'preadv2', END, 'end\n');
ending('the VM ends while files are written', 'pwritev2', END, 'end\n');

/** More at once than there is memory for: those that wait for it are ended, too, and no one is forgotten. */
const CROWD = (what: string): string => `
  local path = name()
  local w = random_of(path, 'create', 'read_write')
  w:resize(2^20)
  file.write_all_at(w, 2^20 - 5, 'there')
  local files, fibers, N = {}, {}, 150
  for i = 1, N do
    files[i] = i % 3 == 0 and stream_of(path, 'read_write') or random_of(path, 'read_write')
    fibers[i] = spawn(function()
      local f, b = files[i], byte_span.new(2^20)
      if i % 3 == 0 then return f:${what}_some(b), b end
      return f:${what}_some_at(0, b), b
    end)
  end
  this_fiber.yield()
  local counts = {}
  for i = N, 1, -1 do
    if i % 10 == 1 then fibers[i]:interrupt()
    elseif i % 10 == 2 then files[i]:close()
    elseif i % 10 == 3 then files[i]:cancel()
    elseif i % 10 == 4 then files[i]:release():close() end
  end
  for i = 1, N do
    local ok, n, b = pcall(fibers[i].join, fibers[i])
    local kind = ok and not fibers[i].interruption_caught and 'done' or 'ended'
    counts[kind] = (counts[kind] or 0) + 1
    if kind == 'done' then
      assert(n == 2^20)
      if '${what}' == 'read' then assert(tostring(b:last(5)) == 'there') end
    else
      assert(i % 10 >= 1 and i % 10 <= 4)
      if not ok then assert(n == ae.basic.operation_aborted) end
    end
    if files[i].is_open then
      assert(files[i].size == 2^20)
      if i % 3 == 0 and kind == 'ended' and '${what}' == 'read' then assert(files[i]:seek(0, 'cur') == 0) end
      files[i]:close()
    end
  end
  print(counts.done + counts.ended, counts.done >= 90)
`;
ending('more readers than there is memory for', 'preadv2', CROWD('read'), '150\ttrue\n');
ending('more writers than there is memory for', 'pwritev2', CROWD('write'), '150\ttrue\n');

// ── others go on ───────────────────────────────────────────────────────────────────────────────────

/**
 * 16 readers read 1 GB. Ticks are counted against bytes, not against the clock: a machine that is busy with other
 * things delays both. Between two ticks lies what can be copied in a millisecond and in a turn of the loop (8 MB).
 */
const TICKS = (size: number): string => `
  local path = name()
  local w = random_of(path, 'create', 'write_only')
  w:resize(64 * 2^20)
  local TOTAL, PIECE = 2^30, ${size}
  local done, since, worst, ticks, reading = 0, 0, 0, 0, true
  local ticker = spawn(function()
    while reading do
      time.sleep(0.001)
      ticks = ticks + 1
      worst = math.max(worst, since)
      since = 0
    end
  end)
  local readers = {}
  for i = 1, 16 do
    readers[i] = spawn(function()
      local r, b = random_of(path, 'read_only'), byte_span.new(PIECE)
      for k = 1, TOTAL / 16 / PIECE do
        local n = r:read_some_at((k - 1) * PIECE % (64 * 2^20), b)
        done, since = done + n, since + n
      end
      r:close()
    end)
  end
  for i = 1, 16 do readers[i]:join() end
  reading = false
  ticker:join()
  print(done, ticks > 4, worst < 2^28 or worst)
`;
const TICKED = '1073741824\ttrue\ttrue\n';
spec('a ticker ticks on while 16 fibers read 1 GB from memory', SETUP + TICKS(2 ** 16), TICKED, {
  once: true,
});
slow(
  'a ticker ticks on while 16 fibers read 1 GB that has to wait',
  'preadv2',
  TICKS(2 ** 20),
  TICKED,
);
