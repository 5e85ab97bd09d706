/**
 * What the kernel may do to a program: refuse, fall short, be interrupted, run out of descriptors. Each
 * test makes one system call misbehave and runs a program against that; none may leave a descriptor.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { errnoNumber } from '../../src/sys/errno.ts';
import { clearFault, type Fault, injectFault } from '../../src/sys/fault.ts';
import { getLimits, RLIMIT_NOFILE, setLimits } from '../../src/sys/rlimit.ts';
import { fromBytes, openDescriptors, runLua } from '../support/spec.ts';

const SETUP = `
  local ip, stream, time = require 'ip', require 'stream', require 'time'
  local ae = require 'asio_error'
  local a = ip.tcp.listen('127.0.0.1:0')
  local function connect() return ip.tcp.dial('127.0.0.1:' .. a.local_port) end
  local function pair()
    local f = spawn(function() return a:accept() end)
    local near = connect()
    return near, f:join()
  end
`;

// The reactor's own descriptors come with the first operation that waits, and stay.
await runLua(`${SETUP} local near, far = pair() near:close() far:close() a:close()`);

function faulty(
  name: string,
  call: string,
  fault: Omit<Fault, 'errno'> & { errno?: string },
  program: string,
  expected: string,
): void {
  test(name, { timeout: 300_000 }, async () => {
    const before = openDescriptors();
    const errno = fault.errno === undefined ? 0 : errnoNumber(fault.errno)!;
    injectFault(call, { ...fault, errno });
    try {
      const outcome = await runLua(SETUP + program);
      assert.equal(outcome.stderr, '');
      assert.equal(fromBytes(outcome.stdout), expected);
    } finally {
      clearFault(call);
    }
    assert.deepEqual(openDescriptors(), before, 'descriptors left open');
  });
}

const ECHO = `
  local near, far = pair()
  local text = ('0123456789'):rep(10)
  spawn(function()
    local b = byte_span.new(100)
    stream.read_all(far, b)
    stream.write_all(far, b)
    far:close()
  end)
  stream.write_all(near, text)
  local b = byte_span.new(100)
  stream.read_all(near, b)
  print(tostring(b) == text, pcall(near.read_some, near, b))
  near:close() a:close()
`;
const ECHOED = 'true\tfalse\tEnd of file\n';

for (const call of ['read', 'write']) {
  faulty(`${call} of one byte at a time`, call, { limit: 1, times: 1000 }, ECHO, ECHOED);
  faulty(`${call} interrupted by signals`, call, { errno: 'EINTR', times: 50 }, ECHO, ECHOED);
  faulty(`${call} not ready after all`, call, { errno: 'EAGAIN', times: 50 }, ECHO, ECHOED);
}

faulty(
  'accept: out of descriptors, and then not',
  'accept4',
  { errno: 'EMFILE' },
  `
  local f = spawn(connect)
  local ok, e = pcall(a.accept, a)
  print(ok, e, e == ae.basic.no_descriptors)
  local s = a:accept()
  print(s.is_open, f:join():close())
  s:close() a:close()
`,
  'false\tToo many open files\ttrue\ntrue\n',
);

faulty(
  'accept passes over connections that were aborted',
  'accept4',
  { errno: 'ECONNABORTED', times: 3 },
  `
  local near, far = pair()
  print(far.is_open)
  near:close() far:close() a:close()
`,
  'true\n',
);

faulty(
  'accept reports them when it is asked to',
  'accept4',
  { errno: 'ECONNABORTED' },
  `
  a:set_option('enable_connection_aborted', true)
  local f = spawn(connect)
  print(pcall(a.accept, a))
  local s, c = a:accept(), f:join()
  s:close() c:close() a:close()
`,
  'false\tSoftware caused connection abort\n',
);

faulty(
  'a reset while reading',
  'read',
  { errno: 'ECONNRESET' },
  `
  local near, far = pair()
  local ok, e = pcall(near.read_some, near, byte_span.new(1))
  print(e == ae.basic.connection_reset)
  near:close() far:close() a:close()
`,
  'true\n',
);

faulty(
  'no buffers while writing',
  'write',
  { errno: 'ENOBUFS' },
  `
  local near, far = pair()
  local ok, e = pcall(near.write_some, near, byte_span.new(1))
  print(e == ae.basic.no_buffer_space, near:write_some(byte_span.new(1)))
  near:close() far:close() a:close()
`,
  'true\t1\n',
);

faulty(
  'dial and open: no descriptor for a socket',
  'socket',
  { errno: 'EMFILE', skip: 1, times: 2 },
  `
  print(pcall(connect))
  local s = ip.tcp.socket.new()
  print(pcall(s.open, s, 'v4'))
  print(s.is_open, s:open('v4'), s.is_open)
  s:close() a:close()
`,
  'false\tToo many open files\nfalse\tToo many open files\nfalse\tnil\ttrue\n',
);

faulty(
  'listen: what was opened is closed when it fails',
  'listen',
  { errno: 'EADDRINUSE', skip: 1 },
  `
  local ok, e = pcall(ip.tcp.listen, '127.0.0.1:0')
  print(e == ae.basic.address_in_use)
  a:close()
`,
  'true\n',
);

faulty(
  'the kernel has no room to watch another descriptor',
  'epoll_ctl',
  { errno: 'ENOSPC', skip: 0 },
  `
  local ok, e = pcall(a.accept, a)
  print(e)
  local near, far = pair()
  print(far.is_open)
  near:close() far:close() a:close()
`,
  'No space left on device\ntrue\n',
);

faulty(
  'connect: refused at once',
  'connect',
  { errno: 'ENETUNREACH' },
  `
  local s = ip.tcp.socket.new()
  local ok, e = pcall(s.connect, s, ip.address.loopback_v4(), 9)
  print(e == ae.basic.network_unreachable, s.is_open)
  s:close() a:close()
`,
  'true\ttrue\n',
);

// ── datagrams ──────────────────────────────────────────────────────────────────────────────────────

const UDP = `
  local function bound()
    local s = ip.udp.socket.new()
    s:open('v4')
    s:bind('127.0.0.1', 0)
    return s
  end
  local x, y = bound(), bound()
  local buf = byte_span.new(16)
  local to = ip.address.loopback_v4()
`;

for (const errno of ['EINTR', 'EAGAIN']) {
  for (const call of ['recvfrom', 'sendto']) {
    faulty(
      `${call}: ${errno} again and again`,
      call,
      { errno, times: 30 },
      `${UDP}
      local f = spawn(function() return y:receive_from(buf) end)
      print(x:send_to(byte_span.append('data'), to, y.local_port), (f:join()), buf:first(4))
      x:close() y:close() a:close()
    `,
      '4\t4\tdata\n',
    );
  }
  for (const call of ['recv', 'send']) {
    faulty(
      `connected ${call}: ${errno} again and again`,
      call,
      { errno, times: 30 },
      `${UDP}
      x:connect(to, y.local_port) y:connect(to, x.local_port)
      local f = spawn(function() return y:receive(buf) end)
      print(x:send(byte_span.append('data')), f:join(), buf:first(4))
      x:close() y:close() a:close()
    `,
      '4\t4\tdata\n',
    );
  }
}

faulty(
  'no room to send a datagram, which is told',
  'sendto',
  { errno: 'ENOBUFS' },
  `${UDP}
  local ok, e = pcall(x.send_to, x, byte_span.append('data'), to, y.local_port)
  print(e == ae.basic.no_buffer_space, x:send_to(byte_span.append('data'), to, y.local_port), y:receive(buf))
  x:close() y:close() a:close()
`,
  'true\t4\t4\n',
);

faulty(
  'a datagram that waits to be sent is ended by an interruption, close and cancel',
  'sendto',
  { errno: 'EAGAIN', times: 1000 },
  `${UDP}
  for _, stop in ipairs{
    function(s, f) f:interrupt() end, function(s) s:cancel() end, function(s) s:close() end,
  } do
    local f = spawn(function()
      local ok, e = pcall(x.send_to, x, byte_span.append('data'), to, y.local_port)
      print(e)
    end)
    this_fiber.yield()
    stop(x, f)
    f:join()
  end
  print(y:io_control('bytes_readable'))
  y:close() a:close()
`,
  'Fiber interrupted\nOperation canceled\nOperation canceled\n0\n',
);

// ── each call in turn ──────────────────────────────────────────────────────────────────────────────

/** What a server and a client do, over both transports; whoever fails, all is closed at the end. */
const EVERYTHING = `
  local opened = {a}
  local function keep(object) opened[#opened + 1] = object return object end
  local ok, e = pcall(function()
    local f = spawn(function()
      local ok, s = pcall(a.accept, a)
      if not ok then a:close() return end
      keep(s)
      local b = byte_span.new(4)
      ok = pcall(function() stream.read_all(s, b) stream.write_all(s, b) s:shutdown('send') end)
      if not ok then s:close() end
    end)
    local near = keep(ip.tcp.socket.new())
    near:open('v4')
    near:bind('127.0.0.1', 0)
    near:connect(ip.address.loopback_v4(), a.local_port)
    near:set_option('tcp_no_delay', true)
    local _ = near:get_option('keep_alive'), near.remote_port, near.local_port
    near:send(byte_span.append('ping'), 0)
    near:receive(byte_span.new(4), 0)
    local ok, e = pcall(near.read_some, near, byte_span.new(4))
    if not ok and e ~= ae.misc.eof then error(e, 0) end
    near:shutdown('both')
    f:join()
    local x, y = keep(ip.udp.socket.new()), keep(ip.udp.socket.new())
    y:open('v4') y:bind('127.0.0.1', 0)
    x:connect(ip.address.loopback_v4(), y.local_port)
    x:send(byte_span.append('x'))
    local n, from, port = y:receive_from(byte_span.new(4))
    y:send_to(byte_span.append('y'), from, port)
    x:receive(byte_span.new(4))
    keep(ip.tcp.listen('127.0.0.1:0'))
  end)
  for _, object in ipairs(opened) do object:close() end
  print(ok or type(e) == 'table' or e)
`;

for (const call of [
  ...['socket', 'bind', 'listen', 'connect', 'accept4', 'read', 'write', 'recv', 'send'],
  ...['recvfrom', 'sendto', 'setsockopt', 'getsockopt', 'getsockname', 'getpeername', 'shutdown'],
  ...['epoll_ctl', 'close'],
]) {
  test(`${call} fails, whichever call it is`, { timeout: 300_000 }, async () => {
    const before = openDescriptors();
    for (let skip = 0; skip < 8; skip++) {
      // The first socket, bind and listen are those of the set-up.
      injectFault(call, { errno: errnoNumber('EIO')!, skip: skip + 1 });
      try {
        const outcome = await runLua(`${SETUP}
          -- Whoever waits for what never comes is told so.
          local timeout = require 'timeout'
          local done, e = pcall(timeout, 240, function() ${EVERYTHING} end)
          if not done then print(e) a:close() end
        `);
        assert.equal(outcome.stderr, '');
        assert.equal(fromBytes(outcome.stdout), 'true\n');
      } finally {
        clearFault(call);
      }
      assert.deepEqual(openDescriptors(), before, 'descriptors left open');
    }
  });
}

test('a process that is out of descriptors goes on accepting when some are closed', {
  timeout: 300_000,
}, async () => {
  const before = openDescriptors();
  const limit = getLimits(RLIMIT_NOFILE);
  setLimits(RLIMIT_NOFILE, { ...limit, soft: Math.max(...before.map(Number)) + 40 });
  try {
    const outcome = await runLua(`${SETUP}
      -- As many as this process may have, and three for the clients.
      local sockets = {}
      pcall(function()
        while true do
          local s = ip.tcp.socket.new()
          s:open('v4')
          sockets[#sockets + 1] = s
        end
      end)
      for _ = 1, 3 do table.remove(sockets):close() end
      local accepted, failed = {}, 0
      local server = spawn(function()
        while #accepted < 3 do
          local ok, s = pcall(a.accept, a)
          if ok then
            accepted[#accepted + 1] = s
          elseif s == ae.basic.no_descriptors then
            failed = failed + 1
            table.remove(sockets):close()
          else
            error(s)
          end
        end
      end)
      local clients = {}
      for i = 1, 3 do clients[i] = spawn(connect) end
      server:join()
      for i, f in ipairs(clients) do f:join():close() accepted[i]:close() end
      print(#accepted, failed > 0, #sockets > 10)
      for _, s in ipairs(sockets) do s:close() end
      a:close()
    `);
    assert.deepEqual([outcome.stdout, outcome.stderr], ['3\ttrue\ttrue\n', '']);
  } finally {
    setLimits(RLIMIT_NOFILE, limit);
  }
  assert.deepEqual(openDescriptors(), before, 'descriptors left open');
});
