-- Echo server on 127.0.0.1; prints the port that it listens on.
local ip = require 'ip'
local stream = require 'stream'

local acceptor = ip.tcp.acceptor.new()
acceptor:open('v4')
acceptor:set_option('reuse_address', true)
acceptor:bind(ip.address.loopback_v4(), 0)
acceptor:listen()
print(acceptor.local_port)

local function serve(socket)
  local buffer = byte_span.new(1024)
  while true do
    local ok, count = pcall(socket.read_some, socket, buffer)
    if not ok then break end -- closed, in one way or another
    stream.write_all(socket, buffer:slice(1, count))
  end
  socket:close()
end

while true do
  local socket = acceptor:accept()
  spawn(function() serve(socket) end):detach()
end
