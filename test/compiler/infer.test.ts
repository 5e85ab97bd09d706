/** Functions and locals that are known beforehand behave like all others. */
import { spec } from '../support/spec.ts';

spec(
  'an argument that is missing is nil, however many calls pass a number',
  `
  local function half(n) return n and n / 2 or 'none' end
  local function plus(a, b) return b == nil and a or a + b end
  print(half(4), half(), plus(1, 2), plus(1))
`,
  '2\tnone\t3\t1\n',
);

spec(
  'a function whose value goes elsewhere may get anything',
  `
  local function double(n) return n + n end
  print(double(2), pcall(double, {}))
  local function inc(n) return n + 1 end
  local list = { inc }
  print(inc(1), list[1]('4'))
`,
  `4	false	main.lua:2: attempt to perform arithmetic on local 'n' (a table value)
2	5
`,
);

spec(
  'a number is read when it is used, whatever a call in between does to it',
  `
  local n = 1
  local function bump() n = n + 1 return n end
  local function zero() n = 0 return 0 end
  print(n + bump(), (n + 1) + bump(), n * 10 + bump() * 100 + n)
  print((n < 5) == (zero() > 1), (n == 0) == (bump() == 0), -n + bump())
`,
  '4\t6\t434\nfalse\tfalse\t1\n',
);

spec(
  'a local that is a number at first need not stay one',
  `
  local x = 1
  for i = 1, 3 do x = i == 3 and 'three' or x + i end
  print(x)
  local a, b = 1, 2
  a, b = b, a
  a, b = a + b
  print(a, b)
  local function two() return 1, 2 end
  local c, d = two()
  print(c + d, (two()))
`,
  'three\n3\tnil\n3\t1\n',
);

spec(
  'the variable of a loop may be assigned',
  `
  local out = {}
  for i = 1, 3 do
    if i == 2 then i = 'two' end
    out[#out + 1] = i
  end
  for i = '1', 2 do out[#out + 1] = i + 1 end
  print(table.concat(out, ' '))
`,
  '1 two 3 2 3\n',
);

spec(
  'functions that only compute are called and left like others',
  `
  local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
  local function power(x, n) local r = 1 for _ = 1, n do r = r * x end return r end
  local function even(n) while n > 1 do n = n - 2 end return n == 0 and 1 or 0 end
  print(fib(20), power(2, 10), even(7), even(8), (power(fib(3), fib(4))))
  local function down(n) return n == 0 and 0 or down(n - 1) end
  local function deep(n) if n == 0 then return 0 end return 1 + deep(n - 1) end
  print(down(100), deep(1000))
  local function tail(n, sum) if n == 0 then return sum end return tail(n - 1, sum + n) end
  print(tail(100000, 0))
  local function last(n) return fib(n) end
  print(last(10), select('#', last(3)))
`,
  '6765\t1024\t0\t1\t8\n0\t1000\n5000050000\n55\t1\n',
);

spec(
  'a function that returns one value may suspend',
  `
  local yield = coroutine.yield
  local function ask(n) local r = yield(n) return r + n end
  local function twice(n) local a = ask(n) local b = ask(a) return a + b end
  local co = coroutine.wrap(function() return 'sum', twice(1) end)
  print(co(), co(10), co(20))
`,
  '1\t11\tsum\t42\n',
);

spec(
  'a copy of a class has the methods as fields, found by any kind of access',
  `
  local base = { x = 1 }
  function base:get() return self.x end
  function base.__add(a, b) return a.x + b.x end
  local copy = {}
  for k, v in pairs(base) do copy[k] = v end
  copy.__index = copy
  local names = {}
  for k in pairs(copy) do names[#names + 1] = k end
  table.sort(names)
  local object = setmetatable({}, copy)
  print(table.concat(names, ' '), object:get(), object + object, rawget(copy, 'x'))
  for k in pairs(copy) do copy[k] = nil end
  print(next(copy), object.x)
`,
  '__add __index get x\t1\t2\t1\nnil\tnil\n',
);

spec(
  'numbers read beyond the end of an array are nil',
  `
  local t = { 1.5, 2.5 }
  local sum, nils = 0, 0
  for i = -1, 4 do
    local v = t[i]
    if v then sum = sum + v else nils = nils + 1 end
    if t[i] == nil then nils = nils + 1 end
    sum = sum + (t[i + 0.5] or 1)
  end
  t[3], t[5], t[1.5] = 3.5, 5.5, 9
  print(sum, nils, #t == 3 or #t == 5, t[4], t[1.5])
`,
  '10\t8\ttrue\tnil\t9\n',
);
