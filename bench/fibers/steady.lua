-- Iterations of a loop that does some work, in nanoseconds each: "name<TAB>nanoseconds" a line. What a fiber
-- does after it was suspended runs in another compiled form of the function than what it does before.
local time = require 'time'

local function never(count, work)
  local x, sum = 1, 0
  for _ = 1, count do
    for i = 1, #work do
      x = (x * 16807 + work[i]) % 2147483647
      sum = sum + x % 7
    end
  end
  return sum
end

local function always(count, work)
  local x, sum = 1, 0
  for _ = 1, count do
    this_fiber.yield()
    for i = 1, #work do
      x = (x * 16807 + work[i]) % 2147483647
      sum = sum + x % 7
    end
  end
  return sum
end

local function measure(name, count, f, work)
  local start = time.steady_clock.now()
  local sum = f(count, work)
  print(name, (time.steady_clock.now() - start) / count * 1e9)
  return sum
end

local work = {}
for i = 1, 1000 do work[i] = i * 7919 % 1000 end
for _ = 1, 2 do
  assert(never(3000, work) == always(3000, work))
  always(3000, {})
end
measure('never suspended', 20000, never, work)
measure('suspended each time', 20000, always, work)
measure('suspension alone', 20000, always, {})
