/** Functions of long programs that are compiled when they are first called: a program can't tell. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { AT_ONCE, type Compiled, compile } from '../../src/compiler/compile.ts';
import { parseUnsigned } from '../../src/runtime/number.ts';
import { spec } from '../support/spec.ts';

const compiled = (source: string, own = 0, inner = 0): Compiled =>
  compile(source, {
    chunkName: 'x.lua',
    parseNumber: parseUnsigned,
    suspendAll: false,
    later: { own, inner },
  });

// ── what is left ───────────────────────────────────────────────────────────────────────────────────

test('the text of a function that is left is not in its chunk, but what it names is registered', () => {
  const chunk = compiled('function f(t) return t.some_field + g(1) end');
  assert.deepEqual(chunk.left, [1]);
  assert.doesNotMatch(chunk.main.js, /some_field/);
  assert.deepEqual([...chunk.fields].sort(), ['f', 'g', 'some_field']);
  const f = chunk.later(1);
  assert.match(f.main.js, /t\$\d+\.\$some_field/);
  assert.deepEqual(f.functions, chunk.functions);
  assert.ok(f.sites.every(({ functionIndex }) => functionIndex === 1));
});

test('names of fields are those of the chunk compiled at once', () => {
  const source = `
    local t = { a = 1, ['b'] = 2, ['${'x'.repeat(65)}'] = 3, [1] = 4 }
    function t.c.d:e() return self['f'], self:g(), self[t.h], h.${'y'.repeat(65)} end`;
  const options = { chunkName: 'x', parseNumber: parseUnsigned, suspendAll: false };
  const fields = (later: { own: number; inner: number }): string[] =>
    [...compile(source, { ...options, later }).fields].sort();
  assert.deepEqual(fields({ own: 0, inner: 0 }), [...'abcdefgh']);
  assert.deepEqual(fields(AT_ONCE), fields({ own: 0, inner: 0 }));
});

test('short functions, and those made in loops, are compiled with their chunk', () => {
  const body = 'local s = 0 for i = 1, 10 do s = s + i end return s';
  assert.deepEqual(compiled(`function f() ${body} end function g() end`, 50).left, [1]);
  assert.deepEqual(compiled(`for i = 1, 3 do f = function() ${body} end end`).left, []);
  assert.deepEqual(compiled(`::again:: f = function() ${body} end goto again`).left, []);
});

test('a function in a function is left if it is long', () => {
  const source = 'function f() return function(a) return function() return a end end end';
  const f = compiled(source).later(1);
  assert.deepEqual(f.left, [2]);
  assert.deepEqual(f.later(2).left, [3]);
  assert.deepEqual(compiled(source, 0, 1000).later(1).left, []);
});

// ── what a program sees ────────────────────────────────────────────────────────────────────────────

const later = (name: string, source: string, expected: string | RegExp, once = false): void =>
  spec(name, source, expected, { later: true, once });

later(
  'upvalues are shared with what is compiled before and after',
  `
  local n, step = 0, 2
  local function add() n = n + step return n end
  local function sub() n = n - 1 return n end
  print(add(), n)
  n = 10
  print(sub(), add(), n)
  local function counter(from)
    local count = from
    return function() count = count + 1 return count end, function() return count end
  end
  local a, geta = counter(1)
  local b, getb = counter(100)
  print(a(), a(), b(), geta(), getb())
  `,
  '2\t2\n9\t11\t11\n2\t3\t101\t3\t101\n',
);

later(
  'a function is the same before and after its first call',
  `
  local t = {}
  function t.f(a) return a end
  local before, text = t.f, tostring(t.f)
  local seen = { [before] = 'found' }
  print(t.f(1), before == t.f, text == tostring(before), seen[t.f])
  local function self() return self end
  print(self() == self, self()() == self)
  `,
  '1\ttrue\ttrue\tfound\ntrue\ttrue\n',
);

later(
  'arguments and results, however many',
  `
  local function none() end
  local function all(...) return ... end
  local function two(a, b) return b, a end
  local function rest(a, ...) return select('#', ...), ... end
  print(none(), (none()), select('#', none(1, 2)))
  print(all(), all(1), all(1, nil, 3))
  print(two(1), two(1, 2, 3))
  print(rest(), rest(1, nil, nil))
  local function tail(n) if n == 0 then return 'end', n end return tail(n - 1) end
  print(tail(100000))
  local function even(n) if n == 0 then return true end return odd(n - 1) end
  function odd(n) if n == 0 then return false end return even(n - 1) end
  print(even(100000), odd(7))
  `,
  'nil\tnil\t0\nnil\t1\t1\tnil\t3\nnil\t2\t1\n0\t2\tnil\tnil\nend\t0\ntrue\ttrue\n',
);

later(
  'messages and levels are those of the lines, at the first call and later',
  `local function fail(t)
    local x = t.a.b
    return x
  end
  local function deep(n, t)
    if n == 0 then local r = fail(t) return r end
    local r = deep(n - 1, t)
    return r
  end
  for i = 1, 2 do print(pcall(deep, 2, {})) end
  local function level(n) error('here', n) end
  local function mid(n) level(n) end
  for n = 1, 3 do
    print(pcall(function()
      mid(n)
    end))
  end
  print(pcall(function() string.rep() end))
  print(select(2, xpcall(deep, function(m) return m .. ' ' .. select(2, pcall(error, '', 3)) end, 1, {})))
  `,
  `false\tmain.lua:2: attempt to index field 'a' (a nil value)
false\tmain.lua:2: attempt to index field 'a' (a nil value)
false\tmain.lua:11: here
false\tmain.lua:12: here
false\tmain.lua:15: here
false\tmain.lua:18: bad argument #1 to 'rep' (string expected, got no value)
main.lua:2: attempt to index field 'a' (a nil value) main.lua:2: 
`,
);

spec(
  'a traceback has no frame for what only calls',
  `local function fail(t)
    local x = t.a.b
    return x
  end
  local t = {}
  function t.caller() fail({}) end
  t.caller()`,
  '',
  {
    later: true,
    once: true,
    code: 1,
    stderr:
      /main\.lua:2: attempt to index field 'a' \(a nil value\)'\nstack traceback:\n\tmain\.lua:2: in function 'fail'\n\tmain\.lua:6: in function 't\.caller'\n\tmain\.lua:7: in main chunk\n/,
  },
);

later(
  'environments: of functions before their first call and after it, and by level',
  `
  x = 'global'
  local function get() return x end
  local function outer() local function inner() return x end return inner, x end
  setfenv(get, { x = 'own' })
  print(get(), getfenv(get).x)
  setfenv(get, { x = 'other' })
  print(get())
  print((select(2, outer())), outer()())
  setfenv(outer, { x = 'changed' })
  local inner, seen = outer()
  print(seen, inner(), getfenv(inner) == getfenv(outer))
  local function by_level(env) setfenv(1, env) return x, getfenv(1) == env end
  print(by_level({ x = 'level', getfenv = getfenv }))
  local function never_a_value(n)
    if n == 0 then setfenv(1, { x = 'deep', setfenv = setfenv }) return end
    never_a_value(n - 1)
    return x
  end
  print(never_a_value(1), never_a_value(1))
  print(x)
  `,
  `own\town
other
global\tglobal
changed\tchanged\ttrue
level\ttrue
deep\tdeep
global
`,
);

later(
  'they wait at their first call, and when they are called again meanwhile',
  `
  local log = {}
  local function wait(name)
    log[#log + 1] = name
    this_fiber.yield()
    log[#log + 1] = name .. '!'
    return name
  end
  local a = spawn(function() return wait('a') end)
  local b = spawn(function() return wait('b') end)
  a:join() b:join()
  print(table.concat(log, ' '))
  local gen = coroutine.wrap(function()
    local function walk(n)
      if n > 0 then walk(n - 1) coroutine.yield(n) walk(n - 1) end
    end
    walk(3)
  end)
  local seen = {}
  for n in gen do seen[#seen + 1] = n end
  print(table.concat(seen))
  local function late(first)
    local made
    if first then this_fiber.yield() end
    local function inner() return made end
    made = 'made'
    this_fiber.yield()
    return inner
  end
  print(late(true)(), late(false)())
  `,
  'a b a! b!\n1213121\nmade\tmade\n',
);

later(
  'functions of the libraries in locals, also where they are others',
  `
  local floor, type = math.floor, type
  local function half(n) return floor(n / 2), type(n) end
  print(half(5))
  local chunk = [[
    local floor = math.floor
    local function half(n) return floor(n / 2) end
    return half(7)
  ]]
  print(load(chunk)())
  math.floor = function(n) return 'other ' .. n end
  print(load(chunk)(), half(5))
  `,
  '2\tnumber\n3\nother 3.5\t2\tnumber\n',
);

later(
  'a stack overflow is an error, in functions that have never run before, too',
  `
  local function forever(n) return 1 + forever(n + 1) end
  local ok, message = pcall(forever, 1)
  print(ok, message:match('stack overflow'))
  local t = setmetatable({}, { __index = function(t, k) return t[k + 1] end })
  print(pcall(function() return t[1] end) == false)
  local function fresh() return 'fresh' end
  local function down(n) local r = pcall(down, n + 1) return r end
  down(1)
  print(fresh())
  `,
  'false\tstack overflow\ntrue\nfresh\n',
  true,
);

later(
  'VMs of one thread compile a function once, and share nothing else',
  `
  if _CONTEXT ~= 'main' then
    local inbox = require 'inbox'
    local m = inbox:receive()
    count = (count or 0) + m.value
    m.to:send(count)
    return
  end
  local function work(n) count = (count or 0) + n return count end
  print(work(1), work(1))
  local inbox = require 'inbox'
  for i = 1, 2 do
    local vm = spawn_vm('.')
    vm:send({ value = 10, to = inbox })
    print(inbox:receive())
  end
  print(count)
  `,
  '1\t2\n10\n10\n2\n',
);

// ── what is parsed when it is called ───────────────────────────────────────────────────────────────

later(
  'what such functions do with variables outside counts before they are called',
  `
  local total = 0
  local function half(x) return x / 2 end
  local function same(x) return x end
  local function grow() total = total .. '!' end
  function pass(x) return half(x), same end
  print(half(4), same(1) + 1, total + 1)
  print(pass('10'))
  print((select(2, pass(1)))('text'))
  grow()
  print(total, pcall(function() return total + 1 end))
  `,
  /^2\t2\t1\n5\tfunction: 0x\w+\ntext\n0!\tfalse\tmain\.lua:\d+: attempt to perform arithmetic on upvalue 'total' \(a string value\)\n$/,
);

later(
  'they have environments, and know themselves',
  `
  local function f() return x, f end
  x = 'global'
  print(f(), select(2, f()) == f)
  setfenv(f, { x = 'own' })
  print((f()), getfenv(f).x)
  local env = setmetatable({}, { __index = _G })
  local g = setfenv(load('y = 5 local function h() return y end function k() return y + 1, h end return k'), env)()
  local six, h = g()
  print(six, h(), y, env.y, getfenv(h) == env)
  `,
  'global\ttrue\nown\town\n6\t5\tnil\t5\ttrue\n',
);

later(
  'the first call may be where the stack is full',
  `
  local calls = 0
  local function told(text)
    calls = calls + 1
    local parts = {}
    for i = 1, 3 do parts[i] = function() return { text .. i, (text .. '!'):rep(i) } end end
    local first, second = parts[1](), parts[2]()
    return { #first, #second, first[1], second[2], calls }
  end
  local function down(n)
    local ok, result = pcall(down, n + 1)
    if ok then return result end
    return told('t')
  end
  local r = down(1)
  print(r[1], r[2], r[3], r[4], type(r[5]))
  local again = told('u')
  print(again[1], again[2], again[3], again[4], again[5] - r[5])
  `,
  '2\t2\tt1\tt!t!\tnumber\n2\t2\tu1\tu!u!\t1\n',
  true,
);

later(
  'fields of global tables are set where metamethods suspend',
  `
  local made = {}
  local env = setmetatable({}, {
    __index = function(_, name)
      coroutine.yield('get ' .. name)
      return setmetatable({}, { __newindex = function(_, key, value)
        coroutine.yield('set ' .. key)
        made[name .. '.' .. key] = value
      end })
    end,
    __newindex = function(t, key, value)
      coroutine.yield('new ' .. key)
      rawset(t, key, value)
    end,
  })
  local run = coroutine.wrap(setfenv(load([[
    function A.f(x) return x + 1 end
    A.n = 5
    B = { k = A.missing }
    function B.g() return 'g' end
    B.own = B.k
    return 'done'
  ]]), env))
  repeat local said = run() print(said) until said == 'done'
  print(made['A.f'](1), made['A.n'], env.B.g(), env.B.own == env.B.k)
  `,
  'get A\nset f\nget A\nset n\nget A\nnew B\ndone\n2\t5\tg\ttrue\n',
);

later(
  'errors outside of functions name what is nil',
  `
  local function fails(text) print(select(2, pcall(load(text, '=t')))) end
  fails('function A.f() end')
  fails('\\nA.n = 5')
  fails('A.b.c = 5')
  fails('local a\\na.x = 1')
  fails('local a = {} print(a.b.c)')
  fails('local s = 5 s:upper()')
  fails('A = 5 function A.f() end')
  `,
  `t:1: attempt to index global 'A' (a nil value)
t:2: attempt to index global 'A' (a nil value)
t:1: attempt to index global 'A' (a nil value)
t:2: attempt to index local 'a' (a nil value)
t:1: attempt to index field 'b' (a nil value)
t:1: attempt to index local 's' (a number value)
t:1: attempt to index global 'A' (a number value)
`,
);
