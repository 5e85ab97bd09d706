/** What is among the globals, and the protected calls; the language's own tests are in test/conformance. */
import { spec } from '../support/spec.ts';

spec(
  'what is there, what is not, and what modules share',
  `
  for _, name in ipairs { 'io', 'os', 'package', 'debug', 'module', 'ffi', 'utf8', '_ENV' } do
    assert(_G[name] == nil, name)
    assert(name == 'ffi' or not pcall(require, name), name)
  end
  for _, name in ipairs { 'coroutine', 'string', 'table', 'math', 'bit', 'jit' } do
    assert(type(_G[name]) == 'table', name)
    assert(_G[name] == require('./m')._G[name], name)
  end
  for _, name in ipairs { 'require', 'print', 'format', 'spawn', 'spawn_vm', 'scope', 'scope_cleanup_push', 'scope_cleanup_pop',
      'pcall', 'xpcall', 'load', 'loadstring', 'loadfile', 'dofile', 'getfenv', 'setfenv', 'unpack', 'select', 'newproxy' } do
    assert(type(_G[name]) == 'function', name)
  end
  print(_G == getfenv(), _G._G == _G, _G ~= require './m', type(this_fiber), byte_span == require 'byte_span')
  print(select(2, pcall(require, 'ffi')))
`,
  `true	true	true	userdata	true
module 'ffi' is not available: Perilune has no C interface; for bytes use byte_span, for the system the modules system, file and ip
`,
  { files: { 'm.lua': '' } },
);

spec(
  'loadfile and dofile: other files with the globals of this module; what is wrong is a message',
  `
  local folder = tostring(_FILE):gsub('[^/]*$', '')
  local function tail(ok, message) return ok, (message:gsub('/%S*/', '')) end
  x = 'global'
  local f = loadfile(folder .. 'part.lua')
  print(f(1, 2))
  print(dofile(folder .. 'part.lua'))
  print(loadfile(folder .. 'part.lua', 't', { x = 'mine' })(3))
  print(loadfile(folder .. 'part.lua', 'b'))
  print(tail(loadfile(folder .. 'none.lua')))
  print(tail(pcall(dofile, folder .. 'none.lua')))
  print((select(2, loadfile('a\\0b'))):sub(-18))
  print(tail(loadfile(folder .. 'wrong.lua')))
  print(tail(pcall(dofile, folder .. 'fails.lua')))
  print(tail(pcall(loadfile, {})))
  print(dofile(folder .. 'waits.lua'))
`,
  `global	1	2
global
mine	3
nil	attempt to load chunk with wrong mode
nil	cannot open none.lua: No such file or directory
false	cannot open none.lua: No such file or directory
: Invalid argument
nil	wrong.lua:1: '=' expected near '=='
false	fails.lua:1: in file
false	bad argument #1 to 'loadfile' (string expected, got table)
waited
`,
  {
    files: {
      'part.lua': 'return x, ...',
      'wrong.lua': 'x == 1',
      'fails.lua': 'error("in file")',
      'waits.lua': 'this_fiber.yield() return "waited"',
    },
  },
);

spec(
  'pcall and xpcall keep all results and arguments, also nil',
  `
  print(select('#', pcall(function() return nil, nil end)), select('##', pcall(function() end)))
  print(pcall(function(...) this_fiber.yield() return select('#', ...), ... end, 1, nil, nil))
  print(xpcall(function(...) return select('#', ...), ... end, print, nil, 2, nil))
  print(xpcall(function(...) this_fiber.yield() error(select('#', ...), 0) end, function(e) this_fiber.yield() return e + 1, 'lost' end, nil, nil))
  local ok, e = pcall(error)
  print(ok, e, select('#', pcall(error)))
  print(pcall(pcall))
  print(pcall(xpcall, print))
  print(pcall(nil))
`,
  `3	1
true	3	1	nil	nil
true	3	nil	2	nil
false	3
false	nil	2
false	bad argument #1 to 'pcall' (value expected)
false	bad argument #2 to 'xpcall' (function expected, got no value)
false	attempt to call a nil value
`,
);

spec(
  'a handler of xpcall that is interrupted, fails, or suspends while the fiber is interrupted',
  `
  print(xpcall(error, function() error('again') end, 'first'))
  local f = spawn(function()
    print(xpcall(error, function() while true do this_fiber.yield() end end, 'first'))
    this_fiber.yield()
    print('never')
  end)
  this_fiber.yield() this_fiber.yield()
  f:interrupt()
  f:join()
  print(f.interruption_caught)
`,
  `false	error in error handling
false	error in error handling
true
`,
);

spec(
  'what load reads from may suspend; an error in it, also an interruption, is its second result',
  `
  local pieces = { 'return ', '1, ', '2' }
  print(load(function() this_fiber.yield() return table.remove(pieces, 1) end)())
  print(load(function() this_fiber.yield() error('no more', 0) end))
  local f = spawn(function()
    print(load(function() while true do this_fiber.yield() end end))
    this_fiber.yield()
    print('never')
  end)
  this_fiber.yield() this_fiber.yield()
  f:interrupt()
  f:join()
  print(f.interruption_caught)
`,
  `1	2
nil	no more
nil	Fiber interrupted
true
`,
);

spec(
  'an interruption in metamethods of every kind, iterators, comparators and replacements ends the fiber',
  `
  local function wait() this_fiber.yield() this_fiber.yield() this_fiber.yield() this_fiber.yield() this_fiber.yield() end
  local events = {}
  for _, e in ipairs { 'index', 'newindex', 'call', 'add', 'sub', 'mul', 'div', 'mod', 'pow', 'unm', 'concat', 'len', 'eq', 'lt', 'le',
      'tostring', 'pairs', 'ipairs' } do events['__' .. e] = wait end
  local function o() return setmetatable({}, events) end
  local wrong = 0
  for i, f in ipairs {
    function() return o().x end, function() o().x = 1 end, function() o()() end, function() return o() + 1 end,
    function() return 1 - o() end, function() return o() * 2 end, function() return o() / 2 end, function() return o() % 2 end,
    function() return o() ^ 2 end, function() return -o() end, function() return o() .. 'x' end, function() return 'x' .. o() end,
    function() return #o() end, function() return o() == o() end, function() return o() < o() end, function() return o() <= o() end,
    function() return tostring(o()) end, function() print(o()) end, function() for _ in pairs(o()) do end end,
    function() for _ in ipairs(o()) do end end, function() for _ in wait do end end,
    function() table.sort({ 3, 2, 1 }, wait) end, function() return (('abc'):gsub('.', wait)) end,
    function() return (('abc'):gsub('.', o())) end, function() return ('%s'):format(o()) end,
    function() return select(2, o().x, 1) end, function() return { o().x, 1 } end, function() if o() == o() then end end,
    function() while o().x do end end, function() repeat until o().x end, function() return o().x and 1 or 2 end,
    function() local t = {} t[o().x] = o().y end, function() return tostring(o().x) end,
  } do
    local cleaned = false
    local h = spawn(function()
      scope_cleanup_push(function() this_fiber.yield() cleaned = true end)
      f()
      this_fiber.yield()
      print('never', i)
    end)
    this_fiber.yield() this_fiber.yield()
    h:interrupt()
    local ok, e = pcall(h.join, h)
    if not (ok and cleaned and h.interruption_caught) then wrong = wrong + 1 print(i, ok, e, cleaned) end
  end
  print(wrong)
`,
  '0\n',
);
