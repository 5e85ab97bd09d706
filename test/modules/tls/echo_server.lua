-- Arguments: port, folder of certificates. Answers lines; `bye` ends a connection.
local tls, ip, stream, system = require 'tls', require 'ip', require 'stream', require 'system'
local path = require('filesystem').path.new

local args = system.arguments
local port, folder = args[#args - 1], args[#args]
local ctx = tls.context.new('tls_server')
ctx:use_certificate_chain_file(path(folder .. '/server.pem'))
ctx:use_private_key_file(path(folder .. '/server.key'), 'pem')
ctx:set_alpn_protocols{'echo'}

local function serve(sock)
  sock:server_handshake()
  local lines = stream.scanner.new{stream = sock}
  while true do
    local line = tostring(lines:get_line())
    if line == 'bye' then break end
    stream.write_all(sock, 'you said ' .. line .. '\n')
  end
  sock:shutdown()
end

local acceptor = ip.tcp.listen('127.0.0.1:' .. port)
print('listening on ' .. ip.tostring(acceptor.local_address, acceptor.local_port))
while true do
  local sock = tls.socket.new(acceptor:accept(), ctx)
  spawn(function()
    pcall(serve, sock)
    sock:close()
  end):detach()
end
