-- Processes, one after the other: from the call that makes one to its first message, and to its end.
-- Arguments: what (plain, most, all, inbox), how many. Prints least and median of both, in microseconds.
local inbox, system, time = require 'inbox', require 'system', require 'time'
if _CONTEXT == 'worker' then
  inbox:receive():send(1)
  return
end

local what, n = system.arguments[3], tonumber(system.arguments[4])
local OPTIONS = {
  plain = {},
  most = {newns_user = true, newns_mount = true, newns_pid = true, newns_uts = true, newns_ipc = true},
  all = {
    newns_user = true, newns_mount = true, newns_pid = true, newns_net = true, newns_uts = true, newns_ipc = true,
  },
  inbox = {sandbox = 'inbox'},
}
local options = assert(OPTIONS[what])
local now = time.steady_clock.now

local first, gone = {}, {}
for i = 0, n do
  local start = now()
  local c = spawn_vm{module = '.', subprocess = options}
  c:monitor()
  c:send(inbox)
  local t1, t2
  repeat
    local m = inbox:receive()
    if m == 1 then t1 = now() - start else t2 = now() - start end
  until t1 and t2
  c:close()
  if i > 0 then first[i], gone[i] = t1 * 1e6, t2 * 1e6 end -- the first one starts the supervisor
  time.sleep(0.1)
end
table.sort(first)
table.sort(gone)
print(('%d %d %d %d'):format(first[1], first[math.ceil(n / 2)], gone[1], gone[math.ceil(n / 2)]))
