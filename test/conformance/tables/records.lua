-- Traversal of records: tables with the same fields again and again, in `pairs` and with `next`.
local function show(t)
  local seen, byNext = {}, {}
  for k, v in pairs(t) do seen[#seen + 1] = tostring(k) .. '=' .. tostring(v) end
  local k, v = next(t)
  while k ~= nil do
    byNext[#byNext + 1] = tostring(k) .. '=' .. tostring(v)
    k, v = next(t, k)
  end
  assert(table.concat(seen, ' ') == table.concat(byNext, ' '))
  table.sort(seen)
  print(table.concat(seen, ' '))
end

-- As many fields, and the last one has the same name.
for round = 1, 3 do
  show { a = round, b = 2, z = 3 }
  show { b = round, a = 2, z = 3 }
  show { c = round, d = 2, z = 3 }
  show { a = round, bb = 2, z = 3 }
end

-- Names that look like something else.
show { ['10'] = 1, ['2'] = 2, arr = 3, hash = 4, meta = 5, named = 6, ['$a'] = 7, ['a b'] = 8, [''] = 9 }
show { arr = 1 }
show { named = 1, meta = 2, hash = 3, arr = 4 }

-- Fields that go, come back and change while the table is traversed.
local r = { a = 1, b = 2, c = 3 }
for k in pairs(r) do r[k] = nil end
show(r)
r.c = 1
show(r)
for k, v in pairs(r) do r[k] = v + 10 end
show(r)
local first = next { x = 1 }
local dynamic = { x = 5 }
print(dynamic[first], rawget(dynamic, first), first == 'x', #first)

-- Objects of a class: their own fields only.
local Base = { kind = 'base' }
Base.__index = Base
local Class = setmetatable({ size = 3 }, Base)
Class.__index = Class
for i = 1, 3 do show(setmetatable({ a = i, b = 2, c = 3, d = 4, e = 5 }, Class)) end
local o = setmetatable({ kind = 'own' }, Class)
show(o)
o.kind = nil
show(o)
show(Class == getmetatable(o) and { ok = true } or {})

-- Elements, fields and other keys.
local mixed = { 1, 2, x = 'x', [10.5] = 'f', [true] = 'b' }
for i = 1, 12 do mixed['key' .. i] = i end
show(mixed)

-- `ipairs`: fractions, holes, what is beyond the array, what goes and comes meanwhile.
local sum = 0
for _, v in ipairs { 0.5, 1.5, 2.5 } do sum = sum + v end
print(sum)
local late = {}
for i = 5, 1, -1 do late[i] = i end
for i, v in ipairs(late) do
  if i == 3 then late[6] = 'six' end
  if i == 5 then late[7] = 'seven' end
  print(i, v)
end
local holes = { 1, 2, nil, 4 }
for i in ipairs(holes) do print('hole', i) end
local shrinking = { 'a', 'b', 'c', 'd' }
for i, v in ipairs(shrinking) do
  shrinking[#shrinking] = nil
  print(i, v)
end
local proxy = setmetatable({}, { __index = function(_, i) return i < 4 and i or nil end })
for i in ipairs(proxy) do print('proxy', i) end

-- Dictionaries of each size.
local total = 0
for n = 1, 300, 7 do
  local d, e = {}, {}
  for i = 1, n do d['k' .. i] = i; e[i * 1000] = i end
  for i = 1, n, 2 do d['k' .. i] = nil; e[i * 1000] = nil end
  for i = 1, n, 3 do d['k' .. i] = (d['k' .. i] or 0) + 1; e[i * 1000] = (e[i * 1000] or 0) + 1 end
  local a, b = 0, 0
  for i = 1, n do a = a + (d['k' .. i] or 0); b = b + (e[i * 1000] or 0) end
  for _, v in pairs(d) do a = a + v end
  for _, v in pairs(e) do b = b + v end
  assert(a == b)
  total = total + a
end
print(total)
