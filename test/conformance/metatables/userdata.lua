-- Chains of `__index` and `__newindex` through userdata have an end, and a value that is no function there is indexed.
local function try(f) print((select(2, pcall(f)))) end
local loop, m = newproxy(true)
m = getmetatable(loop)
m.__index, m.__newindex = loop, loop
try(function() return loop.x end)
try(function() loop.x = 1 end)
local t = setmetatable({}, {__index = loop, __newindex = loop})
m.__index, m.__newindex = t, t
try(function() return t.x end)
try(function() return loop.x end)
try(function() t.x = 1 end)
local store = {y = 5}
m.__index, m.__newindex = store, store
t.x = 7
print(t.x, loop.x, rawget(t, 'x'), store.x, t.y, loop.y, loop[loop])
m.__index = 'abc'
print(loop.len == string.len, t.rep == string.rep)
m.__index = 5
try(function() return loop.x end)
try(function() return t.x end)
m.__index = function(self, k) return self == loop, k end
print(loop.x, t.x)
m.__index = nil
try(function() return loop.x end)
try(function() return t.x end)

-- What can't be called has its name, in tail calls, too.
local plain = newproxy()
try(function() return plain() end)
try(function() local r = plain(1) return r end)
try(function() return loop(1) end)
m.__call = setmetatable({}, {__call = print})
try(function() return loop(1) end)
m.__call = function(self, ...) return self == loop, ... end
try(function() return loop(1) end)

-- Names of chunks are cut where they are too long.
for n = 44, 50 do print((select(2, loadstring('return ' .. ('x'):rep(n - 8) .. '+')))) end
