/** What the process of an actor is told: nothing is lost, and who compiles what. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { likelyContinuations, StoredChunk } from '../../src/actors/compiled-form.ts';
import { areUsual, compiledParts, forgetModules, loadModule } from '../../src/actors/load.ts';
import { decodeTask, encodeTask, type ProcessTask } from '../../src/actors/process-task.ts';
import { type Compiled, compile } from '../../src/compiler/compile.ts';
import { parseUnsigned } from '../../src/runtime/number.ts';
import { LuaTable } from '../../src/runtime/table.ts';
import { nativeFailure } from '../../src/sys/native.ts';
import { openReactor } from '../support/faulty.ts';
import { runLua, spec } from '../support/spec.ts';

const compiled = (source: string): Compiled =>
  compile(source, { chunkName: 'x.lua', parseNumber: parseUnsigned, suspendAll: false });

test('a task is what it was, with any bytes in its texts', () => {
  const bytes = String.fromCharCode(...Array(256).keys());
  const task: ProcessTask = {
    file: `/a/${bytes}.lua`,
    root: '/a',
    id: './b',
    suspendAll: true,
    isAlone: true,
    init: undefined,
    initTimeout: 1.5,
    hasService: true,
    walls: { both: [{ do: 'no_new_privs' }], actor: [] },
    environment: [['A', bytes]],
    sources: [
      ['/a/empty.lua', ''],
      [`/a/${bytes}.lua`, bytes],
      ['/a/c.lua', 'return 1'],
    ],
    compiled: [
      ['/a/c.lua', [Buffer.from(bytes, 'latin1'), Buffer.alloc(0), Buffer.from('x')]],
      ['/a/empty.lua', []],
    ],
    trace: undefined,
  };
  const whole = Buffer.concat([Buffer.from('before'), encodeTask(task)]);
  const { init: _, trace: __, ...rest } = task;
  assert.deepEqual(decodeTask(whole.subarray(6)), rest);
});

test("what V8 makes of a module is taken under a supervisor's flags", () => {
  const program = join(import.meta.dirname, '../support/code-of-others.ts');
  const run = (flags: string[], what: string, input = ''): string => {
    const done = spawnSync(process.execPath, [...flags, program, what], {
      input,
      encoding: 'utf8',
    });
    assert.equal(done.stderr, '');
    return done.stdout;
  };
  const launcher = readFileSync(join(import.meta.dirname, '../../bin/perilune'), 'latin1');
  const usual = /^flags='(.*)'$/m.exec(launcher)![1]!.split(' ');
  assert.ok(areUsual([...usual, '--stack-size=60000']), 'a program has them');
  const parts = run(usual, 'make');
  const flags = ['--single-threaded', '--max-old-space-size=64'];
  assert.deepEqual(JSON.parse(run(flags, 'take', parts)), [false, true, 42, true, true]);
  const unusual = run(['--no-lazy-feedback-allocation'], 'make');
  assert.deepEqual(JSON.parse(unusual)[1], '', 'under other flags there is none');
});

test('a module of the program is compiled for its process, a text of anybody only if it runs here', () => {
  const file = '/no/such.lua';
  const source = 'local inbox = require "inbox" inbox:receive()';
  forgetModules();
  assert.equal(compiledParts(file, source, false, false), undefined);
  assert.equal(compiledParts(file, source, true, true), undefined, 'for another mode');
  assert.equal(compiledParts(file, 'this is no Lua', false, true), undefined);
  assert.equal(compiledParts(file, `return '${'x'.repeat(2 ** 16)}'`, false, true), undefined);
  loadModule(file, source, file, new LuaTable());
  assert.equal(compiledParts(file, `${source} `, false, false), undefined, 'another text');
  for (const isOurs of [false, true]) {
    const parts = compiledParts(file, source, false, isOurs);
    const chunk = new StoredChunk(parts!, () => assert.fail('it is compiled again'));
    assert.equal(chunk.main.js, compiled(source).main.js);
    assert.ok(chunk.continuations.size > 0);
    for (const [id, { js }] of chunk.continuations)
      assert.equal(js, compiled(source).continuation(id).js);
  }
  forgetModules();
});

test('continuations that are made beforehand: of all places that receive, then from the end on, and not too many', () => {
  const wait = 'local function f(box) local a = box:receive() return a + 1 end\n';
  const few = compiled(`${wait}f(require 'inbox') print(1) print(2)`);
  const sites = [...likelyContinuations(few).keys()];
  const named = (id: number): string | undefined => few.sites[id]!.names?.[0];
  assert.equal(named(sites[0]!), "method 'receive'");
  assert.equal(named(sites[1]!), "global 'print'");
  assert.ok(sites.some((id) => named(id) === "local 'f'" || named(id) === "upvalue 'f'"));
  const many = compiled(wait + 'print(f(1), f(2), f(3)) '.repeat(1000));
  const found = likelyContinuations(many);
  assert.ok(found.size > 1 && found.size < 1000, `${found.size}`);
  const length = [...found.values()].reduce((sum, { js }) => sum + js.length, 0);
  assert.ok(length < 2 ** 15, `${length}`);
});

test('what follows a branch that returns is no part of the continuations in it', () => {
  const chunk = compiled(`
    if a then f() return end
    do if b then while true do if c then f() return end g() end end end
    h 'behind'
  `);
  const rest = (place: string, which: number): string => {
    const ids = chunk.sites.flatMap(({ names }, id) => (names?.[0] === place ? [id] : []));
    return chunk.continuation(ids[which]!).js;
  };
  const calls = chunk.sites.flatMap(({ names }, id) =>
    names?.[1]?.startsWith('call') && names[0] === "global 'f'" ? [id] : [],
  );
  assert.equal(calls.length, 2);
  assert.doesNotMatch(chunk.continuation(calls[0]!).js, /behind/);
  assert.match(rest("global 'g'", 0), /"behind"/);
});

if (nativeFailure() === undefined) {
  await openReactor();
  await runLua(`spawn_vm{module = './w', subprocess = {}}`, { files: { 'w.lua': '' } });
}

spec(
  'a process whose module comes compiled has the same errors, with the same places',
  `
  local inbox = require 'inbox'
  for i = 1, 2 do
    local c = spawn_vm{module = './w', subprocess = {stderr = 'share'}}
    c:send(inbox)
    print(inbox:receive())
    print(inbox:receive())
    c:close()
  end
`,
  `${"./w.lua:6: attempt to index local 'm' (a nil value)\nend of 21\n".repeat(2)}`,
  {
    files: {
      'w.lua': `
        local inbox = require 'inbox'
        local home = inbox:receive()
        local function bad()
          local m
          return m.x
        end
        local _, e = pcall(bad)
        home:send((e:gsub('^.*/', './')))
        local sum = 0
        for i = 1, 6 do
          this_fiber.yield()
          sum = sum + i
        end
        spawn(function() home:send('end of ' .. sum) end):join()
      `,
    },
    once: true,
  },
);
