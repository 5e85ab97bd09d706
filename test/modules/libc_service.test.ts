/** `libc_service`: what programs and actors that may do nothing are answered by somebody who may. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { nativeFailure } from '../../src/sys/native.ts';
import { openReactor } from '../support/faulty.ts';
import { noSandboxes } from '../support/sandboxes.ts';
import { runLua, type SpecOptions, spec } from '../support/spec.ts';

const failure = nativeFailure();
const folder = mkdtempSync(join(tmpdir(), 'perilune-libc-'));
after(() => rmSync(folder, { recursive: true, force: true }));
writeFileSync(join(folder, 'one'), 'one');
writeFileSync(join(folder, 'two'), 'two');

const CALLS = join(folder, 'calls');
const hasCompiler = spawnSync('cc', ['--version']).error === undefined;
if (hasCompiler) {
  const source = join(import.meta.dirname, 'libc_service-calls.c');
  const options = ['-O1', '-pthread', '-Wl,-z,now', '-Wall', '-Wextra', '-o', CALLS, source];
  assert.equal(spawnSync('cc', options, { encoding: 'utf8' }).stderr, '');
}

const SETUP = `
  local libc_service, system, pipe = require 'libc_service', require 'system', require 'pipe'
  local stream, fs, ip, unix = require 'stream', require 'filesystem', require 'ip', require 'unix'
  local ge, file, time = require 'generic_error', require 'file', require 'time'
  local FOLDER, CALLS = '${folder}/', '${CALLS}'
  local function path(s) return fs.path.new(s) end
  local function open(name) return fs.open(path(FOLDER .. name), {'read_only'}) end
  local function fails(f, ...)
    local ok, e = pcall(f, ...)
    if ok then return 'no error' end
    return tostring(e), e.arg
  end
  local function words(t) return type(t) == 'table' and table.concat(t, ',') or tostring(t) end
  local function read_to_end(r)
    local b, text = byte_span.new(4096), ''
    while true do
      local ok, n = pcall(r.read_some, r, b)
      if not ok then r:close() return text end
      text = text .. tostring(b:first(n))
    end
  end
  local together = false
  -- A program with the slave; what it prints is printed when it has ended.
  local function start(slave, name, ...)
    local r, w = pipe.pair()
    w = w:release()
    local p = system.spawn{
      program = name, arguments = {name, ...}, stdout = w, stderr = together and w or 'share',
      environment = {LD_PRELOAD = libc_service.preload_library, LC_ALL = 'C'}, extra_fds = {[3] = slave},
    }
    w:close()
    return p, r
  end
  -- Answer until nobody can ask any more.
  local function serve(master, answer)
    while true do
      local ok, e = pcall(master.receive, master)
      if not ok then return e end
      answer(master.function_, master:arguments())
    end
  end
  -- Run it, with answers of this function.
  local filters = {}
  local function run(answer, ...)
    local master, slave = libc_service.new()
    for name, source in pairs(filters) do slave[name] = source end
    local p, r = start(slave, ...)
    local output
    local reader = spawn(function() output = read_to_end(r) end)
    local e = serve(master, function(...) answer(master, ...) end)
    reader:join()
    p:wait()
    if tostring(e) ~= 'End of file' then print(e) end
    if p.exit_code ~= 0 then print('exit', p.exit_code) end
    io_write(output)
    master:close()
  end
  -- Say what was asked, and that it can't be done.
  local function refuse(master, call, ...)
    local list = {}
    for i, v in ipairs{...} do list[i] = words(v) end
    print(call, unpack(list))
    if call == 'getaddrinfo' then master:send('noname') else master:send(-1, ge.EROFS) end
  end
`.replace('io_write(output)', 'if output ~= "" then print((output:gsub("\\n$", ""))) end');

if (failure === undefined) {
  await openReactor();
  // What stays open once it is there: supervisors, and io_uring.
  const warmUp = `
    local fs, file = require 'filesystem', require 'file'
    spawn_vm{module = './w', subprocess = {}}
    pcall(spawn_vm, {module = './w', subprocess = {sandbox = 'inbox'}})
    local f = file.stream.new()
    f:open(_FILE.parent_path / 'ring', {'write_only', 'create'})
    require('stream').write_all(f, 'x')
    f:close()
  `;
  await runLua(warmUp, { files: { 'w.lua': '' } });
}

function service(name: string, source: string, expected: string, options: SpecOptions = {}): void {
  if (failure === undefined) spec(name, SETUP + source, expected, options);
  else test(name, { skip: failure });
}

function calls(name: string, source: string, expected: string, options: SpecOptions = {}): void {
  if (hasCompiler) service(name, source, expected, options);
  else test(name, { skip: 'there is no C compiler' });
}

// ── objects ────────────────────────────────────────────────────────────────────────────────────────

service(
  'a slave can be written to, and its names are those of calls',
  `
  local master, slave = libc_service.new()
  for _, name in ipairs{'open', 'openat', 'unlink', 'rename', 'stat', 'lstat', 'access', 'eaccess', 'mkdir', 'rmdir',
      'connect_unix', 'connect_inet', 'connect_inet6', 'bind_unix', 'bind_inet', 'bind_inet6', 'getaddrinfo'} do
    slave[name] = 'return -1'
  end
  print(fails(function() slave.close = 'x' end))
  print(fails(function() slave[1] = 'x' end))
  print(fails(function() slave.open = 1 end))
  print(fails(function() slave.open = nil end))
  print(fails(function() return slave.open end))
  print(fails(function() return master.nothing end))
  master:close()
  master:close()
  `,
  `Invalid argument\t2
Invalid argument\t2
Invalid argument\t3
Invalid argument\t3
Requested key wasn't found in the table/userdata\tnil
Requested key wasn't found in the table/userdata\tnil
`,
);

service(
  'a slave is given away once; a program that can not be started leaves it as it was',
  `
  local master, slave = libc_service.new()
  slave.stat = 'return -1, 1'
  print(fails(start, slave, '/no/such/program'))
  print(fails(spawn_vm, {module = './nothing', subprocess = {libc_service = slave}}))
  local p, r = start(slave, 'true')
  p:wait()
  r:close()
  print(fails(start, slave, 'true'))
  print(fails(spawn_vm, {module = './w', subprocess = {libc_service = slave}}))
  print(fails(function() slave.open = '' end))
  print(fails(spawn_vm, {module = './w', subprocess = {libc_service = true}}))
  print(fails(spawn_vm, {module = './w', subprocess = {libc_service = master}}))
  print(fails(master.receive, master))
  master:close()
  print(fails(master.receive, master))
  `,
  `No such file or directory\tprogram
Module not found\tnil
Device or resource busy\textra_fds
Device or resource busy\tsubprocess/libc_service
Device or resource busy\tnil
Invalid argument\tsubprocess/libc_service
Invalid argument\tsubprocess/libc_service
End of file\tnil
Bad file descriptor\tnil
`,
  { files: { 'w.lua': '' } },
);

service(
  'one question after the other: what is out of order is an error',
  `
  local master, slave = libc_service.new()
  local function args(m)
    local list = {m:arguments()}
    for i, v in ipairs(list) do list[i] = words(v) end
    return list
  end
  print(fails(master.arguments, master))
  print(fails(function() return master.function_ end))
  print(fails(function() master.function_ = 'open' end))
  print(fails(master.descriptors, master))
  print(fails(master.send, master, 0))
  print(fails(master.send_with_fds, master, 0, {}))
  print(fails(master.use_slave_credentials, master))
  local other = spawn(function() master:receive() end)
  this_fiber.yield()
  print(fails(master.receive, master))
  local p, r = start(slave, 'cat', '/a', '/b')
  other:join()
  print(master.function_, unpack(args(master)))
  print(fails(master.receive, master))
  print(fails(master.descriptors, master))
  print(fails(master.send, master, 'text'))
  print(fails(master.send, master, -1, 'text'))
  print(fails(master.send, master, -1, require('asio_error').misc.eof))
  print(fails(master.send_with_fds, master, 0, 'x'))
  print(fails(master.send_with_fds, master, 0, {1}))
  local fd = open 'one'
  fd:close()
  print(fails(master.send_with_fds, master, 0, {fd}))
  local many = {}
  for i = 1, 9 do many[i] = open 'one' end
  print(fails(master.send_with_fds, master, 0, many))
  for i = 1, 9 do many[i]:close() end
  master:send(-1, ge.EACCES)
  print(fails(master.send, master, 0))
  master:receive()
  print(unpack(args(master)))
  fd = open 'two'
  master:send_with_fds(0, {fd, fd})
  fd:close()
  print(fails(master.receive, master))
  print(read_to_end(r))
  p:wait()
  `,
  `No message of desired type\tnil
No message of desired type\tnil
Operation not permitted\tnil
No message of desired type\tnil
Invalid argument\tnil
Invalid argument\tnil
Invalid argument\t1
Device or resource busy\tnil
open\t/a\tread_only
Invalid argument\t1
Invalid argument\t1
bad argument #2 to 'send' (number expected, got string)\tnil
Invalid argument\t3
Invalid argument\t3
Invalid argument\t3
Invalid argument\t3
Device or resource busy\tnil
Value too large for defined data type\t3
Invalid argument\tnil
/b\tread_only
End of file\tnil
two
`,
);

// ── calls ──────────────────────────────────────────────────────────────────────────────────────────

calls(
  'what is asked, and how it fails',
  `run(refuse, CALLS, 'open', 'open64', 'open_create', 'creat', 'fopen', 'opendir', 'unlink', 'unlinkat', 'remove', 'rmdir',
    'rename', 'renameat2', 'mkdir', 'access', 'access_f', 'eaccess', 'faccessat', 'stat', 'stat64', 'lstat', 'statx',
    'connect_inet', 'connect_inet6', 'connect_unix', 'connect_abstract', 'bind_inet', 'bind_inet6', 'bind_unix', 'getaddrinfo',
    'getaddrinfo_any')`,
  `open\t/a\tread_only
open\t/a\tread_only
open\t/a\tcreate,exclusive,read_write\t416
open\t/a\tcreate,truncate,write_only\t384
open\t/a\tread_only
open\t/a\tdirectory,read_only
unlink\t/a
unlink\t/a
unlink\t/a
rmdir\t/a
rename\t/a\t/b
mkdir\t/a\t488
access\t/a\tr,x
access\t/a\tf
eaccess\t/a\tw
eaccess\t/a\tr
stat\t/a
stat\t/a
lstat\t/a
stat\t/a
connect_inet\t10.1.2.3\t80
connect_inet6\tfd00::1%3\t81
connect_unix\t/run/x
connect_unix\t\0name
bind_inet\t10.1.2.3\t80
bind_inet6\tfd00::1%3\t81
bind_unix\t/run/x
getaddrinfo\thost.test\t443\ttcp
getaddrinfo\thost.test
open: EROFS
open64: EROFS
open_create: EROFS
creat: EROFS
fopen: EROFS
opendir: 0
unlink: EROFS
unlinkat: EROFS
remove: EROFS
rmdir: EROFS
rename: EROFS
renameat2: EINVAL
mkdir: EROFS
access: EROFS
access_f: EROFS
eaccess: EROFS
faccessat: EROFS
stat: EROFS
stat64: -1 0
lstat: -1 0
statx: -1 0 0
connect_inet: EROFS
connect_inet6: EROFS
connect_unix: EROFS
connect_abstract: EROFS
bind_inet: EROFS
bind_inet6: EROFS
bind_unix: EROFS
getaddrinfo: Name or service not known ${''}
getaddrinfo: Name or service not known ${''}
`,
);

calls(
  'what is opened is a descriptor of the program: as it would have been, and with the lowest number',
  `
  run(function(master)
    local pi, po = pipe.pair() -- one that never waits
    stream.write_all(po, 'from a pipe')
    po:close()
    pi = pi:release()
    local other = open 'one'
    master:send_with_fds(0, {pi, other})
    pi:close()
    other:close()
  end, CALLS, 'open', 'open64', 'open_create', 'fopen', 'open_low')
  `,
  `open: fd 7 from a pipe
open64: fd 7 closes from a pipe
open_create: fd 7 from a pipe
fopen: fd 8 from a pipe
open_low: fd 0 from a pipe
`,
);

calls(
  'a directory goes with what is opened in it',
  `
  run(function(master, call, ...)
    if call == 'open' then
      print(call, ..., words(select(2, ...)))
      local dir = fs.open(path(FOLDER), {'directory', 'path'})
      master:send_with_fds(0, {dir})
      dir:close()
    else
      local dir = master:descriptors()
      print(call, ..., words(select(2, ...)), select('#', ...), master:descriptors())
      local fd = dir:openat(path 'two', {'read_only'})
      master:send_with_fds(0, {fd})
      fd:close()
      dir:close()
    end
  end, CALLS, 'openat')
  `,
  `open\t/d\tdirectory,path,read_only
openat\tinside\tread_only\t2\tnil
openat: fd 8 two
`,
);

calls(
  'a result without a descriptor is the result, and errno',
  `
  run(function(master, call) master:send(-1, 13) end, CALLS, 'open', 'mkdir')
  run(function(master, call) master:send(-1) end, CALLS, 'open')
  run(function(master, call) master:send(0) end, CALLS, 'unlink', 'rename', 'access', 'rmdir', 'bind_inet')
  -- A failure takes no descriptor.
  run(function(master, call)
    local fd = open 'one'
    master:send_with_fds(-1, {fd}, ge.ENOENT)
    fd:close()
  end, CALLS, 'open', 'connect_inet', 'stat')
  `,
  `open: EACCES
mkdir: EACCES
open: 0
unlink: ok
rename: ok
access: ok
rmdir: ok
bind_inet: ok
open: ENOENT
connect_inet: ENOENT
stat: ENOENT
`,
);

calls(
  'what a file is, is what the master says',
  `
  run(function(master, call)
    master:send{
      type = 'symlink', mode = tonumber('640', 8), size = 2^40, uid = 7, gid = 8, dev = 9, ino = 2^53, nlink = 3, blksize = 512, blocks = 1,
      mtime = fs.clock.unix_epoch() + 12.5, atime = 1.25, ctime = time.system_clock.epoch() + 3, rdev = 4,
    }
  end, CALLS, 'stat', 'stat64', 'lstat', 'statx')
  run(function(master) master:send{} end, CALLS, 'stat')
  run(function(master) master:send{mode = tonumber('100644', 8)} end, CALLS, 'stat')
  run(function(master)
    for _, wrong in ipairs{{type = 'odd'}, {type = 1}, {mode = 'x'}, {size = 1.5}, {size = 1/0}, {mtime = 'x'}, {mtime = 1/0}, 0, 'x'} do
      print(fails(master.send, master, wrong))
    end
    master:send(-1, ge.ELOOP)
  end, CALLS, 'stat')
  `,
  `stat: 120640 1099511627776 7:8 12.500000000 dev 9 ino 9007199254740992 links 3
stat64: 0 1099511627776
lstat: 0 120640
statx: 0 1099511627776 120640
stat: 0 0 0:0 0.000000000 dev 0 ino 0 links 0
stat: 100644 0 0:0 0.000000000 dev 0 ino 0 links 0
${'Invalid argument\t2\n'.repeat(9)}stat: ELOOP
`,
);

calls(
  'the program may do itself what it has the right to',
  `
  local own = FOLDER .. 'own'
  fs.create_directory(path(own))
  run(function(master) master:use_slave_credentials() end, CALLS, 'in=' .. own, 'open', 'openat', 'stat', 'lstat', 'unlink', 'rename', 'access',
    'eaccess', 'connect_unix', 'bind_unix', 'mkdir', 'access_f', 'rename', 'rmdir', 'unnamed', 'getaddrinfo_numeric', 'long')
  fs.remove_all(path(own))
  `,
  `open: ENOENT
openat: EBADF
stat: ENOENT
lstat: -1 0
unlink: ENOENT
rename: ENOENT
access: ENOENT
eaccess: ENOENT
connect_unix: ENOENT
bind_unix: ok
mkdir: ok
access_f: ok
rename: ok
rmdir: ENOENT
unnamed: ok
getaddrinfo: 127.0.0.1 1 type 1, 1 of them
long: ENAMETOOLONG
`,
);

calls(
  'what the kernel knows of a file is all there for who is left to himself',
  `
  local own = FOLDER .. 'statx'
  fs.create_directory(path(own))
  fs.copy_file(path(FOLDER .. 'one'), path(own .. '/a'))
  run(function(master) master:use_slave_credentials() end, CALLS, 'in=' .. own, 'statx_all')
  fs.remove_all(path(own))
  `,
  `statx_all: 0 as the kernel has it
statx_wrong: EINVAL
`,
);

calls(
  'a thread is not cancelled in the middle of a question',
  `run(function(master, call) master:send(call == 'stat' and {} or 0) end, CALLS, 'cancelled', 'cancelled')`,
  `cancelled: 0, 0 left open
cancelled: 0, 0 left open
`,
);

calls(
  'that the master has gone is seen although a child has the socket for the answer',
  `
  local master, slave = libc_service.new()
  local p, r = start(slave, CALLS, 'fork_meanwhile')
  master:receive()
  print(master.function_, master:arguments())
  master:close()
  print((read_to_end(r):gsub('\\n$', '')))
  p:wait()
  print(p.exit_code)
  `,
  `stat\t/
fork_meanwhile: ok
0
`,
);

calls(
  'a socket that comes with the answer takes the place of the one that was to be connected or bound',
  `
  local function answer(master, call, ...)
    local fd = master:descriptors()
    print(call, fd ~= nil, master:descriptors())
    fd:close()
    if call:match '^bind' then
      local a = ip.tcp.acceptor.new()
      a:open(ip.address.loopback_v4())
      a:bind(ip.address.loopback_v4(), 0)
      fd = a:release()
    else
      local near, far = unix.stream.socket.pair()
      stream.write_all(far, 'hello')
      far:close()
      fd = near:release()
    end
    master:send_with_fds(0, {fd})
    fd:close()
  end
  run(answer, CALLS, 'connect_inet', 'connect_inet6', 'connect_unix')
  run(answer, CALLS, 'nonblock', 'connect_inet')
  run(answer, CALLS, 'bind_inet', 'listens')
  `,
  `connect_inet\ttrue\tnil
connect_inet6\ttrue\tnil
connect_unix\ttrue\tnil
connect_inet: hello
connect_inet6: hello
connect_unix: hello
connect_inet\ttrue\tnil
nonblock: ok
connect_inet: hello nonblock
bind_inet\ttrue\tnil
bind_inet: ok
listens: 0 1
`,
);

calls(
  'names of hosts: an error, no address, or one',
  `
  local function look(result, errno, ...)
    run(function(master, call, node, service, protocol)
      print(node, service, protocol)
      master:send(result, errno)
    end, CALLS, ...)
  end
  look({ip.address.new '10.9.8.7', 99}, nil, 'getaddrinfo')
  look({ip.address.new '10.9.8.7'}, nil, 'getaddrinfo')
  look({ip.address.new '10.9.8.7'}, nil, 'getaddrinfo_any')
  look({ip.address.new 'fd00::5%9', 1}, nil, 'getaddrinfo')
  look({ip.address.new 'fd00::5', 1}, nil, 'getaddrinfo_4')
  look({ip.address.new '10.9.8.7'}, nil, 'getaddrinfo_name')
  look(nil, nil, 'getaddrinfo')
  for _, name in ipairs{'again', 'badflags', 'fail', 'family', 'memory', 'noname', 'service', 'socktype'} do look(name, nil, 'getaddrinfo') end
  look('system', ge.EACCES, 'getaddrinfo')
  run(function(master)
    for _, wrong in ipairs{'nonsense', 1, {}, {'10.0.0.1'}, {ip.address.new '::1', 'x'}, {ip.address.new '::1', 65536}, {ip.address.new '::1', -1}} do
      print(fails(master.send, master, wrong))
    end
    master:send('noname')
  end, CALLS, 'getaddrinfo')
  `,
  `host.test\t443\ttcp
getaddrinfo: 10.9.8.7 99 type 1, 1 of them
host.test\t443\ttcp
getaddrinfo: 10.9.8.7 443 type 1, 1 of them
host.test\tnil\tnil
getaddrinfo: 10.9.8.7 0 type 1, 3 of them
host.test\t443\ttcp
getaddrinfo: fd00::5%9 1 type 1, 1 of them
host.test\t443\tudp
getaddrinfo: Name or service not known ${''}
host.test\t443\ttcp
getaddrinfo: 10.9.8.7 443 type 1, 1 of them
called host.test
host.test\t443\ttcp
getaddrinfo: No address associated with hostname ${''}
host.test\t443\ttcp
getaddrinfo: Temporary failure in name resolution ${''}
host.test\t443\ttcp
getaddrinfo: Bad value for ai_flags ${''}
host.test\t443\ttcp
getaddrinfo: Non-recoverable failure in name resolution ${''}
host.test\t443\ttcp
getaddrinfo: ai_family not supported ${''}
host.test\t443\ttcp
getaddrinfo: Memory allocation failure ${''}
host.test\t443\ttcp
getaddrinfo: Name or service not known ${''}
host.test\t443\ttcp
getaddrinfo: Servname not supported for ai_socktype ${''}
host.test\t443\ttcp
getaddrinfo: ai_socktype not supported ${''}
host.test\t443\ttcp
getaddrinfo: System error EACCES
Invalid argument\t2
Invalid argument\t2
Invalid argument\t2
Invalid argument\t2
Invalid argument\t2
Invalid argument\t2
Invalid argument\t2
getaddrinfo: Name or service not known ${''}
`,
);

calls(
  "threads and processes of the program get their own answers and nobody else's",
  `
  local count = 0
  local function answer(master, call, p)
    count = count + 1
    local n = tonumber(tostring(p):match '^/n/(%d+)$')
    if n then master:send{type = 'regular', size = n}
    else
      local fd = open 'one'
      master:send_with_fds(0, {fd})
      fd:close()
    end
  end
  run(answer, CALLS, 'threads', 'forks', 'exec', 'vfork')
  print(count)
  `,
  `threads: 0 wrong
forks: 0 wrong
open: fd 10 one
vfork: 0
702
`,
  { once: true },
);

calls(
  'who has closed the socket, or put another file in its place, is on his own',
  `
  run(refuse, CALLS, 'open', 'other', 'close', 'stat')
  local master, slave = libc_service.new()
  local r, w = pipe.pair()
  w = w:release()
  local p = system.spawn{
    program = CALLS, arguments = {CALLS, 'open', 'other', 'open'}, stdout = w, extra_fds = {[9] = slave},
    environment = {LD_PRELOAD = libc_service.preload_library},
  }
  w:close()
  print(serve(master, function(...) refuse(master, ...) end))
  p:wait()
  print((read_to_end(r):gsub('\\n$', '')))
  run(function(master) error 'not asked' end, CALLS, 'full')
  `,
  `open\t/a\tread_only
open: EROFS
other: ok
close: ok
stat: ENOENT
open\t/a\tread_only
End of file
open: EROFS
other: ok
open: ENOENT
full: EMFILE
`,
);

service(
  'without a service the library changes nothing',
  `
  local p = system.spawn{program = 'cat', arguments = {'cat', FOLDER .. 'one'}, environment = {LD_PRELOAD = libc_service.preload_library}, stdout = 'share'}
  p:wait()
  print(p.exit_code)
  `,
  '0\n',
);

// ── filters ────────────────────────────────────────────────────────────────────────────────────────

calls(
  'a filter may answer by itself: nobody is asked',
  `
  for _, name in ipairs{'open', 'openat', 'unlink', 'rename', 'access', 'eaccess', 'mkdir', 'rmdir', 'connect_unix', 'connect_inet',
      'connect_inet6', 'bind_unix', 'bind_inet', 'bind_inet6'} do
    filters[name] = 'return -1, C.ELOOP'
  end
  filters.stat = [[return {type = 'fifo', mode = 384, size = 5, mtime = 6, mtime_nsec = 7}]]
  filters.lstat = 'return -1, C.EXDEV'
  filters.getaddrinfo = 'return nil, {10, 0, 0, 1}, 22'
  run(refuse, CALLS, 'open', 'creat', 'fopen', 'unlink', 'remove', 'rename', 'access', 'eaccess', 'mkdir', 'rmdir', 'stat', 'statx', 'lstat',
    'connect_unix', 'connect_inet', 'connect_inet6', 'bind_unix', 'bind_inet', 'bind_inet6', 'getaddrinfo', 'getaddrinfo_4')
  filters = {getaddrinfo = [[local real, node, service, protocol = ...
    if protocol == 'tcp' then return 'again' end
    if protocol == 'udp' then return 'system', C.EIO end
    return nil]]}
  run(refuse, CALLS, 'getaddrinfo', 'getaddrinfo_4', 'getaddrinfo_any')
  filters = {getaddrinfo = 'return nil, {253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 7}, 1', open = 'return (C.open("' .. FOLDER .. 'one", C.O_RDONLY))'}
  run(refuse, CALLS, 'getaddrinfo', 'open')
  `,
  `open: ELOOP
creat: ELOOP
fopen: ELOOP
unlink: ELOOP
remove: ELOOP
rename: ELOOP
access: ELOOP
eaccess: ELOOP
mkdir: ELOOP
rmdir: ELOOP
stat: 10600 5 0:0 6.000000007 dev 0 ino 0 links 0
statx: 0 5 10600
lstat: -1 0
connect_unix: ELOOP
connect_inet: ELOOP
connect_inet6: ELOOP
bind_unix: ELOOP
bind_inet: ELOOP
bind_inet6: ELOOP
getaddrinfo: 10.0.0.1 22 type 1, 1 of them
getaddrinfo: 10.0.0.1 22 type 2, 1 of them
getaddrinfo: Temporary failure in name resolution ${''}
getaddrinfo: System error EIO
getaddrinfo: No address associated with hostname ${''}
getaddrinfo: fd00::1%7 1 type 1, 1 of them
open: fd 7 one
`,
);

calls(
  'a filter may change what is asked, and what is answered',
  `
  filters = {
    open = [[local real, path, flags, mode = ... return real('/seen' .. path, flags, mode)]],
    openat = [[local real, dirfd, path, flags, mode, resolve = ... return real(dirfd, path .. ' of ' .. dirfd, flags, mode, resolve)]],
    rename = [[local real, a, b = ... return real(b, a)]],
    access = [[local real, path, mode = ... local r, e = real(path, mode) return r, e == C.EROFS and C.EACCES or e]],
    eaccess = [[local real, path, mode = ... return real(path, C.F_OK)]],
    mkdir = [[local real, path, mode = ... return real(path, tonumber('700', 8))]],
    stat = [[local real, path = ... local t, e = real(path) if type(t) == 'table' then t.size = t.size + 1 end return t, e]],
    connect_unix = [[local real, fd, path = ... return real(fd, path .. '2')]],
    connect_inet = [[local real, fd, addr, port = ... addr[4] = 99 return real(fd, addr, port + 1)]],
    connect_inet6 = [[local real, fd, addr, port, scope = ... addr[16] = scope return real(fd, addr, port, scope + 1)]],
    bind_unix = [[local real, fd, path = ... return real(fd, path)]],
    bind_inet = [[local real, fd, addr, port = ... return real(fd, {127, 0, 0, 1}, 0)]],
    getaddrinfo = [[local real, node, service, protocol = ... return real('really.' .. node, service, protocol)]],
    bind_inet6 = [[return (...)(select(2, ...))]],
  }
  for _, name in ipairs{'unlink', 'rmdir', 'lstat'} do filters[name] = 'local real, path = ... return real(path .. "/" .. #path)' end
  run(refuse, CALLS, 'open', 'open_create', 'unlink', 'rmdir', 'rename', 'access', 'eaccess', 'mkdir', 'stat', 'lstat', 'connect_unix', 'connect_inet',
    'connect_inet6', 'bind_unix', 'bind_inet', 'bind_inet6', 'getaddrinfo')
  print '--'
  run(function(master, call, p)
    if call == 'stat' then return master:send{type = 'regular', size = 1} end
    if call == 'getaddrinfo' then return master:send{ip.address.new '10.1.1.1', 5} end
    if call:match 'connect' then
      local near, far = unix.stream.socket.pair()
      stream.write_all(far, 'connected')
      far:close()
      local fd = near:release()
      master:send_with_fds(0, {fd})
      return fd:close()
    end
    local fd = fs.open(path(FOLDER), {'directory', 'path'})
    if tostring(p):match '/a$' then
      fd:close()
      fd = open 'one'
    end
    master:send_with_fds(0, {fd})
    fd:close()
  end, CALLS, 'stat', 'open', 'connect_inet', 'getaddrinfo')
  print '--'
  filters = {stat = filters.stat, getaddrinfo = [[return (...)('127.0.0.1', '7', 'udp')]]}
  run(function(master) master:use_slave_credentials() end, CALLS, 'in=' .. FOLDER, 'stat', 'getaddrinfo')
  `,
  `open\t/seen/a\tread_only
open\t/seen/a\tcreate,exclusive,read_write\t416
unlink\t/a/2
rmdir\t/a/2
rename\t/b\t/a
access\t/a\tr,x
eaccess\t/a\tf
mkdir\t/a\t448
stat\t/a
lstat\t/a/2
connect_unix\t/run/x2
connect_inet\t10.1.2.99\t81
connect_inet6\tfd00::3%4\t81
bind_unix\t/run/x
bind_inet\t127.0.0.1\t0
bind_inet6\tfd00::1%3\t81
getaddrinfo\treally.host.test\t443\ttcp
open: EROFS
open_create: EROFS
unlink: EROFS
rmdir: EROFS
rename: EROFS
access: EACCES
eaccess: EROFS
mkdir: EROFS
stat: EROFS
lstat: -1 0
connect_unix: EROFS
connect_inet: EROFS
connect_inet6: EROFS
bind_unix: EROFS
bind_inet: EROFS
bind_inet6: EROFS
getaddrinfo: Name or service not known ${''}
--
stat: 100000 2 0:0 0.000000000 dev 0 ino 0 links 0
open: fd 7 one
connect_inet: connected
getaddrinfo: 10.1.1.1 5 type 1, 1 of them
--
stat: ENOENT
getaddrinfo: 127.0.0.1 7 type 1, 1 of them
`,
);

calls(
  "descriptors are the filter's, until it has returned them or failed",
  `
  local function answer(master, call)
    local a, b = open 'one', open 'two'
    master:send_with_fds(-7, {a, b})
    a:close()
    b:close()
  end
  filters.open = [[local real, path, flags = ... local result, errno, one, two = real(path, flags) assert(result == -7 and errno == 0)
    C.close(one) return two]]
  run(answer, CALLS, 'open', 'open', 'open64')
  filters.open = [[local real, path, flags = ... local result, errno, one, two = real(path, flags) C.close(two) return 0, 0, one]]
  run(answer, CALLS, 'open', 'open')
  `,
  `open: fd 7 two
open: fd 7 two
open64: fd 7 closes two
open: fd 7 one
open: fd 7 one
`,
);

calls(
  'a filter that does not work is as none, which is said once',
  `
  together = true
  for _, source in ipairs{'not Lua', 'error "broken"', 'return "text"', 'return', 'while true do local s = {} for i = 1, 1e9 do s[i] = i end end',
      'local real, path, flags = ... real(path, flags) error "late"', 'return (...)(1, 2, 3)', 'return (...)()'} do
    filters.open = source
    run(function(master, call, p)
      local fd = open 'one'
      master:send_with_fds(0, {fd})
      fd:close()
    end, CALLS, 'open', 'open')
  end
  `,
  [
    "open:1: unexpected symbol near 'not'",
    'open:1: broken',
    'it returned no result',
    'it returned no result',
    'not enough memory',
    'open:1: late',
    'open:1: real: Invalid argument',
    'open:1: real: Invalid argument',
  ]
    .map((why) => `<3>libc_service: open: ${why}\nopen: fd 7 one\nopen: fd 7 one\n`)
    .join(''),
  { once: true },
);

calls(
  'a call that succeeds leaves errno alone',
  `
  local function later(how) -- the program waits
    return function(master) time.sleep(0.01) how(master) end
  end
  run(later(function(master) master:send{} end), CALLS, 'errno')
  fs.create_directory(path(FOLDER .. 'a'))
  run(later(function(master) master:use_slave_credentials() end), CALLS, 'in=' .. FOLDER, 'errno')
  fs.remove(path(FOLDER .. 'a'))
  `,
  `errno: 0 EDOM
errno: 0 EDOM
`,
);

calls(
  "behind a filter, too, the C library looks for addresses of the program's family",
  `
  local function own(master) master:use_slave_credentials() end
  run(own, CALLS, 'getaddrinfo_6_as_4')
  filters.getaddrinfo = 'return (...)(select(2, ...))'
  run(own, CALLS, 'getaddrinfo_6_as_4')
  `,
  `getaddrinfo: Address family for hostname not supported ${''}
getaddrinfo: Address family for hostname not supported ${''}
`,
);

calls(
  'a thread with the smallest stack there is asks, also through a filter; a table may be empty',
  `
  local function answer(master, call)
    if call == 'stat' then master:send{} else master:send(-1, ge.EACCES) end
  end
  run(answer, CALLS, 'little_stack')
  filters = {stat = 'return (...)(select(2, ...))', open = 'local t, e = (...)(select(2, ...)) return t, e'}
  run(answer, CALLS, 'little_stack')
  `,
  `little_stack: -10
little_stack: -10
`,
);

calls(
  'filters of several threads and processes',
  `
  filters.stat = [[local real, path = ... local t, e = real(path) t.size = t.size - 1 return t, e]]
  run(function(master, call, p)
    master:send{type = 'regular', size = tonumber(tostring(p):match '%d+') + 1}
  end, CALLS, 'threads', 'forks')
  `,
  'threads: 0 wrong\nforks: 0 wrong\n',
  { once: true },
);

// ── ends ───────────────────────────────────────────────────────────────────────────────────────────

service(
  'receive can be interrupted, and goes on as if it had not been begun',
  `
  local master, slave = libc_service.new()
  local f = spawn(function() print(pcall(master.receive, master)) end)
  this_fiber.yield()
  f:interrupt()
  f:join()
  local p, r = start(slave, 'cat', '/a')
  master:receive()
  print(master.function_)
  master:send(-1, 2)
  print(fails(master.receive, master))
  p:wait()
  r:close()
  local waiting = libc_service.new()
  f = spawn(function() print(fails(waiting.receive, waiting)) end)
  this_fiber.yield()
  waiting:close()
  f:join()
  `,
  `false\tFiber interrupted
open
End of file\tnil
Operation canceled\tnil
`,
);

service(
  'when the master is closed, the program goes on by itself',
  `
  local master, slave = libc_service.new()
  local p, r = start(slave, 'cat', FOLDER .. 'one', FOLDER .. 'two')
  master:receive()
  master:close()
  print(fails(master.send, master, -1, 1))
  p:wait()
  print(p.exit_code, read_to_end(r))
  -- So it does when there never was one; and when it is forgotten.
  local _, lone = libc_service.new()
  _:close()
  p, r = start(lone, 'cat', FOLDER .. 'one')
  p:wait()
  print(p.exit_code, read_to_end(r))
  `,
  `Invalid argument\tnil
0\tonetwo
0\tone
`,
);

service(
  'a program that is killed while it asks is nobody that an answer would be for',
  `
  for _, how in ipairs{'send', 'send_with_fds', 'use_slave_credentials', 'close'} do
    local master, slave = libc_service.new()
    local p, r = start(slave, 'cat', '/a')
    master:receive()
    p:kill(system.signal.SIGKILL)
    p:wait()
    r:close()
    local fd = open 'one'
    if how == 'send' then master:send(0)
    elseif how == 'send_with_fds' then master:send_with_fds(0, {fd})
    elseif how == 'use_slave_credentials' then master:use_slave_credentials() end
    fd:close()
    if how ~= 'close' then print(fails(master.receive, master)) end
    master:close()
  end
  `,
  `End of file\tnil
End of file\tnil
End of file\tnil
`,
);

service(
  'a master and its question end with the VM',
  `
  local c = spawn_vm './w'
  c:send(CALLS)
  local inbox = require 'inbox'
  `,
  '',
  {
    files: {
      'w.lua': `
      local libc_service, system = require 'libc_service', require 'system'
      require 'inbox':receive()
      local master, slave = libc_service.new()
      local p = system.spawn{program = 'cat', arguments = {'cat', '/a'}, extra_fds = {[3] = slave},
        environment = {LD_PRELOAD = libc_service.preload_library}}
      master:receive()
      libc_service.new()
      system.exit(0)
    `,
    },
  },
);

// ── programs that are there ────────────────────────────────────────────────────────────────────────

service(
  'cat, stat, ls, mkdir, rmdir, rm and mv see what the master says is there',
  `
  local store = FOLDER .. 'store'
  fs.create_directory(path(store))
  -- What is below /data is in the store, and nothing else is anywhere.
  local function real(p)
    local name = tostring(p):match '^/data(.*)$'
    return name and not name:match '%.%.' and path(store .. name)
  end
  local function answer(master, call, p, a, b)
    local place = real(p)
    local ok, e = true
    if not place then return master:send(-1, ge.ENOENT) end
    if call == 'open' then
      local fd
      ok, fd = pcall(fs.open, place, a, b)
      if not ok then return master:send(-1, fd) end
      master:send_with_fds(0, {fd})
      return fd:close()
    elseif call == 'stat' or call == 'lstat' then
      local ok, status = pcall(fs.symlink_status, place)
      if not ok or status.type == 'not_found' then return master:send(-1, ge.ENOENT) end
      return master:send{type = status.type, mode = status.mode, nlink = 1, dev = 1, ino = #tostring(p),
        size = status.type == 'regular' and fs.file_size(place) or 0, blksize = 4096}
    elseif call == 'mkdir' then ok, e = pcall(fs.mkdir, place, a)
    elseif call == 'unlink' or call == 'rmdir' then ok, e = pcall(fs.remove, place)
    elseif call == 'rename' then ok, e = pcall(fs.rename, place, real(a))
    elseif call ~= 'access' then print('?', call) end
    if ok then master:send(0) else master:send(-1, e) end
  end
  run(answer, 'mkdir', '/data/dir')
  local f = file.stream.new()
  f:open(path(store .. '/text'), {'write_only', 'create'})
  stream.write_all(f, 'some text')
  f:close()
  run(answer, 'mv', '/data/text', '/data/dir/moved')
  run(answer, 'cat', '/data/dir/moved')
  run(answer, 'stat', '-c', '%n %F %s', '/data/dir/moved', '/data/dir')
  run(answer, 'ls', '/data/dir')
  run(answer, 'rm', '/data/dir/moved')
  run(answer, 'rmdir', '/data/dir')
  run(answer, 'ls', '/data')
  run(answer, 'cat', '/etc/passwd')
  fs.remove_all(path(store))
  `,
  `some text
/data/dir/moved regular file 9
/data/dir directory 0
moved
exit\t1
`,
  { once: true, stderr: '' },
);

// ── actors ─────────────────────────────────────────────────────────────────────────────────────────

const WORKER = `
  local fs, file, ip, unix, stream = require 'filesystem', require 'file', require 'ip', require 'unix', require 'stream'
  local function path(s) return fs.path.new(s) end
  local function try(name, f, ...)
    local results = {pcall(f, ...)}
    for i, v in ipairs(results) do results[i] = tostring(v) end
    print(name, unpack(results))
  end
  local function read(s)
    local b = byte_span.new(32)
    return tostring(b:first(s:read_some(b)))
  end
  try('status', function() local s = fs.status(path '/a') return s.type, s.mode end)
  try('symlink_status', function() return fs.symlink_status(path '/a').type end)
  try('exists', fs.exists, path '/not/there')
  try('size', fs.file_size, path '/a')
  try('time', function() return fs.last_write_time(path '/a').seconds_since_unix_epoch end)
  try('create_directory', fs.create_directory, path '/made')
  try('mkdir', fs.mkdir, path '/made', 448)
  try('rename', fs.rename, path '/from', path '/to')
  try('remove', fs.remove, path '/gone')
  try('stream', function()
    local f = file.stream.new()
    f:open(path '/a', {'read_only'})
    return read(f)
  end)
  try('random_access', function()
    local f = file.random_access.new()
    f:open(path '/a', {'write_only', 'create'})
  end)
  try('open', function() return (tostring(fs.open(path '/a', {'read_only'})):gsub('%d+', 'N')) end)
  try('resolve', function()
    local r = ip.tcp.get_address_info('host.test', 'http')
    return r[1].address, r[1].port, #r
  end)
  try('tcp', function()
    local s = ip.tcp.socket.new()
    s:connect(ip.address.new '10.1.2.3', 80)
    return read(s)
  end)
  try('tcp6', function()
    local s = ip.tcp.socket.new()
    s:connect(ip.address.new 'fd00::1', 80)
  end)
  try('listen', function()
    local a = ip.tcp.acceptor.new()
    a:open(ip.address.loopback_v4())
    a:bind(ip.address.loopback_v4(), 1)
    a:listen()
    return a.local_port > 1
  end)
  try('unix', function()
    local s = unix.stream.socket.new()
    s:connect(path '/run/x')
    return read(s)
  end)
  try('unix bind', function() return unix.stream.listen '/run/y' end)
  try('seqpacket', function()
    local s = unix.seqpacket.socket.new()
    s:connect '@name'
  end)
`;

const HOST = `
  local function answer(master, call, p, a, b)
    if call == 'stat' or call == 'lstat' then
      if tostring(p) ~= '/a' then return master:send(-1, ge.ENOENT) end
      return master:send{type = call == 'lstat' and 'symlink' or 'regular', mode = 384, size = 1234, mtime = 17}
    end
    print('?', call, tostring(p), words(a), b)
    local fd
    if call == 'getaddrinfo' then return master:send{ip.address.new '10.9.9.9', 8080}
    elseif call == 'connect_inet6' then return master:send(-1, ge.ENETUNREACH)
    elseif call == 'bind_unix' then return master:send(-1, ge.EADDRINUSE)
    elseif tostring(p) == '\\0name' then return master:send(-1, ge.ECONNREFUSED)
    elseif call == 'connect_inet' or call == 'connect_unix' then
      local near, far = unix.stream.socket.pair()
      stream.write_all(far, call)
      fd = near:release()
    elseif call == 'bind_inet' then
      local l = ip.tcp.acceptor.new()
      l:open(ip.address.loopback_v4())
      l:bind(ip.address.loopback_v4(), 0)
      l:listen()
      fd = l:release()
    elseif call == 'open' and not words(a):match 'create' then fd = open 'one'
    elseif call == 'open' then return master:send(-1, ge.EROFS)
    else return master:send(0) end
    master:send_with_fds(0, {fd})
    fd:close()
  end
  local function actor(module, more)
    local master, slave = libc_service.new()
    local r, w = pipe.pair()
    w = w:release()
    local options = {libc_service = slave, stdout = w, stderr = 'share'}
    for k, v in pairs(more or {}) do options[k] = v end
    local c = spawn_vm{module = module, subprocess = options}
    w:close()
    local output
    local reader = spawn(function() output = read_to_end(r) end)
    print(serve(master, function(...) answer(master, ...) end))
    reader:join()
    print((output:gsub('\\n$', '')))
    master:close()
    return c
  end
`;

const ANSWERS = `?\tmkdir\t/made\t511\tnil
?\tmkdir\t/made\t448\tnil
?\trename\t/from\t/to\tnil
?\tunlink\t/gone\tnil\tnil
?\topen\t/a\tread_only\tnil
?\topen\t/a\tcreate,write_only\t511
?\topen\t/a\tread_only\tnil
?\tgetaddrinfo\thost.test\thttp\ttcp
?\tconnect_inet\t10.1.2.3\t80\tnil
?\tconnect_inet6\tfd00::1\t80\tnil
?\tbind_inet\t127.0.0.1\t1\tnil
?\tconnect_unix\t/run/x\tnil\tnil
?\tbind_unix\t/run/y\tnil\tnil
?\tconnect_unix\t\0name\tnil\tnil
End of file
status\ttrue\tregular\t384
symlink_status\ttrue\tsymlink
exists\ttrue\tfalse
size\ttrue\t1234
time\ttrue\t17
create_directory\ttrue\ttrue
mkdir\ttrue
rename\ttrue
remove\ttrue\ttrue
stream\ttrue\tone
random_access\tfalse\tRead-only file system
open\ttrue\t/dev/fd/N
resolve\ttrue\t10.9.9.9\t8080\t1
tcp\ttrue\tconnect_inet
tcp6\tfalse\tNetwork is unreachable
listen\ttrue\ttrue
unix\ttrue\tconnect_unix
unix bind\tfalse\tAddress already in use
seqpacket\tfalse\tConnection refused
`;

for (const [name, options, skip] of [
  ['an actor in a process', '{}', failure],
  ['a sandbox', "{sandbox = 'inbox'}", noSandboxes()],
  [
    'a container with a script',
    `{newns_user = true, newns_mount = true, newns_pid = true, newns_net = true,
      init = {script = 'C.closefrom(4) C.mount(nil, "/", nil, bit.bor(C.MS_REC, C.MS_PRIVATE), nil)'}}`,
    noSandboxes(),
  ],
] as const) {
  if (skip !== undefined) test(name, { skip });
  else
    service(
      `${name} has what the master gives`,
      `${HOST} actor('./w', ${options}):close()`,
      ANSWERS,
      {
        files: { 'w.lua': WORKER },
        once: true,
      },
    );
}
