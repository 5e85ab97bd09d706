-- The handler of xpcall runs where the error was raised, as far as levels tell.
local function inner() local x = nil + 1 end
local function mid() inner() end
print(xpcall(mid, function(m)
  for i = 1, 4 do
    local ok, e = pcall(function() error('level', i + 1) end)
    print(i, e)
  end
  return m
end))
print(xpcall(function()
  local ok, e = pcall(error, 'inside')
  print(ok, e)
  error({})
end, function(m)
  print(type(m), xpcall(function() error('again') end, function(n) return n .. '!' end))
  return 'handled'
end))
print(xpcall(function() error('a') end, function() error('b') end))
print(xpcall(function(...) return select('#', ...), ... end, print, 1, nil, 3))
print(xpcall(coroutine.wrap(function() error('in a coroutine') end), function(m) return m end))
