import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { leaveOut, parseExceptions, unmetCondition } from '../../scripts/conformance.ts';

function conformance(
  files: Record<string, string>,
  ...args: string[]
): { stdout: string; status: number | null } {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-suite-'));
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    const script = join(import.meta.dirname, '../../scripts/conformance.ts');
    return spawnSync(process.execPath, [script, folder, ...args], { encoding: 'utf8' });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('a folder of programs: each passes that ends without an error, in both modes', () => {
  const { stdout, status } = conformance({
    'good.lua': `
      local name = os.tmpname()
      local f = assert(io.open(name, 'w'))
      f:write('one\\n', 2, '\\n')
      f:close()
      local lines = {}
      for line in io.lines(name) do lines[#lines + 1] = line end
      assert(#lines == 2 and lines[2] == '2')
      assert(os.remove(name))
      assert(require('part') == 'a part' and package.loaded.part == 'a part')
      assert(debug.traceback('x'):find('^x\\nstack traceback:'))`,
    'part.lua': `return 'a part'`,
    'bad.lua': `local function f() error('oh') end f()`,
  });
  assert.match(stdout, /bad\.lua: bad\.lua:1: oh/);
  assert.match(stdout, /, ordinary: 2\/3 passed\n.*, suspending: 2\/3 passed\n$/);
  assert.equal(status, 1);
});

test("LuaJIT's suite: named tests count one by one, conditions decide which apply", () => {
  const { stdout, status } = conformance(
    {
      'test.lua': '',
      'lang/index': 'a.lua\nffi.lua +ffi\n',
      'lang/a.lua': `local shared = 1
do --- first
  assert(shared == 1)
end
do --- second !private_G
  global = 2
  assert(_G.global == 2)
end
do --- third
  assert(global == nil)
end
do --- fourth +ffi
  this is not even Lua
end
do --- fifth -compat5.2
  error('not reached')
end
`,
      'lang/ffi.lua': `error('not reached')`,
    },
    '--mode',
    'ordinary',
  );
  assert.match(stdout, /luajit, ordinary: 3\/3 passed/);
  assert.match(stdout, /fourth: needs \+ffi/);
  assert.match(stdout, /ffi\.lua: needs \+ffi/);
  assert.equal(status, 0);
});

test('conditions', () => {
  assert.equal(unmetCondition('name +luajit>=2.1 +bit'), undefined);
  assert.equal(unmetCondition('name +lua<5.2'), undefined);
  assert.equal(unmetCondition('name +lua>=5.2'), '+lua>=5.2');
  assert.equal(unmetCondition('name -compat5.2'), '-compat5.2');
});

test('what is left out leaves its lines empty', () => {
  assert.equal(leaveOut('a\nb\nc\nd', /b/, /c/), 'a\n\n\nd');
  assert.equal(leaveOut('a\nb', /x/, /x/), undefined);
});

test('the list of exceptions', () => {
  const [whole, part, named] = parseExceptions(
    '# comment\n\ns/f.lua: why\ns/f.lua [/a/ .. /b/]: why\ns/f.lua #a test#: why\n',
  );
  assert.equal(whole!.reason, 'why');
  assert.deepEqual(part!.lines, [/a/, /b/]);
  assert.equal(named!.test, 'a test');
});
