-- Tables made as `setmetatable({…}, Class)`: whatever happens to them, their class or the classes above.
local function keys(t)
  local list = {}
  for k, v in pairs(t) do list[#list + 1] = tostring(k) .. '=' .. tostring(v) end
  table.sort(list)
  return table.concat(list, ' ')
end

local function class(base)
  local c = setmetatable({}, base and { __index = base })
  c.__index = c
  return c
end

do -- own fields, inherited ones, and what is raw
  local Base = class()
  Base.kind, Base.count = 'base', 0
  function Base:name() return 'base ' .. tostring(self.id) end
  local Derived = class(Base)
  function Derived:twice() return self:name() .. ' ' .. self:name() end
  local function new(c, id) return setmetatable({ id = id }, c) end
  local a, b = new(Derived, 1), new(Derived, 2)
  print(a:twice(), b.kind, a.count, a.nothing)
  a.count = a.count + 1
  print(a.count, b.count, Base.count, Derived.count, rawget(a, 'count'), rawget(b, 'count'))
  print(rawget(a, 'kind'), rawget(Derived, 'kind'), rawget(a, 'name'), a.name == Base.name)
  print(keys(a), '|', keys(b), '|', next(new(Derived)))
  a.count = nil
  print(a.count, rawget(a, 'count'), keys(a))
  b.kind = nil
  print(b.kind, keys(b))
  a.kind = false
  print(a.kind, keys(a))
  Base.kind = 'other'
  print(a.kind, b.kind, new(Derived, 3).kind)
  Derived.kind = 'derived'
  print(a.kind, b.kind)
  Derived.kind = nil
  print(a.kind, b.kind)
  Base.kind = nil
  print(a.kind, b.kind, getmetatable(a) == Derived)
end

do -- metamethods are not inherited
  local Base = class()
  Base.__tostring = function(self) return 'a Base' end
  Base.__add = function() return 'added' end
  Base.__call = function(self, x) return 'called ' .. tostring(x) end
  Base.__eq = function() return true end
  Base.__len = function() return 42 end
  Base.__metatable = nil
  local Derived = class(Base)
  local base, derived = setmetatable({}, Base), setmetatable({}, Derived)
  print(tostring(base), tostring(derived):match('^table') ~= nil)
  print(pcall(function() return base + 1 end), (pcall(function() return derived + 1 end)))
  print(base(7), (pcall(function() return derived(7) end)))
  print(setmetatable({}, Base) == base, setmetatable({}, Derived) == derived)
  -- but are fields as others
  print(derived.__tostring == Base.__tostring, derived.__index == Derived, derived.__add ~= nil)
  -- a class without an __index of its own does not inherit that of its class
  local Bare = setmetatable({}, { __index = Base })
  local bare = setmetatable({}, Bare)
  Base.here = 1
  print(bare.here, Bare.here, rawget(Bare, '__index'), Bare.__index == Base)
  -- nor does an object that is a metatable
  local object = setmetatable({}, Derived)
  print(setmetatable({}, object).here, setmetatable({ x = 1 }, object).x)
  object.__index = object
  print(setmetatable({}, object).here)
end

do -- __index changes
  local A, B = { x = 'A.x', y = 'A.y' }, { x = 'B.x' }
  local C = { __index = A }
  local function new() return setmetatable({}, C) end
  local o = new()
  print(o.x, o.y)
  C.__index = B
  print(o.x, o.y, new().x)
  C.__index = function(t, k) return 'f ' .. k end
  print(o.x, o.y, new().x)
  C.__index = nil
  print(o.x, new().x)
  C.__index = A
  print(o.x, new().x)
  rawset(C, '__index', B)
  print(o.x, new().x)
  C['__in' .. 'dex'] = A
  print(o.x, new().x)
  local name = '__index'
  C[name] = nil
  print(o.x, new().x)
  C[name] = B
  print(o.x, new().x)
  for k in pairs(C) do C[k] = nil end
  print(o.x, new().x)
  rawset(C, name, A)
  print(o.x, new().x)
end

do -- __newindex appears and goes
  local log = {}
  local C = { x = 'class' }
  C.__index = C
  local o = setmetatable({ own = 1 }, C)
  o.x = 'mine'
  o.x = nil
  C.__newindex = function(t, k, v)
    log[#log + 1] = k
    rawset(t, k, v)
  end
  o.x = 1
  o.x = 2
  o.own = 2
  o.fresh = 3
  local p = setmetatable({ own = 1 }, C)
  p.x = 5
  p.x = 6
  print(table.concat(log, ' '), o.x, o.own, p.x, C.x)
  C.__newindex = nil
  o.y, p.y = 1, 1
  print(#log, o.y, p.y, setmetatable({}, C).x)
  local store = {}
  rawset(C, '__newindex', store)
  p.z, p.x = 1, 7
  local q = setmetatable({}, C)
  q.x = 'stored'
  print(p.z, p.x, store.z, store.x, q.x, rawget(q, 'x'))
end

do -- __newindex of a class above is that class's affair
  local log = {}
  local Base = { v = 1 }
  Base.__index = Base
  local Derived = setmetatable({}, { __index = Base, __newindex = function(t, k, v)
    log[#log + 1] = k
    rawset(t, k, v)
  end })
  Derived.__index = Derived
  local o = setmetatable({}, Derived)
  o.v = 2
  Derived.v = 3
  Derived.w = 4
  print(table.concat(log, ' '), o.v, setmetatable({}, Derived).v, Base.v)
end

do -- other metatables, and none
  local A = { n = 'A' } A.__index = A
  local B = { n = 'B' } B.__index = B
  local o = setmetatable({ id = 1 }, A)
  print(o.n, getmetatable(o) == A)
  setmetatable(o, B)
  print(o.n, getmetatable(o) == B, rawget(o, 'n'), keys(o))
  setmetatable(o, nil)
  print(o.n, getmetatable(o), keys(o))
  setmetatable(o, A)
  print(o.n, keys(o))
  -- of a class
  local Base1, Base2 = { who = 'one', only1 = true }, { who = 'two' }
  local mt1, mt2 = { __index = Base1 }, { __index = Base2 }
  local C = setmetatable({}, mt1)
  C.__index = C
  local c = setmetatable({}, C)
  print(c.who, c.only1)
  setmetatable(C, mt2)
  print(c.who, c.only1)
  setmetatable(C, nil)
  print(c.who, c.only1)
  setmetatable(C, mt1)
  print(c.who, c.only1)
end

do -- protected metatables
  local P = { __metatable = 'locked', v = 1 }
  P.__index = P
  local o = setmetatable({ a = 1 }, P)
  print(o.v, getmetatable(o), (pcall(setmetatable, o, {})), (pcall(setmetatable, o, P)))
  print(select(2, pcall(function() return setmetatable({ a = 2 }, P) end)).a)
  print(pcall(setmetatable, o, P))
end

do -- keys that are made at run time
  local C = { x = 'class x', dyn1 = 'class dyn1' }
  C.__index = C
  local function key(s) return s .. '1' end
  local o = setmetatable({ own = 1 }, C)
  o[key('dyn')] = 'own dyn1'
  print(o.dyn1, o[key('dyn')], C.dyn1)
  o[key('unheard')] = 2
  print(o[key('unheard')], o.x, keys(o))
  C[key('unheard')] = 'class'
  print(o[key('unheard')], setmetatable({}, C)[key('unheard')])
  o[key('unheard')] = nil
  print(o[key('unheard')])
  local p = setmetatable({}, C)
  p[1], p[2], p[0.5], p[true], p[C] = 1, 2, 3, 4, 5
  print(p[1], p[0.5], p[true], p[C], p.x, #p)
  p[key('later')] = 'own'
  rawset(C, 'later1', 'of the class')
  print(p.later1, setmetatable({}, C).later1)
  -- methods that are made at run time, and hide those above
  local Base = { m1 = 'base m1', m2 = 'base m2' } Base.__index = Base
  local D = setmetatable({}, { __index = Base })
  D.__index = D
  local d = setmetatable({}, D)
  print(d.m1, d.m2)
  for i = 1, 2 do D['m' .. i] = 'derived m' .. i end
  print(d.m1, d.m2, setmetatable({}, D).m1)
  D['m' .. 1] = nil
  print(d.m1, d.m2)
  local E = setmetatable({}, { __index = Base })
  E['qq' .. 1] = 'in the hash'
  E['m' .. 1] = 'derived'
  E.__index = E
  print(setmetatable({}, E).m1, setmetatable({}, E).m2, setmetatable({}, E).qq1)
end

do -- classes in a ring, and ones that are their own metatable
  local A, B = {}, {}
  A.__index, B.__index = A, B
  setmetatable(A, B)
  local a = setmetatable({}, A)
  B.v = 1
  print(a.v)
  setmetatable(B, A)
  A.w = 2
  print(a.w, (pcall(function() return a.v end)), (pcall(function() return a.none end)))
  setmetatable(B, nil)
  print(a.w, a.v, a.none)
  local S = { s = 1 }
  S.__index = S
  setmetatable(S, S)
  local s = setmetatable({}, S)
  print(s.s, (pcall(function() return s.none end)))
end

do -- a class whose __index is another table, or a chain of tables that are no classes
  local methods = { m = 'method' }
  local C = { __index = methods, m = 'not this' }
  local o = setmetatable({}, C)
  print(o.m, C.m)
  methods.m2 = 'later'
  print(o.m2)
  local fallback = setmetatable({}, { __index = function(_, k) return 'made ' .. k end })
  local D = { __index = fallback }
  local d = setmetatable({}, D)
  print(d.anything, rawget(d, 'anything'))
  fallback.anything = 'set'
  print(d.anything)
end

do -- a class that appears after its first tables; defaults that are numbers, false, tables
  local C = {}
  local o = setmetatable({}, C)
  print(o.f)
  C.__index = C
  C.f, C.n, C.t = false, 0, {}
  local p = setmetatable({}, C)
  print(o.f, p.f, p.n, p.t == C.t, o.n)
  p.n = p.n + 1
  p.n = p.n + 1
  p.f = not p.f
  print(p.n, C.n, p.f, C.f)
end

do -- setmetatable that is another function, and one that fails
  local real = setmetatable
  local setmetatable = function(t, m)
    t.seen = true
    return real(t, m)
  end
  local C = { c = 1 }
  C.__index = C
  local o = setmetatable({ a = 1 }, C)
  print(o.seen, o.c, keys(o))
  local _ = real({}, C)
  print(real({}, C).c, (pcall(function() local none; return real({}, none) end)))
  print(pcall(function() local bad = 5; local t = real({}, bad) end))
end

do -- weak tables of a class, from the start and later
  local C = { c = 1, __mode = 'k' }
  C.__index = C
  local o = setmetatable({}, C)
  o.a = 1
  o[{}] = 1
  collectgarbage()
  print(o.c, keys(o))
  local D = { d = 1 }
  D.__index = D
  local first = setmetatable({}, D)
  D.__mode = 'v'
  local second = setmetatable({ {} }, D)
  collectgarbage()
  print(first.d, second.d, second[1])
end

do -- environments with a class
  local env = setmetatable({ y = 1 }, { __index = _G })
  local G = { __index = _G }
  local env2 = setmetatable({ y = 2 }, G)
  local f = function() y = (y or 0) + 1; x = 1; return y, x, print ~= nil, rawget(_G, 'x') end
  print(setfenv(f, env)())
  print(setfenv(f, env2)())
  print(rawget(env2, 'print'), rawget(env2, 'y'), rawget(env2, 'x'))
end

do -- table functions, length, comparison, concat on tables of a class
  local C = { __lt = function(a, b) return a.v < b.v end, __concat = function(a, b) return 'cat' end }
  C.__index = C
  function C.push(self, v) self[#self + 1] = v return self end
  local list = {}
  for i = 1, 5 do list[i] = setmetatable({ v = 6 - i }, C) end
  table.sort(list)
  print(list[1].v, list[5].v, list[1] .. list[2], #setmetatable({ 1, 2, 3 }, C):push(4))
  local s = setmetatable({ 'a', 'b', sep = ',' }, C)
  print(table.concat(s, s.sep), unpack(s))
end

do -- many classes: the later ones are made another way
  local sum = 0
  for i = 1, 300 do
    local C = { value = i }
    C.__index = C
    for _ = 1, 6 do
      local o = setmetatable({ i = i }, C)
      sum = sum + o.value - o.i
      o.value = 0
      sum = sum + o.value
    end
  end
  print(sum)
  local function scope(parent) local mt = { __index = parent } return setmetatable({}, mt) end
  local s = scope({ top = 1 })
  for i = 1, 90 do s = scope(s) s['v' .. i] = i end
  print(s.top, s.v1, s.v50, s.v90, s.v91)
end

do -- made first, and given its class by the next statement
  local C = { c = 1 }
  C.__index = C
  local function new(x)
    local o = { x = x, y = function() return o end }
    setmetatable(o, C)
    return o
  end
  print(new(1).c, new(2).x, getmetatable(new(3)) == C, new(4).y())
  local function captured(x)
    local o = { x }
    setmetatable(o, C)
    return function() o.x = (o.x or 0) + o.c return o.x, #o end
  end
  local f = captured(1)
  print(f(), f())
  local function other(setmetatable)
    local o = { 1 }
    setmetatable(o, C)
    return o.c, o.seen
  end
  print(other(function(t, c) t.seen = c == C end))
  print(other(setmetatable))
  local function own()
    local o = { v = 1 }
    setmetatable(o, o)
    return o.v, getmetatable(o) == o
  end
  print(own())
  local function wrong(c)
    local o = {}
    setmetatable(o, c)
    return o
  end
  print(pcall(wrong, 5), getmetatable((wrong(nil))))
  C.__metatable = 'locked'
  print((pcall(wrong, C)))
  print(getmetatable(wrong(C)), wrong(C).c)
  local function calls(c)
    local order = {}
    local function tick(x) order[#order + 1] = x return x end
    local o = { tick(1), x = tick(2), [tick(3)] = 3 }
    setmetatable(o, c)
    return table.concat(order), o.c, o.x
  end
  print(calls(C))
end
