-- Coroutines under plain Lua, for comparison with fibers/switch.lua: "name nanoseconds" a line.
local clock
if spawn then
  local time = require 'time'
  local start = time.steady_clock.now()
  clock = function() return time.steady_clock.now() - start end
else
  clock = os.clock
end

local function measure(name, count, body)
  local start = clock()
  body(count)
  print(name, (clock() - start) / count * 1e9)
end

-- A million resumes, each into a coroutine that yields back: what a yield of a fiber does.
measure('yield', 1000000, function(count)
  local resume, yield = coroutine.resume, coroutine.yield
  local one = coroutine.create(function()
    while true do yield() end
  end)
  for _ = 1, count do resume(one) end
end)

measure('yield among 100', 1000000, function(count)
  local resume, yield = coroutine.resume, coroutine.yield
  local all = {}
  for i = 1, 100 do
    all[i] = coroutine.create(function()
      while true do yield() end
    end)
  end
  for _ = 1, count / 100 do
    for i = 1, 100 do resume(all[i]) end
  end
end)

local function deep(n)
  if n == 0 then
    coroutine.yield()
    return 0
  end
  return deep(n - 1) + 1
end
measure('yield ten calls deep', 200000, function(count)
  local one = coroutine.create(function()
    while true do deep(10) end
  end)
  for _ = 1, count do coroutine.resume(one) end
end)

measure('spawn and join', 300000, function(count)
  for _ = 1, count do coroutine.resume(coroutine.create(function() end)) end
end)
