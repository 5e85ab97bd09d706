-- A server of TLS that reads what clients send and drops it; prints the port that it listens on.
--   tls_server.lua -- CERTIFICATE KEY [BYTES]           BYTES: how much it reads at a time
local tls, ip, system = require 'tls', require 'ip', require 'system'

local context = tls.context.new('tls_server')
context:use_certificate_chain_file(system.arguments[3])
context:use_private_key_file(system.arguments[4], 'pem')

local room = tonumber(system.arguments[5] or 65536)

local function serve(sock)
  sock:server_handshake()
  local buffer = byte_span.new(room)
  while true do sock:read_some(buffer) end
end

local acceptor = ip.tcp.listen('127.0.0.1:0')
print(acceptor.local_port)
while true do
  local tcp = acceptor:accept()
  spawn(function()
    local sock = tls.socket.new(tcp, context)
    pcall(serve, sock)
    sock:close()
  end):detach()
end
