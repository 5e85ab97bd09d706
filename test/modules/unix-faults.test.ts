/** Pipes and sockets of `unix` against a kernel that refuses, falls short, or has no descriptors left. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { nativeFailure } from '../../src/sys/native.ts';
import { getLimits, setLimits } from '../../src/sys/rlimit.ts';
import { faultTests, openReactor } from '../support/faulty.ts';
import { openDescriptors, runLua } from '../support/spec.ts';

await openReactor();

const SETUP = `
  local unix, pipe, stream = require 'unix', require 'pipe', require 'stream'
  local ae = require 'asio_error'
  local function bytes(s) return byte_span.append(s) end
  local function name() return '@perilune-fault-' .. tostring({}) end
`;
const faulty = faultTests(SETUP);

const ECHO = {
  pipe: 'local r, w = pipe.pair()',
  'unix stream': 'local w, r = unix.stream.socket.pair()',
};
for (const [kind, setup] of Object.entries(ECHO)) {
  const program = `
    ${setup}
    local text = ('0123456789'):rep(10)
    local f = spawn(function() stream.write_all(w, text) w:close() end)
    local b = byte_span.new(100)
    stream.read_all(r, b)
    print(tostring(b) == text, pcall(r.read_some, r, b))
  `;
  for (const call of ['read', 'write']) {
    const expected = 'true\tfalse\tEnd of file\n';
    faulty(
      `${kind}: ${call} of one byte at a time`,
      call,
      { limit: 1, times: 999 },
      program,
      expected,
    );
    faulty(
      `${kind}: ${call} interrupted by signals`,
      call,
      { errno: 'EINTR', times: 50 },
      program,
      expected,
    );
    faulty(
      `${kind}: ${call} not ready after all`,
      call,
      { errno: 'EAGAIN', times: 50 },
      program,
      expected,
    );
  }
}

for (const type of ['stream', 'seqpacket', 'datagram']) {
  const program = `
    local a, b = unix.${type}.socket.pair()
    local fd = pipe.pair():release()
    local same = fd:dup() -- fd itself is busy while a message with it waits
    local f = spawn(function()
      for i = 1, 10 do assert(a:send_with_fds(bytes 'x', {fd}) == 1) end
    end)
    local count = 0
    for i = 1, 10 do
      local n, fds = b:receive_with_fds(byte_span.new(1), 4)
      assert(n == 1 and fds[1]:kcmp(same) == 0)
      count = count + #fds
    end
    f:join()
    print(count)
  `;
  for (const call of ['recvmsg', 'sendmsg']) {
    faulty(
      `${type}: ${call} interrupted by signals`,
      call,
      { errno: 'EINTR', times: 30 },
      program,
      '10\n',
    );
    faulty(
      `${type}: ${call} not ready after all`,
      call,
      { errno: 'EAGAIN', times: 30 },
      program,
      '10\n',
    );
    faulty(
      `${type}: ${call} fails: nothing was sent, nothing is lost`,
      call,
      { errno: 'ENOBUFS' },
      `
      local a, b = unix.${type}.socket.pair()
      local fd = pipe.pair():release()
      local buf = byte_span.new(1)
      local ok, e = pcall(a.send_with_fds, a, bytes 'x', {fd})
      if not ok then
        print(e, fd.type)
        a:send_with_fds(bytes 'x', {fd})
      end
      local ok, e = pcall(b.receive_with_fds, b, buf, 1)
      if not ok then print(e, b.is_open) end
      local _, fds = (ok and function() return e, {fd} end or b.receive_with_fds)(b, buf, 1)
      print(#fds)
    `,
      `No buffer space available\t${call === 'sendmsg' ? 'fifo' : 'true'}\n1\n`,
    );
  }
}

faulty(
  'a message that is sent in part takes all descriptors with it',
  'sendmsg',
  { limit: 1 },
  `
  local a, b = unix.stream.socket.pair()
  local fd = pipe.pair():release()
  print(a:send_with_fds(bytes 'abc', {fd}), a:write_some(bytes 'bc'))
  local buf = byte_span.new(3)
  local n, fds = b:receive_with_fds(buf, 2)
  print(n, #fds)
`,
  '1\t2\n1\t1\n',
);

faulty(
  'no descriptors for a pair',
  'socketpair',
  { errno: 'EMFILE', times: 3 },
  `
  for _, type in ipairs{'stream', 'seqpacket', 'datagram'} do
    local ok, e = pcall(unix[type].socket.pair)
    print(ok, e == ae.basic.no_descriptors)
  end
  print(#{unix.stream.socket.pair()})
`,
  'false\ttrue\n'.repeat(3) + '2\n',
);

faulty(
  'no descriptors for a pipe',
  'pipe2',
  { errno: 'ENFILE' },
  'print(pcall(pipe.pair))',
  'false\tToo many open files in system\n',
);

faulty(
  'no descriptor for a duplicate',
  'dup',
  { errno: 'EMFILE' },
  `
  local fd = pipe.pair():release()
  print(pcall(fd.dup, fd))
  print(fd.type, fd:dup().type)
`,
  'false\tToo many open files\nfifo\tfifo\n',
);

faulty(
  'no descriptor for who dials or listens',
  'socket',
  { errno: 'EMFILE', times: 2 },
  `
  print(pcall(unix.stream.dial, name()))
  print(pcall(unix.stream.listen, name()))
`,
  'false\tToo many open files\n'.repeat(2),
);

faulty(
  'accept without descriptors, and then with',
  'accept4',
  { errno: 'EMFILE' },
  `
  local path = name()
  local a = unix.stream.listen(path)
  local s = unix.stream.dial(path)
  local ok, e = pcall(a.accept, a)
  print(ok, e == ae.basic.no_descriptors, a:accept().is_open)
`,
  'false\ttrue\ttrue\n',
);

faulty(
  'a listener that has no room yet',
  'connect',
  { errno: 'EAGAIN', times: 4 },
  `
  local path = name()
  local a = unix.stream.listen(path)
  print(unix.stream.dial(path).is_open, a:accept().is_open)
`,
  'true\ttrue\n',
);

for (const call of ['bind', 'listen']) {
  faulty(
    `listen: ${call} fails`,
    call,
    { errno: 'EACCES' },
    `
    local path = name()
    print(pcall(unix.seqpacket.listen, path))
    print(unix.seqpacket.listen(path).is_open)
  `,
    'false\tPermission denied\ntrue\n',
  );
}

faulty(
  'assign fails: the descriptor stays with its object',
  'epoll_ctl',
  { errno: 'ENOSPC' },
  `
  local fd = pipe.pair():release()
  local r = pipe.read_stream.new()
  print(pcall(r.assign, r, fd))
  print(fd.type, r.is_open)
  r:assign(fd)
  print(r.is_open)
`,
  'false\tNo space left on device\nfifo\tfalse\ntrue\n',
);

faulty(
  'close fails: the descriptor is gone, and closed once',
  'close',
  { errno: 'EIO', times: 4 },
  `
  local r, w = pipe.pair()
  local fd = r:release()
  fd:close() fd:close()
  w:close() w:close()
  print(w.is_open)
`,
  'false\n',
);

const RLIMIT_NOFILE = 7;

test('descriptors that find no number are told of, and the others arrive', {
  skip: nativeFailure() ?? false,
}, async () => {
  const limits = getLimits(RLIMIT_NOFILE);
  const before = openDescriptors();
  let outcome: Awaited<ReturnType<typeof runLua>>;
  try {
    setLimits(RLIMIT_NOFILE, { soft: before.length + 60, hard: limits.hard });
    outcome = await runLua(`${SETUP}
      local a, b = unix.seqpacket.socket.pair()
      local fds = {}
      for i = 1, 12 do fds[i] = pipe.pair():release() end
      a:send_with_fds(bytes 'x', fds)
      for i = 1, 12 do fds[i]:close() end
      local dup = require('system').err.dup
      local kept = {}
      while true do
        local ok, fd = pcall(dup)
        if not ok then break end
        kept[#kept + 1] = fd
      end
      for i = 1, 3 do kept[i]:close() end
      local n, got = b:receive_with_fds(byte_span.new(1), 12)
      print(n, #got, got.truncated)
      for i = 1, #got do print(got[i].type) end
    `);
  } finally {
    setLimits(RLIMIT_NOFILE, limits);
  }
  assert.equal(outcome.stderr, '');
  assert.equal(outcome.stdout, '1\t3\ttrue\nfifo\nfifo\nfifo\n');
  assert.deepEqual(openDescriptors(), before);
});
