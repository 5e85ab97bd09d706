/** Locals that a chunk takes for functions of the libraries: what they do is done, and what they are is asked. */
import { spec } from '../support/spec.ts';

spec(
  'what they return, of any kind of argument',
  `
  local floor, ceil, abs, max, min, sqrt = math.floor, math.ceil, math.abs, math.max, math.min, math.sqrt
  local band, bxor, rol, ror, tobit, bswap = bit.band, bit.bxor, bit.rol, bit.ror, bit.tobit, bit.bswap
  local char, len, sub, type, pow, fmod = string.char, string.len, string.sub, type, math.pow, math.fmod
  local function two() return 7, 3 end
  local function none() end
  print(floor(1.5), floor('2.5') + 1, floor(two()), ceil(-0.5), 1 / ceil(-0.5), floor(-2^53), floor(1/0))
  print(max(2, 1), max(1, '3'), max(two()), min(two()), min(3, two()), max(2, 3, 1), max(0/0, 1), min(1, 0/0) ~= min(1, 0/0))
  print(abs(-3) + 1, abs('-3') + 1, sqrt(16), pow(2, 10), fmod(-5, 3))
  print(band(2^40 + 5, 0xff), band(1.5, 3), band(two()), band(1, 3, 1), bxor(-1, 0xEDB88320), tobit(2^31))
  print(rol(0x12345678, 4), rol(1, -1), rol(1, 32), ror(1, 1), ror(1, 33), rol('8', two()), rol(5, 0), bswap(1))
  print(char(72, 105), len('four'), sub('hello', 2, -2), sub('hello', two()), sub(12345, 2, 3), char())
  print(type(nil), type(two()), type(print), type({}) == 'table')
  local list = { floor(1.5), two(), floor(2.5) }
  print(#list, (floor(3.5)), select('#', floor(two())), select('#', two(), floor(1)))
  print(floor(2.5) == 2 and 'even' or 'odd', not floor(1), floor(1) and 2, nil or floor(4.5), -floor(1.5))
  local t = { [0] = 'zero', 'one', 'two' }
  print(t[band(4, 3)], t[floor(1.9)], t[band(-1, 2)], t[floor(-1.5)], t[sqrt(4)], t[abs(-1)])
`,
  `1	3	7	-0	-inf	-9.007199254741e+15	inf
2	3	7	3	3	3	1	true
4	4	4	1024	-2
5	2	3	1	306674911	-2147483648
591751041	-2147483648	1	-2147483648	-2147483648	1024	5	16777216
Hi	4	ell		23	
nil	number	function	true
3	3	1	2
even	false	2	4	-1
zero	one	two	nil	two	one
`,
);

spec(
  'errors name them, and where they are called',
  `
  local floor, band, sub, char = math.floor, bit.band, string.sub, string.char
  local function none() end
  print(pcall(function() local x = floor({}) return x end))
  print(pcall(function() return floor({}) end))
  print(pcall(function() floor(nil) end))
  print(pcall(function() floor() end))
  print(pcall(function() local x = 1 + floor(none()) end))
  print(pcall(function() return (band(1, {})) end))
  print(pcall(function() return band(floor('x'), 1) end))
  print(pcall(function() local s = sub() .. '' end))
  print(pcall(function() local s = char(256) return s end))
`,
  `false	main.lua:4: bad argument #1 to 'floor' (number expected, got table)
false	bad argument #1 to 'floor' (number expected, got table)
false	main.lua:6: bad argument #1 to 'floor' (number expected, got nil)
false	main.lua:7: bad argument #1 to 'floor' (number expected, got no value)
false	main.lua:8: bad argument #1 to 'floor' (number expected, got no value)
false	main.lua:9: bad argument #2 to 'band' (number expected, got table)
false	main.lua:10: bad argument #1 to 'floor' (number expected, got string)
false	main.lua:11: bad argument #1 to 'sub' (string expected, got no value)
false	main.lua:12: bad argument #1 to 'char' (invalid value)
`,
);

spec(
  'another function of that name is called',
  `
  math.floor = tostring
  local before, n = 'before', 1
  local floor, ceil = math.floor, math.ceil
  local after, band = 'after', bit.band
  local function f(x) n = n + 1 return floor(x) end
  local function g(x) return band(ceil(x), 3) end
  print(before, after, n, floor(1.5), f(2), n, g(4.5), pcall(function() return floor({}) + 1 end))
  for i = 1, 2 do print(floor(i) .. '!') end
  print(pcall(g, {}))
`,
  `before	after	1	1.5	2	2	1	false	main.lua:8: attempt to perform arithmetic on a string value
1!
2!
false	main.lua:7: bad argument #1 to 'ceil' (number expected, got table)
`,
);

spec(
  'one that waits is called, too',
  `
  local wrap = coroutine.wrap
  local floor = math.floor
  math.max = coroutine.yield
  bit.band = select
  local max, band = math.max, bit.band
  local sum = 0
  local co = wrap(function(x)
    for i = 1, 2 do sum = sum + max(floor(x), sum) end
    return sum, max(floor(2.5)), band('#', max(1)), band(2, max(2))
  end)
  print(co(1.5)) print(co(10)) print(co(5)) print(co('a', 'b')) print(co('c', 'd')) print(co('e', 'f', 'g'))
  local state = 1
  local function step() state = band(2, state, 'text') return state end
  print(step(), state .. step())
`,
  `1	0
1	10
2
1
2
15	a	2	f	g
text	texttext
`,
);

spec(
  'the replacement comes from a module',
  `
  local floor = math.floor
  require './patch'
  local band, sub = bit.band, string.sub
  local state = band(6, 3)
  local function step() state = band(state, 1) return state end
  print(state, step(), step(), sub('abc', 2))
  local co = coroutine.wrap(function() for i = 1, 2 do coroutine.yield(band(i), floor(i + 0.5)) end end)
  print(co()) print(co())
  print(pcall(function() return #band(1) end), select('#', band(1, 2)))
`,
  `table: 2	table: 2	table: 2	bc
1	1
2	2
false	2
`,
  {
    files: {
      'patch.lua': `
  local original = bit.band
  bit.band = function(x, y)
    if y then return setmetatable({}, { __tostring = function() return 'table: 2' end }), y end
    return x, 1
  end
`,
    },
  },
);

spec(
  'a chunk that runs twice asks each time',
  `
  local text = [[
    local floor = math.floor
    local args = { ... }
    local sum = 0
    local function add(x) sum = sum + floor(x) return sum end
    for i = 1, #args do add(args[i]) end
    return sum, select('#', ...)
  ]]
  local f = loadstring(text)
  print(f(1.5, 2.5))
  local original = math.floor
  math.floor = function(x) return original(x) * 100 end
  print(f(1.5, 2.5))
  local env = setmetatable({ math = { floor = function() return 7 end } }, { __index = _G })
  print(setfenv(f, env)(1, 2, 3))
  math.floor = original
  print(f(1), setfenv(f, _G)(1.5))
  print(pcall(setfenv(loadstring(text), {}), 1))
  local co = coroutine.wrap(function() return f(4.5, 5.5) end)
  math.floor = function(x) coroutine.yield(x) return original(x) end
  print(co()) print(co()) print(co())
`,
  `3	2
300	2
21	3
7	1	1
false	[string "    local floor = math.floor..."]:1: attempt to index global 'math' (a nil value)
4.5
5.5
9	2
`,
);

spec(
  'a wait between them',
  `
  local floor = math.floor
  local line = this_fiber.id and 'id' or 'none'
  this_fiber.yield()
  local band = bit.band
  local got = this_fiber.yield()
  local max = math.max
  local function f(x) return max(band(floor(x), 7), 2) end
  print(line, got, f(9.5), f(12))
`,
  'id\tnil\t2\t4\n',
);

spec(
  'a local that is assigned, or is made from something else of that name, is no such local',
  `
  local floor = math.floor
  local ceil = math.ceil
  ceil = function() return 'ceil' end
  local string = { sub = function(...) return ... end, len = #'x' }
  local sub, len = string.sub, string.len
  local abs, bits = math['abs'], { band = function() return 'mine' end }
  local band = bits.band
  print(floor(1.5), ceil(1), sub(1, 2), len, abs(-2), band(1, 2))
  do
    local floor = function(x) return -x end
    print(floor(2))
  end
  local function shadow(floor) return floor(3) end
  print(shadow(function(x) return x .. '!' end), shadow(floor))
  goto done
  do print('not here') end
  ::done::
  print(floor(0.5))
`,
  `1	ceil	1	1	2	mine
-2
3!	3
0
`,
);
