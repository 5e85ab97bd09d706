-- Where a constant decides, the value is the right operand's, and has its name. Else it may be either's.
local n, a, b, t = 1, nil, {}, {}
local function try(f) print((select(2, pcall(f)):gsub('^.-:%d+: ', ''))) end
try(function() local a = a return n * (true and a) end)
try(function() return n * (not nil and a) end)
try(function() return n * (nil or t.x) end)
try(function() return (false or g) .. '' end)
try(function() return (1 and ("" and a)).x end)
try(function() return (not not true and g)() end)
try(function() return (not 1 or t.f)() end)
try(function() return n * (n and a) end)
try(function() return n * (b or a) end)
try(function() return n * (b and a or a) end)
try(function() return n * (not nil and a or a) end)
try(function() return n * (nil and a) end)
try(function() return n * (true or a) end)
