/** Descriptors in messages between actors. */
import { openReactor } from '../support/faulty.ts';
import { spec } from '../support/spec.ts';
import { WRITER } from './programs.ts';

await openReactor();

spec(
  'a descriptor arrives as a duplicate, alone or in a table; the original stays usable',
  `
  local pipe, stream = require 'pipe', require 'stream'
  for i = 1, 2 do
    local r, w = pipe.pair()
    local fd = w:release()
    local worker = spawn_vm './worker'
    worker:send(i == 1 and fd or {fd = fd, more = {1, 2}})
    print(fd.type)
    fd:close()
    local b = byte_span.new(15)
    stream.read_all(r, b)
    print(b)
    print(pcall(r.read_some, r, b))
    worker:close()
  end
`,
  'fifo\nfrom the worker\nfalse\tEnd of file\n'.repeat(2),
  { files: { 'worker.lua': WRITER } },
);

spec(
  'closed and given away ones are EBUSY, and left out of tables',
  `
  local inbox, pipe, ge = require 'inbox', require 'pipe', require 'generic_error'
  local echo = spawn_vm './echo'
  local closed, given = pipe.pair()
  closed, given = closed:release(), given:release()
  closed:close()
  pipe.write_stream.new(given)
  for _, fd in ipairs{closed, given} do
    local ok, e = pcall(echo.send, echo, fd)
    print(ok, e == ge.EBUSY)
  end
  local fd = pipe.pair():release()
  echo:send {from = inbox, closed = closed, given = given, list = {fd, closed, fd}, fd = fd}
  local m = inbox:receive()
  print(m.closed, m.given, #m.list, m.list[1]:kcmp(fd), m.fd:kcmp(fd), m.fd == fd)
`,
  'false\ttrue\nfalse\ttrue\nnil\tnil\t1\t0\t0\tfalse\n',
  {
    files: {
      'echo.lua': `
      local inbox = require 'inbox'
      local m = inbox:receive()
      m.from:send(m)
    `,
    },
  },
);

spec(
  'those that never arrive are closed',
  `
  local pipe = require 'pipe'
  local function eof(r) print(pcall(r.read_some, r, byte_span.new(1))) end
  -- in the inbox of an actor that ends
  local r, w = pipe.pair()
  local fd = w:release()
  local worker = spawn_vm './waits'
  worker:send(1)
  pcall(worker.send, worker, fd)
  fd:close()
  eof(r)
  -- to an actor that is gone
  local r, w = pipe.pair()
  local fd = w:release()
  print(pcall(worker.send, worker, fd))
  fd:close()
  eof(r)
  -- received, and its actor ended
  local r, w = pipe.pair()
  local fd = w:release()
  local worker = spawn_vm './waits'
  worker:send(fd)
  fd:close()
  eof(r)
  -- a message that can't be copied
  local r, w = pipe.pair()
  local fd = w:release()
  worker = spawn_vm './waits'
  local t = {fd = fd}
  t.t = t
  print(pcall(worker.send, worker, t))
  fd:close()
  eof(r)
`,
  `false\tEnd of file
false\tChannel closed
false\tEnd of file
false\tEnd of file
false\tReference cycle exists
false\tEnd of file
`,
  { files: { 'waits.lua': "local inbox = require 'inbox' pcall(inbox.receive, inbox)" } },
);
