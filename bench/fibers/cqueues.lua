-- The like of fibers/switch.lua under Lua 5.1 with lua-cqueues: "name nanoseconds" a line.
local cqueues = require 'cqueues'
local condition = require 'cqueues.condition'
local loop = cqueues.new()

local function measure(name, count, body)
  local start = cqueues.monotime()
  body(count)
  print(name, (cqueues.monotime() - start) / count * 1e9)
end
local function run(...)
  for _, f in ipairs { ... } do loop:wrap(f) end
  assert(loop:loop())
end

-- `cqueues.poll()` lets the others run, as far as its loop has any.
measure('yield', 100000, function(count)
  run(function()
    for _ = 1, count do cqueues.poll() end
  end)
end)

measure('yield among 100', 100000, function(count)
  local all = {}
  for i = 1, 100 do
    all[i] = function()
      for _ = 1, count / 100 do cqueues.poll() end
    end
  end
  run(unpack(all))
end)

local function deep(n)
  if n == 0 then
    cqueues.poll()
    return 0
  end
  return deep(n - 1) + 1
end
measure('yield ten calls deep', 20000, function(count)
  run(function()
    for _ = 1, count do deep(10) end
  end)
end)

-- A coroutine of the loop, and a condition that tells of its end.
measure('spawn and join', 30000, function(count)
  run(function()
    for _ = 1, count do
      local ended, done = condition.new(), false
      loop:wrap(function()
        done = true
        ended:signal()
      end)
      while not done do ended:wait() end
    end
  end)
end)

measure('spawn and join among 1000', 30000, function(count)
  run(function()
    for _ = 1, count / 1000 do
      local ended, left = condition.new(), 1000
      for _ = 1, 1000 do
        loop:wrap(function()
          cqueues.poll()
          left = left - 1
          if left == 0 then ended:signal() end
        end)
      end
      while left > 0 do ended:wait() end
    end
  end)
end)

-- It has no mutex: what waits for one waits for a condition.
measure('mutex and condition variable, round trip', 20000, function(count)
  local turned, turn = condition.new(), 1
  local function play(mine, other)
    return function()
      for _ = 1, count do
        while turn ~= mine do turned:wait() end
        turn = other
        turned:signal()
      end
    end
  end
  run(play(1, 2), play(2, 1))
end)
