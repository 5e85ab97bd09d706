-- setfenv and getfenv by level. Lua 5.1 manual §5.1.
print(getfenv() == _G, getfenv(1) == _G, getfenv(0) == _G)

local function own()
  x = 1
  setfenv(1, {print = print})
  x = 2
  print(x)
  return function() return x end
end
local inner = own()
print(x, inner())

local function module_(name)
  local m = setmetatable({_NAME = name}, {__index = _G})
  setfenv(2, m)
  return m
end
local function body()
  local m = module_('m')
  y = 5
  for i = 1, 2 do z = (z or 0) + i end
  return m
end
local m = body()
print(m.y, m.z, m._NAME, y, z)

-- through pcall, which is a level of its own
local function changed()
  local env = {pcall = pcall, setfenv = setfenv, print = print}
  print(pcall(setfenv, 2, env), getfenv == nil)
end
changed()
print((select(2, pcall(setfenv, 1, {}))))

-- in a coroutine
local co = coroutine.wrap(function()
  setfenv(1, {coroutine = coroutine, print = print})
  v = 1
  coroutine.yield()
  print(v)
end)
co()
v = 2
co()

-- of functions, inherited by what they make and load
local maker = loadstring('return function() return w end')
setfenv(maker, {w = 'own'})
w = 'global'
print(maker()(), getfenv(maker()).w, load('return w', '=c', 't', {w = 'given'})())

print(pcall(setfenv, print, {}))
print(pcall(setfenv, 100, {}))
print(pcall(getfenv, 100))
print(pcall(getfenv, -1))
print(pcall(setfenv, 1))

-- level 0: what is loaded from now on
local env = {}
setfenv(0, env)
loadstring('n = 7')()
setfenv(0, _G)
print(env.n, n)
