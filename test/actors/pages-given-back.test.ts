/** Pages of a process that are as its supervisor's don't stay its own, and nothing that it writes is lost: native/pages.c. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { nativeFailure } from '../../src/sys/native.ts';
import { noSandboxes } from '../support/sandboxes.ts';
import { MAIN } from '../support/spec.ts';

const PAGE = 4096;

function reason(): string | undefined {
  if (nativeFailure() !== undefined) return nativeFailure();
  if (process.platform !== 'linux') return 'reads /proc/PID/pagemap';
  const [limit] = spawnSync('sh', ['-c', 'ulimit -v']).stdout.toString('latin1').split('\n');
  return limit === 'unlimited' ? undefined : 'addresses are limited';
}
const skip = reason() ?? false;

function withProgram(files: Record<string, string>, run: (main: string) => Promise<void>) {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-pages-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return run(join(folder, 'main.lua')).finally(() => rmSync(folder, { recursive: true }));
}

const start = (main: string, env: Record<string, string>): ChildProcess =>
  spawn(process.execPath, ['--stack-size=3900', MAIN, main], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env,
  });

function firstLine(child: ChildProcess): Promise<string> {
  let text = '';
  return new Promise((done) => {
    child.stdout!.on('data', (data) => {
      text += data;
      if (text.includes('\n')) done(text);
    });
    child.on('close', () => done(text));
  });
}

interface Mapping {
  readonly start: number;
  readonly end: number;
  readonly name: string;
}

const mappingsOf = (pid: number): Mapping[] =>
  [
    ...readFileSync(`/proc/${pid}/maps`, 'latin1').matchAll(
      /^(\w+)-(\w+) rw.p \w+ \S+ \d+ *(.*)$/gm,
    ),
  ].map(([, start, end, name]) => ({
    start: Number.parseInt(start!, 16),
    end: Number.parseInt(end!, 16),
    name: name!,
  }));

/** Copies that nobody else has, which are as what the supervisor has there. */
function needless(pid: number, supervisor: number, { start, end }: Mapping): number {
  const [pagemap, own, other] = [`${pid}/pagemap`, `${pid}/mem`, `${supervisor}/mem`].map((name) =>
    openSync(`/proc/${name}`, 'r'),
  ) as [number, number, number];
  const entries = Buffer.alloc(((end - start) / PAGE) * 8);
  const got = readSync(pagemap, entries, 0, entries.length, (start / PAGE) * 8);
  const [a, b] = [Buffer.alloc(PAGE), Buffer.alloc(PAGE)];
  let count = 0;
  for (let i = 0; i < got / 8; i++) {
    const entry = entries.readBigUInt64LE(i * 8);
    const isCopy =
      entry >> 63n === 1n && ((entry >> 61n) & 1n) === 0n && ((entry >> 56n) & 1n) === 1n;
    if (!isCopy) continue;
    readSync(own, a, 0, PAGE, start + i * PAGE);
    readSync(other, b, 0, PAGE, start + i * PAGE);
    if (a.equals(b)) count++;
  }
  for (const fd of [pagemap, own, other]) closeSync(fd);
  return count;
}

const parentOf = (pid: number): number =>
  Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))![1]);

/** The second one was there ahead, and got many pages that it then didn't change. */
const IDLE = `
local inbox, time = require 'inbox', require 'time'
if _CONTEXT == 'worker' then
  WORK
  inbox:receive():send(1)
  pcall(inbox.receive, inbox)
  return
end
local system, stream = require 'system', require 'stream'
local all = {}
for i = 1, 2 do
  all[i] = spawn_vm{module = '.', subprocess = {stderr = 'share'}}
  all[i]:send(inbox)
  inbox:receive()
  time.sleep(1)
end
print(all[2].child_pid)
system.in_:read_some(byte_span.new(1))
for i = 1, 2 do all[i]:close() end
`;

/**
 * Where somebody else may write meanwhile, nothing is given back: in a process that was made ahead these are 190 pages. They begin
 * before the event loop of the process turns.
 */
const WRITERS = {
  'has a thread': `require('ip').tcp.get_address_info('localhost', '1')`,
  'has written to a file': `
    local f = require('file').stream.new()
    f:open(_FILE.parent_path / ('written' .. require('system').getpid()), {'write_only', 'create'})
    f:write_some(byte_span.append('written'))
    f:close()`,
};

for (const [name, work] of Object.entries(WRITERS))
  test(`a process that ${name} gives nothing back`, { skip, timeout: 300_000 }, () =>
    withProgram({ 'main.lua': IDLE.replace('WORK', work) }, async (main) => {
      const host = start(main, {});
      const ended = new Promise((done) => host.on('close', done));
      const pid = Number(await firstLine(host));
      const supervisor = parentOf(pid);
      const count = mappingsOf(pid)
        .filter(({ name }) => name.startsWith('/memfd:perilune'))
        .reduce((sum, part) => sum + needless(pid, supervisor, part), 0);
      assert.ok(count > 80, `only ${count} pages are as in the supervisor`);
      host.stdin!.end('x');
      assert.equal(await ended, 0);
    }),
  );

test(
  'a process that waits has given back what is as in its supervisor',
  { skip, timeout: 300_000 },
  () =>
    withProgram({ 'main.lua': IDLE.replace('WORK', '') }, async (main) => {
      const host = start(main, {});
      const ended = new Promise((done) => host.on('close', done));
      const pid = Number(await firstLine(host));
      assert.ok(pid > 1, 'it has started its process');
      const shared = mappingsOf(pid).filter(({ name }) => name.startsWith('/memfd:perilune'));
      assert.ok(shared.length >= 2, 'heaps of V8 and malloc are of a file');
      const supervisor = parentOf(pid);
      // It does so when it has waited for a while, in a turn or some.
      for (let looks = 0; ; looks++) {
        const count = shared.reduce((sum, part) => sum + needless(pid, supervisor, part), 0);
        if (count < 60) break;
        assert.ok(looks < 200, `${count} pages are needless copies`);
        await delay(500);
      }
      assert.equal(
        readFileSync(`/proc/${supervisor}/maps`, 'latin1').match(/\/memfd:perilune.*/g)!.length,
        shared.length,
        'nothing else of the file is mapped',
      );
      host.stdin!.end('x');
      assert.equal(await ended, 0);
    }),
);

/** Wanted at once, so that the first of them is made before any process has said what it leaves as it was. */
const EARLY = `
local inbox, system = require 'inbox', require 'system'
if _CONTEXT == 'worker' then
  inbox:receive():send(1)
  pcall(inbox.receive, inbox)
  return
end
local all = {}
for i = 1, 4 do
  all[i] = spawn_vm{module = '.', subprocess = {stderr = 'share'}}
  all[i]:send(inbox)
end
for _ = 1, 4 do inbox:receive() end
print(all[1].child_pid)
system.in_:read_some(byte_span.new(1))
for _, c in ipairs(all) do c:close() end
`;

/** smaps: of those that may be made writable, `mw` is said. proc_pid_smaps(5) */
const sharedOf = (pid: number): string[] =>
  readFileSync(`/proc/${pid}/smaps`, 'latin1')
    .split(/^(?=[\da-f]+-[\da-f]+ )/m)
    .filter((text) => /^\S+ ..-?.s .*\/memfd:perilune/.test(text));

test(
  'so has one that was made before it was known which pages these are',
  { skip, timeout: 300_000 },
  () =>
    withProgram({ 'main.lua': EARLY }, async (main) => {
      const host = start(main, {});
      const ended = new Promise((done) => host.on('close', done));
      const pid = Number(await firstLine(host));
      const supervisor = parentOf(pid);
      for (const one of sharedOf(pid)) {
        assert.match(one, /^\S+ r--s /);
        assert.doesNotMatch(
          one,
          /^VmFlags:.* mw( |$)/m,
          'nobody else can write to what it is told',
        );
      }
      const count = (): number =>
        mappingsOf(pid)
          .filter(({ name }) => name.startsWith('/memfd:perilune'))
          .reduce((sum, part) => sum + needless(pid, supervisor, part), 0);
      while (count() >= 35) await delay(200); // until the test's own time is over
      while (sharedOf(pid).length > 0) await delay(200);
      host.stdin!.end('x');
      assert.equal(await ended, 0);
    }),
);

const LINES = 400;

/** Its compiled form is some pages; what its main function begins with is in none of the continuations. */
const LONG = `
local inbox, system = require 'inbox', require 'system'
local x
${Array.from({ length: LINES }, (_, i) => `do local read_once_${i} = inbox x = read_once_${i} end`).join('\n')}
if _CONTEXT == 'worker' then
  local home = inbox:receive()
  home:send(1)
  local question = inbox:receive()
  home:send(tostring(select(2, pcall(function() return question.nothing.more end))))
  return
end
local child = spawn_vm{module = '.', subprocess = {stderr = 'share'}}
child:send(inbox)
inbox:receive()
print(child.child_pid)
system.in_:read_some(byte_span.new(1))
child:send{text = 'x'}
print(inbox:receive())
child:close()
`;

test('what is read once of a task is given back, and not missed', { skip, timeout: 300_000 }, () =>
  withProgram({ 'main.lua': LONG }, async (main) => {
    const host = start(main, {});
    const ended = new Promise((done) => host.on('close', done));
    const pid = Number(await firstLine(host));
    const mallocs = mappingsOf(pid).find(({ name }) => name.startsWith('/memfd:perilune'))!;
    const bytes = Buffer.alloc(mallocs.end - mallocs.start);
    const memory = openSync(`/proc/${pid}/mem`, 'r');
    assert.equal(readSync(memory, bytes, 0, bytes.length, mallocs.start), bytes.length);
    closeSync(memory);
    const found = new Set(bytes.toString('latin1').match(/\bread_once_\d+\$/g));
    assert.ok(found.size < LINES / 2, `${found.size} of ${LINES} lines are there`);
    const answer = firstLine(host);
    host.stdin!.end('x');
    assert.match(await answer, /main\.lua:\d+: attempt to index field 'nothing' \(a nil value\)\n/);
    assert.equal(await ended, 0);
  }),
);

const WORK = `
-- New and old objects, garbage, text that is compiled, long strings; the same for the same number.
local function work(n)
  local keep, sum = {}, 0
  for i = 1, 300 do
    keep[i] = {i, name = 'field' .. (i * n) % 97, list = {n, i, i + n}}
    keep['key' .. (i * n) % 211] = keep[i]
  end
  for i = 1, 300, 7 do keep[i] = nil end
  if n % 3 == 0 then collectgarbage() end
  local f = assert(loadstring(('local a, b = ... local function g%d(x) return x * %d + (a or 0) end return g%d(b), "%s"'):format(n, n, n, ('v'):rep(n % 50))))
  for i = 1, 50 do sum = sum + f(i, n) end
  local s = {}
  for i = 1, 400 do s[i] = ('%d:%s'):format(i * n, ('z'):rep(i % 13)) end
  s = table.concat(s, ','):rep(1 + n % 8)
  s = s:gsub('%d+', function(d) return #d .. 'x' end):upper()
  local hash = 0
  for i = 1, #s, 11 do hash = (hash * 31 + s:byte(i)) % 1000003 end
  for k, v in pairs(keep) do sum = sum + v[1] + #v.list + #v.name end
  if n % 5 == 0 then collectgarbage('collect') end
  return ('%d %d %d'):format(sum, hash, #s)
end
`;

const STRESS = `${WORK}
local inbox, time = require 'inbox', require 'time'
if _CONTEXT == 'worker' then
  local home = inbox:receive()
  local first = inbox:receive()
  for n = first, first + TIMES - 1 do
    home:send{n = n, is = work(n)}
    time.sleep(0.002)
  end
  return
end
local wanted = {}
for n = 1, TIMES * 4 do wanted[n] = work(n) end
for _, options in ipairs{{}, SANDBOX, {}, SANDBOX} do
  options.stderr = 'share'
  for i = 0, 1 do
    local c = spawn_vm{module = '.', subprocess = options}
    c:send(inbox)
    c:send(i * 2 * TIMES + 1)
    for _ = 1, TIMES do
      local m = inbox:receive()
      assert(wanted[m.n] == m.is, m.n)
    end
    time.sleep(0.1)
  end
end
print 'done'
`;

test('what a process writes stays, however often it gives back', { skip, timeout: 600_000 }, () => {
  const sandbox = noSandboxes() === undefined ? "{sandbox = 'inbox'}" : '{}';
  const source = STRESS.replaceAll('TIMES', '20').replaceAll('SANDBOX', sandbox);
  return withProgram({ 'main.lua': source }, async (main) => {
    const host = start(main, { PERILUNE_GIVE_BACK: 'often' });
    const ended = new Promise((done) => host.on('close', done));
    assert.equal(await firstLine(host), 'done\n');
    assert.equal(await ended, 0);
  });
});
