/**
 * What the kernel may do to a program: refuse, fall short, be interrupted, run out of descriptors. Each
 * test makes one system call misbehave and runs a program against that; none may leave a descriptor.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { errnoNumber } from '../../src/sys/errno.ts';
import { clearFault, type Fault, injectFault } from '../../src/sys/fault.ts';
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
  test(name, { timeout: 20_000 }, async () => {
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
