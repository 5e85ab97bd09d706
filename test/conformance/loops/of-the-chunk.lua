-- Loops of a main function: they may be functions of their own, and a program can't tell.
-- Variables from before a loop: read, assigned, both, needed afterwards or not; of any kind.
local n, s, t, f, no, big = 0, 'a', { 1 }, nil, false, 2 ^ 53
local fixed, unused = 'fixed', 'unused'
for i = 1, 5 do
  n = n + i
  s = s .. i
  t[#t + 1] = n
  f = f or i > 3 and print
  no = not no
  big = big * 2
  local own = fixed .. i
  if i == 5 then print(own) end
end
print(n, s, #t, f == print, no, big == 2 ^ 58, unused)

-- Not assigned in the loop, but before and after it.
local before = 1
before = before + 1
for _ = 1, 2 do n = n + before end
before = before + 1
print(before, n)

-- All kinds of loops, in blocks and conditions.
do
  local w = 0
  while w < 3 do w = w + 1 end
  repeat local last = w w = w - 1 until last == 1
  print('while, repeat', w)
  if w == 0 then
    for k, v in ipairs(t) do w = w + k * v end
    for k, v in pairs({ x = 1, y = 2, 3 }) do w = w + (type(k) == 'number' and k or #k) * v end
    for x, y in (function(_, c) if c < 3 then return c + 1, c end end), nil, 0 do w = w + x * y end
  else
    for _ = 1, 3 do error('never') end
  end
  print('for', w)
  for i = 3, 1, -1 do w = w .. i end
  for i = 1, 0 do w = nil end
  for i = 0.5, 2 do w = w .. ' ' .. i end
  print(w)
end

-- Out of it: break, out of two, to labels before and after its end.
for i = 1, 10 do
  if i == 4 then break end
  n = i
end
print('break', n)
do
  local found
  for i = 1, 5 do
    for j = 1, 5 do
      if i * j == 12 then
        found = i .. '*' .. j
        goto done
      end
    end
  end
  found = 'nothing'
  ::done::
  print(found)
end
do
  local log = ''
  for i = 1, 3 do
    for j = 1, 3 do
      if j == 2 then goto continue end
      log = log .. i .. j .. ' '
    end
    log = log .. 'not '
    ::continue::
  end
  print(log)
end
do
  local log, way = '', 0
  for turn = 1, 4 do
    way = way + 1
    if turn == 2 then goto first end
    if turn == 3 then break end
  end
  log = log .. 'end '
  ::first::
  log = log .. 'first '
  for turn = 1, 2 do
    if way == 2 then goto third end
    if way == 3 then goto second end
    way = way + 10
  end
  log = log .. 'none '
  ::second::
  log = log .. 'second '
  ::third::
  print(log, way)
end
do
  local rounds = 0
  ::again::
  for i = 1, 3 do
    rounds = rounds + 1
    if rounds == 2 then goto again end
    if rounds > 8 then goto out end
  end
  if rounds < 7 then goto again end
  ::out::
  print('again', rounds)
end

-- A chunk's arguments and results, from inside.
local function chunk(text, ...) return assert(loadstring(text, '=chunk'))(...) end
print(chunk([[
  local sum = 0
  for i = 1, select('#', ...) do sum = sum + (select(i, ...)) end
  for _, v in ipairs({ ... }) do sum = sum + v end
  return sum, ...]], 1, 2, 3))
print(chunk([[for i = 1, 3 do if i == 2 then return end end return 'not here']]))
print(chunk([[for i = 1, 3 do if i == 2 then return nil end end return 'not here']]))
print(chunk([[for i = 1, 3 do if i == 2 then return i, ... end end return 'not here']], 'x', nil, 'y'))
print(chunk([[for i = 1, 3 do if i == 2 then return (...) end end]], 'x', 'z'))
print(chunk([[for i = 1, 3 do if i == 2 then return ... end end]], 'x', 'z'))
print(chunk([[local f = ... for i = 1, 3 do if i == 2 then return f('tail', i) end end]], function(...) return ... end))
print(chunk([[while true do local t = { ... } for i = 1, #t do if t[i] == 3 then return t end end end]], 1, 2, 3)[3])

-- Functions made in loops: a variable for each iteration; shared ones from outside, also assigned.
local made, shared = {}, 0
local constant = 'c'
for i = 1, 3 do
  local mine = i * 10
  made[i] = function(add)
    mine, shared = mine + add, shared + 1
    return i, mine, shared, constant, n, fixed
  end
end
print(made[1](1))
print(made[2](2))
print(made[1](5))
shared = 100
print(made[3](0))
local steps = {}
while #steps < 3 do
  local v = #steps
  local function step(k) v = v + 1 return k > 0 and step(k - 1) or v end
  steps[#steps + 1] = step
end
print(steps[1](0), steps[1](2), steps[2](0), steps[3](1))

-- A local function that is only called, one that is assigned, globals, fields, methods.
local function twice(x) return x * 2 end
local changing = function(x) return x + 1 end
global_sum = 0
local object = { total = 0 }
function object:add(x) self.total = self.total + twice(x) return self end
for i = 1, 4 do
  global_sum = global_sum + twice(i) + changing(i)
  object:add(i):add(1)
  if i == 2 then changing = function(x) return x * 100 end end
end
print(global_sum, object.total, changing(1))

-- Errors: the line, and what is called what.
local function lines(text) print(select(2, pcall(assert(loadstring(text, '=chunk'))))) end
lines('local t = {}\nfor i = 1, 3 do\n  t[i] = i\n  if i == 2 then\n    error("here")\n  end\nend')
lines('local t\nfor i = 1, 3 do\n  t[i] = i\nend')
lines('local u = nil\nfor i = 1, 3 do\n  print(u.x.y)\nend')
lines('\n\nfor i = 1, "x" do\nend')
lines('\nfor _ in 5 do\nend')
lines('local a = {}\nwhile a < 1 do\nend')
lines('local function f() error("level 2", 2) end\nfor i = 1, 2 do\n  f()\nend')
lines('for i = 1, 2 do\n  for j = 1, 2 do\n    local x = i .. nil\n  end\nend')
lines('for i = 1, 2 do\n  undefined_function(i)\nend')
lines('local x = 1\nfor i = 1, 2 do\n  x = x + nil\nend')

-- Coroutines: loops that are left in the middle, again and again.
local gen = coroutine.wrap(assert(loadstring([[
  local sum, last = 0
  for i = 1, 3 do
    local got = coroutine.yield(i, sum)
    sum = sum + got
    for _, v in ipairs({ 'x', 'y' }) do last = coroutine.yield(v) .. i end
  end
  for k = 1, 2 do
    while true do
      last = last .. coroutine.yield('k' .. k)
      if #last > 3 + k then break end
    end
    coroutine.yield(last)
  end
  return sum, last]])))
print(gen())
print(gen(10), gen('p'), gen('q'))
print(gen(20), gen('r'), gen('s'))
print(gen(30), gen('t'), gen('u'))
print(gen('v'), gen('w'), gen('!'), gen('?'), gen('z'))
print(gen())
local pending = {}
for i = 1, 3 do
  pending[i] = coroutine.create(function(a)
    for j = 1, 3 do a = a + coroutine.yield(a * j) end
    return 'done', a
  end)
end
for round = 1, 5 do
  local out = {}
  for i, co in ipairs(pending) do
    local ok, x, y = coroutine.resume(co, i * round)
    out[i] = tostring(ok) .. ' ' .. tostring(x) .. ' ' .. tostring(y)
  end
  print(round, table.concat(out, ', '))
end

-- Metamethods that are called, by operators, indexing, calls and comparison.
local M = {}
M.__add = function(a, b) return setmetatable({ v = a.v + (type(b) == 'table' and b.v or b) }, M) end
M.__lt = function(a, b) return a.v < b.v end
M.__index = function(_, k) return k .. '!' end
M.__call = function(self, x) return self.v + x end
local value, limit = setmetatable({ v = 1 }, M), setmetatable({ v = 9 }, M)
local turns = 0
while value < limit do
  value = value + value + 1
  turns = turns + value(turns)
end
print(value.v, value.name, turns)

-- Loops in a chunk with as many locals as there may be.
local many = {}
for i = 1, 150 do many[i] = 'local v' .. i .. ' = ' .. i end
many[#many + 1] = 'local total = 0'
for i = 1, 3 do
  many[#many + 1] = 'for i = 1, 3 do v' .. i .. ' = v' .. i .. ' + i total = total + id(v' .. i .. ' + v' .. 150 - i .. ') end'
end
many[#many + 1] = 'return total, v1, v2, v3, v150'
id = function(x) return x end
print(chunk(table.concat(many, '\n')))

-- Environments.
local env = setmetatable({ name = 'inside' }, { __index = _G })
print(pcall(setfenv(assert(loadstring([[
  local out = {}
  for i = 1, 2 do
    out[#out + 1] = name
    fresh = i
    if i == 1 then setfenv(1, setmetatable({ name = 'other' }, { __index = getfenv() })) end
    out[#out + 1] = (function() return name end)()
  end
  return table.concat(out, ' '), fresh]])), env)))
print(rawget(env, 'fresh'), rawget(_G, 'fresh'))
