-- Processes that are all there at the same time, and have answered. Arguments: what (plain, inbox), how many.
-- Prints the microseconds for each, and the private memory of each, in KB: a process, and PID 1 of its namespace where it has one.
local inbox = require 'inbox'
local system, time = require 'system', require 'time'
if _CONTEXT == 'worker' then
  inbox:receive():send(1)
  pcall(inbox.receive, inbox)
  return
end

local proc = require './proc'
local what, n = system.arguments[3], tonumber(system.arguments[4])
local options = assert(({plain = {}, inbox = {sandbox = 'inbox'}})[what])

local function private(pid)
  local sum = 0
  for kb in proc.read('/proc/' .. pid .. '/smaps_rollup'):gmatch('Private_%a+:%s*(%d+)') do sum = sum + tonumber(kb) end
  for _, child in ipairs(proc.children(pid)) do sum = sum + private(child) end
  return sum
end

local all = {}
local start = time.steady_clock.now()
for i = 1, n do
  all[i] = spawn_vm{module = '.', subprocess = options}
  all[i]:send(inbox)
end
for _ = 1, n do assert(inbox:receive() == 1) end
local took = time.steady_clock.now() - start
local kb, looked = 0, 0
for i = 1, n, math.max(1, math.floor(n / 20)) do
  kb, looked = kb + private(all[i].child_pid), looked + 1
end
for i = 1, n do all[i]:monitor() end
for i = 1, n do all[i]:close() end
for _ = 1, n do inbox:receive() end
print(('%d %.1f'):format(took / n * 1e6, kb / looked))
