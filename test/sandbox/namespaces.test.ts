/** Processes of actors in namespaces of their own: init.script, PID 1, what is inherited and what not. */
import test from 'node:test';
import { nativeFailure } from '../../src/sys/native.ts';
import { EARLY_SIGNALS } from '../actors/programs.ts';
import { openReactor } from '../support/faulty.ts';
import { noNamespaces } from '../support/sandboxes.ts';
import { runLua, type SpecOptions, spec } from '../support/spec.ts';
import { SLURP } from './slurp.ts';

const missing = nativeFailure() ?? noNamespaces();

const TOOLS = `
  local inbox, fs, file = require 'inbox', require 'filesystem', require 'file'
${SLURP}  local function proc(pid, what) return slurp('/proc/' .. pid .. '/' .. what) end
  local function children(pid)
    local list = {}
    for p in proc(pid, 'task/' .. pid .. '/children'):gmatch('%d+') do list[#list + 1] = p end
    return list
  end
  local function namespace(pid, name) return tostring(fs.read_symlink(fs.path.new('/proc/' .. pid .. '/ns/' .. name))) end
  local ALL = {stderr = 'share', newns_user = true, newns_mount = true, newns_pid = true, newns_net = true,
    newns_uts = true, newns_ipc = true}
`;

if (missing === undefined) {
  await openReactor();
  // Supervisors and the ring for files stay, once they are there.
  await runLua(
    `${TOOLS}
    proc('self', 'status')
    for _, j in ipairs{false, true} do spawn_vm{module = './w', subprocess = {jitless = j}} end
  `,
    { files: { 'w.lua': '' } },
  );
} else test('namespaces', { skip: missing });

function inside(name: string, source: string, expected: string, options: SpecOptions = {}): void {
  if (missing === undefined) spec(name, TOOLS + source, expected, { once: true, ...options });
}

const WAITER = `
  local inbox = require 'inbox'
  local home = inbox:receive()
  home:send(require('system').getpid())
  home:close()
  pcall(inbox.receive, inbox)
`;

inside(
  'each flag is a namespace, and nothing else is new',
  `
  local names = {newns_user = 'user', newns_mount = 'mnt', newns_net = 'net', newns_uts = 'uts', newns_ipc = 'ipc'}
  for _, flag in ipairs{'newns_user', 'newns_mount', 'newns_net', 'newns_uts', 'newns_ipc'} do
    local c = spawn_vm{module = './waiter', subprocess = {newns_user = true, [flag] = true, stderr = 'share'}}
    c:send(inbox)
    inbox:receive()
    local new = {}
    for _, name in ipairs{'ipc', 'mnt', 'net', 'pid', 'user', 'uts'} do
      if namespace(c.child_pid, name) ~= namespace('self', name) then new[#new + 1] = name end
    end
    print(table.concat(new, ' '))
    c:close()
  end
`,
  'user\nmnt user\nnet user\nuser uts\nipc user\n',
  { files: { 'waiter.lua': WAITER } },
);

inside(
  'a process namespace: PID 1 has only a pipe open, to say how the actor has ended, which is another process',
  `
  local c = spawn_vm{module = './waiter', subprocess = ALL}
  c:send(inbox)
  print(inbox:receive())
  local init = c.child_pid
  for entry in fs.directory_iterator(fs.path.new('/proc/' .. init .. '/fd')) do
    print(entry.path.filename, tostring(fs.read_symlink(entry.path)):match('^%a+'))
  end
  print(#children(init))
  local actor = children(init)[1]
  print(proc(actor, 'status'):match('NSpid:[^\\n]*'):match('%d+$'), proc(init, 'status'):match('NSpid:[^\\n]*'):match('%d+$'))
  print(namespace(actor, 'pid') ~= namespace('self', 'pid'))
`,
  '2\n0\tpipe\n1\n2\t1\ntrue\n',
  { files: { 'waiter.lua': WAITER } },
);

inside(
  'PID 1 of a process with a script has nothing open',
  `
  local options = {init = {script = ''}, stderr = 'share'}
  for k, v in pairs(ALL) do options[k] = v end
  local c = spawn_vm{module = './waiter', subprocess = options}
  c:send(inbox)
  print(inbox:receive())
  local n = 0
  for _ in fs.directory_iterator(fs.path.new('/proc/' .. c.child_pid .. '/fd')) do n = n + 1 end
  print(n)
`,
  '2\n0\n',
  { files: { 'waiter.lua': WAITER } },
);

inside(
  'the end of an actor that leaves others in its namespace is told when they have ended, too',
  `
  local c = spawn_vm{module = './leaves', subprocess = ALL}
  c:monitor()
  c:send(inbox)
  print(inbox:receive())
  local time = require 'time'
  while #children(c.child_pid) ~= 2 do time.sleep(0.01) end -- the actor, and the one that sleeps
  local sleeper = children(c.child_pid)[2]
  c:send 'end'
  print(inbox:receive().reason)
  print(pcall(proc, sleeper, 'status') and proc(sleeper, 'status'):match('State:%s*(%a)') or 'gone')
`,
  'started\nnil\ngone\n',
  {
    files: {
      'leaves.lua': `
      local inbox, system, fs = require 'inbox', require 'system', require 'filesystem'
      local home = inbox:receive()
      system.spawn{program = fs.path.new '/bin/sh', arguments = {'sh', '-c', 'sleep 100 & exit 0'}}:wait()
      home:send 'started'
      inbox:receive()
    `,
    },
  },
);

inside(
  'PID 1 forwards signals, and passes the status of the actor on',
  `
  local function new()
    local c = spawn_vm{module = './waiter', subprocess = ALL}
    c:monitor()
    c:send(inbox)
    inbox:receive()
    return c
  end
  for _, signal in ipairs{15, 10, 12, 1, 2} do
    local c = new()
    c:kill(signal)
    print(inbox:receive().reason)
  end
  local c = new()
  c:kill(3) -- not forwarded, and PID 1 of a namespace has no defaults
  c:kill(15)
  print(inbox:receive().reason)
  c = new()
  c:close()
  print(inbox:receive().reason)
  c = spawn_vm{module = './exit', subprocess = ALL}
  c:monitor()
  print(inbox:receive().reason)
`,
  'exit status 143\nexit status 138\nexit status 140\nexit status 129\nexit status 130\nexit status 143\nnil\nexit status 9\n',
  { files: { 'waiter.lua': WAITER, 'exit.lua': `require('system').exit(9)` } },
);

inside(
  'a signal that PID 1 gets when it has hardly begun is passed on',
  `${EARLY_SIGNALS}
  endings{newns_user = true, newns_pid = true}
`,
  'exit status 143\n',
  { files: { 'w.lua': `require('inbox'):receive()` } },
);

inside(
  'killing PID 1 ends all that is in its namespace, orphans included; it reaps them',
  `
  local c = spawn_vm{module = './orphans', subprocess = ALL}
  c:monitor()
  c:send(inbox)
  print(inbox:receive())
  local init = c.child_pid
  local time = require 'time'
  local function states()
    local count = {}
    for _, pid in ipairs(children(init)) do
      local s = proc(pid, 'status'):match('State:%s*(%a)')
      count[s] = (count[s] or 0) + 1
    end
    return count
  end
  while #children(init) ~= 2 do time.sleep(0.01) end -- the actor, and the one that sleeps
  print(states().Z)
  local sleeper = children(init)[2]
  c:kill()
  print(inbox:receive().reason)
  while pcall(proc, sleeper, 'status') and not proc(sleeper, 'status'):match('State:%s*[ZX]') do time.sleep(0.01) end
  print 'gone'
`,
  'started\nnil\nkilled by SIGKILL\ngone\n',
  {
    files: {
      'orphans.lua': `
      local inbox, system, fs = require 'inbox', require 'system', require 'filesystem'
      local home = inbox:receive()
      local p = system.spawn{program = fs.path.new '/bin/sh', arguments = {'sh', '-c', 'true & true & sleep 100 & exit 0'}}
      p:wait()
      home:send 'started'
      inbox:receive()
      `,
    },
  },
);

inside(
  'init.script runs first, with its descriptor; what it leaves open is closed',
  `
  local pipe, stream = require 'pipe', require 'stream'
  local r, w = pipe.pair()
  local arg = w:release()
  local options = {}
  for k, v in pairs(ALL) do options[k] = v end
  options.init = {arg = arg, script = [[
    local leak = C.open('/', C.O_RDONLY)
    C.sethostname('inside')
    C.write(arg, 'script')
  ]]}
  local c = spawn_vm{module = './waiter', subprocess = options}
  print(arg.type)
  arg:close()
  local b = byte_span.new(6)
  stream.read_all(r, b)
  print(b)
  c:send(inbox)
  inbox:receive()
  print(pcall(r.read_some, r, b)) -- the script's descriptor is closed in both processes
  local actor = children(c.child_pid)[1]
  local other = 0
  for e in fs.directory_iterator(fs.path.new('/proc/' .. actor .. '/fd')) do
    -- one may be closed meanwhile
    local ok, target = pcall(fs.read_symlink, e.path)
    target = ok and tostring(target) or 'pipe'
    if not target:match('^pipe') and not target:match('^anon_inode') and not target:match('^socket') then other = other + 1 end
  end
  print(other)
`,
  'fifo\nscript\nfalse\tEnd of file\n0\n',
  { files: { 'waiter.lua': WAITER } },
);

inside(
  'an init.script that fails ends the process with a message',
  `
  local pipe = require 'pipe'
  for _, script in ipairs{"error 'oh'", "C.open('/does/not/exist', C.O_RDONLY)"} do
    local r, w = pipe.pair()
    w = w:release()
    local c = spawn_vm{module = './waiter', subprocess = {stderr = w, init = {script = script}}}
    w:close()
    c:monitor()
    print(inbox:receive().reason)
    local b = byte_span.new(300)
    print(tostring(b:slice(1, r:read_some(b))):match('^<3>ipc_actor/init') )
    print(pcall(c.send, c, 1))
  end
  for _, init in ipairs{{}, {script = 1}, {script = '', arg = 1}} do
    local ok, e = pcall(spawn_vm, {module = './waiter', subprocess = {init = init}})
    print(e.arg)
  end
`,
  'exit status 1\n<3>ipc_actor/init\nfalse\tBroken pipe\n'.repeat(2) +
    'subprocess/init/script\nsubprocess/init/script\nsubprocess/init/arg\n',
  { files: { 'waiter.lua': WAITER } },
);

inside(
  'sandboxes in sandboxes',
  `
  local options = {}
  for k, v in pairs(ALL) do options[k] = v end
  -- Who makes a user namespace must have a name in the one that it is in.
  options.init = {script = [[
    local function write(path, text)
      local fd = C.open(path, C.O_WRONLY)
      C.write(fd, text)
      C.close(fd)
    end
    write('/proc/self/setgroups', 'deny')
    write('/proc/self/uid_map', '0 ${process.getuid!()} 1')
    write('/proc/self/gid_map', '0 ${process.getgid!()} 1')
  ]]}
  local c = spawn_vm{module = './outer', subprocess = options}
  c:send(inbox)
  print(inbox:receive(), inbox:receive())
  c:close()
`,
  '2\t2\n',
  {
    files: {
      'outer.lua': `
      local inbox = require 'inbox'
      local home = inbox:receive()
      home:send(require('system').getpid())
      local c = spawn_vm{module = '../inner', subprocess = {newns_user = true, newns_pid = true, stderr = 'share'}}
      c:send(home)
      pcall(inbox.receive, inbox)
      c:close()
      `,
      'inner.lua': WAITER,
    },
  },
);

inside(
  'isolate: processes of one supervisor share the layout of their memory, these do not',
  `
  local function layout(options)
    options.stderr = 'share'
    local c = spawn_vm{module = './waiter', subprocess = options}
    c:monitor()
    c:send(inbox)
    inbox:receive()
    local text = proc(c.child_pid, 'maps'):match('([^\\n]*)%[stack%]')
    c:close()
    print(inbox:receive().reason)
    return text
  end
  local a, b = layout{}, layout{}
  local x, y = layout{isolate = 'exec'}, layout{isolate = 'exec'}
  print(a == b, x == a, x == y)
  local time = require 'time'
  while #children(require('system').getpid()) > 2 do time.sleep(0.02) end -- their supervisors go, too
`,
  'nil\n'.repeat(4) + 'true\tfalse\tfalse\n',
  { files: { 'waiter.lua': WAITER } },
);

inside(
  'jitless: no memory can be executed but that of files',
  `
  local function executable(options)
    options.stderr = 'share'
    local c = spawn_vm{module = './waiter', subprocess = options}
    c:send(inbox)
    inbox:receive()
    local n = 0
    for line in proc(c.child_pid, 'maps'):gmatch('[^\\n]+') do
      if line:match('^%S+ ..x. ') and not line:match('/') and not line:match('%[v') then n = n + 1 end
    end
    return n
  end
  print(executable{} > 0, executable{jitless = true})
  local ok, e = pcall(spawn_vm, {module = './waiter', subprocess = {jitless = true, init = {script = ''}}})
  print(e)
`,
  'true\t0\nOperation not supported\n',
  { files: { 'waiter.lua': WAITER } },
);

inside(
  'a supervisor that is killed takes all along, and the next actor gets another',
  `
  local system, time = require 'system', require 'time'
  local c = spawn_vm{module = './waiter', subprocess = {stderr = 'share'}}
  c:monitor()
  c:send(inbox)
  local pid = inbox:receive()
  local parent = tonumber(proc(pid, 'status'):match('PPid:%s*(%d+)'))
  system.kill(parent, 9)
  print(inbox:receive().reason)
  local ok, e
  repeat ok, e = pcall(c.send, c, 1) time.sleep(0.01) until not ok
  c = spawn_vm{module = './waiter', subprocess = {stderr = 'share'}}
  c:send(inbox)
  print(inbox:receive() ~= pid)
`,
  'killed by SIGKILL\ntrue\n',
  { files: { 'waiter.lua': WAITER } },
);
