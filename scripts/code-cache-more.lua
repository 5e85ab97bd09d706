-- Run by prepare.ts, for the code cache of what programs require: what many of them do with it.
local inbox = require 'inbox'
if _CONTEXT == 'worker' then
  inbox:receive():send{text = 'hello'}
  return
end

local byte_span = require 'byte_span'
local file = require 'file'
local filesystem = require 'filesystem'
local ip = require 'ip'
local json = require 'json'
local mutex = require 'mutex'
local condition_variable = require 'condition_variable'
local channel = require 'channel'
local stream = require 'stream'
local system = require 'system'
local time = require 'time'
local unix = require 'unix'
require 'regex'
require 'tls'

spawn_vm('.'):send(inbox)
assert(inbox:receive().text == 'hello')
time.sleep(0.001)
assert(json.decode(json.encode{a = {1, true, 'x'}}).a[3] == 'x')

-- Not where it isn't allowed to.
pcall(function()
  local acceptor = ip.tcp.listen('127.0.0.1:0')
  local server = spawn(function()
    local peer = acceptor:accept()
    local bytes = byte_span.new(10)
    stream.write_all(peer, bytes:first(peer:read_some(bytes)))
    peer:close()
  end)
  local socket = ip.tcp.dial('127.0.0.1:' .. acceptor.local_port)
  stream.write_all(socket, 'ping\n')
  assert(stream.scanner.with_awk_defaults(socket):get_line() == 'ping')
  socket:close()
  server:join()
  acceptor:close()
end)
pcall(function()
  local here = filesystem.path.new(system.arguments[1])
  filesystem.exists(here)
  local f = file.stream.new()
  f:open(here, file.open_flag.read_only)
  f:read_some(byte_span.new(100))
  f:close()
end)

local m, c, ready = mutex.new(), condition_variable.new(), false
local waiter = spawn(function()
  m:lock()
  while not ready do c:wait(m) end
  m:unlock()
end)
this_fiber.yield()
m:lock()
ready = true
c:notify_all()
m:unlock()
waiter:join()
