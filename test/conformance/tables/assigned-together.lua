-- Lua 5.1 §2.4.3: the order of an assignment is undefined; this is LuaJIT's. Tables and keys in variables of
-- the same function are those that the store finds, unless the statement itself assigns them before.
local function show(t)
  local parts = {}
  for k, v in pairs(t) do parts[#parts + 1] = tostring(k) .. '=' .. tostring(v) end
  table.sort(parts)
  print('{' .. table.concat(parts, ' ') .. '}')
end

do -- a key that a value's call changes
  local i, a = 1, {}
  local function f() i = i + 4 return 7 end
  a[i] = f() show(a)
  a[(i)] = f() show(a)
  i, a[i] = 2, f() show(a)
  a[i], i = 2, f() show(a)
  a[1], a[i] = 3, f() show(a)
  i, a[i], G = f(), f(), f() show(a)
  G, a[i], i = f(), f(), f() show(a)
  a[i], a[i], i = f(), f(), f() show(a)
  a[(i)], G = f(), f() show(a)
  a[i + 0], G = f(), f() show(a)
end

do -- a table
  local a, b = {}, {}
  local first = a
  local function f() a, b = b, a return 7 end
  a.x = f() show(first) show(b)
  a.x, b.y = f(), f() show(first) show(b)
  a, a.z = 1, f() show(first) print(a, b == first)
end

do -- assigned before: what it was
  local a, b = { 1 }, { 2 }
  a[1], a = 5, b show(a)
  local first = b
  b.k, b, b.l = 6, { 3 }, 7 show(first) show(b)
  local i = 1
  i, b[i], i = 10, 20, 30 show(b) print(i)
end

do -- upvalues are read before the values are there
  local i, a = 1, {}
  local first = a
  local function f() i, a = 5, {} return 7 end
  local function inner() a[i], G = f(), 2 end
  inner()
  show(first) show(a)
  local function other() i, a[i] = f(), f() end
  other()
  show(first) show(a) print(i)
end

do -- a store that calls
  local i, a = 1, {}
  local first = a
  local calls = setmetatable({}, { __newindex = function(_, k, v) i, a = v, { k } end })
  a[i], calls.x = 1, 2 show(first) show(a)
  calls.x, a[i] = 3, 4 show(first) show(a)
end

do -- swaps, in loops and with fields
  local t = { 5, 4, 3, 2, 1, n = 5 }
  for i = 1, 5 do
    for j = i + 1, t.n do
      if t[j] < t[i] then t[i], t[j] = t[j], t[i] end
    end
  end
  show(t)
  local i, j = 1, 2
  i, j, t[i], t[j] = j, i, t[j], t[i]
  show(t) print(i, j)
  t[i], t[j], i, j = 'a', 'b', j, i
  show(t) print(i, j)
end
