-- collectgarbage, weak tables, finalizers of newproxy. Lua 5.1 manual §2.10.
local function count(t)
  local n = 0
  for _ in pairs(t) do n = n + 1 end
  return n
end

local keys, values, both = {}, {}, {}
setmetatable(keys, {__mode = 'k'})
setmetatable(values, {__mode = 'v'})
setmetatable(both, {__mode = 'kv'})
local kept = {}
for _, t in ipairs {keys, values, both} do
  t[{}] = {}
  t[kept] = {}
  t[{}] = kept
  t[kept] = kept
  t.name = {}
  t.text = 'text'
  t[1] = 1
  t[2] = {}
end
collectgarbage()
print(count(keys), count(values), count(both))
print(keys[kept] == kept, values.name, values.text, both[1], both[2])

-- an ephemeron: the value refers to its own key
local e = setmetatable({}, {__mode = 'k'})
do
  local k = {}
  e[k] = {k}
end
collectgarbage()
print(count(e))

-- what a local variable holds stays, also when nobody reads it any more
do
  local w = setmetatable({}, {__mode = 'k'})
  local key = {}
  w[key] = 1
  for i = 1, 2 do
    local a = {}
    w[a] = i
    collectgarbage()
    print(count(w))
  end
  for _, v in pairs {{}} do
    w[v] = 9
    collectgarbage()
    print(count(w))
  end
  repeat
    local z = {}
    w[z] = 1
    collectgarbage()
    print(count(w))
  until z
  local function f(...)
    w[...] = 1
    collectgarbage()
    print(count(w))
  end
  f({})
end

-- finalizers: newest first, each once, in whatever order things went
for i = 1, 3 do
  local u = newproxy(true)
  getmetatable(u).__gc = function(o) print('gc', i, type(o), getmetatable(o) ~= nil) end
end
collectgarbage()
collectgarbage()

-- their errors are collectgarbage's
local u = newproxy(true)
getmetatable(u).__gc = function() error('in gc', 0) end
u = nil
print(pcall(collectgarbage))

-- in a coroutine, suspending
u = newproxy(true)
getmetatable(u).__gc = function() coroutine.yield('from the finalizer') end
u = nil
local co = coroutine.wrap(function() return collectgarbage() end)
print(co())
print(co())

-- metamethods of a proxy
u = newproxy(true)
local meta = getmetatable(u)
meta.__index = function(_, k) return k .. '!' end
meta.__newindex = function(_, k, v) print(k, v) end
meta.__add = function() return 'sum' end
meta.__lt = function() return true end
meta.__len = function() return 7 end
meta.__call = function(_, a) return a end
meta.__eq = function() return true end
meta.__concat = function() return 'joined' end
meta.__tostring = function() return 'a proxy' end
u.x = 1
print(u.foo, u + 1, u < u, #u, u(5), u == newproxy(u), u .. '', tostring(u))
print(pcall(function() return newproxy() + 1 end))
print(pcall(newproxy, 3))

-- options
collectgarbage()
local before = collectgarbage('count')
local big = {}
for i = 1, 1e5 do big[i] = {} end
local grown = collectgarbage('count')
big = nil
collectgarbage()
print(grown > before + 1000, collectgarbage('count') < grown, gcinfo() > 0)
print(collectgarbage('stop'), collectgarbage('isrunning'), collectgarbage('restart'), collectgarbage('isrunning'))
print(collectgarbage('setpause', 100), collectgarbage('setpause', 200), collectgarbage('step', 1e6))
print(pcall(collectgarbage, 'foo'))

-- at the end
local last = newproxy(true)
getmetatable(last).__gc = function() print('at the end') end
