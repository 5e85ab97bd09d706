-- Echo server on 127.0.0.1 for clients of all kinds; prints the port that it listens on.
local ip = require 'ip'
local stream = require 'stream'
local time = require 'time'
local asio_error = require 'asio_error'

local acceptor = ip.tcp.listen('127.0.0.1:0')
print(acceptor.local_port)

local function serve(socket)
  local buffer = byte_span.new(1024)
  while true do stream.write_all(socket, buffer:first(socket:read_some(buffer))) end
end

while true do
  local ok, socket = pcall(acceptor.accept, acceptor)
  if ok then
    spawn(function()
      pcall(serve, socket)
      socket:close()
    end):detach()
  elseif socket == asio_error.basic.no_descriptors then
    time.sleep(0.1)
  else
    error(socket)
  end
end
