/** Loops of long main functions that are functions of their own (decision 49): a program can't tell. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { loadChunk, loops } from '../../src/actors/load.ts';
import { compile } from '../../src/compiler/compile.ts';
import { parseUnsigned } from '../../src/runtime/number.ts';
import { LuaTable, tableOf } from '../../src/runtime/table.ts';
import { type LuaFunction, type LuaValue, NO_ZERO } from '../../src/runtime/value.ts';
import { spec } from '../support/spec.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const compiled = (source: string, apartFrom = 0, suspendAll = false) =>
  compile(source, { chunkName: 'x', parseNumber: parseUnsigned, suspendAll, apartFrom });
const apartIn = (js: string): number => js.split('= (function main$f0(').length - 1;

// ── which loops ────────────────────────────────────────────────────────────────────────────────────

test('the outermost loops of the main function, where much is outside of them', () => {
  const loop = 'for i = 1, 2 do for j = 1, 2 do f(i, j) end end\n';
  assert.equal(apartIn(compiled(loop.repeat(3)).main.js), 3);
  assert.equal(apartIn(compiled(`do ${loop} if x then ${loop} end end`).main.js), 2);
  assert.equal(apartIn(compiled(`function g() ${loop} end`).main.js), 0);
  assert.equal(apartIn(compiled(`::again:: ${loop} goto again`).main.js), 1);
  assert.equal(apartIn(compiled(`${loop} setmetatable(t, { __mode = 'k' })`).main.js), 0);
  assert.equal(apartIn(compiled(`${loop} collectgarbage()`).main.js), 0);
  assert.equal(apartIn(compiled(loop, 20).main.js), 0);
  assert.equal(apartIn(compiled(`${loop}${'f(1)\n'.repeat(20)}`, 20).main.js), 1);
});

test('also in what is left of it after a suspension, but for the loop that was left', () => {
  const source = 'f() for i = 1, 2 do g(i) end for i = 1, 2 do h(i) end';
  const { sites, continuation } = compiled(source);
  const found = sites.map(({ names }, id) => [names?.[0], apartIn(continuation(id).js)]);
  assert.deepEqual(
    found.filter(([name]) => name !== undefined),
    [
      ["global 'f'", 2],
      ["global 'g'", 1],
      ["global 'h'", 0],
    ],
  );
});

test('it is given what it names, and gives back what it has assigned and is needed afterwards', () => {
  const source = `
    local read, both, inside, other = 1, 2, 3, 4
    both, inside, other = 0, 0, 0
    while true do both = both + read inside = both end
    return both, other`;
  const { js } = compiled(source).main;
  assert.match(js, /const \$wL1 = \[both\$2, inside\$3\]; both\$2 = inside\$3 = undefined;/);
  assert.match(js, /\(function main\$f0\(\$w, read\$1(, [^)]*)?\)/);
  assert.match(js, /\$w\.push\(both\$2, -1\); return \$w;/);
  assert.match(js, /const \$jL1 = \$wL1\.pop\(\); both\$2 = \$wL1\.pop\(\);\n/);
});

// ── what a program sees ────────────────────────────────────────────────────────────────────────────

const apart = (name: string, source: string, expected: string | RegExp, more = {}): void =>
  spec(name, source, expected, { apart: true, ...more });

apart(
  'fibers that wait in loops, at every place of them',
  `local log, total = {}, 0
  local function wait(x) this_fiber.yield() return x end
  spawn(function() for i = 1, 20 do this_fiber.yield() end other = 'other' end):detach()
  for i = wait(1), wait(3), wait(1) do
    total = wait(total) + i
    for k, v in pairs({ wait('x') }) do total = total + wait(k) log[#log + 1] = v end
    if wait(i) == 2 then goto next end
    total = total + wait(100)
    ::next::
  end
  while wait(total) < 300 do total = total + wait(50) end
  repeat local last = wait(total) total = total + 1 until wait(last) > 310
  for v in (function(_, c) return wait(c < 3 and c + 1 or nil) end), nil, 0 do total = total + v end
  for i = 1, 3 do
    for j = 1, 3 do
      if wait(i + j) == 4 then log[#log + 1] = i .. j goto out end
    end
  end
  ::out::
  print(total, table.concat(log, ' '), other)`,
  '318\tx x x 13\tother\n',
);

apart(
  'a fiber ends in a loop of a main function by return',
  `local n = 0
  spawn(function() for i = 1, 5 do this_fiber.yield() end print('last') end):detach()
  while true do
    n = n + 1
    this_fiber.yield()
    if n == 3 then print(n) return end
  end`,
  '3\nlast\n',
);

apart(
  'an error says where it was',
  `local n = 0\nfor i = 1, 3 do\n  n = n + i\n  if n > 2 then\n    error('in the loop')\n  end\nend`,
  '',
  {
    code: 1,
    stderr: /'main.lua:5: in the loop'\nstack traceback:\n\tmain.lua:5: in main chunk\n$/,
  },
);

apart(
  'levels are counted as written',
  `local function f(level) error('here', level) end
  local function g(level)
    f(level)
    return true
  end
  for level = 1, 3 do
    print(pcall(function()
      for _ = 1, 1 do
        g(level)
      end
    end))
  end`,
  'false\tmain.lua:1: here\nfalse\tmain.lua:3: here\nfalse\tmain.lua:9: here\n',
);

apart('a module that returns from a loop', `print(require('./found').value)`, '2\n', {
  files: {
    'found.lua': 'for i = 1, 3 do value = i if i * i == 4 then return end end value = nil',
  },
});

// ── what it keeps ──────────────────────────────────────────────────────────────────────────────────

const MEGABYTES = 8;

test('what a loop drops of a variable from before it is garbage', () => {
  const kept: number[] = [];
  let before = 0;
  const used = (): number => Math.round(getHeapStatistics().used_heap_size / 2 ** 20 / MEGABYTES);
  const make = (): LuaTable => {
    const t = new LuaTable();
    t.arr = new Array<LuaValue>((MEGABYTES * 2 ** 20) / 8).fill(true);
    t.arr[0] = NO_ZERO;
    return t;
  };
  const look = (): undefined => {
    collect();
    kept.push(used() - before + 0);
  };
  const usual = loops.apartFrom;
  loops.apartFrom = 0;
  try {
    collect();
    before = used();
    const source = `
      local t = make()
      local n = t[1] and t[n]
      look()
      for i = 1, 3 do t = nil look() t = make() end
      look()`;
    (loadChunk(source, '@kept', tableOf({ make, look })) as LuaFunction)();
  } finally {
    loops.apartFrom = usual;
  }
  assert.deepEqual(kept, [1, 0, 0, 0, 1]);
});
