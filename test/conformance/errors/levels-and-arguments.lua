-- Positions, names and counts in messages, as LuaJIT has them.
local t = setmetatable({}, {
  __index = function(_, k) error('no field ' .. k, 2) end,
  __add = function(a, b) error('no sum', 2) end,
})
print(pcall(function()
  local x = t.foo
end))
print(pcall(function()
  local x =
    t + 1
end))

-- a function that makes a tail call is gone
local function raise() return error('msg') end
local function raise2() return error('msg', 2) end
print(pcall(function()
  raise()
end))
print(pcall(function()
  local x = raise2()
end))
local function deeper()
  return raise()
end
print(pcall(function()
  local x = deeper()
end))
print(pcall(function()
  return undefined()
end))
local function many(n)
  if n == 0 then return error('after many', 1) end
  return many(n - 1)
end
print(pcall(function()
  many(1000)
end))

-- missing is not nil; names are the caller's
local rep = string.rep
print(pcall(function() local x = rep() end))
print(pcall(function() local x = rep(nil) end))
print(pcall(function() local x = rep('x', {}) end))
print(pcall(function() local x = ('x'):rep({}) end))
print(pcall(function() local x = ('x'):rep() end))
print(pcall(function() local x = setmetatable({}, {__index = string}):rep(3) end))
print(pcall(function() table.insert(nil, 1) end))
print(pcall(function() table.insert({}, 1, 2, 3) end))
print(pcall(function() setmetatable({}) end))
print(pcall(function() setmetatable({}, 1) end))
print(pcall(function() string.char(256) end))
print(pcall(function() coroutine.resume(1) end))
local function tail() return rep() end
print(pcall(function() local x = tail() end))
print(pcall(function() coroutine.wrap(function() error('x') end)() end))
-- A message that is neither a string nor a number is not raised if other arguments follow: the last one is.
local function raised(...) local _, e = pcall(assert, ...) return type(e), tostring(e) end
print(raised(nil, 'text', true))
print(raised(false, 5, true))
print(raised(nil, print, true))
print(raised(nil, nil, 3))
print(raised(nil, true))
print(raised(false, {}, nil))
