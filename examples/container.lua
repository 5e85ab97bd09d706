-- A container: a program with a root, users, processes, a network, a name and a terminal of its own.
--
--   perilune examples/container.lua                          a shell of busybox; `exit` or Ctrl-D ends it
--   perilune examples/container.lua -- ls -l /               any program of busybox
--   perilune examples/container.lua -- --root DIR bash       any tree of files: what is written goes to memory, DIR stays as it is
--   perilune examples/container.lua -- --network 10.9.0 sh   for root: the machine is 10.9.0.1 to it, and it is 10.9.0.2
--
-- docs/tutorial-containers.md takes it step by step. Nothing needs privileges; for root, the users of the container are others than
-- the machine's. It needs a kernel that lets users make namespaces, and busybox (Debian: busybox-static) unless there is a DIR.

local system = require 'system'
local stream = require 'stream'
local serial_port = require 'serial_port'
local inbox = require 'inbox'
local path = require('filesystem').path

-- Inside: the actor, in its container already. It opens a terminal there, gives us the other end, and runs the program.
if _CONTEXT == 'worker' then
  local order = inbox:receive()
  local arguments, text, buffer = {}, {}, byte_span.new(4096)
  local source = require('pipe').read_stream.new(order.arguments)
  while true do
    local ok, n = pcall(source.read_some, source, buffer)
    if not ok then break end
    text[#text + 1] = tostring(buffer:first(n))
  end
  for argument in table.concat(text):gmatch '(%Z*)%z' do arguments[#arguments + 1] = argument end
  local master, slave = serial_port.ptypair()
  if order.columns then master:set_window_size(order.columns, order.rows) end
  local console = master:release()
  order.from:send{console = console}
  console:close()
  local ok, program = pcall(system.spawn, {
    program = arguments[1],
    arguments = arguments,
    environment = {PATH = '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', HOME = '/root', TERM = order.term, PS1 = '\\w \\$ '},
    stdin = slave,
    stdout = slave,
    stderr = slave,
    start_new_session = true,
    set_ctty = slave,
  })
  slave:close()
  if not ok then
    system.err:write_some(byte_span.append(arguments[1], ': ', tostring(program), '\n'))
    system.exit(127)
  end
  program:wait()
  system.exit(program.exit_code)
end

-- What makes the container, run in its first process before anything else there. A call that fails ends it, with a message.
local INIT = [[
  -- Users: which ones there are is for somebody outside to say. When it is done, become the root of the container.
  local base = C.read(arg, 255)
  local lower = C.read(arg, 255)
  if base == '' or lower == '' then os.exit(1) end
  C.setresgid(0, 0, 0)
  C.setresuid(0, 0, 0)
  C.umask(0)

  -- Files: a layer in memory over the tree. Nothing of this is seen outside.
  local quiet = bit.bor(C.MS_NOSUID, C.MS_NODEV)
  C.mount(nil, '/', nil, bit.bor(C.MS_REC, C.MS_PRIVATE), nil)
  C.mount('tmpfs', base, 'tmpfs', quiet, 'mode=0755,size=64m')
  C.chdir(base)
  for _, name in ipairs{'upper', 'work', 'root'} do C.mkdir(name, mode(7, 5, 5)) end
  C.mount('overlay', 'root', 'overlay', quiet, 'lowerdir=' .. lower .. ',upperdir=upper,workdir=work,userxattr')
  C.chdir('root')
  local function folder(name, how)
    errexit = false
    C.mkdir(name, how or mode(7, 5, 5)) -- it may be there
    errexit = true
  end
  for _, name in ipairs{'proc', 'dev', 'root', 'etc'} do folder(name) end
  folder('tmp', bit.bor(C.S_ISVTX, mode(7, 7, 7)))

  C.mount('proc', 'proc', 'proc', bit.bor(quiet, C.MS_NOEXEC), nil)
  C.mount('tmpfs', 'dev', 'tmpfs', bit.bor(C.MS_NOSUID, C.MS_NOEXEC), 'mode=0755,size=64k')
  for _, name in ipairs{'null', 'zero', 'full', 'random', 'urandom', 'tty'} do
    C.close(C.open('dev/' .. name, bit.bor(C.O_CREAT, C.O_WRONLY, C.O_CLOEXEC), mode(6, 6, 6)))
    C.mount('/dev/' .. name, 'dev/' .. name, nil, C.MS_BIND, nil)
  end
  C.mkdir('dev/pts', mode(7, 5, 5))
  C.mount('devpts', 'dev/pts', 'devpts', bit.bor(C.MS_NOSUID, C.MS_NOEXEC), 'newinstance,ptmxmode=0666,mode=0620')
  C.symlink('pts/ptmx', 'dev/ptmx')
  C.symlink('/proc/self/fd', 'dev/fd')
  for i, name in ipairs{'stdin', 'stdout', 'stderr'} do C.symlink('/proc/self/fd/' .. i - 1, 'dev/' .. name) end

  -- The root: the old one goes under the new one, and away.
  C.pivot_root('.', '.')
  C.umount2('.', C.MNT_DETACH)
  C.chdir('/')
  C.umask(mode(0, 2, 2))
  C.sethostname('container')

  -- Rights: those that a root within its own files needs, and nothing that executables could add.
  C.cap_set_proc('cap_chown,cap_dac_override,cap_fowner,cap_fsetid,cap_kill,cap_setgid,cap_setuid=ep')
  set_no_new_privs()
]]

local fs = require 'filesystem'

-- A tree with busybox, and its programs as links to it.
local function busybox_tree(dir)
  local busybox
  for folder in (system.environment.PATH or ''):gmatch '[^:]+' do
    local candidate = path.new(folder) / 'busybox'
    local ok, there = pcall(fs.exists, candidate)
    if ok and there then busybox = candidate break end
  end
  if not busybox then error('no busybox: install it, or name a tree with --root', 0) end
  fs.create_directories(dir / 'bin')
  fs.copy_file(busybox, dir / 'bin' / 'busybox')
  local source, sink = require('pipe').pair()
  sink = sink:release()
  local list = system.spawn{program = busybox, arguments = {'busybox', '--list'}, stdout = sink}
  sink:close()
  local lines = stream.scanner.new{stream = source}
  while true do
    local ok, name = pcall(lines.get_line, lines)
    if not ok then break end
    name = dir / 'bin' / tostring(name)
    if not fs.exists(name) then fs.create_symlink(path.new 'busybox', name) end
  end
  list:wait()
  return dir
end

-- The terminal of the container, on ours, until nobody has it open any more.
local function talk(console)
  local master = serial_port.new(console)
  local is_terminal = system.in_:isatty()
  local mode = is_terminal and system.in_:terminal_mode()
  if is_terminal then system.in_:set_terminal_mode 'raw' end
  local keys = spawn(function()
    local buffer = byte_span.new(4096)
    while true do
      local ok, n = pcall(system.in_.read_some, system.in_, buffer)
      if not ok then break end
      stream.write_all(master, buffer:first(n))
    end
    stream.write_all(master, '\4')
  end)
  local resized = system.signal.set.new(system.signal.SIGWINCH)
  local resizer = spawn(function()
    while true do
      resized:wait()
      if is_terminal then master:set_window_size(system.in_:window_size()) end
    end
  end)
  local buffer = byte_span.new(4096)
  while true do
    local ok, n = pcall(master.read_some, master, buffer)
    if not ok then break end
    stream.write_all(system.out, buffer:first(n))
  end
  keys:interrupt()
  resizer:interrupt()
  if is_terminal then system.in_:set_terminal_mode(mode) end
end

-- What /proc/PID has about users. Without privileges one may only say that root inside is oneself; root gives the container
-- 65536 users that nobody else is.
local function user_tables()
  local uid, gid = (system.getresuid()), (system.getresgid())
  if uid == 0 then return {setgroups = 'allow', uid_map = '0 100000 65536', gid_map = '0 100000 65536'} end
  return {setgroups = 'deny', uid_map = '0 ' .. uid .. ' 1', gid_map = '0 ' .. gid .. ' 1'}
end

-- A pair of virtual devices, one on this side and one inside (ip(8), of iproute2).
local function connect(container, network)
  local function ip(namespace, ...)
    local p = system.spawn{
      program = 'ip', arguments = {'ip', ...}, environment = system.environment, stderr = 'share', setns_net = namespace,
    }
    p:wait()
    if p.exit_code ~= 0 then error('the network could not be made', 0) end
  end
  local pid = tostring(container.child_pid)
  local device = 'host' .. pid
  ip(nil, 'link', 'add', device, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pid)
  ip(nil, 'address', 'add', network .. '.1/24', 'dev', device)
  ip(nil, 'link', 'set', device, 'up')
  local inside = fs.open(path.new('/proc/' .. pid .. '/ns/net'), {'read_only'})
  ip(inside, 'address', 'add', network .. '.2/24', 'dev', 'eth0')
  ip(inside, 'link', 'set', 'eth0', 'up')
  ip(inside, 'link', 'set', 'lo', 'up')
  inside:close()
end

local unix, file, pipe = require 'unix', require 'file', require 'pipe'

-- Its exit status.
local function run(arguments, tree, mount_point, network)
  local near, far = unix.seqpacket.socket.pair()
  far = far:release()
  local container = spawn_vm{
    module = '.',
    subprocess = {
      newns_user = true, newns_mount = true, newns_pid = true, newns_net = true, newns_uts = true, newns_ipc = true,
      stderr = 'share',
      init = {script = INIT, arg = far},
    },
  }
  far:close()
  container:monitor()

  local ok, why = pcall(function()
    local tables = user_tables()
    for _, name in ipairs{'setgroups', 'uid_map', 'gid_map'} do
      local f = file.stream.new()
      f:open(fs.path.new('/proc/' .. container.child_pid .. '/' .. name), {'write_only'})
      f:write_some(byte_span.append(tables[name]))
      f:close()
    end
    if network then connect(container, network) end
    near:send(byte_span.append(tostring(mount_point)))
    near:send(byte_span.append(tostring(tree)))
    -- A message is small, and arguments may be long: they come through a pipe.
    local source, sink = pipe.pair()
    source = source:release()
    local order = {from = inbox, term = system.environment.TERM or 'dumb', arguments = source}
    if system.in_:isatty() then order.columns, order.rows = system.in_:window_size() end
    container:send(order)
    source:close()
    stream.write_all(sink, table.concat(arguments, '\0') .. '\0')
    sink:close()
  end)
  near:close()
  if not ok then
    pcall(container.kill, container)
    error(why, 0)
  end

  while true do
    local message = inbox:receive()
    if message.console then talk(message.console) end
    if message.down then
      return message.reason == nil and 0 or tonumber(message.reason:match 'exit status (%d+)') or 1
    end
  end
end

local arguments = {unpack(system.arguments, 3)}
local base = fs.temp_directory_path() / ('container-' .. system.getpid())
if not fs.create_directory(base) then error(tostring(base) .. ' is there already') end
local ok, status = pcall(function()
  local options = {}
  while arguments[1] == '--root' or arguments[1] == '--network' do
    options[table.remove(arguments, 1)] = table.remove(arguments, 1) or ''
  end
  local tree = options['--root'] and fs.canonical(path.new(options['--root']))
  if #arguments == 0 then arguments = {'sh'} end
  fs.create_directory(base / 'mount')
  fs.chmod(base, fs.mode(7, 5, 5))
  return run(arguments, tree or busybox_tree(base / 'tree'), base / 'mount', options['--network'])
end)
pcall(fs.remove_all, base)
if not ok then
  stream.write_all(system.err, 'container: ' .. tostring(status) .. '\n')
  status = 1
end
system.exit(status)
