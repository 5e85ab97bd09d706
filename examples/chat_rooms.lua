-- A chat whose rooms are actors, for any line-based client.
--
--   perilune examples/chat_rooms.lua -- 8080 [THREADS]       then, elsewhere: nc 127.0.0.1 8080
--
-- The first line of a client is its name, and perhaps a room (lobby). /join ROOM, /who and /quit are commands; everything
-- else goes to the others in the room.
--
-- The first VM, the porter, accepts connections, and sends each to its room: the socket itself travels, as a
-- descriptor in a message. From then on the porter has nothing to do with it, until the room sends it back since its
-- client wants to go elsewhere. Rooms share nothing, and with THREADS they are in several threads: a busy one
-- holds no other up. Within a room each client has a queue of bounded length and a fiber that writes what is in
-- it: one that doesn't read holds nobody up, and is sent away when its queue is full.

local inbox = require 'inbox'
local ip = require 'ip'
local stream = require 'stream'
local system = require 'system'
local time = require 'time'
local channel = require 'channel'
local asio_error = require 'asio_error'

local MAX_QUEUED = 100 -- lines
local MAX_LINE = 1024 -- bytes

-- Lines of a socket, after `read`, which has been read by somebody else.
local function scanner_of(sock, read)
  local lines = stream.scanner.new{stream = sock, max_record_size = MAX_LINE, trim_record = true}
  if read and read ~= '' then lines:set_buffer(byte_span.append(read)) end
  return lines
end

-- What the scanner has read, but not given out.
local function rest_of(lines)
  lines:remove_line()
  return tostring((lines:buffer()))
end

-- A room -------------------------------------------------------------------------------------------

local function room()
  local start = inbox:receive()
  local porter, title = start.porter, start.room
  local clients, came = {}, 0

  local function say(line, except)
    for client in pairs(clients) do
      if client ~= except and not client.queue:try_send(line) then
        clients[client] = nil
        client.sock:close() -- its fibers end with errors
      end
    end
  end

  -- Until the client leaves. Returns the room that it wants to go to.
  local function listen(client)
    while true do
      local line = tostring(client.lines:get_line())
      local command, argument = line:match '^/(%a+)%s*(%S*)'
      if command == 'quit' then return nil
      elseif command == 'join' and argument ~= '' then return argument
      elseif command == 'who' then
        local names = {}
        for other in pairs(clients) do names[#names + 1] = other.name end
        table.sort(names)
        client.queue:try_send('* here: ' .. table.concat(names, ', '))
      elseif command then client.queue:try_send('* no such command: /' .. command)
      elseif line ~= '' then say(client.name .. ': ' .. line, client) end
      this_fiber.yield() -- many lines may have come at once: the writers get their turn after each
    end
  end

  local function serve(visitor)
    local sock = ip.tcp.socket.new()
    sock:assign('v4', visitor.socket)
    local client = {
      sock = sock, name = visitor.name, queue = channel.new(MAX_QUEUED), lines = scanner_of(sock, visitor.read),
    }
    local writer = spawn(function()
      pcall(function() for line in client.queue:values() do stream.write_all(sock, line .. '\n') end end)
    end)
    clients[client] = true
    say('* ' .. client.name .. ' came into ' .. title)
    local ok, elsewhere = pcall(listen, client)
    clients[client] = nil
    say('* ' .. client.name .. ' left')
    if ok and not elsewhere then client.queue:try_send '* goodbye' end
    client.queue:close()
    if not ok then writer:interrupt() end -- it may be waiting for a client that is gone
    writer:join()
    if ok and elsewhere and sock.is_open then
      local read = rest_of(client.lines)
      local fd = sock:release()
      porter:send{socket = fd, name = client.name, room = elsewhere, read = read}
      fd:close()
    else
      sock:close()
    end
    if next(clients) == nil then porter:send{empty = title, came = came} end
  end

  while true do
    local ok, visitor = pcall(inbox.receive, inbox)
    if not ok then return end -- the porter has let go
    came = came + 1
    spawn(function() serve(visitor) end):detach()
  end
end

if _CONTEXT == 'worker' then return room() end

-- The porter -----------------------------------------------------------------------------------------

local LOBBY = 'lobby' -- always open, so there is always somebody who can send to the porter
local rooms = {} -- by name: {actor =, sent =}

local function open_room(title)
  if rooms[title] then return end
  rooms[title] = {actor = spawn_vm '.', sent = 0}
  rooms[title].actor:monitor()
  rooms[title].actor:send{porter = inbox, room = title}
end

local function send_to_room(visitor)
  open_room(visitor.room)
  local room = rooms[visitor.room]
  room.sent = room.sent + 1
  pcall(room.actor.send, room.actor, visitor) -- it may just have died
  visitor.socket:close()
end

local function welcome(sock)
  local lines = scanner_of(sock)
  stream.write_all(sock, '* your name, and perhaps a room?\n')
  local ok, line = pcall(function() return tostring(lines:get_line()) end)
  local name, title = (ok and line or ''):match '^(%S+)%s*(%S*)'
  if not name then
    sock:close()
    return
  end
  local read = rest_of(lines)
  send_to_room{socket = sock:release(), name = name, room = title ~= '' and title or LOBBY, read = read}
end

local threads = tonumber(system.arguments[4]) or 1
spawn_context_threads(threads - 1)
local acceptor = ip.tcp.listen('127.0.0.1:' .. (system.arguments[3] or '8080'))
print('listening on ' .. ip.tostring(acceptor.local_address, acceptor.local_port))

spawn(function()
  while true do
    local ok, sock = pcall(acceptor.accept, acceptor)
    if ok then
      spawn(function() welcome(sock) end):detach()
    elseif sock == asio_error.basic.no_descriptors then
      time.sleep(0.1)
    else
      error(sock)
    end
  end
end):detach()

while true do
  open_room(LOBBY)
  local message = inbox:receive()
  if message.socket then
    send_to_room(message)
  elseif message.empty then
    local title, room = message.empty, rooms[message.empty]
    -- Unless somebody is on the way there.
    if title ~= LOBBY and room and room.sent == message.came then
      room.actor:close()
      rooms[title] = nil
    end
  elseif message.down then
    for title, room in pairs(rooms) do
      if room.actor == message.channel then
        rooms[title] = nil
        print('room ' .. title .. ' has ended: ' .. tostring(message.reason))
      end
    end
  end
end
