-- Fetches a file over HTTP, with the rights of the parts apart: what comes from the network is read by a process that has
-- nothing but the connection and the new file, to write.
--
--   perilune examples/download.lua -- http://localhost:8080/file FILE
--
-- This process finds the host, connects and names the file; it reads no byte of the answer. FILE is there when all of it has come.

local inbox = require 'inbox'
local ip = require 'ip'
local file = require 'file'
local stream = require 'stream'

if _CONTEXT == 'worker' then
  -- In the sandbox.
  local order = inbox:receive()
  local function fetch()
    local sock = ip.tcp.socket.new()
    sock:assign(order.family, order.socket)
    local out = file.stream.new(order.out)
    stream.write_all(sock, 'GET ' .. order.path .. ' HTTP/1.0\r\nHost: ' .. order.host .. '\r\nUser-Agent: perilune-example\r\n\r\n')
    local scanner = stream.scanner.new{stream = sock, record_separator = '\r\n', max_record_size = 8192}
    local status = tostring(scanner:get_line()):match '^HTTP/1%.%d (%d%d%d)' or error('that is no HTTP', 0)
    if status ~= '200' then error('the server says ' .. status, 0) end
    local expected
    while true do
      local line = tostring(scanner:get_line())
      if line == '' then break end
      local name, value = line:match '^([^:%s]+):%s*(.-)%s*$'
      if name and name:lower() == 'content-length' then expected = tonumber(value) end
    end
    scanner:remove_line()
    local rest, count = scanner:buffer(), 0
    local buffer = byte_span.new(65536)
    while rest do
      stream.write_all(out, rest)
      count = count + #rest
      local ok, n = pcall(sock.read_some, sock, buffer)
      rest = ok and buffer:first(n) or nil
    end
    if expected and count ~= expected then error(('%d of %d bytes have come'):format(count, expected), 0) end
    return count
  end
  local ok, result = pcall(fetch)
  order.reply:send{ok = ok, result = ok and result or tostring(result):sub(1, 200)}
  return
end

local system = require 'system'
local fs = require 'filesystem'

local function fail(message)
  stream.write_all(system.err, 'download: ' .. message .. '\n')
  system.exit(1)
end

local url, name = system.arguments[3], system.arguments[4]
if not name then fail 'usage: download.lua -- URL FILE' end
local host, path = url:match '^http://([^/%c ]+)([^%c ]*)$'
if not host then fail('not a URL of HTTP: ' .. url) end

local connected, sock = pcall(ip.tcp.dial, host:find ':%d+$' and host or host .. ':80')
if not connected then fail('cannot connect to ' .. host .. ': ' .. tostring(sock)) end
local family = sock.remote_address.is_v6 and 'v6' or 'v4'
local part = fs.path.new(name .. '.part')
local out = file.stream.new()
out:open(part, {'write_only', 'create', 'truncate'})
local socket_fd, out_fd = sock:release(), out:release()

local child = spawn_vm{module = '.', subprocess = {sandbox = 'inbox', limits = {memory = 64 * 2^20, cpu = 60}}}
child:monitor()
child:send{socket = socket_fd, family = family, out = out_fd, host = host, path = path == '' and '/' or path, reply = inbox}
socket_fd:close()
out_fd:close()

-- An answer, or the news that there will be none. What comes from the sandbox is looked at before it is used.
local m = inbox:receive()
if type(m) == 'table' and m.ok == true and type(m.result) == 'number' then
  fs.rename(part, fs.path.new(name))
  print(('%s: %d bytes'):format(name, m.result))
else
  fs.remove(part)
  local why = type(m) == 'table' and (m.result or m.reason)
  fail((tostring(why or 'nothing has come'):gsub('%c', '?')))
end
