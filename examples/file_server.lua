-- Files for those who log in, in the manner of sshd: each connection has a process of its own, which can do nothing but use that
-- connection, and ask. Whatever a client sends is read there.
--
--   perilune examples/file_server.lua -- 8080 DIR       then, elsewhere: nc 127.0.0.1 8080
--
-- DIR/passwords has lines `name password`; DIR/name is what that user may see and change. Commands: login NAME PASSWORD, ls [DIRECTORY],
-- cat FILE, put FILE TEXT, quit.
--
-- A guard, an actor of this process, stands behind each connection. It never sees a byte of the client's but a name and a password,
-- and when they are right it hands over the directory. The session can't reach other directories, before that or after.

local inbox = require 'inbox'
local ip = require 'ip'

-- The session: in a sandbox ------------------------------------------------------------------------------

local function session(order)
  local stream, file = require 'stream', require 'file'
  local sock = ip.tcp.socket.new()
  sock:assign('v4', order.socket)
  local home
  local function say(...) stream.write_all(sock, table.concat{..., '\n'}) end

  local commands = {}

  function commands.login(words)
    local name, password = words:match '^(%S+) (%S+)$'
    if not name then return say 'login NAME PASSWORD' end
    order.guard:send{name = name:sub(1, 200), password = password:sub(1, 200), reply = inbox}
    home = inbox:receive().home
    say(home and 'welcome' or 'no')
  end

  function commands.ls(path)
    local names = {}
    for name, kind in home:list(path ~= '' and path or '.') do
      names[#names + 1] = kind == 'directory' and name .. '/' or name
    end
    table.sort(names)
    say(table.concat(names, ' '))
  end

  function commands.cat(path)
    local f, buffer = file.stream.new(home:openat(path, {'read_only'})), byte_span.new(4096)
    while true do
      local ok, n = pcall(f.read_some, f, buffer)
      if not ok then break end
      stream.write_all(sock, buffer:first(n))
    end
    f:close()
    say ''
  end

  function commands.put(words)
    local path, text = words:match '^(%S+) (.*)$'
    if not path then return say 'put FILE TEXT' end
    local f = file.stream.new(home:openat(path, {'write_only', 'create', 'truncate'}))
    stream.write_all(f, text .. '\n')
    f:close()
    say 'written'
  end

  local scanner = stream.scanner.new{stream = sock, record_separator = '\n', max_record_size = 1024}
  while true do
    local name, words = tostring(scanner:get_line()):match '^(%S*) ?(.-)\r?$'
    if name == 'quit' then return end
    local command = commands[name]
    if not command then say 'no such command'
    elseif not home and name ~= 'login' then say 'log in first'
    else
      local ok, e = pcall(command, words)
      if not ok then say(tostring(e)) end
    end
  end
end

-- The guard: beside the server ---------------------------------------------------------------------------

local function guard(order)
  local fs, file, stream = require 'filesystem', require 'file', require 'stream'
  local dir = fs.path.new(order.dir)

  local function knows(name, password)
    local f = file.stream.new()
    f:open(dir / 'passwords', {'read_only'})
    local lines = stream.scanner.new{stream = f, record_separator = '\n'}
    while true do
      local ok, line = pcall(lines.get_line, lines)
      if not ok then break end
      if tostring(line) == name .. ' ' .. password then f:close() return true end
    end
    f:close()
    return false
  end

  local child = spawn_vm{module = '.', subprocess = {sandbox = 'inbox', limits = {memory = 64 * 2^20, cpu = 60}}}
  child:monitor()
  child:send{role = 'session', socket = order.socket, guard = inbox}
  order.socket:close()
  for attempt = 1, 4 do
    local question = inbox:receive()
    -- It comes from the sandbox: anything may be in it.
    if type(question) ~= 'table' or question.down or attempt > 3 then break end
    local name, password = question.name, question.password
    if type(name) ~= 'string' or not name:find '^%w+$' or type(password) ~= 'string' then break end
    local answer = {known = false}
    if knows(name, password) then answer = {known = true, home = fs.directory_handle(dir / name, 'read_write')} end
    question.reply:send(answer)
    question.reply:close()
    if answer.home then
      repeat local m = inbox:receive() until type(m) == 'table' and m.down -- files are opened meanwhile
      break
    end
  end
  pcall(child.kill, child)
end

if _CONTEXT == 'worker' then
  local order = inbox:receive()
  if order.role == 'session' then session(order) else guard(order) end
  return
end

-- The server ---------------------------------------------------------------------------------------------

local system = require 'system'
local dir = system.arguments[4]
if not dir then
  print 'usage: file_server.lua -- PORT DIR'
  system.exit(2)
end
local acceptor = ip.tcp.listen('127.0.0.1:' .. system.arguments[3])
print('listening on ' .. ip.tostring(acceptor.local_address, acceptor.local_port))
while true do
  local sock = acceptor:accept():release()
  spawn_vm '.':send{role = 'guard', socket = sock, dir = dir}
  sock:close()
end
