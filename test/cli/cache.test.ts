/** The compiled form of large programs, kept for the next start: it changes nothing but the time. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';

const perilune = join(import.meta.dirname, '../../bin/perilune');

/** A comment that makes a program one that is stored. */
const LARGE = `--[[${'x'.repeat(20_000)}]]\n`;

class Place {
  readonly folder: string;
  readonly cache: string;
  constructor(t: TestContext) {
    this.folder = mkdtempSync(join(tmpdir(), 'perilune-cache-'));
    this.cache = join(this.folder, 'cache');
    mkdirSync(this.cache);
    t.after(() => rmSync(this.folder, { recursive: true }));
  }
  write(name: string, text: string): string {
    const file = join(this.folder, name);
    writeFileSync(file, text);
    return file;
  }
  environment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
    return { ...process.env, XDG_CACHE_HOME: this.cache, ...more };
  }
  run(args: string[], more?: NodeJS.ProcessEnv) {
    const env = this.environment(more);
    const { stdout, stderr, status } = spawnSync(perilune, args, { env, encoding: 'latin1' });
    return { stdout, stderr, status };
  }
  /** Names of entries, with what tells whether they were written again. */
  entries(): Map<string, number> {
    const folder = join(this.cache, 'perilune');
    const names = existsSync(folder) ? readdirSync(folder) : [];
    return new Map(
      names
        .filter((name) => name !== 'key')
        .map((name) => [name, statSync(join(folder, name)).ino] as const),
    );
  }
  file(): string {
    const [name] = this.entries().keys();
    return join(this.cache, 'perilune', name!);
  }
}

const PROGRAM = `${LARGE}
local system = require 'system'
local function deep(t, n)
  if n == 0 then return t.missing.field end
  local inner = deep(t, n - 1)
  return inner
end
print(pcall(deep, {}, 3))
print(select('#', ...), ('%q'):format('\\0\\255'), 1e15, 0x10)
local names = { 'Luna', ['strange key\\255'] = true, method = function(self, a) return self, a end }
for k in pairs(names) do print(k) end
local only_here = { zork = 1 }
print(only_here['zo' .. 'rk'])
for i = 1, 2 do
  spawn(function()
    this_fiber.yield()
    print('fiber', i, debug and 1)
    if i == 2 and system.arguments[3] then error('on purpose') end
  end):join()
end
local function halves(n) return math.floor(n / 2), ('%d'):format(n) end
print(halves(5))
math.floor = function(n) this_fiber.yield() return 'not ' .. n end
print(halves(5))
local co = coroutine.wrap(function(a) while true do a = coroutine.yield(a + 1) end end)
print(co(1), co(5))
if system.arguments[3] then local nothing; nothing.x = 1 end
`;

test('the first run, the second, and one without a cache print the same', (t) => {
  const place = new Place(t);
  const file = place.write('program.lua', PROGRAM);
  for (const args of [[file], [file, '--', 'fail'], ['--suspend-every-call', file]]) {
    const without = place.run(['--no-cache', ...args]);
    const first = place.run(args);
    const entries = place.entries();
    const second = place.run(args);
    assert.deepEqual(first, without);
    assert.deepEqual(second, without);
    assert.deepEqual(place.entries(), entries, 'the second run writes nothing');
  }
  assert.equal(place.entries().size, 2, 'one for each mode');
});

test('other text, another name of the file: another entry', (t) => {
  const place = new Place(t);
  const a = place.write('a.lua', `${LARGE}print 'one' local x = nil x()`);
  assert.match(place.run([a]).stderr, /a\.lua:2: attempt to call local 'x'/);
  const b = place.write('b.lua', readFileSync(a, 'latin1'));
  assert.match(place.run([b]).stderr, /b\.lua:2: attempt to call local 'x'/);
  place.write('a.lua', `${LARGE}print 'two'`);
  assert.equal(place.run([a]).stdout, 'two\n');
  assert.equal(place.entries().size, 3);
});

test('a continuation that no run before has needed is compiled, and is there the next time', (t) => {
  const place = new Place(t);
  const file = place.write(
    'program.lua',
    `${LARGE}
     local wait = require('system').arguments[3]
     local sum = 0
     for i = 1, 3 do
       if wait then this_fiber.yield() end
       sum = sum + i
     end
     print(sum)`,
  );
  assert.equal(place.run([file]).stdout, '6\n');
  const first = place.entries();
  assert.equal(place.run([file, '--', 'wait']).stdout, '6\n');
  const second = place.entries();
  assert.notDeepEqual(second, first);
  for (const args of [[file, '--', 'wait'], [file]]) {
    assert.equal(place.run(args).stdout, '6\n');
    assert.deepEqual(place.entries(), second);
  }
});

test('a function that no run before has called is compiled, and is there the next time', (t) => {
  const place = new Place(t);
  const long = 'local s = 0 '.padEnd(300);
  const file = place.write(
    'program.lua',
    `${LARGE}
     local more = require('system').arguments[3]
     local function always(a) ${long} s = a + 1 return s end
     local function sometimes(a)
       ${long}
       this_fiber.yield()
       local t = nil
       return a, pcall(function() return t.x end)
     end
     print(always(1))
     if more then print(sometimes(2)) end`,
  );
  const message = "2\tfalse\t$FILE:9: attempt to index upvalue 't' (a nil value)\n".replace(
    '$FILE',
    file,
  );
  assert.equal(place.run([file]).stdout, '2\n');
  const first = place.entries();
  assert.equal(place.run([file, '--', 'more']).stdout, `2\n${message}`);
  const second = place.entries();
  assert.notDeepEqual(second, first);
  for (const args of [[file, '--', 'more'], [file]]) {
    const { stdout } = place.run(args);
    assert.equal(stdout, args.length > 1 ? `2\n${message}` : '2\n');
    assert.deepEqual(place.entries(), second);
  }
});

test('what a program sets at run time does not make its entry another', (t) => {
  const place = new Place(t);
  place.write('large.lua', `${LARGE} function upper(s) return s:upper() end`);
  for (const changes of [
    'collectgarbage()',
    "assert(require('regex').new{pattern = 'a+', grammar = 'ecma'})",
  ]) {
    for (const program of [
      `${LARGE} ${changes} print(('x'):rep(3))`,
      `local large = require './large' ${changes} print(large.upper 'abc')`,
      `${changes} print(require('./large').upper 'abc')`,
    ]) {
      const file = place.write('program.lua', program);
      const first = place.run([file]);
      assert.deepEqual([first.stderr, first.status], ['', 0]);
      const entries = place.entries();
      assert.deepEqual(place.run([file]), first);
      assert.deepEqual(place.entries(), entries, program.slice(-80));
    }
  }
});

test('modules are stored, too; small files, and texts that a program loads, are not', (t) => {
  const place = new Place(t);
  place.write('large.lua', `${LARGE}value = 1`);
  place.write('small.lua', 'value = 2');
  const file = place.write(
    'main.lua',
    "print(require('./large').value, require('./small').value, load(('-'):rep(30000) .. '\\nreturn 3')())",
  );
  for (let i = 0; i < 2; i++) assert.equal(place.run([file]).stdout, '1\t2\t3\n');
  assert.equal(place.entries().size, 1);
});

test('nothing is looked for or left: --no-cache, PERILUNE_CACHE, small programs, no directory', (t) => {
  const place = new Place(t);
  const file = place.write('program.lua', `${LARGE}print 'ok'`);
  const small = place.write('small.lua', "print 'ok'");
  const ok = { stdout: 'ok\n', stderr: '', status: 0 };
  assert.deepEqual(place.run(['--no-cache', file]), ok);
  assert.deepEqual(place.run([file], { PERILUNE_CACHE: '0' }), ok);
  assert.deepEqual(place.run([file], { EMILUA_CACHE: '0' }), ok);
  assert.deepEqual(place.run([small]), ok);
  for (const XDG_CACHE_HOME of [
    '',
    'relative',
    '/nowhere/at/all',
    '/dev/null',
    '/proc',
    '\xff/x',
  ]) {
    const more = { XDG_CACHE_HOME, HOME: undefined };
    assert.deepEqual(place.run([file], more), ok, XDG_CACHE_HOME);
  }
  assert.deepEqual(readdirSync(place.cache), []);
  assert.ok(!existsSync(join(place.folder, 'relative')));
  // Without XDG_CACHE_HOME it is in the home directory.
  assert.deepEqual(place.run([file], { XDG_CACHE_HOME: '', HOME: place.folder }), ok);
  assert.deepEqual(readdirSync(join(place.folder, '.cache')), ['perilune']);
});

test('a damaged entry is compiled again, and replaced', (t) => {
  const place = new Place(t);
  const file = place.write('program.lua', `${LARGE}print 'ok'`);
  place.run([file]);
  const entry = place.file();
  const whole = readFileSync(entry);
  for (const at of [0, 10, 45, 100, whole.length >> 1, whole.length - 10]) {
    const damaged = Buffer.from(whole);
    damaged[at]! ^= 0x10;
    writeFileSync(entry, damaged);
    assert.deepEqual(place.run([file]), { stdout: 'ok\n', stderr: '', status: 0 });
    assert.ok(!readFileSync(entry).equals(damaged));
  }
});

test('a directory that others may write to is not used, whatever lies there', (t) => {
  const place = new Place(t);
  const file = place.write('program.lua', `${LARGE}print 'ok'`);
  place.run([file]);
  const before = place.entries();
  for (const folder of [place.cache, join(place.cache, 'perilune')]) {
    const { mode } = statSync(folder);
    chmodSync(folder, 0o777);
    place.write('program.lua', `${LARGE}print 'other'`);
    assert.equal(place.run([file]).stdout, 'other\n');
    assert.deepEqual(place.entries(), before);
    chmodSync(folder, mode);
  }
});

test('actors in threads and processes of their own write nothing, where their maker does', (t) => {
  const place = new Place(t);
  place.write('actor.lua', `${LARGE}local inbox = require 'inbox' inbox:receive().from:send('ok')`);
  for (const options of [
    "subprocess = {}, module = './actor'",
    "inherit_context = false, module = './actor'",
  ]) {
    const file = place.write(
      'main.lua',
      `local inbox = require 'inbox'
       spawn_vm{ ${options} }:send{from = inbox}
       print(inbox:receive())`,
    );
    assert.deepEqual(place.run([file]), { stdout: 'ok\n', stderr: '', status: 0 });
  }
  assert.deepEqual([...place.entries()], []);
});

test('many first runs at once', async (t) => {
  const place = new Place(t);
  const file = place.write('program.lua', PROGRAM);
  const runs = Array.from({ length: 4 }, async () => {
    const child = spawn(perilune, [file], {
      env: place.environment(),
      stdio: ['ignore', 'pipe', 2],
    });
    let text = '';
    child.stdout!.on('data', (part) => {
      text += part;
    });
    await once(child, 'close');
    return text;
  });
  const texts = await Promise.all(runs);
  assert.equal(new Set(texts).size, 1);
  assert.match(texts[0]!, /fiber\t2/);
  assert.deepEqual(readdirSync(join(place.cache, 'perilune')).length, 2);
});
