/**
 * Programs at the limits of Lua, of V8 (which doesn't optimise functions of over 60 KB of bytecode, and passes at most
 * 65,535 arguments), and beyond: each works, or is an error of Lua. What doesn't compile: syntax-errors.test.ts.
 */
import { spec } from '../support/spec.ts';

const many = (n: number, text: (i: number) => string, between = ' '): string =>
  Array.from({ length: n }, (_, i) => text(i + 1)).join(between);

// ── long functions ─────────────────────────────────────────────────────────────────────────────────

spec(
  'a function of 4,000 statements, which can suspend in its middle',
  `local function k(v) return v end
   local function long(a, wait)
     local x = a
     ${many(2000, (i) => `x = x + ${i} % 7\n`)}
     if wait then this_fiber.yield() end
     ${many(2000, (i) => `if x > 1e9 then x = k(${i}) end\n`)}
     return x, k(a)
   end
   print(long(1, false)) print(long(1, true))`,
  '6001\t1\n6001\t1\n',
);

spec(
  'a loop of 1,500 calls, each of which may suspend',
  `local function k(v) return v end
   local s = 0
   for i = 1, 2 do
     ${many(1500, (i) => `s = s + k(${i})\n`)}
     this_fiber.yield()
   end
   print(s)`,
  '2251500\n',
  { once: true },
);

spec(
  '2,000 branches of one if, and the last one',
  `local function of(x)
     if x == 0 then return 'zero' ${many(2000, (i) => `elseif x == ${i} then return ${i * 2}\n`)} else return 'none' end
   end
   print(of(0), of(1), of(2000), of(2001))`,
  'zero\t2\t4000\tnone\n',
);

spec(
  'a chain of 10,000 ..',
  `local a = 'a' local s = ${many(10_000, () => 'a', '..')} print(#s)
   local t = setmetatable({}, {__concat = function(l, r) return 'm' .. (type(r) == 'string' and #r or '') end})
   local u = t .. ${many(5000, () => 'a', '..')} print(u)`,
  '10000\nm5000\n',
);

spec(
  '70,000 constants',
  `local t = {${many(70_000, (i) => `'s${i}'`, ',')}} print(#t, t[1], t[35000], t[70000])
   local n = {${many(70_000, (i) => `${i}.5`, ',')}} print(#n, n[70000])`,
  '70000\ts1\ts35000\ts70000\n70000\t70000.5\n',
);

spec(
  '3,000 names of fields, and 3,000 of globals',
  `local t = {${many(3000, (i) => `f${i} = ${i}`, ',')}}
   ${many(3000, (i) => `g${i} = t.f${i}\n`)}
   print(t.f1 + t.f3000, g1 + g3000)`,
  '3001\t3001\n',
  { once: true },
);

// ── what LuaJIT limits, too ────────────────────────────────────────────────────────────────────────

spec(
  '200 locals, of which closures keep each; 201 are too many',
  `local function f()
     ${many(196, (i) => `local v${i} = ${i}\n`)}
     this_fiber.yield()
     local fs, s = {}, 0
     ${many(196, (i) => `fs[${i}] = function() v${i} = v${i} + 1 return v${i} end\n`)}
     while #fs > 0 do s = s + table.remove(fs)() end
     return s
   end
   print(f())
   print(load(('local x = 1 '):rep(200)) ~= nil)
   print(load(('local x = 1 '):rep(201)))`,
  '19502\ntrue\nnil\t[string "local x = 1 local x = 1 local x = 1 local x =..."]:1: main function has more than 200 local variables\n',
);

spec(
  '200 upvalues in one function',
  `local function make()
     ${many(4, (b) => `local a${b} = ${b}`)}
     local function one() return ${many(4, (b) => `a${b}`, '+')} end
     return one
   end
   print(make()())
   ${many(190, (i) => `local u${i} = ${i}\n`)}
   local function sum() return ${many(190, (i) => `u${i}`, '+')} end
   local function bump() ${many(190, (i) => `u${i} = u${i} + 1 `)} this_fiber.yield() end
   bump() print(sum())`,
  `10\n${(190 * 191) / 2 + 190}\n`,
);

spec(
  'functions, tables, blocks and brackets inside one another, 90 deep',
  `local f = ${'function() return '.repeat(90)}7${' end'.repeat(90)}
   for i = 1, 90 do f = f() end print(f)
   local t = ${'{'.repeat(90)}7${'}'.repeat(90)}
   for i = 1, 90 do t = t[1] end print(t)
   print(${'('.repeat(90)}7${')'.repeat(90)})
   ${'do '.repeat(90)} this_fiber.yield() print(7) ${'end '.repeat(90)}
   ${many(50, (i) => `for i${i} = 1, 1 do`)} this_fiber.yield() print(i1 + i50) ${'end '.repeat(50)}`,
  '7\n7\n7\n7\n2\n',
);

// ── many values ────────────────────────────────────────────────────────────────────────────────────

spec(
  'a constructor of 200,000 items',
  `local parts = {}
   for i = 1, 2e5 do parts[i] = i end
   local t = assert(load('return {' .. table.concat(parts, ',') .. '}'))()
   print(#t, t[1], t[100000], t[200000], t[200001])`,
  '200000\t1\t100000\t200000\tnil\n',
  { once: true },
);

spec(
  'thousands of values from unpack: passed on, counted, or an error that says so',
  `local t = {}
   for i = 1, 1e6 do t[i] = i end
   local function check(what, f)
     local ok, a, b = pcall(f)
     print(what, ok, ok and a or tostring(a):gsub('^.-: ', ''), ok and b or nil)
   end
   for _, n in ipairs{250, 7999, 65536} do
     check('count', function() return select('#', unpack(t, 1, n)), n end)
     check('last', function() return (select(n, unpack(t, 1, n))), n end)
     check('vararg', function() local function f(...) local u = {...} return #u, u[n] end return f(unpack(t, 1, n)) end)
     check('max', function() return math.max(unpack(t, 1, n)), n end)
     check('list', function() return #{unpack(t, 1, n)}, n end)
     check('coroutine', function() return select('#', coroutine.wrap(function(...) return ... end)(unpack(t, 1, n))), n end)
   end
   local ok, e = pcall(unpack, t, 1, 1e6)
   print(ok or e)
   print(pcall(unpack, t, 1, 1e9))
   print(pcall(unpack, {}, 1, 2^53))
   print(#string.char(unpack(t, 1, 200)), pcall(string.char, unpack(t, 1, 300)))`,
  "count\ttrue\t250\t250\nlast\ttrue\t250\t250\nvararg\ttrue\t250\t250\nmax\ttrue\t250\t250\nlist\ttrue\t250\t250\ncoroutine\ttrue\t250\t250\ncount\ttrue\t7999\t7999\nlast\ttrue\t7999\t7999\nvararg\ttrue\t7999\t7999\nmax\ttrue\t7999\t7999\nlist\ttrue\t7999\t7999\ncoroutine\ttrue\t7999\t7999\ncount\tfalse\ttoo many results to unpack\tnil\nlast\tfalse\ttoo many results to unpack\tnil\nvararg\tfalse\ttoo many results to unpack\tnil\nmax\tfalse\ttoo many results to unpack\tnil\nlist\tfalse\ttoo many results to unpack\tnil\ncoroutine\tfalse\ttoo many results to unpack\tnil\ntoo many results to unpack\nfalse\ttoo many results to unpack\nfalse\ttoo many results to unpack\n200\tfalse\tbad argument #256 to 'char' (invalid value)\n",
);

spec(
  'results of gsub that are too long are errors, and memory is left for the next',
  `local mb = ('y'):rep(2^20)
   local ok, e = pcall(string.gsub, ('x'):rep(600), 'x', mb)
   print(ok, (e:gsub('^.-:%d+: ', '')))
   print(#(mb:sub(1, 10) .. 'y'))`,
  'false\tstring length overflow\n11\n',
  { once: true },
);
