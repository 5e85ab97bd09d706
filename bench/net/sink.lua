-- Reads what clients send, 64 KiB at a time, and drops it; prints the port that it listens on. All connections read into
-- the same memory, as those of the others do (libuv asks malloc for 64 KiB each time, and gets the same).
local ip = require 'ip'

local acceptor = ip.tcp.listen('127.0.0.1:0')
print(acceptor.local_port)

local buffer = byte_span.new(65536)
while true do
  local socket = acceptor:accept()
  spawn(function()
    while pcall(socket.read_some, socket, buffer) do end
    socket:close()
  end):detach()
end
