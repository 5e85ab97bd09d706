-- UDP echo server on 127.0.0.1; prints the port that it is bound to.
local ip = require 'ip'

local socket = ip.udp.socket.new()
socket:open('v4')
socket:bind(ip.address.loopback_v4(), 0)
print(socket.local_port)

local buffer = byte_span.new(65536)
while true do
  local count, address, port = socket:receive_from(buffer)
  socket:send_to(buffer:first(count), address, port)
end
