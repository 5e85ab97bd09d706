-- Messages in one direction, as fast as they go, to an actor in this thread, another one, or a process.
-- Arguments: thread, threads or process; what is in each (string: of 8 KB; table: 8 KB in 20 members, as much as a message to
-- a process may have; record: 10 fields, half of them numbers; array: 1,000 numbers; fd: a descriptor); how many.
-- Prints microseconds of wall time for each, once the receiver is there and has had a thousand.
local inbox, system, time = require 'inbox', require 'system', require 'time'
if _CONTEXT == 'worker' then
  local start = inbox:receive()
  for run = 1, 2 do
    for _ = 1, start.count do
      local m = inbox:receive()
      if start.kind == 'fd' then m:close() end
    end
    start.home:send 'all'
    if run == 1 then start = inbox:receive() end
  end
  return
end

local where, kind, n = unpack(system.arguments, 3)
n = tonumber(n)
local members = {}
for i = 1, 20 do members[('%02d'):format(i) .. ('k'):rep(158)] = ('v'):rep(250) end
local record, array = {}, {}
for i = 1, 5 do record['number' .. i], record['text' .. i] = i * 1.5, 'some text ' .. i end
for i = 1, 1000 do array[i] = i * 3 end
local what = ({string = ('s'):rep(8192), table = members, record = record, array = array})[kind]
  or require('pipe').pair():release()
local c = spawn_vm(where == 'process' and {module = '.', subprocess = {stderr = 'share'}}
  or {module = '.', inherit_context = where == 'thread'})
local function run(count)
  c:send{home = inbox, kind = kind, count = count}
  for _ = 1, count do c:send(what) end
  assert(inbox:receive() == 'all')
end
run(math.min(n, 1000))
local start = time.steady_clock.now()
run(n)
print(('%.3f'):format((time.steady_clock.now() - start) / n * 1e6))
c:close()
