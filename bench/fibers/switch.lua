-- What fibers cost, measured from inside: "name nanoseconds" a line. Perilune only.
local time = require 'time'
local mutex = require 'mutex'
local condition_variable = require 'condition_variable'

local function measure(name, count, body)
  local start = time.steady_clock.now()
  body(count)
  print(name, (time.steady_clock.now() - start) / count * 1e9)
end

-- One fiber that yields: each yield goes through the scheduler and back.
measure('yield', 1000000, function(count)
  for _ = 1, count do this_fiber.yield() end
end)

-- The same a hundred at a time.
measure('yield among 100', 1000000, function(count)
  local fibers = {}
  for i = 1, 100 do
    fibers[i] = spawn(function()
      for _ = 1, count / 100 do this_fiber.yield() end
    end)
  end
  for i = 1, 100 do fibers[i]:join() end
end)

-- The same from ten calls deep: what suspension costs a caller.
local function deep(n)
  if n == 0 then
    this_fiber.yield()
    return 0
  end
  return deep(n - 1) + 1
end
measure('yield ten calls deep', 200000, function(count)
  for _ = 1, count do deep(10) end
end)

measure('spawn and join', 300000, function(count)
  for _ = 1, count do spawn(function() end):join() end
end)

measure('spawn and join among 1000', 300000, function(count)
  local fibers = {}
  for _ = 1, count / 1000 do
    for i = 1, 1000 do fibers[i] = spawn(function() this_fiber.yield() end) end
    for i = 1, 1000 do fibers[i]:join() end
  end
end)

-- Two fibers that want the same mutex: each unlock hands it over, each lock waits for it.
measure('mutex hand-over', 500000, function(count)
  local m = mutex.new()
  m:lock()
  local function play()
    m:lock()
    for _ = 1, count / 2 do
      m:unlock()
      m:lock()
    end
    m:unlock()
  end
  local a, b = spawn(play), spawn(play)
  this_fiber.yield()
  m:unlock()
  a:join()
  b:join()
end)

-- Two fibers in turn: a round trip is two hand-overs.
measure('mutex and condition variable, round trip', 200000, function(count)
  local m, turned = mutex.new(), condition_variable.new()
  local turn = 1
  local function play(mine, other)
    return function()
      for _ = 1, count do
        m:lock()
        while turn ~= mine do turned:wait(m) end
        turn = other
        turned:notify_one()
        m:unlock()
      end
    end
  end
  local a, b = spawn(play(1, 2)), spawn(play(2, 1))
  a:join()
  b:join()
end)
