-- Messages there and back, between this process and another, or another VM of this thread, or of another one.
-- Arguments: process, thread or threads, how many. Prints microseconds of wall time for each.
local inbox, system, time = require 'inbox', require 'system', require 'time'
if _CONTEXT == 'worker' then
  local home = inbox:receive()
  while true do
    local m = inbox:receive()
    if m == 'end' then break end
    home:send(m)
  end
  return
end

local where, n = system.arguments[3], tonumber(system.arguments[4])
local c = spawn_vm(where == 'process' and {module = '.', subprocess = {}}
  or {module = '.', inherit_context = where == 'thread'})
c:send(inbox)
local function run(count)
  for i = 1, count do
    c:send(i)
    assert(inbox:receive() == i)
  end
end
run(2000)
local start = time.steady_clock.now()
run(n)
print(('%.3f'):format((time.steady_clock.now() - start) / n * 1e6))
c:send 'end'
c:close()
