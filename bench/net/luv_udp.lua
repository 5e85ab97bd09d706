-- UDP echo server on 127.0.0.1 over libuv; prints the port that it is bound to.
local uv = require 'luv'

local socket = uv.new_udp()
socket:bind('127.0.0.1', 0)
socket:recv_start(function(failed, bytes, from)
  if not failed and bytes and from then socket:send(bytes, from.ip, from.port, function() end) end
end)
print(socket:getsockname().port)
io.stdout:flush()
uv.run()
