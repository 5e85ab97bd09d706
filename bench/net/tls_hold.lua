-- Opens connections of TLS, prints `ready`, and holds them until its standard input ends.
--   tls_hold.lua -- AUTHORITY PORT CONNECTIONS
local tls, system, stream = require 'tls', require 'system', require 'stream'

local context = tls.context.new('tls_client')
context:load_verify_file(system.arguments[3])
local socks = {}
for i = 1, tonumber(system.arguments[5]) do
  socks[i] = tls.dial('127.0.0.1:' .. system.arguments[4], context)
  stream.write_all(socks[i], 'x')
end
print('ready')
pcall(function() while true do system.in_:read_some(byte_span.new(1)) end end)
