-- COUNT fibers asleep at once, all until the same moment: "name figure" a line, in s and KB.
-- Perilune only.
local system, time = require 'system', require 'time'
local count = tonumber(system.environment.COUNT or '1000000')
local now = time.steady_clock.now

collectgarbage()
local empty = collectgarbage('count')
local start, wake_at = now(), nil
local woken, last = 0, nil
for _ = 1, count do
  spawn(function()
    time.sleep(wake_at - now())
    woken = woken + 1
    if woken == count then last = now() end
  end):detach()
end
wake_at = now() + 10
this_fiber.yield()
print('spawned and asleep', now() - start)
collectgarbage()
print('memory of one', (collectgarbage('count') - empty) / count)
time.sleep(wake_at - now())
while woken < count do time.sleep(0.01) end
print('last one late by', last - wake_at)
