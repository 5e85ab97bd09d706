/** Sockets of `unix` between processes, and what happens to objects that nobody closes. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { nativeFailure } from '../../src/sys/native.ts';
import { openReactor } from '../support/faulty.ts';
import { runProgram, spec } from '../support/spec.ts';

const skip = nativeFailure() ?? false;
await openReactor();

/** Takes pipes from clients, and answers each through its pipe. */
const SERVER = `
  local unix, pipe, stream, system = require 'unix', require 'pipe', require 'stream', require 'system'
  local a = unix.seqpacket.listen(system.arguments[3])
  for i = 1, tonumber(system.arguments[4]) do
    local s = a:accept()
    local buf = byte_span.new(100)
    local n, fds = s:receive_with_fds(buf, 1)
    local w = pipe.write_stream.new(fds[1])
    local who = s:get_option('remote_credentials')
    stream.write_all(w, tostring(buf:first(n)) .. ' from ' .. (who.pid == system.getpid() and 'here' or 'elsewhere'))
    w:close()
    s:close()
  end
`;

const CLIENT = `
  local unix, pipe, stream, time, system = require 'unix', require 'pipe', require 'stream', require 'time', require 'system'
  local path = system.arguments[3]
  local ok, s
  repeat
    ok, s = pcall(unix.seqpacket.dial, path)
    if not ok then time.sleep(0.01) end -- the server has not started yet
  until ok
  local r, w = pipe.pair()
  local fd = w:release()
  s:send_with_fds(byte_span.append('hello'), {fd})
  fd:close()
  local buf = byte_span.new(100)
  local text = ''
  while true do
    local ok, n = pcall(r.read_some, r, buf)
    if not ok then break end
    text = text .. tostring(buf:first(n))
  end
  print(text)
`;

test('a pipe goes to another process, which answers through it', {
  skip,
  timeout: 300_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-processes-'));
  try {
    const path = join(folder, 'socket');
    const results = await Promise.all([
      runProgram(SERVER, { args: [path, '2'] }),
      runProgram(CLIENT, { args: [path] }),
      runProgram(CLIENT, { args: [path] }),
    ]);
    for (const { stderr, code } of results) {
      assert.equal(stderr, '');
      assert.equal(code, 0);
    }
    assert.equal(results[1].stdout, 'hello from elsewhere\n');
    assert.equal(results[2].stdout, 'hello from elsewhere\n');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

for (const [what, make] of [
  ['sockets', "require('unix').stream.socket.pair()"],
  ['pipes', "require('pipe').pair()"],
  ['received descriptors', 'receive()'],
] as const) {
  spec(
    `${what} that are dropped are closed by the collector`,
    `
    local unix, pipe, time = require 'unix', require 'pipe', require 'time'
    local a, b = unix.seqpacket.socket.pair()
    local function receive()
      local r, w = pipe.pair()
      local fd = w:release()
      a:send_with_fds(byte_span.new(1), {fd})
      fd:close()
      local _, fds = b:receive_with_fds(byte_span.new(1), 1)
      return r, fds[1]
    end
    local function make()
      local first, second = ${make}
      return first
    end
    local first = make()
    local ended
    spawn(function() ended = select(2, pcall(first.read_some, first, byte_span.new(1))) end)
    for i = 1, 1000 do
      collectgarbage()
      time.sleep(0)
      if ended then break end
    end
    print(ended)
  `,
    'End of file\n',
    { once: true },
  );
}

spec(
  'a descriptor that waits in a message nobody takes is closed with the socket',
  `
  local unix, pipe = require 'unix', require 'pipe'
  local a, b = unix.datagram.socket.pair()
  local r, w = pipe.pair()
  local fd = w:release()
  for i = 1, 5 do a:send_with_fds(byte_span.new(1), {fd}) end
  fd:close()
  a:close()
  b:close()
  print(pcall(r.read_some, r, byte_span.new(1)))
`,
  'false\tEnd of file\n',
);
