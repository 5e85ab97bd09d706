-- COUNT actors of this thread, which all wait for a message. Prints the microseconds of wall time for each, from
-- the first call that makes one until all have answered; and stays.
local inbox = require 'inbox'
if _CONTEXT == 'worker' then
  local home = inbox:receive()
  home:send(1)
  pcall(inbox.receive, inbox)
  return
end

local system, time = require 'system', require 'time'
local n = tonumber(system.environment.COUNT)
local all = {}
local start = time.steady_clock.now()
for i = 1, n do
  all[i] = spawn_vm '.'
  all[i]:send(inbox)
end
for _ = 1, n do inbox:receive() end
local took = time.steady_clock.now() - start
collectgarbage()
collectgarbage()
print(('%.3f'):format(took / math.max(n, 1) * 1e6))
time.sleep(60)
for i = 1, n do all[i]:close() end
