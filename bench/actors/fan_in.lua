-- Actors in one thread that all send to one.
-- Arguments: how many, how many messages each sends. Prints microseconds of wall time for each message.
local inbox, system, time = require 'inbox', require 'system', require 'time'
if _CONTEXT == 'worker' then
  local start = inbox:receive()
  for i = 1, start.count do start.to:send(i) end
  start.to:close()
  return
end

local senders, count = tonumber(system.arguments[3]), tonumber(system.arguments[4])
local all = {}
for i = 1, senders do all[i] = spawn_vm '.' end
local start = time.steady_clock.now()
for i = 1, senders do all[i]:send{to = inbox, count = count} end
local sum = 0
for _ = 1, senders * count do sum = sum + inbox:receive() end
local took = time.steady_clock.now() - start
assert(sum == senders * count * (count + 1) / 2)
print(('%.3f'):format(took / (senders * count) * 1e6))
