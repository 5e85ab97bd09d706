/** What the innermost loops look at before they begin (decision 55): a program can't tell. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { compile } from '../../src/compiler/compile.ts';
import { parseUnsigned } from '../../src/runtime/number.ts';
import { spec } from '../support/spec.ts';

/** The lines before loops that look at something. */
function ahead(source: string): string[] {
  const { js } = compile(source, {
    chunkName: 'x',
    parseNumber: parseUnsigned,
    suspendAll: false,
  }).main;
  const lines = js.split('\n');
  return lines.filter((_, i) => /^L\d+: for/.test(lines[i + 1] ?? '') && lines[i]!.endsWith('}'));
}
const isRead = (source: string, text: string): boolean =>
  ahead(source).some((js) => js.includes(text));

const sum = (body: string): string =>
  `local function f(t, u, n, i) local s = 0 ${body} return s end`;

test('a table, and what is read of it, that the loop leaves as they are', () => {
  assert.ok(isRead(sum('for k = 1, n do s = s + t[k] end'), 't$2.arr[0];'));
  assert.ok(isRead(sum('for k = 1, n do t[k] = k end'), 't$2.arr[0];'));
  assert.ok(
    isRead(sum('for k = 1, n do s = s + t.list[k] end'), 'p$0 = t$2.$list; if (p$0 === undefined)'),
  );
  assert.ok(isRead(sum('for j = 1, n do for k = 1, n do s = s + t[j][k] end end'), 'p$0.arr[0];'));
  assert.ok(isRead(sum('while s < #t do s = s + t.step end'), 't$2.$step;'));
  assert.ok(
    isRead(sum('for k = 1, n do s = s + t[i][k] end'), "if (typeof i$5 === 'number' && i$5 >= 0"),
  );
});

test('not what the loop changes, or finds when it runs', () => {
  assert.deepEqual(ahead(sum('while t do s = s + t.x t = t.next end')), []);
  assert.ok(!isRead(sum('for k = 1, n do s = s + t[k].x end'), '$x'));
  assert.ok(!isRead(sum('for k = 1, n do s = s + t[i][k] i = i + 1 end'), 'p$0'));
  assert.deepEqual(ahead(sum('for k = 1, n do local r = {k} s = s + r[1] end')), []);
});

test('the innermost loops, and where no function is called', () => {
  assert.equal(ahead(sum('for j = 1, n do for k = 1, n do s = s + t[j][k] end end')).length, 1);
  assert.deepEqual(ahead(sum('for k = 1, n do s = s + t[k] u(k) end')), []);
  assert.ok(isRead(sum('for k = 1, n do s = s + math.floor(t[k]) end'), 't$2.arr[0];'));
});

spec(
  'what the loop does not come to is no error, and no metamethod is called',
  `
  local calls = 0
  local proxy = setmetatable({}, {__index = function(_, k) calls = calls + 1 return k end})
  local function sum(t, n)
    local s = 0
    for i = 1, n do s = s + t[i] end
    return s
  end
  local function deep(t, i, n)
    local s = 0
    for k = 1, n do s = s + t.a[i][k] end
    return s
  end
  local function first(t, n)
    local done = 0
    local ok, e = pcall(function()
      for i = 1, n do
        done = done + 1
        if i > 2 then done = done + t.x.y[i] end
      end
    end)
    return done, ok, e
  end
  for round = 1, 3 do
    print(sum(nil, 0), sum(1, 0), sum('text', 0), sum(true, 0), sum(print, 0), sum(proxy, 0), calls)
    print(deep(nil, nil, 0), deep({}, 1, 0), deep({a = {}}, 'x', 0), deep({a = {{}}}, 0.5, 0), deep({a = 1}, 0, 0))
    print(first(nil, 2))
    print(first({}, 2))
    print(first({}, 3))
    print(first(nil, 3))
  end
  print(sum(proxy, 3), calls, deep({a = {[0] = {5}}}, 0, 1), deep({a = {[-1] = {6}}}, -1, 1))
  print(pcall(sum, nil, 1))
  print(select(2, pcall(deep, {a = {}}, 1, 1)))
  `,
  `${`0\t0\t0\t0\t0\t0\t0
0\t0\t0\t0\t0
2\ttrue\tnil
2\ttrue\tnil
3\tfalse\tmain.lua:19: attempt to index field 'x' (a nil value)
3\tfalse\tmain.lua:19: attempt to index upvalue 't' (a nil value)
`.repeat(3)}6\t3\t5\t6
false\tmain.lua:6: attempt to index local 't' (a nil value)
main.lua:11: attempt to index a nil value
`,
);

spec(
  'a table that changes in the loop is read as it is then',
  `
  local function grow(t, n) for i = 1, n do t[i] = i t.last = t[i] end return #t, t.last end
  print(grow({}, 5), grow({[3] = 1}, 4))
  local function move(t) local s = 0 for i = 1, 3 do t.a = t.b[i] s = s + t.a[1] end return s end
  print(move({a = 0, b = {{1}, {2}, {3}}}))
  local function own(t) for i = 1, 3 do t[i] = t[1] and t[i] or t end return t[1] == t, #t end
  print(own({}), own({7}))
  local function holes(t) local n = 0 for i = 1, 200 do if t[i] then n = n + 1 end t[i] = nil end return n end
  for r = 1, 3 do local t = {} for i = 1, 100, 3 do t[i] = i end print(holes(t), next(t)) end
  local function turn(m) for i = 1, 2 do m[i], m[3] = m[3], m[i] end return m[1][1] + m[2][1] end
  print(turn({{1}, {2}, {4}}))
  `,
  `5\t4\t4
6
true\tfalse\t3
34\tnil
34\tnil
34\tnil
5
`,
);
