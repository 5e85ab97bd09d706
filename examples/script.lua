-- Records a terminal session: what a program writes to its terminal goes to a file as well.
--
--   perilune examples/script.lua -- typescript            a shell; `exit` or Ctrl-D ends it
--   perilune examples/script.lua -- typescript top -b     any program
--
-- The program gets a terminal of its own, a pseudo-terminal, whose other end is ours. Ours is made raw meanwhile:
-- every key goes through, Ctrl-C too, and it is the inner terminal that makes a signal of it.

local system = require 'system'
local stream = require 'stream'
local serial_port = require 'serial_port'
local file = require 'file'
local path = require('filesystem').path

local arguments = {unpack(system.arguments, 3)}
local name = table.remove(arguments, 1)
if name == nil then
  stream.write_all(system.err, 'usage: script.lua -- FILE [PROGRAM ARGUMENTS…]\n')
  system.exit(2)
end
if #arguments == 0 then arguments = {system.environment.SHELL or '/bin/sh'} end

local record = file.stream.new()
record:open(path.new(name), {'write_only', 'create', 'truncate'})

local master, slave = serial_port.ptypair()
local is_terminal = system.in_:isatty()

local function copy_size() master:set_window_size(system.in_:window_size()) end
if is_terminal then copy_size() end

local program = system.spawn{
  program = arguments[1],
  arguments = arguments,
  environment = system.environment,
  stdin = slave,
  stdout = slave,
  stderr = slave,
  start_new_session = true,
  set_ctty = slave,
}
slave:close()

local mode = is_terminal and system.in_:terminal_mode()
if is_terminal then system.in_:set_terminal_mode 'raw' end

-- Keys. At the end of the input the program is told as a terminal does it.
local keys = spawn(function()
  local buffer = byte_span.new(4096)
  while true do
    local ok, n = pcall(system.in_.read_some, system.in_, buffer)
    if not ok then break end
    stream.write_all(master, buffer:first(n))
  end
  stream.write_all(master, '\4')
end)

-- The window.
local resized = system.signal.set.new(system.signal.SIGWINCH)
local resizer = spawn(function()
  while true do
    resized:wait()
    if is_terminal then copy_size() end
  end
end)

-- What the program shows, until nobody has the inner terminal open any more: that is EIO.
local buffer = byte_span.new(4096)
while true do
  local ok, n = pcall(master.read_some, master, buffer)
  if not ok then break end
  stream.write_all(system.out, buffer:first(n))
  stream.write_all(record, buffer:first(n))
end

program:wait()
keys:interrupt()
resizer:interrupt()
if is_terminal then system.in_:set_terminal_mode(mode) end
record:close()
system.exit(program.exit_code)
