-- A chat with rooms, for any line-based client.
--
--   perilune examples/chat_server.lua -- 8080       then, elsewhere: nc 127.0.0.1 8080
--
-- Lines that begin with a slash are commands: /nick NAME, /join ROOM, /who, /quit. Everything else goes
-- to the others in the room.
--
-- A client has two fibers: one reads its lines, one writes what others say. Between them is a queue of
-- bounded length. Whoever speaks only puts a line into the queues of the others, and that never waits:
-- a client that doesn't read holds nobody up, and is sent away when its queue is full.

local ip = require 'ip'
local stream = require 'stream'
local system = require 'system'
local time = require 'time'
local mutex = require 'mutex'
local condition_variable = require 'condition_variable'
local asio_error = require 'asio_error'

local MAX_QUEUED = 100 -- lines
local MAX_LINE = 1024 -- bytes

-- Queues ---------------------------------------------------------------------------------------------

local Queue = {}
Queue.__index = Queue

function Queue.new()
  return setmetatable({
    first = 1, last = 0, closed = false,
    mutex = mutex.new(), changed = condition_variable.new(),
  }, Queue)
end

-- Never waits. False: it is full.
function Queue:push(line)
  if self.last - self.first + 1 >= MAX_QUEUED then return false end
  self.last = self.last + 1
  self[self.last] = line
  self.changed:notify_one()
  return true
end

-- Waits for a line; nil when the queue has been closed.
function Queue:pop()
  self.mutex:lock()
  while self.first > self.last and not self.closed do self.changed:wait(self.mutex) end
  self.mutex:unlock()
  if self.first > self.last then return nil end
  local line = self[self.first]
  self[self.first] = nil
  self.first = self.first + 1
  return line
end

function Queue:close()
  self.closed = true
  self.changed:notify_all()
end

-- Rooms ----------------------------------------------------------------------------------------------

local rooms = {} -- name → set of clients

local function say(room, line, except)
  for client in pairs(rooms[room] or {}) do
    if client ~= except and not client.queue:push(line) then
      client.sock:close() -- its reader ends with an error, and cleans up
    end
  end
end

local function leave(client)
  local room = rooms[client.room]
  if not room then return end
  room[client] = nil
  say(client.room, '* ' .. client.name .. ' left')
  if next(room) == nil then rooms[client.room] = nil end
end

local function join(client, name)
  leave(client)
  client.room = name
  rooms[name] = rooms[name] or {}
  rooms[name][client] = true
  say(name, '* ' .. client.name .. ' joined ' .. name)
end

-- Clients --------------------------------------------------------------------------------------------

local commands = {}

function commands.nick(client, name)
  say(client.room, '* ' .. client.name .. ' is now ' .. name)
  client.name = name
end

function commands.join(client, name) join(client, name) end

function commands.who(client)
  local names = {}
  for other in pairs(rooms[client.room]) do names[#names + 1] = other.name end
  table.sort(names)
  client.queue:push('* here: ' .. table.concat(names, ', '))
end

local function read_lines(client)
  local lines = stream.scanner.new { stream = client.sock, max_record_size = MAX_LINE, trim_record = true }
  while true do
    local line = tostring(lines:get_line())
    local command, argument = line:match('^/(%a+)%s*(.*)$')
    if command == 'quit' then return end
    if commands[command] then
      commands[command](client, argument)
    elseif command then
      client.queue:push('* no such command: /' .. command)
    elseif line ~= '' then
      say(client.room, client.name .. ': ' .. line, client)
    end
    this_fiber.yield() -- many lines may have come at once: the writers get their turn after each
  end
end

local function write_lines(client)
  for line in function() return client.queue:pop() end do
    stream.write_all(client.sock, line .. '\n')
  end
end

local guests = 0

local function serve(sock)
  guests = guests + 1
  local client = { sock = sock, name = 'guest' .. guests, queue = Queue.new() }
  local writer = spawn(function() pcall(write_lines, client) end)
  join(client, 'lobby')
  local ok, e = pcall(read_lines, client)
  leave(client)
  client.queue:close()
  if ok then
    client.queue:push('* goodbye')
  elseif e ~= asio_error.misc.eof then
    writer:interrupt() -- it may be waiting for a client that doesn't read
  end
  writer:join()
  sock:close()
end

local acceptor = ip.tcp.listen('127.0.0.1:' .. (system.arguments[3] or '8080'))
print('listening on ' .. ip.tostring(acceptor.local_address, acceptor.local_port))

while true do
  local ok, sock = pcall(acceptor.accept, acceptor)
  if ok then
    spawn(function() serve(sock) end):detach()
  elseif sock == asio_error.basic.no_descriptors then
    time.sleep(0.1)
  else
    error(sock)
  end
end
