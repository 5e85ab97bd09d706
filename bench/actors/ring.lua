-- A ring of actors in one thread: a token goes from each to the next.
-- Arguments: how many actors, how many times the token is passed. Prints microseconds of wall time for each.
local inbox, system, time = require 'inbox', require 'system', require 'time'
if _CONTEXT == 'worker' then
  local start = inbox:receive()
  while true do
    local left = inbox:receive()
    if left == 0 then start.home:send 'done' return end
    if not pcall(start.next.send, start.next, left - 1) then return end
  end
end

local count, n = tonumber(system.arguments[3]), tonumber(system.arguments[4])
local ring = {}
for i = 1, count do ring[i] = spawn_vm '.' end
for i = 1, count do ring[i]:send{next = ring[i % count + 1], home = inbox} end
local start = time.steady_clock.now()
ring[1]:send(n)
assert(inbox:receive() == 'done')
print(('%.3f'):format((time.steady_clock.now() - start) / n * 1e6))
system.exit(0) -- the others know of each other
