import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { runLua, spec } from '../support/spec.ts';

// The reactor's own descriptors come with the first operation that waits, and stay.
await runLua(`
  local r = require('pipe').pair()
  spawn(function() pcall(r.read_some, r, byte_span.new(1)) end)
  this_fiber.yield()
  r:close()
`);

const folder = mkdtempSync(join(tmpdir(), 'perilune-unix-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const SETUP = `
  local unix, pipe, stream, time = require 'unix', require 'pipe', require 'stream', require 'time'
  local ge, ae = require 'generic_error', require 'asio_error'
  local folder = '${folder}'
  FILES = 0
  local function file()
    FILES = FILES + 1
    return folder .. '/' .. tostring({}):match('0x%x+') .. FILES
  end
  local function bytes(s) return byte_span.append(s) end
  local function text(io, method, n)
    local b = byte_span.new(n or 100)
    local count = io[method](io, b)
    return tostring(b:first(count))
  end
  local function fails(f, ...)
    local ok, e = pcall(f, ...)
    if ok then return 'no error', e end
    if type(e) == 'string' then return e end
    return tostring(e), e.arg
  end
  local function aborted(f)
    local ok, e = pcall(f.join, f)
    return not ok and e == ae.basic.operation_aborted
  end
`;

// ── streams ────────────────────────────────────────────────────────────────────────────────────────

spec(
  'a pair of stream sockets carries bytes both ways, until one is closed',
  `${SETUP}
  local a, b = unix.stream.socket.pair()
  print(getmetatable(a), a.is_open, b.is_open, a.local_path, a.remote_path)
  stream.write_all(a, 'ping')
  print(b:io_control('bytes_readable'), text(b, 'read_some'))
  stream.write_all(b, 'pong')
  print(text(a, 'read_some'))
  a:shutdown('send')
  local ok, e = pcall(text, b, 'read_some')
  print(ok, e == ae.misc.eof)
  b:close()
  print(fails(a.write_some, a, bytes 'x'))
  print(a:read_some(byte_span.new(0)), fails(b.read_some, b, byte_span.new(0)))
`,
  `unix.stream.socket\ttrue\ttrue\t\t
4\tping
pong
false\ttrue
Broken pipe\tnil
0\tBad file descriptor\tnil
`,
);

for (const [name, where] of [
  ['a file', 'file()'],
  ['an abstract name', "'@perilune-test-' .. tostring({})"],
] as const) {
  for (const type of ['stream', 'seqpacket']) {
    const [read, write] = type === 'stream' ? ['read_some', 'write_some'] : ['receive', 'send'];
    spec(
      `${type}: listen and dial over ${name}`,
      `${SETUP}
      local path = ${where}
      local a = unix.${type}.listen(path)
      print(getmetatable(a), a.is_open, (tostring(a.local_path):gsub('^%z', '@')) == path)
      local f = spawn(function() return a:accept() end)
      local near = unix.${type}.dial(path)
      local far = f:join()
      print(getmetatable(near), getmetatable(far), tostring(near.remote_path) == tostring(a.local_path), far.remote_path)
      near:${write}(bytes 'hello')
      print(text(far, '${read}'))
      local c = near:get_option('remote_credentials')
      local system = require 'system'
      print(c.pid == system.getpid(), c.uid == system.getresuid(), #c.groups, c.groups[1] == system.getresgid())
      print(fails(unix.${type}.listen, path))
      near:close()
      print(fails(text, far, '${read}'))
      a:close()
      print(fails(unix.${type}.dial, path))
      print(fails(unix.${type}.dial, path .. 'x'))
    `,
      `unix.${type}.acceptor\ttrue\ttrue
unix.${type}.socket\tunix.${type}.socket\ttrue\t
hello
true\ttrue\t1\ttrue
Address already in use\tnil
End of file\tnil
Connection refused\tnil
${name === 'a file' ? 'No such file or directory' : 'Connection refused'}\tnil
`,
    );
  }
}

spec(
  'the steps one by one, with names of Emilua 0.6',
  `${SETUP}
  local path = file()
  local a = unix.stream_acceptor.new()
  print(a.is_open)
  a:open()
  print(fails(a.open, a))
  a:bind(path)
  a:listen()
  local s = unix.stream_socket.new()
  print(s.is_open, fails(function() return s.local_path end))
  local f = spawn(function() return a:accept() end)
  s:connect(path)
  print(s.is_open, f:join().is_open, fails(s.connect, s, path))
  print(fails(a.listen, a, 'x'))
  print(fails(a.bind, a, path))
  print(fails(s.open, s))
  a:set_option('enable_connection_aborted', true)
  print(a:get_option('enable_connection_aborted'), a:get_option('debug'))
  print(fails(a.set_option, a, 'enable_connection_aborted', 1))
  print(fails(a.get_option, a, 'nonsense'))
  print(fails(a.get_option, a, 'send_buffer_size'))
  print(unix.datagram_socket.new().is_open, unix.seqpacket_socket.new().is_open, unix.seqpacket_acceptor.new().is_open)
`,
  `false
Already open\tnil
false\tBad file descriptor\tnil
true\ttrue\tTransport endpoint is already connected\tnil
Invalid argument\t2
Address already in use\tnil
Already open\tnil
true\tfalse
bad argument #3 to 'set_option' (boolean expected, got number)
Operation not supported\tnil
Operation not supported\tnil
false\tfalse\tfalse
`,
);

spec(
  'acceptors: waiting, cancelling, interrupting',
  `${SETUP}
  local path = file()
  local a = unix.stream.listen(path)
  local f = spawn(function() a:wait() return a:accept() end)
  this_fiber.yield()
  local s = unix.stream.dial(path)
  print(f:join().is_open)
  f = spawn(function() a:accept() end)
  this_fiber.yield()
  a:cancel()
  print(aborted(f), a.is_open)
  f = spawn(function() a:accept() end)
  this_fiber.yield()
  f:interrupt()
  f:join()
  print(f.interruption_caught)
  f = spawn(function() a:accept() end)
  this_fiber.yield()
  a:close()
  print(aborted(f), a.is_open, fails(a.accept, a))
  print(fails(a.cancel, a))
  print(fails(a.release, a))
  a:close()
`,
  `true
true\ttrue
true
true\tfalse\tBad file descriptor\tnil
Bad file descriptor\tnil
Bad file descriptor\tnil
`,
);

spec(
  'a listener whose queue is full makes connect wait, and it can be interrupted',
  `${SETUP}
  local path = file()
  local a = unix.stream.acceptor.new()
  a:open() a:bind(path) a:listen(0)
  local list, errors = {}, 0
  for i = 1, 5 do
    list[i] = spawn(function()
      local s = unix.stream.dial(path)
      stream.write_all(s, tostring(i))
      s:close()
    end)
  end
  local late = spawn(function() unix.stream.dial(path) end)
  this_fiber.yield()
  late:interrupt()
  late:join()
  print(late.interruption_caught)
  local all = {}
  for i = 1, 5 do all[i] = text(a:accept(), 'read_some') end
  table.sort(all)
  print(table.concat(all))
  for _, f in ipairs(list) do f:join() end
`,
  'true\n12345\n',
);

spec(
  'close of the socket ends a connect that waits',
  `${SETUP}
  local path = file()
  local a = unix.stream.acceptor.new()
  a:open() a:bind(path) a:listen(0)
  local first = unix.stream.dial(path)
  for _, how in ipairs{'close', 'cancel'} do
    local s = unix.stream.socket.new()
    local f = spawn(function() s:connect(path) end)
    this_fiber.yield()
    s[how](s)
    print(aborted(f), s.is_open)
  end
`,
  'true\tfalse\ntrue\ttrue\n',
);

spec(
  'reads of a stream end by interrupt, cancel, close and release, without losing bytes',
  `${SETUP}
  local a, b = unix.stream.socket.pair()
  local buf = byte_span.new(5)
  local f = spawn(function() a:read_some(buf) end)
  this_fiber.yield()
  f:interrupt()
  f:join()
  print(f.interruption_caught)
  f = spawn(function() a:read_some(buf) end)
  this_fiber.yield()
  a:cancel()
  print(aborted(f), a.is_open)
  -- it has its bytes before it is interrupted
  f = spawn(function() return a:read_some(buf) end)
  this_fiber.yield()
  stream.write_all(b, 'first')
  time.sleep(0.005) time.sleep(0.005) -- the second one sees the events that came before the first ended
  f:interrupt()
  print(f:join(), buf)
  f = spawn(function() a:read_some(buf) end)
  this_fiber.yield()
  local fd = a:release()
  print(aborted(f), a.is_open, fd:is_socket('unix', 'stream'), fd:is_socket('unix', 'seqpacket'))
  stream.write_all(b, 'later')
  local c = unix.stream.socket.new(fd)
  print(text(c, 'read_some'))
  f = spawn(function() c:read_some(buf) end)
  this_fiber.yield()
  c:close()
  print(aborted(f), c.is_open)
`,
  'true\ntrue\ttrue\n5\tfirst\ntrue\tfalse\ttrue\tfalse\nlater\ntrue\tfalse\n',
);

spec(
  'two fibers read and write one socket at once',
  `${SETUP}
  local a, b = unix.stream.socket.pair()
  local SIZE = 300000
  local data = ('abcdefghij'):rep(SIZE / 10)
  local function echo(s)
    local buf = byte_span.new(5000)
    while true do
      local ok, n = pcall(s.read_some, s, buf)
      if not ok then break end
      stream.write_all(s, buf:first(n))
    end
    s:shutdown('send')
  end
  spawn(function() echo(b) end)
  local writer = spawn(function() stream.write_all(a, data) a:shutdown('send') end)
  local got = byte_span.new(SIZE)
  stream.read_all(a, got)
  writer:join()
  print(tostring(got) == data)
`,
  'true\n',
  { once: true },
);

spec(
  'a stream of a scanner',
  `${SETUP}
  local a, b = unix.stream.socket.pair()
  spawn(function() stream.write_all(a, 'x 1\\ny 2\\n') a:close() end)
  local lines = stream.scanner.new{stream = b}
  print(lines:get_line(), lines:get_line(), (pcall(lines.get_line, lines)))
`,
  'x 1\ty 2\tfalse\n',
);

// ── datagrams ──────────────────────────────────────────────────────────────────────────────────────

spec(
  'datagrams keep their bounds, know their senders, and may be empty',
  `${SETUP}
  local here, there = file(), file()
  local a, b = unix.datagram.socket.new(), unix.datagram.socket.new()
  a:open() a:bind(here)
  b:open() b:bind(there)
  print(getmetatable(a), tostring(a.local_path) == here, fails(function() return a.remote_path end))
  print(a:send_to(bytes 'one', there), a:send_to(bytes '', there), a:send_to(bytes 'three', there))
  local buf = byte_span.new(3)
  for i = 1, 3 do
    local n, from = b:receive_from(buf)
    print(n, tostring(buf:first(n)), getmetatable(from), tostring(from) == here)
  end
  this_fiber.forbid_suspend()
  a:connect(there) -- at once
  this_fiber.allow_suspend()
  print(tostring(a.remote_path) == there, a:send(bytes 'peek'))
  print(text(b, 'receive', 4), b.is_open)
  print(fails(b.send, b, bytes 'x'))
  a:disconnect()
  print(fails(a.send, a, bytes 'x'))
  b:close()
  print(fails(a.send_to, a, bytes 'x', there))
  print(fails(a.send_to, a, bytes 'x', there .. 'x'))
`,
  `unix.datagram.socket\ttrue\tTransport endpoint is not connected\tnil
3\t0\t5
3\tone\tfilesystem.path\ttrue
0\t\tfilesystem.path\ttrue
3\tthr\tfilesystem.path\ttrue
true\t4
peek\ttrue
Transport endpoint is not connected\tnil
Transport endpoint is not connected\tnil
Connection refused\tnil
No such file or directory\tnil
`,
);

spec(
  'datagrams: unnamed senders, flags, pairs',
  `${SETUP}
  local a, b = unix.datagram.socket.pair()
  a:send(bytes 'peeked')
  local buf = byte_span.new(10)
  print(b:receive(buf, {'peek'}), b:receive(buf, unix.message_flag.peek), b:receive(buf, {}))
  a:send(bytes '')
  print(b:receive(buf), b:io_control('bytes_readable'))
  a:send(bytes 'x')
  local n, from = b:receive_from(buf)
  print(n, '[' .. tostring(from) .. ']')
  a:send_with_fds(bytes 'y', {})
  local n, from, fds = b:receive_from_with_fds(buf, 1)
  print(n, from, #fds)
  print(fails(b.receive, b, buf, {'nonsense'}))
  print(fails(b.receive, b, buf, 4096))
  print(fails(b.receive, b, buf, 'peek'))
  print(fails(b.receive, b, 'x'))
  print(fails(b.send_to, b, buf, 17))
  print(fails(b.receive_from_with_fds, b, buf, 0))
  print(fails(b.get_option, b, 'remote_credentials'))
  local d = unix.datagram.dial
  print(fails(d, folder .. '/none'))
  a:close()
  print(fails(b.send, b, buf))
`,
  `6\t6\t6
0\t0
1\t[]
1\tnil\t0
Invalid argument\t3
Invalid argument\t3
Invalid argument\t3
Invalid argument\t2
Invalid argument\t3
Invalid argument\t3
Operation not supported\tnil
No such file or directory\tnil
Connection refused\tnil
`,
);

for (const [how, setup, send] of [
  ['connected', 'a:connect(path)', 'a:send(message)'],
  ['unconnected', '', 'a:send_to(message, path)'],
] as const) {
  spec(
    `a receiver that is slow makes a ${how} datagram socket wait; nothing is lost`,
    `${SETUP}
    local path = file()
    local a, b = unix.datagram.socket.new(), unix.datagram.socket.new()
    a:open()
    b:open() b:bind(path)
    ${setup}
    local message = byte_span.new(100)
    local sent = 0
    local f = spawn(function()
      for i = 1, 2000 do ${send} sent = i end
    end)
    local last = -1
    while sent ~= last do
      last = sent
      for i = 1, 100 do this_fiber.yield() end
    end
    print(sent < 2000)
    for i = 1, 2000 do b:receive(message) end
    f:join()
    print(sent)
  `,
    'true\n2000\n',
    { once: true },
  );
}

spec(
  'a datagram that waits for its receiver can be interrupted',
  `${SETUP}
  local path = file()
  local a, b = unix.datagram.socket.new(), unix.datagram.socket.new()
  a:open()
  b:open() b:bind(path)
  local sent = 0
  local f = spawn(function() while true do a:send_to(bytes 'x', path) sent = sent + 1 end end)
  time.sleep(0.02)
  f:interrupt()
  f:join()
  print(f.interruption_caught, sent > 0)
  for i = 1, sent do b:receive(byte_span.new(1)) end
  f = spawn(function() b:receive(byte_span.new(1)) end)
  this_fiber.yield()
  b:close()
  print(aborted(f))
`,
  'true\ttrue\ntrue\n',
  { once: true },
);

// ── seqpacket ──────────────────────────────────────────────────────────────────────────────────────

spec(
  'seqpacket: bounds are kept, what does not fit is lost, an empty message looks like the end',
  `${SETUP}
  local a, b = unix.seqpacket.socket.pair()
  print(getmetatable(a))
  a:send(bytes 'one') a:send(bytes 'second') a:send(bytes 'three')
  local buf = byte_span.new(3)
  for i = 1, 3 do print(b:receive(buf), buf) end
  a:send(bytes 'peeked')
  print(b:receive(buf, {'peek'}), b:receive(byte_span.new(0)), text(b, 'receive'))
  print(a:send(byte_span.new(0)), fails(b.receive, b, buf))
  a:send(bytes 'goes on')
  print(text(b, 'receive'))
  a:close()
  print(fails(b.receive, b, buf))
  print(fails(b.send, b, buf))
`,
  `unix.seqpacket.socket
3\tone
3\tsec
3\tthr
3\t0\tpeeked
0\tEnd of file\tnil
goes on
End of file\tnil
Broken pipe\tnil
`,
);

spec(
  'a message that waits for room is whole, or interrupted',
  `${SETUP}
  local a, b = unix.seqpacket.socket.pair()
  a:set_option('send_buffer_size', 8192)
  print(a:get_option('send_buffer_size'))
  local message = byte_span.new(2000)
  local sent = 0
  local f = spawn(function() while true do a:send(message) sent = sent + 1 end end)
  local last = -1
  while sent ~= last do last = sent for i = 1, 100 do this_fiber.yield() end end
  f:interrupt()
  f:join()
  print(f.interruption_caught, sent > 0)
  a:close()
  local got = 0
  while true do
    local ok, n = pcall(b.receive, b, message)
    if not ok then print(n) break end
    assert(n == 2000)
    got = got + 1
  end
  print(got == sent)
`,
  '8192\ntrue\ttrue\nEnd of file\ntrue\n',
);

// ── descriptors in messages ────────────────────────────────────────────────────────────────────────

for (const type of ['stream', 'seqpacket', 'datagram']) {
  spec(
    `${type}: descriptors arrive with the bytes, as duplicates`,
    `${SETUP}
    local a, b = unix.${type}.socket.pair()
    local r, w = pipe.pair()
    local fd = w:release()
    print(a:send_with_fds(bytes 'take', {fd, fd}), fd.type)
    local buf = byte_span.new(10)
    local n, fds = b:receive_with_fds(buf, 5)
    print(n, buf:first(n), #fds, getmetatable(fds[1]), fds[1]:kcmp(fd), fds.truncated)
    fd:close()
    local w2 = pipe.write_stream.new(fds[1])
    stream.write_all(w2, 'through')
    w2:close()
    print(text(r, 'read_some'), fails(text, r, 'read_some'))
    stream = nil
    a:send_with_fds(bytes 'none', {})
    n, fds = b:receive_with_fds(buf, 1)
    print(n, buf:first(n), #fds)
  `,
    `4\tfifo
4\ttake\t1\tfile_descriptor\t0\tnil
through\tEnd of file\tnil
4\tnone\t0
`,
  );

  spec(
    `${type}: descriptors that nobody asked for are closed`,
    `${SETUP}
    local a, b = unix.${type}.socket.pair()
    local fds, pipes = {}, {}
    for i = 1, 20 do
      local r, w = pipe.pair()
      fds[i] = w:release()
      pipes[i] = r
    end
    local buf = byte_span.new(10)
    for most = 1, 3 do
      a:send_with_fds(bytes 'x', fds)
      local n, got = b:receive_with_fds(buf, most)
      print(n, #got, got.truncated, got[1]:kcmp(fds[1]), got[#got]:kcmp(fds[most]))
      for i = 1, #got do got[i]:close() end
    end
    a:send_with_fds(bytes 'x', fds)
    ${type === 'stream' ? 'b:read_some(buf)' : 'b:receive(buf)'}
    for i = 1, 20 do fds[i]:close() end
    for i = 1, 20 do assert(select(2, pcall(text, pipes[i], 'read_some')) == ae.misc.eof) end
    print('all closed')
  `,
    '1\t1\ttrue\t0\t0\n1\t2\ttrue\t0\t0\n1\t3\ttrue\t0\t0\nall closed\n',
  );

  spec(
    `${type}: wrong arguments`,
    `${SETUP}
    local a, b = unix.${type}.socket.pair()
    local buf = byte_span.new(1)
    local r, w = pipe.pair()
    local fd = r:release()
    print(fails(b.receive_with_fds, b, 'x', 1))
    print(fails(b.receive_with_fds, b, buf, 0))
    print(fails(b.receive_with_fds, b, buf, -1))
    print(fails(b.receive_with_fds, b, buf))
    print(fails(a.send_with_fds, a, 'x', {}))
    print(fails(a.send_with_fds, a, buf, fd))
    print(fails(a.send_with_fds, a, buf))
    print(fails(a.send_with_fds, a, buf, {fd, w}))
    print(fails(a.send_with_fds, a, buf, {1}))
    local closed = fd:dup()
    closed:close()
    print(fails(a.send_with_fds, a, buf, {closed}))
    local given = fd:dup()
    pipe.read_stream.new(given)
    print(fails(a.send_with_fds, a, buf, {given}))
    local many = {}
    for i = 1, 254 do many[i] = fd:dup() end
    print(fails(a.send_with_fds, a, buf, many))
    for i = 1, 254 do many[i]:close() end
    a:close()
    print(fails(a.send_with_fds, a, buf, {fd}))
    print(fails(a.receive_with_fds, a, buf, 1))
    print(fd.type)
  `,
    `Invalid argument\t2
Invalid argument\t3
Invalid argument\t3
bad argument #3 to 'receive_with_fds' (number expected, got no value)
Invalid argument\t2
Invalid argument\t3
Invalid argument\t3
Invalid argument\t3
Invalid argument\t3
Device or resource busy\tnil
Invalid argument\t3
Invalid argument\tnil
Bad file descriptor\tnil
Bad file descriptor\tnil
fifo
`,
  );
}

spec(
  '253 descriptors go in one message, to whoever asks for more',
  `${SETUP}
  local a, b = unix.seqpacket.socket.pair()
  local r = pipe.pair()
  local fd = r:release()
  local many = {}
  for i = 1, 253 do many[i] = fd:dup() end
  a:send_with_fds(bytes 'many', many)
  local n, fds = b:receive_with_fds(byte_span.new(4), 1e9)
  print(n, #fds, fds.truncated, fds[253]:kcmp(fd))
`,
  '4\t253\tnil\t0\n',
);

spec(
  'the end of a connection, and messages without bytes',
  `${SETUP}
  local buf = byte_span.new(4)
  local fd = pipe.pair():release()
  local a, b = unix.stream.socket.pair()
  print(a:send_with_fds(byte_span.new(0), {fd}), b:receive_with_fds(byte_span.new(0), 1))
  a:close()
  print(fails(b.receive_with_fds, b, buf, 1))
  a, b = unix.seqpacket.socket.pair()
  print(a:send_with_fds(byte_span.new(0), {fd}))
  local n, fds = b:receive_with_fds(buf, 1)
  print(n, #fds, fds[1]:kcmp(fd))
  a:close()
  print(fails(b.receive_with_fds, b, buf, 1))
  a, b = unix.datagram.socket.pair()
  print(a:send_with_fds(byte_span.new(0), {fd}))
  n, fds = b:receive_with_fds(buf, 1)
  print(n, #fds)
`.replace(
    'print(a:send_with_fds(byte_span.new(0), {fd}), b:receive_with_fds(byte_span.new(0), 1))',
    'print(a:send_with_fds(byte_span.new(0), {fd}), (b:receive_with_fds(byte_span.new(0), 1)))',
  ),
  `0\t0
End of file\tnil
0
0\t1\t0
End of file\tnil
0
0\t1
`,
);

spec(
  'datagrams with descriptors to a name',
  `${SETUP}
  local path, mine = file(), file()
  local a, b = unix.datagram.socket.new(), unix.datagram.socket.new()
  a:open() a:bind(mine)
  b:open() b:bind(path)
  local fd = pipe.pair():release()
  print(a:send_to_with_fds(bytes 'hi', path, {fd}))
  local n, from, fds = b:receive_from_with_fds(byte_span.new(4), 2)
  print(n, tostring(from) == mine, #fds, fds[1]:kcmp(fd))
  print(fails(a.send_to_with_fds, a, bytes 'hi', path, {1}))
  print(fails(a.send_to_with_fds, a, bytes 'hi', 1, {fd}))
  print(fails(a.send_to_with_fds, a, bytes 'hi', path .. 'x', {fd}))
  print(fd.type)
`,
  `2
2\ttrue\t1\t0
Invalid argument\t4
Invalid argument\t3
No such file or directory\tnil
fifo
`,
);

spec(
  'while a send waits, its descriptors are busy; afterwards they can be used',
  `${SETUP}
  local a, b = unix.stream.socket.pair()
  local fd = pipe.pair():release()
  local big = byte_span.new(65536)
  local function fill()
    local n = 0
    local f = spawn(function() while true do n = n + a:write_some(big) end end)
    local last = -1
    while n ~= last do last = n for i = 1, 50 do this_fiber.yield() end end
    f:interrupt()
    f:join()
    return n
  end
  local filled = fill()
  local f = spawn(function() return a:send_with_fds(bytes 'x', {fd}) end)
  this_fiber.yield()
  local other = pipe.read_stream.new()
  print(fails(fd.close, fd))
  print(fails(fd.dup, fd))
  print(fails(tostring, fd))
  print(fails(function() return fd.type end))
  print(fails(other.assign, other, fd))
  print(fails(a.send_with_fds, a, bytes 'x', {fd}))
  f:interrupt()
  f:join()
  print(f.interruption_caught, fd.type)
  f = spawn(function() return a:send_with_fds(bytes 'x', {fd}) end)
  this_fiber.yield()
  local got = 0
  while got < filled do got = got + b:read_some(big) end
  print(f:join(), fd.type)
  local n, fds = b:receive_with_fds(big, 1)
  print(n, #fds, fds[1]:kcmp(fd))
  filled = fill()
  f = spawn(function() return a:send_with_fds(bytes 'x', {fd}) end)
  this_fiber.yield()
  a:close()
  print(aborted(f), fd.type)
  fd:close()
`,
  `Device or resource busy\tnil
Device or resource busy\tnil
Device or resource busy\tnil
Device or resource busy\tnil
Device or resource busy\tnil
Device or resource busy\tnil
true\tfifo
1\tfifo
1\t1\t0
true\tfifo
`,
);

spec(
  'an interruption neither loses nor leaks a descriptor',
  `${SETUP}
  local a, b = unix.stream.socket.pair()
  local buf = byte_span.new(4)
  local r, w = pipe.pair()
  local fd = w:release()
  -- before it arrives: it stays in the socket
  local f = spawn(function() b:receive_with_fds(buf, 1) end)
  this_fiber.yield()
  f:interrupt()
  f:join()
  a:send_with_fds(bytes 'x', {fd})
  local n, fds = b:receive_with_fds(buf, 1)
  print(f.interruption_caught, n, #fds)
  fds[1]:close()
  -- after it has arrived, before the fiber runs: it is delivered
  f = spawn(function() return b:receive_with_fds(buf, 1) end)
  this_fiber.yield()
  a:send_with_fds(bytes 'x', {fd})
  time.sleep(0.005) time.sleep(0.005) -- the second one sees the events that came before the first ended
  f:interrupt()
  n, fds = f:join()
  print(n, #fds)
  fds[1]:close()
  -- it arrives for a fiber that is never resumed: the VM's end closes it (checked by the test)
  f = spawn(function() b:receive_with_fds(buf, 1) end)
  this_fiber.yield()
  a:send_with_fds(bytes 'x', {fd})
  fd:close()
  -- unread in a socket that is closed: the writer's end is gone
  local c, d = unix.stream.socket.pair()
  c:send_with_fds(bytes 'x', {r:release()})
  c:close() d:close()
`,
  'true\t1\t1\n1\t1\n',
);

spec(
  'bytes with descriptors are not glued to those before and after them',
  `${SETUP}
  local a, b = unix.stream.socket.pair()
  local fd = pipe.pair():release()
  stream.write_all(a, 'before')
  a:send_with_fds(bytes 'with', {fd})
  stream.write_all(a, 'after')
  local buf = byte_span.new(100)
  local text = {}
  local got = 0
  while got < 15 do
    local n, fds = b:receive_with_fds(buf, 4)
    got = got + n
    text[#text + 1] = tostring(buf:first(n)) .. ':' .. #fds
  end
  print(table.concat(text, ' '))
`,
  'beforewith:1 after:0\n',
);

spec(
  'a socket travels through a socket, and works on the other side',
  `${SETUP}
  local a, b = unix.stream.socket.pair()
  local c, d = unix.seqpacket.socket.pair()
  a:send_with_fds(bytes 'x', {d:release()})
  local _, fds = b:receive_with_fds(byte_span.new(1), 1)
  local e = unix.seqpacket.socket.new(fds[1])
  c:send(bytes 'hello')
  print(text(e, 'receive'), fails(e.assign, e, pipe.pair():release()))
`,
  'hello\tAlready open\tnil\n',
);

// ── addresses, options, wrong uses ─────────────────────────────────────────────────────────────────

spec(
  'names: paths of filesystem.path, too long ones, NULs, the kernel picks one',
  `${SETUP}
  local s = unix.stream.socket.new()
  s:open()
  print(fails(s.bind, s, ('x'):rep(108)))
  print(fails(s.bind, s, folder .. '/a\\0b'))
  print(fails(s.bind, s, folder .. '/none/a'))
  print(fails(s.bind, s, 17))
  print(fails(s.connect, s))
  print(fails(s.connect, s, _FILE))
  print(fails(unix.stream.dial, {}))
  print(fails(unix.stream.listen, {}))
  s:bind('')
  print(#tostring(s.local_path), tostring(s.local_path):byte())
  local a = unix.stream.listen('@' .. tostring(s.local_path):sub(2) .. 'x')
  local t = unix.stream.dial(a.local_path)
  print(tostring(t.remote_path) == tostring(a.local_path))
  local long = file()
  long = long .. ('y'):rep(107 - #long)
  local a = unix.stream.listen(long)
  print(#tostring(a.local_path), tostring(unix.stream.dial(long).remote_path) == long)
`,
  `File name too long\tnil
Invalid argument\tnil
No such file or directory\tnil
Invalid argument\t2
Invalid argument\t2
Connection refused\tnil
Invalid argument\t1
bad argument #1 to 'listen' (string expected, got table)
6\t0
true
107\ttrue
`,
);

spec(
  'options',
  `${SETUP}
  local a, b = unix.stream.socket.pair()
  a:set_option('receive_buffer_size', 30000)
  print(a:get_option('receive_buffer_size'), a:get_option('debug'), a:get_option('receive_low_watermark'))
  a:set_option('receive_low_watermark', 4)
  print(a:get_option('receive_low_watermark'))
  print(fails(a.set_option, a, 'send_low_watermark', 4))
  print(fails(a.set_option, a, 'debug', 1))
  print(fails(a.set_option, a, 'receive_buffer_size', true))
  print(fails(a.set_option, a, 'remote_credentials', 1))
  print(fails(a.get_option, a, 'linger'))
  print(fails(a.get_option, a, '__proto__'))
  print(fails(a.get_option, a, 'remote_security_labels'))
  print(fails(a.io_control, a, 'x'))
  print(fails(a.shutdown, a, 'x'))
  print(fails(a.shutdown, a))
  local c = unix.seqpacket.socket.pair()
  print(fails(c.get_option, c, 'receive_low_watermark'))
  local d = unix.stream.socket.new()
  print(fails(d.get_option, d, 'debug'))
  print(fails(d.get_option, d, 'remote_credentials'))
  d:open()
  print(fails(d.get_option, d, 'remote_credentials'))
  print(fails(function() return d.remote_path end))
  print(fails(d.read_some, d, byte_span.new(1)))
  local ok, label = pcall(a.get_option, a, 'remote_security_label')
  print(ok and type(label) == 'string' or label == ae.basic.no_protocol_option)
`,
  `30000\tfalse\t1
4
Protocol not available\tnil
bad argument #3 to 'set_option' (boolean expected, got number)
bad argument #3 to 'set_option' (number expected, got boolean)
Operation not supported\tnil
Operation not supported\tnil
Operation not supported\tnil
Operation not supported\tnil
Operation not supported\tnil
Invalid argument\t2
Invalid argument\t2
Operation not supported\tnil
Bad file descriptor\tnil
Bad file descriptor\tnil
Transport endpoint is not connected\tnil
Transport endpoint is not connected\tnil
Invalid argument\tnil
true
`,
);

spec(
  'objects of one kind are no objects of another; unknown members',
  `${SETUP}
  local a = unix.stream.socket.pair()
  local b = unix.seqpacket.socket.pair()
  print(fails(a.read_some, b, byte_span.new(1)))
  print(fails(b.receive, a, byte_span.new(1)))
  print(fails(function() return a.receive end))
  print(fails(function() return b.read_some end))
  print(fails(function() a.x = 1 end))
  print(fails(function() return unix.stream.acceptor.new().connect end))
  print(fails(unix.stream.socket.new, nil))
  print(fails(unix.stream.socket.new, a))
`,
  `Invalid argument\t1
Invalid argument\t1
Requested key wasn't found in the table/userdata\tnil
Requested key wasn't found in the table/userdata\tnil
Requested key wasn't found in the table/userdata\tnil
Requested key wasn't found in the table/userdata\tnil
Invalid argument\t1
Invalid argument\t1
`,
);

test('listen with a mode gives the file that mode, whatever the umask', async () => {
  const path = join(folder, 'moded');
  const before = process.umask(0o077);
  try {
    const outcome = await runLua(`
      local unix = require 'unix'
      local a = unix.stream.listen('${path}', ${0o1622})
      print(a.is_open)
      local b = unix.seqpacket.listen('${path}2')
      local c = unix.seqpacket.listen('@${path}3', 0)
    `);
    assert.equal(outcome.stderr, '');
    assert.equal(outcome.stdout, 'true\n');
  } finally {
    process.umask(before);
  }
  assert.equal(statSync(path).mode & 0o7777, 0o622);
  assert.equal(statSync(`${path}2`).mode & 0o7777, 0o700);
});
