-- A client for Redis (RESP 2) whose commands share one connection: each fiber calls and waits for its own
-- answer, and commands that are made meanwhile go out in the same write ("pipelining").
--
--   perilune examples/redis_client.lua -- 127.0.0.1:6379 [COMMANDS = 100000]
--
-- Calls as many commands from many fibers, checks every answer, and prints how many there were.

local ip = require 'ip'
local stream = require 'stream'
local system = require 'system'
local future = require 'future'
local mutex = require 'mutex'
local condition_variable = require 'condition_variable'

-- Reading --------------------------------------------------------------------------------------------

local Reader = {}
Reader.__index = Reader

function Reader.new(sock)
  return setmetatable({ sock = sock, buf = byte_span.new(65536), first = 1, last = 0 }, Reader)
end

-- More bytes behind those that are there.
function Reader:fill()
  local have = self.last - self.first + 1
  if self.first > 1 then
    local rest = self.buf:sub(self.first, self.last)
    self.buf:copy(have > 0 and byte_span.append(rest) or '')
    self.first, self.last = 1, have
  end
  if have == #self.buf then
    local larger = byte_span.new(2 * have)
    larger:copy(self.buf)
    self.buf = larger
  end
  self.last = have + self.sock:read_some(self.buf:sub(have + 1))
end

function Reader:line()
  local from = self.first
  while true do
    local at = from <= self.last and self.buf:first(self.last):find('\r\n', from)
    if at then
      local text = tostring(self.buf:sub(self.first, at - 1))
      self.first = at + 2
      return text
    end
    local offset = math.max(0, self.last - self.first) -- the \r may be there already
    self:fill()
    from = self.first + offset
  end
end

function Reader:bytes(n)
  while self.last - self.first + 1 < n do self:fill() end
  local text = tostring(self.buf:sub(self.first, self.first + n - 1))
  self.first = self.first + n
  return text
end

local NULL = setmetatable({}, { __tostring = function() return 'null' end })

-- An answer as a Lua value. One that is an error comes as { err = message }.
function Reader:reply()
  local line = self:line()
  local kind, rest = line:sub(1, 1), line:sub(2)
  if kind == '+' then return rest end
  if kind == '-' then return { err = rest } end
  if kind == ':' then return tonumber(rest) end
  local n = tonumber(rest)
  if kind == '$' then
    if n < 0 then return NULL end
    return self:bytes(n + 2):sub(1, n)
  end
  if kind ~= '*' then error('that is no RESP: ' .. line) end
  if n < 0 then return NULL end
  local list = {}
  for i = 1, n do list[i] = self:reply() end
  return list
end

-- The client -----------------------------------------------------------------------------------------

local Client = {}
Client.__index = Client

local function encode(...)
  local parts = { '*' .. select('#', ...) }
  for i = 1, select('#', ...) do
    local text = tostring((select(i, ...)))
    parts[#parts + 1] = '$' .. #text
    parts[#parts + 1] = text
  end
  parts[#parts + 1] = ''
  return table.concat(parts, '\r\n')
end

function Client.connect(endpoint)
  local sock = ip.tcp.dial(endpoint)
  sock:set_option('tcp_no_delay', true)
  local self = setmetatable({
    sock = sock, out = {}, waiting = {}, first = 1, last = 0,
    mutex = mutex.new(), more = condition_variable.new(),
  }, Client)
  self.writer = spawn(function() self:write_commands() end)
  self.reader = spawn(function() self:read_replies() end)
  return self
end

-- Everything that was called since the last write goes out together.
function Client:write_commands()
  while true do
    self.mutex:lock()
    while #self.out == 0 do self.more:wait(self.mutex) end
    self.mutex:unlock()
    local text = table.concat(self.out)
    self.out = {}
    stream.write_all(self.sock, text)
  end
end

-- Answers come in the order of the commands.
function Client:read_replies()
  local reader = Reader.new(self.sock)
  local ok, e = pcall(function()
    while true do
      local reply = reader:reply()
      local promise = self.waiting[self.first]
      self.waiting[self.first] = nil
      self.first = self.first + 1
      promise:set_value(reply)
    end
  end)
  self.broken = e
  for i = self.first, self.last do self.waiting[i]:set_error(e) end
end

function Client:call(...)
  if self.broken then error(self.broken, 0) end
  local promise, result = future.new()
  self.last = self.last + 1
  self.waiting[self.last] = promise
  self.out[#self.out + 1] = encode(...)
  self.more:notify_one()
  local reply = result:get()
  if type(reply) == 'table' and reply.err then error(reply.err, 0) end
  return reply
end

function Client:close()
  self.writer:interrupt()
  self.reader:interrupt()
  pcall(self.writer.join, self.writer)
  pcall(self.reader.join, self.reader)
  self.sock:close()
end

-- The program ----------------------------------------------------------------------------------------

local FIBERS = 1000

local redis = Client.connect(system.arguments[3] or '127.0.0.1:6379')
local commands = tonumber(system.arguments[4] or '100000')

assert(redis:call('PING') == 'PONG')
redis:call('DEL', 'counter', 'list')
local binary = '\r\n$5\r\n' .. string.char(0, 255) .. ('x'):rep(100000)
assert(redis:call('SET', 'binary', binary) == 'OK' and redis:call('GET', 'binary') == binary)
assert(redis:call('GET', 'nothing') == NULL)
assert(redis:call('RPUSH', 'list', 'a', 'b', '') == 3)
assert(table.concat(redis:call('LRANGE', 'list', 0, -1), ',') == 'a,b,')
local ok, message = pcall(redis.call, redis, 'LPOP', 'binary')
assert(not ok)
print('an error: ' .. message)

local fibers, seen, done = {}, {}, 0
local each = math.ceil(commands / FIBERS)
for i = 1, FIBERS do
  fibers[i] = spawn(function()
    for _ = 1, math.min(each, commands - (i - 1) * each) do
      local n = redis:call('INCR', 'counter')
      assert(not seen[n], 'an answer came twice')
      seen[n] = true
      done = done + 1
    end
  end)
end
for _, f in ipairs(fibers) do f:join() end
assert(tonumber(redis:call('GET', 'counter')) == commands)
print(done .. ' commands, each with an answer of its own')
redis:close()
