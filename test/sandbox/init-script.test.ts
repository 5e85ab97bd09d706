/** init.script: Lua in WebAssembly, its calls, how it fails, and that it leaves nothing. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { constants as fsConstants, readFileSync } from 'node:fs';
import { constants as osConstants } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { close, pipe2, read } from '../../src/sys/fd.ts';
import { SOCK_SEQPACKET } from '../../src/sys/socket.ts';
import {
  MAX_UNIX_PATH,
  OUT_FD_COUNT,
  OUT_FDS,
  recvmsgUnix,
  sendmsgUnix,
} from '../../src/sys/unix.ts';
import {
  CHILD,
  ends,
  fileOf,
  folder,
  run,
  skip,
  withSockets,
  works,
} from '../support/init-script.ts';

const SCRIPT_ERROR = '<3>ipc_actor/init/script: ';

// ---- the language, and what stands beside C ----

works(
  'the standard libraries are there, and work on the process',
  `
  print(_VERSION, arg, errexit, package.loaded.table == table, type(debug.traceback()))
  print(string.format('%.14g %5.2f %q %x', 0.1, math.pi, 'a\\nb', 255), tonumber('0x10'), 2^53)
  print(os.getenv('FOR_SCRIPT'), os.getenv('NO_SUCH_NAME'), os.time() > 1.7e9, os.clock() > 0)
  local name = os.tmpname()
  local file = assert(io.open(name, 'w'))
  print(file:write('one\\n', 2, '\\nthree'), file:seek('set', 4), file:write('X'), file:close())
  for line in io.lines(name) do io.write(line, ';') end
  file = io.open(name, 'a+') file:write('!') file:seek('set') print(file:read('*a')) file:close()
  print(os.rename(name, name .. 'x'), os.remove(name .. 'x'), os.remove(name .. 'x') == nil)
  print(select(2, io.open('/no/such', 'r')), select(3, io.open('/no/such', 'r')) == C.ENOENT)
  local pipe = io.popen('echo from a shell') print(pipe:read('*a'), pipe:close())
  pipe = io.popen('cat', 'w') pipe:write('to a shell\\n') pipe:close()
  print(os.execute('exit 3'), io.type(io.tmpfile()))
  `,
  `Lua 5.1\tnil\ttrue\ttrue\tstring
0.1  3.14 "a\\
b" ff\t16\t9.007199254741e+15
an environment\tnil\ttrue\ttrue
true\t4\ttrue\ttrue
one;X;three;one
X
three!
true\ttrue\ttrue
/no/such: No such file or directory\ttrue
from a shell
\ttrue
to a shell
3\tfile
`,
);

works(
  'what Lua 5.1 keeps of 5.0 is not there: functions with ... have no arg of their own, [[ may stand in [[ ]]',
  `
  arg = 7
  local function f(...) return arg, select('#', ...) end
  local function g(...) return arg end
  print(g(1), f(1, nil))
  print([[a[[b]])
  `,
  '7\t7\t2\na[[b\n',
);

works(
  "bit is LuaJIT's",
  `
  print(bit.bor(1, 2, 8), bit.band(7, 14), bit.bxor(5, 1), bit.bnot(0), bit.tobit(2^32 + 5))
  print(bit.lshift(1, 31), bit.rshift(-1, 28), bit.arshift(-16, 2), bit.rol(1, 33), bit.ror(1, 1))
  print(bit.bswap(0x01020304), bit.tohex(255), bit.tohex(-1, 4), bit.tohex(171, -2), bit.tohex(1, 0))
  print(pcall(bit.bor, 'x'))
  `,
  `11\t6\t4\t-1\t5
-2147483648\t15\t-4\t2\t-2147483648
67305985\t000000ff\tffff\tAB\t
false\tbad argument #1 to '?' (number expected, got string)
`,
);

works(
  'mode puts permissions together',
  `
  print(mode(7, 5, 5), mode(6, 4, 0), mode(0, 0, 1), pcall(mode, 8, 0, 0))
  print(pcall(mode, 1, 2))
  `,
  `493\t416\t1\tfalse\tbad argument #1 to '?' (out of range)
false\tbad argument #3 to '?' (number expected, got no value)
`,
);

works(
  'C raises for what it does not have',
  `
  print(pcall(function() return C.no_such end))
  print((pcall(function() return C['O_CREAT\\0'] end)), (pcall(function() return C[1] end)))
  print(type(C.open), C.O_CREAT == C.O_CREAT)
  `,
  'false\tkey not found\nfalse\tfalse\nfunction\ttrue\n',
);

works(
  'what is of FreeBSD checks its arguments, and is not there',
  `
  errexit = false
  local function show(...)
    local result, errno = ...
    print(result, errno == C.ENOTSUP or errno)
  end
  show(C.cap_enter())
  show(C.caph_limit_stdio())
  show(C.caph_cache_tzdata())
  show(C.caph_cache_tzdata('Europe/Berlin'))
  show(C.jail_attach(1))
  show(C.jail_set({name = 'w', persist = true, ['allow.mount'] = false}, {'create', 'update', 'attach', 'dying'}))
  show(C.jail_set{})
  show(C.unmount('/', 0))
  print(select(2, pcall(C.jail_attach, 'w')))
  print(select(2, pcall(C.jail_set, 'w')))
  print(select(2, pcall(C.jail_set, {name = 1})))
  print(select(2, pcall(C.jail_set, {'w'})))
  print(select(2, pcall(C.jail_set, {name = 'a\\0b'})))
  print(select(2, pcall(C.jail_set, {}, 'create')))
  print(select(2, pcall(C.unmount, '/')))
  print(select(2, pcall(C.caph_cache_tzdata, {})))
  `,
  `${'-1\ttrue\n'.repeat(8)}bad argument #1 to '?' (number expected, got string)
bad argument #1 to '?' (table expected, got string)
bad argument #1 to '?' (only strings may be in the table)
bad argument #1 to '?' (only strings may be in the table)
bad argument #1 to '?' (string contains zeros)
bad argument #2 to '?' (list of names expected)
bad argument #2 to '?' (number expected, got no value)
bad argument #1 to '?' (string expected, got table)
`,
);

// ---- failing ----

ends(
  'a wall of FreeBSD that is not there ends the process while errexit',
  'C.cap_enter() print("unconfined")',
  1,
  '<3>ipc_actor/init: Operation not supported\n',
);
ends(
  'an unknown flag of jails ends it in any case',
  "errexit = false C.jail_set({}, {'crate'})",
  1,
  '<3>ipc_actor/init: Invalid argument: crate\n',
);

const OPEN_NOTHING = "C.open('/no/such', C.O_RDONLY)";
ends(
  'a call that fails ends the process while errexit',
  OPEN_NOTHING,
  1,
  '<3>ipc_actor/init: No such file or directory\n',
);
ends(
  'errexit may be any true value',
  `errexit = false errexit = 0 ${OPEN_NOTHING}`,
  1,
  '<3>ipc_actor/init: No such file or directory\n',
);
ends(
  'so do the functions beside C',
  'write_all(99, "x")',
  1,
  '<3>ipc_actor/init: Bad file descriptor\n',
);
ends('and read', 'C.read(99, 1)', 1, '<3>ipc_actor/init: Bad file descriptor\n');
ends(
  'and receive_with_fd',
  'receive_with_fd(99, 1)',
  1,
  '<3>ipc_actor/init: Bad file descriptor\n',
);
ends(
  'pcall does not hold that up',
  `pcall(function() ${OPEN_NOTHING} end)`,
  1,
  '<3>ipc_actor/init: No such file or directory\n',
);
ends(
  'setfenv does not hide errexit',
  `setfenv(0, {}) ${OPEN_NOTHING}`,
  1,
  '<3>ipc_actor/init: No such file or directory\n',
);
ends(
  'what was printed before is not lost',
  `io.stderr:write('first\\n') ${OPEN_NOTHING}`,
  1,
  'first\n<3>ipc_actor/init: No such file or directory\n',
);

works(
  'without errexit a failure is result and errno',
  `
  errexit = false
  print(C.open('/no/such', 0), C.ENOENT)
  print(C.read(99, 5), C.EBADF)
  print(receive_with_fd(99, 5))
  print(write_all(99, 'x'))
  errexit = nil
  print(C.mkdir('/', 0) == -1, (select(2, C.mkdir('/', 0))) == C.EEXIST)
  print(C.umask(18) >= 0, C.umask(18), select('#', C.umask(18)), select('#', C.closefrom(1000)))
  `,
  `-1\t2\t2
nil\t9\t9
nil\t-1\t9
-1\t9
true\ttrue
true\t18\t1\t0
`
    .replace('-1\t2\t2', '-1\t2')
    .replace('nil\t9\t9', 'nil\t9'),
);

ends('an error ends the process', "error('broken')", 1, `${SCRIPT_ERROR}init.script:1: broken\n`);
ends(
  'a syntax error',
  'local = 1',
  1,
  `${SCRIPT_ERROR}init.script:1: '<name>' expected near '='\n`,
);
ends(
  'an error object that is a table',
  'error({})',
  1,
  `${SCRIPT_ERROR}(error object is a table value)\n`,
);
ends('nil as an error object', 'error()', 1, `${SCRIPT_ERROR}(error object is a nil value)\n`);
ends('a number as an error object', 'error(5, 0)', 1, `${SCRIPT_ERROR}5\n`);
ends(
  'an error object with __tostring',
  "error(setmetatable({}, {__tostring = function() return 'in words' end}))",
  1,
  `${SCRIPT_ERROR}in words\n`,
);
ends(
  'an error object whose __tostring fails',
  "error(setmetatable({}, {__tostring = function() error('twice', 0) end}))",
  1,
  `${SCRIPT_ERROR}twice\n`,
);
ends(
  'an error object whose __tostring gives no string',
  'error(setmetatable({}, {__tostring = function() return {} end}))',
  1,
  `${SCRIPT_ERROR}(error object is a table value)\n`,
);
ends(
  'a long message comes whole',
  "error(('x'):rep(5000), 0)",
  1,
  `${SCRIPT_ERROR}${'x'.repeat(5000)}\n`,
);
ends('os.exit ends with its status', 'os.exit(7)', 7, '');
ends(
  'an unknown Landlock right ends the process, whatever errexit says',
  "errexit = false pcall(C.landlock_create_ruleset, {handled_access_fs = {'read_file', 'everything'}})",
  1,
  '<3>ipc_actor/init: Invalid argument: everything\n',
);

works(
  'wrong arguments are errors of Lua',
  `
  errexit = false
  local function fails(f, ...) print((select(2, pcall(f, ...)))) end
  fails(C.mkdir)  fails(C.mkdir, {}, 1)  fails(C.mkdir, 'x', 'y')  fails(C.mkdir, 'a\\0b', 0)
  fails(C.open, 'x', 1.5)  fails(C.open, 'x', 2^32)  fails(C.open, 'x', 0/0)
  fails(C.read, 0, -1)  fails(C.read, 0, 2^40)  fails(C.read, 0, 2^30)
  fails(C.write, 1)  fails(C.mount, nil, nil, nil, 0, nil)  fails(C.mount, {}, 'x', nil, 0, nil)
  fails(C.setgroups, 1)  fails(C.setgroups, {1, 'x'})  fails(C.setgroups, {1.5})
  fails(C.execve, 'x', {1})  fails(C.execve, 'x', nil, {1})  fails(C.execve, 'x', {'a\\0b'})
  fails(C.cap_set_ambient, 'cap_chown', 1)  fails(C.mount_setattr, 0, 'x', 0)
  fails(C.mount_setattr, 0, 'x', 0, {attr_set = 'x'})
  fails(C.landlock_add_rule, 0, 'nonsense', {})  fails(C.landlock_add_rule, 0, 'path_beneath', {})
  fails(C.landlock_add_rule, 0, 'path_beneath', {allowed_access = 5})
  fails(send_with_fd, 1, 'x')  fails(bind_unix, 1)  fails(C.closefrom, -1)  fails(C.fsconfig, 1, 1, 'k', {})
  `,
  `bad argument #1 to '?' (string expected, got no value)
bad argument #1 to '?' (string expected, got table)
bad argument #2 to '?' (number expected, got string)
bad argument #1 to '?' (string contains zeros)
bad argument #2 to '?' (integer expected)
bad argument #2 to '?' (out of range)
bad argument #2 to '?' (out of range)
bad argument #2 to '?' (out of range)
bad argument #2 to '?' (out of range)
not enough memory
bad argument #2 to '?' (string expected, got no value)
bad argument #2 to '?' (string expected, got nil)
bad argument #1 to '?' (string expected, got table)
bad argument #1 to '?' (table expected, got number)
bad argument #1 to '?' (a group must be an integer)
bad argument #1 to '?' (a group must be an integer)
bad argument #2 to '?' (only strings may be in the table)
bad argument #3 to '?' (only strings may be in the table)
bad argument #2 to '?' (string contains zeros)
bad argument #2 to '?' (boolean expected, got number)
bad argument #4 to '?' (table expected, got no value)
bad argument #4 to '?' (attr_set must be an integer)
bad argument #2 to '?' ('path_beneath' or 'net_port' expected)
bad argument #3 to '?' (parent_fd must be an integer)
bad argument #3 to '?' (list of names expected)
bad argument #3 to '?' (number expected, got no value)
bad argument #2 to '?' (string expected, got no value)
bad argument #1 to '?' (out of range)
bad argument #4 to '?' (string expected, got table)
`,
);

// ---- hostile scripts ----

ends(
  'memory ends at 1 MiB',
  "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end",
  1,
  `${SCRIPT_ERROR}not enough memory\n`,
);
ends(
  'a script that is larger than its memory',
  `--[[${'x'.repeat(1 << 20)}]]`,
  1,
  `${SCRIPT_ERROR}not enough memory\n`,
);

works(
  'running out of memory is an error that can be caught, time and again',
  `
  for _ = 1, 3 do
    print(pcall(function() local s = 'x' while true do s = s .. s end end))
    print(pcall(string.rep, 'x', 1e9))
    print(pcall(C.read, 0, 1e6))
    collectgarbage()
  end
  print(#('x'):rep(100000))
  `,
  `${'false\tnot enough memory\n'.repeat(9)}100000\n`,
);

works(
  'recursion without an end is an error',
  `
  local function deep() return 1 + deep() end
  local ok, why = pcall(deep)
  print(ok, why == 'not enough memory' or why:match('stack overflow') ~= nil)
  local levels = 0
  local function nested() levels = levels + 1 return (('x'):gsub('x', nested)) end
  print(pcall(nested))
  print(levels)
  local function again() return pcall(again) end
  print((again()))
  print((loadstring('return ' .. ('('):rep(300) .. '1' .. (')'):rep(300))))
  local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k] end
  print(pcall(function() return t.x end))
  local co = function() end
  for i = 1, 300 do local inner = co co = function() return coroutine.wrap(inner)() end end
  print((pcall(co)))
  `,
  `false\ttrue
false\tC stack overflow
197
true
nil
false\tinit.script:12: C stack overflow
false
`,
);

ends(
  'a pattern that needs too much stack',
  "('a'):rep(50000):find(('a?'):rep(50000))",
  1,
  /^<3>ipc_actor\/init\/script: (stack overflow|not enough memory)\n$/,
);

test('broken bytecode stays in its memory', { skip, timeout: 300_000 }, () => {
  const script = `
    local code = string.dump(loadstring('local t = {...} for i = 1, #t do t[i] = t[i] .. i end return t, C'))
    local seed = ...
    math.randomseed(tonumber(os.getenv('FOR_SCRIPT')) or 1)
    for n = 1, 300 do
      local bytes = {code:byte(1, -1)}
      for _ = 1, 3 do bytes[math.random(13, #bytes)] = math.random(0, 255) end
      local f = loadstring(string.char(unpack(bytes)))
      if f then pcall(f, 1, 'x', {}) end
      if n % 50 == 0 then collectgarbage() end
    end`;
  const outcome = run(script);
  assert.equal(outcome.signal, null, 'a signal would be one of the addon or of V8');
  assert.match(outcome.stderr, /^$|^<3>ipc_actor\/init\/script: [^\n]*\n$/);
  assert.ok(outcome.status === 0 || outcome.status === 1);
});

works(
  'nothing of JavaScript can be reached',
  `
  local names = {}
  for name in pairs(_G) do names[#names + 1] = name end
  table.sort(names)
  print(table.concat(names, ' '))
  for _, name in ipairs{'constructor', '__proto__', 'prototype', 'toString', 'process', 'globalThis'} do
    local value = rawget(_G, name)
    print(name, value, (pcall(function() return C[name] end)), ('')[name], (pcall(function() return (print)[name] end)))
  end
  print(package.loadlib('/lib/x.so', 'luaopen_x'))
  `,
  `C _G _VERSION assert bind_unix bit collectgarbage coroutine debug dofile errexit error gcinfo getfenv getmetatable io ipairs load loadfile loadstring math mode module newproxy next os package pairs pcall print rawequal rawget rawset receive_with_fd require select send_with_fd set_no_new_privs setfenv setmetatable string table tonumber tostring type unpack write_all xpcall
constructor\tnil\tfalse\tnil\tfalse
__proto__\tnil\tfalse\tnil\tfalse
prototype\tnil\tfalse\tnil\tfalse
toString\tnil\tfalse\tnil\tfalse
process\tnil\tfalse\tnil\tfalse
globalThis\tnil\tfalse\tnil\tfalse
nil\tdynamic libraries not enabled; check your Lua installation\tabsent
`,
);

test('a script without end ends with its process', { skip, timeout: 300_000 }, async () => {
  const child = spawn(process.execPath, [
    CHILD,
    fileOf("io.stdout:write('on ') io.stdout:flush() while true do end"),
  ]);
  await new Promise((resolve) => child.stdout.once('data', resolve));
  const ended = new Promise((resolve) => child.once('close', (_, signal) => resolve(signal)));
  child.kill('SIGKILL');
  assert.equal(await ended, 'SIGKILL');
});

// ---- calls ----

test('arg, read, write and descriptors in messages', { skip, timeout: 300_000 }, () => {
  withSockets(SOCK_SEQPACKET, (arg, other) => {
    const bytes = Buffer.from('hello');
    const { readEnd, writeEnd } = pipe2(0);
    const fds = Int32Array.of(writeEnd);
    assert.equal(sendmsgUnix(other, bytes, 0, 5, 0, undefined, new Int32Array(0)), 5);
    assert.equal(sendmsgUnix(other, bytes, 0, 5, 0, undefined, fds), 5);
    assert.equal(sendmsgUnix(other, bytes, 0, 5, 0, undefined, new Int32Array(0)), 5);
    assert.equal(
      sendmsgUnix(other, bytes, 0, 5, 0, undefined, new Int32Array(5).fill(writeEnd)),
      5,
    );
    close(writeEnd);
    const outcome = run(
      `
      print(type(arg), C.read(arg, 100))
      local data, fd, errno = receive_with_fd(arg, 100)
      print(data, fd > arg, errno, C.write(fd, 'into the pipe'))
      print(receive_with_fd(arg, 3))
      data, fd = receive_with_fd(arg, 100)
      print(data, fd > arg, select(2, C.close(fd)))
      print(send_with_fd(arg, 'taken', arg))
      print(C.write(arg, 'x'), C.read(arg, 0))
      `,
      { arg },
    );
    assert.equal(outcome.stderr, '');
    assert.equal(
      outcome.stdout,
      'number\thello\t0\nhello\ttrue\t0\t13\t0\nhel\t-1\t0\nhello\ttrue\t0\n5\t0\n1\t\t0\n',
    );
    const room = new Uint8Array(20);
    const out = new Int32Array(OUT_FDS + 2);
    assert.equal(recvmsgUnix(other, room, 0, 20, 0, new Uint8Array(MAX_UNIX_PATH), out), 5);
    assert.equal(out[OUT_FD_COUNT], 1);
    close(out[OUT_FDS]!);
    assert.equal(read(readEnd, room, 0, 20), 13);
    assert.equal(Buffer.from(room).toString('latin1', 0, 13), 'into the pipe');
    assert.equal(read(readEnd, room, 0, 20), 0, 'no end of the pipe is left open');
    close(readEnd);
  });
});

test('the committed module is the one that the decision note describes', { skip }, () => {
  const hashOf = (file: string): string =>
    createHash('sha256').update(readFileSync(file)).digest('hex');
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const note = readFileSync(
    join(root, 'docs/decisions/0013-init-script-in-webassembly.md'),
    'utf8',
  );
  const [, said] = /lua51\.wasm` \|\s*\| `([0-9a-f]{64})`/.exec(note)!;
  assert.equal(hashOf(join(root, 'native/init-script/lua51.wasm')), said);
  const source = process.env.LUA51_SOURCE;
  if (source === undefined) return;
  const built = join(folder, 'lua51.wasm');
  execFileSync(join(root, 'native/init-script/build.sh'), [source, built]);
  assert.equal(hashOf(built), said);
});

test('the reference has every name', { skip }, () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const page = readFileSync(join(root, 'docs/ref/init-script.md'), 'utf8');
  const header = readFileSync(join(root, 'native/init_script_constants.h'), 'utf8');
  const constants = [...header.matchAll(/\b[CK]\((\w+)/g)].map(([, name]) => name!);
  assert.ok(constants.length > 200);
  const { stdout } = run(`
    for name in pairs(C) do print(name) end
    for _, name in ipairs{'arg', 'errexit', 'mode', 'write_all', 'send_with_fd', 'receive_with_fd', 'bind_unix', 'set_no_new_privs'} do
      print(name)
    end`);
  const names = [...constants.filter((name) => name !== 'name'), ...stdout.trim().split('\n')];
  const documented = new Set(page.match(/[A-Za-z_]\w*/g));
  assert.deepEqual(
    names.filter((name) => !documented.has(name) && !name.startsWith('MNT_')),
    [],
  );
});

test('the constants are those of the specification', { skip }, () => {
  const groups: Record<string, string> = {
    O_: 'CLOEXEC CREAT RDONLY WRONLY RDWR DIRECTORY EXCL NOCTTY NOFOLLOW TMPFILE TRUNC APPEND ASYNC DIRECT DSYNC LARGEFILE NOATIME NONBLOCK PATH SYNC',
    S_: 'IRWXU IRUSR IWUSR IXUSR IRWXG IRGRP IWGRP IXGRP IRWXO IROTH IWOTH IXOTH ISUID ISGID ISVTX IFCHR IFBLK',
    MS_: 'REMOUNT BIND SHARED PRIVATE SLAVE UNBINDABLE MOVE DIRSYNC LAZYTIME MANDLOCK NOATIME NODEV NODIRATIME NOEXEC NOSUID RDONLY REC RELATIME SILENT STRICTATIME SYNCHRONOUS NOSYMFOLLOW',
    '': 'MNT_FORCE MNT_DETACH MNT_EXPIRE UMOUNT_NOFOLLOW F_OK R_OK W_OK X_OK SOMAXCONN ENODATA ENOSR ENOSTR ETIME EPERM EOWNERDEAD ENOTRECOVERABLE',
    CLONE_: 'NEWCGROUP NEWIPC NEWNET NEWNS NEWPID NEWTIME NEWUSER NEWUTS',
    SECBIT_:
      'NOROOT NOROOT_LOCKED NO_SETUID_FIXUP NO_SETUID_FIXUP_LOCKED KEEP_CAPS KEEP_CAPS_LOCKED NO_CAP_AMBIENT_RAISE NO_CAP_AMBIENT_RAISE_LOCKED',
    AT_: 'RECURSIVE NO_AUTOMOUNT FDCWD EMPTY_PATH SYMLINK_NOFOLLOW SYMLINK_FOLLOW',
    MOUNT_ATTR_:
      'RDONLY NOSUID NODEV NOEXEC NOSYMFOLLOW NODIRATIME _ATIME RELATIME NOATIME STRICTATIME IDMAP',
    FSCONFIG_:
      'SET_FLAG SET_STRING SET_BINARY SET_PATH SET_PATH_EMPTY SET_FD CMD_CREATE CMD_RECONFIGURE CMD_CREATE_EXCL',
    MOVE_MOUNT_:
      'F_SYMLINKS F_AUTOMOUNTS F_EMPTY_PATH T_SYMLINKS T_AUTOMOUNTS T_EMPTY_PATH SET_GROUP BENEATH',
    FSPICK_: 'CLOEXEC SYMLINK_NOFOLLOW NO_AUTOMOUNT EMPTY_PATH',
    OPEN_TREE_: 'CLONE CLOEXEC',
    FSOPEN_: 'CLOEXEC',
    FSMOUNT_: 'CLOEXEC',
    AF_: 'UNIX LOCAL INET INET6 UNSPEC',
    SOCK_: 'STREAM DGRAM SEQPACKET',
    IPPROTO_: 'TCP UDP SCTP',
  };
  const names = Object.entries(groups).flatMap(([prefix, list]) =>
    list.split(' ').map((name) => prefix + name),
  );
  const { stdout, stderr } = run(names.map((name) => `print(C.${name})`).join('\n'));
  assert.equal(stderr, '');
  const values = new Map(
    stdout
      .trim()
      .split('\n')
      .map((text, i) => [names[i], Number(text)]),
  );
  assert.equal(values.size, names.length);

  for (const [name, value] of Object.entries({ ...fsConstants, ...osConstants.errno }))
    if (values.has(name)) assert.equal(values.get(name), value, name);
  assert.equal(values.get('AT_FDCWD'), -100);
  assert.equal(values.get('CLONE_NEWUSER'), 0x10000000);
  assert.equal(values.get('MS_BIND'), 4096);
});
