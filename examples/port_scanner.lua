-- Finds the TCP ports of this machine that accept connections.
--
--   perilune examples/port_scanner.lua -- 1 1024
--
-- A few fibers share the work. Each attempt has a time limit, which is another fiber: it sleeps, and
-- then interrupts the one that is connecting.

local ip = require 'ip'
local system = require 'system'
local time = require 'time'

local first = tonumber(system.arguments[3] or 1)
local last = tonumber(system.arguments[4] or 1024)
local WORKERS = 50
local TIME_LIMIT = 0.5 -- seconds

-- Run `f` in a fiber, but no longer than `seconds`. true and its result; false when time was up, or with
-- the error that it raised.
local function with_time_limit(seconds, f)
  local work = spawn(f)
  local alarm = spawn(function()
    time.sleep(seconds)
    work:interrupt()
  end)
  local ok, result = pcall(work.join, work)
  alarm:interrupt()
  alarm:join()
  if ok and work.interruption_caught then return false, 'timed out' end
  return ok, result
end

local function is_open(port)
  local sock = ip.tcp.socket.new()
  local ok = with_time_limit(TIME_LIMIT, function() sock:connect(ip.address.loopback_v4(), port) end)
  -- Connecting to a free port of one's own range may connect a socket with itself.
  local itself = ok and sock.local_port == port
  sock:close()
  return ok and not itself
end

local next_port, open = first, {}

local function scan()
  while next_port <= last do
    local port = next_port
    next_port = next_port + 1
    if is_open(port) then open[#open + 1] = port end
  end
end

local workers = {}
for i = 1, WORKERS do workers[i] = spawn(scan) end
for _, worker in ipairs(workers) do worker:join() end

table.sort(open)
for _, port in ipairs(open) do print(port .. ' is open') end
print(('%d of %d ports are open'):format(#open, last - first + 1))
