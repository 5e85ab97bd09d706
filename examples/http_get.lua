-- Fetches a page over HTTP/1.1 and writes it to the standard output.
--
--   perilune examples/http_get.lua -- http://localhost:8080/index.html
--
-- The head of the answer is lines, which stream.scanner reads; the body is bytes, of which some may lie
-- in the scanner's buffer already.

local ip = require 'ip'
local stream = require 'stream'
local system = require 'system'
local asio_error = require 'asio_error'

local function fail(message)
  stream.write_all(system.err, 'http_get: ' .. message .. '\n')
  system.exit(1)
end

local url = system.arguments[3] or fail('usage: http_get.lua -- URL')
local host, path = url:match('^http://([^/]+)(.*)$')
if not host then fail('not a URL of HTTP: ' .. url) end
if path == '' then path = '/' end

local connected, sock = pcall(ip.tcp.dial, host:find(':%d+$') and host or host .. ':80')
if not connected then fail('cannot connect to ' .. host .. ': ' .. tostring(sock)) end

stream.write_all(sock, table.concat({
  'GET ' .. path .. ' HTTP/1.1',
  'Host: ' .. host,
  'User-Agent: perilune-example',
  'Connection: close',
  '', '',
}, '\r\n'))

-- The head -------------------------------------------------------------------------------------------

local scanner = stream.scanner.new { stream = sock, record_separator = '\r\n' }

local status, reason = tostring(scanner:get_line()):match('^HTTP/1%.%d (%d%d%d) ?(.*)$')
if not status then fail('that is no HTTP') end

local headers = {}
while true do
  local line = tostring(scanner:get_line())
  if line == '' then break end
  local name, value = line:match('^([^:%s]+):%s*(.-)%s*$')
  if name then headers[name:lower()] = value end
end

-- The body -------------------------------------------------------------------------------------------

-- Write the next `n` bytes: first what the scanner has read already, then from the socket.
local function copy_bytes(n)
  scanner:remove_line()
  local buffered = scanner:buffer()
  local have = math.min(n, #buffered)
  stream.write_all(system.out, buffered:first(have))
  scanner:set_buffer(buffered, have + 1)
  n = n - have
  local piece = byte_span.new(math.min(n, 65536))
  while n > 0 do
    local got = sock:read_some(piece:first(math.min(n, #piece)))
    stream.write_all(system.out, piece:first(got))
    n = n - got
  end
end

local function copy_chunks()
  while true do
    local size = tonumber(tostring(scanner:get_line()):match('^%x+'), 16)
    if size == 0 then return end
    copy_bytes(size)
    scanner:get_line() -- the line end behind the chunk
  end
end

local function copy_until_end()
  local ok, e = pcall(copy_bytes, math.huge)
  if not ok and e ~= asio_error.misc.eof then error(e) end
end

if headers['transfer-encoding'] == 'chunked' then
  copy_chunks()
elseif headers['content-length'] then
  copy_bytes(tonumber(headers['content-length']))
else
  copy_until_end()
end
sock:close()

if status:sub(1, 1) ~= '2' then fail(status .. ' ' .. reason) end
