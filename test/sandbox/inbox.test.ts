/** `sandbox = 'inbox'`: every wall at once; what arrives as a message works, and nothing else does. */
import test from 'node:test';
import { openReactor } from '../support/faulty.ts';
import { noSandboxes } from '../support/sandboxes.ts';
import { runLua, type SpecOptions, spec } from '../support/spec.ts';
import { SLURP } from './slurp.ts';

const missing = noSandboxes();

const TOOLS = `
  local inbox, fs, file, time = require 'inbox', require 'filesystem', require 'file', require 'time'
${SLURP}  local function proc(pid, what) return slurp('/proc/' .. pid .. '/' .. what) end
  local function sandbox(module, more)
    local options = {sandbox = 'inbox', stderr = 'share'}
    for k, v in pairs(more or {}) do options[k] = v end
    return spawn_vm{module = module, subprocess = options}
  end
  local function actor(c)
    local pid = c.child_pid
    return proc(pid, 'task/' .. pid .. '/children'):match('%d+')
  end
`;

if (missing === undefined) {
  await openReactor();
  await runLua(
    `${TOOLS}
    proc('self', 'status')
    local ring = file.stream.new() -- io_uring, which stays open
    ring:open(fs.path.new(tostring(_FILE.parent_path / 'ring')), {'write_only', 'create'})
    require('stream').write_all(ring, 'x')
    ring:close()
    for _, j in ipairs{false, true} do
      spawn_vm{module = './w', subprocess = {jitless = j}}
      spawn_vm{module = './w', subprocess = {jitless = j, sandbox = 'inbox'}}
    end
    spawn_vm{module = './w', subprocess = {sandbox = 'inbox', limits = {memory = 64 * 2^20}}}
  `,
    { files: { 'w.lua': '' } },
  );
} else test('sandboxes', { skip: missing });

function inside(name: string, source: string, expected: string, options: SpecOptions = {}): void {
  if (missing === undefined) spec(name, TOOLS + source, expected, { once: true, ...options });
}

const WAITER = `
  local inbox = require 'inbox'
  local home = inbox:receive()
  home:send 'ready'
  home:close()
  pcall(inbox.receive, inbox)
`;

inside(
  'PID 1 keeps nothing of the memory that it was made with',
  `
  local c = sandbox './w'
  c:send(inbox)
  print(inbox:receive())
  local function kilobytes(pid) return tonumber(proc(pid, 'status'):match('RssAnon:%s*(%d+)')) end
  -- It may be busy with that.
  for _ = 1, 20000 do
    if kilobytes(c.child_pid) < 2000 then break end
    time.sleep(0.01)
  end
  print(kilobytes(c.child_pid) < 2000, kilobytes(actor(c)) > 5000)
  c:close()
`,
  'ready\ntrue\ttrue\n',
  { files: { 'w.lua': WAITER } },
);

inside(
  'what the kernel says of it',
  `
  local c = sandbox './waiter'
  c:send(inbox)
  inbox:receive()
  print(#c.missing_walls)
  for _, pid in ipairs{c.child_pid, actor(c)} do
    local status = proc(pid, 'status')
    print(status:match('CapPrm:%s*(%x+)'), status:match('CapEff:%s*(%x+)'), status:match('CapBnd:%s*(%x+)'), status:match('NoNewPrivs:%s*(%d)'))
    local root = 0
    for _ in fs.directory_iterator(fs.path.new('/proc/' .. pid .. '/root')) do root = root + 1 end
    print(root, select(2, proc(pid, 'mounts'):gsub('\\n', '')), proc(pid, 'mounts'):match(' ro[, ]') ~= nil)
    for _, name in ipairs{'user', 'mnt', 'pid', 'net', 'uts', 'ipc', 'cgroup'} do
      local function of(p) return tostring(fs.read_symlink(fs.path.new('/proc/' .. p .. '/ns/' .. name))) end
      if of(pid) == of('self') then print('shares', name) end
    end
  end
  print(proc(actor(c), 'status'):match('Seccomp:%s*(%d)'))
  local limits = proc(actor(c), 'limits')
  print(limits:match('Max open files%s+(%d+)%s+(%d+)'))
  print(limits:match('Max core file size%s+(%d+)%s+(%d+)'))
  if require('system').getresuid() == 0 then print(proc(actor(c), 'status'):match('Uid:%s*(%d+)')) else print '65534' end
  c:close()
`,
  '0\n' +
    '0000000000000000\t0000000000000000\t0000000000000000\t1\n0\t1\ttrue\n'.repeat(2) +
    '2\n256\t256\n0\t0\n65534\n',
  { files: { 'waiter.lua': WAITER } },
);

inside(
  'nothing works before something arrives, and each failure is an error',
  `
  local c = sandbox './try'
  c:send(inbox)
  while true do
    local m = inbox:receive()
    if m == 'end' then break end
    print(m)
  end
  c:close()
`,
  `5 fibers
exists Operation not permitted
open Operation not permitted
mkdir Operation not permitted
directory Operation not permitted
tcp Operation not permitted
udp Operation not permitted
unix Operation not permitted
name error
program Operation not permitted
process No child processes
thread Operation not supported
threads Operation not supported
kill Operation not permitted
umask Operation not permitted
user Operation not permitted
leaf A leaf module cannot import child modules
module Module not found
actor Module not found
environment 0
stdout 0
stdin End of file
`,
  {
    files: {
      'waiter.lua': WAITER,
      'try.lua': `
      local inbox, system, fs, ip, unix = require 'inbox', require 'system', require 'filesystem', require 'ip', require 'unix'
      local file, time = require 'file', require 'time'
      local home = inbox:receive()
      local sum = 0
      local list = {}
      for i = 1, 5 do list[i] = spawn(function() time.sleep(0.001) sum = sum + 1 end) end
      for i = 1, 5 do list[i]:join() end
      home:send(sum .. ' fibers')
      local function try(name, f, ...)
        local ok, e = pcall(f, ...)
        home:send(name .. ' ' .. tostring(ok and 'works' or e))
      end
      local etc = fs.path.new '/etc'
      try('exists', fs.exists, etc)
      try('open', function() file.stream.new():open(require 'filesystem'.path.new '/etc/passwd', {'read_only'}) end)
      try('mkdir', fs.create_directory, fs.path.new '/x')
      try('directory', function() for _ in fs.directory_iterator(fs.path.new '/') do end end)
      try('tcp', function() ip.tcp.acceptor.new():open('v4') end)
      try('udp', function() ip.udp.socket.new():open('v4') end)
      try('unix', function() unix.stream.socket.new():connect('/x') end)
      home:send('name ' .. (pcall(ip.tcp.get_address_info, 'localhost', '1') and 'works' or 'error'))
      try('program', function() system.spawn{program = fs.path.new '/bin/true', arguments = {'true'}} end)
      try('process', function() spawn_vm{module = '.', subprocess = {}} end)
      try('thread', spawn_vm, {module = '.', inherit_context = false})
      try('threads', spawn_context_threads, 1)
      try('kill', system.kill, 1, 9)
      try('umask', fs.umask, 0)
      try('user', system.getresuid)
      try('leaf', require, './waiter')
      try('module', require, '/waiter')
      try('actor', spawn_vm, '/waiter')
      local n = 0
      for _ in pairs(system.environment) do n = n + 1 end
      home:send('environment ' .. n)
      home:send('stdout ' .. select('#', print('x')))
      try('stdin', system.in_.read_some, system.in_, byte_span.new(1))
      home:send 'end'
      `,
    },
  },
);

inside(
  'what is given works: a file, both ends of pipes, a connected socket, one that listens, addresses',
  `
  local pipe, stream, unix, ip = require 'pipe', require 'stream', require 'unix', require 'ip'
  local path = fs.path.new(tostring(_FILE.parent_path / 'data'))
  local f = file.stream.new()
  f:open(path, {'write_only', 'create'})
  stream.write_all(f, 'content of the file')
  f:close()
  f = file.stream.new()
  f:open(path, {'read_only'})
  local c = sandbox './user'
  c:send(inbox)
  local function give(kind, object)
    local fd = object:release()
    c:send{kind = kind, fd = fd}
    fd:close()
  end
  give('file', f)
  print(inbox:receive())
  local r, w = pipe.pair()
  give('write', w)
  local b = byte_span.new(100)
  print(b:slice(1, r:read_some(b)))
  r, w = pipe.pair()
  give('read', r)
  stream.write_all(w, 'into the pipe')
  w:close()
  print(inbox:receive())
  local acceptor = ip.tcp.acceptor.new()
  acceptor:open('v4')
  acceptor:bind('127.0.0.1', 0)
  acceptor:listen()
  local address, port = acceptor.local_address, acceptor.local_port
  give('acceptor', acceptor)
  local s = ip.tcp.socket.new()
  s:connect(address, port)
  print(b:slice(1, s:read_some(b)))
  s:close()
  local near, far = unix.stream.socket.pair()
  give('socket', far)
  print(b:slice(1, near:read_some(b)))
  near:close()
  c:send{kind = 'address', reply = inbox}
  print(inbox:receive())
  c:close()
`,
  `content of the file
through the pipe
into the pipe
accepted
through the socket
42
`,
  {
    files: {
      'user.lua': `
      local inbox, file, pipe, stream, ip, unix = require 'inbox', require 'file', require 'pipe', require 'stream', require 'ip', require 'unix'
      local home = inbox:receive()
      local b = byte_span.new(100)
      local use = {}
      function use.file(fd)
        local f = file.stream.new(fd)
        home:send(tostring(b:slice(1, f:read_some(b))))
      end
      function use.write(fd)
        local w = pipe.write_stream.new(fd)
        stream.write_all(w, 'through the pipe')
        w:close()
      end
      function use.read(fd)
        local r = pipe.read_stream.new(fd)
        home:send(tostring(b:slice(1, r:read_some(b))))
      end
      function use.acceptor(fd)
        local a = ip.tcp.acceptor.new()
        a:assign('v4', fd)
        local s = a:accept()
        stream.write_all(s, 'accepted')
        s:close()
      end
      function use.socket(fd)
        local s = unix.stream.socket.new(fd)
        stream.write_all(s, 'through the socket')
        s:close()
      end
      while true do
        local m = inbox:receive()
        if m.reply then
          m.reply:send(42)
          break
        end
        use[m.kind](m.fd)
      end
      `,
    },
  },
);

inside(
  'limits: memory, processor time, descriptors; and a program that never ends is killed',
  `
  local function ends(options, what)
    options.stderr = false
    options.stderr = nil
    local c = spawn_vm{module = './hog', subprocess = {sandbox = 'inbox', limits = options}}
    c:monitor()
    c:send{home = inbox, what = what}
    local m
    repeat m = inbox:receive() until type(m) == 'table' or m ~= 'ready'
    if type(m) == 'table' then print(what, m.reason ~= nil) else print(what, m) end
    return c, m
  end
  ends({memory = 64 * 2^20}, 'memory')
  ends({cpu = 1}, 'cpu')
  ends({files = 40}, 'files')
  repeat until type(inbox:receive()) == 'table' -- it has ended
  local c = spawn_vm{module = './hog', subprocess = {sandbox = 'inbox'}}
  c:monitor()
  c:send{home = inbox, what = 'loop'}
  print(inbox:receive())
  c:kill()
  local m
  repeat m = inbox:receive() until type(m) == 'table' and m.reason
  print(m.reason)
  for _, limits in ipairs{1, {memory = 'x'}, {memory = 2^24 - 1}, {cpu = 0}, {files = -1}} do
    print(select(2, pcall(spawn_vm, {module = './hog', subprocess = {sandbox = 'inbox', limits = limits}})).arg)
  end
  print(select(2, pcall(spawn_vm, {module = './hog', subprocess = {sandbox = true}})).arg)
`,
  `memory	true
cpu	true
files	Too many open files
ready
killed by SIGKILL
subprocess/limits
subprocess/limits/memory
subprocess/limits/memory
subprocess/limits/cpu
subprocess/limits/files
subprocess/sandbox
`,
  {
    files: {
      'hog.lua': `
      local inbox, pipe = require 'inbox', require 'pipe'
      local m = inbox:receive()
      m.home:send 'ready'
      if m.what == 'memory' then
        local t = {}
        for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end
      elseif m.what == 'files' then
        local keep, system = {}, require 'system'
        while true do
          local ok, fd = pcall(system.in_.dup)
          if not ok then m.home:send(tostring(fd)) break end
          keep[#keep + 1] = fd
        end
      else
        while true do end
      end
      `,
    },
  },
);

inside(
  'jitless and isolated sandboxes',
  `
  for _, more in ipairs{{jitless = true}, {isolate = 'exec'}} do
    local c = sandbox('./waiter', more)
    c:monitor()
    c:send(inbox)
    print(inbox:receive())
    c:close()
    print(inbox:receive().down)
  end
`,
  'ready\ntrue\nready\ntrue\n',
  { files: { 'waiter.lua': WAITER } },
);
