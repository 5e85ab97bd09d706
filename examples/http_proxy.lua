-- A reverse proxy for HTTP/1.1: takes requests, and hands each to another server. Connections to both sides
-- are kept and used again; bodies go through in pieces of any number, never as a whole.
--
--   perilune examples/http_proxy.lua -- 8080 127.0.0.1:3000         then: curl http://127.0.0.1:8080/
--
-- With a certificate (and those above it) and its key, in PEM, it speaks TLS with clients:
--
--   perilune examples/http_proxy.lua -- 8443 127.0.0.1:3000 chain.pem key.pem
--
-- A proxy and its server must agree on where each request ends (RFC 9112 §6), or one client's bytes become
-- another's request. So what is ambiguous is refused, and what is forwarded is written anew.

local ip = require 'ip'
local stream = require 'stream'
local system = require 'system'
local time = require 'time'
local timeout = require 'timeout'
local asio_error = require 'asio_error'
local generic_error = require 'generic_error'

local MAX_HEAD = 16384 -- bytes
local IDLE_SECONDS, ANSWER_SECONDS, CONNECT_SECONDS, HANDSHAKE_SECONDS = 30, 30, 5, 10
local MAX_IDLE = 64 -- connections to the server that wait for a request

local port, upstream = system.arguments[3] or '8080', system.arguments[4] or '127.0.0.1:3000'
local chain, key = system.arguments[5], system.arguments[6]

local tls, context
if chain then
  tls = require 'tls'
  context = tls.context.new('tls_server')
  context:use_certificate_chain_file(chain)
  context:use_private_key_file(key, 'pem')
  context:set_alpn_protocols{'http/1.1'}
end

-- Reading --------------------------------------------------------------------------------------------

local Reader = {}
Reader.__index = Reader

function Reader.new(sock)
  return setmetatable({ sock = sock, buf = byte_span.new(MAX_HEAD), first = 1, last = 0 }, Reader)
end

-- Something went wrong that the client is to be told of.
local function refuse(status) error({ status = status }, 0) end

function Reader:fill()
  if self.first > self.last then
    self.first, self.last = 1, 0
  elseif self.last == #self.buf then
    if self.first == 1 then refuse('431 Request Header Fields Too Large') end
    local rest = byte_span.append(self.buf:sub(self.first, self.last))
    self.buf:copy(rest)
    self.first, self.last = 1, #rest
  end
  self.last = self.last + self.sock:read_some(self.buf:sub(self.last + 1))
end

-- A line without its end. A line end is CR LF, or LF.
function Reader:line()
  local skip = 0
  while true do
    local from = self.first + skip
    local at = from <= self.last and self.buf:first(self.last):find('\n', from)
    if at then
      local line = tostring(self.buf:sub(self.first, at - 1)):gsub('\r$', '')
      self.first = at + 1
      if line:find('[%z\r]') then refuse('400 Bad Request') end
      return line
    end
    skip = self.last - self.first + 1
    self:fill()
  end
end

-- The next bytes of a body, at most n of them.
function Reader:piece(n)
  if self.first > self.last then self:fill() end
  local bytes = self.buf:sub(self.first, math.min(self.last, self.first + n - 1))
  self.first = self.first + #bytes
  return bytes
end

-- Heads ----------------------------------------------------------------------------------------------

-- About this connection only; the other one has its own.
local HOP_BY_HOP = {
  connection = true, ['keep-alive'] = true, ['proxy-connection'] = true, te = true, trailer = true,
  ['transfer-encoding'] = true, upgrade = true, expect = true, ['content-length'] = true,
}

-- The fields behind the first line: as a list of {name, value}, and by lower-case name.
local function read_fields(reader)
  local list, by_name, size = {}, {}, 0
  while true do
    local line = reader:line()
    if line == '' then return list, by_name end
    size = size + #line
    if size > MAX_HEAD then refuse('431 Request Header Fields Too Large') end
    local name, value = line:match("^([%w!#$%%&'*+%-.^_`|~]+):[ \t]*(.-)[ \t]*$")
    if not name then refuse('400 Bad Request') end -- also a continued line, or a space before the colon
    list[#list + 1] = { name, value }
    local key = name:lower()
    by_name[key] = by_name[key] and by_name[key] .. ', ' .. value or value
  end
end

-- How long the body is: a number, 'chunked', or nil where no field says so.
local function body_length(fields)
  local coding, length = fields['transfer-encoding'], fields['content-length']
  if coding then
    if length or coding:lower() ~= 'chunked' then refuse('400 Bad Request') end
    return 'chunked'
  end
  if length and not length:find('^%d+$') or length and #length > 15 then refuse('400 Bad Request') end
  return length and tonumber(length)
end

local function has_token(value, token)
  return value ~= nil and (',' .. value:lower():gsub('%s', '') .. ','):find(',' .. token .. ',', 1, true) ~= nil
end

-- What goes on to the other side: fields of our own, and those that aren't about the connection.
local function forwarded(first_line, list, fields, length, own)
  local lines = { first_line }
  for _, field in ipairs(list) do
    local key = field[1]:lower()
    if not HOP_BY_HOP[key] and not has_token(fields.connection, key) then
      lines[#lines + 1] = field[1] .. ': ' .. field[2]
    end
  end
  if length == 'chunked' then lines[#lines + 1] = 'Transfer-Encoding: chunked'
  elseif length then lines[#lines + 1] = string.format('Content-Length: %.0f', length) end
  for _, line in ipairs(own) do lines[#lines + 1] = line end
  return table.concat(lines, '\r\n') .. '\r\n\r\n'
end

-- Bodies ---------------------------------------------------------------------------------------------

local function copy_bytes(from, to, n)
  while n > 0 do
    local bytes = from:piece(n)
    stream.write_all(to, bytes)
    n = n - #bytes
  end
end

local function copy_body(from, to, length)
  if length ~= 'chunked' then return copy_bytes(from, to, length or 0) end
  repeat
    local line = from:line()
    local digits = line:match('^(%x+)[ \t]*$') or line:match('^(%x+)[ \t]*;') -- extensions are dropped
    if not digits or #digits > 12 then refuse('400 Bad Request') end
    local size = tonumber(digits, 16)
    if size == 0 then
      while from:line() ~= '' do end -- fields behind the body are dropped
      stream.write_all(to, '0\r\n\r\n')
    else
      stream.write_all(to, string.format('%x\r\n', size))
      copy_bytes(from, to, size)
      if from:line() ~= '' then refuse('400 Bad Request') end
      stream.write_all(to, '\r\n')
    end
  until size == 0
end

-- The server's side ----------------------------------------------------------------------------------

local idle = {} -- readers on connections that wait

local function connect()
  local ok, sock = pcall(timeout, CONNECT_SECONDS, function() return ip.tcp.dial(upstream) end)
  if not ok then refuse('502 Bad Gateway') end
  sock:set_option('tcp_no_delay', true)
  return Reader.new(sock)
end

-- Send a head. A connection that waited may have been closed by the server meanwhile: then a new one is
-- tried, unless the request has a body, or a second one could do harm.
local function begin(head, repeatable)
  local kept = table.remove(idle)
  while kept do
    if kept.sock:io_control('bytes_readable') == 0 then
      local ok, line = pcall(function()
        stream.write_all(kept.sock, head)
        return repeatable and timeout(ANSWER_SECONDS, function() return kept:line() end) or nil
      end)
      if ok then return kept, line end
      if line == generic_error.ETIMEDOUT then
        kept.sock:close()
        refuse('504 Gateway Timeout')
      end
    end
    kept.sock:close()
    kept = table.remove(idle)
  end
  local server = connect()
  stream.write_all(server.sock, head)
  return server, nil
end

local REPEATABLE = { GET = true, HEAD = true, OPTIONS = true }

-- One request, from its first line to the end of its answer.
-- @return whether the client's connection can be used again
local function serve_request(client, line, address)
  local method, target, minor = line:match('^(%u+) (%S+) HTTP/1%.([01])$')
  if not method then refuse('400 Bad Request') end
  local list, fields = read_fields(client)
  if minor == '1' and not fields.host or fields.host and fields.host:find(',') then refuse('400 Bad Request') end
  if method == 'CONNECT' then refuse('501 Not Implemented') end
  local length = body_length(fields)
  local keep = minor == '1' and not has_token(fields.connection, 'close')
  local has_body = length ~= nil and length ~= 0

  local head = forwarded(line:gsub('1%.%d$', '1.1'), list, fields, length, 
    { 'X-Forwarded-For: ' .. address, 'X-Forwarded-Proto: ' .. (context and 'https' or 'http'), 'Via: 1.1 perilune' })
  local server, status_line = begin(head, REPEATABLE[method] and not has_body)
  local done = false
  scope_cleanup_push(function() if not done then server.sock:close() end end)

  if has_body then
    if has_token(fields.expect, '100-continue') then stream.write_all(client.sock, 'HTTP/1.1 100 Continue\r\n\r\n') end
    copy_body(client, server.sock, length)
  end
  local ok, answer_list, answer = pcall(timeout, ANSWER_SECONDS, function()
    while true do
      status_line = status_line or server:line()
      local answer_list, answer = read_fields(server)
      if not status_line:find('^HTTP/1%.[01] 1%d%d') then return answer_list, answer end
      status_line = nil -- 100 and the like: the answer comes behind
    end
  end)
  if not ok then refuse(answer_list == generic_error.ETIMEDOUT and '504 Gateway Timeout' or '502 Bad Gateway') end
  local version, status = status_line:match('^HTTP/1%.([01]) (%d%d%d)')
  if not status then refuse('502 Bad Gateway') end

  local framed, answer_length = pcall(body_length, answer)
  if not framed then refuse('502 Bad Gateway') end
  local empty = method == 'HEAD' or status == '204' or status == '304'
  local to_the_end = answer_length == nil and not empty
  if to_the_end then keep = false end
  local old_client = minor == '0' and answer_length == 'chunked'
  stream.write_all(client.sock, forwarded('HTTP/1.1' .. status_line:sub(9), answer_list, answer,
    not old_client and answer_length or nil, { keep and 'Connection: keep-alive' or 'Connection: close', 'Via: 1.1 perilune' }))
  client.answered = true
  if old_client and not empty then error('a client of HTTP/1.0 can take no chunks', 0) end
  if to_the_end then
    local _, e = pcall(copy_bytes, server, client.sock, math.huge)
    if e ~= asio_error.misc.eof then error(e, 0) end
  elseif not empty then
    copy_body(server, client.sock, answer_length)
  end

  if not to_the_end and version == '1' and not has_token(answer.connection, 'close') and #idle < MAX_IDLE then
    idle[#idle + 1] = server
    done = true
  end
  return keep
end

local function serve(sock, address)
  if context then timeout(HANDSHAKE_SECONDS, function() sock:server_handshake() end) end
  local client = Reader.new(sock)
  local keep = true
  while keep do
    client.answered = false
    local line = timeout(IDLE_SECONDS, function() return client:line() end)
    local ok, result = pcall(serve_request, client, line, address)
    if ok then
      keep = result
    else
      local status = type(result) == 'table' and rawget(result, 'status')
      if status and not client.answered then
        stream.write_all(sock, 'HTTP/1.1 ' .. status .. '\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
        -- What the client still sends is read, so that closing doesn't reset the connection.
        sock:shutdown('send')
        pcall(timeout, 1, function() while true do client:piece(math.huge) end end)
      end
      return
    end
  end
end

-- The proxy ------------------------------------------------------------------------------------------

local acceptor = ip.tcp.listen('127.0.0.1:' .. port)
print('listening on ' .. ip.tostring(acceptor.local_address, acceptor.local_port))

while true do
  local ok, sock = pcall(acceptor.accept, acceptor)
  if ok then
    spawn(function()
      sock:set_option('tcp_no_delay', true)
      local address = tostring(sock.remote_address)
      if context then sock = tls.socket.new(sock, context) end
      pcall(serve, sock, address)
      sock:close()
    end):detach()
  elseif sock == asio_error.basic.no_descriptors then
    time.sleep(0.1)
  else
    error(sock)
  end
end
