-- Sends back what each client sends, many clients at a time.
--
--   perilune examples/echo_server.lua -- 8080       then, elsewhere: nc 127.0.0.1 8080
--
-- Each connection has a fiber of its own, so the code for one reads from top to bottom. A call that has
-- to wait (accept, read_some, write_all) suspends only the fiber that makes it.

local ip = require 'ip'
local stream = require 'stream'
local system = require 'system'
local time = require 'time'
local asio_error = require 'asio_error'

local function serve(sock)
  local buf = byte_span.new(4096)
  while true do
    local n = sock:read_some(buf) -- raises `eof` when the client has finished
    stream.write_all(sock, buf:first(n))
  end
end

local acceptor = ip.tcp.listen('127.0.0.1:' .. (system.arguments[3] or '8080'))
print('listening on ' .. ip.tostring(acceptor.local_address, acceptor.local_port))

while true do
  local ok, sock = pcall(acceptor.accept, acceptor)
  if ok then
    spawn(function()
      local _, e = pcall(serve, sock)
      sock:close()
      if e ~= asio_error.misc.eof then print('connection lost: ' .. tostring(e)) end
    end):detach()
  elseif sock == asio_error.basic.no_descriptors then
    time.sleep(0.1) -- too many clients: some will leave
  else
    error(sock)
  end
end
