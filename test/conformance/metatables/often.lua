-- `__index` and `__newindex` functions that are asked often: code made for a name (getter, setter of runtime/ops.ts) or for a
-- function of the program (runtime/keyed.ts) calls them itself. Each round is the same as the first.

local ROUNDS = 60

local function rounds(title, f)
  local first = f(1)
  local same = true
  for i = 2, ROUNDS do if f(i) ~= first then same = false end end
  print(title, first, same)
end
local function join(...)
  local t = {...}
  for i = 1, select('#', ...) do t[i] = tostring(t[i]) end
  return table.concat(t, ' ')
end

-- what is called, with what
local log
local function note(...) log[#log + 1] = join(...) end
local mt = {
  __index = function(o, k) note('get', k) if k == 'none' then return end if k == 'two' then return 1, 2 end return k end,
  __newindex = function(o, k, v) note('set', k, v) if k == 'kept' then rawset(o, k, v) end return 1, 2 end,
}
local function get(o, k) return o[k] end
local function set(o, k, v) o[k] = v end

rounds('by name', function()
  log = {}
  local o = setmetatable({own = 1}, mt)
  local s = join(o.own, o.x, o.none, o.two, (o.two))
  o.own = 2
  o.x = 3
  o.kept = 4
  o.kept = 5
  o.own = nil
  o.own = 6
  o.gone = nil
  return s .. ' ' .. join(rawget(o, 'own'), rawget(o, 'x'), rawget(o, 'kept')) .. ' | ' .. table.concat(log, ', ')
end)

local keys = {'own', 'x', 'none', 'two', 'kept', 1, 2, 5, 0, -1, 0.5, 2 ^ 40, true, false, print == print}
rounds('by key', function()
  log = {}
  local o = setmetatable({10, 20, own = 1, [0.5] = 5, [true] = 6}, mt)
  local s = {}
  for _, k in ipairs(keys) do s[#s + 1] = tostring(get(o, k)) set(o, k, 7) set(o, k, nil) s[#s + 1] = tostring(rawget(o, k)) end
  return table.concat(s, ' ') .. ' | ' .. table.concat(log, ', ')
end)

rounds('element 0 and the number that stands for none', function()
  log = {}
  local o = setmetatable({}, mt)
  set(o, 0, 1) set(o, -1939472353, 1) set(o, 1, -1939472353)
  rawset(o, 0, -1939472353)
  set(o, 0, 2)
  return join(rawget(o, 0), #log, log[1], log[2], log[3])
end)

rounds('keys that no table has', function()
  log = {}
  local o = setmetatable({}, mt)
  local nan = 0 / 0
  local s = join(get(o, nil), get(o, nan) ~= get(o, nan))
  set(o, nil, 1) set(o, nan, 2)
  return s .. ' ' .. #log .. ' ' .. log[1] .. ' ' .. log[#log - 1]
end)

-- handlers in a row, and tables between
rounds('chains', function()
  local far = setmetatable({}, {__index = function(o, k) return 'far ' .. k end, __newindex = function(o, k, v) rawset(o, k, v) end})
  local near = setmetatable({mid = 'm'}, {__index = far, __newindex = far})
  local o = setmetatable({}, {__index = near, __newindex = near})
  o.mid = 1
  o.z = 2
  set(o, 'w', 3)
  set(o, 1, 4)
  return join(o.mid, o.y, get(o, 'y'), get(o, 'mid'), rawget(near, 'mid'), rawget(far, 'z'), rawget(far, 'w'), rawget(far, 1), get(o, 1))
end)

rounds('a handler that changes', function()
  local m = {__index = function() return 'f' end}
  local o = setmetatable({}, m)
  local a, b = o.q, get(o, 'q')
  m.__index = {q = 't'}
  local c, d = o.q, get(o, 'q')
  m.__index = setmetatable({}, {__call = function(_, t, k) return 'called' end})
  local e, f = o.q, get(o, 'q')
  m.__index = nil
  return join(a, b, c, d, e, f, o.q, get(o, 'q'))
end)

rounds('a class whose tables get a handler later', function()
  local Class = {m = 1}
  Class.__index = Class
  local o = setmetatable({}, Class)
  o.a = 1
  set(o, 'b', 2)
  local got = {}
  Class.__newindex = function(_, k, v) got[#got + 1] = k .. tostring(v) end
  o.a, o.m = 3, 4
  set(o, 'b', 5)
  set(o, 'm', 6)
  set(o, 'c', nil)
  o.d = nil
  return join(o.a, o.b, o.m, o.c, table.concat(got, ' '))
end)

rounds('metatables with other keys than names', function()
  local m = {[1] = true, [print] = true}
  m['__' .. 'index'] = function(_, k) return 'i' end
  m['__' .. 'newindex'] = function(o, k) rawset(o, k, 'n') end
  local o = setmetatable({}, m)
  local s = join(o.u, get(o, 'u'))
  o.u = 1
  set(o, 'v', 1)
  return s .. ' ' .. join(o.u, o.v)
end)

-- errors: who is blamed, and that nothing is left behind
rounds('errors', function()
  local o = setmetatable({}, {
    __index = function(_, k) error('no ' .. k, 2) end,
    __newindex = function(_, k) error('read-only ' .. k, 2) end,
  })
  local _, a = pcall(function() return o.x end)
  local _, b = pcall(function() o.x = 1 end)
  local _, c = pcall(function() local k = 'y' return o[k] end)
  local _, d = pcall(function() local k = 'y' o[k] = 1 end)
  return join(a, b, c, d)
end)

rounds('tail calls', function()
  local function deep(n) if n == 0 then return 'end', 'more' end return deep(n - 1) end
  local o = setmetatable({}, {__index = function() return deep(300) end, __newindex = function() return deep(300) end})
  o.x = 1
  set(o, 'x', 1)
  return join(o.x, get(o, 'x'))
end)

-- handlers that suspend
rounds('coroutines', function()
  local o = setmetatable({}, {
    __index = function(_, k) return coroutine.yield('get ' .. k), 'more' end,
    __newindex = function(t, k, v) rawset(t, k, coroutine.yield('set ' .. k) + v) end,
  })
  local co = coroutine.wrap(function()
    local s = join(o.x, get(o, 'y'), (o.z))
    o.p = 1
    set(o, 'q', 2)
    set(o, 5, 3)
    return s .. ' ' .. join(o.p, o.q, o[5])
  end)
  local r = {co()}
  for i = 1, 6 do r[#r + 1] = co(i * 10) end
  return table.concat(r, ', ')
end)

-- more names than are compared one by one, made at run time and written in the text
local names = {'a', 'ab', 'ba', 'abc', 'cba', 'bca', 'n1', 'n2', 'n3', 'n10', 'n11', 'n20', 'x', 'y', 'z', 'xx', 'yy', 'zz', 'long_name_1', 'long_name_2', ''}
local function newRecords()
  local records = {}
  for i = 1, 3 do
    records[i] = {a = 1, ab = 2, ba = 3, abc = 4, cba = 5, bca = 6, n1 = 7, n2 = 8, n3 = 9, n10 = 10, n11 = 11, n20 = 12, x = 13, y = 14, z = 15, xx = 16, yy = 17, zz = 18, long_name_1 = 19, long_name_2 = 20, [''] = 21}
  end
  return records
end
for many = 6, #names, 5 do
  local function add(t, k, n) t[k] = (t[k] or 0) + n end
  local records = newRecords()
  local wrong = 0
  local expected = {}
  for i = 1, many do expected[i] = records[1][names[i]] end
  for round = 1, 60 do
    for i = 1, many do
      local k = names[i]
      if round % 2 == 0 then k = k:sub(1, 1) .. k:sub(2) end
      for j = 1, 3 do add(records[j], k, i) end
      expected[i] = expected[i] + i
      if records[round % 3 + 1][k] ~= expected[i] then wrong = wrong + 1 end
    end
    if round % 20 == 0 then
      for j = 1, 3 do add(records[j], 'other' .. round, 1) end
      for j = 1, 3 do records[j][names[2]] = nil end
      expected[2] = 0
    end
  end
  print(many .. ' names', wrong, records[1].other20, records[3].other60)
end
