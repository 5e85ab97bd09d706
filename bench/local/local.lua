-- One thread, two fibers: stream N | seqpacket N | pipe MEGABYTES | fds N | file MEGABYTES PATH. Prints what it did.
local unix, pipe, stream, system = require 'unix', require 'pipe', require 'stream', require 'system'
local file = require 'file'
local what, count = system.arguments[3], tonumber(system.arguments[4])

local function ping_pong(a, b, send, receive)
  spawn(function()
    local buf = byte_span.new(64)
    local send, receive = b[send], b[receive]
    for _ = 1, count do
      receive(b, buf)
      send(b, buf)
    end
  end):detach()
  local buf = byte_span.new(64)
  local send, receive = a[send], a[receive]
  for _ = 1, count do
    send(a, buf)
    receive(a, buf)
  end
end

if what == 'stream' then
  local a, b = unix.stream.socket.pair()
  ping_pong(a, b, 'write_some', 'read_some')
elseif what == 'seqpacket' then
  local a, b = unix.seqpacket.socket.pair()
  ping_pong(a, b, 'send', 'receive')
elseif what == 'pipe' then
  local r, w = pipe.pair()
  local size = 65536
  local total = count * 1048576
  spawn(function()
    local buf = byte_span.new(size)
    for _ = 1, total / size do stream.write_all(w, buf) end
    w:close()
  end):detach()
  local buf = byte_span.new(size)
  local got = 0
  while got < total do got = got + r:read_some(buf) end
elseif what == 'file' then
  local f = file.stream.new()
  f:open(require 'filesystem'.path.new(system.arguments[5]), {'read_only'})
  local buf = byte_span.new(65536)
  local left, at, size = count * 1048576, 0, f.size
  while left > 0 do
    local n = f:read_some(buf) -- fewer than 65536 where the kernel has taken pages away meanwhile
    left, at = left - n, at + n
    if at == size then at = f:seek(0, 'set') end
  end
elseif what == 'fds' then
  local a, b = unix.seqpacket.socket.pair()
  local fd = pipe.pair():release()
  local list, byte, buf = {fd}, byte_span.new(1), byte_span.new(1)
  for _ = 1, count do
    a:send_with_fds(byte, list)
    local _, fds = b:receive_with_fds(buf, 1)
    fds[1]:close()
  end
end
print(what, count)
