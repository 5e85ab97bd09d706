import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { faultTests } from '../support/faulty.ts';
import { runLua, spec } from '../support/spec.ts';

// The reactor's own descriptors come with the first operation that waits, and stay.
await runLua(`
  local r = require('pipe').pair()
  spawn(function() pcall(r.read_some, r, byte_span.new(1)) end)
  this_fiber.yield()
  r:close()
`);

const SETUP = `
  local pipe, stream, ip = require 'pipe', require 'stream', require 'ip'
  local ge, ae = require 'generic_error', require 'asio_error'
  local function fds()
    local r, w = pipe.pair()
    return r:release(), w:release()
  end
  local function text(r, n)
    local b = byte_span.new(n)
    stream.read_all(r, b)
    return tostring(b)
  end
`;

spec(
  'a released descriptor is an object, and a new owner can take it over',
  `${SETUP}
  local r, w = pipe.pair()
  local fr, fw = r:release(), w:release()
  print(getmetatable(fr), tostring(fr):match('^/dev/fd/%d+$') ~= nil, r.is_open)
  local r2 = pipe.read_stream.new(fr)
  w:assign(fw)
  print(r2.is_open, w.is_open)
  stream.write_all(w, 'hello')
  print(text(r2, 5))
`,
  'file_descriptor\ttrue\tfalse\ntrue\ttrue\nhello\n',
);

spec(
  'what gave its descriptor away is a userdata without a type',
  `${SETUP}
  local r, w = fds()
  pipe.read_stream.new(r)
  print(getmetatable(r), type(r))
  print(pcall(function() return r.close end))
  print(pcall(function() r.non_blocking = true end))
  local ok, e = pcall(pipe.read_stream.new, r)
  print(ok, e == ge.EINVAL, e.arg)
  local x = pipe.write_stream.new()
  ok, e = pcall(x.assign, x, r)
  print(ok, e == ge.EINVAL, e.arg)
`,
  `nil\tuserdata
false\tmain.lua:17: attempt to index upvalue 'r' (a userdata value)
false\tmain.lua:18: attempt to index upvalue 'r' (a userdata value)
false\ttrue\t1
false\ttrue\t2
`,
);

spec(
  'close may be repeated; nothing else of a closed one can be used',
  `${SETUP}
  local r = fds()
  local dup = r.dup
  r:close()
  r:close()
  for _, key in ipairs{'dup', 'type', 'non_blocking', 'kcmp', 'nonsense'} do
    local ok, e = pcall(function() return r[key] end)
    print(key, ok, e)
  end
  print(pcall(function() r.non_blocking = true end))
  print(select(2, pcall(dup, r)) == ge.EBUSY, select(2, pcall(tostring, r)) == ge.EBUSY)
  print(select(2, pcall(pipe.read_stream.new, r)) == ge.EBUSY)
  local x = pipe.read_stream.new()
  print(select(2, pcall(x.assign, x, r)) == ge.EBUSY, x.is_open)
`,
  `${['dup', 'type', 'non_blocking', 'kcmp', 'nonsense']
    .map((key) => `${key}\tfalse\tRequested key wasn't found in the table/userdata\n`)
    .join('')}false\tRequested key wasn't found in the table/userdata
true\ttrue
true
true\tfalse
`,
);

spec(
  'new and assign want a descriptor, also where they get nil',
  `${SETUP}
  for _, v in ipairs{1, 'x', {}, pipe.read_stream.new()} do
    local ok, e = pcall(pipe.read_stream.new, v)
    print(ok, e == ge.EINVAL, e.arg)
  end
  local ok, e = pcall(pipe.read_stream.new, nil)
  print(ok, e == ge.EINVAL, e.arg)
  local x = pipe.read_stream.new()
  ok, e = pcall(x.assign, x)
  print(ok, e == ge.EINVAL, e.arg)
  ok, e = pcall(x.release, x)
  print(ok, e == ge.EBADF)
`,
  `${'false\ttrue\t1\n'.repeat(5)}false\ttrue\t2\nfalse\ttrue\n`,
);

spec(
  'assigning to what is open fails, and the descriptor stays with its object',
  `${SETUP}
  local r, w = pipe.pair()
  local f = fds()
  local ok, e = pcall(r.assign, r, f)
  print(ok, e == ae.misc.already_open, f.type)
  f:close()
`,
  'false\ttrue\tfifo\n',
);

spec(
  'dup gives another descriptor of the same open file description',
  `${SETUP}
  local r, w = fds()
  local d = w:dup()
  print(d == w, tostring(d) == tostring(w), d:kcmp(w), w:kcmp(w), d:kcmp(r) ~= 0)
  w.non_blocking = false
  print(d.non_blocking)
  d.non_blocking = true
  print(w.non_blocking)
  w:close()
  local out, inp = pipe.write_stream.new(d), pipe.read_stream.new(r)
  stream.write_all(out, 'still here')
  print(text(inp, 10))
  out:close()
  print(pcall(text, inp, 1))
`,
  'false\tfalse\t0\t0\ttrue\nfalse\ntrue\nstill here\nfalse\tEnd of file\n',
);

spec(
  'members, and arguments that are wrong',
  `${SETUP}
  local r, w = fds()
  local function fails(f, ...)
    local ok, e = pcall(f, ...)
    if type(e) == 'string' then return e end
    return ok, e, e.arg
  end
  print(fails(function() r.non_blocking = 1 end))
  print(fails(function() r.type = 'x' end))
  print(fails(function() r.nonsense = 'x' end))
  print(fails(function() return r.nonsense end))
  print(fails(r.kcmp, r, 1))
  print(fails(r.dup, 1))
  print(r.type, r:is_socket('unix'), r:is_socket('inet', 'stream', 'tcp'))
`,
  `false\tInvalid argument\t3
false\tRequested key wasn't found in the table/userdata\tnil
false\tRequested key wasn't found in the table/userdata\tnil
false\tRequested key wasn't found in the table/userdata\tnil
false\tInvalid argument\t2
false\tInvalid argument\t1
fifo\tfalse\tfalse
`,
);

spec(
  'TCP sockets give and take descriptors, which know what they are',
  `${SETUP}
  local a = ip.tcp.listen('127.0.0.1:0')
  local f = spawn(function() return a:accept() end)
  local near = ip.tcp.dial('127.0.0.1:' .. a.local_port)
  local far = f:join()
  local fd = near:release()
  print(near.is_open, fd.type, fd:is_socket('inet'), fd:is_socket('inet6'), fd:is_socket('unix'))
  print(fd:is_socket('inet', 'stream'), fd:is_socket('inet', 'datagram'), fd:is_socket('inet', 'stream', 'tcp'))
  for _, args in ipairs{{'x'}, {}, {'inet', 'x'}, {'inet', 'stream', 'x'}, {'inet', 'stream', 'udp'}, {'unix', 'stream', 'tcp'}, {'inet', nil, 'tcp'}} do
    local ok, e = pcall(fd.is_socket, fd, unpack(args, 1, 3))
    print(ok, e == ge.EINVAL, e.arg)
  end
  local s = ip.tcp.socket.new()
  s:assign('v4', fd)
  stream.write_all(s, 'moved')
  print(text(far, 5), s.remote_port == a.local_port)
  local ok, e = pcall(s.assign, s, 'v4', far)
  print(ok, e.arg)
  local fd = far:release()
  ok, e = pcall(s.assign, s, 'v4', fd)
  print(ok, e == ae.misc.already_open)
  print(pcall(far.release, far))
  s:close() fd:close()
  local b = ip.tcp.acceptor.new()
  b:assign('v4', a:release())
  local f = spawn(function() return b:accept() end)
  ip.tcp.dial('127.0.0.1:' .. b.local_port):close()
  f:join():close()
  b:close()
`,
  `false\tsocket\ttrue\tfalse\tfalse
true\tfalse\ttrue
false\ttrue\t2
false\ttrue\t2
false\ttrue\t3
false\ttrue\t4
false\ttrue\t4
false\ttrue\t4
false\ttrue\t4
moved\ttrue
false\t3
false\ttrue
false\tBad file descriptor
`,
);

spec(
  'release ends what is pending',
  `${SETUP}
  local r, w = pipe.pair()
  local f = spawn(function() r:read_some(byte_span.new(1)) end)
  this_fiber.yield()
  local fd = r:release()
  local ok, e = pcall(f.join, f)
  print(ok, e == ae.basic.operation_aborted, fd.type)
  local r = pipe.read_stream.new(fd)
  stream.write_all(w, 'x')
  print(text(r, 1))
`,
  'false\ttrue\tfifo\nx\n',
);

spec(
  'what is dropped is closed by the collector',
  `${SETUP}
  local r, w = pipe.pair()
  w:release()
  w = nil
  local ended
  local f = spawn(function() local ok, e = pcall(text, r, 1) ended = e end)
  local sleep = require('time').sleep
  for i = 1, 1000 do
    collectgarbage()
    sleep(0)
    if ended then break end
  end
  print(ended)
`,
  'End of file\n',
  { once: true },
);

spec(
  'duplicates of the standard streams are descriptors',
  `${SETUP}
  local system = require 'system'
  local fd = system.err:dup()
  print(getmetatable(fd), fd.type ~= nil, tostring(fd) ~= '/dev/fd/2')
  fd:close()
`,
  'file_descriptor\ttrue\ttrue\n',
);

const folder = mkdtempSync(join(tmpdir(), 'perilune-fd-'));
after(() => rmSync(folder, { recursive: true, force: true }));
mkdirSync(join(folder, 'in/side'), { recursive: true });
writeFileSync(join(folder, 'outside'), 'secret');
writeFileSync(join(folder, 'in/file'), 'contents');
symlinkSync('../outside', join(folder, 'in/link'));
symlinkSync('/side', join(folder, 'in/absolute'));
spawnSync('mkfifo', [join(folder, 'in/fifo')]);

const AT = `${SETUP}
  local file, P = require 'file', require 'filesystem'.path.new
  local directory = file.stream.new()
  directory:open(P '${folder}/in', {'read_only'})
  local dir = directory:release()
  local function fails(...)
    local ok, e = pcall(dir.openat, dir, ...)
    return ok and e.type or tostring(e), not ok and e.arg or nil
  end
  local function contents(fd)
    local f = file.stream.new(fd)
    local b = byte_span.new(100)
    local ok, n = pcall(f.read_some, f, b)
    return ok and tostring(b:first(n)) or n
  end
`;

spec(
  'openat opens relative to a directory, and not out of it where that is asked for',
  `${AT}
  print(dir.type, contents(dir:openat(P 'file', {'read_only'})), contents(dir:openat(P 'link', {'read_only'})))
  local fd = dir:openat(P 'file', {'read_only'})
  print(fd.non_blocking, fd.type)
  for _, how in ipairs{'resolve_beneath', 'resolve_in_root', 'resolve_no_symlinks', 'no_follow'} do
    print(how, fails(P 'link', {'read_only', how}), fails(P '../outside', {'read_only', how}))
  end
  print(fails(P 'absolute', {'read_only'}))
  print(fails(P 'absolute', {'read_only', 'resolve_beneath'}))
  print(fails(P 'absolute', {'read_only', 'resolve_in_root'}))
  print(fails(P 'file', {'read_only', 'resolve_no_xdev', 'resolve_no_magiclinks'}))
  print(fails(_FILE, {'read_only'}))
`,
  `directory\tcontents\tsecret
false\tregular
resolve_beneath\tInvalid cross-device link\tInvalid cross-device link\tnil
resolve_in_root\tNo such file or directory\tNo such file or directory\tnil
resolve_no_symlinks\tToo many levels of symbolic links\tregular\tnil
no_follow\tToo many levels of symbolic links\tregular\tnil
No such file or directory\tnil
Invalid cross-device link\tnil
directory\tnil
regular\tnil
regular\tnil
`,
);

spec(
  'openat: new files, paths, a FIFO that nobody reads, wrong arguments',
  `${AT}
  dir:openat(P 'new', {'create', 'write_only', 'truncate'}, ${0o640}):close()
  print(fails(P 'new', {'create', 'exclusive', 'write_only'}))
  print(dir:openat(P 'side', {'path', 'directory'}).type, fails(P 'file', {'path', 'directory'}))
  print(dir:openat(P 'link', {'path', 'no_follow'}).type)
  print(fails(P 'fifo', {'write_only'}))
  print(fails(P 'fifo', {'read_only'}))
  print(fails(P 'side', {'temporary', 'read_write'}, ${0o600}))
  print(fails(P 'file', {'nonsense'}))
  print(fails(P 'file', 'read_only'))
  print(fails(P 'file'))
  print(fails(P 'file', {'read_only'}, 'x'))
  print(fails(P 'file', {'create'}, 0.5))
  print(fails(1, {'read_only'}))
  print(fails('file', {'read_only'}))
  print(fails(P 'file\\0x', {'read_only'}))
  print(fails(P(('x'):rep(5000)), {'read_only'}))
  print(pcall(dir.openat, dir:openat(P 'file', {'read_only'}), P 'x', {'read_only'}))
`,
  `File exists\tnil
directory\tNot a directory\tnil
symlink
No such device or address\tnil
fifo\tnil
regular\tnil
Invalid argument\t3
Invalid argument\t3
Invalid argument\t3
Invalid argument\t4
Invalid argument\t4
Invalid argument\t2
Invalid argument\t2
Invalid argument\tnil
File name too long\tnil
false\tNot a directory
`,
);

faultTests(AT)(
  'openat: a directory that is moved meanwhile is walked again',
  'openat2',
  { errno: 'EAGAIN', times: 3 },
  "print(fails(P 'file', {'read_only', 'resolve_cached'}), fails(P 'file', {'read_only', 'resolve_beneath'}))",
  'Resource temporarily unavailable\tregular\tnil\n',
);
