-- Echo server on 127.0.0.1; prints the port that it listens on.
--   echo.lua [-- bytes = 1024]     reads so many at a time
local ip = require 'ip'
local stream = require 'stream'
local room = tonumber(require('system').arguments[3] or '1024')

local acceptor = ip.tcp.acceptor.new()
acceptor:open('v4')
acceptor:set_option('reuse_address', true)
acceptor:bind(ip.address.loopback_v4(), 0)
acceptor:listen()
print(acceptor.local_port)

local function serve(socket)
  local buffer = byte_span.new(room)
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
