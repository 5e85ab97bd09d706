/** What the functions of a program become: those that may be made often are as small as V8 lets them be. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { compile } from '../../src/compiler/compile.ts';
import { parseUnsigned } from '../../src/runtime/number.ts';
import { spec } from '../support/spec.ts';

const compiled = (source: string): string =>
  compile(source, { chunkName: '=x', parseNumber: parseUnsigned, suspendAll: false }).main.js;

test('a function inside of another, or of a loop, has no place for a prototype', () => {
  const nested = compiled('local function outer(i) return function() return i end end');
  assert.match(nested, /function outer\$f1\(/); // V8 is to skip its text
  assert.match(nested, /const anonymous\$f2 = \(\) => \{/);
  assert.match(
    compiled('for i = 1, 3 do local f = function() return i end end'),
    /f\$f1 = \(\) =>/,
  );
});

test('one that uses globals needs itself, for what setfenv has set', () => {
  assert.match(
    compiled('local function f() return function() return x end end'),
    /function anonymous\$f2\(\)/,
  );
});

spec(
  'functions in functions keep their names, upvalues and varargs',
  `
  local function outer(...)
    local n = 0
    local function inner(...) n = n + select('#', ...) return inner ~= nil, n end
    local function again(k) if k == 0 then return 'end' end return again(k - 1) end
    return inner, again, function(...) return ... end
  end
  local inner, again, all = outer()
  print(inner(1, 2, 3))
  print(inner(4))
  print(again(5), all(1, nil, 3))
  local made = {}
  for i = 1, 3 do
    local j = i * 10
    made[i] = function() j = j + 1 return i, j end
  end
  print(made[1](), made[3]())
  print(made[1]())
  local function fail()
    local function deep(t) return (t.x.y) end
    local r = deep({})
    return r
  end
  print(pcall(fail))
  print(select(2, xpcall(fail, debug and debug.traceback or tostring)))
`,
  `true\t3
true\t4
end\t1\tnil\t3
1\t3\t31
1\t12
false\tmain.lua:20: attempt to index field 'x' (a nil value)
main.lua:20: attempt to index field 'x' (a nil value)
`,
);
