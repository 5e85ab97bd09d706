-- Processes that are all there at the same time, and have answered. Arguments: what (plain, inbox), how many.
-- Prints the microseconds for each, and the private memory of each, in KB: a process, and PID 1 of its namespace where it has one.
local inbox, file = require 'inbox', require 'file'
local system, time = require 'system', require 'time'
if _CONTEXT == 'worker' then
  inbox:receive():send(1)
  pcall(inbox.receive, inbox)
  return
end

local what, n = system.arguments[3], tonumber(system.arguments[4])
local options = assert(({plain = {}, inbox = {sandbox = 'inbox'}})[what])

local function read(path)
  local f = file.stream.new()
  if not pcall(f.open, f, path, {'read_only'}) then return '' end
  local parts, b = {}, byte_span.new(65536)
  while true do
    local ok, count = pcall(f.read_some, f, b)
    if not ok then break end
    parts[#parts + 1] = tostring(b:slice(1, count))
  end
  f:close()
  return table.concat(parts)
end

local function private(pid)
  local sum = 0
  local text = read('/proc/' .. pid .. '/smaps_rollup')
  for kb in text:gmatch('Private_%a+:%s*(%d+)') do sum = sum + tonumber(kb) end
  for child in read('/proc/' .. pid .. '/task/' .. pid .. '/children'):gmatch('%d+') do sum = sum + private(child) end
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
