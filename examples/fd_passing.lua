-- A server that is replaced while its clients stay connected.
--
--   perilune examples/fd_passing.lua
--
-- The old server has a listening socket and a client. The new one asks for them over a socket of
-- `unix.seqpacket`, and gets the descriptors themselves: no connection is lost or refused meanwhile.
-- Here both are fibers of one program; in two processes they would meet with `unix.seqpacket.listen` and
-- `unix.seqpacket.dial`, and nothing else would be different.

local ip = require 'ip'
local stream = require 'stream'
local unix = require 'unix'
local future = require 'future'
local asio_error = require 'asio_error'

--- Answer a client until it has finished, or until the fiber is interrupted.
local function serve(name, sock)
  local buf = byte_span.new(100)
  while true do
    local ok, n = pcall(sock.read_some, sock, buf)
    if not ok and n == asio_error.misc.eof then break end
    if not ok then error(n) end
    stream.write_all(sock, name .. ' server got ' .. tostring(buf:first(n)))
  end
  sock:close()
end

--- Serve until somebody wants to take over; then hand everything on.
local function old_server(acceptor, successor)
  local clients = {}
  local accepting = spawn(function()
    while true do
      local sock = acceptor:accept()
      clients[sock] = spawn(function() serve('old', sock) end)
    end
  end)

  local request = byte_span.new(16)
  print('old server is asked to ' .. tostring(request:first(successor:receive(request))))

  -- An interruption ends a fiber where it waits; what it has read or written already is not undone.
  accepting:interrupt()
  accepting:join()
  successor:send_with_fds(byte_span.append('acceptor'), {acceptor:release()})
  for sock, fiber in pairs(clients) do
    fiber:interrupt()
    fiber:join()
    if sock.is_open then successor:send_with_fds(byte_span.append('client'), {sock:release()}) end
  end
  successor:close()
end

--- Take everything over, and serve.
local function new_server(predecessor, ready)
  predecessor:send(byte_span.append('hand over'))
  local acceptor
  local buf = byte_span.new(16)
  while true do
    local ok, n, fds = pcall(predecessor.receive_with_fds, predecessor, buf, 1)
    if not ok and n == asio_error.misc.eof then break end -- that was all
    if not ok then error(n) end
    local kind = tostring(buf:first(n))
    print('new server takes over: ' .. kind)
    if kind == 'acceptor' then
      acceptor = ip.tcp.acceptor.new()
      acceptor:assign('v4', fds[1])
    else
      local sock = ip.tcp.socket.new()
      sock:assign('v4', fds[1])
      spawn(function() serve('new', sock) end)
    end
  end
  ready:set_value(true)
  while true do
    local sock = acceptor:accept()
    spawn(function() serve('new', sock) end)
  end
end

local function ask(sock, text)
  stream.write_all(sock, text)
  local buf = byte_span.new(100)
  return tostring(buf:first(sock:read_some(buf)))
end

-- ── the program ────────────────────────────────────────────────────────────────────────────────────

local acceptor = ip.tcp.listen('127.0.0.1:0')
local address = '127.0.0.1:' .. acceptor.local_port
local old_end, new_end = unix.seqpacket.socket.pair()

spawn(function() old_server(acceptor, old_end) end)
local client = ip.tcp.dial(address)
print(ask(client, 'hello'))

local ready, is_ready = future.new()
local server = spawn(function() new_server(new_end, ready) end)
is_ready:get()
print(ask(client, 'are you still there?'))

local second = ip.tcp.dial(address)
print(ask(second, 'me too'))

client:close()
second:close()
server:interrupt()
server:join()
