/** V8's heap in huge pages (native/start/heap.c): who gets memory from it, and that nobody else notices. */
import assert from 'node:assert/strict';
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const root = join(import.meta.dirname, '../..');
const heap = join(root, 'build/Release/heap.node');
const folder = mkdtempSync(join(tmpdir(), 'perilune-heap-'));
after(() => rmSync(folder, { recursive: true }));

const hugePages = '/sys/kernel/mm/transparent_hugepage/enabled';
const skip = !existsSync(heap)
  ? 'the addons are not built'
  : !existsSync(hugePages)
    ? 'a kernel without huge pages'
    : false;

/** `malloc` with huge pages is in glibc 2.35. */
const [major = 0, minor = 0] = spawnSync('getconf', ['GNU_LIBC_VERSION'], { encoding: 'utf8' })
  .stdout.replace(/^glibc /, '')
  .split('.')
  .map(Number);
const hasTunable = major > 2 || (major === 2 && minor >= 35);

function run(text: string, env: NodeJS.ProcessEnv = {}): SpawnSyncReturns<string> {
  const file = join(folder, 'program.lua');
  writeFileSync(file, text);
  return spawnSync(join(root, 'bin/perilune'), [file], {
    encoding: 'utf8',
    timeout: 300_000,
    env: { ...process.env, ...env },
  });
}

const READ = `
  local file, filesystem = require 'file', require 'filesystem'
  local function read(path)
    local f = file.stream.new()
    f:open(filesystem.path.new(path), { 'read_only' })
    local text, buf = {}, byte_span.new(65536)
    while true do
      local ok, n = pcall(f.read_some, f, buf)
      if not ok then return table.concat(text) end
      text[#text + 1] = tostring(buf:first(n))
    end
  end
`;

/** How many KB there are in mappings that have asked for huge pages: `asked`, or `of_malloc`. */
const ASKED = `${READ}
  local size, asked, of_malloc, is_malloc = 0, 0, 0, false
  for line in read('/proc/self/smaps'):gmatch('[^\\n]+') do
    size = tonumber(line:match('^Size: +(%d+) kB')) or size
    if line:match('^%x+%-%x+ ') then is_malloc = line:match('%[heap%]') ~= nil end
    if line:match('^VmFlags:.* hg') then
      if is_malloc then of_malloc = of_malloc + size else asked = asked + size end
    end
  end
`;

test('the heap of a program has asked for huge pages, and PERILUNE_HUGE_PAGES=0 does without', {
  skip,
}, () => {
  const program = `${ASKED} print(asked)`;
  const on = run(program);
  assert.equal(on.stderr, '');
  assert.ok(Number(on.stdout) >= 4096, on.stdout);
  const off = run(program, { PERILUNE_HUGE_PAGES: '0' });
  assert.deepEqual([off.stdout, off.stderr], ['0\n', '']);
});

test('LD_PRELOAD is for the program what it was', { skip }, () => {
  const program = `print(require('system').environment.LD_PRELOAD)`;
  assert.deepEqual(run(program, { LD_PRELOAD: undefined }).stdout, 'nil\n');
  // One that is there already, and found by name.
  const { stdout, stderr } = run(program, { LD_PRELOAD: 'libm.so.6:libdl.so.2' });
  assert.deepEqual([stdout, stderr], ['libm.so.6:libdl.so.2\n', '']);
});

test('GLIBC_TUNABLES is for the program what it was, and malloc has huge pages', { skip }, () => {
  const program = `print(require('system').environment.GLIBC_TUNABLES)`;
  assert.equal(run(program, { GLIBC_TUNABLES: undefined }).stdout, 'nil\n');
  const own = 'glibc.malloc.hugetlb=1:glibc.malloc.arena_max=7';
  assert.equal(run(program, { GLIBC_TUNABLES: own }).stdout, `${own}\n`);
  const off = { GLIBC_TUNABLES: own, PERILUNE_HUGE_PAGES: '0' };
  assert.equal(run(program, off).stdout, `${own}\n`);
  if (!readFileSync(hugePages, 'utf8').includes('[madvise]') || !hasTunable) return;
  assert.equal(run(`${ASKED} print(of_malloc > 0)`).stdout, 'true\n');
  assert.equal(run(`${ASKED} print(of_malloc)`, { PERILUNE_HUGE_PAGES: '0' }).stdout, '0\n');
});

test('all threads have one heap of malloc', {
  skip: skip || (!hasTunable && 'an old glibc'),
}, () => {
  // Work for V8's compilers, each in a thread. A heap of a thread's own begins at a multiple of 64 MB, and the rest of that is kept free.
  const program = `
    local function f(n, t)
      for i = 1, n do t[#t + 1] = (i * 7) % 13; if #t > 50 then t = { tostring(i), #t } end end
      return #t
    end
    for i = 1, 20000 do f(60, {}) end
    ${READ}
    local heaps = 0
    for from in read('/proc/self/maps'):gmatch('(%x+)%-%x+ rw%-p 00000000 00:00 0 *\\n%x+%-%x+ %-%-%-p') do
      if tonumber(from:sub(-8), 16) % 0x4000000 == 0 then heaps = heaps + 1 end
    end
    print(heaps > 0)`;
  const one = run(program);
  assert.deepEqual([one.stdout, one.stderr], ['false\n', '']);
  const many = run(program, { PERILUNE_HUGE_PAGES: '0' });
  assert.deepEqual([many.stdout, many.stderr], ['true\n', '']);
});

test('where addresses are limited a program runs without', { skip }, () => {
  const file = join(folder, 'limited.lua');
  writeFileSync(file, `${ASKED} print(asked)`);
  const limited = 'ulimit -v 6000000 && exec "$0" "$1"';
  const args = ['-c', limited, join(root, 'bin/perilune'), file];
  const { stdout, stderr } = spawnSync('sh', args, { encoding: 'utf8', timeout: 300_000 });
  assert.deepEqual([stdout, stderr], ['0\n', '']);
});

test('memory comes and goes: in threads, shortened, more than is reserved, in forks, and all that is asked for in another way', {
  skip: skip || (spawnSync('cc', ['--version']).error ? 'no C compiler' : false),
}, () => {
  const program = join(folder, 'huge-pages');
  const source = join(import.meta.dirname, 'huge-pages.c');
  const flags = ['-O1', '-Wall', '-Wextra', '-Werror', '-pthread', '-o', program, source];
  const built = spawnSync('cc', flags, { encoding: 'utf8' });
  assert.equal(built.status, 0, built.stderr);
  const check = (mode: string, before = ''): string => {
    const command = `${before} LD_PRELOAD=${heap} exec ${program} ${mode}`;
    const done = spawnSync('sh', ['-c', command], { encoding: 'utf8', timeout: 300_000 });
    assert.equal(done.status, 0, done.stderr);
    return done.stdout;
  };
  assert.equal(check('churn'), 'done\n');
  assert.equal(check('many'), 'neighbours\ndone\n');
  assert.equal(check('plain'), 'done\n');
  assert.equal(check('forks', 'PERILUNE_HEAP=forks'), '1 0\ndone\n');
  assert.equal(check('churn', 'PERILUNE_HEAP=forks'), 'done\n');
  assert.equal(check('churn', 'ulimit -v 1000000;'), 'done\n');
});
