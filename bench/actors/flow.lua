-- Messages in one direction, as fast as they go, to an actor in this thread, another one, or a process.
-- Arguments: thread, threads or process; what is in each (string: of 8 KB; table: 8 KB in 20 members, as much as a message to
-- a process may have; fd: a descriptor); how many. Prints microseconds of wall time for each.
local inbox, system, time = require 'inbox', require 'system', require 'time'
if _CONTEXT == 'worker' then
  local start = inbox:receive()
  for _ = 1, start.count do
    local m = inbox:receive()
    if start.kind == 'fd' then m:close() end
  end
  start.home:send 'all'
  start.home:close()
  return
end

local where, kind, n = unpack(system.arguments, 3)
n = tonumber(n)
local members = {}
for i = 1, 20 do members[('%02d'):format(i) .. ('k'):rep(158)] = ('v'):rep(250) end
local what = kind == 'string' and ('s'):rep(8192) or kind == 'table' and members or require('pipe').pair():release()
local warm = math.min(n, 1000)
local c = spawn_vm(where == 'process' and {module = '.', subprocess = {stderr = 'share'}}
  or {module = '.', inherit_context = where == 'thread'})
c:send{home = inbox, kind = kind, count = warm}
for _ = 1, warm do c:send(what) end
assert(inbox:receive() == 'all')
c = spawn_vm(where == 'process' and {module = '.', subprocess = {stderr = 'share'}}
  or {module = '.', inherit_context = where == 'thread'})
c:send{home = inbox, kind = kind, count = 0 + n}
local start = time.steady_clock.now()
for _ = 1, n do c:send(what) end
assert(inbox:receive() == 'all')
print(('%.3f'):format((time.steady_clock.now() - start) / n * 1e6))
c:close()
