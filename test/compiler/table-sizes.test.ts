/** How much room for fields a table begins with: what is seen of it where it is made. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compile } from '../../src/compiler/compile.ts';
import { spec } from '../support/spec.ts';

/** The constructors of the tables that a program makes, in order. */
function makers(source: string): string[] {
  const { main } = compile(source, {
    chunkName: '@main.lua',
    parseNumber: Number,
    suspendAll: false,
  });
  return [...main.js.matchAll(/new \$(T\d+)/g)].map(([, maker]) => maker!);
}

const ELEMENTS = 'T1';
for (const [what, source, expected] of [
  ['elements in its constructor', 'local t = {1, 2}', [ELEMENTS]],
  ['an element in the next statement', 'local t = {} t[1] = 5', [ELEMENTS]],
  ['elements in a loop', 'local t = {} for i = 1, 9 do t[i] = i end', [ELEMENTS]],
  ['elements at its end', 'local t = {} while x do t[#t + 1] = x() end', [ELEMENTS]],
  [
    'a list of lists',
    'local m = {} for i = 1, 9 do local r = {} for j = 1, 9 do r[j] = 0 end m[i] = r end',
    [ELEMENTS, ELEMENTS],
  ],
  ['nothing that is seen', 'local t = {} f(t)', ['T0']],
  ['keys of any kind', 'local t = {} for k, v in next, x do t[k] = v end', ['T0']],
  ['names', "local t = {} t['a' .. x] = 1 t[1] = 2", ['T0']],
  ['a field', 'local t = {} t.x = 1 t[1] = 2', ['T2']],
  ['elements that are another’s', 'local t = {} u[1] = 2 u = t', ['T0']],
] as const) {
  test(`a table that gets ${what}`, () => assert.deepEqual(makers(source), [...expected]));
}

spec(
  'a table of elements gets fields and a metatable like any other',
  `
  local t = {1, 2}
  for i = 1, 40 do t['f' .. i] = i end
  t.first, t.second, t.third = 'a', 'b', 'c'
  local r = {}
  for i = 1, 3 do r[i] = i end
  r.x, r.y = t.first, t
  setmetatable(r, { __index = function(_, k) return k .. '?' end })
  print(#t, t.f40, t.first, t.third, #r, r.x, r.y == t, r.z)
  local n = 0
  for _ in pairs(t) do n = n + 1 end
  print(n, next(r), rawget(r, 'z'))
`,
  '2\t40\ta\tc\t3\ta\ttrue\tz?\n45\t1\tnil\n',
);
