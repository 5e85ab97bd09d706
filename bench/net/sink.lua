-- Reads what clients send, 64 KiB at a time, and drops it; prints the port that it listens on.
local ip = require 'ip'

local acceptor = ip.tcp.listen('127.0.0.1:0')
print(acceptor.local_port)

while true do
  local socket = acceptor:accept()
  spawn(function()
    local buffer = byte_span.new(65536)
    while pcall(socket.read_some, socket, buffer) do end
    socket:close()
  end):detach()
end
