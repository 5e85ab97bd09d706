/** Functions of the libraries that emitted code runs itself do what their modules' do, and errors name them. */
import { spec } from '../support/spec.ts';

spec(
  'any kind of argument may come',
  `
  local floor, max, min, band, sub = math.floor, math.max, math.min, bit.band, string.sub
  local function none() end
  local function two() return 7, 3 end
  print(floor(1.5), floor(-1.5), floor('2.5'), floor(two()))
  print(max(1, 2), max(2, two()), min(3, 2, 1), min(two()), max(1), max('3', 2))
  print(band(7, 3), band(2^32 + 5, 7), band(-1, 2^31), band(two()), band(1.5, 3), band('6', 3), band(1, 3, 1))
  print(bit.lshift(1, 33), bit.rshift(-1, 28), bit.bxor(1, 2, 4), bit.tobit(2^31), bit.bnot(two()))
  print(sub('hello', 2, 3), sub('hello', -3, -2), ('hello'):sub(2), ('hello'):sub(4, 2), sub('hello', 0, 99), sub(12345, 2, 3))
  print(('abc'):byte(2), ('abc'):byte(-1), ('abc'):byte(9), ('abc'):byte(1, 2), ('abc'):byte('3'), ('abc'):byte(0))
  print(type(nil), type(two()), type(print), type({}), pcall(type, none()))
  print(pcall(function() return type(none()) end))
  print(pcall(function() return floor(none()) end))
  print(pcall(function() return band(1, {}) end))
  print(pcall(function() local s = {} return s:byte(1) end))
  print(pcall(function() return max(1, nil) end))
`,
  `1	-2	2	7
2	7	1	3	1	3
3	5	-2147483648	3	2	2	1
2	15	7	-2147483648	-8
el	ll	ello		hello	23
98	99	nil	97	99
nil	number	function	table	false	bad argument #1 to 'type' (value expected)
false	bad argument #1 to 'type' (value expected)
false	bad argument #1 to 'floor' (number expected, got no value)
false	bad argument #2 to 'band' (number expected, got table)
false	main.lua:15: attempt to call method 'byte' (a nil value)
false	bad argument #2 to 'max' (number expected, got nil)
`,
);

spec(
  'a function of the same name is called',
  `
  local function floor(x) return 'floored ' .. x end
  print(floor(1.5))
  local max = function(...) return select('#', ...) end
  print(max(1, 2), (max(1)))
  local object = { byte = function(self, n) return n * 2 end, sub = function() return 1, 2 end }
  print(object:byte(4), object:sub(1, 2))
  function band(a, b) return a .. b end
  print(band(1, 2))
  math.floor = function() return 'mine' end
  print(math.floor(1))
  string.byte = function() return 'replaced' end
  print(('x'):byte(1))
  getmetatable('').__index = function(s, k) return function() return k .. s end end
  print(('x'):sub(1), ('y'):other())
`,
  'floored 1.5\n2\t1\n8\t1\t2\n12\nmine\nreplaced\nsubx\tothery\n',
);

spec(
  'a method of strings that is replaced, when it has been called often, is the new one from then on, in this VM',
  `
  local inbox = require 'inbox'
  local function first(s) return s:byte(1) end
  local function often() local sum = 0 for i = 1, 20000 do sum = sum + first('b') end return sum end
  print(_CONTEXT, often())
  if _CONTEXT == 'main' then
    local other = spawn_vm('.')
    other:send(inbox)
    print(inbox:receive())
    print(_CONTEXT, often())
    string.byte = function(s) return 2 end
    print(often())
    getmetatable('').__index = { byte = function(s) return 3 end }
    print(often())
    other:send('go on')
    print(inbox:receive(), often())
  else
    local master = inbox:receive()
    string.byte = function(s) return 1 end
    master:send('replaced: ' .. often())
    inbox:receive()
    master:send('still: ' .. often())
  end
`,
  'main\t1960000\nworker\t1960000\nreplaced: 20000\nmain\t1960000\n40000\n60000\nstill: 20000\t60000\n',
);

spec(
  'setmetatable keeps its rules',
  `
  local class = { __index = { x = 1 } }
  local locked = setmetatable({}, { __metatable = 'no' })
  local weak = setmetatable({}, { __mode = 'k' })
  weak[{}] = 1
  local function make() return setmetatable({ y = 2 }, class) end
  local o = make()
  print(o.x, o.y, getmetatable(o) == class, getmetatable(locked))
  print(pcall(setmetatable, locked, class))
  print(pcall(function() return setmetatable(locked, class) end))
  print(pcall(function() return setmetatable(1, class) end))
  print(setmetatable(o, nil) == o, getmetatable(o), o.x)
  print(pcall(function() return setmetatable({}) end))
  collectgarbage()
  print(next(weak))
`,
  `1	2	true	no
false	cannot change a protected metatable
false	cannot change a protected metatable
false	bad argument #1 to 'setmetatable' (table expected, got number)
true	nil	nil
false	bad argument #2 to 'setmetatable' (nil or table expected)
nil
`,
);

spec(
  'one of two values',
  `
  local function pick(c, x) return c and x or 'else', c and 1 or 2, not c and 'no' or 'yes' end
  print(pick(true, 5))
  print(pick(false, 5))
  print(pick(nil, 5))
  print(pick(1, false))
  local n = 3
  local s = n > 2 and n < 4 and n or 0
  local f = (n > 5 and 'big') or n == 3 and 'three' or {}
  print(s, f, n == 3 and nil or 'fell', n == 1 and 1 or n == 2 and 2 or 'many')
`,
  `5	1	yes
else	2	no
else	2	no
else	1	yes
3	three	fell	many
`,
);

spec(
  'one character of a string, at any place',
  `
  local s = 'ab\\200\\0z'
  local out
  local function size(c) return #c .. ':' .. (c:byte() or 'none') end
  for _ = 1, 2000 do
    out = {}
    for i = 0, 7 do out[#out + 1] = size(s:sub(i, i)) end
    for _, i in ipairs { 2.5, -1, 1e10, '3', 2 } do out[#out + 1] = size(s:sub(i, i)) end
  end
  print(table.concat(out, ' '))
  local text, found = 'a.b.\\200', {}
  for i = 1, #text do
    if text:sub(i, i) == '.' then found[#found + 1] = i end
    if '\\200' == text:sub(i, i) then found[#found + 1] = -i end
  end
  print(table.concat(found, ' '), s:sub(1, 1), s:sub(5, 5), s:sub(6, 6) == '')
`,
  '0:none 1:97 1:98 1:200 1:0 1:122 0:none 0:none 1:98 1:122 0:none 1:200 1:98\n2 4 -5\ta\tz\ttrue\n',
);
