-- Answers DNS queries, over UDP and TCP, by asking another name server; keeps answers for a while.
--
--   perilune examples/dns_forwarder.lua -- 5353 9.9.9.9:53 [SECONDS = 2]       then: dig @127.0.0.1 -p 5353 example.org
--
-- Each query has a fiber, and a socket of its own to the other server: its port is hard to guess, and only
-- that server is heard. An answer must repeat the id and the question; others are passed over. The client
-- gets SERVFAIL when no answer comes in time. Formats: RFC 1035.

local ip = require 'ip'
local stream = require 'stream'
local system = require 'system'
local time = require 'time'
local timeout = require 'timeout'
local semaphore = require 'semaphore'
local asio_error = require 'asio_error'

local TRIES = 3
local MAX_QUERIES = 1000 -- under way at once
local MAX_CACHED = 10000 -- answers
local CLIENT_IDLE_SECONDS = 30 -- over TCP
local SERVFAIL = 2

local port, upstream = system.arguments[3] or '5353', system.arguments[4] or '9.9.9.9:53'
local SECONDS = tonumber(system.arguments[5] or '2') -- for each of the tries
local slots = semaphore.new(MAX_QUERIES)

-- Messages -------------------------------------------------------------------------------------------

-- Where the question ends; nil: this is no query with one question.
local function question_end(message)
  if #message < 17 or message:sub(5, 6):get_u16be() ~= 1 then return nil end
  local at = 13
  while message[at] ~= 0 do
    if message[at] > 63 then return nil end -- no compression in a question
    at = at + 1 + message[at]
    if at + 4 > #message then return nil end
  end
  return at + 4
end

-- Name, type and class, as they are in the message. DNS compares names without regard to case.
local function question_of(message)
  local last = question_end(message)
  return last and tostring(message:sub(13, last)):lower()
end

local function with_id(message, id)
  return string.char(math.floor(id / 256), id % 256) .. tostring(message:sub(3))
end

-- Seconds for which an answer holds: the least of its records', or nil for one that is not to be kept.
local function time_to_live(message)
  local ok, least = pcall(function()
    local answers = message:sub(7, 8):get_u16be()
    if message[4] % 16 ~= 0 or message[3] % 4 >= 2 or answers == 0 then return nil end -- error, cut
    local at, ttl = question_end(message) + 1, math.huge
    for _ = 1, answers do
      while message[at] ~= 0 and message[at] < 0xc0 do at = at + 1 + message[at] end
      at = at + (message[at] == 0 and 1 or 2)
      ttl = math.min(ttl, message:sub(at + 4, at + 5):get_u16be() * 65536 + message:sub(at + 6, at + 7):get_u16be())
      at = at + 10 + message:sub(at + 8, at + 9):get_u16be()
    end
    return ttl
  end)
  return ok and least or nil
end

-- Asking ---------------------------------------------------------------------------------------------

local function ask_udp(query, question)
  local sock = ip.udp.dial(upstream)
  scope_cleanup_push(function() sock:close() end)
  local id = math.random(0, 65535)
  local request = byte_span.append(with_id(query, id))
  local buf = byte_span.new(65535)
  local problem
  for _ = 1, TRIES do
    local ok, answer = pcall(timeout, SECONDS, function()
      sock:send(request)
      while true do
        local n = sock:receive(buf)
        local message = buf:first(n)
        if n >= 12 and message:sub(1, 2):get_u16be() == id and question_of(message) == question then return message end
      end
    end)
    if ok then return answer end
    problem = answer
  end
  error(problem, 0)
end

local function read_message(sock)
  local length = byte_span.new(2)
  stream.read_all(sock, length)
  local message = byte_span.new(length:get_u16be())
  stream.read_all(sock, message)
  return message
end

local function write_message(sock, text)
  stream.write_all(sock, string.char(math.floor(#text / 256), #text % 256) .. text)
end

local function ask_tcp(query, question)
  return timeout(TRIES * SECONDS, function()
    local sock = ip.tcp.dial(upstream)
    scope_cleanup_push(function() sock:close() end)
    write_message(sock, tostring(query))
    local message = read_message(sock)
    if question_of(message) ~= question then error('that answers another question', 0) end
    return message
  end)
end

-- Answering ------------------------------------------------------------------------------------------

local cache, cached = {}, 0 -- question → { text, until_ }

local function keep(question, message)
  local ttl = time_to_live(message)
  if not ttl or ttl == 0 then return end
  if cached >= MAX_CACHED then cache, cached = {}, 0 end
  if not cache[question] then cached = cached + 1 end
  cache[question] = { text = tostring(message), until_ = time.steady_clock.now().seconds_since_epoch + ttl }
end

local function failure(query)
  local last = question_end(query)
  local flags = string.char(bit.bor(0x80, bit.band(query[3], 0x79)), 0x80 + SERVFAIL)
  return tostring(query:sub(1, 2)) .. flags .. '\0\1\0\0\0\0\0\0' .. tostring(query:sub(13, last))
end

-- The answer to a query, in text; nil: it deserves none.
local function resolve(query, ask)
  local question = question_of(query)
  if not question or query[3] >= 128 then return nil end -- that is an answer
  local known = cache[question]
  if known and known.until_ > time.steady_clock.now().seconds_since_epoch then
    return tostring(query:sub(1, 2)) .. known.text:sub(3)
  end
  slots:acquire()
  local ok, answer = pcall(ask, query, question)
  slots:release()
  if not ok then return failure(query) end
  keep(question, answer)
  return with_id(answer, query:sub(1, 2):get_u16be())
end

local function serve_udp(sock)
  local buf = byte_span.new(65535)
  while true do
    local n, address, from = sock:receive_from(buf)
    local query = byte_span.append(buf:first(n))
    spawn(function()
      local answer = resolve(query, ask_udp)
      if answer then pcall(sock.send_to, sock, byte_span.append(answer), address, from) end
    end):detach()
  end
end

-- Queries of one connection are answered one after the other.
local function serve_client(sock)
  while true do
    local query = timeout(CLIENT_IDLE_SECONDS, function() return read_message(sock) end)
    local answer = resolve(query, ask_tcp)
    if not answer then return end
    write_message(sock, answer)
  end
end

local function serve_tcp(acceptor)
  while true do
    local ok, sock = pcall(acceptor.accept, acceptor)
    if ok then
      spawn(function()
        pcall(serve_client, sock)
        sock:close()
      end):detach()
    elseif sock == asio_error.basic.no_descriptors then
      time.sleep(0.1)
    else
      error(sock, 0)
    end
  end
end

local acceptor = ip.tcp.listen('127.0.0.1:' .. port)
local sock = ip.udp.socket.new()
sock:open('v4')
sock:bind('127.0.0.1', acceptor.local_port)
print('listening on ' .. ip.tostring(sock.local_address, sock.local_port))
spawn(function() serve_udp(sock) end):detach()
serve_tcp(acceptor)
