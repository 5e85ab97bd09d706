-- A SOCKS5 proxy (RFC 1928): connects on behalf of its clients, to names and addresses of both families.
--
--   perilune examples/socks5_server.lua -- 1080                    then: curl --socks5-hostname 127.0.0.1:1080 …
--   perilune examples/socks5_server.lua -- 1080 USER PASSWORD      with a password (RFC 1929)
--
-- Each connection has two fibers, one for each direction. When one side has finished sending, the other
-- is told so, and may go on: `shutdown` closes half of a connection.

local ip = require 'ip'
local stream = require 'stream'
local system = require 'system'
local time = require 'time'
local timeout = require 'timeout'
local asio_error = require 'asio_error'
local generic_error = require 'generic_error'

local HANDSHAKE_SECONDS = 10
local CONNECT_SECONDS = 20

local user, password = system.arguments[4], system.arguments[5]

local NO_AUTHENTICATION, PASSWORD, NOTHING_ACCEPTABLE = 0x00, 0x02, 0xff
local CONNECT = 0x01
local IPV4, NAME, IPV6 = 0x01, 0x03, 0x04

-- What the answer says about an error.
local function reply_code(e)
  local basic = asio_error.basic
  if e == basic.connection_refused then return 0x05 end
  if e == basic.host_unreachable or e == generic_error.ETIMEDOUT then return 0x04 end
  if e == basic.network_unreachable then return 0x03 end
  for _, name in ipairs{'host_not_found', 'host_not_found_try_again', 'no_data', 'no_recovery'} do
    if e == asio_error.netdb[name] then return 0x04 end
  end
  return 0x01
end

local function read(sock, n)
  local bytes = byte_span.new(n)
  stream.read_all(sock, bytes)
  return bytes
end

-- What length the next bytes have is in a byte of its own.
local function read_counted(sock)
  local n = read(sock, 1)[1]
  return n == 0 and '' or tostring(read(sock, n))
end

-- The handshake --------------------------------------------------------------------------------------

local function check(condition, message)
  if not condition then error(message, 0) end
end

local function authenticate(sock)
  check(read(sock, 1)[1] == 5, 'not SOCKS5')
  local methods = read_counted(sock)
  local wanted = user and PASSWORD or NO_AUTHENTICATION
  local offered = methods:find(string.char(wanted), 1, true)
  stream.write_all(sock, string.char(5, offered and wanted or NOTHING_ACCEPTABLE))
  check(offered, 'no acceptable method of authentication')
  if not user then return end
  check(read(sock, 1)[1] == 1, 'unknown version of the password dialogue')
  local name, secret = read_counted(sock), read_counted(sock)
  local right = name == user and secret == password
  stream.write_all(sock, string.char(1, right and 0 or 1))
  check(right, 'wrong password')
end

local function text_of(bytes)
  local parts = {}
  if #bytes == 4 then
    for i = 1, 4 do parts[i] = bytes[i] end
    return table.concat(parts, '.')
  end
  for i = 1, 8 do parts[i] = string.format('%x', bytes:sub(2 * i - 1, 2 * i):get_u16be()) end
  return table.concat(parts, ':')
end

-- The command, and where to connect: `host:port` as `dial` takes it.
local function read_request(sock)
  local head = read(sock, 4) -- version, command, reserved, kind of address
  check(head[1] == 5, 'not SOCKS5')
  local kind, host = head[4], nil
  if kind == IPV4 then host = text_of(read(sock, 4))
  elseif kind == IPV6 then host = '[' .. text_of(read(sock, 16)) .. ']'
  elseif kind == NAME then host = read_counted(sock)
  else return head[2], nil end
  return head[2], host .. ':' .. read(sock, 2):get_u16be()
end

local function answer(sock, code, endpoint)
  local bytes = byte_span.append(string.char(5, code, 0, IPV4), string.rep('\0', 6))
  if endpoint then
    local address = endpoint.local_address
    local numbers = {}
    if address.is_v4 then
      for number in tostring(address):gmatch('%d+') do numbers[#numbers + 1] = string.char(number) end
      bytes = byte_span.append(string.char(5, code, 0, IPV4), table.concat(numbers), '\0\0')
    else
      bytes = byte_span.append(string.char(5, code, 0, IPV6), string.rep('\0', 16), '\0\0')
    end
    bytes:last(2):set_u16be(endpoint.local_port)
  end
  stream.write_all(sock, bytes)
end

-- Relaying -------------------------------------------------------------------------------------------

-- Copy until the end of `from`, and then tell `to` of it.
local function copy(from, to)
  local buf = byte_span.new(65536)
  local ok, e = pcall(function()
    while true do stream.write_all(to, buf:first(from:read_some(buf))) end
  end)
  if e ~= asio_error.misc.eof then
    -- One side is broken: nothing can arrive any more.
    from:close()
    to:close()
    error(e, 0)
  end
  pcall(to.shutdown, to, 'send')
end

local function serve(sock)
  local command, endpoint = timeout(HANDSHAKE_SECONDS, function()
    authenticate(sock)
    return read_request(sock)
  end)
  if not endpoint then return answer(sock, 0x08) end -- the kind of address is unknown
  if command ~= CONNECT then return answer(sock, 0x07) end

  local connected, target = pcall(timeout, CONNECT_SECONDS, function()
    return ip.tcp.dial(endpoint, { attempt_delay = 0.25 })
  end)
  if not connected then return answer(sock, reply_code(target)) end
  scope_cleanup_push(function() target:close() end)
  answer(sock, 0, target)
  sock:set_option('tcp_no_delay', true)
  target:set_option('tcp_no_delay', true)
  local upwards = spawn(function() copy(sock, target) end)
  local downwards = spawn(function() copy(target, sock) end)
  pcall(upwards.join, upwards)
  pcall(downwards.join, downwards)
end

-- The server -----------------------------------------------------------------------------------------

local acceptor = ip.tcp.listen('127.0.0.1:' .. (system.arguments[3] or '1080'))
print('listening on ' .. ip.tostring(acceptor.local_address, acceptor.local_port))

while true do
  local ok, sock = pcall(acceptor.accept, acceptor)
  if ok then
    spawn(function()
      pcall(serve, sock) -- what goes wrong is between this proxy and one client
      sock:close()
    end):detach()
  elseif sock == asio_error.basic.no_descriptors then
    time.sleep(0.1) -- too many clients: some will leave
  else
    error(sock)
  end
end
