-- t[k] where k varies: what a function has asked for often, it is asked for by code made for it (runtime/keyed.ts).
-- Each access is compared with a list of pairs, and goes on until such code has been made, and made anew.

local AGAIN = 200

local function newModel() return {keys = {}, values = {}} end
local function find(m, k)
  for i = 1, #m.keys do if rawequal(m.keys[i], k) then return i end end
end
local function put(m, k, v)
  local i = find(m, k)
  if not i then i = #m.keys + 1 m.keys[i] = k m.values[i] = false end
  m.values[i] = v == nil and false or v
end
local function look(m, k)
  local i = find(m, k)
  local v = i and m.values[i]
  if v == false then return nil end
  return v
end

-- one function for each kind of program: few names, many, and all kinds of keys
local function accessors()
  return loadstring('return function(t, k) return t[k] end, function(t, k, v) t[k] = v end')()
end

local fields = {a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7} -- names that are fields
local few, many = {'a', 'b', 'c'}, {'a', 'b', 'c', 'd', 'e', 'f', 'g'}
local strange = {'__proto__', 'constructor', 'toString', 'hasOwnProperty', 'arr', 'hash', 'meta', 'named', 'chained', 'maker', '$a', '', 'a b', 'NOTE', 'FIELDS', "'", '"', '\\', '\n', '\0', '\255'}
local named = {['__proto__'] = 1, constructor = 2, toString = 3, arr = 4, hash = 5, meta = 6, named = 7, NOTE = 1, FIELDS = 2, [''] = 8, ['a b'] = 9, ["'"] = 10, ['"'] = 11, ['\\'] = 12, ['\n'] = 13, ['\0'] = 14, ['\255'] = 15}
local kinds = {'a', 1, 2, 0, -1, 2.5, 2 ^ 40, true, false, print, fields, 'zz', 'k' .. 1, -0, -1939472353}

local function compare(title, keys, ...)
  local get, set = accessors()
  local tables = {...}
  local models = {}
  for i, t in ipairs(tables) do
    models[i] = newModel()
    for k, v in pairs(t) do put(models[i], k, v) end
  end
  local seed, wrong = 7, 0
  for n = 1, AGAIN do
    for _, k in ipairs(keys) do
      seed = seed * 16807 % 2147483647
      local i = seed % #tables + 1
      local t, m = tables[i], models[i]
      if get(t, k) ~= look(m, k) then wrong = wrong + 1 end
      local v = seed % 3
      if v == 0 then set(t, k, nil) put(m, k, nil) elseif v == 1 then set(t, k, n) put(m, k, n) end
      if get(t, k) ~= look(m, k) or rawget(t, k) ~= look(m, k) then wrong = wrong + 1 end
    end
  end
  local count, expected = 0, 0
  for i, t in ipairs(tables) do
    for k, v in pairs(t) do count = count + 1 if look(models[i], k) ~= v then wrong = wrong + 1 end end
    for j = 1, #models[i].keys do if models[i].values[j] then expected = expected + 1 end end
  end
  print(title, wrong, count == expected)
end

local Class = {b = 'of the class'}
Class.__index = Class
compare('few names', few, {a = 1, b = 2, c = 3}, {c = 1, a = 2}, {})
compare('many names', many, {a = 1, b = 2, c = 3, d = 4}, {g = 1, f = 2}, {}, {x = 1})
compare('strange names', strange, {a = 1}, {['__proto__'] = 1, constructor = 2}, named, {})
compare('names like ours', {'NOTE', 'FIELDS', '$&', 'constructor', '__proto__'}, {NOTE = 1, FIELDS = 2, ['$&'] = 3, constructor = 4, ['__proto__'] = 5}, {})
compare('all kinds', kinds, {a = 1, 10, 20}, {}, {[0] = 1, [true] = 2})
compare('weak', many, setmetatable({a = 1}, {__mode = 'k'}), setmetatable({}, {__mode = 'v'}))
local words = {}
for w in ('a few words of a text, of which some words are names of fields: a b c d e f g'):gmatch('%a+') do words[#words + 1] = w end
compare('cut from a text', words, {a = 1, few = 2}, {}, {e = 1, b = 2})

-- names come one after the other, when the code has been made for others
do
  local get, set = accessors()
  local t = {a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7}
  local sum = 0
  for i = 1, #many do
    for n = 1, AGAIN do
      set(t, many[i], get(t, many[i]) + 1)
      for j = 1, i do sum = sum + get(t, many[j]) end
    end
  end
  print('one by one', sum, t.a, t.g)
end

-- what a class has is found, and stays as it is when an object gets a field of that name
do
  local get, set = accessors()
  local right = 0
  for n = 1, AGAIN do
    local o = setmetatable({a = n}, Class)
    if get(o, 'b') == 'of the class' and rawget(o, 'b') == nil then right = right + 1 end
    set(o, 'b', n)
    if get(o, 'b') == n and rawget(o, 'b') == n and Class.b == 'of the class' then right = right + 1 end
    set(o, 'b', nil)
    if get(o, 'b') == 'of the class' and rawget(o, 'b') == nil then right = right + 1 end
    set(o, 'new', n)
    if get(o, 'new') == n and rawget(Class, 'new') == nil then right = right + 1 end
  end
  print('classes', right)
end

-- metamethods are asked for what is not there, and for nothing else
do
  local get, set = accessors()
  local asked, stored = 0, 0
  local t = setmetatable({a = 1}, {
    __index = function(_, k) asked = asked + 1 return k end,
    __newindex = function() stored = stored + 1 end,
  })
  for n = 1, AGAIN do
    for _, k in ipairs(few) do set(t, k, n) get(t, k) end
  end
  print('functions', asked, stored, t.a, rawget(t, 'b'))
  local below = {}
  local u = setmetatable({}, {__index = below, __newindex = below})
  for n = 1, AGAIN do
    for _, k in ipairs(many) do set(u, k, n) if get(u, k) ~= n then print('wrong', k) end end
  end
  print('tables', next(u), below.a, below.g)
  -- a table gets a metatable when the code has been made
  local plain = {a = 1}
  for n = 1, AGAIN do get(plain, 'b') set(plain, 'a', n) end
  setmetatable(plain, {__index = function() return 'asked' end, __newindex = function(_, k, v) rawset(_, k, v * 2) end})
  set(plain, 'b', 21)
  print('later', get(plain, 'c'), get(plain, 'b'))
end

-- fields of metatables that are set by a name that varies
do
  local get, set = accessors()
  local meta = {}
  for n = 1, AGAIN do set(meta, few[n % 3 + 1], n) end
  local A, B = {x = 'A'}, {x = 'B'}
  local objects = {}
  for i, base in ipairs {A, B, A, B, false} do
    set(meta, '__index', base or nil)
    objects[i] = setmetatable({}, meta)
    print('__index', objects[1].x, get(objects[i], 'x'))
  end
  set(meta, '__newindex', function(t, k, v) rawset(t, k, v .. '!') end)
  objects[1].y = 'new'
  set(objects[2], 'y', 'new')
  print('__newindex', objects[1].y, objects[2].y)
end

-- what is no table
do
  local get, set = accessors()
  local t = {a = 1, len = 2}
  for n = 1, AGAIN do get(t, few[n % 3 + 1]) set(t, 'a', n) end
  print(get('text', 'len') == string.len, get('text', 'a'))
  print(pcall(get, nil, 'a'))
  print(pcall(set, nil, 'a', 1))
  print(pcall(get, 1, 'a'))
  print(pcall(set, true, 'a', 1))
  print(pcall(set, t, nil, 1))
  print(pcall(set, t, 0 / 0, 1))
  print(get(t, nil), get(t, 0 / 0))
end
