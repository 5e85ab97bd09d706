-- Sends megabytes over one connection of TLS, 64 KiB at a time.
--   tls_client.lua -- AUTHORITY PORT MEGABYTES
local tls, stream, system = require 'tls', require 'stream', require 'system'

local context = tls.context.new('tls_client')
context:load_verify_file(system.arguments[3])
local sock = tls.dial('127.0.0.1:' .. system.arguments[4], context)
local piece = byte_span.new(65536)
for i = 1, system.arguments[5] * 16 do stream.write_all(sock, piece) end
sock:shutdown()
sock:close()
